package stream

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// initEdge opens the user functions of a source or a sink. The order is that of Node.Guests.
func (n *node) initEdge() error {
	for _, f := range []struct {
		supplier topology.FunctionSupplier
		open     *topology.Function
	}{
		{n.spec.Partitioner, &n.partitioner},
		{n.spec.TopicExtractor, &n.extractor},
		{n.spec.Timestamps, &n.timestamps},
		{n.spec.KeyForm, &n.keyForm},
		{n.spec.ValueForm, &n.valueForm},
	} {
		if f.supplier == nil {
			continue
		}
		var err error
		if *f.open, err = f.supplier.Open(n); err != nil {
			return fmt.Errorf("node %s: %w", n.spec.Name, err)
		}
	}
	return nil
}

// ask asks a function of a source or a sink about one record, which is borrowed, and returns its answers, borrowed until
// the next question. none: the function gave the record up, as it may.
func (n *node) ask(f topology.Function, rec *topology.Record) (answers []topology.Record, none bool, err error) {
	n.single[0] = *rec
	n.single[0].Index = 0
	answers, err = f.Call(n.single[:], n.answers[:0])
	n.answers = answers
	if s, ok := f.(topology.Skipper); ok && err == nil {
		none = len(s.Skipped()) > 0
	}
	return answers, none, err
}

// converted is data in the form that f gives it; null stays null.
func (n *node) converted(f topology.Function, rec *topology.Record, data []byte) (out []byte, none bool, err error) {
	if f == nil || data == nil {
		return data, false, nil
	}
	asked := *rec
	asked.Key, asked.Value, asked.Extra = nil, data, nil
	answers, none, err := n.ask(f, &asked)
	switch {
	case err != nil || none:
		return nil, none, err
	case len(answers) != 1:
		return nil, false, n.notOnce(answers)
	}
	return answers[0].Value, false, nil
}

// notOnce is the error of a function that answers another number of times than once.
func (n *node) notOnce(answers []topology.Record) error {
	return errs.GuestAnswer.New(n.spec.Name, fmt.Sprintf("the function must answer exactly once (got %d answers)", len(answers)), "")
}

// formed is a record in the form of the topic, borrowed until the next one.
func (n *node) formed(rec *topology.Record) (formed *topology.Record, none bool, err error) {
	if n.keyForm == nil && n.valueForm == nil {
		return rec, false, nil
	}
	n.shaped = *rec
	if n.shaped.Key, none, err = n.converted(n.keyForm, rec, rec.Key); err != nil || none {
		return nil, none, err
	}
	n.shaped.Value, none, err = n.converted(n.valueForm, rec, rec.Value)
	return &n.shaped, none, err
}

// describe gives the head what its source's functions may ask for beside key and value.
func (q *RecordQueue) describe(h *topology.Record, raw *kgo.Record) {
	h.Headers, h.Timestamp, h.StreamTime = q.headersOf(raw), raw.Timestamp.UnixMilli(), q.partitionTime
	h.Offset, h.Origin, h.Index, h.Extra = raw.Offset, q.origin, 0, nil
}

// deform takes key and value of a record out of the form of the topic. The record is not read if a function gave it up.
func (q *RecordQueue) deform(h *topology.Record, raw *kgo.Record) (read bool, err error) {
	q.describe(h, raw)
	var none bool
	if h.Key, none, err = q.source.converted(q.source.keyForm, h, h.Key); err != nil || none {
		return false, err
	}
	h.Value, none, err = q.source.converted(q.source.valueForm, h, h.Value)
	return !none, err
}

// extracted is the time that the source's function gives a record, below 0 if it is to be dropped.
func (q *RecordQueue) extracted(h *topology.Record, raw *kgo.Record) (int64, error) {
	q.describe(h, raw)
	answers, none, err := q.source.ask(q.source.timestamps, h)
	switch {
	case err != nil:
		return 0, err
	case none || len(answers) == 0:
		return unknownTime, nil
	case len(answers) > 1:
		return 0, q.source.notOnce(answers)
	}
	return answers[0].Timestamp, nil
}
