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
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` of the application: YAML, JSON, or a module that brings its topology along"},
		&cli.StringFlag{Name: "module", Usage: "`FILE` of a module that brings its topology along; the same as --file"},
		&cli.StringSliceFlag{Name: "set", Usage: "a setting `KEY=VALUE` that wins over the file; may be given several times"},
		&cli.StringFlag{Name: "bootstrap-server", Aliases: []string{"b"}, Usage: "`HOST:PORT,...` of the cluster; that of the file otherwise [$" + strings.Join(serverEnv, ", $") + "]"},
	}
}

// application loads the document that the flags name.
func application(c *cli.Context) (host.Config, error) {
	if err := wantArgs(c, 0, 0); err != nil {
		return host.Config{}, err
	}
	path, err := applicationFile(c)
	if err != nil {
		return host.Config{}, err
	}
	servers, origin := bootstrapServers(c)
	return host.LoadContext(c.Context, path, host.LoadOptions{
		Set: c.StringSlice("set"), BootstrapServers: servers, BootstrapOrigin: origin, Environ: os.Environ(),
		Compiler: compiler(),
	})
}

// applicationFile is the file that --file or --module names.
func applicationFile(c *cli.Context) (string, error) {
	file, module := c.String("file"), c.String("module")
	switch {
	case file == "" && module == "":
		return "", errs.CLIUsage.New(c.Command.HelpName, "--file is missing", "write "+c.Command.HelpName+" -f app.yaml, or --module app.wasm")
	case file != "" && module != "":
		return "", errs.CLIUsage.New(c.Command.HelpName, "an application is a file or a module, not both", "leave out --file or --module")
	}
	return file + module, nil
}

// bootstrapServers are those of the flag, or of the variable that stands for it, and which of the two it was.
func bootstrapServers(c *cli.Context) (servers, origin string) {
	if c.IsSet("bootstrap-server") {
		return c.String("bootstrap-server"), "--bootstrap-server"
	}
	return os.Getenv(serverEnv[0]), "env " + serverEnv[0]
}
