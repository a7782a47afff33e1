package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// guestDocument is a document with a section of modules.
func guestDocument(t *testing.T, modules string) (Config, error) {
	t.Helper()
	return Load(guestFile(t, modules), LoadOptions{})
}

// guestFile is its path; the module is an honest one.
func guestFile(t *testing.T, modules string) string {
	t.Helper()
	a := newApp(t, brokertest.Fake(t))
	a.write("guest.yaml", []byte(`apiVersion: wasmstream/v1
kind: Application
metadata: {name: guests}
config:
  bootstrap.servers: localhost:9092
  wasm.fuel.per.record: 5000
  errors.dead.letter.queue.topic.name: dead
modules:
  guest:
    path: guest.wasm
`+modules+`
operators:
  - stream: {topic: in}
  - to: {topic: out}
`))
	module, err := os.ReadFile("../examples/mapvalues/mapvalues.wasm")
	if err != nil {
		t.Fatal(err)
	}
	a.write("guest.wasm", module)
	return a.dir + "/guest.yaml"
}

func TestLimitsAndPoliciesOfComponents(t *testing.T) {
	cfg, err := guestDocument(t, `    limits: {memory.max.bytes: 1MiB, call.timeout.ms: 2s, log.lines.per.second: 5}
    components:
      first: {onError: skip, limits: {fuel.per.record: 100, output.max.records: 7, state.value.max.bytes: 1KiB, iterators.max: 2}}
      second: {onError: {policy: dead-letter, retries: 4, retry.backoff.ms: 10ms}}
      third: {onError: retry}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	settings, err := cfg.settings()
	if err != nil {
		t.Fatal(err)
	}
	r, err := cfg.guestRules(settings)
	if err != nil {
		t.Fatal(err)
	}
	if in, other := r.Instance("guest"), r.Instance("other"); in.MemoryBytes != 1<<20 || in.Wall != 2*time.Second || in.LogLinesPerSecond != 5 || other.MemoryBytes != 64<<20 {
		t.Errorf("instances: %+v, %+v", in, other)
	}
	first := r.Component("guest", "first")
	if l := first.Limits; l.Call.FuelPerRecord != 100 || l.Call.Wall != 2*time.Second || l.OutputRecords != 7 || l.StateValueBytes != 1024 || l.Iterators != 2 || l.MetricSeries != 100 {
		t.Errorf("limits of the first: %+v", l)
	}
	want := map[string]stream.ErrorPolicy{
		"first":  {Action: stream.Skip},
		"second": {Action: stream.DeadLetter, Retries: 4},
		"third":  {Action: stream.Fail, Retries: 3},
		"fourth": {Action: stream.Fail},
	}
	for name, policy := range want {
		if diff := cmp.Diff(policy, *r.Component("guest", name).OnError, cmpopts.IgnoreFields(stream.ErrorPolicy{}, "Backoff", "MaxBackoff")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if p := r.Component("guest", "second").OnError; p.Backoff != 10*time.Millisecond {
		t.Errorf("backoff of the second: %v", p.Backoff)
	}
}

func TestWhatAComponentMayNotSay(t *testing.T) {
	for _, tt := range []struct {
		modules string
		code    errs.Code
		says    string
	}{
		{"    limits: {fuel.per.record: 5001}", errs.GuestSettings, "guest.yaml:11:14"},
		{"    limits: {memory.max.bytes: 1GiB}", errs.GuestSettings, "67108864"},
		{"    limits: {memory.max: 1}", errs.ConfigUnknownKey, "memory.max.bytes"},
		{"    limits: {fuel.max: much}", errs.ConfigInvalid, "guest.yaml:11"},
		{"    components: {c: {limits: {memory.max.bytes: 1MiB}}}", errs.GuestSettings, "limits of the module"},
		{"    components: {c: {limits: {fuel.per.record: 6000}}}", errs.GuestSettings, "5000"},
		{"    limits: {fuel.per.record: 10}\n    components: {c: {limits: {fuel.per.record: 20}}}", errs.GuestSettings, "the module allows at most 10"},
		{"    components: {c: {onError: ignore}}", errs.ConfigInvalid, "dead-letter"},
		{"    components: {c: {onError: {retries: 1000}}}", errs.ConfigInvalid, "100"},
		{"    components: {c: {onError: {tries: 1}}}", errs.ConfigUnknownKey, "retries"},
		{"    components: {c: {onerror: skip}}", errs.YAMLUnknownField, "onError"},
	} {
		cfg, err := guestDocument(t, tt.modules)
		if err == nil {
			err = cfg.Validate()
		}
		if !tt.code.Is(err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s\n%v", tt.modules, err)
		}
	}
}

func TestDeadLetterPolicyNeedsATopic(t *testing.T) {
	cfg, err := guestDocument(t, "    components: {c: {onError: dead-letter}}")
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("with a topic: %v", err)
	}
	cfg.layers[0].Values = map[string]string{"application.id": "a", "bootstrap.servers": "b:1"}
	if err := cfg.Validate(); !errs.ConfigInvalid.Is(err) {
		t.Errorf("without a topic: %v", err)
	}
}

// TestApplicationsAskTheCompiler: what an application runs is compiled by the program that the caller names, whichever
// way it is loaded, checked or run.
func TestApplicationsAskTheCompiler(t *testing.T) {
	nobody := []string{"/nonexistent/compiler"}
	path := guestFile(t, "")
	cfg, err := Load(path, LoadOptions{Compiler: nobody, Set: []string{"wasm.cache.dir=off"}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Run(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run: %v", err)
	}
	if err := cfg.Check(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("checked: %v", err)
	}
	if _, err := NewTestBench(t.Context(), cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tested: %v", err)
	}
}

// TestLimitsBeyondTheEngine: they are told where they stand.
func TestLimitsBeyondTheEngine(t *testing.T) {
	for key, values := range map[string][]string{
		"wasm.memory.max.bytes": {"4GiB", "65535"}, "wasm.stack.max.bytes": {"1GiB", "0"}, "wasm.output.max.records": {"5000000", "0"},
		"wasm.fuel.max": {"0", "10000000000000000000"}, "wasm.call.timeout.ms": {"0", "-1"}, "wasm.iterators.max": {"17"}, "wasm.state.key.max.bytes": {"2MiB"},
	} {
		for _, value := range values {
			_, err := Load(guestFile(t, ""), LoadOptions{Set: []string{key + "=" + value}})
			if err == nil {
				cfg, loading := Load(guestFile(t, ""), LoadOptions{Set: []string{key + "=" + value}})
				if err = cfg.Validate(); loading != nil {
					t.Fatal(loading)
				}
			}
			if text := fmt.Sprint(err); !errs.ConfigInvalid.Is(err) || !strings.Contains(text, key) || strings.Contains(text, "e+0") {
				t.Errorf("%s=%s: %v", key, value, err)
			}
		}
	}
}

// TestTimeoutsHoldInTests: a test is patient where nothing is said of the time of a call, and only there.
func TestTimeoutsHoldInTests(t *testing.T) {
	for _, c := range []struct {
		set, module string
		want        time.Duration
	}{
		{"wasm.fuel.max=1000000", "", time.Minute},
		{"wasm.call.timeout.ms=50", "", 50 * time.Millisecond},
		{"wasm.call.timeout.ms=2m", "", 2 * time.Minute},
		{"wasm.call.timeout.ms=300", "    limits: {call.timeout.ms: 70}", 70 * time.Millisecond},
		{"wasm.call.timeout.ms=300", "    components: {upper: {limits: {call.timeout.ms: 60}}}", 60 * time.Millisecond},
		{"wasm.fuel.max=1000000", "    limits: {call.timeout.ms: 70}", 70 * time.Millisecond},
	} {
		cfg, err := Load(guestFile(t, c.module), LoadOptions{Set: []string{c.set}})
		if err != nil {
			t.Fatal(err)
		}
		settings, err := cfg.settings()
		if err != nil {
			t.Fatal(err)
		}
		rules, err := cfg.guestRules(settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := (patientRules{rules}).Component("guest", "upper").Limits.Call.Wall; got != c.want {
			t.Errorf("%s %s: a call may take %v, want %v", c.set, c.module, got, c.want)
		}
	}
}
