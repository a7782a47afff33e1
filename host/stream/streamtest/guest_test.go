package streamtest_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// probe is a guest that does what a record's value says (guest-sdk/c/testdata/probe.c).
func probe(t testing.TB) []byte {
	t.Helper()
	module, err := os.ReadFile("../../../guest-sdk/c/testdata/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// probeTopology is source -> probe -> {first, second}, with a store "data" of a kind.
func probeTopology(t testing.TB, kind topology.StoreKind) *topology.Topology {
	t.Helper()
	topo := topology.New()
	processor := dsl.GuestProcessor("probe", "probe").WithConfig(map[string]string{"colour": "blue"})
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("probe", processor, "source"),
		topo.AddStateStore(&topology.StoreSpec{Name: "data", Kind: kind}, "probe"),
		topo.AddSink("first", "out-1", topology.SinkOptions{}, "probe"),
		topo.AddSink("second", "out-2", topology.SinkOptions{}, "probe"),
	); err != nil {
		t.Fatal(err)
	}
	return topo
}

// TestGuest runs the script testdata/guest against the probe:
//
//	new [kind=timestampedKeyValue] [frame=N] [handler=continue]
//	pipe [key=K] [at=MS] [header=NAME:VALUE]   a record for each line, fetched together; the outputs follow
//	advance MS                                 the wall clock
//	log                                        what was logged since
//	metrics
//	upgrade                                    the same module again
func TestGuest(t *testing.T) {
	s := &guestScript{}
	datadriven.RunTest(t, "testdata/guest", func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
	s.close(t)
}

type guestScript struct {
	driver *streamtest.Driver
	log    strings.Builder
	digest string // hidden: it changes with every build of the guest
}

func (s *guestScript) close(t *testing.T) {
	if s.driver != nil {
		if err := s.driver.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s *guestScript) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "new":
		s.close(t)
		s.start(t, d)
		return ""
	case "pipe":
		return s.pipe(t, d)
	case "advance":
		ms, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		return s.outcome(s.driver.AdvanceWallClockTime(ms))
	case "log":
		defer s.log.Reset()
		return s.hidden(s.log.String())
	case "metrics":
		return s.metrics()
	case "upgrade":
		return s.outcome(s.driver.Upgrade("probe", probe(t)))
	}
	t.Fatalf("%s: unknown command", d.Pos)
	return ""
}

func (s *guestScript) start(t *testing.T, d *datadriven.TestData) {
	kind, frame := string(topology.KeyValue), 1
	d.MaybeScanArgs(t, "kind", &kind)
	d.MaybeScanArgs(t, "frame", &frame)
	c := streamtest.Config{
		ApplicationID: "app", Modules: map[string][]byte{"probe": probe(t)}, Start: time.UnixMilli(1_000_000), FrameSize: frame,
		Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	}
	if d.HasArg("handler") {
		c.Processing = stream.LogAndContinue
	}
	s.digest = wasm.Digest(probe(t))
	var err error
	if s.driver, err = streamtest.New(probeTopology(t, topology.StoreKind(kind)), c); err != nil {
		t.Fatal(err)
	}
}

func (s *guestScript) pipe(t *testing.T, d *datadriven.TestData) string {
	key, at, header := "k", int64(0), ""
	d.MaybeScanArgs(t, "key", &key)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "header", &header)
	var records []streamtest.Record
	for line := range strings.SplitSeq(strings.TrimSuffix(d.Input, "\n"), "\n") {
		r := streamtest.Record{Key: []byte(key), Value: []byte(line), Timestamp: at}
		if name, value, ok := strings.Cut(header, ":"); ok {
			r.Headers = []topology.Header{{Key: name, Value: []byte(value)}}
		}
		records = append(records, r)
	}
	return s.outcome(s.driver.PipeAll("in", records...))
}

