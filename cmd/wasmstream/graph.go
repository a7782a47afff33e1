package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/diagram"
)

// topologyForms are what a topology is printed as.
var topologyForms = []string{"text", "mermaid", "dot", "svg", "json"}

func graphCommand() *cli.Command {
	return &cli.Command{
		Name: "graph", Usage: "draw the topology of an application", ArgsUsage: " ",
		Description: "text is Kafka's Topology#describe, json the same for programs. mermaid is for fenced blocks in READMEs, dot for\nGraphviz, svg a picture that needs no other program: wasmstream graph -f app.yaml -o svg > app.svg",
		Flags:       append(applicationFlags(), outputFlag(topologyForms...)),
		Action:      graph,
	}
}

func graph(c *cli.Context) error {
	cfg, err := application(c)
	if err != nil {
		return err
	}
	return printTopology(c, cfg)
}

// printTopology prints the topology in the form that was asked for.
func printTopology(c *cli.Context, cfg host.Config) error {
	description, err := described(c, cfg)
	if err != nil {
		return err
	}
	var text string
	switch c.String("output") {
	case "json":
		return printJSON(c.App.Writer, description)
	case "mermaid":
		text = diagram.Of(description).Mermaid()
	case "dot":
		text = diagram.Of(description).DOT()
	case "svg":
		text = diagram.Of(description).SVG()
	default:
		text = description.Text
	}
	_, err = fmt.Fprint(c.App.Writer, text)
	return err
}
