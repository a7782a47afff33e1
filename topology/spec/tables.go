package spec

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// tableOperators read topics as tables, make tables of streams and hold the changes of tables back.
func tableOperators() []*operator {
	source := slices.Concat([]field{{name: "topic", form: aText, required: true, doc: "The topic to read."}}, consumedFields, []field{aggregateStore})
	return []*operator{
		{name: "table", doc: "Reads a topic as a table: a null value deletes.", source: true, pure: true, fields: source, lower: lowerTable},
		{
			name: "globalTable", doc: "Reads a topic as a table that every instance has as a whole.", source: true, pure: true,
			fields: source, lower: lowerGlobalTable,
		},
		{
			name: "transformValues", doc: "Replaces each value of the table by the one that the function gives, which may use stores and is asked about deletions too.", takes: "a table", pure: true,
			fields: append(function(valueSerde), field{name: "stores", form: texts, doc: "The stores that it may use; it is a component of the kind processValues then."}, aggregateStore),
			lower:  lowerTransformValues,
		},
		{
			name: "toTable", doc: "Makes a table of the stream: a null value deletes.", takes: "a stream", pure: true,
			fields: []field{aggregateStore}, lower: lowerToTable,
		},
		{
			name: "suppress", doc: "Holds the changes of the table back.", takes: "a table", pure: true, lower: lowerSuppress,
			fields: []field{
				{name: "untilTimeLimit", form: aDuration, doc: "How long the changes of a row are held back."},
				{name: "untilWindowCloses", form: aBool, doc: "Only the final result of each window comes out."},
				{name: "maxRecords", form: aNumber, doc: "How many rows are held back at most."},
				{name: "maxBytes", form: aNumber, doc: "How many bytes are held back at most."},
				{name: "emitEarly", form: aBool, doc: "A full buffer lets go of what has waited longest; otherwise the application ends."},
				{name: "logging", form: aBool, doc: "A changelog topic for what is held back; true if not given."},
				{name: "changelog", form: aMap, doc: "Settings of the changelog topic."},
			},
		},
	}
}

// consumedFields say how a source reads (Kafka's Consumed).
var consumedFields = []field{
	topicKey, topicValue,
	{name: "offsetReset", form: aReset, doc: "Where to begin without a committed offset."},
	{name: "timestampExtractor", form: anExtract, doc: "Which time a record has."},
}

func (d *document) consumed(op *operation) dsl.Consumed {
	c := dsl.Consumed{Name: op.name, OffsetReset: d.offsetReset(op.body.get("offsetReset"))}
	c.Key, c.KeyDeserializer = d.topicSerde(op.body.get("key"))
	c.Value, c.ValueDeserializer = d.topicSerde(op.body.get("value"))
	if v := op.body.get("timestampExtractor"); v != nil && v.kind == mapping {
		c.Timestamps, _ = d.aside(op, v, "timestampExtractor")
	} else {
		c.TimestampExtractor = d.oneOf(v, "timestamp extractor", extractors)
	}
	return c
}

// topicSerde is what the keys or values of a topic are written by: a serde, or a guest that gives or takes their form
// with the serde of what is inside.
func (d *document) topicSerde(v *value) (topology.Serde, dsl.Fn) {
	if v == nil || v.kind != mapping {
		return d.serde(v), dsl.Fn{}
	}
	d.unknown(v, names(topicSerdeFields), "a serde")
	guest := v.get("guest")
	if guest == nil {
		d.faultAt(errs.YAMLInvalid, v, "a serde of a topic needs a guest", "write the name of a serde, or guest: MODULE/COMPONENT")
		return nil, dsl.Fn{}
	}
	fn, _ := d.guest(v, guest)
	return d.serde(v.get("as")), fn
}

