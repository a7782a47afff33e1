//go:build !race && !invariants

// Under the race detector and with invariants stores lend copies, which are allocations.

package stream

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// functions are one user function of each kind, in Go or of a guest.
type functions struct {
	filter, mapValues, mapper, key, flatMap, flatMapValues dsl.Fn
	aggregator, reducer, joiner, merger, initializer       dsl.Fn
}

func nativeFunctions() functions {
	keep := dsl.NativeMapper(func(*topology.Record) error { return nil })
	first := dsl.NativeMapper(func(r *topology.Record) error { r.Value = r.Key; return nil })
	swap := dsl.NativeMapper(func(r *topology.Record) error { r.Key, r.Value = r.Value, r.Key; return nil })
	key := dsl.NativeMapper(func(r *topology.Record) error { r.Key = r.Value; return nil })
	second := dsl.NativeMapper(func(r *topology.Record) error {
		if r.Extra != nil {
			r.Value = r.Extra.Second
		}
		return nil
	})
	return functions{
		filter:    dsl.NativePredicate(func(r *topology.Record) bool { return len(r.Value)&1 == 1 }),
		mapValues: keep, mapper: swap, key: key, flatMap: keep, flatMapValues: keep,
		aggregator: first, reducer: second, joiner: second, merger: first, initializer: dsl.NativeMapper(func(r *topology.Record) error {
			r.Value = []byte{} // of no memory
			return nil
		}),
	}
}

func guestFunctions() functions {
	probe := func(component string) dsl.Fn { return dsl.Guest("probe", component) }
	return functions{
		filter: probe("odd-length"), mapValues: dsl.Guest("mapvalues", "upper"), mapper: probe("swap"), key: probe("value-as-key"),
		flatMap: probe("twice"), flatMapValues: dsl.Guest("wordcount", "split-words"),
		aggregator: probe("aggregate"), reducer: probe("reduce"), joiner: probe("join"), merger: probe("merge"), initializer: probe("zero"),
	}
}

// operator is one of the DSL's, over the topic in, or in and other.
type operator struct {
	name     string
	stateful bool
	build    func(b *dsl.StreamsBuilder, f functions)
}

func statelessOperators() []operator {
	over := func(name string, build func(s *dsl.KStream, f functions)) operator {
		return operator{name, false, func(b *dsl.StreamsBuilder, f functions) { build(b.Stream("in"), f) }}
	}
	return []operator{
		over("filter", func(s *dsl.KStream, f functions) { s.Filter(f.filter).To("out") }),
		over("filterNot", func(s *dsl.KStream, f functions) { s.FilterNot(f.filter).To("out") }),
		over("mapValues", func(s *dsl.KStream, f functions) { s.MapValues(f.mapValues).To("out") }),
		over("map", func(s *dsl.KStream, f functions) { s.Map(f.mapper).To("out") }),
		over("selectKey", func(s *dsl.KStream, f functions) { s.SelectKey(f.key).To("out") }),
		over("flatMap", func(s *dsl.KStream, f functions) { s.FlatMap(f.flatMap).To("out") }),
		over("flatMapValues", func(s *dsl.KStream, f functions) { s.FlatMapValues(f.flatMapValues).To("out") }),
		over("split", func(s *dsl.KStream, f functions) {
			branches := s.Split().Branch(f.filter).DefaultBranch()
			for _, branch := range branches {
				branch.To("out")
			}
		}),
		over("merge", func(s *dsl.KStream, f functions) { s.Filter(f.filter).Merge(s.FilterNot(f.filter)).To("out") }),
	}
}

