package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Prefix begins the class of every plugin that is a component of a module.
const Prefix = "wasm:"

// Config says where modules are and what they may do.
type Config struct {
	// Paths are those of plugin.path: folders, which are searched for *.wasm with all that lies in them, or files.
	Paths []string
	// Wasm sets up the engine, which is made when the first module is used.
	Wasm wasm.Config
	// Describe is a program with its arguments that calls wasm.DescribeChild: modules are asked what they have in a process
	// of its own. Without one that is done in this process.
	Describe []string
	// Limits are those of each instance, within the engine's.
	Limits wasm.Limits
	// Egress says what connectors reach; the zero value is nothing.
	Egress EgressConfig
	Log    *slog.Logger
}

// Loader finds plugins in modules. It may be used by any number of goroutines.
type Loader struct {
	config    Config
	egress    *egress
	describer *wasm.Describer

	mu struct {
		sync.Mutex
		engine *wasm.Engine
		byPath map[string]*module
	}
}

var _ connectors.Loader = (*Loader)(nil)

// NewLoader makes a loader. It looks at no file yet.
func NewLoader(config Config) (*Loader, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	e, err := newEgress(config.Egress)
	if err != nil {
		return nil, err
	}
	l := &Loader{config: config, egress: e, describer: wasm.NewDescriber(config.Wasm, config.Describe)}
	l.mu.byPath = map[string]*module{}
	return l, nil
}

// Close frees all modules. No plugin may be in use any more.
func (l *Loader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.egress.close()
	if l.mu.engine == nil {
		return nil
	}
	clear(l.mu.byPath)
	engine := l.mu.engine
	l.mu.engine = nil
	return engine.Close(context.Background())
}

// className is how settings name a component.
func className(module, component string) string { return Prefix + module + "#" + component }

// kindsOf are the kinds of plugins by those of components.
var kindsOf = map[abi.Kind]connectors.Kind{
	abi.Transformation: connectors.KindTransformation, abi.Predicate: connectors.KindPredicate, abi.Converter: connectors.KindConverter,
	abi.HeaderConverter: connectors.KindHeaderConverter, abi.Source: connectors.KindSource, abi.Sink: connectors.KindSink,
}

// Load implements connectors.Loader: name is wasm:<file or digest>#<component>. A file is named by its path below
// plugin.path, a digest by sha256: and at least twelve digits.
func (l *Loader) Load(kind connectors.Kind, name string) (p connectors.Plugin, found bool, err error) {
	rest, ok := strings.CutPrefix(name, Prefix)
	if !ok {
		return p, false, nil
	}
	file, component, ok := strings.Cut(rest, "#")
	if !ok || file == "" || component == "" {
		return p, false, unfit(name, "it does not have the form wasm:FILE#COMPONENT", "write wasm:mask.wasm#mask, say")
	}
	m, err := l.module(file)
	if err != nil {
		return p, false, broken(err)
	}
	manifest, _, err := m.describe(context.Background())
	if err != nil {
		return p, false, broken(err)
	}
	spec := manifest.Component(component)
	if spec == nil {
		return p, false, unfit(name, "module "+m.name+" has no component "+component, errs.DidYouMean(component, names(&manifest)))
	}
	if kindsOf[spec.Kind] != kind {
		if _, plugin := kindsOf[spec.Kind]; !plugin {
			return p, false, unfit(name, "component "+component+" is a "+string(spec.Kind)+", which is for topologies", "")
		}
		return p, false, nil
	}
	return l.plugin(m, &manifest, spec), true, nil
}

func unfit(name, what, fix string) error {
	return broken(errs.ConnectPlugin.New(name, what, fix))
}

func names(m *abi.Manifest) []string {
	var out []string
	for i := range m.Components {
		out = append(out, m.Components[i].Name)
	}
	return out
}

// List implements connectors.Loader. Modules that cannot be loaded are logged and left out.
func (l *Loader) List() []connectors.Plugin {
	var out []connectors.Plugin
	for _, f := range l.files() {
		m := l.known(f)
		manifest, _, err := m.describe(context.Background())
		if err != nil {
			l.config.Log.Warn("a module under plugin.path cannot be used", "module", f.name, "error", err)
			continue
		}
		for i := range manifest.Components {
			if _, ok := kindsOf[manifest.Components[i].Kind]; ok {
				out = append(out, l.plugin(m, &manifest, &manifest.Components[i]))
			}
		}
	}
	return out
}

