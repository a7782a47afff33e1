//go:build !race && !invariants

package stream

import (
	"io"
	"slices"
	"time"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// functions are one user function of each kind, in Go or of a guest.
type functions struct {
	filter, mapValues, mapper, key, flatMap, flatMapValues, foreach dsl.Fn
	aggregator, reducer, joiner, merger, initializer                dsl.Fn
	topic, partitioner, timestamps, serializer, deserializer        dsl.Fn
	processor                                                       topology.ProcessorSupplier
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
	partitions := []int32{0}
	return functions{
		foreach:   dsl.Native(func(_, out []topology.Record) ([]topology.Record, error) { return out, nil }),
		filter:    dsl.NativePredicate(func(r *topology.Record) bool { return len(r.Value)&1 == 1 }),
		mapValues: keep, mapper: swap, key: key, flatMap: keep, flatMapValues: keep, topic: first, serializer: keep, deserializer: keep,
		partitioner: dsl.NativePartitioner(func(string, *topology.Record, int32) []int32 { return partitions }),
		timestamps:  dsl.NativeTimestamps(func(r *topology.Record, _ int64) int64 { return r.Timestamp }),
		processor:   passOn{},
		aggregator:  first, reducer: second, joiner: second, merger: first, initializer: dsl.NativeMapper(func(r *topology.Record) error {
			r.Value = []byte{} // of no memory
			return nil
		}),
	}
}

func guestFunctions() functions {
	probe := func(component string) dsl.Fn { return dsl.Guest("probe", component) }
	return functions{
		filter: probe("odd-length"), mapValues: dsl.Guest("mapvalues", "upper"), mapper: probe("swap"), key: probe("value-as-key"),
		flatMap: probe("twice"), flatMapValues: dsl.Guest("wordcount", "split-words"), foreach: probe("nothing"), topic: probe("topic"),
		partitioner: probe("partition"), timestamps: probe("later"), serializer: probe("form"), deserializer: probe("other-form"),
		processor:  dsl.GuestProcessor("probe", "probe"),
		aggregator: probe("aggregate"), reducer: probe("reduce"), joiner: probe("join"), merger: probe("merge"), initializer: probe("zero"),
	}
}

// passOn is a processor that forwards what it gets.
type passOn struct{ ctx topology.Context }

func (passOn) New() (topology.Processor, error)         { return &passOn{}, nil }
func (p *passOn) Init(ctx topology.Context) error       { p.ctx = ctx; return nil }
func (p *passOn) Process(frame []topology.Record) error { return p.ctx.Forward(frame) }
func (p *passOn) Close() error                          { return nil }

// operator is one of the DSL's, over the topic in, or in and other. Its functions are those of the DSL's users.
type operator struct {
	name string
	// walks: it may walk over its store for a record, with an iterator.
	walks int
	// valueKeys: the keys of the topic other are the values of the topic in.
	valueKeys bool
	build     func(b *dsl.StreamsBuilder, f functions)
}

func statelessOperators() []operator {
	over := func(name string, build func(s *dsl.KStream, f functions)) operator {
		return operator{name: name, build: func(b *dsl.StreamsBuilder, f functions) { build(b.Stream("in"), f) }}
	}
	return []operator{
		{name: "stream", build: func(b *dsl.StreamsBuilder, f functions) {
			b.Stream("in", dsl.Consumed{Timestamps: f.timestamps, ValueDeserializer: f.deserializer}).To("out", dsl.Produced{Partitioner: f.partitioner, ValueSerializer: f.serializer})
		}},
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
		over("peek", func(s *dsl.KStream, f functions) { s.Peek(f.foreach).To("out") }),
		over("foreach", func(s *dsl.KStream, f functions) { s.Foreach(f.foreach) }),
		over("print", func(s *dsl.KStream, f functions) { s.Print(dsl.Printed{To: io.Discard, Mapper: f.mapValues}) }),
		over("repartition", func(s *dsl.KStream, f functions) { s.SelectKey(f.key).Repartition().To("out") }),
		over("to extracted", func(s *dsl.KStream, f functions) { s.ToExtracted(f.topic) }),
		over("merge", func(s *dsl.KStream, f functions) { s.Filter(f.filter).Merge(s.FilterNot(f.filter)).To("out") }),
	}
}

// operatorWindows are the windows of the stateful operators: a round is a second.
var (
	tumbling = dsl.TimeWindowsOfSizeWithNoGrace(2 * time.Second)
	hopping  = dsl.TimeWindowsOfSizeWithNoGrace(2 * time.Second).AdvanceBy(time.Second)
	sliding  = dsl.SlidingWindowsOfTimeDifferenceWithNoGrace(500 * time.Millisecond)
	sessions = dsl.SessionWindowsOfInactivityGapWithNoGrace(500 * time.Millisecond)
	joining  = dsl.JoinWindowsOfTimeDifferenceWithNoGrace(time.Second)
)

func statefulOperators() []operator {
	return slices.Concat(groupedOperators(), windowedOperators(), streamJoins(), tableOperators(), tableJoins(), processors())
}

// grouped is an operator over the stream in, grouped by its keys.
func grouped(name string, build func(g *dsl.KGroupedStream, f functions) *dsl.KTable) operator {
	return operator{name: name, walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
		build(b.Stream("in").GroupByKey(), f).ToStream().To("out")
	}}
}