func statefulOperators() []operator {
	tumbling := dsl.TimeWindowsOfSizeWithNoGrace(2 * time.Second)
	sliding := dsl.SlidingWindowsOfTimeDifferenceWithNoGrace(500 * time.Millisecond)
	session := dsl.SessionWindowsOfInactivityGapWithNoGrace(500 * time.Millisecond)
	within := dsl.JoinWindowsOfTimeDifferenceWithNoGrace(time.Second)
	grouped := func(name string, build func(g *dsl.KGroupedStream, f functions) *dsl.KTable) operator {
		return operator{name, true, func(b *dsl.StreamsBuilder, f functions) { build(b.Stream("in").GroupByKey(), f).ToStream().To("out") }}
	}
	streams := func(name string, build func(left, right *dsl.KStream, f functions) *dsl.KStream) operator {
		return operator{name, true, func(b *dsl.StreamsBuilder, f functions) { build(b.Stream("in"), b.Stream("other"), f).To("out") }}
	}
	tables := func(name string, build func(left, right *dsl.KTable, f functions) *dsl.KTable) operator {
		return operator{name, true, func(b *dsl.StreamsBuilder, f functions) {
			build(b.Table("in"), b.Table("other"), f).ToStream().To("out")
		}}
	}
	return []operator{
		grouped("count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.Count() }),
		grouped("reduce", func(g *dsl.KGroupedStream, f functions) *dsl.KTable { return g.Reduce(f.reducer) }),
		grouped("aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable { return g.Aggregate(f.initializer, f.aggregator) }),
		grouped("cogroup", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.Cogroup(f.aggregator).Aggregate(f.initializer)
		}),
		grouped("tumbling count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBy(tumbling).Count() }),
		grouped("tumbling aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBy(tumbling).Aggregate(f.initializer, f.aggregator)
		}),
		grouped("sliding count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBy(sliding).Count() }),
		grouped("session count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBySessions(session).Count() }),
		grouped("session aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBySessions(session).Aggregate(f.initializer, f.aggregator, f.merger)
		}),
		streams("stream-stream join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.Join(r, f.joiner, within) }),
		streams("stream-stream left join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.LeftJoin(r, f.joiner, within) }),
		streams("stream-table join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.JoinTable(r.ToTable(), f.joiner) }),
		tables("table join", func(l, r *dsl.KTable, f functions) *dsl.KTable { return l.Join(r, f.joiner) }),
		tables("table outer join", func(l, r *dsl.KTable, f functions) *dsl.KTable { return l.OuterJoin(r, f.joiner) }),
		tables("table filter", func(l, _ *dsl.KTable, f functions) *dsl.KTable { return l.Filter(f.filter) }),
		tables("table mapValues", func(l, _ *dsl.KTable, f functions) *dsl.KTable { return l.MapValues(f.mapValues) }),
	}
}

// compiledModules compiles each module once.
type compiledModules struct {
	files    moduleFiles
	compiled map[string]*wasm.Module
}

func (m compiledModules) Module(name string) (*wasm.Module, error) {
	if c := m.compiled[name]; c != nil {
		return c, nil
	}
	c, err := m.files.Module(name)
	m.compiled[name] = c
	return c, err
}

// operatorTask is a task of one operator with its stores on a disk in memory, fed by rounds.
type operatorTask struct {
	task    *Task
	db      *state.DB
	stores  []state.TransactionalStore
	inputs  []topology.TopicPartition
	records []kgo.Record
	batch   []*kgo.Record
	offset  int64
}

const (
	operatorKeys  = 250
	operatorRound = 1000 // records of each topic
)

func newOperatorTask(t testing.TB, modules Modules, o operator, f functions) *operatorTask {
	t.Helper()
	b := dsl.NewStreamsBuilder()
	o.build(b, f)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sub := topo.Subtopologies("bench")[0]
	w := &operatorTask{records: make([]kgo.Record, operatorRound), batch: make([]*kgo.Record, operatorRound)}
	if w.db, err = state.OpenDB("db", state.Options{FS: vfs.NewMem()}); err != nil {
		t.Fatal(err)
	}
	c := TaskConfig{ApplicationID: "bench", Subtopology: sub, Collector: &discard{}, Modules: modules, Stores: map[string]state.Store{}}
	for _, topic := range sub.SourceTopics {
		w.inputs = append(w.inputs, topology.TopicPartition{Topic: topic})
	}
	c.Inputs = w.inputs
	for _, spec := range sub.Stores {
		config, err := StoreConfig(spec)
		if err != nil {
			t.Fatal(err)
		}
		config.ID = state.StoreID{Task: "0_0", Store: spec.Name}
		s, err := w.db.NewStore(config)
		if err != nil {
			t.Fatal(err)
		}
		w.stores, c.Stores[spec.Name] = append(w.stores, s), s
	}
	if w.task, err = NewTask(c); err == nil {
		err = w.task.Init(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.task.Close(CloseShutdown), w.db.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// round has the task take a second's records of each topic, and commits.
func (w *operatorTask) round() error {
	for _, input := range w.inputs {
		for i := range w.records {
			r := &w.records[i]
			r.Topic, r.Offset, r.Timestamp = input.Topic, w.offset+int64(i), time.UnixMilli(w.offset+int64(i))
			w.batch[i] = r
		}
		// A task keeps what it was given: each topic has records of its own.
		if err := w.task.AddRecords(input, w.batch, w.offset+operatorRound); err != nil {
			return err
		}
		for n := 1; n > 0; {
			var err error
			if n, err = w.task.Process(0, math.MaxInt); err != nil {
				return err
			}
		}
	}
	w.offset += operatorRound
	return w.commit()
}

func (w *operatorTask) commit() error {
	b := w.db.NewBatch()
	for _, s := range w.stores {
		if err := errors.Join(s.Flush(), s.Stage(b)); err != nil {
			return err
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	w.task.PostCommit()
	return nil
}

func (w *operatorTask) fill() {
	for i := range w.records {
		w.records[i] = kgo.Record{Key: fmt.Appendf(nil, "key-%04d", i%operatorKeys), Value: fmt.Appendf(nil, "value %060d", i*1234567)[:60+i%2]}
	}
}

// eachOperator calls f for each operator with functions in Go and with those of guests.
func eachOperator(t testing.TB, f func(name string, o operator, w func() *operatorTask)) {
	modules := compiledModules{exampleModules(t), map[string]*wasm.Module{}}
	for _, o := range append(statelessOperators(), statefulOperators()...) {
		for name, fns := range map[string]functions{"native": nativeFunctions(), "guest": guestFunctions()} {
			f(o.name+"/"+name, o, func() *operatorTask {
				w := newOperatorTask(t, modules, o, fns)
				w.fill()
				return w
			})
		}
	}
}

// TestOperatorsAllocateNothingPerRecord holds that a record costs no allocation in stateless operators, and one at most in those
// with stores, whoever's the function is.
func TestOperatorsAllocateNothingPerRecord(t *testing.T) {
	eachOperator(t, func(name string, o operator, open func() *operatorTask) {
		w := open()
		round := func() {
			if err := w.round(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 3 { // grows the buffers
			round()
		}
		per := testing.AllocsPerRun(4, round) / float64(operatorRound*len(w.inputs))
		t.Logf("%-32s %.3f", name, per)
		most := 0.1 // for frames, chunks of bytes and commits
		if o.stateful {
			most++
		}
		if per > most {
			t.Errorf("%s: %.2f allocations a record", name, per)
		}
	})
}

// BenchmarkEachOperator measures a record's way through each operator, its commit included.
func BenchmarkEachOperator(b *testing.B) {
	eachOperator(b, func(name string, _ operator, open func() *operatorTask) {
		b.Run(name, func(b *testing.B) {
			w := open()
			b.ReportAllocs()
			records := 0
			for b.Loop() {
				if err := w.round(); err != nil {
					b.Fatal(err)
				}
				records += operatorRound * len(w.inputs)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
		})
	})
}
