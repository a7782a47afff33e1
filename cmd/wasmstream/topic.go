package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

func topicCommand() *cli.Command {
	return &cli.Command{
		Name: "topic", Usage: "create, describe, list and delete topics",
		Subcommands: []*cli.Command{topicCreateCommand(), topicDescribeCommand(), topicListCommand(), topicDeleteCommand()},
	}
}

func topicCreateCommand() *cli.Command {
	return &cli.Command{
		Name: "create", Usage: "create topics", ArgsUsage: "TOPIC...",
		Flags: append(
			clusterFlags(),
			&cli.IntFlag{Name: "partitions", Aliases: []string{"p"}, Value: -1, Usage: "`NUMBER` of partitions; -1 is the broker's default"},
			&cli.IntFlag{Name: "replication-factor", Aliases: []string{"r"}, Value: -1, Usage: "`NUMBER` of replicas; -1 is the broker's default"},
			&cli.StringSliceFlag{Name: "config", Usage: "a setting `KEY=VALUE` of the topic, such as cleanup.policy=compact; may be given several times"},
			&cli.BoolFlag{Name: "if-not-exists", Usage: "leave a topic that exists as it is"},
			&cli.BoolFlag{Name: "dry-run", Usage: "check with the broker, create nothing"},
		),
		Action: topicCreate,
	}
}

func topicCreate(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	spec, err := topicSpec(c)
	if err != nil {
		return err
	}
	return withAdmin(c, func(adm *kadm.Client) error {
		var faults []error
		for _, spec.Name = range c.Args().Slice() {
			faults = append(faults, createOne(c, adm, spec))
		}
		return errors.Join(faults...)
	})
}

func topicSpec(c *cli.Context) (kafka.TopicSpec, error) {
	spec := kafka.TopicSpec{Configs: map[string]string{}, DryRun: c.Bool("dry-run")}
	partitions, replication := c.Int("partitions"), c.Int("replication-factor")
	if partitions == 0 || partitions < -1 || partitions > 1<<20 {
		return spec, errs.CLIUsage.New("--partitions", fmt.Sprintf("want 1 or more (got %d)", partitions), "give a number from 1 to 1048576, or leave the flag out for the broker's default")
	}
	if replication == 0 || replication < -1 || replication > 1<<10 {
		return spec, errs.CLIUsage.New("--replication-factor", fmt.Sprintf("want 1 or more (got %d)", replication), "give a number from 1 to the number of brokers, or leave the flag out for the broker's default")
	}
	spec.Partitions, spec.Replication = int32(partitions), int16(replication)
	for _, pair := range c.StringSlice("config") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return spec, errs.CLIUsage.New("--config", fmt.Sprintf("want KEY=VALUE (got %q)", pair), "as in --config cleanup.policy=compact")
		}
		spec.Configs[k] = v
	}
	return spec, nil
}

func createOne(c *cli.Context, adm *kadm.Client, spec kafka.TopicSpec) error {
	made, err := kafka.CreateTopic(c.Context, adm, spec)
	if errs.TopicExists.Is(err) && c.Bool("if-not-exists") {
		fmt.Fprintf(c.App.Writer, "exists %s\n", spec.Name)
		return nil
	}
	if err != nil {
		return err
	}
	verb := "created"
	if spec.DryRun {
		verb = "would create"
	}
	fmt.Fprintf(c.App.Writer, "%s %s: %s, replication factor %d%s\n", verb, spec.Name, plural(int(made.Partitions), "partition"), made.Replication, configList(spec.Configs))
	return nil
}

// configList is ", key=value" for each setting, sorted.
func configList(configs map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(configs)) {
		b.WriteString(", " + k + "=" + configs[k])
	}
	return b.String()
}

func topicListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Aliases: []string{"ls"}, Usage: "list the names of topics", ArgsUsage: " ",
		Flags: append(clusterFlags(), &cli.BoolFlag{Name: "internal", Usage: "also the broker's own topics"}, outputFlag("table", "json")),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return withAdmin(c, func(adm *kadm.Client) error { return topicList(c, adm) })
		},
	}
}