func groupedOperators() []operator {
	return []operator{
		grouped("count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.Count() }),
		grouped("reduce", func(g *dsl.KGroupedStream, f functions) *dsl.KTable { return g.Reduce(f.reducer) }),
		grouped("aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable { return g.Aggregate(f.initializer, f.aggregator) }),
		grouped("cogroup", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.Cogroup(f.aggregator).Aggregate(f.initializer)
		}),
		{name: "groupBy", walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			b.Stream("in").GroupBy(f.key).Count().ToStream().To("out")
		}},
		grouped("suppress until a time limit", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable {
			return g.Count().Suppress(dsl.UntilTimeLimit(500*time.Millisecond, dsl.MaxRecords(100)))
		}),
		grouped("suppress until a window closes", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBy(tumbling).Reduce(f.reducer).Suppress(dsl.UntilWindowCloses(dsl.Unbounded()))
		}),
	}
}

func windowedOperators() []operator {
	return []operator{
		grouped("tumbling count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBy(tumbling).Count() }),
		grouped("tumbling count on close", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable {
			return g.WindowedBy(tumbling).EmitStrategy(dsl.OnWindowClose).Count()
		}),
		grouped("tumbling reduce", func(g *dsl.KGroupedStream, f functions) *dsl.KTable { return g.WindowedBy(tumbling).Reduce(f.reducer) }),
		grouped("tumbling aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBy(tumbling).Aggregate(f.initializer, f.aggregator)
		}),
		grouped("tumbling cogroup", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.Cogroup(f.aggregator).WindowedBy(tumbling).Aggregate(f.initializer)
		}),
		grouped("hopping count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBy(hopping).Count() }),
		grouped("sliding count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBy(sliding).Count() }),
		grouped("sliding aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBy(sliding).Aggregate(f.initializer, f.aggregator)
		}),
		grouped("session count", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable { return g.WindowedBySessions(sessions).Count() }),
		grouped("session count on close", func(g *dsl.KGroupedStream, _ functions) *dsl.KTable {
			return g.WindowedBySessions(sessions).EmitStrategy(dsl.OnWindowClose).Count()
		}),
		grouped("session reduce", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBySessions(sessions).Reduce(f.reducer)
		}),
		grouped("session aggregate", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.WindowedBySessions(sessions).Aggregate(f.initializer, f.aggregator, f.merger)
		}),
		grouped("session cogroup", func(g *dsl.KGroupedStream, f functions) *dsl.KTable {
			return g.Cogroup(f.aggregator).WindowedBySessions(sessions).Aggregate(f.initializer, f.merger)
		}),
	}
}

func streamJoins() []operator {
	streams := func(name string, build func(left, right *dsl.KStream, f functions) *dsl.KStream) operator {
		return operator{name: name, walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			build(b.Stream("in"), b.Stream("other"), f).To("out")
		}}
	}
	second := time.Second
	return []operator{
		streams("stream-stream join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.Join(r, f.joiner, joining) }),
		streams("stream-stream left join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.LeftJoin(r, f.joiner, joining) }),
		streams("stream-stream outer join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.OuterJoin(r, f.joiner, joining) }),
		{name: "self join", walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			b.Optimize("all")
			s := b.Stream("in")
			s.Join(s, f.joiner, dsl.JoinWindowsOfTimeDifferenceWithNoGrace(100*time.Millisecond)).To("out")
		}},
		streams("stream-table join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.JoinTable(r.ToTable(), f.joiner) }),
		streams("stream-table left join", func(l, r *dsl.KStream, f functions) *dsl.KStream { return l.LeftJoinTable(r.ToTable(), f.joiner) }),
		{name: "stream-table join with grace", walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			table := b.Table("other", dsl.Materialized{Name: "versions", Versioned: true, HistoryRetention: 2 * time.Second})
			b.Stream("in").JoinTable(table, f.joiner, dsl.Joined{Grace: &second}).To("out")
		}},
		{name: "stream-global table join", walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			b.Stream("in").JoinGlobalTable(b.GlobalTable("global"), f.key, f.joiner).To("out")
		}},
		{name: "stream-global table left join", walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			b.Stream("in").LeftJoinGlobalTable(b.GlobalTable("global"), f.key, f.joiner).To("out")
		}},
	}
}

