package apptest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// expected is an expectation in bytes, and once the case ran what came.
type expected struct {
	spec.Expectation
	serdes  spec.TopicSerdes
	store   *topology.StoreSpec // nil: a topic
	partial bool                // headers that are not expected may be there
	records []expectedRecord
	got     []streamtest.Record
	differs bool
}

// expectedRecord is a spec.ExpectedRecord in bytes.
type expectedRecord struct {
	spec.ExpectedRecord
	key, value []byte
	headers    []topology.Header
	condition  topology.Function // of CEL
}

func (r *caseRunner) prepareExpected(x spec.Expectation, serdes spec.TopicSerdes) (e expected, err error) {
	e = expected{Expectation: x, serdes: serdes}
	for _, rec := range x.Records {
		p := expectedRecord{ExpectedRecord: rec}
		if p.key, err = r.bytes(rec.Where, "key", rec.Key, serdes.Key); err != nil {
			return e, err
		}
		if p.value, err = r.bytes(rec.Where, "value", rec.Value, serdes.Value); err != nil {
			return e, err
		}
		if p.headers, err = r.headers(rec.Where, rec.Headers); err != nil {
			return e, err
		}
		if rec.CEL != "" {
			program, err := expr.Compile(expr.Spec{Kind: expr.Filter, Value: rec.CEL, In: expr.Types{Key: serdes.Key, Value: serdes.Value}})
			if err != nil {
				return e, r.file.Fault(errs.TopologyExpression, rec.Where, "cel: "+reasonOf(err), "")
			}
			p.condition = program.Function()
		}
		e.records = append(e.records, p)
	}
	return e, nil
}

// compare reads what came and says what is not as expected.
func (r *caseRunner) compare() []Difference {
	var all []Difference
	for i := range r.outputs {
		x := &r.outputs[i]
		x.got = r.driver.ReadOutputs(x.Name)
		all = append(all, r.compareTopic(x, x.Name)...)
	}
	for i := range r.stores {
		all = append(all, r.compareStore(&r.stores[i])...)
	}
	if x := r.deadLetters; x != nil && r.names.deadLetterTopic != "" {
		x.got = r.driver.ReadOutputs(r.names.deadLetterTopic)
		all = append(all, r.compareTopic(x, "dlq")...)
	}
	return all
}

// compareTopic aligns the records that are expected with those that came, so that one that is missing does not make all
// after it wrong.
func (r *caseRunner) compareTopic(x *expected, name string) []Difference {
	var all []Difference
	wanted, got := x.records, x.got
	for _, step := range align(len(wanted), len(got), func(i, j int) bool { return r.reason(x, &wanted[i], &got[j]) == "" }) {
		d := Difference{Where: x.Where}
		switch {
		case step.want >= 0 && step.got >= 0:
			w, g := &wanted[step.want], &got[step.got]
			if d.Reason = r.reason(x, w, g); d.Reason == "" {
				continue
			}
			d.What = fmt.Sprintf("%s: record %d of %d", name, step.got+1, len(got))
			d.Where, d.Expected, d.Got = w.Where, r.describeExpected(x, w), r.describe(x, g, w)
		case step.want >= 0:
			w := &wanted[step.want]
			d.What, d.Reason = fmt.Sprintf("%s: record %d of %d expected", name, step.want+1, len(wanted)), "the record did not come"
			d.Where, d.Expected = w.Where, r.describeExpected(x, w)
		default:
			d.What, d.Reason = fmt.Sprintf("%s: record %d of %d", name, step.got+1, len(got)), "no such record is expected"
			d.Got = r.describe(x, &got[step.got], nil)
		}
		d.Excerpt = r.file.Excerpt(d.Where)
		all = append(all, d)
	}
	x.differs = len(all) > 0
	return all
}

