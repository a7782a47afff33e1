//go:build !race && !invariants

// Under the race detector and with invariants stores lend copies, which are allocations.

package stream

import (
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/host/wasm"
)

// eachOperator calls f for each operator with functions in Go and with those of guests.
func eachOperator(t testing.TB, f func(name string, o operator, open func() *operatorRig)) {
	modules := compiledModules{exampleModules(t), map[string]*wasm.Module{}}
	for _, o := range append(statelessOperators(), statefulOperators()...) {
		for name, fns := range map[string]functions{"native": nativeFunctions(), "guest": guestFunctions()} {
			f(o.name+"/"+name, o, func() *operatorRig { return newOperatorRig(t, modules, o, fns) })
		}
	}
}

// TestOperatorsAllocateNothingPerRecord holds that a record costs no allocation in stateless operators, and one at most in those
// with stores, whoever's the function is.
func TestOperatorsAllocateNothingPerRecord(t *testing.T) {
	eachOperator(t, func(name string, o operator, open func() *operatorRig) {
		w := open()
		round := func() {
			if err := w.round(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 2 { // grows the buffers
			round()
		}
		w.time += time.Minute.Milliseconds()
		round() // deletes what has expired: the reads after it have deleted ranges beside them
		per := testing.AllocsPerRun(2, round) / float64(operatorRound*len(w.topics))
		t.Logf("%-40s %.3f", name, per)
		most := 0.15 // for frames, chunks of bytes and commits
		if per > most+float64(o.walks) {
			t.Errorf("%s: %.2f allocations a record", name, per)
		}
		if len(w.inner) > 0 && w.out == 0 {
			t.Errorf("%s: nothing came through", name)
		}
	})
}

// BenchmarkEachOperator measures a record's way through each operator, its commit included.
func BenchmarkEachOperator(b *testing.B) {
	eachOperator(b, func(name string, _ operator, open func() *operatorRig) {
		b.Run(name, func(b *testing.B) {
			w := open()
			b.ReportAllocs()
			records := 0
			for b.Loop() {
				if err := w.round(); err != nil {
					b.Fatal(err)
				}
				records += operatorRound * len(w.topics)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
		})
	})
}
