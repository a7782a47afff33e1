package streamtest_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestLimits runs into each limit of a component or instance, once where the policy is to fail and once where it is to
// skip: then all other records come out.
func TestLimits(t *testing.T) {
	engine := sharedEngine(t)
	many := func(topo *dsl.KStream) *dsl.KStream { return topo.FlatMapValues(dsl.Guest("hostile", "many")) }
	probed := func(topo *dsl.KStream) *dsl.KStream {
		return topo.Process(dsl.GuestProcessor("probe", "probe"), "", "data")
	}
	limits := func(l stream.GuestLimits) rules { return rules{GuestSettings: stream.GuestSettings{Limits: l}} }
	for _, tt := range []struct {
		name, value string
		build       func(*dsl.KStream) *dsl.KStream
		rules       rules
		code        errs.Code
		says        string
	}{
		{"output records", "give 11", many, limits(stream.GuestLimits{OutputRecords: 10}), errs.GuestLimit, "11 records"},
		{"output bytes", "give 9", many, limits(stream.GuestLimits{OutputBytes: 500}), errs.GuestLimit, "500 bytes are allowed"},
		{"state value", "fill k 101", probed, limits(stream.GuestLimits{StateValueBytes: 100}), errs.GuestError, "LIMIT"},
		{"state key", "put abcdefghijk v", probed, limits(stream.GuestLimits{StateKeyBytes: 10}), errs.GuestError, "LIMIT"},
		{"fuel of the component", "spin 9000000", many, limits(stream.GuestLimits{Call: wasm.Limits{FuelMax: 1_000_000}}), errs.GuestBudget, "budget"},
		{"fuel of the instance", "spin 9000000", many, rules{instance: wasm.Limits{FuelMax: 2_000_000}}, errs.GuestBudget, "budget"},
		{"wall time of the component", "loop", many, limits(stream.GuestLimits{Call: wasm.Limits{Wall: 5 * time.Millisecond}}), errs.GuestBudget, "clock"},
		{"memory", "grow", many, rules{instance: wasm.Limits{MemoryBytes: 1 << 20}}, errs.GuestMemory, "1024 KiB are allowed"},
		{"stack", "deep", many, rules{instance: wasm.Limits{StackBytes: 1 << 20}}, errs.GuestBudget, "deep"},
	} {
		for _, action := range []stream.ErrorAction{stream.Fail, stream.Skip} {
			t.Run(fmt.Sprint(tt.name, "/", action), func(t *testing.T) {
				b := dsl.NewStreamsBuilder()
				b.AddStateStore(topology.StoreSpec{Name: "data", Kind: topology.KeyValue})
				tt.build(b.Stream("in")).To("out")
				topo, err := b.Build()
				if err != nil {
					t.Fatal(err)
				}
				tt.rules.OnError = &stream.ErrorPolicy{Action: action}
				d, err := streamtest.New(topo, streamtest.Config{
					Modules: map[string][]byte{"hostile": hostile(t), "probe": probe(t)}, Engine: engine, FrameSize: 10, Guests: tt.rules,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = d.Close() }()
				err = d.PipeAll("in", streamtest.Record{Value: []byte("get a")}, streamtest.Record{Value: []byte(tt.value)}, streamtest.Record{Value: []byte("get b")})
				if action == stream.Fail {
					if !tt.code.Is(err) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "in-0@1:") {
						t.Errorf("the error: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if dropped := d.Metrics().Dropped.Load(); dropped != 1 {
					t.Errorf("%d records dropped, want 1", dropped)
				}
			})
		}
	}
}

func TestFloodOfLogIsDroppedAndCounted(t *testing.T) {
	b := dsl.NewStreamsBuilder()
	b.Stream("in").MapValues(dsl.Guest("hostile", "echo")).To("out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d, err := streamtest.New(topo, streamtest.Config{
		Modules: map[string][]byte{"hostile": hostile(t)}, Guests: rules{instance: wasm.Limits{LogLinesPerSecond: 10}},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Pipe("in", nil, []byte("flood 500"), 0); err != nil {
		t.Fatal(err)
	}
	if dropped := d.Metrics().Guests()[0].LogDropped.Load(); dropped < 400 {
		t.Errorf("%d lines dropped of 500, at 10 a second", dropped)
	}
}

// TestGuestIsNotReentered has a guest write to a store without room in its cache: what it writes is forwarded at once,
// by the count that reads the store, to the guest itself.
func TestGuestIsNotReentered(t *testing.T) {
	topo := topology.New()
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddSource("other", topology.SourceOptions{}, "other"),
		topo.AddProcessor("count", dsl.Count{Store: "ledger"}, "other"),
		topo.AddProcessor("ledger", dsl.GuestProcessor("hostile", "ledger"), "source", "count"),
		topo.AddStateStore(&topology.StoreSpec{Name: "ledger", Kind: topology.TimestampedKeyValue, CachingEnabled: true}, "count", "ledger"),
		topo.AddSink("out", "out", topology.SinkOptions{}, "ledger"),
	); err != nil {
		t.Fatal(err)
	}
	d, err := streamtest.New(topo, streamtest.Config{Modules: map[string][]byte{"hostile": hostile(t)}, CacheBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Pipe("in", []byte("k"), []byte("work"), 0); !errs.GuestUnsupported.Is(err) {
		t.Errorf("the error: %v", err)
	}
}
