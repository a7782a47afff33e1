package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

func resetCommand() *cli.Command {
	return &cli.Command{
		Name: "reset", Usage: "take an application back to where it began", ArgsUsage: "APPLICATION-ID",
		Description: "Moves the offsets of the input topics, deletes the internal topics (changelogs and repartition topics) and the\nlocal state on this machine. Your own topics keep their records. It acts at once, as Kafka's tool does, and refuses\nwhile the application runs.",
		Flags: append(
			clusterFlags(),
			&cli.StringSliceFlag{Name: "input-topics", Usage: "`TOPIC,...` whose offsets move; all that the application has offsets of otherwise"},
			&cli.StringSliceFlag{Name: "internal-topics", Usage: "`TOPIC,...` to delete; all internal topics of the application otherwise"},
			&cli.BoolFlag{Name: "to-earliest", Usage: "offsets to the first record (the default)"},
			&cli.BoolFlag{Name: "to-latest", Usage: "offsets behind the last record"},
			&cli.Int64Flag{Name: "to-offset", Usage: "offsets to `OFFSET`"},
			&cli.StringFlag{Name: "to-datetime", Usage: "offsets to the first record at or after `TIME`, such as 2026-01-31T09:00:00.000 (UTC) or with a zone"},
			&cli.StringFlag{Name: "by-duration", Usage: "offsets to the first record of the last `DURATION`, such as PT1H or 1h"},
			&cli.Int64Flag{Name: "shift-by", Usage: "offsets by `N` records, backwards when negative"},
			&cli.StringFlag{Name: "state-dir", Value: "/tmp/kafka-streams", EnvVars: []string{"WASMSTREAM_STATE_DIR"}, Usage: "`DIR` of local state, the application's state.dir"},
			&cli.BoolFlag{Name: "force", Usage: "remove members that died and are not missed yet"},
			&cli.BoolFlag{Name: "dry-run", Usage: "show what would happen"},
			outputFlag("text", "json"),
		),
		Action: reset,
	}
}

func reset(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	cfg, err := resetConfig(c)
	if err != nil {
		return err
	}
	props, err := clusterProperties(c)
	if err != nil {
		return err
	}
	client, err := kafka.Connect(c.Context, kafka.Admin, props, where(c))
	if err != nil {
		return err
	}
	defer client.Close()
	plan, err := host.Reset(c.Context, client, cfg)
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, plan)
	}
	printReset(c, plan, cfg.DryRun)
	return nil
}

func resetConfig(c *cli.Context) (host.ResetConfig, error) {
	cfg := host.ResetConfig{
		ApplicationID: c.Args().First(), InputTopics: listOf(c, "input-topics"), InternalTopics: listOf(c, "internal-topics"),
		StateDir: c.String("state-dir"), Force: c.Bool("force"), DryRun: c.Bool("dry-run"),
	}
	var given []string
	for _, flag := range []string{"to-earliest", "to-latest", "to-offset", "to-datetime", "by-duration", "shift-by"} {
		if c.IsSet(flag) {
			given = append(given, "--"+flag)
		}
	}
	if len(given) > 1 {
		return cfg, errs.CLIUsage.New(c.Command.HelpName, strings.Join(given, " and ")+" exclude each other", "give one of them")
	}
	if len(given) == 0 {
		return cfg, nil
	}
	return cfg, setPosition(c, &cfg, given[0])
}

// listOf takes a list given with commas, by several flags, or both.
func listOf(c *cli.Context, flag string) []string {
	return kafka.SplitList(strings.Join(c.StringSlice(flag), ","))
}

func setPosition(c *cli.Context, cfg *host.ResetConfig, flag string) error {
	switch flag {
	case "--to-latest":
		cfg.Position = host.ToLatest
	case "--to-offset":
		cfg.Position, cfg.Offset = host.ToOffset, c.Int64("to-offset")
		if cfg.Offset < 0 {
			return errs.CLIUsage.New(flag, fmt.Sprintf("want 0 or more (got %d)", cfg.Offset), "offsets begin at 0; --shift-by -N goes backwards")
		}
	case "--shift-by":
		cfg.Position, cfg.Offset = host.ShiftBy, c.Int64("shift-by")
	case "--to-datetime":
		t, err := parseDatetime(c.String("to-datetime"))
		cfg.Position, cfg.Time = host.ToTime, t
		return err
	case "--by-duration":
		ago, err := kafka.ParseISODuration(c.String("by-duration"))
		if err != nil || ago < 0 {
			return errs.CLIUsage.New(flag, fmt.Sprintf("want a duration such as PT1H30M or 1h30m (got %q)", c.String("by-duration")), "")
		}
		cfg.Position, cfg.Time = host.ToTime, time.Now().Add(-ago)
	}
	return nil
}

// parseDatetime reads what Kafka's tools read: a date and time, without a zone in UTC.
func parseDatetime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02", time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errs.CLIUsage.New("--to-datetime", fmt.Sprintf("want a time (got %q)", text), "write 2026-01-31T09:00:00.000 or 2026-01-31T09:00:00.000+02:00")
}

func printReset(c *cli.Context, plan *host.ResetPlan, dryRun bool) {
	w := c.App.Writer
	moved, deleted, removed := "moved", "deleted", "removed"
	if dryRun {
		moved, deleted, removed = "would move", "would delete", "would remove"
	}
	for _, m := range plan.Members {
		fmt.Fprintf(w, "%s member %s\n", removed, m)
	}
	for _, o := range plan.Offsets {
		from := "nothing"
		if o.From >= 0 {
			from = strconv.FormatInt(o.From, 10)
		}
		fmt.Fprintf(w, "%s %s-%d: %s -> %d\n", moved, o.Topic, o.Partition, from, o.To)
	}
	for _, t := range plan.InternalTopics {
		fmt.Fprintf(w, "%s topic %s\n", deleted, t)
	}
	for _, t := range plan.Kept {
		fmt.Fprintf(c.App.ErrWriter, "kept topic %s: it belongs to a group with a longer name\n", t)
	}
	if plan.StateDir != "" {
		fmt.Fprintf(w, "%s local state of %s in %s\n", deleted, plan.ApplicationID, plan.StateDir)
	}
}
