package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func describeCommand() *cli.Command {
	return &cli.Command{
		Name: "describe", Aliases: []string{"graph"}, Usage: "print the topology of an application, as Kafka's Topology#describe does", ArgsUsage: " ",
		Flags: append(
			applicationFlags(),
			&cli.BoolFlag{Name: "effective-config", Usage: "print the settings that hold instead"},
			&cli.BoolFlag{Name: "show-origin", Usage: "with --effective-config: where each setting comes from"},
			outputFlag("text", "json"),
		),
		Action: describe,
	}
}

func describe(c *cli.Context) error {
	cfg, err := application(c)
	if err != nil {
		return err
	}
	if c.Bool("effective-config") || c.Bool("show-origin") {
		settings, err := cfg.Effective()
		if err != nil {
			return err
		}
		if c.String("output") == "json" {
			return printJSON(c.App.Writer, settings)
		}
		for _, s := range settings {
			origin := ""
			if c.Bool("show-origin") {
				origin = "\t# " + s.Origin
			}
			fmt.Fprintf(c.App.Writer, "%s: %s%s\n", s.Key, s.Value, origin)
		}
		return nil
	}
	if err := cfg.Topology.Validate(); err != nil {
		return err
	}
	text := cfg.Topology.Describe()
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, map[string]string{"description": text})
	}
	_, err = fmt.Fprint(c.App.Writer, text)
	return err
}
