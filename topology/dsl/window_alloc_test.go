package dsl_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// windowedContext is a task with stores for the operators of windows and joins.
func windowedContext(t testing.TB) *testContext {
	t.Helper()
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &testContext{stores: map[string]state.Store{}}
	for name, s := range map[string]state.StoreConfig{
		"windows":  {Kind: state.WindowKind, Format: state.Timestamped, Retention: 1 << 40},
		"sessions": {Kind: state.SessionKind, Retention: 1 << 40},
		"left":     {Kind: state.WindowKind, RetainDuplicates: true, Retention: 1 << 40},
		"right":    {Kind: state.WindowKind, RetainDuplicates: true, Retention: 1 << 40},
		"outer":    {},
		"values":   {Format: state.Timestamped},
	} {
		s.ID, s.InMemory = state.StoreID{Task: "0_0", Store: name}, true
		opened, err := db.NewStore(s)
		if err != nil {
			t.Fatal(err)
		}
		c.stores[name] = opened
	}
	t.Cleanup(func() { _ = db.Close() })
	return c
}

// windowOperators are the stateful operators with functions that make nothing new.
func windowOperators(t testing.TB) map[string]topology.Processor {
	keep := &dsl.Call{Fn: dsl.NativeMapper(func(*topology.Record) error { return nil })}
	counts := dsl.Aggregation{Count: true}
	windows := dsl.JoinWindows{BeforeMs: 1, AfterMs: 1}
	all := map[string]topology.Processor{}
	for name, s := range map[string]topology.ProcessorSupplier{
		"tumbling count": &dsl.WindowAggregate{Aggregation: counts, Windows: dsl.WindowSpec{SizeMs: 10, AdvanceMs: 10}, Store: "windows"},
		"reduce":         &dsl.Aggregate{Aggregation: dsl.Aggregation{Reducer: keep}, Store: "values"},
		"session count":  &dsl.SessionAggregate{Aggregation: counts, Windows: dsl.SessionWindows{InactivityGapMs: 5}, Store: "sessions"},
		"stream join":    dsl.StreamJoin{Joiner: *keep, Windows: windows, OtherStore: "left", OuterStore: "outer", Join: "j"},
	} {
		all[name] = start(t, s, windowedContext(t))
	}
	return all
}

// TestWindowAllocations: at most one allocation for a record in stateful operators, once their windows are there.
func TestWindowAllocations(t *testing.T) {
	frame := hotFrame()
	for name, p := range windowOperators(t) {
		per := testing.AllocsPerRun(50, func() {
			if err := p.Process(frame); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%s: %.2f allocations per record", name, per/float64(len(frame)))
		if per > float64(len(frame)) {
			t.Errorf("%s: %v allocations for a frame of %d", name, per, len(frame))
		}
	}
}

func BenchmarkWindowOperators(b *testing.B) {
	for name, p := range windowOperators(b) {
		frame := hotFrame()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Process(frame); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(frame)), "ns/record")
		})
	}
}

// TestFinalsAreNotLost: a jump of stream time by far more than the store keeps, and a throttle, lose no final result.
func TestFinalsAreNotLost(t *testing.T) {
	for name, s := range map[string]topology.ProcessorSupplier{
		"time":     &dsl.WindowAggregate{Aggregation: dsl.Aggregation{Count: true}, Windows: dsl.WindowSpec{SizeMs: 10, AdvanceMs: 10}, Store: "s", Emit: dsl.OnWindowClose},
		"sessions": &dsl.SessionAggregate{Aggregation: dsl.Aggregation{Count: true}, Windows: dsl.SessionWindows{InactivityGapMs: 10}, Store: "s", Emit: dsl.OnWindowClose},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			c := state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "s"}, Kind: state.WindowKind, Format: state.Timestamped, Retention: 10, TimeOrdered: true}
			if name == "sessions" {
				c.Kind, c.Format = state.SessionKind, state.Plain
			}
			store, err := db.NewStore(c)
			if err != nil {
				t.Fatal(err)
			}
			ctx := newContext()
			ctx.stores = map[string]state.Store{"s": store}
			p := start(t, s, ctx)
			var emitted int
			for _, at := range []string{"1", "2", "15", "1000", "1001", "500000", "500020"} {
				if err := p.Process(records("a=x@" + at)); err != nil {
					t.Fatal(err)
				}
			}
			emitted = len(ctx.sent)
			if want := map[string]int{"time": 4, "sessions": 4}[name]; emitted != want {
				t.Errorf("%d final results, want %d", emitted, want)
			}
		})
	}
}
