package streams

// KGroupedStream is a stream in groups, which waits for an aggregation.
type KGroupedStream struct {
	b  *StreamsBuilder
	id string
}

// Count counts the records of each key, in a table of longs.
func (g *KGroupedStream) Count(o ...Materialized) *KTable { return g.b.count(g.id, o) }

// Reduce combines the values of each key by fn (wasmstream.Reducer).
func (g *KGroupedStream) Reduce(fn Function, o ...Materialized) *KTable {
	return g.b.reduce(g.id, fn, o)
}

// Aggregate aggregates the values of each key, beginning with what initializer answers.
func (g *KGroupedStream) Aggregate(initializer, aggregator Function, o ...Materialized) *KTable {
	return g.b.aggregate(g.id, o, functionField{"initializer", initializer}, functionField{"aggregator", aggregator})
}

// WindowedBy divides the groups into time, unlimited or sliding windows.
func (g *KGroupedStream) WindowedBy(w Windows) *TimeWindowedKStream {
	return &TimeWindowedKStream{windowed{b: g.b, from: g.id, kind: w.kind(), windows: w.json()}}
}

// WindowedBySessions divides the groups into sessions.
func (g *KGroupedStream) WindowedBySessions(w SessionWindows) *SessionWindowedKStream {
	return &SessionWindowedKStream{windowed{b: g.b, from: g.id, kind: "sessionWindows", windows: w.json()}}
}

// Cogroup begins an aggregation of several grouped streams into one table.
func (g *KGroupedStream) Cogroup(aggregator Function) *CogroupedKStream {
	return (&CogroupedKStream{b: g.b}).Cogroup(g, aggregator)
}

// functionField is a function that an operator has as a field.
type functionField struct {
	name string
	fn   Function
}

func (b *StreamsBuilder) count(from string, o []Materialized) *KTable {
	e := b.add("count", string(first(o).StoreNamed), from)
	e.body.materialized(o)
	return &KTable{b, e.id}
}

func (b *StreamsBuilder) reduce(from string, fn Function, o []Materialized) *KTable {
	e := b.add("reduce", string(first(o).StoreNamed), from)
	e.body.call(fn)
	e.body.materialized(o)
	return &KTable{b, e.id}
}

// aggregate writes the functions of an aggregation; the serde of what the first of them gives that says one is that of
// the table, if the store says none.
func (b *StreamsBuilder) aggregate(from string, o []Materialized, fns ...functionField) *KTable {
	e := b.add("aggregate", string(first(o).StoreNamed), from)
	var value Serde
	for _, f := range fns {
		e.body.function(f.name, f.fn)
		if value == "" && first(o).Value == "" {
			value = f.fn.OutValue()
		}
	}
	e.body.serde("value", value)
	e.body.materialized(o)
	return &KTable{b, e.id}
}

// KGroupedTable is a table whose rows are grouped anew, which waits for an aggregation.
type KGroupedTable struct {
	b  *StreamsBuilder
	id string
}

// Count counts the rows of each key, in a table of longs.
func (g *KGroupedTable) Count(o ...Materialized) *KTable { return g.b.count(g.id, o) }

// Reduce combines the values of each key: adder adds a new one, subtractor takes an old one out.
func (g *KGroupedTable) Reduce(adder, subtractor Function, o ...Materialized) *KTable {
	e := g.b.add("reduce", string(first(o).StoreNamed), g.id)
	e.body.function("adder", adder)
	e.body.function("subtractor", subtractor)
	e.body.materialized(o)
	return &KTable{g.b, e.id}
}

// Aggregate aggregates the values of each key, beginning with what initializer answers.
func (g *KGroupedTable) Aggregate(initializer, adder, subtractor Function, o ...Materialized) *KTable {
	return g.b.aggregate(g.id, o, functionField{"initializer", initializer}, functionField{"adder", adder}, functionField{"subtractor", subtractor})
}

// CogroupedKStream is several grouped streams that become one table.
type CogroupedKStream struct {
	b           *StreamsBuilder
	from        []string
	aggregators [][]byte
}

// Cogroup adds a grouped stream with its aggregator.
func (k *CogroupedKStream) Cogroup(g *KGroupedStream, aggregator Function) *CogroupedKStream {
	var body object
	body.call(aggregator)
	k.from = append(k.from, g.id)
	k.aggregators = append(k.aggregators, body.bytes())
	return k
}

// entry writes the cogroup and returns its id.
func (k *CogroupedKStream) entry() string {
	e := k.b.add("cogroup", "", k.from...)
	e.body.raw("aggregators", list(k.aggregators))
	return e.id
}

