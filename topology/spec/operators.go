package spec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// operation is an entry of `operators`.
type operation struct {
	at   *value // the entry
	op   *operator
	body *value // below the operator's key
	id   string
	name string
	from []ref
	// state of lowering
	lowered, failed bool
	out             output
	branches        map[string]output
	consumed        bool
	// end is the last line of the entry; node is the name of the first node it made.
	end  int
	node string
	// numbered: its id is a number that an SDK gave.
	numbered bool
	// pair: its expression is one of key and value.
	pair bool
}

// ref is a `from`.
type ref struct {
	name string
	at   *value
	op   *operation
}

// output is what an operation hands on: one of these, or nothing.
type output struct {
	stream  *dsl.KStream
	grouped *dsl.KGroupedStream
	table   *dsl.KTable
	// groupedTable is a table whose rows are grouped anew.
	groupedTable *dsl.KGroupedTable
	global       *dsl.GlobalKTable

	timeWindowed      *dsl.TimeWindowedKStream
	sessionWindowed   *dsl.SessionWindowedKStream
	cogrouped         *dsl.CogroupedKStream
	cogroupedWindows  *dsl.TimeWindowedCogroupedKStream
	cogroupedSessions *dsl.SessionWindowedCogroupedKStream
}

func (o output) what() string {
	switch {
	case o.stream != nil:
		return "a stream"
	case o.grouped != nil:
		return "a grouped stream"
	case o.table != nil:
		return "a table"
	case o.global != nil:
		return "a global table"
	case o.groupedTable != nil:
		return "a grouped table"
	case o.timeWindowed != nil:
		return "a windowed stream"
	case o.sessionWindowed != nil:
		return "a stream in sessions"
	case o.cogrouped != nil:
		return "a cogrouped stream"
	case o.cogroupedWindows != nil:
		return "a windowed cogrouped stream"
	case o.cogroupedSessions != nil:
		return "a cogrouped stream in sessions"
	}
	return "nothing"
}

// entryFields are the keys of an entry beside that of its operator.
var entryFields = []string{"id", "from", "name"}

func (d *document) operators(root, v *value) {
	switch {
	case v == nil && (d.misspelt(root, "operators", topFields) || d.misspelt(root, "topology", topFields)):
		return
	case v == nil || v.kind == null:
		if root.get("topology") == nil {
			d.faultAt(errs.TopologyNoSource, root, "the application has no operators", "add operators: with a stream to begin with")
		}
		return
	case v.kind != sequence:
		d.faultAt(errs.YAMLInvalid, v, "operators is a list (got "+v.kindName()+")", "begin each operator with a dash")
		return
	}
	for _, item := range v.items {
		if op := d.operation(item); op != nil {
			d.ops = append(d.ops, op)
		}
	}
	d.connect()
	d.cycles()
	for _, op := range d.ops {
		d.lower(op)
	}
}

// operation reads the frame of an entry; what stands below the operator's key is read when it is lowered.
func (d *document) operation(item *value) *operation {
	op := &operation{at: item, failed: true, end: item.last(), numbered: d.own != ""}
	if !d.isMapping(item, "an operator") {
		return op
	}
	op.id = d.text(item.get("id"), "id")
	op.name = d.text(item.get("name"), "name")
	if from := item.get("from"); from != nil {
		for _, v := range slices.Concat([]*value{from}, from.items) {
			if v.kind == scalar {
				op.from = append(op.from, ref{name: v.text, at: v})
			}
		}
		d.texts(from, "from")
	}
	for _, e := range item.entries {
		switch spec := operators[e.key]; {
		case slices.Contains(entryFields, e.key):
		case spec == nil:
			d.fault(errs.YAMLUnknownField, e.line, e.col, fmt.Sprintf("there is no operator %q", e.key),
				errs.DidYouMean(e.key, slices.Concat(entryFields, slices.Collect(maps.Keys(operators)))))
			return op
		case op.op != nil:
			d.fault(errs.YAMLInvalid, e.line, e.col, fmt.Sprintf("an entry has one operator (got %s and %s)", op.op.name, e.key), "begin a new entry with a dash")
		default:
			op.op, op.body = spec, e.value
		}
	}
	if op.op == nil {
		d.faultAt(errs.YAMLInvalid, item, "the entry has no operator", "name one: "+strings.Join(operatorNames(), ", "))
		return op
	}
	op.failed = false
	return op
}

