package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/bench"
)

// latencyGuests are those that keep the time in a record.
var latencyGuests = slices.DeleteFunc(slices.Clone(benchGuests), func(g string) bool { return g == "native" })

func benchLatencyCommand() *cli.Command {
	return &cli.Command{
		Name: "latency", Usage: "milliseconds from broker to broker, of records that come at a rate", ArgsUsage: " ",
		Description: "Broker and application are processes of their own. From the moment when a record was due in the input until a reader\nof committed records has it; the first fifth of --seconds is not counted.",
		Flags: append(measuredFlags(
			&cli.StringSliceFlag{Name: "job", Value: cli.NewStringSlice("mapvalues"), Usage: "`JOB`: " + strings.Join(bench.LatencyJobs(), ", ") + "; may be repeated"},
			&cli.StringSliceFlag{Name: "guest", Value: cli.NewStringSlice("c"), Usage: "`GUEST`: " + strings.Join(latencyGuests, ", ") + "; may be repeated"},
			guaranteeFlag(),
			&cli.IntFlag{Name: "rate", Value: 20_000, Usage: "`NUMBER` of records a second"},
			&cli.IntFlag{Name: "seconds", Value: 15, Usage: "`NUMBER` of seconds that records come"},
			&cli.IntFlag{Name: "partitions", Value: 4, Usage: "`NUMBER` of partitions of every topic"}),
			outputFlag("table", "json"),
		),
		Action: benchLatency,
	}
}

func benchLatency(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if err := checkBenchLatency(c); err != nil {
		return err
	}
	header := fmt.Sprintf("%-18s %-14s %9s %8s %8s %8s %8s", "job", "guest", "records/s", "p50 ms", "p90 ms", "p99 ms", "max ms")
	return inTurn(c, header, func(s *bench.Session, report func(any, string) error) error {
		for _, job := range c.StringSlice("job") {
			for _, guest := range c.StringSlice("guest") {
				r, err := measureLatency(c, s, job, guest)
				if err != nil {
					return err
				}
				if err := report(r, fmt.Sprintf("%-18s %-14s %9d %8.1f %8.1f %8.1f %8.1f", r.Job, r.Guest, r.Rate, r.P50, r.P90, r.P99, r.Max)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func measureLatency(c *cli.Context, s *bench.Session, job, guest string) (bench.LatencyResult, error) {
	o, err := benchOptions(c, job, guest, c.Int("rate")*c.Int("seconds"))
	if err != nil {
		return bench.LatencyResult{}, err
	}
	return s.MeasureLatency(c.Context, o, c.Int("rate"))
}

func checkBenchLatency(c *cli.Context) error {
	return errors.Join(
		fromOne(c, "rate", "seconds", "partitions", "threads", "runs"),
		among("job", bench.LatencyJobs(), c.StringSlice("job")...),
		among("guest", latencyGuests, c.StringSlice("guest")...),
		among("guarantee", benchGuarantees, c.String("guarantee")),
	)
}
