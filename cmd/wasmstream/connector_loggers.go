package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func connectorLoggersCommand() *cli.Command {
	return &cli.Command{
		Name: "loggers", Usage: "show and set the levels of a worker's loggers",
		Subcommands: []*cli.Command{
			{Name: "get", Usage: "show levels", ArgsUsage: "[LOGGER...]", Flags: restFlags(outputFlag("table", "json")), Action: loggersGet},
			{
				Name: "set", Usage: "set the level of a logger and of those below it", ArgsUsage: "LOGGER LEVEL",
				Description: "LEVEL is ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL or OFF. LOGGER is root, or org.apache.kafka.connect, which all of a worker logs under. The worker forgets it when it ends.",
				Flags:       restFlags(&cli.StringFlag{Name: "scope", Value: "worker", Usage: "`worker` or cluster: whose loggers"}), Action: loggersSet,
			},
		},
	}
}

func loggersGet(c *cli.Context) error {
	all := map[string]connect.LoggerInfo{}
	if c.NArg() == 0 {
		if err := ask(c, http.MethodGet, "/admin/loggers", nil, &all); err != nil {
			return err
		}
	}
	for _, name := range c.Args().Slice() {
		var one connect.LoggerInfo
		if err := ask(c, http.MethodGet, loggerPath(name), nil, &one); err != nil {
			return err
		}
		all[name] = one
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, all)
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		changed := ""
		if at := all[name].LastModified; at != nil {
			changed = time.UnixMilli(*at).UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{name, all[name].Level, changed})
	}
	return printTable(c.App.Writer, []string{"LOGGER", "LEVEL", "CHANGED"}, rows)
}

func loggerPath(name string) string { return "/admin/loggers/" + url.PathEscape(name) }

func loggersSet(c *cli.Context) error {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	name, level, scope := c.Args().First(), c.Args().Get(1), c.String("scope")
	if scope != "worker" && scope != "cluster" {
		return errs.CLIUsage.New("--scope", "want worker or cluster (got "+scope+")", "")
	}
	body, err := json.Marshal(map[string]string{"level": level})
	if err != nil {
		return err
	}
	var changed []string
	if err := ask(c, http.MethodPut, loggerPath(name)+"?scope="+scope, body, &changed); err != nil {
		return err
	}
	if scope == "cluster" {
		fmt.Fprintf(c.App.Writer, "all workers are told to set %s to %s\n", name, level)
	}
	for _, name := range changed {
		fmt.Fprintf(c.App.Writer, "set %s to %s\n", name, level)
	}
	return nil
}
