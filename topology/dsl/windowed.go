package dsl

import (
	"cmp"
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

const reduceName = "KSTREAM-REDUCE-"

// TimeWindowedKStream is a grouped stream divided into windows, which waits for an aggregation.
type TimeWindowedKStream struct {
	g       *KGroupedStream
	windows Windows
	emit    EmitStrategy
}

// SessionWindowedKStream is a grouped stream divided into sessions, which waits for an aggregation.
type SessionWindowedKStream struct {
	g       *KGroupedStream
	windows SessionWindows
	emit    EmitStrategy
}

// WindowedBy divides the groups into time, unlimited or sliding windows.
func (g *KGroupedStream) WindowedBy(w Windows) *TimeWindowedKStream {
	g.b.checkWindows(w.Validate())
	return &TimeWindowedKStream{g: g, windows: w, emit: OnWindowUpdate}
}

// WindowedBySessions divides the groups into sessions.
func (g *KGroupedStream) WindowedBySessions(w SessionWindows) *SessionWindowedKStream {
	g.b.checkWindows(w.Validate())
	return &SessionWindowedKStream{g: g, windows: w, emit: OnWindowUpdate}
}

// checkWindows reports windows that Kafka's constructors refuse.
func (b *StreamsBuilder) checkWindows(err error) {
	b.faults = append(b.faults, errs.Flatten(err)...)
}

// EmitStrategy says when results are forwarded. It holds for the aggregations that are added afterwards.
func (w *TimeWindowedKStream) EmitStrategy(s EmitStrategy) *TimeWindowedKStream {
	if _, unlimited := w.windows.(UnlimitedWindows); unlimited && s == OnWindowClose {
		w.g.b.fail(errs.TopologyInvalid.New(w.g.b.next(), "ON_WINDOW_CLOSE emit strategy cannot be used for UnlimitedWindows", "use time windows").InKafka("IllegalArgumentException"))
	}
	w.g.b.checkEmit(s)
	return &TimeWindowedKStream{g: w.g, windows: w.windows, emit: s}
}

// EmitStrategy says when results are forwarded. It holds for the aggregations that are added afterwards.
func (w *SessionWindowedKStream) EmitStrategy(s EmitStrategy) *SessionWindowedKStream {
	w.g.b.checkEmit(s)
	return &SessionWindowedKStream{g: w.g, windows: w.windows, emit: s}
}

func (b *StreamsBuilder) checkEmit(s EmitStrategy) {
	if s != OnWindowUpdate && s != OnWindowClose {
		b.fail(errs.TopologyInvalid.New(b.next(), fmt.Sprintf("the emit strategy %q is unknown", s), "it is on-window-update or on-window-close"))
	}
}

// Count counts the records of each window, in a table of longs.
func (w *TimeWindowedKStream) Count(o ...Materialized) *KTable {
	m := first(o)
	if _, sliding := w.windows.(SlidingWindows); !sliding {
		w.g.b.burnStoreName(m)
	}
	return w.table(m, aggregateName, topology.Long, func(*aggregation) Aggregation { return Aggregation{Count: true} })
}

// Reduce combines the values of each window by fn.
func (w *TimeWindowedKStream) Reduce(fn Fn, o ...Materialized) *KTable {
	return w.table(first(o), reduceName, w.g.grouped.Value, func(a *aggregation) Aggregation { return a.reduce(fn) })
}

// Aggregate aggregates the values of each window, beginning with what initializer answers.
func (w *TimeWindowedKStream) Aggregate(initializer, aggregator Fn, o ...Materialized) *KTable {
	return w.table(first(o), aggregateName, nil, func(a *aggregation) Aggregation { return a.of(initializer, aggregator) })
}

// Count counts the records of each session, in a table of longs.
func (w *SessionWindowedKStream) Count(o ...Materialized) *KTable {
	m := first(o)
	w.g.b.burnStoreName(m)
	return w.table(m, aggregateName, topology.Long, func(*aggregation) Aggregation { return Aggregation{Count: true} })
}

// Reduce combines the values of each session by fn, and those of sessions that become one.
func (w *SessionWindowedKStream) Reduce(fn Fn, o ...Materialized) *KTable {
	return w.table(first(o), reduceName, w.g.grouped.Value, func(a *aggregation) Aggregation { return a.reduce(fn) })
}

// Aggregate aggregates the values of each session, beginning with what initializer answers; merger combines the
// aggregates of sessions that become one.
func (w *SessionWindowedKStream) Aggregate(initializer, aggregator, merger Fn, o ...Materialized) *KTable {
	return w.table(first(o), aggregateName, nil, func(a *aggregation) Aggregation {
		of := a.of(initializer, aggregator)
		of.Merger = a.merger(merger)
		return of
	})
}

// burnStoreName takes the index that Kafka's count takes for a Materialized without a name.
func (b *StreamsBuilder) burnStoreName(m Materialized) {
	if m.Name == "" && m.isGiven() {
		b.storeName(aggregateName)
	}
}

// isGiven tells whether m says more than the name of the node.
func (m Materialized) isGiven() bool {
	return m.Key != nil || m.Value != nil || m.InMemory || m.Persistent || m.CachingDisabled || m.LoggingDisabled ||
		m.ChangelogConfigs != nil || m.Retention != 0 || m.Versioned
}

// table adds the operator that aggregates by windows. value is the serde of its results if m has none.
func (w *TimeWindowedKStream) table(m Materialized, prefix string, value topology.Serde, of func(*aggregation) Aggregation) *KTable {
	g := w.g
	a := g.aggregation(m, value)
	functions := of(&a)
	m.Key, m.Value = cmp.Or(m.Key, g.grouped.Key), a.aggregate
	store := g.b.windowStore(m, prefix, w.windows, w.emit)
	supplier := w.windows.aggregate(functions, store, w.emit)
	return g.table(m, prefix, store, supplier, topology.TimeWindowed(cmp.Or(m.Key, g.b.defaults.Key), w.windows.sizeMs()))
}

func (w *SessionWindowedKStream) table(m Materialized, prefix string, value topology.Serde, of func(*aggregation) Aggregation) *KTable {
	g := w.g
	a := g.aggregation(m, value)
	functions := of(&a)
	m.Key, m.Value = cmp.Or(m.Key, g.grouped.Key), a.aggregate
	store := g.b.sessionStore(m, prefix, w.windows, w.emit)
	supplier := w.windows.aggregate(functions, store, w.emit)
	return g.table(m, prefix, store, supplier, topology.SessionWindowed(cmp.Or(m.Key, g.b.defaults.Key)))
}

func (g *KGroupedStream) aggregation(m Materialized, value topology.Serde) aggregation {
	return aggregation{b: g.b, key: g.grouped.Key, value: g.grouped.Value, aggregate: cmp.Or(m.Value, value)}
}

// table adds an operator that aggregates, with its store, behind the repartition that it may need.
func (g *KGroupedStream) table(m Materialized, prefix string, store *topology.StoreSpec, s windowSupplier, key topology.Serde) *KTable {
	name := g.b.nodeName(m.StoreNamed, prefix)
	parent, sources := g.repartitioned(store.Name)
	n := aggregateNode(name, s, store)
	n.outputVersioned = versionedness(m)
	g.b.addGraphNode(n, parent)
	return &KTable{b: g.b, node: n, key: key, value: store.ValueSerde, store: m.Name, sources: sources, of: &storedTable{store.Name, s.enableSendingOldValues}}
}

// aggregateNode is an operator with a store of its own.
func aggregateNode(name string, s topology.ProcessorSupplier, store *topology.StoreSpec) *graphNode {
	n := &graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		return addWithStores(t, name, s, storesOf(store), up...)
	}}
	if w, ok := s.(interface{ graceMs() int64 }); ok {
		grace := w.graceMs()
		n.grace = &grace
	}
	return n
}