// outcome is what came out, then the error.
func (s *guestScript) outcome(err error) string {
	var b strings.Builder
	for _, topic := range s.driver.ProducedTopicNames() {
		for _, r := range s.driver.ReadOutputs(topic) {
			fmt.Fprintf(&b, "%s: %s = %s at %d", topic, shown(r.Key), shown(r.Value), r.Timestamp)
			for _, h := range r.Headers {
				fmt.Fprintf(&b, ", %q: %s", h.Key, shown(h.Value))
			}
			b.WriteString("\n")
		}
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %s\n", s.hidden(err.Error()))
	}
	return b.String()
}

// hidden is text without what changes when the guest is built again.
func (s *guestScript) hidden(text string) string {
	text = strings.ReplaceAll(text, s.digest, "sha256:...")
	text = strings.ReplaceAll(text, s.digest[:len("sha256:")+12], "sha256:...")
	return fuelUsed.ReplaceAllString(text, "fuel used: ...")
}

var fuelUsed = regexp.MustCompile(`fuel used: \d+`)

func shown(b []byte) string {
	if b == nil {
		return "null"
	}
	if len(b) > 40 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return string(b)
}

func (s *guestScript) metrics() string {
	var b strings.Builder
	m := s.driver.Metrics()
	fmt.Fprintf(&b, "processed %d, dropped %d, punctuations %d, commits %d\n", m.Processed.Load(), m.Dropped.Load(), m.Punctuations.Load(), m.Commits.Load())
	for _, n := range m.Nodes() {
		fmt.Fprintf(&b, "%s: processed %d, forwarded %d\n", n.Node, n.Processed.Load(), n.Forwarded.Load())
	}
	for _, g := range m.Guests() {
		fmt.Fprintf(&b, "%s of %s: calls %d, in %d, out %d, errors %d, traps %d, fuel %v, memory %v\n", g.Component, g.Module,
			g.Calls.Load(), g.RecordsIn.Load(), g.RecordsOut.Load(), g.Errors.Load(), g.Traps.Load(), g.Fuel.Load() > 0, g.MemoryBytes.Load() > 0)
		for _, series := range g.Series() {
			fmt.Fprintf(&b, "  %s %d\n", series.Name, series.Value.Load())
		}
	}
	return b.String()
}