// The keys and values of topics.
var (
	topicKey         = field{name: "key", form: aTopicSerde, doc: "Serde of the keys: a name, or a guest (a deserializer where the topic is read, a serializer where it is written)."}
	topicValue       = field{name: "value", form: aTopicSerde, doc: "Serde of the values: a name, or a guest (a deserializer where the topic is read, a serializer where it is written)."}
	topicSerdeFields = []field{
		{name: "guest", form: aText, required: true, doc: "The serializer or deserializer, as MODULE/COMPONENT."},
		confField,
		{name: "as", form: aSerde, doc: "Serde of the other form, that of the records in the application."},
	}
)

func lowerTable(d *document, op *operation, _ output) {
	c, m := d.consumed(op), d.materialized(op.body.get("materialized"))
	if topic := d.text(op.body.get("topic"), "topic"); topic != "" {
		op.out.table = d.builder.Table(topic, c, m)
	}
}

func lowerGlobalTable(d *document, op *operation, _ output) {
	c, m := d.consumed(op), d.materialized(op.body.get("materialized"))
	if topic := d.text(op.body.get("topic"), "topic"); topic != "" {
		op.out.global = d.builder.GlobalTable(topic, c, m)
	}
}

func lowerTransformValues(d *document, op *operation, in output) {
	fn, ok := d.fn(op, op.body)
	if !ok {
		return
	}
	stores := d.storeList(op)
	m := d.materialized(op.body.get("materialized"))
	m.StoreNamed = dsl.Named(op.name)
	op.out.table = in.table.TransformValues(fn, stores, m)
}

func lowerToTable(d *document, op *operation, in output) {
	m := d.materialized(op.body.get("materialized"))
	m.StoreNamed = dsl.Named(op.name)
	op.out.table = in.stream.ToTable(m)
}

func lowerSuppress(d *document, op *operation, in output) {
	limit, final := op.body.get("untilTimeLimit"), d.boolean(op.body, "untilWindowCloses", false)
	if (limit == nil) == !final {
		d.faultAt(errs.YAMLInvalid, op.body, "suppress needs untilTimeLimit or untilWindowCloses, one of the two", "add untilWindowCloses: true")
		return
	}
	c := dsl.Unbounded()
	c.MaxRecords, c.MaxBytes = d.bound(op.body, "maxRecords"), d.bound(op.body, "maxBytes")
	c.ShutDown = !d.boolean(op.body, "emitEarly", false)
	c.LoggingDisabled, c.ChangelogConfigs = !d.boolean(op.body, "logging", true), d.stringMap(op.body.get("changelog"), "changelog")
	s := dsl.UntilWindowCloses(c)
	if !final {
		s = dsl.UntilTimeLimit(d.wait(op.body, "untilTimeLimit"), c)
	}
	op.out.table = in.table.Suppress(s.WithName(op.name))
}

