package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options is one measurement.
type Options struct {
	Job       string // one of Jobs
	Guest     string // c, rust, go, native, or kafka-streams for the baseline
	Guarantee string // exactly_once_v2, at_least_once
	// Records of input; jobs with much to do for each take a share of them.
	Records int
	// Partitions of the input, the output and the internal topics.
	Partitions int
	Threads    int
	// Bootstrap is a cluster; "" starts the embedded broker in a process of its own.
	Bootstrap string
	// Baseline is the folder of the compiled Kafka Streams jobs (classes and libs), for the guest kafka-streams.
	Baseline string
	// Module is the guest's file; "" is the module that the binary carries.
	Module string
	// Set are further settings of the application, KEY=VALUE.
	Set []string
	// CPUProfile and MemProfile are files that the application writes; "" writes none.
	CPUProfile, MemProfile string
}

// Result is what an application process measured of itself: CPU and time from the first record fetched to the last
// commit, memory over its whole life.
type Result struct {
	Job                 string  `json:"job"`
	Guest               string  `json:"guest"`
	Guarantee           string  `json:"guarantee"`
	Broker              string  `json:"broker"`
	Partitions          int     `json:"partitions"`
	Records             int     `json:"records"`
	Seconds             float64 `json:"seconds"`
	CPUSeconds          float64 `json:"cpu_seconds"`
	RecordsPerSecond    float64 `json:"records_per_second"`
	RecordsPerCPUSecond float64 `json:"records_per_cpu_second"`
	PeakRSSBytes        int64   `json:"peak_rss_bytes"`
	StartMS             int64   `json:"start_ms"`
	// AllocsPerRecord are the heap allocations of the whole process while it ran, the Kafka client's included; 0 for
	// the baseline.
	AllocsPerRecord float64 `json:"allocs_per_record"`
	// Verified: every output record is what the job must write.
	Verified bool `json:"verified"`
}

// Session is a broker with inputs, for one or more measurements.
type Session struct {
	self      string // the binary, for the child processes
	bootstrap string
	broker    string
	child     *exec.Cmd
	ready     map[string]bool // data sets that were generated
	dir       string
}

// NewSession starts the embedded broker in a process of its own unless bootstrap names a cluster.
func NewSession(ctx context.Context, bootstrap string) (*Session, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wasmstream-bench-")
	if err != nil {
		return nil, err
	}
	s := &Session{self: self, bootstrap: bootstrap, broker: bootstrap, ready: map[string]bool{}, dir: dir}
	if bootstrap == "" {
		s.broker = "embedded"
		if err := s.startBroker(ctx); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	return s, nil
}

// Close ends the broker.
func (s *Session) Close() error {
	var err error
	if s.child != nil {
		err = s.child.Process.Kill()
		_ = s.child.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// startBroker runs the hidden command "bench broker", which prints its address as the first line.
func (s *Session) startBroker(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.self, "bench", "broker")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the broker: %w", err)
	}
	s.child = cmd
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the broker did not say its address: %w", err)
	}
	s.bootstrap = strings.TrimSpace(line)
	return nil
}

// Measure runs one application over its input and verifies its output.
func (s *Session) Measure(ctx context.Context, o Options) (Result, error) {
	j, err := jobNamed(o.Job)
	if err != nil {
		return Result{}, err
	}
	if err := checkBaseline(o.Guest, o.Baseline); err != nil {
		return Result{}, err
	}
	data := j.data(o.Records, o.Partitions)
	for _, d := range data {
		if err := s.generate(ctx, d); err != nil {
			return Result{}, err
		}
	}
	id := fmt.Sprintf("bench-%s-%s-%d", o.Job, o.Guest, time.Now().UnixNano())
	out := id + "-out"
	if err := recreate(ctx, s.bootstrap, out, o.Partitions); err != nil {
		return Result{}, err
	}
	defer s.cleanUp(id)
	var r Result
	if err := s.measured(ctx, s.application(o, data, id, out), &r); err != nil {
		return Result{}, err
	}
	r.Job, r.Guest, r.Guarantee, r.Broker, r.Partitions = o.Job, o.Guest, o.Guarantee, s.broker, o.Partitions
	var want digest
	if err := j.expect(data, &want); err != nil {
		return r, err
	}
	if o.Guest == baselineEngine && j.rewrites {
		want.sum = 0
	}
	if err := verify(ctx, s.bootstrap, j, out, want); err != nil {
		return r, err
	}
	r.Verified = true
	return r, nil
}

func (s *Session) generate(ctx context.Context, data DataSet) error {
	if s.ready[data.Topic()] {
		return nil
	}
	_, err := s.output(ctx, exec.CommandContext(ctx, s.self, "bench", "generate", "--bootstrap-server", s.bootstrap,
		"--data", data.Kind, "--topic", data.Name, "--records", strconv.Itoa(data.Records), "--partitions", strconv.Itoa(data.Partitions)))
	if err == nil {
		s.ready[data.Topic()] = true
	}
	return err
}

// application is the process that is measured.
func (s *Session) application(o Options, data []DataSet, id, out string) *exec.Cmd {
	topics := make([]string, len(data))
	for i, d := range data {
		topics[i] = d.Topic()
	}
	args := [][2]string{
		{"job", o.Job},
		{"in", strings.Join(topics, ",")},
		{"out", out},
		{"bootstrap", s.bootstrap},
		{"id", id},
		{"guarantee", o.Guarantee},
		{"threads", strconv.Itoa(max(o.Threads, 1))},
		{"records", strconv.Itoa(data[0].Records)},
		{"state", filepath.Join(s.dir, id)},
	}
	if o.Guest == baselineEngine {
		return baseline(o.Baseline, "bench.Application", args)
	}
	return s.own(args, o.Set, "application", "--guest", o.Guest, "--module", o.Module, "--cpuprofile", o.CPUProfile, "--memprofile", o.MemProfile)
}

// measured runs an application to its end and reads what it measured of itself.
func (s *Session) measured(ctx context.Context, application *exec.Cmd, result any) error {
	printed, err := s.output(ctx, application)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(printed, result); err != nil {
		return fmt.Errorf("reading what the application measured (%q): %w", printed, err)
	}
	return nil
}

// output runs a child process to its end and returns what it printed on standard output.
func (s *Session) output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(cmd.Path), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), strings.Join(cmd.Args[1:min(len(cmd.Args), 3)], " "), err, tail(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// cleanUp deletes the topics and the state of an application.
func (s *Session) cleanUp(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap))
	if err != nil {
		return
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if topics, err := adm.ListTopics(ctx); err == nil {
		var own []string
		for _, name := range topics.Names() {
			if strings.HasPrefix(name, id) {
				own = append(own, name)
			}
		}
		_, _ = adm.DeleteTopics(ctx, own...)
	}
	_, _ = adm.DeleteGroups(ctx, id)
	_ = os.RemoveAll(filepath.Join(s.dir, id))
}