// connect finds what each `from` means and gives the entries without one the entry before.
func (d *document) connect() {
	named := d.named()
	for i, op := range d.ops {
		if op.op == nil {
			continue
		}
		switch {
		case op.op.source && len(op.from) > 0:
			d.faultAt(errs.YAMLInvalid, op.from[0].at, op.op.name+" reads topics and has no from", "remove it")
		case op.op.source:
		case len(op.from) == 0:
			d.fromBefore(op, i)
		default:
			d.resolveFrom(op, named)
		}
	}
}

// named are the operations by id; a branch is the split that it belongs to.
func (d *document) named() map[string]*operation {
	named := map[string]*operation{}
	names := map[string]bool{}
	add := func(id string, at *value, op *operation) {
		if id == "" {
			return
		}
		if named[id] != nil {
			d.faultAt(errs.TopologyDuplicateName, at, fmt.Sprintf("the id %q is given twice", id), "")
			return
		}
		named[id] = op
	}
	for _, op := range d.ops {
		add(op.id, op.at.get("id"), op)
		if names[op.name] && op.name != "" {
			d.faultAt(errs.TopologyDuplicateName, op.at.get("name"), fmt.Sprintf("the name %q is given twice", op.name), "")
		}
		names[op.name] = true
		for _, b := range branchesOf(op) {
			if id := b.get("id"); id != nil && id.kind == scalar {
				add(id.text, id, op)
			}
		}
	}
	return named
}

func branchesOf(op *operation) []*value {
	if op.op == nil || op.op.name != "split" || op.body.kind != mapping {
		return nil
	}
	var all []*value
	if b := op.body.get("branches"); b != nil {
		all = append(all, b.items...)
	}
	if def := op.body.get("default"); def != nil {
		all = append(all, def)
	}
	return all
}

func (d *document) fromBefore(op *operation, i int) {
	if i == 0 {
		d.faultAt(errs.TopologyNotConnected, op.at, op.op.name+" has nothing to read from", "put a stream before it, or say from: ID")
		op.failed = true
		return
	}
	before := d.ops[i-1]
	switch {
	case before.op == nil:
		op.failed = true
	case before.op.terminal:
		d.faultAt(errs.TopologyNotConnected, op.at, "nothing comes out of the "+before.op.name+" before this "+op.op.name, "say from: ID with the operator to go on from")
		op.failed = true
	case before.op.name == "split":
		d.faultAt(errs.TopologyNotConnected, op.at, "the split before has several branches", "say from: ID with the id of one")
		op.failed = true
	default:
		op.from = []ref{{op: before, at: op.at}}
	}
}

func (d *document) resolveFrom(op *operation, named map[string]*operation) {
	for i := range op.from {
		r := &op.from[i]
		if r.op = named[r.name]; r.op == nil {
			d.faultAt(errs.TopologyUnknownNode, r.at, fmt.Sprintf("there is no operator with the id %q", r.name), errs.DidYouMean(r.name, slices.Sorted(maps.Keys(named))))
			op.failed = true
		}
	}
	if len(op.from) > 1 && !op.op.many {
		d.faultAt(errs.YAMLInvalid, op.from[1].at, op.op.name+" reads one stream", "merge the streams before")
		op.failed = true
	}
}

// cycles reports each cycle once, along its ids. What is in it has failed.
func (d *document) cycles() {
	const visiting, done = 1, 2
	state := map[*operation]int{}
	var path []*operation
	var visit func(op *operation)
	visit = func(op *operation) {
		state[op] = visiting
		path = append(path, op)
		for _, r := range op.from {
			switch {
			case r.op == nil:
			case state[r.op] == visiting:
				d.cycle(r, path[slices.Index(path, r.op):])
			case state[r.op] == 0:
				visit(r.op)
			}
		}
		path = path[:len(path)-1]
		state[op] = done
	}
	for _, op := range d.ops {
		if state[op] == 0 {
			visit(op)
		}
	}
}

