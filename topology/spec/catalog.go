package spec

import (
	"errors"
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// operator is one of Kafka's operators as it is written in a document. The catalogue is also what the schema is made
// of.
type operator struct {
	name, doc string
	fields    []field
	// takes is what it reads: "a stream", "a grouped stream", "a table"; or is what it may read instead.
	takes string
	or    []string
	// many: from may name several inputs.
	many bool
	// source operators read topics; terminal ones give nothing; pure ones do nothing unless somebody reads them.
	source, terminal, pure bool
	lower                  func(d *document, op *operation, in output)
	// node reads an entry of topology.
	node func(d *document, c *nodeCall)
}

// field is a key below an operator.
type field struct {
	name, doc string
	form      form
	required  bool
}

// form is what a field's value looks like.
type form string

const (
	aText  form = "text"
	texts  form = "texts"
	aSerde form = "serde"
	// aTopicSerde is a serde, or a guest that is one.
	aTopicSerde form = "topicSerde"
	aNumber     form = "number"
	aBool       form = "bool"
	aMap        form = "map"
	anExpr      form = "expr"
	aPair       form = "pair" // of expressions
	// anExprOrPair is one of the two, by what the operator reads.
	anExprOrPair form = "exprOrPair"
	aStore       form = "materialized"
	aReset       form = "reset"
	anExtract    form = "extractor"
	aBranch      form = "branch"
	branches     form = "branches"
	aFunction    form = "function"
	functions    form = "functions"
	aDuration    form = "duration"
	anEmit       form = "emit"
	aStoreKind   form = "storeKind"
	aStoreType   form = "storeType"
	aWholeStore  form = "store"
	storeRefs    form = "stores"
	aJoinStore   form = "joinStore"

	aTimeWindows      form = "timeWindows"
	aSlidingWindows   form = "slidingWindows"
	aSessionWindows   form = "sessionWindows"
	anUnlimitedWindow form = "unlimitedWindows"
	aJoinWindow       form = "joinWindows"
)

var (
	keySerde   = field{name: "key", form: aSerde, doc: "Serde of the keys."}
	valueSerde = field{name: "value", form: aSerde, doc: "Serde of the values."}
	guestField = field{name: "guest", form: aText, doc: "The function, as MODULE/COMPONENT."}
	confField  = field{name: "config", form: aMap, doc: "Settings for the guest."}
	exprField  = field{name: "expr", form: anExpr, doc: "The function as a CEL expression over key, value, timestamp and headers."}
)

// function are the fields of an operator that calls a user function; results say whether its serdes can be given.
func function(results ...field) []field {
	return append([]field{guestField, confField, exprField}, results...)
}

func (op *operator) fieldNames() []string {
	var names []string
	for _, f := range op.fields {
		names = append(names, f.name)
	}
	return names
}

// pairFields are the keys of a pair of expressions.
var pairFields = []string{"key", "value"}

// operators by name. Read only.
var operators = catalogue()

func operatorNames() []string { return slices.Sorted(maps.Keys(operators)) }

func catalogue() map[string]*operator {
	all := map[string]*operator{}
	for _, op := range slices.Concat(statelessOperators(), groupingOperators(), windowOperators(), joinOperators(), tableOperators(), endOperators()) {
		all[op.name] = op
	}
	onTables(all)
	return all
}

func statelessOperators() []*operator {
	type with = func(s *dsl.KStream, fn dsl.Fn, name dsl.Named) *dsl.KStream
	simple := func(name, doc string, fields []field, call with) *operator {
		return &operator{name: name, doc: doc, fields: fields, takes: "a stream", pure: true, lower: func(d *document, op *operation, in output) {
			if fn, ok := d.fn(op, op.body); ok {
				op.out.stream = call(in.stream, fn, dsl.Named(op.name))
			}
		}}
	}
	ops := []*operator{
		simple("filter", "Keeps the records for which the function says yes.", function(),
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.Filter(fn, n) }),
		simple("filterNot", "Drops the records for which the function says yes.", function(),
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.FilterNot(fn, n) }),
		simple("mapValues", "Replaces each value by one value.", function(valueSerde),
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.MapValues(fn, n) }),
		simple("flatMapValues", "Replaces each value by any number of values.", function(valueSerde),
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.FlatMapValues(fn, n) }),
		simple("map", "Replaces each record by one record.", []field{guestField, confField, {
			name: "expr", form: aPair, doc: "Two CEL expressions: {key: ..., value: ...}.",
		}, keySerde, valueSerde},
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.Map(fn, n) }),
		simple("flatMap", `Replaces each record by any number of records; an expression gives a list of {"key": ..., "value": ...}.`, function(keySerde, valueSerde),
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.FlatMap(fn, n) }),
		simple("selectKey", "Gives each record a new key.", function(keySerde),
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.SelectKey(fn, n) }),
		simple("peek", "Shows each record to the function and passes it on.", []field{guestField, confField},
			func(s *dsl.KStream, fn dsl.Fn, n dsl.Named) *dsl.KStream { return s.Peek(fn, n) }),
	}
	ops[len(ops)-1].pure = false
	return append(ops,
		&operator{name: "merge", doc: "The records of all streams in from, without an order between them.", takes: "a stream", many: true, pure: true, lower: lowerMerge},
		&operator{name: "split", doc: "Sends each record to the first branch that wants it. Branches are read by their ids.", takes: "a stream", pure: true, fields: []field{
			{name: "branches", form: branches, required: true, doc: "The branches, in the order in which they are asked."},
			{name: "default", form: aBranch, doc: "The branch of the records that no other wants; without it they are dropped."},
		}, lower: lowerSplit},
		&operator{name: "repartition", doc: "Writes the stream to a topic of its own, by key, and reads it from there.", takes: "a stream", pure: true, fields: []field{
			{name: "partitions", form: aNumber, doc: "Partitions of the topic; without it as many as the sources have."}, keySerde, valueSerde, partitioner,
		}, lower: func(d *document, op *operation, in output) {
			choose, ok := d.given(op, "partitioner")
			if !ok {
				return
			}
			op.out.stream = in.stream.Repartition(dsl.Repartitioned{
				Name: op.name, Partitions: d.count(op.body, "partitions"), Key: d.serde(op.body.get("key")), Value: d.serde(op.body.get("value")),
				Partitioner: choose,
			})
		}},
	)
}