// windowStore describes the store of an aggregation by windows.
func (b *StreamsBuilder) windowStore(m Materialized, prefix string, w Windows, emit EmitStrategy) *topology.StoreSpec {
	spec := b.aggregateStore(m, prefix, emit)
	spec.Kind, spec.WindowSize, spec.Retention = topology.TimestampedWindow, w.sizeMs(), w.retentionMs()
	if m.Retention != 0 {
		spec.Retention = millis(m.Retention)
	}
	if spec.Retention < w.retentionMs() {
		b.fail(errs.TopologyInvalid.New(spec.Name, tooShort(spec, w), "leave the retention out to have the least").InKafka("IllegalArgumentException"))
	}
	return spec
}

// tooShort is Kafka's message for a retention that is smaller than what the windows need.
func tooShort(spec *topology.StoreSpec, w Windows) string {
	needs, size := "its window size plus the grace period", "size"
	if _, sliding := w.(SlidingWindows); sliding {
		needs, size = "2 * time difference plus the grace period", "time difference"
	}
	return fmt.Sprintf("The retention period of the window store %s must be no smaller than %s. Got %s=[%d], grace=[%d], retention=[%d]",
		spec.Name, needs, size, w.sizeMs(), w.graceMs(), spec.Retention)
}

// sessionStore describes the store of an aggregation by sessions.
func (b *StreamsBuilder) sessionStore(m Materialized, prefix string, w SessionWindows, emit EmitStrategy) *topology.StoreSpec {
	spec := b.aggregateStore(m, prefix, emit)
	spec.Kind, spec.Retention = topology.Session, w.retentionMs()
	if m.Retention != 0 {
		spec.Retention = millis(m.Retention)
	}
	if spec.Retention < w.retentionMs() {
		b.fail(errs.TopologyInvalid.New(spec.Name, fmt.Sprintf(
			"The retention period of the session store %s must be no smaller than the session inactivity gap plus the grace period. Got gap=[%d], grace=[%d], retention=[%d]",
			spec.Name, w.InactivityGapMs, w.GraceMs, spec.Retention), "leave the retention out to have the least").InKafka("IllegalArgumentException"))
	}
	return spec
}

// aggregateStore is what the stores of windows and sessions have in common. There is no cache where only final results
// are forwarded.
func (b *StreamsBuilder) aggregateStore(m Materialized, prefix string, emit EmitStrategy) *topology.StoreSpec {
	if err := checkName(m.Name); err != nil {
		b.fail(err)
	}
	name := m.Name
	if name == "" {
		name = b.storeName(prefix)
	}
	spec := b.spec(m, name, m.Key, m.Value)
	spec.TimeOrdered = emit == OnWindowClose
	spec.CachingEnabled = spec.CachingEnabled && !spec.TimeOrdered
	return &spec
}
