package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// duration is a time such as 500ms, 10s, 1h30m, 2d, or a number of milliseconds. 0 for a missing one.
func (d *document) duration(v *value, key string) time.Duration {
	t := d.text(v.get(key), key)
	if t == "" {
		return 0
	}
	parsed, ok := parseDuration(t)
	if !ok {
		d.faultAt(errs.YAMLInvalid, v.get(key), fmt.Sprintf("%s is no duration (got %q)", key, t), "write it like 500ms, 10s, 5m, 1h30m or 2d, or as a number of milliseconds")
	}
	return parsed
}

// wait is a duration that is not negative.
func (d *document) wait(v *value, key string) time.Duration {
	t := d.duration(v, key)
	if t < 0 {
		d.faultAt(errs.YAMLInvalid, v.get(key), fmt.Sprintf("%s must not be negative (got %s)", key, v.get(key).text), "give 0 or more, or leave it out")
	}
	return t
}

const (
	day           = 24 * time.Hour
	largestMillis = int64(1<<63-1) / int64(time.Millisecond)
)

func parseDuration(t string) (time.Duration, bool) {
	if ms, err := strconv.ParseInt(t, 10, 64); err == nil {
		return time.Duration(ms) * time.Millisecond, ms <= largestMillis && ms >= -largestMillis
	}
	if days, ok := strings.CutSuffix(t, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		return time.Duration(n) * day, err == nil && n < largestMillis/day.Milliseconds()
	}
	parsed, err := time.ParseDuration(t)
	return parsed, err == nil
}

// windowOptions are the windows that can be written, by Kafka's names.
var windowOptions = []field{
	{name: "timeWindows", form: aTimeWindows, doc: "Tumbling windows of a size, or with an advance hopping ones."},
	{name: "slidingWindows", form: aSlidingWindows, doc: "All windows of a time difference that hold different records."},
	{name: "sessionWindows", form: aSessionWindows, doc: "Sessions of records no further apart than the inactivity gap."},
	{name: "unlimitedWindows", form: anUnlimitedWindow, doc: "One window without an end."},
	{name: "emit", form: anEmit, doc: "Whether results come with each update or once, when a window closes."},
}

// The fields of windows.
var (
	graceField          = field{name: "grace", form: aDuration, doc: "How long after its end a window takes records."}
	timeWindowFields    = []field{{name: "size", form: aDuration, required: true, doc: "The length of a window."}, {name: "advance", form: aDuration, doc: "How far one window begins after the other; the size if not given."}, graceField}
	slidingWindowFields = []field{{name: "timeDifference", form: aDuration, required: true, doc: "The length of a window."}, graceField}
	sessionWindowFields = []field{{name: "inactivityGap", form: aDuration, required: true, doc: "How far apart the records of a session may be."}, graceField}
	unlimitedFields     = []field{{name: "start", form: aDuration, doc: "Where the window begins, in milliseconds since the epoch."}}
	joinWindowFields    = []field{
		{name: "timeDifference", form: aDuration, doc: "How far apart records may be."},
		{name: "before", form: aDuration, doc: "How much earlier the right record may be, in place of timeDifference."},
		{name: "after", form: aDuration, doc: "How much later the right record may be, in place of timeDifference."},
		graceField,
	}
)

var emitStrategies = []string{string(dsl.OnWindowUpdate), string(dsl.OnWindowClose)}

func names(fields []field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	return all
}