// partitioner is the function that chooses partitions.
var partitioner = field{name: "partitioner", form: aFunction, doc: "A function that chooses the partitions of each record; without it the key does. An expression gives one as an int."}

// given is the user function below a key, or none if it is not there.
func (d *document) given(op *operation, key string) (dsl.Fn, bool) {
	v := op.body.get(key)
	if v == nil {
		return dsl.Fn{}, true
	}
	return d.aside(op, v, key)
}

func groupingOperators() []*operator {
	return []*operator{
		{name: "groupBy", doc: "Groups by the key that the function gives. The name is that of the repartition topic.", takes: "a stream", or: []string{"a table"}, pure: true, fields: []field{
			guestField, confField, {name: "expr", form: anExprOrPair, doc: "The new key as a CEL expression; of a table two of them: {key: ..., value: ...}."}, keySerde, valueSerde,
		}, lower: lowerGroupBy},
		{name: "groupByKey", doc: "Groups by the key as it is. The name is that of the repartition topic, if there is one.", takes: "a stream", pure: true, fields: []field{keySerde, valueSerde}, lower: func(d *document, op *operation, in output) {
			op.out.grouped = in.stream.GroupByKey(dsl.Grouped{Name: op.name, Key: d.serde(op.body.get("key")), Value: d.serde(op.body.get("value"))})
		}},
		{name: "count", doc: "Counts the records of each key, in a table of longs.", takes: "a grouped stream", or: append([]string{"a grouped table"}, windowed...), fields: []field{aggregateStore}, lower: lowerCount},
		{name: "toStream", doc: "The changes of a table as a stream.", takes: "a table", pure: true, lower: func(_ *document, op *operation, in output) {
			op.out.stream = in.table.ToStream(dsl.Named(op.name))
		}},
	}
}

func lowerGroupBy(d *document, op *operation, in output) {
	op.pair = in.table != nil
	fn, ok := d.fn(op, op.body)
	if !ok {
		return
	}
	g := dsl.Grouped{Name: op.name, Key: d.serde(op.body.get("key")), Value: d.serde(op.body.get("value"))}
	if in.table != nil {
		op.out.groupedTable = in.table.GroupBy(fn, g)
		return
	}
	op.out.grouped = in.stream.GroupBy(fn, g)
}

func lowerCount(d *document, op *operation, in output) {
	m := d.aggregateStore(op)
	switch {
	case in.timeWindowed != nil:
		op.out.table = in.timeWindowed.Count(m)
	case in.sessionWindowed != nil:
		op.out.table = in.sessionWindowed.Count(m)
	case in.groupedTable != nil:
		op.out.table = in.groupedTable.Count(m)
	default:
		op.out.table = in.grouped.Count(m)
	}
}

