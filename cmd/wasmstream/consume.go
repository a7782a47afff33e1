package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

func consumeCommand() *cli.Command {
	return &cli.Command{
		Name: "consume", Usage: "print records", ArgsUsage: "TOPIC",
		Description: "Prints values, and keys before them when --key is given. Formats have %k key, %v value, %t timestamp,\n%d date, %p partition, %o offset, %h headers, %T topic, %% and \\n, \\t, \\xHH.",
		Flags: append(
			clusterFlags(),
			&cli.BoolFlag{Name: "from-beginning", Usage: "start at the earliest record; at the end otherwise"},
			serdeFlag("key", "TYPE of keys", "key-type", "k"),
			serdeFlag("value", "TYPE of values", "value-type"),
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Usage: "`FORMAT` of a record, such as '%k %v\\n'"},
			&cli.Int64Flag{Name: "max-messages", Aliases: []string{"n"}, Value: -1, Usage: "end after `NUMBER` records"},
			&cli.DurationFlag{Name: "timeout", Usage: "end when no record came for `TIME`, such as 10s"},
			&cli.StringFlag{Name: "isolation", Value: "read_committed", Usage: "`LEVEL`: read_committed, read_uncommitted"},
			&cli.IntFlag{Name: "partition", Value: -1, Usage: "`NUMBER` of the only partition to read"},
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Usage: "read as a member of `GROUP` and commit its offsets"},
			outputFlag("text", "json"),
		),
		Action: consume,
	}
}

func consume(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	if err := errors.Join(atLeast(c, "max-messages", 0), atLeast(c, "timeout", 1)); err != nil {
		return err
	}
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	client, err := consumerFor(c)
	if err != nil {
		return err
	}
	defer client.Close()
	left := c.Int64("max-messages")
	err = printRecords(c, client, p, left)
	if errors.Is(err, context.Canceled) {
		err = nil // Ctrl-C is the usual end
	}
	if c.String("group") != "" {
		commit, cancel := context.WithTimeout(context.WithoutCancel(c.Context), 10*time.Second)
		defer cancel()
		err = errors.Join(err, kafka.Explain(client.CommitMarkedOffsets(commit), c.String("group"), "committing offsets"))
	}
	return err
}

func newPrinter(c *cli.Context) (*printer, error) {
	p := &printer{}
	var err error
	if p.key, err = serdeOf(c, "key"); err != nil {
		return nil, err
	}
	if p.value, err = serdeOf(c, "value"); err != nil {
		return nil, err
	}
	switch {
	case c.IsSet("format") && c.String("output") == "json":
		return nil, errs.CLIUsage.New("--format", "--format and -o json exclude each other", "give one of them")
	case c.String("output") == "json":
		return p, nil
	case c.IsSet("format"):
		p.parts, err = parseFormat(c.String("format"))
	case c.IsSet("key"):
		p.parts, err = parseFormat(`%k\t%v\n`)
	default:
		p.parts, err = parseFormat(`%v\n`)
	}
	return p, err
}

// printRecords prints until ctx ends, the number is reached, or nothing comes within the timeout.
func printRecords(c *cli.Context, client *kgo.Client, p *printer, left int64) error {
	out := bufio.NewWriter(c.App.Writer)
	defer out.Flush()
	for left != 0 {
		ctx, cancel := pollContext(c)
		fetches := client.PollFetches(ctx)
		timedOut := ctx.Err() != nil && c.Context.Err() == nil && fetches.NumRecords() == 0
		cancel()
		switch {
		case c.Context.Err() != nil:
			return c.Context.Err()
		case timedOut && left > 0:
			return errs.RuntimeTimeout.New(c.Args().First(), fmt.Sprintf("%d of %d records came; none for %s", c.Int64("max-messages")-left, c.Int64("max-messages"), c.Duration("timeout")), "")
		case timedOut:
			return nil
		}
		n, err := printFetches(out, client, p, fetches, left)
		if err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		left = max(left-n, min(left, 0))
	}
	return nil
}

