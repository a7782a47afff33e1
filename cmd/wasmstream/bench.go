package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/bench"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// processStart is when this process began, as near as a program can tell.
var processStart = time.Now()

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure what a pipeline or a worker does on this machine",
		Subcommands: []*cli.Command{benchPipelineCommand(), benchLatencyCommand(), benchRestoreCommand(), benchStateCommand(), benchConnectCommand(), benchSandboxCommand(), benchBrokerCommand(), benchTableCommand(), benchGenerateCommand(), benchApplicationCommand(), benchRestorationCommand()},
	}
}

func benchPipelineCommand() *cli.Command {
	return &cli.Command{
		Name: "pipeline", Usage: "records per second from broker to broker", ArgsUsage: " ",
		Description: "Input, broker and application are processes of their own. CPU, memory and start are the application's alone,\nCPU counted from the first record fetched to the last commit. The output is read back and compared.",
		Flags: append(measuredFlags(
			&cli.StringSliceFlag{Name: "job", Value: cli.NewStringSlice("copy", "mapvalues", "wordcount"), Usage: "`JOB`: " + strings.Join(bench.Jobs(), ", ") + "; may be repeated"},
			&cli.StringSliceFlag{Name: "guest", Value: cli.NewStringSlice("c"), Usage: "`GUEST`: c, rust, go, go-stdlib, native, kafka-streams; may be repeated"},
			guaranteeFlag(),
			&cli.IntFlag{Name: "records", Value: 1_000_000, Usage: "`NUMBER` of input records; a tenth of it for wordcount, whose lines hold 20 words, half of it for stream-stream-join"},
			&cli.IntFlag{Name: "partitions", Value: 8, Usage: "`NUMBER` of partitions of every topic"}),
			&cli.StringFlag{Name: "memprofile", Usage: "`FILE` for an allocation profile of the application"},
			outputFlag("table", "json"),
		),
		Action: benchPipeline,
	}
}

func guaranteeFlag() cli.Flag {
	return &cli.StringFlag{Name: "guarantee", Value: "exactly_once_v2", Usage: "`GUARANTEE`: " + strings.Join(benchGuarantees, ", ")}
}

// runFlags are those of every measurement beside a broker: how often and where.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "runs", Value: 1, Usage: "`TIMES` that all is measured, one after another in turn"},
		&cli.StringFlag{Name: "bootstrap-server", Usage: "`HOST:PORT` of a cluster; default: the embedded broker in a process of its own"},
	}
}

