package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/demo"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "count the words of this project's documentation, exactly once, on a broker inside this process", ArgsUsage: " ",
		Description: "Everything is real but the broker's disk: topics, transactions, a store with its changelog, and a WebAssembly\nmodule that splits the lines.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "lines", Usage: "count lines of standard input instead, and print each update"},
			&cli.IntFlag{Name: "top", Value: 10, Usage: "print the `NUMBER` most frequent words"},
		},
		Action: runDemo,
	}
}

func runDemo(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	talk := c.App.ErrWriter
	if err := atLeast(c, "top", 1); err != nil {
		return err
	}
	if c.Bool("lines") {
		_, err := demo.Run(c.Context, demo.Config{
			Lines:   c.App.Reader,
			Update:  func(word string, count int64) { fmt.Fprintf(c.App.Writer, "%s\t%d\n", word, count) },
			Running: func() { fmt.Fprintln(talk, "counting lines of standard input; end with Ctrl-D") },

			Compiler: compiler(),
		})
		return err
	}
	tellDemo(talk)
	cfg := demo.Config{Compiler: compiler()}
	if errs.IsTerminal(os.Stderr) {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("lines"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
		cfg.Progress = func(counted, of int64) {
			bar.ChangeMax64(max(of, 1))
			_ = bar.Set64(counted)
		}
		defer bar.Close()
	}
	r, err := demo.Run(c.Context, cfg)
	if err != nil {
		return err
	}
	return printDemo(c, r, c.Int("top"))
}

func tellDemo(talk io.Writer) {
	fmt.Fprintln(talk, "embedded broker, in memory: counting the words of the documentation, exactly once")
}

func printDemo(c *cli.Context, r demo.Result, top int) error {
	words := slices.SortedFunc(maps.Keys(r.Counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Counts[b], r.Counts[a]), cmp.Compare(a, b))
	})
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, word := range words[:max(0, min(len(words), top))] {
		fmt.Fprintf(w, "%d\t %q\n", r.Counts[word], word)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.App.Writer, "%d lines, %d words, %d different ones in %.1f s: %.0f words a second, each through a repartition topic and a store\n",
		r.Lines, r.Words, len(r.Counts), r.Seconds, float64(r.Words)/r.Seconds)
	return err
}