// plugin is the entry of a component.
func (l *Loader) plugin(m *module, manifest *abi.Manifest, spec *abi.Component) connectors.Plugin {
	p := connectors.Plugin{Class: className(m.name, spec.Name), Kind: kindsOf[spec.Kind], Version: manifest.Version, Doc: spec.Description}
	if p.Version == "" {
		p.Version = "undefined"
	}
	of := func() plugin { return plugin{loader: l, module: m, spec: *spec} }
	switch spec.Kind {
	case abi.Transformation:
		p.Transformation = func() connectors.Transformation { return &transformation{plugin: of()} }
	case abi.Predicate:
		p.Predicate = func() connectors.Predicate { return &predicate{plugin: of()} }
	case abi.Converter:
		p.Converter = func() connectors.Converter { return &converter{plugin: of()} }
	case abi.HeaderConverter:
		p.HeaderConverter = func() connectors.HeaderConverter { return &headerConverter{converter{plugin: of()}} }
	case abi.Source:
		p.Source = func() connectors.SourceConnector { return &sourceConnector{connector: connector{of(), p.Version}} }
	case abi.Sink:
		p.Sink = func() connectors.SinkConnector { return &sinkConnector{connector: connector{of(), p.Version}} }
	}
	return p
}

// file is a module's file: its name is the path below plugin.path.
type file struct{ name, path string }

// files are all that lie under plugin.path, each name once: the first counts.
func (l *Loader) files() []file {
	var out []file
	add := func(name, path string) {
		name = filepath.ToSlash(name)
		if !slices.ContainsFunc(out, func(f file) bool { return f.name == name }) {
			out = append(out, file{name, path})
		}
	}
	for _, root := range l.config.Paths {
		info, err := os.Stat(root)
		switch {
		case err != nil:
			l.config.Log.Warn("plugin.path names what cannot be read", "path", root, "error", err)
		case !info.IsDir():
			add(filepath.Base(root), root)
		default:
			walk(root, add)
		}
	}
	return out
}

// walk visits the modules in a folder. Hidden folders and what cannot be read are left out.
func walk(root string, add func(name, path string)) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if name, err := filepath.Rel(root, path); err == nil && !d.IsDir() && filepath.Ext(path) == ".wasm" {
			add(name, path)
		}
		return nil
	})
}

// module finds a module by its file or its digest.
func (l *Loader) module(name string) (*module, error) {
	files := l.files()
	if strings.HasPrefix(name, "sha256:") {
		return l.byDigest(name, files)
	}
	clean := filepath.ToSlash(filepath.Clean(name))
	var known []string
	for _, f := range files {
		if f.name == clean || f.path == filepath.Clean(name) {
			return l.known(f), nil
		}
		known = append(known, f.name)
	}
	what := fmt.Sprintf("there is no such module under plugin.path, which has %d", len(known))
	if len(l.config.Paths) == 0 {
		what = "plugin.path of the worker is not set, so there are no modules"
	}
	return nil, errs.ConnectPlugin.New(Prefix+name, what, errs.DidYouMean(clean, known))
}

// shortestDigest is how many characters of a digest are enough to name a module.
const shortestDigest = len("sha256:") + 12

func (l *Loader) byDigest(digest string, files []file) (*module, error) {
	if len(digest) < shortestDigest {
		return nil, errs.ConnectPlugin.New(Prefix+digest, "the digest is too short", "give sha256: and at least twelve digits")
	}
	var faults []error
	for _, f := range files {
		m := l.known(f)
		_, own, err := m.describe(context.Background())
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if strings.HasPrefix(own, digest) {
			return m, nil
		}
	}
	return nil, errs.ConnectPlugin.New(Prefix+digest, "no module under plugin.path has this digest", "").WithCause(errors.Join(faults...))
}

// known is the module of a file, which is not looked at yet.
func (l *Loader) known(f file) *module {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.mu.byPath[f.path]
	if m == nil {
		m = &module{name: f.name, path: f.path, engine: l.engine, describer: l.describer}
		l.mu.byPath[f.path] = m
	}
	return m
}

func (l *Loader) engine() (*wasm.Engine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.engine == nil {
		engine, err := wasm.NewEngine(context.Background(), l.config.Wasm)
		if err != nil {
			return nil, err
		}
		l.mu.engine = engine
	}
	return l.mu.engine, nil
}

// Reload reads modules again that are known: the one of a name, all of them without one. A module that may not replace the
// running one leaves it running; its entry has the error.
func (l *Loader) Reload(ctx context.Context, name string) ([]Reloaded, error) {
	l.mu.Lock()
	var modules []*module
	for _, m := range l.mu.byPath {
		if (name == "" || m.name == name) && m.usable() {
			modules = append(modules, m)
		}
	}
	l.mu.Unlock()
	if name != "" && len(modules) == 0 {
		return nil, errs.ConnectPlugin.New(Prefix+name, "no module of this name is loaded", "GET /connector-plugins?connectorsOnly=false lists them")
	}
	slices.SortFunc(modules, func(a, b *module) int { return strings.Compare(a.name, b.name) })
	var out []Reloaded
	for _, m := range modules {
		done, err := m.reload(ctx)
		if err != nil {
			done.refused(err)
			l.config.Log.Warn("a module was not replaced", "module", m.name, "error", err)
		} else if done.Old != done.New {
			l.config.Log.Info("a module was replaced", "module", m.name, "old", done.Old, "new", done.New, "running", done.Running)
		}
		out = append(out, done)
	}
	return out, nil
}
