package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check an application with its settings and modules, without a cluster", ArgsUsage: " ",
		Description: "Every fault is told at once, with its place: file, line and column in a document, the node's name in a module's\ntopology. Status 2: there is one. What run refuses before it connects validate refuses.",
		Flags:       applicationFlags(),
		Action:      validate,
	}
}

func validate(c *cli.Context) error {
	cfg, err := application(c)
	if err != nil {
		return err
	}
	d, err := described(c, cfg)
	if err != nil {
		return err
	}
	nodes := 0
	for _, s := range append(d.Subtopologies, d.GlobalSubtopologies...) {
		nodes += len(s.Nodes)
	}
	_, err = fmt.Fprintf(c.App.Writer, "✓ %s: %s, %s, %s, %s\n", d.ApplicationID, subtopologies(len(d.Subtopologies)),
		plural(nodes, "node"), plural(len(d.Stores), "store"), plural(len(d.InternalTopics), "internal topic"))
	return err
}

func subtopologies(n int) string {
	if n == 1 {
		return "1 sub-topology"
	}
	return fmt.Sprintf("%d sub-topologies", n)
}
