package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/bench"
)

func benchConnectCommand() *cli.Command {
	return &cli.Command{
		Name: "connect", Usage: "records per second through a Connect worker, beside Kafka's", ArgsUsage: " ",
		Description: "Broker and worker are processes of their own; the worker is a standalone one with one connector. CPU counts from the\nmoment when the task is RUNNING to the last record written or committed, memory over the worker's whole life.\nCPU and memory are told on Linux. With --rate records come one after the other for --seconds, and p50, p90 and p99 are\nmilliseconds from the moment when a record was due in a source's file or a sink's topic until it was seen at the other end.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringSliceFlag{Name: "job", Value: cli.NewStringSlice(bench.ConnectJobs()...), Usage: "`JOB`: " + strings.Join(bench.ConnectJobs(), ", ") + "; may be repeated"},
			&cli.StringSliceFlag{Name: "worker", Value: cli.NewStringSlice("wasmstream"), Usage: "`WORKER`: " + strings.Join(bench.ConnectWorkers(), ", ") + "; may be repeated"},
			&cli.IntFlag{Name: "records", Value: 1_000_000, Usage: "`NUMBER` of records"},
			&cli.IntFlag{Name: "rate", Usage: "`NUMBER` of records a second, to measure latency; all at once by default"},
			&cli.IntFlag{Name: "seconds", Value: 15, Usage: "`NUMBER` of seconds that records come at --rate"},
			&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE` for the worker; may be repeated"},
		}, runFlags(), []cli.Flag{
			&cli.StringFlag{Name: "baseline", Value: ".cache/kafka-libs", Usage: "`FOLDER` of Kafka's jars (.ci/kafka.sh fetch)"},
			outputFlag("table", "json"),
		}),
		Action: benchConnect,
	}
}

func benchConnect(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if err := checkBenchConnect(c); err != nil {
		return err
	}
	header := fmt.Sprintf("%-12s %-14s %12s %16s %9s %9s", "job", "worker", "records/s", "records/CPU s", "peak MB", "start ms")
	o := bench.ConnectOptions{Records: c.Int("records"), Baseline: c.String("baseline"), Rate: c.Int("rate"), Set: c.StringSlice("set")}
	if o.Rate > 0 {
		o.Records = o.Rate * c.Int("seconds")
		header += fmt.Sprintf(" %8s %8s %8s", "p50 ms", "p90 ms", "p99 ms")
	}
	return inTurn(c, header, func(s *bench.Session, report func(any, string) error) error {
		for _, job := range c.StringSlice("job") {
			for _, worker := range c.StringSlice("worker") {
				o.Job, o.Worker = job, worker
				r, err := s.MeasureConnect(c.Context, o)
				if err != nil {
					return err
				}
				if err := report(r, connectRow(r)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func connectRow(r bench.ConnectResult) string {
	row := fmt.Sprintf("%-12s %-14s %12.0f %16.0f %9.0f %9d", r.Job, r.Worker, r.RecordsPerSecond, r.RecordsPerCPUSecond, float64(r.PeakRSSBytes)/1e6, r.StartMS)
	if l := r.Latency; l != nil {
		row += fmt.Sprintf(" %8.1f %8.1f %8.1f", l.P50, l.P90, l.P99)
	}
	return row
}

func checkBenchConnect(c *cli.Context) error {
	if c.IsSet("rate") {
		if err := fromOne(c, "rate", "seconds"); err != nil {
			return err
		}
	}
	return errors.Join(
		fromOne(c, "records", "runs"),
		among("job", bench.ConnectJobs(), c.StringSlice("job")...),
		among("worker", bench.ConnectWorkers(), c.StringSlice("worker")...),
	)
}
