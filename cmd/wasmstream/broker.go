package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

func brokerCommand() *cli.Command {
	return &cli.Command{
		Name: "broker", Usage: "a broker for development: in memory, not durable", ArgsUsage: " ",
		Description: "Serves Kafka's protocol on loopback: topics, groups, transactions. Everything is in memory and gone when the\nprocess ends. Use Apache Kafka for anything that has to last.\n\nRecords are dropped by their own timestamps, as in Kafka: those of times before --retention ago are gone soon after they are\nwritten, which --retention 0 prevents.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "port", Value: 9092, Usage: "`PORT` to listen on; 0 takes a free one"},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "loopback `ADDRESS` to listen on"},
			&cli.DurationFlag{Name: "retention", Value: 24 * time.Hour, Usage: "how long topics without retention.ms keep records, `DURATION` such as 1h; 0 is for ever"},
		},
		Action: broker,
	}
}

func broker(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if port := c.Int("port"); port < 0 || port > 65535 {
		return errs.CLIUsage.New("--port", fmt.Sprintf("want 0 to 65535 (got %d)", port), "")
	}
	if c.Duration("retention") < 0 {
		return errs.CLIUsage.New("--retention", fmt.Sprintf("the time must not be negative (got %s)", c.Duration("retention")), "give 0 to keep records for ever")
	}
	b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{Host: c.String("host"), Port: c.Int("port"), Retention: c.Duration("retention")})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintf(c.App.ErrWriter, "broker ready on %s\nin memory, not durable: topics and records are gone when this process ends (Ctrl-C)\n", b.Addr)
	<-c.Context.Done()
	return nil
}
