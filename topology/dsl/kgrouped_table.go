package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// KGroupedTable is a table whose rows were given other keys and that waits for an aggregation.
type KGroupedTable struct {
	b       *StreamsBuilder
	node    *graphNode
	grouped Grouped
	// repartition is that of a named grouping, shared by all its aggregations.
	repartition *tableRepartition
}

// GroupBy gives each row the key and value that fn, a function of the kind map, answers, and groups by the key. Rows for
// which either is null are in no group. The aggregation afterwards repartitions.
func (t *KTable) GroupBy(fn Fn, o ...Grouped) *KGroupedTable {
	g := first(o)
	if fn.OutKey == "" {
		fn.OutKey = serdeName(g.Key)
	}
	if fn.OutValue == "" {
		fn.OutValue = serdeName(g.Value)
	}
	name := t.b.nodeName(Named(g.Name), tableSelectName)
	c, out := t.b.place(expr.Map, fn, t.types())
	g.Key, g.Value = cmp.Or(g.Key, out.Key), cmp.Or(g.Value, out.Value)
	supplier := TableGroupBy{Call: c}
	n := &graphNode{name: name, lower: func(top *topology.Topology, up []string) error {
		return top.AddProcessor(name, supplier, up...)
	}}
	n.versionedFrom = func(*graphNode) { supplier.Versioned = true }
	t.b.addGraphNode(n, t.node)
	t.sendOld(true)
	return &KGroupedTable{b: t.b, node: n, grouped: g}
}

// Count counts the rows of each group, in a table of longs.
func (g *KGroupedTable) Count(o ...Materialized) *KTable {
	m := first(o)
	store := g.storeName(m)
	m.Value = cmp.Or(m.Value, topology.Long)
	return g.aggregate(m, store, tableAggregateName, &TableAggregate{Store: store, Count: true})
}

// Reduce combines the values of each group by adder, and takes out those that leave it by subtractor; both are asked
// about the aggregate and a value.
func (g *KGroupedTable) Reduce(adder, subtractor Fn, o ...Materialized) *KTable {
	m := first(o)
	store := g.storeName(m)
	m.Value = cmp.Or(m.Value, g.grouped.Value)
	a := aggregation{b: g.b, key: g.grouped.Key, value: g.grouped.Value, aggregate: m.Value}
	return g.aggregate(m, store, tableReduceName, &TableAggregate{
		Store: store, Reduce: true, Adder: a.reduce(adder).Reducer, Subtractor: a.reduce(subtractor).Reducer,
	})
}

// Aggregate aggregates the values of each group, beginning with what initializer answers: adder is asked about a value
// that enters the group and the aggregate, subtractor about one that leaves it.
func (g *KGroupedTable) Aggregate(initializer, adder, subtractor Fn, o ...Materialized) *KTable {
	m := first(o)
	store := g.storeName(m)
	a := aggregation{b: g.b, key: g.grouped.Key, value: g.grouped.Value, aggregate: m.Value}
	add := a.of(initializer, adder)
	subtract := a.of(initializer, subtractor)
	m.Value = a.aggregate
	return g.aggregate(m, store, tableAggregateName, &TableAggregate{
		Store: store, Initializer: add.Initializer, Adder: add.Aggregator, Subtractor: subtract.Aggregator,
	})
}

func (g *KGroupedTable) storeName(m Materialized) string {
	if err := checkName(m.Name); err != nil {
		g.b.fail(err)
	}
	if m.Name != "" {
		return m.Name
	}
	return g.b.storeName(tableAggregateName)
}

func (g *KGroupedTable) aggregate(m Materialized, store, prefix string, s *TableAggregate) *KTable {
	sink := g.b.suffixedName(m.StoreNamed, "-sink", sinkName)
	source := g.b.suffixedName(m.StoreNamed, "-source", sourceName)
	name := g.b.nodeName(m.StoreNamed, prefix)
	if g.repartition == nil || g.grouped.Name == "" {
		g.repartition = &tableRepartition{key: g.grouped.Key, sink: sink, source: source, topic: store + topology.RepartitionSuffix}
		if g.grouped.Name != "" {
			g.repartition.topic = g.grouped.Name + topology.RepartitionSuffix
		}
		g.repartition.node = &graphNode{name: source, lower: g.repartition.lower}
	}
	g.b.addGraphNode(g.repartition.node, g.node)
	spec := g.b.spec(m, store, cmp.Or(m.Key, g.grouped.Key), m.Value)
	n := aggregateNode(name, s, &spec)
	n.outputVersioned = versionedness(m)
	g.b.addGraphNode(n, g.repartition.node)
	return &KTable{
		b: g.b, node: n, key: spec.KeySerde, value: spec.ValueSerde, store: m.Name, sources: []string{source},
		of: &storedTable{store: store, enabled: func() { s.SendOld = true }},
	}
}

// tableRepartition is the repartition topic of a grouped table, whose values are changes.
type tableRepartition struct {
	node                *graphNode
	key                 topology.Serde
	topic, sink, source string
}

func (r *tableRepartition) lower(t *topology.Topology, up []string) error {
	if err := t.AddInternalTopic(r.topic, 0); err != nil {
		return err
	}
	if err := t.AddSink(r.sink, r.topic, topology.SinkOptions{KeySerde: r.key, ValueSerde: topology.Bytes}, up...); err != nil {
		return err
	}
	return t.AddSource(r.source, topology.SourceOptions{
		KeySerde: r.key, ValueSerde: topology.Bytes, TimestampExtractor: "FailOnInvalidTimestamp",
	}, r.topic)
}
