package main

import (
	"fmt"
	"net/http"

	"github.com/urfave/cli/v2"
)

func connectorTopicsCommand() *cli.Command {
	return &cli.Command{
		Name: "topics", Usage: "list the topics that connectors have used", ArgsUsage: "CONNECTOR...",
		Description: "The topics of one connector stand on a line each; with several each line says whose topic it is.",
		Flags:       restFlags(outputFlag("table", "json")), Action: connectorTopics,
	}
}

// connectorTopics prints the topics of one connector, a line each, or a table of connectors and topics.
func connectorTopics(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	all := map[string][]string{}
	var rows [][]string
	for _, name := range c.Args().Slice() {
		var used map[string]struct{ Topics []string }
		if err := ask(c, http.MethodGet, connectorPath(name)+"/topics", nil, &used); err != nil {
			return err
		}
		all[name] = used[name].Topics
		for _, topic := range used[name].Topics {
			rows = append(rows, []string{name, topic})
		}
	}
	switch {
	case c.String("output") == "json":
		return printJSON(c.App.Writer, all)
	case c.NArg() > 1:
		return printTable(c.App.Writer, []string{"CONNECTOR", "TOPIC"}, rows)
	}
	for _, row := range rows {
		fmt.Fprintln(c.App.Writer, row[1])
	}
	return nil
}