func windowOperators() []*operator {
	return []*operator{
		{name: "windowedBy", doc: "Divides the groups into windows.", takes: "a grouped stream", or: []string{"a cogrouped stream"}, pure: true, fields: windowOptions, lower: lowerWindowedBy},
		{name: "cogroup", doc: "Puts several grouped streams together, to be aggregated into one table.", takes: "a grouped stream", many: true, pure: true, fields: []field{
			{name: "aggregators", form: functions, required: true, doc: "A function of value and aggregate for each of the streams in from."},
		}, lower: lowerCogroup},
		{name: "reduce", doc: "Combines the values of each group by a function of aggregate and value.", takes: "a grouped stream", or: append([]string{"a grouped table"}, windowed...), fields: append(
			function(aggregateStore),
			field{name: "adder", form: aFunction, doc: "Of a grouped table, with subtractor in place of guest or expr: adds a value to the aggregate."},
			field{name: "subtractor", form: aFunction, doc: "Of a grouped table: takes a value out of the aggregate."},
		), lower: lowerReduce},
		{name: "aggregate", doc: "Aggregates the values of each group, beginning with what the initializer gives.", takes: "a grouped stream", or: append([]string{"a grouped table", "a cogrouped stream", "a windowed cogrouped stream", "a cogrouped stream in sessions"}, windowed...), fields: []field{
			{name: "initializer", form: aFunction, required: true, doc: "A function that gives the first aggregate."},
			{name: "aggregator", form: aFunction, doc: "A function of value and aggregate. Cogrouped streams have theirs."},
			{name: "adder", form: aFunction, doc: "Of a grouped table, with subtractor in place of aggregator: adds a value to the aggregate."},
			{name: "subtractor", form: aFunction, doc: "Of a grouped table: takes a value out of the aggregate."},
			{name: "merger", form: aFunction, doc: "A function of two aggregates, left and right, for sessions that become one."},
			valueSerde, aggregateStore,
		}, lower: lowerAggregate},
	}
}

// windowed are the groups in windows.
var windowed = []string{"a windowed stream", "a stream in sessions"}

var aggregateStore = field{name: "materialized", form: aStore, doc: "The table's store: its name, or a mapping."}

func lowerWindowedBy(d *document, op *operation, in output) {
	chosen := ""
	for _, f := range windowOptions[:len(windowOptions)-1] {
		if op.body.get(f.name) == nil {
			continue
		}
		if chosen != "" {
			d.faultAt(errs.YAMLInvalid, op.body.get(f.name), "windowedBy has one kind of windows (got "+chosen+" and "+f.name+")", "remove one")
			return
		}
		chosen = f.name
	}
	emit := dsl.EmitStrategy(d.oneOf(op.body.get("emit"), "emit strategy", emitStrategies))
	if emit == "" {
		emit = dsl.OnWindowUpdate
	}
	body := op.body.get(chosen)
	switch {
	case chosen == "" && slices.ContainsFunc(windowOptions, func(f field) bool { return d.misspelt(op.body, f.name, names(windowOptions)) }):
	case chosen == "":
		d.faultAt(errs.YAMLInvalid, op.body, "windowedBy needs windows", "add one of timeWindows, slidingWindows, sessionWindows, unlimitedWindows")
	case chosen == "sessionWindows":
		if w, ok := d.sessionWindows(body); ok {
			op.out = in.sessions(w, emit)
		}
	default:
		if w := d.windows(chosen, body); w != nil {
			op.out = in.windowed(w, emit)
		}
	}
}

func (in output) sessions(w dsl.SessionWindows, emit dsl.EmitStrategy) output {
	if in.cogrouped != nil {
		return output{cogroupedSessions: in.cogrouped.WindowedBySessions(w)}
	}
	return output{sessionWindowed: in.grouped.WindowedBySessions(w).EmitStrategy(emit)}
}

func (in output) windowed(w dsl.Windows, emit dsl.EmitStrategy) output {
	if in.cogrouped != nil {
		return output{cogroupedWindows: in.cogrouped.WindowedBy(w)}
	}
	return output{timeWindowed: in.grouped.WindowedBy(w).EmitStrategy(emit)}
}

// fieldsOf holds a mapping to fields.
func (d *document) fieldsOf(v *value, what string, fields []field) bool {
	if !d.isMapping(v, what) {
		return false
	}
	faults := len(d.faults)
	known := names(fields)
	d.unknown(v, known, what)
	for _, f := range fields {
		if f.form == aDuration && v.get(f.name) != nil {
			d.duration(v, f.name)
		}
		if f.required && v.get(f.name) == nil && !d.misspelt(v, f.name, known) {
			d.faultAt(errs.YAMLInvalid, v, what+" needs "+f.name, "add "+f.name+": ...")
		}
	}
	return len(d.faults) == faults
}