// bound is a whole number from 1 on; the largest one for a missing one.
func (d *document) bound(v *value, key string) int64 {
	n := v.get(key)
	if n == nil {
		return math.MaxInt64
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	if n.kind != scalar || err != nil || i < 1 {
		d.faultAt(errs.YAMLInvalid, n, key+" is a number from 1 on", "write a whole number such as 1, or leave it out")
		return math.MaxInt64
	}
	return i
}

// onTables has the operators of streams that tables have too take tables.
func onTables(all map[string]*operator) {
	calls := map[string]func(t *dsl.KTable, fn dsl.Fn, o ...dsl.Materialized) *dsl.KTable{
		"filter": (*dsl.KTable).Filter, "filterNot": (*dsl.KTable).FilterNot, "mapValues": (*dsl.KTable).MapValues,
	}
	for name, call := range calls {
		op := all[name]
		ofStream := op.lower
		op.or = append(op.or, "a table")
		op.fields = append(op.fields, field{name: "materialized", form: aStore, doc: "Of a table: the store in which the result is kept."})
		op.lower = func(d *document, op *operation, in output) {
			if in.table == nil {
				if v := op.body.get("materialized"); v != nil {
					d.faultAt(errs.YAMLInvalid, v, op.op.name+" of a stream is not kept in a store", "remove it, or make a table by toTable before")
				}
				ofStream(d, op, in)
				return
			}
			m := d.materialized(op.body.get("materialized"))
			m.StoreNamed = dsl.Named(op.name)
			if fn, ok := d.fn(op, op.body); ok {
				op.out.table = call(in.table, fn, m)
			}
		}
	}
}

// lowerTableJoin joins something with a table; it is false where both sides are streams.
func (d *document) lowerTableJoin(op *operation, in, other output, fn dsl.Fn) bool {
	left := op.op.name == "leftJoin"
	wrong := func(what string) bool {
		d.faultAt(errs.TopologyInvalid, op.at, fmt.Sprintf("%s of %s", op.op.name, what), "use join or leftJoin")
		return true
	}
	outer := op.op.name == "outerJoin"
	switch {
	case in.stream != nil && other.table != nil:
		if outer {
			return wrong("a stream and a table does not exist")
		}
		o := dsl.Joined{Name: op.name, Key: d.serde(op.body.get("key")), Value: d.serde(op.body.get("value"))}
		if op.body.get("gracePeriod") != nil {
			grace := d.wait(op.body, "gracePeriod")
			o.Grace = &grace
		}
		call := in.stream.JoinTable
		if left {
			call = in.stream.LeftJoinTable
		}
		op.out.stream = call(other.table, fn, o)
	case in.stream != nil && other.global != nil:
		if outer {
			return wrong("a stream and a global table does not exist")
		}
		d.lowerGlobalJoin(op, in, other, fn, left)
	case in.table != nil && other.table != nil:
		d.lowerTables(op, in, other, fn)
	default:
		return false
	}
	return true
}

func (d *document) lowerGlobalJoin(op *operation, in, other output, fn dsl.Fn, left bool) {
	v := op.body.get("keyMapper")
	if v == nil {
		d.faultAt(errs.YAMLInvalid, op.body, op.op.name+" with a global table needs keyMapper", "add keyMapper: {expr: key}")
		return
	}
	mapper, ok := d.aside(op, v, "keyMapper")
	if !ok {
		return
	}
	call := in.stream.JoinGlobalTable
	if left {
		call = in.stream.LeftJoinGlobalTable
	}
	op.out.stream = call(other.global, mapper, fn, dsl.Named(op.name))
}

func (d *document) lowerTables(op *operation, in, other output, fn dsl.Fn) {
	m := d.materialized(op.body.get("materialized"))
	if v := op.body.get("foreignKey"); v != nil {
		key, ok := d.aside(op, v, "foreignKey")
		joined, whole := d.tableJoined(op)
		switch {
		case !ok || !whole:
		case op.op.name == "outerJoin":
			d.faultAt(errs.TopologyInvalid, v, "there is no outer join by a foreign key", "use join or leftJoin")
		case op.op.name == "leftJoin":
			op.out.table = in.table.LeftJoinForeignKey(other.table, key, fn, joined, m)
		default:
			op.out.table = in.table.JoinForeignKey(other.table, key, fn, joined, m)
		}
		return
	}
	m.StoreNamed = dsl.Named(op.name)
	op.out.table = map[string]func(*dsl.KTable, dsl.Fn, ...dsl.Materialized) *dsl.KTable{
		"join": in.table.Join, "leftJoin": in.table.LeftJoin, "outerJoin": in.table.OuterJoin,
	}[op.op.name](other.table, fn, m)
}

// tableJoined says how tables are joined by a foreign key.
func (d *document) tableJoined(op *operation) (j dsl.TableJoined, whole bool) {
	j.Name = op.name
	var left, right bool
	j.Partitioner, left = d.given(op, "partitioner")
	j.OtherPartitioner, right = d.given(op, "otherPartitioner")
	return j, left && right
}
