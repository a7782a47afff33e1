package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// joinOperators join two inputs, named left and right in from. What they join depends on what these give.
func joinOperators() []*operator {
	fields := append(function(
		field{name: "key", form: aSerde, doc: "Serde of the keys in the stores and repartition topics."},
		field{name: "value", form: aSerde, doc: "Serde of the left values there."},
		field{name: "otherValue", form: aSerde, doc: "Serde of the right values there."},
		field{name: "result", form: aSerde, doc: "Serde of the values that the function gives."},
	),
		field{name: "windows", form: aJoinWindow, doc: "Which records of two streams belong together."},
		field{name: "keyMapper", form: aFunction, doc: "The key by which a row of a global table is found."},
		field{name: "foreignKey", form: aFunction, doc: "The key of the row in the other table, for joins of tables by a foreign key."},
		aggregateStore,
		field{name: "gracePeriod", form: aDuration, doc: "How long the records of a stream wait for late rows of a versioned table."},
		field{name: "partitioner", form: aFunction, doc: "Of a foreign key: chooses the partitions of the left table's keys."},
		field{name: "otherPartitioner", form: aFunction, doc: "Of a foreign key: chooses the partitions of the right table's keys."},
		field{name: "thisStore", form: aJoinStore, doc: "Of two streams: the store of the left one, in place of the generated one."},
		field{name: "otherStore", form: aJoinStore, doc: "Of two streams: the store of the right one."},
		field{name: "storeName", form: aText, doc: "What the stores of the join are called after."},
		field{name: "inMemory", form: aBool, doc: "Stores in memory."},
		field{name: "logging", form: aBool, doc: "Changelog topics for the stores; true if not given."},
		field{name: "changelog", form: aMap, doc: "Settings of the changelog topics."},
	)
	join := func(name, doc string) *operator {
		return &operator{name: name, doc: doc, takes: "a stream", or: []string{"a table"}, many: true, pure: true, fields: fields, lower: lowerJoin}
	}
	return []*operator{
		join("join", "Joins what from names first with what it names second; the function sees left and right."),
		join("leftJoin", "As join, where what is left alone comes out with a null right value."),
		join("outerJoin", "As join, where both sides come out alone with the other value null."),
	}
}

func lowerJoin(d *document, op *operation, in output) {
	fn, ok := d.fn(op, op.body)
	if len(op.from) != 2 {
		d.faultAt(errs.YAMLInvalid, op.at, op.op.name+" joins two inputs", "add from: [LEFT, RIGHT]")
		return
	}
	right := op.from[1]
	if !ok || right.op == nil || right.op.failed {
		if op.body.get("windows") != nil {
			d.joinWindows(op) // whose faults are its own
		}
		return
	}
	other := right.output()
	d.checkJoinFields(op, in, other)
	fn.OutKey, fn.OutValue = "", ""
	fn = fn.Out(nil, d.serde(op.body.get("result")))
	if d.lowerTableJoin(op, in, other, fn) {
		return
	}
	if other.stream == nil || in.stream == nil {
		d.misjoined(op, in, other)
		return
	}
	w, ok := d.joinWindows(op)
	if !ok {
		return
	}
	o := dsl.StreamJoined{
		Name: op.name, StoreName: d.text(op.body.get("storeName"), "storeName"),
		Key: d.serde(op.body.get("key")), Value: d.serde(op.body.get("value")), OtherValue: d.serde(op.body.get("otherValue")),
		InMemory: d.boolean(op.body, "inMemory", false), LoggingDisabled: !d.boolean(op.body, "logging", true),
		ChangelogConfigs: d.stringMap(op.body.get("changelog"), "changelog"),
		ThisStore:        d.joinStore(op, "thisStore"), OtherStore: d.joinStore(op, "otherStore"),
	}
	call := map[string]func(*dsl.KStream, dsl.Fn, dsl.JoinWindows, ...dsl.StreamJoined) *dsl.KStream{
		"join": in.stream.Join, "leftJoin": in.stream.LeftJoin, "outerJoin": in.stream.OuterJoin,
	}[op.op.name]
	op.out.stream = call(other.stream, fn, w, o)
}