func topicList(c *cli.Context, adm *kadm.Client) error {
	names, err := kafka.ListTopics(c.Context, adm, c.Bool("internal"))
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, append([]string{}, names...))
	}
	for _, name := range names {
		fmt.Fprintln(c.App.Writer, name)
	}
	return nil
}

func topicDescribeCommand() *cli.Command {
	return &cli.Command{
		Name: "describe", Usage: "describe topics; all when none is named", ArgsUsage: "[TOPIC...]",
		Flags: append(clusterFlags(), outputFlag("table", "json")),
		Action: func(c *cli.Context) error {
			return withAdmin(c, func(adm *kadm.Client) error { return topicDescribe(c, adm) })
		},
	}
}

func topicDescribe(c *cli.Context, adm *kadm.Client) error {
	topics, err := kafka.DescribeTopics(c.Context, adm, c.Args().Slice()...)
	if err != nil {
		return lookedUp(err)
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, append([]kafka.Topic{}, topics...))
	}
	for i, t := range topics {
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		fmt.Fprintf(c.App.Writer, "%s: %s, replication factor %d%s\n", t.Name, plural(len(t.Partitions), "partition"), t.Replication, configList(t.Configs))
		if err := printTable(c.App.Writer, []string{"PARTITION", "LEADER", "REPLICAS", "ISR"}, partitionRows(t)); err != nil {
			return err
		}
	}
	return nil
}

// lookedUp has another remedy for topics that are missing: who wants to see or delete one does not want to create it.
func lookedUp(err error) error {
	var faults []error
	for _, f := range errs.Flatten(err) {
		if coded, ok := errors.AsType[*errs.Error](f); ok && errs.TopicMissing.Is(f) {
			located := *coded
			suggestion, _, _ := strings.Cut(coded.Fix, "create it: ")
			located.Fix = strings.TrimSuffix(suggestion, "Otherwise ") + "wasmstream topic list shows the names"
			f = &located
		}
		faults = append(faults, f)
	}
	return errors.Join(faults...)
}

func partitionRows(t kafka.Topic) [][]string {
	var rows [][]string
	for _, p := range t.Partitions {
		rows = append(rows, []string{strconv.Itoa(int(p.ID)), strconv.Itoa(int(p.Leader)), joinInts(p.Replicas), joinInts(p.ISR)})
	}
	return rows
}

func joinInts(ns []int32) string {
	var parts []string
	for _, n := range ns {
		parts = append(parts, strconv.Itoa(int(n)))
	}
	return strings.Join(parts, ",")
}

func topicDeleteCommand() *cli.Command {
	return &cli.Command{
		Name: "delete", Aliases: []string{"rm"}, Usage: "delete topics and their records", ArgsUsage: "TOPIC...",
		Flags: append(
			clusterFlags(),
			&cli.BoolFlag{Name: "if-exists", Usage: "say nothing of topics that do not exist"},
			&cli.BoolFlag{Name: "dry-run", Usage: "tell what would be deleted"},
		),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return withAdmin(c, func(adm *kadm.Client) error { return topicDelete(c, adm) })
		},
	}
}

func topicDelete(c *cli.Context, adm *kadm.Client) error {
	var faults []error
	for _, name := range c.Args().Slice() {
		_, err := kafka.DescribeTopics(c.Context, adm, name)
		verb := "deleted"
		if err == nil && c.Bool("dry-run") {
			verb = "would delete"
		} else if err == nil {
			err = kafka.DeleteTopics(c.Context, adm, name)
		}
		switch {
		case errs.TopicMissing.Is(err) && c.Bool("if-exists"):
		case err != nil:
			faults = append(faults, lookedUp(err))
		default:
			fmt.Fprintf(c.App.Writer, "%s %s\n", verb, name)
		}
	}
	return errors.Join(faults...)
}