// tabled is an operator over the table in.
func tabled(name string, build func(t *dsl.KTable, f functions) *dsl.KTable) operator {
	return operator{name: name, walks: 1, build: func(b *dsl.StreamsBuilder, f functions) { build(b.Table("in"), f).ToStream().To("out") }}
}

func tableOperators() []operator {
	return []operator{
		tabled("table", func(t *dsl.KTable, _ functions) *dsl.KTable { return t }),
		{name: "versioned table", walks: 1, build: func(b *dsl.StreamsBuilder, _ functions) {
			b.Table("in", dsl.Materialized{Name: "versions", Versioned: true, HistoryRetention: 2 * time.Second}).ToStream().To("out")
		}},
		{name: "toTable", walks: 1, build: func(b *dsl.StreamsBuilder, _ functions) { b.Stream("in").ToTable().ToStream().To("out") }},
		tabled("table filter", func(t *dsl.KTable, f functions) *dsl.KTable { return t.Filter(f.filter) }),
		tabled("table filterNot", func(t *dsl.KTable, f functions) *dsl.KTable { return t.FilterNot(f.filter) }),
		tabled("table mapValues", func(t *dsl.KTable, f functions) *dsl.KTable { return t.MapValues(f.mapValues) }),
		tabled("table mapValues, materialized", func(t *dsl.KTable, f functions) *dsl.KTable {
			return t.MapValues(f.mapValues, dsl.Materialized{Name: "mapped"})
		}),
		tabled("table transformValues", func(t *dsl.KTable, f functions) *dsl.KTable { return t.TransformValues(f.mapValues, nil) }),
		tabled("table count", func(t *dsl.KTable, f functions) *dsl.KTable { return t.GroupBy(f.mapper).Count() }),
		tabled("table reduce", func(t *dsl.KTable, f functions) *dsl.KTable { return t.GroupBy(f.mapper).Reduce(f.reducer, f.reducer) }),
		tabled("table aggregate", func(t *dsl.KTable, f functions) *dsl.KTable {
			return t.GroupBy(f.mapper).Aggregate(f.initializer, f.aggregator, f.aggregator)
		}),
	}
}

func tableJoins() []operator {
	tables := func(name string, build func(left, right *dsl.KTable, f functions) *dsl.KTable) operator {
		return operator{name: name, walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			build(b.Table("in"), b.Table("other"), f).ToStream().To("out")
		}}
	}
	foreign := func(name string, build func(left, right *dsl.KTable, f functions) *dsl.KTable) operator {
		o := tables(name, build)
		o.valueKeys = true
		return o
	}
	return []operator{
		tables("table join", func(l, r *dsl.KTable, f functions) *dsl.KTable { return l.Join(r, f.joiner) }),
		tables("table left join", func(l, r *dsl.KTable, f functions) *dsl.KTable { return l.LeftJoin(r, f.joiner) }),
		tables("table outer join", func(l, r *dsl.KTable, f functions) *dsl.KTable { return l.OuterJoin(r, f.joiner) }),
		foreign("foreign-key join", func(l, r *dsl.KTable, f functions) *dsl.KTable {
			return l.JoinForeignKey(r, f.key, f.joiner, dsl.TableJoined{})
		}),
		foreign("foreign-key left join", func(l, r *dsl.KTable, f functions) *dsl.KTable {
			return l.LeftJoinForeignKey(r, f.key, f.joiner, dsl.TableJoined{})
		}),
	}
}

// processors are those of users, connected to the stores that the guest wants.
func processors() []operator {
	over := func(name string, process func(s *dsl.KStream, f functions) *dsl.KStream) operator {
		return operator{name: name, walks: 1, build: func(b *dsl.StreamsBuilder, f functions) {
			b.AddStateStore(topology.StoreSpec{Name: "data"}).AddStateStore(topology.StoreSpec{Name: "other"})
			process(b.Stream("in"), f).To("out")
		}}
	}
	return []operator{
		over("process", func(s *dsl.KStream, f functions) *dsl.KStream { return s.Process(f.processor, "", "data", "other") }),
	}
}