// Values of offsetReset and timestampExtractor.
var (
	offsetResets = []string{"earliest", "latest", "none"}
	extractors   = []string{
		"FailOnInvalidTimestamp", "LogAndSkipOnInvalidTimestamp", "UsePartitionTimeOnInvalidTimestamp", "WallclockTimestampExtractor",
	}
)

func lowerStream(d *document, op *operation, _ output) {
	c := d.consumed(op)
	switch topics, pattern := d.sourceTopics(op); {
	case pattern != "":
		op.out.stream = d.builder.StreamPattern(pattern, c)
	case len(topics) > 0:
		op.out.stream = d.builder.StreamTopics(topics, c)
	}
}

// sourceTopics are the topics that a source reads, or their pattern; one of the two, or neither beside a fault.
func (d *document) sourceTopics(op *operation) (topics []string, pattern string) {
	topics = d.texts(op.body.get("topics"), "topics")
	if topic := op.body.get("topic"); topic != nil {
		topics = append(topics, nonEmpty(d.text(topic, "topic"))...)
	}
	pattern = d.text(op.body.get("pattern"), "pattern")
	switch {
	case pattern != "" && len(topics) > 0:
		d.faultAt(errs.YAMLInvalid, op.body, op.op.name+" has topics or a pattern, not both", "remove one")
		return nil, ""
	case pattern != "":
		if _, err := topology.CompileTopicPattern(pattern); err != nil {
			d.faultAt(errs.YAMLInvalid, op.body.get("pattern"), "the pattern is not a regular expression ("+regexpFault(err)+")", "use RE2 syntax: no look-around and no back references")
			return nil, ""
		}
	case len(topics) == 0 && !slices.ContainsFunc([]string{"topics", "topic", "pattern"}, func(f string) bool { return d.misspelt(op.body, f, op.op.fieldNames()) }):
		d.faultAt(errs.YAMLInvalid, op.body, op.op.name+" needs topics", "add topics: [...]")
	}
	return topics, pattern
}

// regexpFault is the error of a regular expression without the text that was put around it.
func regexpFault(err error) string {
	var fault *syntax.Error
	if errors.As(err, &fault) {
		return string(fault.Code)
	}
	return err.Error()
}

func lowerMerge(d *document, op *operation, in output) {
	if len(op.from) < 2 {
		d.faultAt(errs.YAMLInvalid, op.at, "merge needs two streams or more", "add from: [ID, ID]")
		return
	}
	s := in.stream
	for i, r := range op.from[1:] {
		if r.op == nil || r.op.failed {
			continue
		}
		other := r.output()
		if other.stream == nil {
			d.faultAt(errs.TopologyInvalid, r.at, fmt.Sprintf("merge takes streams, but %s gives %s", r.op.title(), other.what()), "put toStream before it")
			return
		}
		name := op.name
		if i < len(op.from)-2 {
			name = "" // the name is for the whole
		}
		s = s.Merge(other.stream, dsl.Named(name))
	}
	op.out.stream = s
}

var branchFields = []string{"id", "name", "guest", "config", "expr"}

func lowerSplit(d *document, op *operation, in output) {
	list := op.body.get("branches")
	if list == nil {
		return // which is told already
	}
	if list.kind != sequence || len(list.items) == 0 {
		d.faultAt(errs.YAMLInvalid, list, "branches is a list of at least one branch", "write it as [{id: big, expr: ...}]")
		return
	}
	op.branches = map[string]output{}
	split := in.stream.Split(dsl.Named(op.name))
	for _, b := range list.items {
		if !d.isMapping(b, "a branch") {
			continue
		}
		d.unknown(b, branchFields, "a branch")
		if fn, ok := d.fn(op, b); ok {
			split.Branch(fn, d.branched(op, b))
		}
	}
	if def := op.body.get("default"); def != nil {
		if def.kind == null {
			split.DefaultBranch(d.branched(op, def))
		} else if d.isMapping(def, "the default branch") {
			d.unknown(def, []string{"id", "name"}, "the default branch")
			split.DefaultBranch(d.branched(op, def))
		}
	}
}

// branched catches the branch's stream under its id.
func (d *document) branched(op *operation, b *value) dsl.Branched {
	id := d.text(b.get("id"), "id")
	return dsl.Branched{Name: d.text(b.get("name"), "name"), Chain: func(s *dsl.KStream) *dsl.KStream {
		if id != "" {
			op.branches[id] = output{stream: s}
		}
		return s
	}}
}