// cycle prints the way of a record: path goes against the stream.
func (d *document) cycle(r ref, path []*operation) {
	names := []string{path[0].title()}
	for i := len(path) - 1; i >= 0; i-- {
		names = append(names, path[i].title())
		path[i].failed = true
	}
	d.faultAt(errs.TopologyCycle, r.at, "the operators form a cycle: "+strings.Join(names, " -> "), "")
}

func (op *operation) title() string {
	switch {
	case op.id != "" && !op.numbered:
		return op.id
	case op.op != nil:
		return op.op.name
	}
	return "?"
}

// lower makes the DSL call of op, those of what it reads first.
func (d *document) lower(op *operation) {
	if op.lowered {
		return
	}
	op.lowered = true
	for _, r := range op.from {
		if r.op == nil {
			continue
		}
		d.lower(r.op)
		r.op.consumed = true
		op.failed = op.failed || r.op.failed
	}
	if op.op == nil {
		d.uncertain = true
		return
	}
	faults := len(d.faults)
	d.checkBody(op)
	in, ok := d.input(op)
	if op.failed = op.failed || !ok || len(d.faults) > faults; op.failed {
		d.uncertain = true
		d.lowerAside(op)
		return
	}
	before, names := len(d.builder.Faults()), len(d.builder.NodeNames())
	op.op.lower(d, op, in)
	d.adopt(before, op.at, op.body.get("expr"))
	for _, name := range d.builder.NodeNames()[names:] {
		if _, taken := d.app.NodeWhere[name]; !taken {
			d.app.NodeWhere[name] = d.where(op.at.line, op.at.col)
		}
	}
	if made := d.builder.NodeNames()[names:]; len(made) > 0 && !d.uncertain {
		op.node = made[0]
	}
	op.failed = len(d.faults) > faults
	d.uncertain = d.uncertain || op.failed
}

// lowerAside lowers an operation that has faults, or reads from one that has, into a builder that is thrown away, so
// that the faults of its own fields come out all the same. Its input is of unknown types, so types are not judged.
func (d *document) lowerAside(op *operation) {
	if op.body.kind != mapping || d.many() {
		return
	}
	known := map[string]bool{}
	for _, f := range d.faults {
		known[f.Error()] = true
	}
	kept, faults := d.builder, d.faults
	d.builder = dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.JSON, Value: topology.JSON})
	s := d.builder.Stream("aside")
	in := output{stream: s}
	switch op.op.takes {
	case "a grouped stream":
		in = output{grouped: s.GroupByKey()}
	case "a table":
		in = output{table: s.GroupByKey().Count()}
	}
	op.op.lower(d, op, in)
	d.adopt(0, op.at, op.body.get("expr"))
	fresh := d.faults[len(faults):]
	d.builder, d.faults = kept, faults
	for _, f := range fresh {
		if !known[f.Error()] {
			d.faults = append(d.faults, f)
		}
	}
}

// unclear tells whether it is not known what the operation reads.
func (op *operation) unclear() bool {
	return op.op == nil || slices.ContainsFunc(op.from, func(r ref) bool { return r.op == nil })
}

// checkBody holds what stands below an operator to its fields.
func (d *document) checkBody(op *operation) {
	if op.body.kind == null {
		empty := *op.body
		empty.kind = mapping
		op.body = &empty
	}
	if !d.isMapping(op.body, op.op.name) {
		return
	}
	known := op.op.fieldNames()
	for _, f := range op.op.fields {
		if f.required && op.body.get(f.name) == nil && !d.misspelt(op.body, f.name, known) {
			d.faultAt(errs.YAMLInvalid, op.body, op.op.name+" needs "+f.name, "add "+f.name+": ...")
		}
	}
	d.unknown(op.body, known, op.op.name)
	d.checkTopics(op.body)
}

