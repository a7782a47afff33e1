package streams

// KTable is a table: the latest value of each key, and the stream of its changes. Each method adds an operator and
// returns what is behind it.
type KTable struct {
	b  *StreamsBuilder
	id string
}

// Filter keeps the rows for which fn says yes. A row for which it says so no more is deleted.
func (t *KTable) Filter(fn Function, o ...Materialized) *KTable { return t.call("filter", fn, o) }

// FilterNot drops the rows for which fn says yes.
func (t *KTable) FilterNot(fn Function, o ...Materialized) *KTable { return t.call("filterNot", fn, o) }

// MapValues replaces each value by the one that fn answers.
func (t *KTable) MapValues(fn Function, o ...Materialized) *KTable { return t.call("mapValues", fn, o) }

func (t *KTable) call(op string, fn Function, o []Materialized) *KTable {
	e := t.b.add(op, string(first(o).StoreNamed), t.id)
	e.body.call(fn)
	e.body.serde("value", fn.OutValue())
	e.body.materialized(o)
	return &KTable{t.b, e.id}
}

// TransformValues replaces each value by the one that fn answers, which may use stores: then it is a
// wasmstream.ProcessValues. It is asked about deletions too, with a null value.
func (t *KTable) TransformValues(fn Function, stores []string, o ...Materialized) *KTable {
	e := t.b.add("transformValues", string(first(o).StoreNamed), t.id)
	e.body.call(fn)
	e.body.stores(fn, stores)
	e.body.materialized(o)
	return &KTable{t.b, e.id}
}

// ToStream is the changes of the table as a stream.
func (t *KTable) ToStream(name ...Named) *KStream {
	return &KStream{b: t.b, id: t.b.add("toStream", string(first(name)), t.id).id}
}

// ToStreamBy is the changes of the table as a stream with the keys that fn answers.
func (t *KTable) ToStreamBy(fn Function, name ...Named) *KStream {
	return t.ToStream(name...).SelectKey(fn)
}

// GroupBy gives each row the key and the value that fn answers (wasmstream.Map) and groups by the key.
func (t *KTable) GroupBy(fn Function, o ...Grouped) *KGroupedTable {
	e := t.b.add("groupBy", first(o).Name, t.id)
	e.body.grouped(fn, first(o))
	return &KGroupedTable{t.b, e.id}
}

// Join joins rows of the same key; fn sees left and right.
func (t *KTable) Join(other *KTable, fn Function, o ...Materialized) *KTable {
	return t.join("join", other, fn, o)
}

// LeftJoin is Join where rows of this table without another come out with a null right value.
func (t *KTable) LeftJoin(other *KTable, fn Function, o ...Materialized) *KTable {
	return t.join("leftJoin", other, fn, o)
}

// OuterJoin is Join where rows of both tables come out alone with the other value null.
func (t *KTable) OuterJoin(other *KTable, fn Function, o ...Materialized) *KTable {
	return t.join("outerJoin", other, fn, o)
}

func (t *KTable) join(op string, other *KTable, fn Function, o []Materialized) *KTable {
	e := t.b.add(op, string(first(o).StoreNamed), t.id, other.id)
	e.body.call(fn)
	e.body.serde("result", fn.OutValue())
	e.body.materialized(o)
	return &KTable{t.b, e.id}
}

// JoinForeignKey joins each row with the row of other whose key foreignKey answers (a wasmstream.SelectKey or an
// expression over key and value).
func (t *KTable) JoinForeignKey(other *KTable, foreignKey, fn Function, tj TableJoined, o ...Materialized) *KTable {
	return t.joinForeign("join", other, foreignKey, fn, tj, o)
}

// LeftJoinForeignKey is JoinForeignKey where rows without another come out with a null right value.
func (t *KTable) LeftJoinForeignKey(other *KTable, foreignKey, fn Function, tj TableJoined, o ...Materialized) *KTable {
	return t.joinForeign("leftJoin", other, foreignKey, fn, tj, o)
}

func (t *KTable) joinForeign(op string, other *KTable, foreignKey, fn Function, tj TableJoined, o []Materialized) *KTable {
	e := t.b.add(op, tj.Name, t.id, other.id)
	e.body.call(fn)
	e.body.serde("result", fn.OutValue())
	e.body.function("foreignKey", foreignKey)
	e.body.function("partitioner", tj.Partitioner)
	e.body.function("otherPartitioner", tj.OtherPartitioner)
	e.body.materialized(o)
	return &KTable{t.b, e.id}
}

// Suppress holds the changes of the table back.
func (t *KTable) Suppress(s Suppressed) *KTable {
	e := t.b.add("suppress", s.Name, t.id)
	s.write(&e.body)
	return &KTable{t.b, e.id}
}