func pollContext(c *cli.Context) (context.Context, context.CancelFunc) {
	if t := c.Duration("timeout"); t > 0 {
		return context.WithTimeout(c.Context, t)
	}
	return context.WithCancel(c.Context)
}

// printFetches prints at most left records (all when left is negative) and tells how many.
func printFetches(out *bufio.Writer, client *kgo.Client, p *printer, fetches kgo.Fetches, left int64) (int64, error) {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return 0, kafka.Explain(e.Err, e.Topic, "reading")
		}
	}
	var n int64
	for it := fetches.RecordIter(); !it.Done() && n != left; n++ {
		r := it.Next()
		line, err := p.line(r)
		if err != nil {
			return n, err
		}
		if _, err := out.Write(line); err != nil {
			return n, err
		}
		client.MarkCommitRecords(r)
	}
	return n, nil
}

// consumerFor connects a consumer whose first position is settled before it returns, so that nothing that is written
// afterwards is missed.
func consumerFor(c *cli.Context) (*kgo.Client, error) {
	props, err := clusterProperties(c)
	if err != nil {
		return nil, err
	}
	props["isolation.level"] = c.String("isolation")
	topic := c.Args().First()
	start, err := startOffsets(c, props, topic)
	if err != nil {
		return nil, err
	}
	if group := c.String("group"); group != "" {
		return groupConsumer(c, props, topic, group)
	}
	client, err := kafka.Connect(c.Context, kafka.Consumer, props, where(c), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	if err == nil && !c.Bool("from-beginning") {
		fmt.Fprintf(c.App.ErrWriter, "ready: records that are written to %s from now on; Ctrl-C ends\n", topic)
	}
	return client, err
}

func groupConsumer(c *cli.Context, props kafka.Properties, topic, group string) (*kgo.Client, error) {
	props["auto.offset.reset"] = "latest"
	if c.Bool("from-beginning") {
		props["auto.offset.reset"] = "earliest"
	}
	opts, err := kafka.GroupOptions(props, where(c))
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.AutoCommitMarks())
	return kafka.Connect(c.Context, kafka.Consumer, props, where(c), opts...)
}

// startOffsets are the positions to begin at, by partition. They also tell that the topic and the partition are there.
func startOffsets(c *cli.Context, props kafka.Properties, topic string) (map[int32]kgo.Offset, error) {
	start := map[int32]kgo.Offset{}
	adminProps := maps.Clone(props)
	delete(adminProps, "isolation.level")
	if !slices.Contains([]string{"read_committed", "read_uncommitted"}, props["isolation.level"]) {
		return nil, errs.CLIUsage.New("--isolation", fmt.Sprintf("there is no level %q", props["isolation.level"]), "one of read_committed, read_uncommitted")
	}
	adm, err := kafka.ConnectAdmin(c.Context, adminProps, where(c))
	if err != nil {
		return nil, err
	}
	defer adm.Close()
	if _, err := kafka.DescribeTopics(c.Context, adm, topic); err != nil {
		return nil, err
	}
	list := adm.ListEndOffsets
	if c.Bool("from-beginning") {
		list = adm.ListStartOffsets
	}
	offsets, err := list(c.Context, topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, kafka.Explain(err, topic, "listing offsets")
	}
	partitions := 0
	offsets.Each(func(o kadm.ListedOffset) {
		partitions = max(partitions, int(o.Partition)+1)
		if p := c.Int("partition"); p < 0 || int32(p) == o.Partition {
			start[o.Partition] = kgo.NewOffset().At(o.Offset)
		}
	})
	if len(start) == 0 {
		return nil, errs.CLIUsage.New("--partition", topic+" has no partition "+strconv.Itoa(c.Int("partition")), fmt.Sprintf("give a number from 0 to %d", partitions-1))
	}
	return start, nil
}