// Aggregate aggregates the values of all streams, beginning with what initializer answers.
func (k *CogroupedKStream) Aggregate(initializer Function, o ...Materialized) *KTable {
	return k.b.aggregate(k.entry(), o, functionField{"initializer", initializer})
}

// WindowedBy divides the groups into time, unlimited or sliding windows.
func (k *CogroupedKStream) WindowedBy(w Windows) *TimeWindowedCogroupedKStream {
	return &TimeWindowedCogroupedKStream{windowed{b: k.b, from: k.entry(), kind: w.kind(), windows: w.json()}}
}

// WindowedBySessions divides the groups into sessions.
func (k *CogroupedKStream) WindowedBySessions(w SessionWindows) *SessionWindowedCogroupedKStream {
	return &SessionWindowedCogroupedKStream{windowed{b: k.b, from: k.entry(), kind: "sessionWindows", windows: w.json()}}
}

// windowed are groups in windows. Its entry is written with the aggregation, so that an emit strategy that is said
// before counts.
type windowed struct {
	b          *StreamsBuilder
	from, kind string
	windows    []byte
	emit       EmitStrategy
}

func (w windowed) entry() string {
	e := w.b.add("windowedBy", "", w.from)
	e.body.raw(w.kind, w.windows)
	e.body.given("emit", string(w.emit))
	return e.id
}

func (w windowed) with(emit EmitStrategy) windowed {
	w.emit = emit
	return w
}

// TimeWindowedKStream is a grouped stream divided into windows.
type TimeWindowedKStream struct{ w windowed }

// EmitStrategy says when results are forwarded. It holds for the aggregations that are added afterwards.
func (t *TimeWindowedKStream) EmitStrategy(s EmitStrategy) *TimeWindowedKStream {
	return &TimeWindowedKStream{t.w.with(s)}
}

// Count counts the records of each window, in a table of longs.
func (t *TimeWindowedKStream) Count(o ...Materialized) *KTable { return t.w.b.count(t.w.entry(), o) }

// Reduce combines the values of each window by fn.
func (t *TimeWindowedKStream) Reduce(fn Function, o ...Materialized) *KTable {
	return t.w.b.reduce(t.w.entry(), fn, o)
}

// Aggregate aggregates the values of each window, beginning with what initializer answers.
func (t *TimeWindowedKStream) Aggregate(initializer, aggregator Function, o ...Materialized) *KTable {
	return t.w.b.aggregate(t.w.entry(), o, functionField{"initializer", initializer}, functionField{"aggregator", aggregator})
}

// SessionWindowedKStream is a grouped stream divided into sessions.
type SessionWindowedKStream struct{ w windowed }

// EmitStrategy says when results are forwarded. It holds for the aggregations that are added afterwards.
func (t *SessionWindowedKStream) EmitStrategy(s EmitStrategy) *SessionWindowedKStream {
	return &SessionWindowedKStream{t.w.with(s)}
}

// Count counts the records of each session, in a table of longs.
func (t *SessionWindowedKStream) Count(o ...Materialized) *KTable {
	return t.w.b.count(t.w.entry(), o)
}

// Reduce combines the values of each session by fn, and those of sessions that become one.
func (t *SessionWindowedKStream) Reduce(fn Function, o ...Materialized) *KTable {
	return t.w.b.reduce(t.w.entry(), fn, o)
}

// Aggregate aggregates the values of each session; merger combines the aggregates of sessions that become one.
func (t *SessionWindowedKStream) Aggregate(initializer, aggregator, merger Function, o ...Materialized) *KTable {
	return t.w.b.aggregate(t.w.entry(), o, functionField{"initializer", initializer}, functionField{"aggregator", aggregator}, functionField{"merger", merger})
}

// TimeWindowedCogroupedKStream is several grouped streams divided into windows.
type TimeWindowedCogroupedKStream struct{ w windowed }

// Aggregate aggregates the values of each window, beginning with what initializer answers.
func (t *TimeWindowedCogroupedKStream) Aggregate(initializer Function, o ...Materialized) *KTable {
	return t.w.b.aggregate(t.w.entry(), o, functionField{"initializer", initializer})
}

// SessionWindowedCogroupedKStream is several grouped streams divided into sessions.
type SessionWindowedCogroupedKStream struct{ w windowed }

// Aggregate aggregates the values of each session; merger combines the aggregates of sessions that become one.
func (t *SessionWindowedCogroupedKStream) Aggregate(initializer, merger Function, o ...Materialized) *KTable {
	return t.w.b.aggregate(t.w.entry(), o, functionField{"initializer", initializer}, functionField{"merger", merger})
}
