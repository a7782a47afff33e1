package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
)

// Host runs one application in this process. It is safe for concurrent use; it runs once.
type Host struct {
	cfg      Config
	settings *streamsconfig.Config
	log      *slog.Logger
	registry *prometheus.Registry
	peers    *StateClient
	querying chan struct{} // holds an element for each query that is being answered

	// reloading is held during a replacement of modules, so that one follows the other.
	reloading sync.Mutex
	mu        struct {
		sync.Mutex
		ran     bool
		app     *stream.App // nil until the modules are ready
		engine  *wasm.Engine
		set     moduleSet
		retired []*wasm.Module // of reloads that failed; closed at the end
	}
}

// New checks the configuration. Nothing is compiled and no broker is asked until Run.
func New(cfg Config) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	settings, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, settings: settings, log: cfg.Logger, registry: cfg.Registry,
		peers: NewStateClient(settings.ApplicationServerToken), querying: make(chan struct{}, maxQueries),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.registry == nil {
		h.registry = prometheus.NewRegistry()
		h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	return h, nil
}

// ApplicationID is the application.id.
func (h *Host) ApplicationID() string { return h.settings.ApplicationID }

// State is Kafka's name of the state: CREATED, REBALANCING, RUNNING, PENDING_SHUTDOWN, NOT_RUNNING, ERROR.
func (h *Host) State() string {
	if app := h.application(); app != nil {
		return app.State().String()
	}
	return stream.Created.String()
}

// application is the one that runs, nil while modules are being compiled.
func (h *Host) application() *stream.App {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.app
}

// Run compiles the modules, joins the cluster and works until ctx is done; then it commits, leaves and returns nil. It
// returns when all that it started has ended.
func (h *Host) Run(ctx context.Context) (err error) {
	h.mu.Lock()
	ran := h.mu.ran
	h.mu.ran = true
	h.mu.Unlock()
	if ran {
		return errors.New("running the application: it has run already")
	}
	engine, err := wasm.NewEngine(ctx, h.engineConfig())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	admin, err := h.listenAdmin()
	if err != nil {
		return err
	}
	defer admin.close()
	queries, err := h.listenQueries()
	if err != nil {
		return err
	}
	defer queries.close()
	defer h.peers.Close()
	app, err := h.prepare(ctx, engine, firstAddr(queries, admin))
	if err != nil {
		return err
	}
	return h.runAll(ctx, app, admin, queries)
}

func (h *Host) engineConfig() wasm.Config {
	cfg := guestConfig(h.settings)
	cfg.Logger, cfg.Compiler.Command = h.log, h.cfg.Compiler
	return cfg
}

// guestConfig is the configuration of the engine that settings ask for.
func guestConfig(settings *streamsconfig.Config) wasm.Config {
	cfg := wasm.DefaultConfig()
	cfg.CacheDir = wasm.CacheDir(settings.WasmCacheDir)
	cfg.Limits = instanceLimits(streamsconfig.GuestLimits{WasmLimits: settings.Wasm})
	return cfg
}

// firstAddr is where the first server that there is listens.
func firstAddr(servers ...*adminServer) string {
	for _, s := range servers {
		if s != nil {
			return s.listener.Addr().String()
		}
	}
	return ""
}

// prepare compiles the modules and makes the application of them.
func (h *Host) prepare(ctx context.Context, engine *wasm.Engine, server string) (*stream.App, error) {
	rules, err := h.cfg.guestRules(h.settings)
	if err != nil {
		return nil, err
	}
	set, err := h.cfg.compileAll(ctx, engine, rules)
	if err != nil {
		return nil, err
	}
	for name, m := range set {
		h.log.Info("module ready", "module", name, "digest", m.Digest(), "bytes", m.Size())
	}
	app, err := stream.New(stream.Config{
		Streams: h.settings, Topology: h.cfg.Topology, Modules: set, Guests: rules, Where: h.cfg.where, Logger: h.log,
		Registerer: h.registry, StateListener: h.stateListener(), ClientOptions: h.cfg.ClientOptions,
		RestoreListener: h.cfg.RestoreListener, StandbyListener: h.cfg.StandbyListener, UncaughtHandler: h.cfg.UncaughtHandler,
		ApplicationServer: server,
	})
	if err != nil {
		return nil, errors.Join(err, set.close())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.app, h.mu.engine, h.mu.set = app, engine, set
	return app, nil
}

func (h *Host) stateListener() func(now, before stream.State) {
	if h.cfg.StateListener == nil {
		return nil
	}
	return func(now, before stream.State) { h.cfg.StateListener(now.String(), before.String()) }
}

// runAll runs the application, and beside it the admin server and the watcher, which end with it. Should one of them
// fail, the application is stopped.
func (h *Host) runAll(ctx context.Context, app *stream.App, admin, queries *adminServer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beside sync.WaitGroup
	start := func(what string, run func(context.Context) error) {
		beside.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	start("serving the admin address", admin.run)
	start("serving queries", queries.run)
	if h.cfg.Watch {
		start("watching the modules", h.watch)
	}
	err := app.Run(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	beside.Wait()
	if err == nil && cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = cause
	}
	return errors.Join(err, h.closeModules())
}

func (h *Host) closeModules() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	faults := []error{h.mu.set.close()}
	for _, m := range h.mu.retired {
		faults = append(faults, m.Close())
	}
	return errors.Join(faults...)
}
