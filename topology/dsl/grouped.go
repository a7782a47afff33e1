package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/topology"
)

// KGroupedStream is a stream that waits for an aggregation.
type KGroupedStream struct {
	b       *StreamsBuilder
	node    *graphNode
	grouped Grouped
	rekeyed bool
	// sources are those of the stream; see KStream.
	sources []string
	// shared is the repartition of a named grouping, used by all its aggregations.
	shared *graphNode
}

// Count counts the records of each key, in a table of longs. Records with a null key or value do not count.
func (g *KGroupedStream) Count(o ...Materialized) *KTable {
	m := first(o)
	if err := checkName(m.Name); err != nil {
		g.b.fail(err)
	}
	g.b.burnStoreName(m)
	store := m.Name
	if store == "" {
		store = g.b.storeName(aggregateName)
	}
	name := g.b.nodeName(m.StoreNamed, aggregateName)
	spec := g.b.spec(m, store, cmp.Or(m.Key, g.grouped.Key), cmp.Or(m.Value, topology.Long))
	parent, sources := g.repartitioned(store)
	sendOld := false
	n := &graphNode{name: name, outputVersioned: versionedness(m), lower: func(t *topology.Topology, up []string) error {
		var s topology.ProcessorSupplier = Count{Store: store}
		if sendOld || m.Versioned {
			s = &Aggregate{Aggregation: Aggregation{Count: true}, Store: store, SendOld: sendOld}
		}
		return addWithStores(t, name, s, storesOf(&spec), up...)
	}}
	g.b.addGraphNode(n, parent)
	return &KTable{
		b: g.b, node: n, key: spec.KeySerde, value: spec.ValueSerde, store: m.Name, sources: sources,
		of: &storedTable{store, func() { sendOld = true }},
	}
}

// Reduce combines the values of each key by fn; the first is taken as it is. Records with a null key or value are
// dropped.
func (g *KGroupedStream) Reduce(fn Fn, o ...Materialized) *KTable {
	m := first(o)
	a := g.aggregation(m, g.grouped.Value)
	return g.aggregate(m, reduceName, a.reduce(fn), &a)
}

// Aggregate aggregates the values of each key, beginning with what initializer answers. Records with a null key or value
// are dropped.
func (g *KGroupedStream) Aggregate(initializer, aggregator Fn, o ...Materialized) *KTable {
	m := first(o)
	a := g.aggregation(m, nil)
	return g.aggregate(m, aggregateName, a.of(initializer, aggregator), &a)
}

func (g *KGroupedStream) aggregate(m Materialized, prefix string, functions Aggregation, a *aggregation) *KTable {
	m.Key, m.Value = cmp.Or(m.Key, g.grouped.Key), a.aggregate
	store := g.b.aggregateStore(m, prefix, OnWindowUpdate)
	return g.table(m, prefix, store, &Aggregate{Aggregation: functions, Store: store.Name}, store.KeySerde)
}

// repartitioned returns the node to aggregate below, the grouping itself or the source of its repartition topic, and the
// sources of what is aggregated there.
func (g *KGroupedStream) repartitioned(store string) (*graphNode, []string) {
	if !g.rekeyed {
		return g.node, g.sources
	}
	name := g.grouped.Name
	if name == "" {
		name = store
	}
	names := len(g.b.names)
	p := g.b.newRepartition(name, Repartitioned{Key: g.grouped.Key, Value: g.grouped.Value})
	n := g.shared
	if n == nil {
		n = p.graphNode()
	} else {
		g.b.names = g.b.names[:names]
	}
	if g.grouped.Name != "" {
		g.shared = n
	}
	g.b.addGraphNode(n, g.node)
	return n, []string{p.source}
}

// spec describes the store that m asks for.
func (b *StreamsBuilder) spec(m Materialized, name string, key, value topology.Serde) topology.StoreSpec {
	s := topology.StoreSpec{
		Name: name, Kind: topology.TimestampedKeyValue, InMemory: m.InMemory || b.defaults.InMemory && !m.Persistent && !m.Versioned, KeySerde: key, ValueSerde: value,
		CachingEnabled: !m.CachingDisabled, LoggingDisabled: m.LoggingDisabled, ChangelogConfigs: m.ChangelogConfigs,
	}
	if m.Versioned {
		s.Kind, s.HistoryRetention, s.CachingEnabled = topology.VersionedKeyValue, millis(m.HistoryRetention), false
	}
	return s
}
