package dsl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Aggregation says how the values of a group become one: they are counted, reduced, or aggregated from an initial
// value. Exactly one of Count, Reducer and Aggregator is set.
type Aggregation struct {
	Count bool `json:"count,omitempty"`
	// Reducer is asked for the value that the aggregate (Value) and a new value (Extra.Second) become.
	Reducer *Call `json:"reducer,omitempty"`
	// Initializer is asked for the first aggregate, Aggregator for the one that a value (Value) and an aggregate
	// (Extra.Second) become.
	Initializer *Call `json:"initializer,omitempty"`
	Aggregator  *Call `json:"aggregator,omitempty"`
	// Merger is asked for the aggregate that those of two sessions (Value, Extra.Second) become.
	Merger *Call `json:"merger,omitempty"`
}

// GuestUses are those of all functions.
func (a Aggregation) GuestUses() []topology.GuestUse {
	var uses []topology.GuestUse
	for _, c := range []*Call{a.Reducer, a.Initializer, a.Aggregator, a.Merger} {
		if c != nil {
			uses = append(uses, c.GuestUses()...)
		}
	}
	return uses
}

// aggregator is an Aggregation in a task. The aggregates it returns are immutable; those it is given are borrowed for
// the call. nil is a null aggregate. errSkipped means that the record is to be dropped.
type aggregator interface {
	initial() ([]byte, error)
	add(r *topology.Record, aggregate []byte) ([]byte, error)
	merge(r *topology.Record, one, two []byte) ([]byte, error)
}

// errSkipped is the answer of a function that could not process a record and was told to go on.
var errSkipped = errors.New("the function skipped the record")

func (a Aggregation) open(ctx topology.Context) (aggregator, error) {
	if a.Count {
		return &counting{arena: ctx.Arena()}, nil
	}
	if a.Reducer != nil {
		reducer, err := openAsker(ctx, *a.Reducer)
		return &reducing{reducer}, err
	}
	g := &aggregating{}
	var err error
	if g.initializer, err = openAsker(ctx, *a.Initializer); err != nil {
		return nil, err
	}
	if g.aggregator, err = openAsker(ctx, *a.Aggregator); err != nil || a.Merger == nil {
		return g, err
	}
	g.merger, err = openAsker(ctx, *a.Merger)
	return g, err
}

// asker asks a function about one record at a time and wants one value.
type asker struct {
	userNode
	in    [1]topology.Record
	extra topology.Extra
}

func openAsker(ctx topology.Context, c Call) (*asker, error) {
	a := &asker{userNode: userNode{call: c}}
	return a, a.Init(ctx)
}

// value asks about r with value and second in their places.
func (a *asker) value(r *topology.Record, value, second []byte) ([]byte, error) {
	q := &a.in[0]
	*q = *r
	q.Value, q.Index = value, 0
	a.extra = topology.Extra{Second: second}
	q.Extra = &a.extra
	return a.once()
}

// once asks about what is in place.
func (a *asker) once() ([]byte, error) {
	said, err := a.ask(a.in[:])
	if err != nil {
		return nil, err
	}
	value := []byte(nil)
	if len(said.answers) > 0 {
		value = said.answers[0].Value
	}
	switch n, skip := said.to(0); {
	case skip:
		return nil, errSkipped
	case n != 1:
		return nil, a.wrong(&a.in[0], fmt.Sprintf("the function must answer exactly once (got %d answers)", n))
	}
	return value, nil
}

// counting counts.
type counting struct{ arena *topology.Arena }

var zero = make([]byte, 8) // read only

func (*counting) initial() ([]byte, error) { return zero, nil }

func (c *counting) add(_ *topology.Record, aggregate []byte) ([]byte, error) {
	n, err := longOf(aggregate)
	return c.long(n + 1), err
}

func (c *counting) merge(_ *topology.Record, one, two []byte) ([]byte, error) {
	a, err1 := longOf(one)
	b, err2 := longOf(two)
	return c.long(a + b), errors.Join(err1, err2)
}

func (c *counting) long(n int64) []byte {
	b := c.arena.Alloc(8)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

func longOf(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("a count of %d bytes: %w", len(b), state.ErrCorrupt)
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// reducing reduces; the first value is the first aggregate.
type reducing struct{ reducer *asker }

func (*reducing) initial() ([]byte, error) { return nil, nil }

func (a *reducing) add(r *topology.Record, aggregate []byte) ([]byte, error) {
	return a.reduce(r, aggregate, r.Value)
}

func (a *reducing) merge(r *topology.Record, one, two []byte) ([]byte, error) {
	return a.reduce(r, one, two)
}

func (a *reducing) reduce(r *topology.Record, aggregate, value []byte) ([]byte, error) {
	if aggregate == nil {
		return value, nil
	}
	return a.reducer.value(r, aggregate, value)
}

// aggregating aggregates.
type aggregating struct{ initializer, aggregator, merger *asker }

func (a *aggregating) initial() ([]byte, error) {
	a.initializer.in[0] = topology.Record{}
	return a.initializer.once()
}

func (a *aggregating) add(r *topology.Record, aggregate []byte) ([]byte, error) {
	return a.aggregator.value(r, r.Value, aggregate)
}

func (a *aggregating) merge(r *topology.Record, one, two []byte) ([]byte, error) {
	return a.merger.value(r, one, two)
}