// compareStore compares rows by their keys.
func (r *caseRunner) compareStore(x *expected) []Difference {
	var all []Difference
	differ := func(where, reason string, w *expectedRecord, g *streamtest.Record) {
		d := Difference{Where: where, Reason: reason, Excerpt: r.file.Excerpt(where)}
		key := []byte(nil)
		if g != nil {
			key, d.Got = g.Key, r.describe(x, g, w)
		}
		if w != nil {
			key, d.Expected = w.key, r.describeExpected(x, w)
		}
		d.What = x.Name + ": row " + textOf(x.serdes.Key, key)
		all = append(all, d)
	}
	rows, err := readRows(r.driver.Store(x.Name), x)
	if err != nil {
		return []Difference{{Where: x.Where, What: x.Name, Reason: err.Error(), Excerpt: r.file.Excerpt(x.Where)}}
	}
	x.got = rows
	seen := make([]bool, len(rows))
	for i := range x.records {
		w := &x.records[i]
		at := slices.IndexFunc(rows, func(g streamtest.Record) bool { return bytes.Equal(g.Key, w.key) })
		switch {
		case at < 0 && w.Value.Given() && w.Value.IsNull():
		case at < 0:
			differ(w.Where, "the store has no such row", w, nil)
		default:
			seen[at] = true
			if reason := r.reason(x, w, &rows[at]); reason != "" {
				differ(w.Where, reason, w, &rows[at])
			}
		}
	}
	for i := range rows {
		if !seen[i] {
			differ(x.Where, "no such row is expected", nil, &rows[i])
		}
	}
	x.differs = len(all) > 0
	return all
}

// reason says what of a record is not as expected, "" for nothing.
func (r *caseRunner) reason(x *expected, w *expectedRecord, g *streamtest.Record) string {
	switch {
	case w.Key.Given() && !sameValue(w.Key, x.serdes.Key, w.key, g.Key):
		return "the key differs"
	case w.Value.Given() && !sameValue(w.Value, x.serdes.Value, w.value, g.Value):
		return "the value differs"
	case w.Timestamp != nil && *w.Timestamp != g.Timestamp:
		return "the timestamp differs"
	case w.Contains.Given() && !containsJSON(g.Value, w.Contains.JSON()):
		return "the value does not hold the JSON"
	case w.Matches != nil && !w.Matches.MatchString(textOf(x.serdes.Value, g.Value)):
		return "the value does not match"
	}
	if reason := headerReason(x, w, g); reason != "" || w.condition == nil {
		return reason
	}
	answers, err := w.condition.Call([]topology.Record{{Key: g.Key, Value: g.Value, Headers: g.Headers, Timestamp: g.Timestamp}}, nil)
	switch {
	case err != nil:
		return "the condition failed: " + reasonOf(err)
	case len(answers) == 0:
		return "the condition does not hold"
	}
	return ""
}

func headerReason(x *expected, w *expectedRecord, g *streamtest.Record) string {
	if !w.HeadersGiven {
		return ""
	}
	for _, h := range w.headers {
		if !slices.ContainsFunc(g.Headers, func(have topology.Header) bool { return have.Key == h.Key && bytes.Equal(have.Value, h.Value) }) {
			return "the header " + h.Key + " differs"
		}
	}
	if !x.partial && len(g.Headers) != len(w.headers) {
		return "there are other headers"
	}
	return ""
}

// pairing is a step of an alignment: a pair, or one alone with -1 for the other.
type pairing struct{ want, got int }

// maxAligned is up to which product of lengths an alignment is worth its time; longer lists are compared in order.
const maxAligned = 1 << 20

// align finds the longest common subsequence of what is wanted and what came, and pairs what lies between in order.
func align(wanted, got int, same func(i, j int) bool) []pairing {
	if wanted*got > maxAligned {
		return pairUp(0, wanted, 0, got)
	}
	longest := make([][]int, wanted+1)
	for i := range longest {
		longest[i] = make([]int, got+1)
	}
	equal := make([][]bool, wanted)
	for i := wanted - 1; i >= 0; i-- {
		equal[i] = make([]bool, got)
		for j := got - 1; j >= 0; j-- {
			if equal[i][j] = same(i, j); equal[i][j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var all []pairing
	i, j := 0, 0
	for i < wanted || j < got {
		fromI, fromJ := i, j
		for i < wanted && j < got && !equal[i][j] {
			if longest[i+1][j] >= longest[i][j+1] {
				i++
			} else {
				j++
			}
		}
		if i == wanted || j == got {
			i, j = wanted, got
		}
		all = append(all, pairUp(fromI, i, fromJ, j)...)
		if i < wanted && j < got {
			all = append(all, pairing{i, j})
			i, j = i+1, j+1
		}
	}
	return all
}

// pairUp pairs two stretches in order; what one has more stands alone.
func pairUp(i, toI, j, toJ int) (all []pairing) {
	for ; i < toI || j < toJ; i, j = i+1, j+1 {
		p := pairing{-1, -1}
		if i < toI {
			p.want = i
		}
		if j < toJ {
			p.got = j
		}
		all = append(all, p)
	}
	return all
}
