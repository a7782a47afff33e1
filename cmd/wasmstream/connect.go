package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/connect/guest"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

func connectCommand() *cli.Command {
	return &cli.Command{
		Name: "connect", Usage: "run connectors: Kafka Connect's workers, settings and REST API",
		Subcommands: []*cli.Command{connectStandaloneCommand(), connectDistributedCommand(), connectRunCommand()},
	}
}

// workerFlags are those of every worker.
func workerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "kafka-compat", Usage: "behave as Kafka's worker where ours does better by default: no restart of failed tasks, secrets shown, all interfaces"},
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "`LEVEL`: debug, info, warn, error"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT`: text, json"},
	}
}

func connectStandaloneCommand() *cli.Command {
	return &cli.Command{
		Name: "standalone", Usage: "run a worker alone, with connectors of files", ArgsUsage: "WORKER.properties [CONNECTOR.properties|.json|.yaml...]",
		Description: "Takes the files of connect-standalone. Connectors are kept in memory, offsets in offset.storage.file.filename.\nThe REST API is on http://127.0.0.1:8083 unless listeners says otherwise.",
		Flags:       workerFlags(),
		Action:      connectStandalone,
	}
}

func connectDistributedCommand() *cli.Command {
	return &cli.Command{
		Name: "distributed", Usage: "run a worker of a group, which shares connectors and tasks", ArgsUsage: "WORKER.properties",
		Description: "Takes the file of connect-distributed: workers with the same group.id and topics share their work, Java's among them.",
		Flags:       workerFlags(),
		Action:      connectDistributed,
	}
}

// workerConfig reads the settings of a worker. The error tells the faults of all its parts at once.
func workerConfig(c *cli.Context, props config.Props, path string, distributed bool) (*connect.WorkerConfig, error) {
	if c.Bool("kafka-compat") {
		props.Set("kafka.compat", "true")
	}
	cfg, err := connect.ParseWorkerConfig(props, distributed)
	_, modules := guest.ReadConfig(props)
	_, providers := config.NewProviders(props)
	_, authentication := rest.NewAuth(props)
	if err := errors.Join(err, modules, providers, authentication); err != nil {
		return nil, errs.ConnectConfig.New(path, err.Error(), "")
	}
	return cfg, nil
}

func connectStandalone(c *cli.Context) error {
	start := time.Now()
	tuneWorkerGC()
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	files := c.Args().Slice()
	props, err := readSettings(files[0])
	if err != nil {
		return err
	}
	var requests []connectorRequest
	for _, path := range files[1:] {
		list, err := readConnectors(path)
		if err != nil {
			return err
		}
		requests = append(requests, list...)
	}
	cfg, err := workerConfig(c, props, files[0], false)
	if err != nil {
		return err
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	plugins, modules, err := workerPlugins(cfg.Props, files[0], log)
	if err != nil {
		return err
	}
	defer closeModules(modules, log)
	h, err := connect.NewStandalone(cfg, plugins, log)
	if err != nil {
		return startError(files[0], err)
	}
	return serveWorker(c, h, modules, log, start, func() error { return createAll(c.Context, h, requests) }, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}

// workerPlugins are the plugins of a worker: those built in, and those in modules under plugin.path.
func workerPlugins(worker config.Props, where string, log *slog.Logger) (*connectors.Plugins, *guest.Loader, error) {
	settings, err := guest.ReadConfig(worker)
	if err != nil {
		return nil, nil, errs.ConnectConfig.New(where, err.Error(), "")
	}
	settings.Log, settings.Wasm.Logger, settings.Wasm.Compiler.Command, settings.Describe = log, log, compiler(), self(describeChild)
	modules, err := guest.NewLoader(settings)
	if err != nil {
		return nil, nil, errs.ConnectConfig.New(where, err.Error(), "")
	}
	plugins := builtin.Plugins()
	plugins.AddLoader(modules)
	return plugins, modules, nil
}

func closeModules(modules *guest.Loader, log *slog.Logger) {
	if err := modules.Close(); err != nil {
		log.Warn("closing the modules", "error", err)
	}
}

func startError(where string, err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return err
	}
	return errs.ConnectStart.New(where, "the worker does not start", "").WithCause(err)
}

func connectDistributed(c *cli.Context) error {
	start := time.Now()
	tuneWorkerGC()
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	path := c.Args().First()
	props, err := readSettings(path)
	if err != nil {
		return err
	}
	cfg, err := workerConfig(c, props, path, true)
	if err != nil {
		return err
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	cl, err := kafka.Connect(c.Context, kafka.Admin, cfg.ClientProperties(kafka.Admin, nil), path)
	if err != nil {
		return err
	}
	cl.Close()
	plugins, modules, err := workerPlugins(cfg.Props, path, log)
	if err != nil {
		return err
	}
	defer closeModules(modules, log)
	h, err := connect.NewDistributed(c.Context, cfg, plugins, log)
	if err != nil {
		return startError(path, err)
	}
	return serveWorker(c, h, modules, log, start, func() error { return nil }, h.Join)
}

// serveWorker serves the REST API around a worker's life: it is ready when begin has returned and, in a group, it has joined.
func serveWorker(c *cli.Context, h *connect.Herder, modules *guest.Loader, log *slog.Logger, start time.Time, begin func() error, live func(context.Context) error) (err error) {
	defer func() { err = errors.Join(err, h.Close()) }()
	begun := h.Starting("creating the connectors of the command line")
	auth, err := rest.NewAuth(h.Config().Props)
	if err != nil {
		return errs.ConnectConfig.New("rest.authentication", err.Error(), "")
	}
	server, open, err := rest.Listen(rest.Config{Herder: h, Modules: modules, Log: log, Auth: auth, Version: connectors.Version, Commit: buildVersion().Version})
	if err != nil {
		return errs.ConnectStart.New("listeners", "the REST API has no listener", "give listeners in the worker's settings another port").WithCause(err)
	}
	if len(open) > 0 && !h.Config().Compat {
		log.Warn("the REST API is open to the network without authentication", "addresses", strings.Join(open, ","))
	}
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	served := make(chan error, 1)
	go func() {
		err := server.Run(ctx)
		stop()
		served <- err
	}()
	err = begin()
	begun()
	if err == nil {
		told := make(chan struct{})
		go func() {
			defer close(told)
			if h.AwaitStarted(ctx) == nil {
				dropStartPages()
				fmt.Fprintf(c.App.ErrWriter, "worker ready after %.2f s on %s; Ctrl-C commits and ends\n", time.Since(start).Seconds(), strings.Join(server.URLs, ", "))
			}
		}()
		err = live(ctx)
		stop()
		<-told
	}
	stop()
	return errors.Join(err, <-served)
}

// createAll creates connectors that were given as files. The first that is refused ends the worker, as in Kafka.
func createAll(ctx context.Context, h *connect.Herder, requests []connectorRequest) error {
	for _, r := range requests {
		if _, _, err := h.PutConnector(ctx, r.name, r.config, r.initial, true); err != nil {
			return errs.ConnectConfig.New(r.path, err.Error(), "")
		}
	}
	return nil
}

func connectRunCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run the connectors of one file, on a broker in this process", ArgsUsage: " ",
		Description: "The file has connectors by name and, if need be, settings of the worker. Modules (wasm:FILE#COMPONENT) are looked for beside it:\n\n  worker:\n    value.converter: StringConverter\n  connectors:\n    lines-in:\n      connector.class: FileStreamSource\n      file: in.txt\n      topic: lines\n    lines-out:\n      connector.class: FileStreamSink\n      file: out.txt\n      topics: lines\n\nWithout --bootstrap-server the broker is in memory and gone when the process ends.",
		Flags: append(
			workerFlags(),
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Required: true, Usage: "`FILE` with the pipeline"},
			&cli.StringFlag{Name: "bootstrap-server", Aliases: []string{"b"}, Usage: "`HOST:PORT,...` of a cluster instead of a broker in memory"},
			&cli.StringFlag{Name: "offsets", Usage: "`FILE` that keeps the sources' offsets; in memory by default"},
			&cli.DurationFlag{Name: "idle", Usage: "end when no record has moved for this `DURATION`; run until Ctrl-C by default"},
			&cli.StringFlag{Name: "listen", Usage: "`URL` for the REST API, such as http://127.0.0.1:8083; none by default"},
		),
		Action: connectRun,
	}
}

func connectRun(c *cli.Context) error {
	start := time.Now()
	tuneWorkerGC()
	p, err := readPipeline(c.String("file"))
	if err != nil {
		return err
	}
	props := config.PropsOf(map[string]string{
		"key.converter": "StringConverter", "value.converter": "StringConverter", "offset.flush.interval.ms": "1000", "offset.storage.file.filename": "",
	})
	for k, v := range p.worker {
		props[k] = v
	}
	props.Set("offset.storage.file.filename", c.String("offsets"))
	if _, given := props.Get("plugin.path"); !given {
		props.Set("plugin.path", filepath.Dir(c.String("file")))
	}
	if server := c.String("bootstrap-server"); server != "" {
		props.Set("bootstrap.servers", server)
	} else if _, given := props.Get("bootstrap.servers"); !given {
		broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{Retention: 24 * time.Hour})
		if err != nil {
			return err
		}
		defer broker.Close()
		props.Set("bootstrap.servers", broker.Addr)
	}
	if l := c.String("listen"); l != "" {
		props.Set("listeners", l)
	}
	cfg, err := workerConfig(c, props, c.String("file"), false)
	if err != nil {
		return err
	}
	if !c.IsSet("log-level") {
		if err := c.Set("log-level", "warn"); err != nil {
			return err
		}
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	plugins, modules, err := workerPlugins(cfg.Props, c.String("file"), log)
	if err != nil {
		return err
	}
	defer closeModules(modules, log)
	h, err := connect.NewStandalone(cfg, plugins, log)
	if err != nil {
		return startError(c.String("file"), err)
	}
	begin := func() error { return createAll(c.Context, h, p.connectors) }
	live := func(ctx context.Context) error { return untilIdle(ctx, c, h) }
	if c.String("listen") != "" {
		return serveWorker(c, h, modules, log, start, begin, live)
	}
	if err = begin(); err == nil {
		fmt.Fprintf(c.App.ErrWriter, "%s running; Ctrl-C commits and ends\n", plural(len(p.connectors), "connector"))
		err = live(c.Context)
	}
	return errors.Join(err, h.Close())
}

// untilIdle returns when the pipeline has nothing more to do, or ctx is done, and tells what was moved. A task that stays
// failed is the error.
func untilIdle(ctx context.Context, c *cli.Context, h *connect.Herder) error {
	idle := c.Duration("idle")
	last, since := int64(-1), time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := h.FirstFailure(); err != "" && idle > 0 {
			return errs.ConnectRefused.New(c.String("file"), err, "correct the settings; the log tells more")
		}
		if moved := h.Moved(); moved != last {
			last, since = moved, time.Now()
		} else if idle > 0 && time.Since(since) >= idle {
			break
		}
	}
	fmt.Fprintf(c.App.ErrWriter, "%d records read and %d written by sources and sinks\n", h.Total().Read, h.Total().Written)
	return nil
}