func TestGuestErrorNamesEverything(t *testing.T) {
	d, err := streamtest.New(probeTopology(t, topology.KeyValue), streamtest.Config{
		ApplicationID: "app", Modules: map[string][]byte{"probe": probe(t)}, FrameSize: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Pipe("in", nil, []byte("get a"), 0); err != nil {
		t.Fatal(err)
	}
	err = d.PipeAll("in", streamtest.Record{Value: []byte("trap")}, streamtest.Record{Value: []byte("get a")})
	guest, ok := errors.AsType[*stream.GuestError](err)
	if !ok {
		t.Fatalf("%T is not a GuestError: %v", err, err)
	}
	if guest.Trap == nil || guest.Trap.Reason != wasm.ReasonTrap || len(guest.Trap.Stack) == 0 {
		t.Errorf("the trap: %+v", guest.Trap)
	}
	got := fmt.Sprint(guest.ApplicationID, guest.Task, guest.Node, guest.Module, guest.Component, guest.Export, *guest.Origin, guest.First, guest.Last)
	want := fmt.Sprint("app", topology.TaskID{}, "probe", "probe", "probe", "ws_process", topology.TopicPartition{Topic: "in"}, 1, 1)
	if got != want || guest.Digest != wasm.Digest(probe(t)) {
		t.Errorf("got %s %s, want %s", got, guest.Digest, want)
	}
	if !errs.GuestTrap.Is(err) || !strings.Contains(err.Error(), "in-0@1:") {
		t.Errorf("the error for users: %v", err)
	}
	if after := d.Pipe("in", nil, []byte("get a"), 0); !errors.Is(after, err) {
		t.Errorf("a task that failed goes on: %v", after)
	}
}

// Broken guests of the conformance kit: each is a filter "all" with one fault in its answers.
func TestBrokenAnswersEndTheTask(t *testing.T) {
	for _, clause := range []string{"FRAME-1", "FRAME-3", "FRAME-4", "KEEP-1", "KEEP-2", "KEEP-3", "REC-1", "REC-2", "REC-4", "REC-5", "REC-6", "REC-7", "ERR-2"} {
		t.Run(clause, func(t *testing.T) {
			module, err := os.ReadFile("../../wasm/tck/testdata/bad/" + clause + ".wasm")
			if err != nil {
				t.Fatal(err)
			}
			b := dsl.NewStreamsBuilder()
			b.Stream("in").Filter(dsl.Guest("bad", "all")).To("out")
			topo, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			d, err := streamtest.New(topo, streamtest.Config{Modules: map[string][]byte{"bad": module}, FrameSize: 10})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			records := make([]streamtest.Record, 5)
			for i := range records {
				records[i] = streamtest.Record{Key: []byte("key"), Value: []byte("value"), Headers: []topology.Header{{Key: "h", Value: []byte("v")}}}
			}
			err = d.PipeAll("in", records...)
			if err == nil {
				t.Fatal("no error")
			}
			if !errs.GuestContract.Is(err) && !errs.GuestTrap.Is(err) {
				t.Errorf("not an error about the contract: %v", err)
			}
			if out := d.ReadOutputs("out"); len(out) > 0 {
				t.Errorf("%d records of a broken answer were forwarded", len(out))
			}
		})
	}
}

func TestRandomDependsOnTheRecordAlone(t *testing.T) {
	var want []streamtest.Record
	for _, frame := range []int{1, 3, 100} {
		d, err := streamtest.New(probeTopology(t, topology.KeyValue), streamtest.Config{Modules: map[string][]byte{"probe": probe(t)}, FrameSize: frame})
		if err != nil {
			t.Fatal(err)
		}
		records := make([]streamtest.Record, 10)
		for i := range records {
			records[i] = streamtest.Record{Value: []byte("random"), Timestamp: int64(i)}
		}
		if err := errors.Join(d.PipeAll("in", records...), d.Close()); err != nil {
			t.Fatal(err)
		}
		var got []streamtest.Record
		for _, r := range d.ReadOutputs("out-1") {
			if string(r.Key) != "seen" { // what a flush gives depends on the commits
				got = append(got, r)
			}
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("frames of %d (-want +got):\n%s", frame, diff)
		}
	}
}

func TestRefusedCalls(t *testing.T) {
	refuse, err := os.ReadFile("testdata/refuse.wasm")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		value   string
		handler stream.ExceptionHandler
		passed  int // of six records, two of which are refused
		code    errs.Code
	}{
		{"class skip", "x0 bad", stream.LogAndFail, 4, errs.Code{}},
		{"class fail", "x2 bad", stream.LogAndFail, 0, errs.GuestError},
		{"class fail, log and continue", "x2 bad", stream.LogAndContinue, 4, errs.Code{}},
		{"class retry", "x3 bad", stream.LogAndFail, 0, errs.GuestError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := streamtest.New(passTopology(t), streamtest.Config{
				Modules: map[string][]byte{"pass": refuse}, FrameSize: 100, Processing: tt.handler,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			var records []streamtest.Record
			for _, v := range []string{"a-----", tt.value, "b-----", "c-----", tt.value, "d-----"} {
				records = append(records, streamtest.Record{Value: []byte(v)})
			}
			err = d.PipeAll("in", records...)
			if tt.code.ID == "" && err != nil || tt.code.ID != "" && !tt.code.Is(err) {
				t.Errorf("error %v, want %s", err, tt.code.ID)
			}
			if got := len(d.ReadOutputs("out")); got != tt.passed {
				t.Errorf("%d records passed, want %d", got, tt.passed)
			}
			if got := d.Metrics().Dropped.Load(); tt.code.ID == "" && got != 2 {
				t.Errorf("%d records were counted as dropped, want 2", got)
			}
		})
	}
}
