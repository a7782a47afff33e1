package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// RestoreOptions is one measurement of a process that restores a store from its changelog, on an empty state directory.
type RestoreOptions struct {
	Engine    string // one of RestoreEngines
	Guarantee string // exactly_once_v2, at_least_once
	// Records of the changelog, each of a key of its own: 20 bytes, and 100 of the value.
	Records    int
	Partitions int
	Threads    int
	// Baseline is the folder of the compiled Kafka Streams jobs, for the engine kafka-streams.
	Baseline string
	// Set are further settings of the application, KEY=VALUE.
	Set []string
	// CPUProfile is a file that the application writes; "" writes none.
	CPUProfile string
}

// RestoreEngines are wasmstream and what it is compared with.
func RestoreEngines() []string { return []string{"wasmstream", baselineEngine} }

// baselineEngine is Kafka Streams, as a guest and as an engine.
const baselineEngine = "kafka-streams"

// RestoreResult is what a process measured of itself: time from the first record that it began to restore to the last
// that it had, CPU from the start of the application until it was RUNNING, memory and start of the whole process.
type RestoreResult struct {
	Engine              string  `json:"engine"`
	Guarantee           string  `json:"guarantee"`
	Broker              string  `json:"broker"`
	Partitions          int     `json:"partitions"`
	Records             int64   `json:"records"`
	Seconds             float64 `json:"seconds"`
	CPUSeconds          float64 `json:"cpu_seconds"`
	RecordsPerSecond    float64 `json:"records_per_second"`
	RecordsPerCPUSecond float64 `json:"records_per_cpu_second"`
	PeakRSSBytes        int64   `json:"peak_rss_bytes"`
	StartMS             int64   `json:"start_ms"`
}

// restoredStore is the store of the application.
const restoredStore = "rows"

// MeasureRestore writes a changelog and has one process restore it.
func (s *Session) MeasureRestore(ctx context.Context, o RestoreOptions) (RestoreResult, error) {
	if err := checkBaseline(o.Engine, o.Baseline); err != nil {
		return RestoreResult{}, err
	}
	id := fmt.Sprintf("bench-restore-%s-%d", o.Engine, time.Now().UnixNano())
	in := id + "-in"
	defer s.cleanUp(id)
	if err := recreate(ctx, s.bootstrap, in, o.Partitions); err != nil {
		return RestoreResult{}, err
	}
	changelog := DataSet{Kind: rows, Records: o.Records, Partitions: o.Partitions, Name: id + "-" + restoredStore + "-changelog"}
	if err := s.generate(ctx, changelog); err != nil {
		return RestoreResult{}, err
	}
	var r RestoreResult
	if err := s.measured(ctx, s.restoration(o, id, in), &r); err != nil {
		return RestoreResult{}, err
	}
	if r.Records != int64(o.Records) {
		return r, fmt.Errorf("%s restored %d records of %d", o.Engine, r.Records, o.Records)
	}
	r.Engine, r.Guarantee, r.Broker, r.Partitions = o.Engine, o.Guarantee, s.broker, o.Partitions
	r.RecordsPerSecond, r.RecordsPerCPUSecond = float64(r.Records)/r.Seconds, float64(r.Records)/r.CPUSeconds
	return r, nil
}

// restoration is the process that is measured.
func (s *Session) restoration(o RestoreOptions, id, in string) *exec.Cmd {
	args := [][2]string{
		{"in", in},
		{"bootstrap", s.bootstrap},
		{"id", id},
		{"guarantee", o.Guarantee},
		{"threads", strconv.Itoa(max(o.Threads, 1))},
		{"partitions", strconv.Itoa(o.Partitions)},
		{"state", filepath.Join(s.dir, id)},
	}
	if o.Engine == baselineEngine {
		return baseline(o.Baseline, "bench.Restoration", args)
	}
	return s.own(args, o.Set, "restoration", "--cpuprofile", o.CPUProfile)
}

// own runs a hidden command of bench with flags that it shares with the baseline, settings and flags of its own.
func (s *Session) own(shared [][2]string, set []string, command ...string) *exec.Cmd {
	argv := append([]string{"bench"}, command...)
	for _, a := range shared {
		argv = append(argv, "--"+a[0], a[1])
	}
	for _, kv := range set {
		argv = append(argv, "--set", kv)
	}
	return exec.Command(s.self, argv...)
}

// checkBaseline wants the jobs of Kafka Streams where they are to be measured.
func checkBaseline(engine, folder string) error {
	if engine != baselineEngine {
		return nil
	}
	if _, err := os.Stat(filepath.Join(folder, "classes")); err != nil {
		return errs.BuildNoToolchain.New(folder, "the jobs of Kafka Streams are not compiled there", "run make baseline").WithCause(err)
	}
	return nil
}

// baseline runs a class of the compiled Kafka Streams jobs with arguments key=value.
func baseline(folder, class string, args [][2]string) *exec.Cmd {
	argv := []string{"-Xmx2g", "-cp", filepath.Join(folder, "classes") + string(os.PathListSeparator) + filepath.Join(folder, "libs", "*"), class}
	for _, a := range args {
		argv = append(argv, a[0]+"="+a[1])
	}
	return exec.Command("java", argv...)
}
