package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// KTable is a table: the latest value of each key, and the stream of its changes. Each method adds an operator and
// returns the table behind it; a table is kept in a store where something needs its rows, or where a Materialized
// names one.
type KTable struct {
	b          *StreamsBuilder
	node       *graphNode
	key, value topology.Serde
	store      string
	// sources are the names of the source nodes whose partitions the rows are in.
	sources []string
	// of is the operator that the table comes from.
	of tableOperator
	// sendsOld: its changes carry the value before.
	sendsOld bool
}

// tableOperator is the operator behind a table while the topology is described: what comes later may need more of it.
type tableOperator interface {
	// sendOld has changes carry the value before, and returns false if that would take a store that nothing has asked
	// for yet and force is not given.
	sendOld(force bool) bool
	// view says how rows are found, keeping them in a store if there is no other way.
	view() View
}

// Prefixes of the names that tables generate.
const (
	tableSourceName          = "KTABLE-SOURCE-"
	tableFilterName          = "KTABLE-FILTER-"
	tableMapValuesName       = "KTABLE-MAPVALUES-"
	tableTransformValuesName = "KTABLE-TRANSFORMVALUES-"
	tableSelectName          = "KTABLE-SELECT-"
	tableJoinThisName        = "KTABLE-JOINTHIS-"
	tableJoinOtherName       = "KTABLE-JOINOTHER-"
	tableMergeName           = "KTABLE-MERGE-"
	tableSuppressName        = "KTABLE-SUPPRESS-"
	tableAggregateName       = "KTABLE-AGGREGATE-"
	tableReduceName          = "KTABLE-REDUCE-"
	tableSinkName            = "KTABLE-SINK-"
	toTableName              = "KSTREAM-TOTABLE-"
)

// Name is the name of the node that the table comes from.
func (t *KTable) Name() string { return t.node.name }

// KeySerde and ValueSerde are those of the rows as far as they are known, else nil.
func (t *KTable) KeySerde() topology.Serde { return t.key }

// ValueSerde is that of the values; see KeySerde.
func (t *KTable) ValueSerde() topology.Serde { return t.value }

// QueryableStoreName is the name given to the table's store, or "".
func (t *KTable) QueryableStoreName() string { return t.store }

// ToStream is the changes of the table as a stream.
func (t *KTable) ToStream(name ...Named) *KStream {
	n := t.b.addProcessor(t.b.nodeName(first(name), toStreamName), ToStream{}, t.node)
	return &KStream{b: t.b, node: n, key: t.key, value: t.value, sources: t.sources}
}

// ToStreamBy is the changes of the table as a stream with the keys that fn answers.
func (t *KTable) ToStreamBy(fn Fn, name ...Named) *KStream { return t.ToStream(name...).SelectKey(fn) }

// Filter keeps the rows that fn answers. A row that it answers no more is deleted.
func (t *KTable) Filter(fn Fn, o ...Materialized) *KTable { return t.filter(fn, viewFilter, o) }

// FilterNot drops the rows that fn answers.
func (t *KTable) FilterNot(fn Fn, o ...Materialized) *KTable { return t.filter(fn, viewFilterNot, o) }

func (t *KTable) filter(fn Fn, operator string, o []Materialized) *KTable {
	c, _ := t.b.place(expr.Filter, fn, t.types())
	d := &derivedTable{parent: t, operator: operator, call: c}
	d.result.SendOld = t.sendOld(false) // spares deletions of rows that never were
	r := t.derive(d, tableFilterName, t.value, o)
	r.node.versionedFrom = func(*graphNode) { d.versioned = true }
	return r
}

// MapValues replaces each value by the one that fn answers.
func (t *KTable) MapValues(fn Fn, o ...Materialized) *KTable {
	c, out := t.b.place(expr.MapValues, withOutValue(fn, first(o).Value), t.types())
	return t.derive(&derivedTable{parent: t, operator: viewMapValues, call: c}, tableMapValuesName, out.Value, o)
}

// TransformValues replaces each value by the one that fn answers, which may use stores: then it is a guest of the kind
// processValues. It is asked about deletions too, with a null value.
func (t *KTable) TransformValues(fn Fn, stores []string, o ...Materialized) *KTable {
	kind := expr.MapValues
	if len(stores) > 0 {
		kind = expr.ProcessValues
	}
	c, out := t.b.place(kind, withOutValue(fn, first(o).Value), t.types())
	d := &derivedTable{parent: t, operator: viewTransformValues, call: c, userStores: stores}
	return t.derive(d, tableTransformValuesName, out.Value, o)
}

// withOutValue has fn give values of a serde that is known and that fn does not say.
func withOutValue(fn Fn, s topology.Serde) Fn {
	if fn.OutValue == "" {
		fn.OutValue = serdeName(s)
	}
	return fn
}

