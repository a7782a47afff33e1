package dsl

import (
	"bytes"
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// The suppliers of the stateless operators. Each is plain data; New makes the processor of one task.
type (
	// Filter keeps the records that the function answers, or with Not the others.
	Filter struct {
		Call
		Not bool `json:"not,omitempty"`
	}
	// MapValues takes one value for each record.
	MapValues struct{ Call }
	// FlatMapValues takes any number of values for each record.
	FlatMapValues struct{ Call }
	// Map takes one key and value for each record.
	Map struct{ Call }
	// FlatMap takes any number of keys and values for each record.
	FlatMap struct{ Call }
	// SelectKey takes one key for each record.
	SelectKey struct{ Call }
	// Peek shows records to the function and passes them on.
	Peek struct{ Call }
	// Foreach shows records to the function.
	Foreach struct{ Call }
	// PassThrough forwards what it gets: merges and branches.
	PassThrough struct{}
	// ToStream forwards the changes of a table.
	ToStream struct{}
	// NotNullKey drops records without a key, before a repartition topic.
	NotNullKey struct{}
)

// New makes the processor of a task.
func (s Filter) New() (topology.Processor, error) {
	return &filterProcessor{userNode: userNode{call: s.Call}, not: s.Not}, nil
}

// New makes the processor of a task.
func (s MapValues) New() (topology.Processor, error) {
	return &mapProcessor{userNode: userNode{call: s.Call}, keepKey: true, once: true}, nil
}

// New makes the processor of a task.
func (s FlatMapValues) New() (topology.Processor, error) {
	return &mapProcessor{userNode: userNode{call: s.Call}, keepKey: true}, nil
}

// New makes the processor of a task.
func (s Map) New() (topology.Processor, error) {
	return &mapProcessor{userNode: userNode{call: s.Call}, once: true}, nil
}

// New makes the processor of a task.
func (s FlatMap) New() (topology.Processor, error) {
	return &mapProcessor{userNode: userNode{call: s.Call}}, nil
}

// New makes the processor of a task.
func (s SelectKey) New() (topology.Processor, error) {
	return &mapProcessor{userNode: userNode{call: s.Call}, keepValue: true, once: true}, nil
}

// New makes the processor of a task.
func (s Peek) New() (topology.Processor, error) {
	return &foreachProcessor{userNode: userNode{call: s.Call}, forward: true}, nil
}

// New makes the processor of a task.
func (s Foreach) New() (topology.Processor, error) {
	return &foreachProcessor{userNode: userNode{call: s.Call}}, nil
}

// New makes the processor of a task.
func (PassThrough) New() (topology.Processor, error) { return &passThrough{}, nil }

// New makes the processor of a task.
func (ToStream) New() (topology.Processor, error) { return &passThrough{}, nil }

// New makes the processor of a task.
func (NotNullKey) New() (topology.Processor, error) { return &notNullKey{}, nil }

// userNode is what the processors that call a user function share. Both buffers are reused from frame to frame.
type userNode struct {
	call    Call
	ctx     topology.Context
	fn      topology.Function
	skipper topology.Skipper // fn, if it may skip records
	answers []topology.Record
	out     []topology.Record
}

// Init opens the function.
func (n *userNode) Init(ctx topology.Context) (err error) {
	n.ctx = ctx
	if n.fn, err = n.call.open(ctx); err != nil {
		return err
	}
	n.skipper, _ = n.fn.(topology.Skipper)
	return nil
}

// Close has nothing to release: the instance of a guest belongs to the task.
func (n *userNode) Close() error { return nil }

// ask calls the function and checks that its answers are about the frame, in order.
func (n *userNode) ask(frame []topology.Record) (replies, error) {
	answers, err := n.fn.Call(frame, n.answers[:0])
	n.answers = answers
	if err != nil {
		return replies{}, err
	}
	last := int32(0)
	for i := range answers {
		at := answers[i].Index
		if at < last || int(at) >= len(frame) {
			return replies{}, n.wrong(nil, fmt.Sprintf("answer %d is for record %d of %d, after one for record %d", i, at, len(frame), last))
		}
		last = at
	}
	r := replies{answers: answers}
	if n.skipper != nil {
		r.skipped = n.skipper.Skipped()
	}
	return r, nil
}

// replies is what a function said about a frame, read from the first record to the last.
type replies struct {
	answers []topology.Record
	skipped []int32
}

// to takes what was said about the record at position i: the number of answers, and whether it is to be dropped.
func (r *replies) to(i int) (answers int, skip bool) {
	for answers < len(r.answers) && int(r.answers[answers].Index) == i {
		answers++
	}
	r.answers = r.answers[answers:]
	for len(r.skipped) > 0 && int(r.skipped[0]) <= i {
		skip = skip || int(r.skipped[0]) == i
		r.skipped = r.skipped[1:]
	}
	return answers, skip
}

// wrong is the error of an answer that the operator does not allow.
func (n *userNode) wrong(r *topology.Record, what string) error {
	where := n.ctx.NodeName() + " (" + n.call.String() + ")"
	if r != nil && r.Origin != nil {
		where += fmt.Sprintf(" at %s-%d@%d", r.Origin.Topic, r.Origin.Partition, r.Offset)
	}
	return errs.GuestAnswer.New(where, string(n.call.Kind)+": "+what, "")
}

type filterProcessor struct {
	userNode
	not bool
}

// Process forwards the records themselves; of the answers only the index counts.
func (p *filterProcessor) Process(frame []topology.Record) error {
	said, err := p.ask(frame)
	if err != nil {
		return err
	}
	p.out = p.out[:0]
	for i := range frame {
		answers, skip := said.to(i)
		if !skip && (answers > 0) != p.not {
			p.out = append(p.out, frame[i])
		}
	}
	return forward(p.ctx, p.out)
}

// mapProcessor is map, mapValues, flatMap, flatMapValues and selectKey: they differ in what an answer may change and
// in whether each record has exactly one.
type mapProcessor struct {
	userNode
	keepKey, keepValue, once bool
	// fanOut is how many answers a record had on average in the slice before; 0 before the first.
	fanOut int
}

const (
	// sliceAnswers is how many answers flatMap and flatMapValues aim at in one call: enough that the call disappears,
	// so few that the buffers of all nodes of all tasks stay small and in the processor's cache.
	sliceAnswers = 1024
	// firstFanOut is the guess before anything is known.
	firstFanOut = 16
)

// Process asks about the frame, slice by slice where a record may have many answers.
func (p *mapProcessor) Process(frame []topology.Record) error {
	for len(frame) > 0 {
		n := p.sliceOf(len(frame))
		if err := p.processSlice(frame[:n]); err != nil {
			return err
		}
		frame = frame[n:]
	}
	return nil
}

// sliceOf is how many of n records to take at once.
func (p *mapProcessor) sliceOf(n int) int {
	if p.once {
		return n
	}
	if p.fanOut == 0 {
		p.fanOut = firstFanOut
	}
	return min(n, max(1, sliceAnswers/p.fanOut))
}

// processSlice forwards the records with what was answered for them. Timestamp, headers and origin stay the record's.
// The answers are this node's buffer, so they become the records.
func (p *mapProcessor) processSlice(frame []topology.Record) error {
	said, err := p.ask(frame)
	if err != nil {
		return err
	}
	if err := p.checkCount(frame, said); err != nil {
		return err
	}
	out := said.answers
	p.fanOut = max(1, len(out)/len(frame))
	for i := range out {
		a, r := &out[i], &frame[out[i].Index]
		if err := p.checkKept(a, r); err != nil {
			return err
		}
		key, value := a.Key, a.Value
		*a = *r
		if !p.keepKey {
			a.Key = key
		}
		if !p.keepValue {
			a.Value = value
		}
	}
	return forward(p.ctx, out)
}

// checkCount holds the functions of one record to one record to one answer each.
func (p *mapProcessor) checkCount(frame []topology.Record, said replies) error {
	if !p.once {
		return nil
	}
	for i := range frame {
		if n, skip := said.to(i); n != 1 && !(skip && n == 0) {
			return p.wrong(&frame[i], fmt.Sprintf("the function must answer each record exactly once (got %d answers for this one)", n))
		}
	}
	return nil
}

func (p *mapProcessor) checkKept(a, r *topology.Record) error {
	switch {
	case p.keepKey && !sameBytes(a.Key, r.Key):
		return p.wrong(r, "the function must not change the key")
	case p.keepValue && !sameBytes(a.Value, r.Value):
		return p.wrong(r, "the function must not change the value")
	case a.Timestamp != r.Timestamp:
		return p.wrong(r, fmt.Sprintf("the function must not change the timestamp (got %d, had %d)", a.Timestamp, r.Timestamp))
	case !sameHeaders(a.Headers, r.Headers):
		return p.wrong(r, "the function must not change the headers")
	}
	return nil
}

// sameBytes compares first by address: what a guest kept is the record's own slice.
func sameBytes(a, b []byte) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b)
}