// measuredFlags are first, and then those of every measurement of an application.
func measuredFlags(first ...cli.Flag) []cli.Flag {
	return slices.Concat(first, []cli.Flag{&cli.IntFlag{Name: "threads", Value: 1, Usage: "`NUMBER` of stream threads"}}, runFlags(), []cli.Flag{
		&cli.StringFlag{Name: "baseline", Value: ".cache/kafka-streams", Usage: "`FOLDER` of the compiled Kafka Streams jobs (make baseline)"},
		&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE` for the application; may be repeated"},
		&cli.StringFlag{Name: "cpuprofile", Usage: "`FILE` for a CPU profile of the application"},
	})
}

// inTurn opens a session and calls once as often as --runs says. What once reports is printed as it comes: as JSON, or as a row below
// the header.
func inTurn(c *cli.Context, header string, once func(s *bench.Session, report func(result any, row string) error) error) error {
	s, err := bench.NewSession(c.Context, c.String("bootstrap-server"))
	if err != nil {
		return err
	}
	defer s.Close()
	asJSON := c.String("output") == "json"
	if !asJSON {
		fmt.Fprintln(c.App.Writer, header)
	}
	report := func(result any, row string) error {
		if asJSON {
			return json.NewEncoder(c.App.Writer).Encode(result)
		}
		fmt.Fprintln(c.App.Writer, row)
		return nil
	}
	for range c.Int("runs") {
		if err := once(s, report); err != nil {
			return err
		}
	}
	return nil
}

func benchPipeline(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if err := checkBench(c); err != nil {
		return err
	}
	header := fmt.Sprintf("%-18s %-14s %12s %16s %9s %9s %13s", "job", "guest", "records/s", "records/CPU s", "peak MB", "start ms", "allocs/record")
	return inTurn(c, header, func(s *bench.Session, report func(any, string) error) error {
		for _, job := range c.StringSlice("job") {
			for _, guest := range c.StringSlice("guest") {
				r, err := measure(c, s, job, guest)
				if err != nil {
					return err
				}
				if err := report(r, fmt.Sprintf("%-18s %-14s %12.0f %16.0f %9.0f %9d %13.2f", r.Job, r.Guest, r.RecordsPerSecond, r.RecordsPerCPUSecond, float64(r.PeakRSSBytes)/1e6, r.StartMS, r.AllocsPerRecord)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

var benchGuarantees = []string{"exactly_once_v2", "at_least_once"}

var benchGuests = []string{"c", "rust", "go", "go-stdlib", "native", "kafka-streams"}

// checkBench refuses what would only fail in the processes of the measurement.
func checkBench(c *cli.Context) error {
	return errors.Join(
		fromOne(c, "records", "partitions", "threads", "runs"),
		among("job", bench.Jobs(), c.StringSlice("job")...),
		among("guest", benchGuests, c.StringSlice("guest")...),
		among("guarantee", benchGuarantees, c.String("guarantee")),
	)
}

// fromOne checks flags that are counts.
func fromOne(c *cli.Context, flags ...string) error {
	var faults []error
	for _, flag := range flags {
		if n := c.Int(flag); n < 1 {
			faults = append(faults, errs.CLIUsage.New("--"+flag, fmt.Sprintf("want 1 or more (got %d)", n), "as in --"+flag+" 1"))
		}
	}
	return errors.Join(faults...)
}

// among checks the values of a flag.
func among(flag string, allowed []string, values ...string) error {
	var faults []error
	for _, value := range values {
		if !slices.Contains(allowed, value) {
			faults = append(faults, errs.CLIUsage.New("--"+flag, fmt.Sprintf("there is no %s %q", flag, value), errs.DidYouMean(value, allowed)))
		}
	}
	return errors.Join(faults...)
}

func measure(c *cli.Context, s *bench.Session, job, guest string) (bench.Result, error) {
	o, err := benchOptions(c, job, guest, c.Int("records"))
	if err != nil {
		return bench.Result{}, err
	}
	return s.Measure(c.Context, o)
}

// benchOptions are the settings of an application that the flags give.
func benchOptions(c *cli.Context, job, guest string, records int) (bench.Options, error) {
	module, err := guestModule(c, job, guest)
	return bench.Options{
		Job: job, Guest: guest, Guarantee: c.String("guarantee"), Records: records, Partitions: c.Int("partitions"),
		Threads: c.Int("threads"), Baseline: c.String("baseline"), CPUProfile: c.String("cpuprofile"), MemProfile: c.String("memprofile"),
		Set: c.StringSlice("set"), Module: module,
	}, err
}

// guestModule builds the guests that the binary does not carry, which takes a checkout of the project.
func guestModule(c *cli.Context, job, guest string) (string, error) {
	switch guest {
	case "c", "native", "kafka-streams":
		return "", nil
	}
	name := bench.Module(job) + "-" + guest
	root, err := guestbuild.Root()
	if err != nil {
		return "", errs.CLIUsage.New("--guest", fmt.Sprintf("the guest %s is built from the project's examples: %v", guest, err), "run it in a checkout, or take --guest c or native")
	}
	for _, g := range guestbuild.Guests() {
		if g.Name == name {
			dir := guestbuild.CacheDir(root)
			_, err := g.Ensure(c.Context, root, dir)
			return dir + "/" + name + ".wasm", err
		}
	}
	return "", errs.CLIUsage.New("--guest", fmt.Sprintf("there is no guest %s for the job %s", guest, job), "one of "+strings.Join(benchGuests, ", "))
}

// The commands below are the child processes of a measurement.

func benchBrokerCommand() *cli.Command {
	return &cli.Command{Name: "broker", Hidden: true, Action: func(c *cli.Context) error {
		b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{Retention: 24 * time.Hour})
		if err != nil {
			return err
		}
		defer b.Close()
		fmt.Fprintln(c.App.Writer, b.Addr)
		<-c.Context.Done()
		return nil
	}}
}

func benchGenerateCommand() *cli.Command {
	return &cli.Command{
		Name: "generate", Hidden: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bootstrap-server"},
			&cli.StringFlag{Name: "data"},
			&cli.StringFlag{Name: "topic"},
			&cli.IntFlag{Name: "records"},
			&cli.IntFlag{Name: "partitions"},
		},
		Action: func(c *cli.Context) error {
			d := bench.DataSet{Kind: c.String("data"), Name: c.String("topic"), Records: c.Int("records"), Partitions: c.Int("partitions")}
			return d.Generate(c.Context, c.String("bootstrap-server"))
		},
	}
}

func benchApplicationCommand() *cli.Command {
	return &cli.Command{
		Name: "application", Hidden: true,
		Flags: append(childFlags("job", "guest", "module", "in", "out", "bootstrap", "id", "guarantee", "state", "cpuprofile", "memprofile"),
			&cli.IntFlag{Name: "records"}, &cli.IntFlag{Name: "threads"}, &cli.StringSliceFlag{Name: "set"}),
		Action: func(c *cli.Context) error {
			tuneGC()
			a := bench.Application{
				Job: c.String("job"), Guest: c.String("guest"), Module: c.String("module"), In: strings.Split(c.String("in"), ","), Out: c.String("out"),
				Bootstrap: c.String("bootstrap"), ID: c.String("id"), Guarantee: c.String("guarantee"), State: c.String("state"),
				CPUProfile: c.String("cpuprofile"), MemProfile: c.String("memprofile"), Records: c.Int("records"), Threads: c.Int("threads"),
				Set: c.StringSlice("set"), Started: processStart, Compiler: compiler(), Running: dropStartPages,
			}
			r, err := a.Run(c.Context)
			if err != nil {
				return err
			}
			return json.NewEncoder(c.App.Writer).Encode(r)
		},
	}
}

// childFlags are flags of text for a command that only this program calls.
func childFlags(names ...string) (flags []cli.Flag) {
	for _, n := range names {
		flags = append(flags, &cli.StringFlag{Name: n})
	}
	return flags
}
