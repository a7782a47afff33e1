package dsl_test

import (
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// hotOperators are the operators with native functions that make nothing new, so that what is measured is theirs.
func hotOperators(t testing.TB) map[string]topology.Processor {
	keep := dsl.NativeMapper(func(*topology.Record) error { return nil })
	half := dsl.NativePredicate(func(r *topology.Record) bool { return r.Key[0]&1 == 0 })
	ops := map[string]topology.ProcessorSupplier{
		"filter":          supplier(t, func(s *dsl.KStream) { s.Filter(half) }),
		"mapValues":       supplier(t, func(s *dsl.KStream) { s.MapValues(keep) }),
		"flatMapValues":   supplier(t, func(s *dsl.KStream) { s.FlatMapValues(keep) }),
		"map":             supplier(t, func(s *dsl.KStream) { s.Map(keep) }),
		"selectKey value": supplier(t, func(s *dsl.KStream) { s.SelectKey(dsl.Expr("value")) }),
		"branch":          branchSupplier(true),
		"notNullKey":      dsl.NotNullKey{},
		"toStream":        dsl.ToStream{},
		"count":           dsl.Count{Store: "counts"},
	}
	all := map[string]topology.Processor{}
	for name, s := range ops {
		if name == "branch" {
			continue // asks an expression, which allocates
		}
		ctx := &testContext{stores: map[string]state.Store{"counts": countStore(t, 0)}}
		all[name] = start(t, s, ctx)
	}
	return all
}

func hotFrame() []topology.Record {
	frame := make([]topology.Record, 100)
	for i := range frame {
		frame[i] = topology.Record{Key: []byte(fmt.Sprintf("%ckey-%d", 'a'+i%2, i)), Value: make([]byte, 100), Timestamp: int64(i)}
	}
	return frame
}

// TestAllocations: no operator allocates per record.
func TestAllocations(t *testing.T) {
	frame := hotFrame()
	for name, p := range hotOperators(t) {
		per := testing.AllocsPerRun(200, func() {
			if err := p.Process(frame); err != nil {
				t.Fatal(err)
			}
		})
		if per > 1 { // of a hundred records: a chunk of the arena now and then
			t.Errorf("%s: %v allocations for a frame of %d", name, per, len(frame))
		}
	}
}

func BenchmarkOperators(b *testing.B) {
	for name, p := range hotOperators(b) {
		frame := hotFrame()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n += len(frame) {
				if err := p.Process(frame); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(frame)), "ns/record")
		})
	}
}

func BenchmarkExpressions(b *testing.B) {
	for _, source := range []string{"value", "'constant'", "value + '!'", "value.size() > 10 ? value : key"} {
		p := start(b, supplier(b, func(s *dsl.KStream) { s.MapValues(dsl.Expr(source)) }), &testContext{})
		frame := hotFrame()
		b.Run(source, func(b *testing.B) {
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
