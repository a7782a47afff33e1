package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func reloadCommand() *cli.Command {
	return &cli.Command{
		Name: "reload", Usage: "replace a module of a running application or Connect worker", ArgsUsage: " ",
		Description: "With --server, a Connect worker reads the files of its modules again, or the one of --name: those that have\nchanged take over between two batches, and what is refused leaves the old one running.\n\nWith --admin, sends the module to a process that was started with run --admin ADDR, waits until every task runs it, and prints\nthe old and the new digest. A module that is refused leaves the old one running.",
		Flags: restFlags(
			&cli.StringFlag{Name: "admin", Usage: "`ADDRESS` that run --admin printed", EnvVars: []string{"WASMSTREAM_ADMIN"}},
			&cli.StringFlag{Name: "module", Aliases: []string{"m"}, Usage: "`FILE` of the new module"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the module in the application or worker, where it has several"},
			&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "how long to wait, a `DURATION` such as 30s"},
			outputFlag("text", "json"),
		),
		Action: reload,
	}
}

func reload(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if c.IsSet("server") && !c.IsSet("admin") {
		return reloadWorker(c)
	}
	for _, flag := range []string{"admin", "module"} {
		if c.String(flag) == "" {
			return errs.CLIUsage.New(c.Command.HelpName, "--"+flag+" is missing", "write wasmstream reload --admin ADDRESS --module FILE, or wasmstream reload --server URL")
		}
	}
	file := c.String("module")
	data, err := wasm.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := wasm.Inspect(file, data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	done, err := host.SendReload(ctx, c.String("admin"), c.String("name"), data)
	if err != nil {
		return host.InFile(file, err)
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, done)
	}
	_, err = fmt.Fprintln(c.App.Writer, reloadLine(done))
	return err
}
