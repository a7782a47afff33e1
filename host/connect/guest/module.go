package guest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// module is a file under plugin.path: what it said of itself, and while components of it run, the version that they run. It
// may be used by any number of goroutines.
type module struct {
	name, path string
	engine     func() (*wasm.Engine, error)
	describer  *wasm.Describer
	// changing is held by who compiles: a first component or a reload. looking is held by who describes. Both are taken
	// before mu, looking after changing.
	changing, looking sync.Mutex

	mu struct {
		sync.Mutex
		components []*component
		seen       sighting
	}
	// current is the version that components run, nil without any. It is only replaced with mu held.
	current atomic.Pointer[version]
}

// sighting is what a file was found to hold, which counts as long as it is the same file: lists are asked for often.
type sighting struct {
	file fs.FileInfo
	said wasm.Description
	err  error
}

func (s *sighting) of(file fs.FileInfo) bool {
	return s.file != nil && os.SameFile(s.file, file) && s.file.Size() == file.Size() && s.file.ModTime().Equal(file.ModTime())
}

// version is compiled code, closed when nobody uses it any more.
type version struct {
	*wasm.Module
	mu   sync.Mutex
	refs int
}

func (v *version) retain() {
	v.mu.Lock()
	v.refs++
	v.mu.Unlock()
}

func (v *version) release() error {
	v.mu.Lock()
	v.refs--
	last := v.refs == 0
	v.mu.Unlock()
	if last {
		return v.Close()
	}
	return nil
}

// largeModule has a size from which on reading, metering and loading leave so much behind that it is given back before
// the next one comes.
const largeModule = 1 << 20

// compile reads and compiles the module's file. The version has one reference.
func (m *module) compile(ctx context.Context) (*version, error) {
	code, err := wasm.ReadFile(m.path)
	if err != nil {
		return nil, err
	}
	engine, err := m.engine()
	if err != nil {
		return nil, err
	}
	compiled, err := engine.Compile(ctx, m.name, code)
	if err != nil {
		return nil, wasm.Coded(m.name, err)
	}
	if len(code) >= largeModule {
		debug.FreeOSMemory()
	}
	return &version{Module: compiled, refs: 1}, nil
}

// describe is the manifest and digest of the version that runs, else of the file.
func (m *module) describe(ctx context.Context) (abi.Manifest, string, error) {
	if v := m.use(); v != nil {
		defer func() { _ = v.release() }()
		return v.Manifest(), v.Digest(), nil
	}
	seen := m.look(ctx, false)
	return seen.said.Manifest, seen.said.Digest, seen.err
}

// look finds out what the file holds, anew if it is another one than before or again says so.
func (m *module) look(ctx context.Context, again bool) sighting {
	m.looking.Lock()
	defer m.looking.Unlock()
	file, err := os.Stat(m.path)
	if err != nil {
		return sighting{err: errs.ConnectPlugin.New(Prefix+m.name, "the module's file cannot be read", "").WithCause(err)}
	}
	seen := m.lastSeen()
	if !again && seen.of(file) {
		return seen
	}
	seen = sighting{file: file}
	seen.said, seen.err = m.describer.DescribeFile(ctx, m.name, m.path)
	m.mu.Lock()
	m.mu.seen = seen
	m.mu.Unlock()
	return seen
}

func (m *module) lastSeen() sighting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.seen
}

// usable tells whether the module runs, or could have been run when it was last looked at.
func (m *module) usable() bool {
	seen := m.lastSeen()
	return m.running() != nil || seen.file != nil && seen.err == nil
}

// running is the version that runs, to be compared and no more.
func (m *module) running() *version { return m.current.Load() }

// use is the version that runs, with one reference more, or nil.
func (m *module) use() *version {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.current.Load()
	if v != nil {
		v.retain()
	}
	return v
}

// add has a component run what others run, or what the file holds, compiled for it. It gets a reference.
func (m *module) add(ctx context.Context, c *component) (*version, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	if v := m.join(c, nil); v != nil {
		return v, nil
	}
	first, err := m.compile(ctx)
	if err != nil {
		return nil, err
	}
	return m.join(c, first), nil
}

// join adds a component to those that run a version, which becomes first if there is none, and returns the version.
// Without either nothing changes.
func (m *module) join(c *component, first *version) *version {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.current.Load()
	if v == nil {
		if v = first; v == nil {
			return nil
		}
		m.current.Store(v)
	}
	m.mu.components = append(m.mu.components, c)
	v.retain()
	return v
}