func sameHeaders(a, b []topology.Header) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || &a[0] == &b[0] {
		return true
	}
	for i := range a {
		if a[i].Key != b[i].Key || !sameBytes(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

type foreachProcessor struct {
	userNode
	forward bool
}

// Process forwards what the function has seen, but for what it could not process.
func (p *foreachProcessor) Process(frame []topology.Record) error {
	said, err := p.ask(frame)
	if err != nil {
		return err
	}
	if a := said.answers; len(a) > 0 {
		return p.wrong(&frame[a[0].Index], "the function must not answer anything")
	}
	if !p.forward {
		return nil
	}
	if len(said.skipped) == 0 {
		return forward(p.ctx, frame)
	}
	p.out = p.out[:0]
	for i := range frame {
		if _, skip := said.to(i); !skip {
			p.out = append(p.out, frame[i])
		}
	}
	return forward(p.ctx, p.out)
}

type passThrough struct{ ctx topology.Context }

func (p *passThrough) Init(ctx topology.Context) error {
	p.ctx = ctx
	return nil
}

func (p *passThrough) Process(frame []topology.Record) error { return forward(p.ctx, frame) }

func (p *passThrough) Close() error { return nil }

type notNullKey struct {
	passThrough
	out []topology.Record
}

func (p *notNullKey) Process(frame []topology.Record) error {
	at := firstNullKey(frame)
	if at == len(frame) {
		return forward(p.ctx, frame)
	}
	p.out = append(p.out[:0], frame[:at]...)
	for i := at; i < len(frame); i++ {
		if frame[i].Key != nil {
			p.out = append(p.out, frame[i])
		}
	}
	return forward(p.ctx, p.out)
}

func firstNullKey(frame []topology.Record) int {
	for i := range frame {
		if frame[i].Key == nil {
			return i
		}
	}
	return len(frame)
}

// forward spares the call for nothing.
func forward(ctx topology.Context, out []topology.Record) error {
	if len(out) == 0 {
		return nil
	}
	return ctx.Forward(out)
}