func (d *document) windows(kind string, v *value) dsl.Windows {
	switch kind {
	case "timeWindows":
		if !d.fieldsOf(v, kind, timeWindowFields) {
			return nil
		}
		w := dsl.TimeWindowsOfSizeAndGrace(d.duration(v, "size"), d.duration(v, "grace"))
		if v.get("advance") != nil {
			w = w.AdvanceBy(d.duration(v, "advance"))
		}
		return d.valid(v, w)
	case "slidingWindows":
		if !d.fieldsOf(v, kind, slidingWindowFields) {
			return nil
		}
		return d.valid(v, dsl.SlidingWindowsOfTimeDifferenceAndGrace(d.duration(v, "timeDifference"), d.duration(v, "grace")))
	}
	if v.kind == null {
		return dsl.UnlimitedWindows{}
	}
	if !d.fieldsOf(v, kind, unlimitedFields) {
		return nil
	}
	return d.valid(v, dsl.UnlimitedWindows{StartMs: d.duration(v, "start").Milliseconds()})
}

// valid is w, or nil if it breaks a rule, which is told at its place.
func (d *document) valid(v *value, w dsl.Windows) dsl.Windows {
	if err := w.Validate(); err != nil {
		d.invalid(v, err)
		return nil
	}
	return w
}

// invalid reports what a parameter object says of itself.
func (d *document) invalid(v *value, err error) {
	for _, fault := range errs.Flatten(err) {
		d.faults = append(d.faults, d.relocate(fault, v, nil))
	}
}

func (d *document) sessionWindows(v *value) (w dsl.SessionWindows, ok bool) {
	if !d.fieldsOf(v, "sessionWindows", sessionWindowFields) {
		return w, false
	}
	w = dsl.SessionWindowsOfInactivityGapAndGrace(d.duration(v, "inactivityGap"), d.duration(v, "grace"))
	if err := w.Validate(); err != nil {
		d.invalid(v, err)
		return w, false
	}
	return w, true
}

// aside is the user function below key of an operator.
func (d *document) aside(op *operation, v *value, what string) (dsl.Fn, bool) {
	if !d.isMapping(v, what) {
		return dsl.Fn{}, false
	}
	d.unknown(v, functionFields, what)
	return d.fn(op, v)
}

var functionFields = names(function())

func lowerCogroup(d *document, op *operation, in output) {
	list := op.body.get("aggregators")
	if list == nil {
		return // which is told already
	}
	if list.kind != sequence || len(list.items) != len(op.from) {
		d.faultAt(errs.YAMLInvalid, list, fmt.Sprintf("cogroup needs an aggregator for each of the %d streams in from", len(op.from)), "write a list of as many functions")
		return
	}
	var all *dsl.CogroupedKStream
	for i, r := range op.from {
		fn, ok := d.aside(op, list.items[i], "an aggregator")
		if !ok || r.op == nil || r.op.failed {
			return
		}
		g := r.output().grouped
		switch {
		case g == nil && i > 0:
			d.faultAt(errs.TopologyInvalid, r.at, fmt.Sprintf("cogroup takes grouped streams, but %s gives %s", r.op.title(), r.output().what()), "put groupBy or groupByKey before it")
			return
		case i == 0:
			all = in.grouped.Cogroup(fn)
		default:
			all = all.Cogroup(g, fn)
		}
	}
	op.out.cogrouped = all
}

func (d *document) aggregateStore(op *operation) dsl.Materialized {
	m := d.materialized(op.body.get("materialized"))
	m.StoreNamed = dsl.Named(op.name)
	if v := d.serde(op.body.get("value")); v != nil {
		m.Value = v
	}
	return m
}