// derive adds an operator that makes a table of this one row by row.
func (t *KTable) derive(d *derivedTable, prefix string, value topology.Serde, o []Materialized) *KTable {
	m := first(o)
	if err := checkName(m.Name); err != nil {
		t.b.fail(err)
	}
	if m.Name == "" && materialized(o) && d.operator != viewTransformValues {
		t.b.storeName(prefix) // taken, not used
	}
	name := t.b.nodeName(m.StoreNamed, prefix)
	key, value := cmp.Or(m.Key, t.key), cmp.Or(m.Value, value)
	if m.Name != "" {
		spec := t.b.spec(m, m.Name, key, value)
		d.store, d.result.Store = &spec, m.Name
	}
	n := &graphNode{name: name, lower: func(top *topology.Topology, up []string) error { return d.lower(top, name, up) }}
	if materialized(o) {
		n.outputVersioned = versionedness(m)
	}
	t.b.addGraphNode(n, t.node)
	return &KTable{b: t.b, node: n, key: key, value: value, store: m.Name, sources: t.sources, of: d}
}

// materialized tells whether a Materialized was given that says more than the name of the node.
func materialized(o []Materialized) bool {
	return len(o) > 0 && (o[0].Name != "" || o[0].isGiven())
}

func versionedness(m Materialized) *bool { return &m.Versioned }

func (t *KTable) types() expr.Types { return expr.Types{Key: t.key, Value: t.value} }

func (t *KTable) sendOld(force bool) bool {
	if !t.sendsOld {
		t.sendsOld = t.of.sendOld(force)
	}
	return t.sendsOld
}

// derivedTable is filter, filterNot, mapValues or transformValues.
type derivedTable struct {
	parent     *KTable
	operator   string
	call       Call
	result     TableResult
	store      *topology.StoreSpec // nil: not kept
	userStores []string
	versioned  bool // the table before is
}

func (d *derivedTable) sendOld(force bool) bool {
	if d.store != nil || d.parent.sendOld(force) {
		d.result.SendOld = true
	}
	return d.result.SendOld
}

func (d *derivedTable) view() View {
	if d.store != nil {
		return View{Store: d.store.Name}
	}
	return View{Operator: d.operator, Call: &d.call, Of: []View{d.parent.of.view()}}
}

func (d *derivedTable) lower(t *topology.Topology, name string, up []string) error {
	var s topology.ProcessorSupplier
	switch d.operator {
	case viewMapValues:
		s = TableMapValues{Call: d.call, TableResult: d.result}
	case viewTransformValues:
		s = TableTransformValues{Call: d.call, TableResult: d.result}
	default:
		s = TableFilter{Call: d.call, Not: d.operator == viewFilterNot, TableResult: d.result, Versioned: d.versioned}
	}
	if err := addWithStores(t, name, s, storesOf(d.store), up...); err != nil || len(d.userStores) == 0 {
		return err
	}
	return t.ConnectProcessorAndStateStores(name, d.userStores...)
}

func storesOf(store *topology.StoreSpec) []*topology.StoreSpec {
	if store == nil {
		return nil
	}
	return []*topology.StoreSpec{store}
}

// storedTable is an operator that keeps its rows in any case: the aggregations, and what they are passed on by.
type storedTable struct {
	store   string
	enabled func() // sending old values
}

func (s *storedTable) sendOld(bool) bool {
	s.enabled()
	return true
}

func (s *storedTable) view() View { return View{Store: s.store} }

// sourceTable is a table read from a topic or made of a stream. It keeps its rows only if a name is given to its store
// or something needs them.
type sourceTable struct {
	store *topology.StoreSpec
	kept  bool
	old   bool
	// topic is the one that the table is read from, "" if it is made of a stream.
	topic string
	// reuse: the topic serves as the changelog (topology.optimization).
	reuse bool
	// own: what is in the topic is not what is in the store, so the topic cannot serve as the changelog.
	own bool
}

func (s *sourceTable) sendOld(force bool) bool {
	if !force && !s.kept {
		return false
	}
	s.kept, s.old = true, true
	return true
}

func (s *sourceTable) view() View {
	s.kept = true
	return View{Store: s.store.Name}
}

func (s *sourceTable) lower(t *topology.Topology, name string, up ...string) error {
	if !s.kept {
		return t.AddProcessor(name, TableSource{}, up...)
	}
	if err := addWithStores(t, name, TableSource{Store: s.store.Name, SendOld: s.old}, storesOf(s.store), up...); err != nil || !s.reuse || s.own {
		return err
	}
	return t.UseTopicAsChangelog(s.store.Name, s.topic)
}
