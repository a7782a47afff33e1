package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// LoadOptions are what may override a document.
type LoadOptions struct {
	// Set are KEY=VALUE pairs that win over everything else.
	Set []string
	// BootstrapServers wins over the document, "" leaves it. BootstrapOrigin says where it comes from; --bootstrap-server
	// if it does not.
	BootstrapServers, BootstrapOrigin string
	// Environ are variables as of os.Environ: those that name a setting win over the document.
	Environ []string
	// Compiler is that of Config; a module that has to be asked for its topology is compiled by it as well.
	Compiler []string
	// Print is where streams are printed; nil is standard output.
	Print io.Writer
}

// layers are the settings that win over a document, the later ones stronger, and what they say together.
func (o LoadOptions) layers() (layers []streamsconfig.Layer, stronger map[string]string, err error) {
	set, err := streamsconfig.Set(o.Set)
	if err != nil {
		return nil, nil, err
	}
	if o.BootstrapServers != "" {
		if _, both := set.Values["bootstrap.servers"]; !both {
			set.Values["bootstrap.servers"] = o.BootstrapServers
			set.Where = map[string]string{"bootstrap.servers": cmp.Or(o.BootstrapOrigin, "--bootstrap-server")}
		}
	}
	env := streamsconfig.Env(o.Environ)
	stronger = maps.Clone(env.Values)
	maps.Copy(stronger, set.Values)
	return []streamsconfig.Layer{env, set}, stronger, nil
}

// Load reads the application at path: a document, or a module that brings its topology along. It is LoadContext with
// nothing that ends it early.
func Load(path string, o LoadOptions) (Config, error) {
	return LoadContext(context.Background(), path, o)
}

// LoadContext reads the application at path: a document, or a module that brings its topology along. The settings are
// those of the document, of the environment, of the options, the later ones stronger. The error joins every fault of
// the document.
func LoadContext(ctx context.Context, path string, o LoadOptions) (Config, error) {
	if isModule(path) {
		return loadModule(ctx, path, o)
	}
	cfg, err := loadDocument(ctx, path, o)
	cfg.Compiler = o.Compiler
	return cfg, err
}

func loadDocument(ctx context.Context, path string, o LoadOptions) (Config, error) {
	layers, stronger, err := o.layers()
	if err != nil {
		return Config{}, err
	}
	data, err := spec.ReadFileContext(ctx, path)
	if err != nil {
		return Config{}, errs.ConfigFile.New(path, "the file cannot be read", "").WithCause(errs.WithoutPath(err))
	}
	app, fault := spec.Parse(path, data, spec.Options{Set: stronger, Print: o.Print})
	return configOf(path, app, layers, fault)
}

// configOf is an application that was read from path, with what wins over it.
func configOf(path string, app *spec.Application, layers []streamsconfig.Layer, fault error) (Config, error) {
	cfg := Config{Topology: app.Topology, Modules: map[string]Module{}, where: path, nodeWhere: app.NodeWhere, excerpt: app.Excerpt}
	for name, m := range app.Modules {
		cfg.Modules[name] = moduleOf(m)
	}
	own := streamsconfig.Layer{Origin: path, Values: app.Config, Where: app.ConfigWhere}
	cfg.layers = append([]streamsconfig.Layer{own}, layers...)
	if fault != nil {
		return Config{}, cfg.withSettings(fault)
	}
	return cfg, nil
}

// isModule tells whether the file begins as WebAssembly does. A file that cannot be read is told by who reads it whole.
func isModule(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && bytes.Equal(magic[:], []byte("\x00asm"))
}

// loadModule makes a Config of a module that is an application.
func loadModule(ctx context.Context, path string, o LoadOptions) (Config, error) {
	layers, stronger, err := o.layers()
	if err != nil {
		return Config{}, err
	}
	data, err := wasm.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	manifest, err := askModule(ctx, path, data, layers, o.Compiler)
	if err != nil {
		return Config{}, err
	}
	app, fault := topologyOf(path, manifest, spec.Options{Set: stronger, Print: o.Print})
	if app == nil {
		return Config{}, fault
	}
	cfg, err := configOf(path, app, layers, fault)
	cfg.application, cfg.Compiler = manifest.Name, o.Compiler
	return cfg, err
}

// topologyOf reads the topology that a module brings along. The application is nil if there is none.
func topologyOf(path string, m abi.Manifest, o spec.Options) (*spec.Application, error) {
	if m.Topology == nil {
		return nil, errs.ModuleTopology.New(path, "the module "+m.Name+" has no topology of its own", "write an application that calls its components, or build a topology in it (StreamsBuilder of the SDK)")
	}
	return spec.ParseModule(spec.ModuleDocument{Path: path, Name: m.Name, Text: m.Topology}, o)
}

// askModule is the manifest of a module, which has to run if it answers ws_describe.
func askModule(ctx context.Context, path string, data []byte, layers []streamsconfig.Layer, compiler []string) (m abi.Manifest, err error) {
	info, err := wasm.Inspect(path, data)
	if err != nil {
		return m, wasm.Coded(path, err)
	}
	if info.ManifestFrom != abi.ExportDescribe {
		return info.Manifest, nil
	}
	config := wasm.DefaultConfig()
	if settings, err := streamsconfig.Load(layers...); err == nil {
		config = guestConfig(settings)
	}
	config.Compiler.Command = compiler
	engine, err := wasm.NewEngine(ctx, config)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	module, err := engine.Compile(ctx, path, data)
	if err != nil {
		return m, wasm.Coded(path, err)
	}
	return module.Manifest(), module.Close()
}
