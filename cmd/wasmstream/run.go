package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run an application until Ctrl-C", ArgsUsage: " ",
		Description: "Ctrl-C or SIGTERM commits, closes and ends with status 0; a second one ends at once. SIGHUP reads the modules\nagain and replaces those that changed while the stream flows.",
		Flags: append(
			applicationFlags(),
			&cli.StringFlag{Name: "admin", Usage: "loopback `ADDRESS` for /metrics, /livez, /readyz, /debug/pprof and reloads, such as 127.0.0.1:9090"},
			&cli.BoolFlag{Name: "watch", Usage: "replace a module when its file changes"},
			&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "`LEVEL`: debug, info, warn, error"},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT`: text, json"},
		),
		Action: runApplication,
	}
}

// runApplication takes an interrupt for the end that was wanted, at any moment: also while modules are compiled.
func runApplication(c *cli.Context) error {
	err := runUntilEnd(c)
	if errors.Is(err, context.Canceled) && c.Context.Err() != nil {
		return nil // interrupted before it ran: there was nothing to commit
	}
	return err
}

func runUntilEnd(c *cli.Context) error {
	tuneGC()
	cfg, err := application(c)
	if err != nil {
		return err
	}
	if cfg.Logger, err = logger(c); err != nil {
		return err
	}
	cfg.Admin, cfg.Watch = c.String("admin"), c.Bool("watch")
	talk := c.App.ErrWriter
	cfg.AdminListener = func(addr string) { fmt.Fprintf(talk, "admin server on http://%s\n", addr) }
	cfg.ReloadListener = func(r host.Reloaded, err error) { tellReload(c, r, err) }
	start := time.Now()
	running := false
	name := c.String("file") + c.String("module")
	cfg.StateListener = func(now, _ string) {
		if now == "RUNNING" && !running {
			running = true
			dropStartPages()
			fmt.Fprintf(talk, "%s RUNNING after %.1f s; Ctrl-C commits and ends\n", name, time.Since(start).Seconds())
		}
	}
	h, err := host.New(cfg)
	if err != nil {
		return cfg.Check(c.Context) // which tells of the modules too
	}
	name = h.ApplicationID()
	defer onHangup(c, cfg, h)()
	if errs.IsTerminal(os.Stderr) {
		defer showRestoring(talk, h.Restoring)()
	}
	err = h.Run(c.Context)
	if err == nil && running {
		fmt.Fprintf(talk, "%s committed and closed\n", name)
	}
	return err
}

// tellReload says what became of a replacement that no request waits for.
func tellReload(c *cli.Context, r host.Reloaded, err error) {
	switch {
	case err != nil:
		errs.Render(c.App.ErrWriter, err, errs.Colour(os.Stderr, os.Getenv))
	default:
		fmt.Fprintln(c.App.ErrWriter, reloadLine(r))
	}
}

func reloadLine(r host.Reloaded) string {
	if r.Unchanged() {
		return fmt.Sprintf("module %s is unchanged: %s", r.Module, r.Old)
	}
	return fmt.Sprintf("module %s: %s -> %s (%.0f ms)", r.Module, r.Old, r.New, r.Seconds*1000)
}

// onHangup has SIGHUP read the modules again, until the returned function is called.
func onHangup(c *cli.Context, cfg host.Config, h *host.Host) func() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-signals:
				if len(cfg.Modules) == 0 {
					fmt.Fprintln(c.App.ErrWriter, "the application has no modules to read again")
				}
				_ = h.ReloadFiles(c.Context) // told by the listener
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

func logger(c *cli.Context) (*slog.Logger, error) {
	var level slog.Level
	levels := []string{"debug", "info", "warn", "error"}
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, errs.CLIUsage.New("--log-level", fmt.Sprintf("there is no level %q", c.String("log-level")), errs.DidYouMean(c.String("log-level"), levels))
	}
	options := &slog.HandlerOptions{Level: level}
	switch strings.ToLower(c.String("log-format")) {
	case "text":
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.App.ErrWriter, options)), nil
	}
	return nil, errs.CLIUsage.New("--log-format", fmt.Sprintf("there is no format %q", c.String("log-format")), "one of text, json")
}
