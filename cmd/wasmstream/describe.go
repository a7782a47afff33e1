package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
)

func describeCommand() *cli.Command {
	return &cli.Command{
		Name: "describe", Usage: "print the topology of an application, as Kafka's Topology#describe does", ArgsUsage: " ",
		Description: "The forms are those of graph; settings are text or json.",
		Flags: append(
			applicationFlags(),
			&cli.BoolFlag{Name: "effective-config", Usage: "print the settings that hold instead"},
			&cli.BoolFlag{Name: "show-origin", Usage: "with --effective-config: where each setting comes from"},
			outputFlag(topologyForms...),
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
		return printSettings(c, cfg)
	}
	return printTopology(c, cfg)
}

func printSettings(c *cli.Context, cfg host.Config) error {
	form := c.String("output")
	if form != "json" && form != "text" {
		return errs.CLIUsage.New("--output", fmt.Sprintf("settings have no form %q", form), "one of json, text")
	}
	settings, err := cfg.Effective()
	if err != nil {
		return err
	}
	if form == "json" {
		return printJSON(c.App.Writer, settings)
	}
	defer tellCounts(c, settings)
	for _, s := range settings {
		origin := ""
		if c.Bool("show-origin") {
			origin = "\t# " + s.Origin
		}
		fmt.Fprintf(c.App.Writer, "%s: %s%s\n", s.Key, s.Value, origin)
	}
	return nil
}

// described is the topology of an application whose settings and modules were found sound, without a cluster.
func described(c *cli.Context, cfg host.Config) (topology.Description, error) {
	cfg = cfg.WithoutCluster()
	if err := cfg.Check(c.Context); err != nil {
		return topology.Description{}, err
	}
	return cfg.Topology.Description(cfg.ApplicationID()), nil
}

// tellCounts says what the list holds: every setting, and of the clients' properties those that were given.
func tellCounts(c *cli.Context, settings []host.Setting) {
	streams, own := len(streamsconfig.Keys()), len(streamsconfig.OwnKeys())
	fmt.Fprintf(c.App.ErrWriter, "%d settings of Kafka Streams, %d of wasmstream, %d of clients and topics that were given\n", streams, own, len(settings)-streams-own)
}
