package main

import (
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// applicationFlags name a document and what wins over it.
func applicationFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` of the application, YAML or JSON"},
		&cli.StringSliceFlag{Name: "set", Usage: "a setting `KEY=VALUE` that wins over the file; may be given several times"},
		&cli.StringFlag{Name: "bootstrap-server", Aliases: []string{"b"}, Usage: "`HOST:PORT,...` of the cluster; that of the file otherwise [$" + strings.Join(serverEnv, ", $") + "]"},
	}
}

// application loads the document that the flags name.
func application(c *cli.Context) (host.Config, error) {
	if err := wantArgs(c, 0, 0); err != nil {
		return host.Config{}, err
	}
	if c.String("file") == "" {
		return host.Config{}, errs.CLIUsage.New(c.Command.HelpName, "--file is missing", "write "+c.Command.HelpName+" -f app.yaml")
	}
	servers, origin := bootstrapServers(c)
	return host.Load(c.String("file"), host.LoadOptions{
		Set: c.StringSlice("set"), BootstrapServers: servers, BootstrapOrigin: origin, Environ: os.Environ(),
	})
}

// bootstrapServers are those of the flag, or of the variable that stands for it, and which of the two it was.
func bootstrapServers(c *cli.Context) (servers, origin string) {
	if c.IsSet("bootstrap-server") {
		return c.String("bootstrap-server"), "--bootstrap-server"
	}
	return os.Getenv(serverEnv[0]), "env " + serverEnv[0]
}
