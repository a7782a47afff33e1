package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/topology"
)

// inquiry asks a function several questions in one call: a frame of them costs a guest one crossing. A question is
// about a record, with values of its own in the record's place.
//
//	begin -> about... -> ask -> reply...
type inquiry struct {
	userNode
	in      []topology.Record
	extras  []topology.Extra // of in, by position; linked when asked, since the slice may move until then
	replies []reply
}

// reply is what was said to one question. Of a question that was skipped everything is to be dropped.
type reply struct {
	key, value        []byte
	answered, skipped bool
}

// noQuestion is the number of a question that was not asked; its reply is the zero one.
const noQuestion = -1

func openInquiry(ctx topology.Context, c Call) (*inquiry, error) {
	q := &inquiry{userNode: userNode{call: c}}
	return q, q.Init(ctx)
}

func (q *inquiry) begin() { q.in, q.extras = q.in[:0], q.extras[:0] }

// about adds a question about r with value in the place of its own, and returns its number.
func (q *inquiry) about(r *topology.Record, value []byte) int {
	return q.aboutAll(r, value, topology.Extra{})
}

// aboutValue is about for a value that may be null, which is not asked about.
func (q *inquiry) aboutValue(r *topology.Record, value []byte) int {
	if value == nil {
		return noQuestion
	}
	return q.about(r, value)
}

// aboutAll adds a question with further arguments.
func (q *inquiry) aboutAll(r *topology.Record, value []byte, extra topology.Extra) int {
	q.in = append(q.in, *r)
	in := &q.in[len(q.in)-1]
	in.Value, in.Extra, in.Index = value, nil, 0
	q.extras = append(q.extras, extra)
	return len(q.in) - 1
}

// ask asks everything. once: each question must have exactly one answer.
func (q *inquiry) ask(once bool) error {
	q.replies = q.replies[:0]
	if len(q.in) == 0 {
		return nil
	}
	for i := range q.in {
		q.in[i].Extra = &q.extras[i]
	}
	said, err := q.userNode.ask(q.in)
	if err != nil {
		return err
	}
	answers := said.answers
	for i := range q.in {
		n, skipped := said.to(i)
		if once && n != 1 && !(skipped && n == 0) {
			return q.wrong(&q.in[i], fmt.Sprintf("the function must answer exactly once (got %d answers)", n))
		}
		r := reply{answered: n > 0, skipped: skipped}
		if n > 0 {
			r.key, r.value = answers[0].Key, answers[0].Value
		}
		answers = answers[n:]
		q.replies = append(q.replies, r)
	}
	return nil
}

// reply is that to question i.
func (q *inquiry) reply(i int) reply {
	if i == noQuestion {
		return reply{}
	}
	return q.replies[i]
}