func lowerReduce(d *document, op *operation, in output) {
	if in.groupedTable != nil {
		d.lowerTableReduce(op, in)
		return
	}
	for _, name := range []string{"adder", "subtractor"} {
		if v := op.body.get(name); v != nil {
			d.faultAt(errs.YAMLInvalid, v, "reduce takes no "+name+" here", "only the rows of a table leave their groups: remove it")
		}
	}
	fn, ok := d.fn(op, op.body)
	if !ok {
		return
	}
	m := d.aggregateStore(op)
	switch {
	case in.timeWindowed != nil:
		op.out.table = in.timeWindowed.Reduce(fn, m)
	case in.sessionWindowed != nil:
		op.out.table = in.sessionWindowed.Reduce(fn, m)
	default:
		op.out.table = in.grouped.Reduce(fn, m)
	}
}

// lowerTableReduce reduces a grouped table.
func (d *document) lowerTableReduce(op *operation, in output) {
	if one := op.body.get("guest"); one != nil || op.body.get("expr") != nil {
		d.faultAt(errs.YAMLInvalid, op.body, "reduce of a grouped table needs adder and subtractor", "write adder: {...} and subtractor: {...} in place of the function")
		return
	}
	fns, ok := d.functions(op, "reduce", map[string]bool{"adder": true, "subtractor": true})
	if ok {
		op.out.table = in.groupedTable.Reduce(fns["adder"], fns["subtractor"], d.aggregateStore(op))
	}
}

// why says why an aggregation does not take a function.
var why = map[string]string{
	"aggregator": "a grouped table has adder and subtractor, and each stream of a cogroup its own", "merger": "only sessions become one: remove it",
	"adder": "only the rows of a table leave their groups: remove it", "subtractor": "only the rows of a table leave their groups: remove it",
}

// functions reads the functions of an aggregation: those that are wanted must be there, others must not.
func (d *document) functions(op *operation, what string, wanted map[string]bool) (map[string]dsl.Fn, bool) {
	fns, whole := map[string]dsl.Fn{}, true
	for _, name := range []string{"initializer", "aggregator", "adder", "subtractor", "merger"} {
		v := op.body.get(name)
		switch {
		case v == nil && wanted[name]:
			if name != "initializer" { // that is told already
				d.faultAt(errs.YAMLInvalid, op.body, what+" needs "+name+" here", "add "+name+": {expr: ...}")
			}
			whole = false
		case v != nil && !wanted[name]:
			d.faultAt(errs.YAMLInvalid, v, what+" takes no "+name+" here", why[name])
			whole = false
		case v != nil:
			fn, ok := d.aside(op, v, name)
			fns[name] = fn
			whole = whole && ok
		}
	}
	return fns, whole
}

// lowerAggregate aggregates what is in groups, whatever they are.
func lowerAggregate(d *document, op *operation, in output) {
	sessions := in.sessionWindowed != nil || in.cogroupedSessions != nil
	cogrouped := in.cogrouped != nil || in.cogroupedWindows != nil || in.cogroupedSessions != nil
	ofTable := in.groupedTable != nil
	fns, whole := d.functions(op, "aggregate", map[string]bool{
		"initializer": true, "aggregator": !cogrouped && !ofTable, "merger": sessions, "adder": ofTable, "subtractor": ofTable,
	})
	if !whole {
		return
	}
	m := d.aggregateStore(op)
	initializer, aggregator, merger := fns["initializer"], fns["aggregator"], fns["merger"]
	switch {
	case ofTable:
		op.out.table = in.groupedTable.Aggregate(initializer, fns["adder"], fns["subtractor"], m)
	case in.timeWindowed != nil:
		op.out.table = in.timeWindowed.Aggregate(initializer, aggregator, m)
	case in.sessionWindowed != nil:
		op.out.table = in.sessionWindowed.Aggregate(initializer, aggregator, merger, m)
	case in.cogrouped != nil:
		op.out.table = in.cogrouped.Aggregate(initializer, m)
	case in.cogroupedWindows != nil:
		op.out.table = in.cogroupedWindows.Aggregate(initializer, m)
	case in.cogroupedSessions != nil:
		op.out.table = in.cogroupedSessions.Aggregate(initializer, merger, m)
	default:
		op.out.table = in.grouped.Aggregate(initializer, aggregator, m)
	}
}
