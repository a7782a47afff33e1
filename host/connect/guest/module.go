package guest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// module is a file under plugin.path, with the version of it that runs. It may be used by any number of goroutines.
type module struct {
	name, path string
	engine     *wasm.Engine
	reloading  sync.Mutex // one reload at a time; taken before mu

	mu struct {
		sync.Mutex
		components []*component
	}
	// current is only replaced with mu held.
	current atomic.Pointer[version]
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

// compile reads and compiles the module's file. The version has one reference.
func (m *module) compile(ctx context.Context) (*version, error) {
	code, err := wasm.ReadFile(m.path)
	if err != nil {
		return nil, err
	}
	compiled, err := m.engine.Compile(ctx, m.name, code)
	if err != nil {
		return nil, wasm.Coded(m.name, err)
	}
	return &version{Module: compiled, refs: 1}, nil
}

// manifest is that of the version that runs.
func (m *module) manifest() (abi.Manifest, string) {
	v := m.use()
	defer func() { _ = v.release() }()
	return v.Manifest(), v.Digest()
}

// running is the version that runs, to be compared and no more.
func (m *module) running() *version { return m.current.Load() }

// use is the version that runs, with one reference more.
func (m *module) use() *version {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.current.Load()
	v.retain()
	return v
}

func (m *module) add(c *component) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.components = append(m.mu.components, c)
}

func (m *module) remove(c *component) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.components = slices.DeleteFunc(m.mu.components, func(o *component) bool { return o == c })
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

// reload replaces the version that runs by what the file holds now. An error leaves everything as it is.
func (m *module) reload(ctx context.Context) (done Reloaded, err error) {
	m.reloading.Lock()
	defer m.reloading.Unlock()
	old := m.use()
	defer func() { err = errors.Join(err, old.release()) }()
	done = Reloaded{Module: m.name, Old: old.Digest(), New: old.Digest()}
	next, err := m.compile(ctx)
	if err != nil {
		return done, errs.ReloadFailed.New(m.name, "the new module cannot be prepared", "").WithCause(err)
	}
	if next.Digest() == old.Digest() {
		return done, next.release()
	}
	done.New = next.Digest()
	if done.Running, err = m.replace(ctx, next); err != nil {
		return done, errors.Join(err, next.release())
	}
	return done, old.release()
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
	m.mu.Lock()
	m.current.Store(next) // a component that is made from now on, or that was missed, begins with it
	m.mu.Unlock()
	for i, c := range running {
		c.handOver(ready[i])
	}
	return len(running), nil
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