// remove takes a component away. The last one takes the version along.
func (m *module) remove(c *component) error {
	m.mu.Lock()
	m.mu.components = slices.DeleteFunc(m.mu.components, func(o *component) bool { return o == c })
	var unused *version
	if len(m.mu.components) == 0 {
		unused = m.current.Swap(nil)
	}
	m.mu.Unlock()
	if unused == nil {
		return nil
	}
	return unused.release()
}

// swap makes next the version that runs, with a reference of its own, and returns the one before. False says that no
// component is left.
func (m *module) swap(next *version) (old *version, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current.Load() == nil {
		return nil, false
	}
	next.retain()
	return m.current.Swap(next), true // a component that is made from now on, or that was missed, begins with it
}

// Reloaded says what became of a module that was read again.
type Reloaded struct {
	Module  string `json:"module"`
	Old     string `json:"old"`
	New     string `json:"new"`
	Running int    `json:"running"` // components that go on with the new version
	// Code and Error say why the module was not replaced; Fix is what can be done.
	Code  string `json:"code,omitempty"`
	Error string `json:"error,omitempty"`
	Fix   string `json:"fix,omitempty"`
}

// refused notes why a module was not replaced.
func (r *Reloaded) refused(err error) {
	r.New, r.Error = r.Old, err.Error()
	if coded, ok := errors.AsType[*errs.Error](err); ok {
		r.Code, r.Error, r.Fix = coded.Code, coded.What, coded.Fix
		if coded.Cause != nil {
			r.Error += ": " + coded.Cause.Error()
		}
	}
}

// reload replaces the version that runs by what the file holds now. An error leaves everything as it is. A module that
// does not run is looked at again.
func (m *module) reload(ctx context.Context) (done Reloaded, err error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	old := m.use()
	if old == nil {
		return m.lookAgain(ctx)
	}
	defer func() { err = errors.Join(err, old.release()) }()
	done = Reloaded{Module: m.name, Old: old.Digest(), New: old.Digest()}
	next, err := m.compile(ctx)
	if err != nil {
		return done, notPrepared(m.name, err)
	}
	defer func() { err = errors.Join(err, next.release()) }()
	if next.Digest() == old.Digest() {
		return done, nil
	}
	done.New = next.Digest()
	done.Running, err = m.replace(ctx, next)
	return done, err
}

func (m *module) lookAgain(ctx context.Context) (Reloaded, error) {
	before := m.lastSeen().said.Digest
	seen := m.look(ctx, true)
	done := Reloaded{Module: m.name, Old: before, New: seen.said.Digest}
	if seen.err != nil {
		return done, notPrepared(m.name, seen.err)
	}
	return done, nil
}

func notPrepared(name string, err error) error {
	return errs.ReloadFailed.New(name, "the new module cannot be prepared", "").WithCause(err)
}

// replace has every running component go on with another version, or none of them.
func (m *module) replace(ctx context.Context, next *version) (n int, err error) {
	m.mu.Lock()
	running := slices.Clone(m.mu.components)
	m.mu.Unlock()
	if err := m.fit(next, running); err != nil {
		return 0, err
	}
	var ready []*instance
	for _, c := range running {
		next.retain()
		in, err := c.prepare(ctx, next)
		if err != nil {
			for _, in := range ready {
				err = errors.Join(err, in.close(abi.CloseStop))
			}
			return 0, errs.ReloadFailed.New(m.name, "component "+c.spec.Name+" of the new module does not open", "").WithCause(err)
		}
		ready = append(ready, in)
	}
	old, ok := m.swap(next)
	for i, c := range running {
		c.handOver(ready[i])
	}
	if !ok {
		return 0, nil // all of them ended meanwhile
	}
	return len(running), old.release()
}

// fit refuses a version that lacks a component in use, or has another kind of it.
func (m *module) fit(next *version, running []*component) error {
	manifest := next.Manifest()
	for _, c := range running {
		spec := manifest.Component(c.spec.Name)
		if spec == nil {
			return errs.ReloadRefused.New(m.name, "the new module has no component "+c.spec.Name+", which is in use", "keep the component, or stop the connectors that use it")
		}
		if spec.Kind != c.spec.Kind {
			return errs.ReloadRefused.New(m.name, "component "+c.spec.Name+" is a "+string(spec.Kind)+" in the new module (it runs as a "+string(c.spec.Kind)+")", "keep its kind, or give the new one another name")
		}
	}
	return nil
}
