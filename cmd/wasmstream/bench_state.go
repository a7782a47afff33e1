package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/bench"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func benchStateCommand() *cli.Command {
	return &cli.Command{
		Name: "state", Usage: "how fast stores on the disk answer, and what they take, as they grow", ArgsUsage: " ",
		Description: "Without a cluster: each number of keys is divided among each number of tasks, then random keys are got and put, a thousand in a\n" +
			"transaction, each size in turn. Times are medians of the rounds, \"x\" those over the times with 100,000 keys (without them, the\n" +
			"fewest). Each round is a process of its own, whose peak memory is told. 10,000,000 keys with values of 16 bytes take a few minutes\n" +
			"and some GB of disk until the end.",
		Flags: []cli.Flag{
			&cli.IntSliceFlag{Name: "keys", Value: cli.NewIntSlice(1000, 100_000), Usage: "`NUMBER` of keys of 16 bytes; may be repeated"},
			&cli.IntSliceFlag{Name: "partitions", Value: cli.NewIntSlice(1, 8, 64), Usage: "`NUMBER` of tasks that have a part of the keys each; may be repeated"},
			&cli.IntFlag{Name: "value-bytes", Value: 100, Usage: "`SIZE` of each value"},
			&cli.IntFlag{Name: "operations", Value: 100_000, Usage: "`NUMBER` of gets, and of puts, in a round"},
			&cli.IntFlag{Name: "runs", Value: 3, Usage: "`TIMES` that all is measured, one after another in turn"},
			&cli.StringFlag{Name: "dir", Usage: "`FOLDER` for the databases; default: the system's for temporary files"},
			outputFlag("table", "json"),
		},
		Action: benchState,
	}
}

func benchState(c *cli.Context) error {
	if err := errors.Join(
		wantArgs(c, 0, 0),
		fromOne(c, "value-bytes", "operations", "runs"),
		eachFromOne(c, "keys", "partitions"),
	); err != nil {
		return err
	}
	o := bench.StateOptions{
		Keys: c.IntSlice("keys"), Partitions: c.IntSlice("partitions"), ValueBytes: c.Int("value-bytes"),
		Operations: c.Int("operations"), Rounds: c.Int("runs"), Dir: c.String("dir"),
	}
	if errs.IsTerminal(os.Stderr) {
		o.Progress = func(doing string, done, all int) { writeStep(c.App.ErrWriter, doing, done, all) }
		defer fmt.Fprint(c.App.ErrWriter, clearLine)
	}
	results, err := bench.MeasureState(c.Context, o)
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, results)
	}
	return printStates(c.App.Writer, results)
}

// writeStep writes over the line of the step before.
func writeStep(w io.Writer, doing string, done, all int) {
	fmt.Fprintf(w, "%s%d of %d: %s", clearLine, done+1, all, doing)
}

func printStates(w io.Writer, results []bench.StateResult) error {
	var rows [][]string
	us, times := func(ns float64) string { return fmt.Sprintf("%.1f", ns/1e3) }, func(x float64) string { return fmt.Sprintf("%.2f x", x) }
	for _, r := range results {
		rows = append(rows, []string{
			fmt.Sprint(r.Keys), fmt.Sprint(r.Partitions),
			us(r.Get.P50), times(r.GetRatio.P50), us(r.Get.P99), times(r.GetRatio.P99),
			us(r.Put.P50), times(r.PutRatio.P50), us(r.Put.P99), times(r.PutRatio.P99),
			fmt.Sprintf("%.1f", float64(r.DiskBytes)/1e6), fmt.Sprintf("%.0f", float64(r.PeakRSSBytes)/1e6),
		})
	}
	return printTable(w, []string{"KEYS", "PARTITIONS", "GET p50 us", "", "p99 us", "", "PUT p50 us", "", "p99 us", "", "DISK MB", "PEAK MB"}, rows)
}

// eachFromOne checks flags that are lists of counts.
func eachFromOne(c *cli.Context, flags ...string) error {
	var faults []error
	for _, flag := range flags {
		for _, n := range c.IntSlice(flag) {
			if n < 1 {
				faults = append(faults, errs.CLIUsage.New("--"+flag, fmt.Sprintf("want 1 or more (got %d)", n), "as in --"+flag+" 1"))
			}
		}
	}
	return errors.Join(faults...)
}

// benchTableCommand is the child process.
func benchTableCommand() *cli.Command {
	return &cli.Command{
		Name: "table", Hidden: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir"},
			&cli.IntFlag{Name: "keys"},
			&cli.IntFlag{Name: "partitions"},
			&cli.IntFlag{Name: "value-bytes"},
			&cli.BoolFlag{Name: "fill"},
			&cli.IntFlag{Name: "operations"},
			&cli.Uint64Flag{Name: "seed"},
		},
		Action: func(c *cli.Context) error {
			tuneGC()
			t := bench.StateTable{Keys: c.Int("keys"), Partitions: c.Int("partitions"), ValueBytes: c.Int("value-bytes"), Dir: c.String("dir")}
			if c.Bool("fill") {
				return t.Fill(c.Context)
			}
			r, err := t.Measure(c.Context, c.Int("operations"), c.Uint64("seed"))
			if err != nil {
				return err
			}
			return json.NewEncoder(c.App.Writer).Encode(r)
		},
	}
}
