package dsl

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// Prefixes of the names that cogroups generate.
const (
	cogroupAggregateName = "COGROUPKSTREAM-AGGREGATE-"
	cogroupMergeName     = "COGROUPKSTREAM-MERGE-"
)

// CogroupedKStream is several grouped streams that are aggregated into one table, each by a function of its own.
type CogroupedKStream struct {
	b      *StreamsBuilder
	groups []cogroupedStream
	// parents are the nodes to aggregate a group below, with their sources, once they are known.
	parents map[*KGroupedStream]cogroupParent
}

type cogroupedStream struct {
	g          *KGroupedStream
	aggregator Fn
}

type cogroupParent struct {
	node    *graphNode
	sources []string
}

// TimeWindowedCogroupedKStream is a CogroupedKStream divided into windows.
type TimeWindowedCogroupedKStream struct {
	k       *CogroupedKStream
	windows Windows
}

// SessionWindowedCogroupedKStream is a CogroupedKStream divided into sessions.
type SessionWindowedCogroupedKStream struct {
	k       *CogroupedKStream
	windows SessionWindows
}

// Cogroup begins an aggregation of several grouped streams; aggregator is asked about the values of this one.
func (g *KGroupedStream) Cogroup(aggregator Fn) *CogroupedKStream {
	k := &CogroupedKStream{b: g.b, parents: map[*KGroupedStream]cogroupParent{}}
	return k.Cogroup(g, aggregator)
}

// Cogroup adds a grouped stream; aggregator is asked about its values.
func (k *CogroupedKStream) Cogroup(g *KGroupedStream, aggregator Fn) *CogroupedKStream {
	i := slices.IndexFunc(k.groups, func(c cogroupedStream) bool { return c.g == g })
	if i >= 0 {
		k.groups[i].aggregator = aggregator
	} else {
		k.groups = append(k.groups, cogroupedStream{g, aggregator})
	}
	return k
}

// WindowedBy divides the groups into time, unlimited or sliding windows.
func (k *CogroupedKStream) WindowedBy(w Windows) *TimeWindowedCogroupedKStream {
	k.b.checkWindows(w.Validate())
	return &TimeWindowedCogroupedKStream{k, w}
}

// WindowedBySessions divides the groups into sessions.
func (k *CogroupedKStream) WindowedBySessions(w SessionWindows) *SessionWindowedCogroupedKStream {
	k.b.checkWindows(w.Validate())
	return &SessionWindowedCogroupedKStream{k, w}
}

// Aggregate aggregates the values of all streams by key, beginning with what initializer answers.
func (k *CogroupedKStream) Aggregate(initializer Fn, o ...Materialized) *KTable {
	m := k.defaults(first(o), initializer)
	store := k.b.aggregateStore(m, cogroupAggregateName, OnWindowUpdate)
	return k.table(m, store, store.KeySerde, initializer, nil, func(a Aggregation) windowSupplier {
		return &Aggregate{Aggregation: a, Store: store.Name}
	})
}

// Aggregate aggregates the values of all streams by key and window, beginning with what initializer answers.
func (w *TimeWindowedCogroupedKStream) Aggregate(initializer Fn, o ...Materialized) *KTable {
	m := w.k.defaults(first(o), initializer)
	store := w.k.b.windowStore(m, cogroupAggregateName, w.windows, OnWindowUpdate)
	key := topology.TimeWindowed(cmp.Or(m.Key, w.k.b.defaults.Key), w.windows.sizeMs())
	return w.k.table(m, store, key, initializer, nil, func(a Aggregation) windowSupplier {
		return w.windows.aggregate(a, store, OnWindowUpdate)
	})
}

// Aggregate aggregates the values of all streams by key and session, beginning with what initializer answers; merger
// combines the aggregates of sessions that become one.
func (w *SessionWindowedCogroupedKStream) Aggregate(initializer, merger Fn, o ...Materialized) *KTable {
	m := w.k.defaults(first(o), initializer)
	store := w.k.b.sessionStore(m, cogroupAggregateName, w.windows, OnWindowUpdate)
	key := topology.SessionWindowed(cmp.Or(m.Key, w.k.b.defaults.Key))
	return w.k.table(m, store, key, initializer, &merger, func(a Aggregation) windowSupplier {
		return w.windows.aggregate(a, store, OnWindowUpdate)
	})
}

// defaults are m with the serdes of the groups' keys and of what initializer answers where it has none.
func (k *CogroupedKStream) defaults(m Materialized, initializer Fn) Materialized {
	key := k.groups[0].g.grouped.Key
	m.Key = cmp.Or(m.Key, key)
	if m.Value == nil {
		_, out := k.b.place(expr.Initializer, initializer, expr.Types{Key: key})
		m.Value = out.Value
	}
	return m
}

// table adds an operator for each stream and one that brings their results together. They share the store.
func (k *CogroupedKStream) table(
	m Materialized, store *topology.StoreSpec, key topology.Serde, initializer Fn, merger *Fn, of func(Aggregation) windowSupplier,
) *KTable {
	var sources []string
	for _, c := range k.groups {
		sources = union(sources, k.parent(c.g, store.Name).sources)
	}
	k.b.copartition(sources)
	var nodes []*graphNode
	var suppliers []windowSupplier
	for i, c := range k.groups {
		a := aggregation{b: k.b, key: c.g.grouped.Key, value: c.g.grouped.Value, aggregate: m.Value}
		functions := a.of(initializer, c.aggregator)
		if merger != nil {
			functions.Merger = a.merger(*merger)
		}
		suppliers = append(suppliers, of(functions))
		name := k.nodeName(m.StoreNamed, "-cogroup-agg-"+strconv.Itoa(i), cogroupAggregateName)
		n := aggregateNode(name, suppliers[i], store)
		k.b.addGraphNode(n, k.parents[c.g].node)
		nodes = append(nodes, n)
	}
	merge := k.b.addProcessor(k.nodeName(m.StoreNamed, "-cogroup-merge", cogroupMergeName), PassThrough{}, nodes...)
	table := &storedTable{store.Name, func() {
		for _, s := range suppliers {
			s.enableSendingOldValues()
		}
	}}
	return &KTable{b: k.b, node: merge, key: key, value: store.ValueSerde, store: m.Name, sources: sources, of: table}
}

// nodeName is given with suffix or a generated name; either way an index is gone.
func (k *CogroupedKStream) nodeName(given Named, suffix, prefix string) string {
	if given != "" {
		given += Named(suffix)
	}
	return k.b.nodeName(given, prefix)
}

// parent is the node to aggregate a group below, behind the repartition that it may need. All aggregations of these
// groups share it; the names are generated for each of them.
func (k *CogroupedKStream) parent(g *KGroupedStream, store string) cogroupParent {
	p, known := k.parents[g]
	if !g.rekeyed {
		p = cogroupParent{g.node, g.sources}
	} else {
		name := g.grouped.Name
		if name == "" {
			name = store
		}
		names := len(k.b.names)
		r := k.b.newRepartition(name, Repartitioned{Key: g.grouped.Key, Value: g.grouped.Value})
		if known {
			k.b.names = k.b.names[:names]
		} else {
			p = cogroupParent{r.graphNode(), []string{r.source}}
			k.b.addGraphNode(p.node, g.node)
		}
	}
	k.parents[g] = p
	return p
}