// joinKind is what a join joins, and the fields that it has beside its function and result.
type joinKind struct {
	what   string
	fields []string
}

// The joins. A join with a table takes otherValue, which Kafka's Joined has too, and which nothing is written with.
var (
	streamsJoin    = joinKind{"two streams", []string{"windows", "key", "value", "otherValue", "thisStore", "otherStore", "storeName", "inMemory", "logging", "changelog"}}
	tableJoin      = joinKind{"a stream and a table", []string{"key", "value", "otherValue", "gracePeriod"}}
	globalJoin     = joinKind{"a stream and a global table", []string{"keyMapper"}}
	tablesJoin     = joinKind{"two tables", []string{"materialized"}}
	foreignKeyJoin = joinKind{"two tables by a foreign key", []string{"materialized", "foreignKey", "partitioner", "otherPartitioner"}}
)

// joinKindOf is the join of what two outputs give; ok is false where there is none.
func joinKindOf(op *operation, in, other output) (kind joinKind, ok bool) {
	switch {
	case in.stream != nil && other.stream != nil:
		return streamsJoin, true
	case in.stream != nil && other.table != nil:
		return tableJoin, true
	case in.stream != nil && other.global != nil:
		return globalJoin, true
	case in.table != nil && other.table != nil && op.body.get("foreignKey") != nil:
		return foreignKeyJoin, true
	case in.table != nil && other.table != nil:
		return tablesJoin, true
	}
	return kind, false
}

// checkJoinFields refuses the fields that only other joins have.
func (d *document) checkJoinFields(op *operation, in, other output) {
	kind, ok := joinKindOf(op, in, other)
	if !ok {
		return
	}
	always := append([]string{"guest", "config", "expr", "result"}, kind.fields...)
	for _, f := range op.op.fields {
		if v := op.body.get(f.name); v != nil && !slices.Contains(always, f.name) {
			d.faultAt(errs.YAMLInvalid, v, fmt.Sprintf("%s of %s has no %s", op.op.name, kind.what, f.name), "remove it; this join has "+strings.Join(kind.fields, ", "))
		}
	}
}

// misjoined tells what a join takes beside its left side.
func (d *document) misjoined(op *operation, in, other output) {
	right := op.from[1]
	takes, fix := "a stream with a stream", "put toStream before it"
	switch {
	case in.table != nil && other.stream != nil:
		takes, fix = "a table with a table", "name the stream first, to look its records up in the table, or put toTable before it"
	case in.table != nil:
		takes, fix = "a table with a table", "make a table of it before"
	case other.table != nil || other.global != nil:
		fix = "begin with a stream"
	}
	d.faultAt(errs.TopologyInvalid, right.at, fmt.Sprintf(
		"%s joins %s here, but %s gives %s", op.op.name, takes, right.op.title(), other.what()), fix)
}

func (d *document) joinWindows(op *operation) (w dsl.JoinWindows, ok bool) {
	v := op.body.get("windows")
	if v == nil {
		d.faultAt(errs.YAMLInvalid, op.body, op.op.name+" of two streams needs windows", "add windows: {timeDifference: 5m, grace: 10s}")
		return w, false
	}
	if !d.fieldsOf(v, "windows", joinWindowFields) {
		return w, false
	}
	if v.get("timeDifference") == nil && (v.get("before") == nil || v.get("after") == nil) {
		d.faultAt(errs.YAMLInvalid, v, "windows needs timeDifference, or before and after", "add timeDifference: ...")
		return w, false
	}
	w = dsl.JoinWindowsOfTimeDifferenceAndGrace(d.duration(v, "timeDifference"), d.duration(v, "grace"))
	if v.get("before") != nil {
		w = w.Before(d.duration(v, "before"))
	}
	if v.get("after") != nil {
		w = w.After(d.duration(v, "after"))
	}
	if err := w.Validate(); err != nil {
		d.invalid(v, err)
		return w, false
	}
	return w, true
}
