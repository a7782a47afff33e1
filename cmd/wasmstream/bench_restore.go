package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/bench"
)

func benchRestoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "how fast a store is restored from its changelog, beside Kafka Streams", ArgsUsage: " ",
		Description: "Broker and application are processes of their own, the state directory is empty. Time counts from the first record\nto the last, CPU from the start of the application until it is RUNNING, memory over the whole process.",
		Flags: append(measuredFlags(
			&cli.StringSliceFlag{Name: "engine", Value: cli.NewStringSlice("wasmstream"), Usage: "`ENGINE`: " + strings.Join(bench.RestoreEngines(), ", ") + "; may be repeated"},
			guaranteeFlag(),
			&cli.IntFlag{Name: "records", Value: 2_000_000, Usage: "`NUMBER` of keys, of 20 bytes, with values of 100"},
			&cli.IntFlag{Name: "partitions", Value: 8, Usage: "`NUMBER` of partitions of the changelog"}),
			outputFlag("table", "json"),
		),
		Action: benchRestore,
	}
}

func benchRestore(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if err := errors.Join(
		fromOne(c, "records", "partitions", "threads", "runs"),
		among("engine", bench.RestoreEngines(), c.StringSlice("engine")...),
		among("guarantee", benchGuarantees, c.String("guarantee")),
	); err != nil {
		return err
	}
	header := fmt.Sprintf("%-14s %12s %16s %8s %8s %9s %9s", "engine", "records/s", "records/CPU s", "seconds", "CPU s", "peak MB", "start ms")
	return inTurn(c, header, func(s *bench.Session, report func(any, string) error) error {
		for _, engine := range c.StringSlice("engine") {
			r, err := s.MeasureRestore(c.Context, bench.RestoreOptions{
				Engine: engine, Guarantee: c.String("guarantee"), Records: c.Int("records"), Partitions: c.Int("partitions"), Threads: c.Int("threads"),
				Baseline: c.String("baseline"), Set: c.StringSlice("set"), CPUProfile: c.String("cpuprofile"),
			})
			if err != nil {
				return err
			}
			if err := report(r, fmt.Sprintf("%-14s %12.0f %16.0f %8.2f %8.2f %9.0f %9d", r.Engine, r.RecordsPerSecond, r.RecordsPerCPUSecond, r.Seconds, r.CPUSeconds, float64(r.PeakRSSBytes)/1e6, r.StartMS)); err != nil {
				return err
			}
		}
		return nil
	})
}

// benchRestorationCommand is the child process.
func benchRestorationCommand() *cli.Command {
	return &cli.Command{
		Name: "restoration", Hidden: true,
		Flags: append(childFlags("in", "bootstrap", "id", "guarantee", "state", "cpuprofile"),
			&cli.IntFlag{Name: "partitions"}, &cli.IntFlag{Name: "threads"}, &cli.StringSliceFlag{Name: "set"}),
		Action: func(c *cli.Context) error {
			tuneGC()
			a := bench.Restoration{Partitions: c.Int("partitions"), Application: bench.Application{
				In: []string{c.String("in")}, Bootstrap: c.String("bootstrap"), ID: c.String("id"), Guarantee: c.String("guarantee"), State: c.String("state"),
				CPUProfile: c.String("cpuprofile"), Threads: c.Int("threads"), Set: c.StringSlice("set"), Started: processStart,
			}}
			r, err := a.Run(c.Context)
			if err != nil {
				return err
			}
			return json.NewEncoder(c.App.Writer).Encode(r)
		},
	}
}