func (d *document) useStore(list *value, i int, name string) {
	if s := d.store(name); s != nil {
		s.used = true
		return
	}
	known := d.materializedNames()
	if slices.Contains(known, name) {
		return
	}
	at := list
	if i < len(list.items) {
		at = list.items[i]
	}
	for _, s := range d.stores {
		known = append(known, s.spec.Name)
	}
	fix := "describe it under stores:"
	if near := errs.Nearest(name, known); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	d.faultAt(errs.TopologyUnknownNode, at, fmt.Sprintf("there is no store %q", name), fix)
}

// materializedNames are the stores that aggregations name.
func (d *document) materializedNames() []string {
	var names []string
	for _, op := range d.ops {
		if op.op == nil || op.body.kind != mapping {
			continue
		}
		if s := op.body.get("store"); s != nil && s.get("name") != nil {
			names = append(names, s.get("name").text)
		}
		switch m := op.body.get("materialized"); {
		case m == nil:
		case m.kind == scalar:
			names = append(names, m.text)
		case m.get("name") != nil:
			names = append(names, m.get("name").text)
		}
	}
	return names
}

// withExpr are the forms of fields that may hold an expression.
var withExpr = []form{anExpr, aPair, anExprOrPair, branches, aFunction, functions}

// fn is the user function that v describes: a guest or an expression, one of the two.
func (d *document) fn(op *operation, v *value) (dsl.Fn, bool) {
	guest, expression := v.get("guest"), v.get("expr")
	ways := "a guest or an expr"
	if !slices.ContainsFunc(op.op.fields, func(f field) bool { return slices.Contains(withExpr, f.form) }) {
		ways = "a guest"
	}
	switch {
	case guest == nil && expression == nil:
		d.faultAt(errs.YAMLInvalid, v, op.op.name+" needs "+ways, "add guest: MODULE/COMPONENT")
		return dsl.Fn{}, false
	case guest != nil && expression != nil:
		d.faultAt(errs.YAMLInvalid, expression, "a function is a guest or an expr, not both", "remove one")
		return dsl.Fn{}, false
	case expression != nil:
		return d.expression(op, v, expression)
	}
	return d.guest(v, guest)
}

func (d *document) expression(op *operation, v, expression *value) (dsl.Fn, bool) {
	if c := v.get("config"); c != nil {
		d.faultAt(errs.YAMLInvalid, c, "config is for guests", "remove it")
	}
	var fn dsl.Fn
	if v == op.body && (op.op.name == "map" || op.pair) {
		what := "the expr of a map"
		if op.pair {
			what = "the expr of a table's " + op.op.name
		}
		if !d.isMapping(expression, what) {
			return fn, false
		}
		d.unknown(expression, pairFields, what)
		fn = dsl.MapExpr(d.required(expression, "key", what, pairFields), d.required(expression, "value", what, pairFields))
		if fn.KeyExpr == "" || fn.ValueExpr == "" {
			return fn, false
		}
	} else if fn = dsl.Expr(d.text(expression, "expr")); fn.ValueExpr == "" {
		return fn, false
	}
	return fn.Out(d.serde(v.get("key")), d.serde(v.get("value"))), true
}

func (d *document) guest(v, guest *value) (dsl.Fn, bool) {
	text := d.text(guest, "guest")
	module, component, ok := strings.Cut(text, "/")
	if d.own != "" {
		if module, component, ok = d.ownGuest(guest, text); !ok {
			return dsl.Fn{}, false
		}
	}
	if !ok || module == "" || component == "" {
		if text != "" {
			d.faultAt(errs.YAMLInvalid, guest, fmt.Sprintf("a guest is MODULE/COMPONENT (got %q)", text), "write the name of the module under modules:, a slash, and that of the component")
		}
		return dsl.Fn{}, false
	}
	if _, known := d.app.Modules[module]; !known {
		fix := fmt.Sprintf("add it: modules: {%s: {path: %s.wasm}}", module, module)
		if near := errs.Nearest(module, slices.Collect(maps.Keys(d.app.Modules))); near != "" {
			fix = fmt.Sprintf("did you mean %q?", near)
		}
		d.faultAt(errs.TopologyUnknownNode, guest, fmt.Sprintf("there is no module %q", module), fix)
		return dsl.Fn{}, false
	}
	fn := dsl.Guest(module, component).WithConfig(d.stringMap(v.get("config"), "config"))
	return fn.Out(d.serde(v.get("key")), d.serde(v.get("value"))), true
}