// checkTopics holds the topics that an operator names to Kafka's rule.
func (d *document) checkTopics(body *value) {
	names := []*value{body.get("topic")}
	if list := body.get("topics"); list != nil {
		names = append(append(names, list), list.items...)
	}
	for _, v := range names {
		if v == nil || v.kind != scalar || v.broken {
			continue
		}
		if err := dsl.CheckTopicName(v.text); err != nil {
			d.invalid(v, err)
		}
	}
}

// input is what op reads, of the kind that it takes.
func (d *document) input(op *operation) (output, bool) {
	if op.op.source || op.failed {
		return output{}, true
	}
	in := op.from[0].output()
	want := op.op.takes
	got := in.what()
	if got == want || slices.Contains(op.op.or, got) {
		return in, true
	}
	fix := map[string]string{
		"a grouped stream": "put groupBy or groupByKey before it",
		"a table":          "make a table by count before it",
		"a stream":         "put toStream before it",
	}[want]
	switch got {
	case "a grouped stream", "a grouped table", "a windowed stream", "a stream in sessions":
		fix = "put count before it"
	case "a cogrouped stream", "a windowed cogrouped stream", "a cogrouped stream in sessions":
		fix = "put aggregate before it"
	case "nothing":
		fix = "say from: ID with the operator to go on from"
	}
	d.faultAt(errs.TopologyInvalid, op.at, fmt.Sprintf("%s takes %s, but %s gives %s", op.op.name, want, op.from[0].op.title(), got), fix)
	return output{}, false
}

// output is what the reference stands for: the operation's, or that of one branch.
func (r ref) output() output {
	if out, ok := r.op.branches[r.name]; ok {
		return out
	}
	return r.op.out
}

// adopt gives the faults that the builder found since before their place: that of the expression, if it is one.
func (d *document) adopt(before int, at, expression *value) {
	for _, err := range d.builder.Faults()[before:] {
		d.faults = append(d.faults, d.relocate(err, at, expression))
	}
}

// orphans reports operators that nothing reads although they do nothing by themselves, and stores without a user. Where
// an operator or a from cannot be understood it may be what reads them, so nothing is said.
func (d *document) orphans() {
	if slices.ContainsFunc(d.ops, (*operation).unclear) {
		return
	}
	for _, op := range d.ops {
		if op.failed || op.consumed || op.op == nil || !op.op.pure || op.body.get("materialized") != nil {
			continue // a table that is materialized can be asked from outside
		}
		d.faultAt(errs.TopologyNotConnected, op.at, "nothing reads what "+op.title()+" gives", "end it with to, foreach or process, or remove it")
	}
	failed := slices.ContainsFunc(d.ops, func(op *operation) bool { return op.failed }) ||
		slices.ContainsFunc(d.nodes, func(c *nodeCall) bool { return c.failed })
	for _, s := range d.stores {
		if !s.used && !failed {
			d.fault(errs.TopologyNotConnected, s.at.line, s.at.col, fmt.Sprintf("no operator uses the store %q", s.spec.Name), "name it in the stores of a processor, or remove it")
		}
	}
}

// build lowers everything and places the faults that only the whole shows. Where there are others already, those that do
// not come from what is missing are told too.
func (d *document) build() {
	whole, told := len(d.faults) == 0, d.builder.Faults()
	t, faults := d.builder.Draft()
	for _, e := range faults {
		if whole || d.standsAlone(e) && !slices.Contains(told, e) {
			d.faults = append(d.faults, d.relocateNode(e))
		}
	}
	d.addNodes(t)
	if len(d.faults) == 0 {
		for _, e := range errs.Flatten(t.Validate()) {
			d.faults = append(d.faults, d.relocateWhole(e))
		}
	}
	if len(d.faults) == 0 {
		d.app.Topology = t
	}
}

// standsAlone tells whether a fault of the whole topology is one whatever else is missing. Generated names are those that
// will be as long as no operator was left out.
func (d *document) standsAlone(err error) bool {
	var coded *errs.Error
	return errs.TopologyStoreClash.Is(err) || errs.TopologyTopicTaken.Is(err) ||
		!d.uncertain && errors.As(err, &coded) && coded.Where == dsl.EnsureExplicitNaming
}
