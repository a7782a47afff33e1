package dsl

import (
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Kinds of joins, by the sides whose rows come out without a partner too. A right join is a left join seen from its
// right side.
const (
	innerJoin = "join"
	leftJoin  = "leftJoin"
	rightJoin = "rightJoin"
	outerJoin = "outerJoin"
)

// TableJoin joins the changes of one side of a table-table join with the rows of the other.
type TableJoin struct {
	// Joiner is asked about the left value (Value) and the right one (Extra.Second).
	Joiner Call `json:"joiner"`
	// Join is the kind as this side sees it.
	Join string `json:"join"`
	// Right: this is the right side.
	Right bool `json:"right,omitempty"`
	// Other are the rows of the other side.
	Other View `json:"other"`
	// Versioned: this side's table is versioned; changes that are not of the latest version are dropped.
	Versioned bool `json:"versioned,omitempty"`
	SendOld   bool `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s TableJoin) New() (topology.Processor, error) {
	return &tableJoin{
		spec: s, thisKept: s.Join == leftJoin || s.Join == outerJoin, otherKept: s.Join == rightJoin || s.Join == outerJoin,
	}, nil
}

// GuestUses are those of the joiner and of the functions that make the other side's rows.
func (s TableJoin) GuestUses() []topology.GuestUse {
	return append(s.Joiner.GuestUses(), s.Other.GuestUses()...)
}

type tableJoin struct {
	spec TableJoin
	// thisKept: rows of this side come out without a partner; otherKept: those of the other.
	thisKept, otherKept bool

	ctx    topology.Context
	other  rowReader
	joiner *inquiry
	asked  []joinAsked
	out    resultForwarder
}

// joinAsked is a change that has found its partner, with the questions about its values.
type joinAsked struct {
	at         int // in the frame
	value, old int
	timestamp  int64
}

// Init opens the joiner and connects the other side's stores.
func (p *tableJoin) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	p.out.ctx, p.out.sendOld = ctx, p.spec.SendOld
	if p.other, err = p.spec.Other.open(ctx); err != nil {
		return err
	}
	p.joiner, err = openInquiry(ctx, p.spec.Joiner)
	return err
}

// Close leaves the stores to the task.
func (p *tableJoin) Close() error { return nil }

func (p *tableJoin) Process(frame []topology.Record) error {
	p.joiner.begin()
	p.asked = p.asked[:0]
	for i := range frame {
		if err := p.find(i, &frame[i]); err != nil {
			return err
		}
	}
	if err := p.joiner.ask(true); err != nil {
		return err
	}
	p.out.begin()
	for _, a := range p.asked {
		value, old := p.joiner.reply(a.value), p.joiner.reply(a.old)
		if !value.skipped && !old.skipped {
			r := &frame[a.at]
			p.out.change(r, value.value, old.value, a.timestamp, r.IsLatest())
		}
	}
	return p.out.end()
}

// find looks up the partner of a change and asks for what the two become.
func (p *tableJoin) find(at int, r *topology.Record) error {
	switch {
	case r.Key == nil:
		p.ctx.Dropped(1, skippedNullKey)
		return nil
	case p.spec.Versioned && !r.IsLatest():
		p.ctx.Dropped(1, skippedOutOfOrder)
		return nil
	}
	other, timestamp, err := p.other.row(r.Key)
	if err != nil {
		return err
	}
	if other == nil {
		timestamp = state.TimestampUnknown
		if !p.thisKept || r.Value == nil && r.Old() == nil {
			return nil
		}
	}
	a := joinAsked{at: at, value: p.question(r, r.Value, other), old: noQuestion, timestamp: max(timestamp, r.Timestamp)}
	if p.spec.SendOld {
		a.old = p.question(r, r.Old(), other)
	}
	p.asked = append(p.asked, a)
	return nil
}

// question asks for the value that one of this side and one of the other become, if they become any.
func (p *tableJoin) question(r *topology.Record, this, other []byte) int {
	if this == nil && (!p.otherKept || other == nil) {
		return noQuestion
	}
	left, right := this, other
	if p.spec.Right {
		left, right = other, this
	}
	return p.joiner.aboutAll(r, left, topology.Extra{Second: right})
}

// TableMerge brings the two sides of a table-table join together, and with a store keeps the rows of the result.
type TableMerge struct{ TableResult }

// New makes the processor of a task.
func (s TableMerge) New() (topology.Processor, error) { return &tableMerge{spec: s.TableResult}, nil }

type tableMerge struct {
	spec  TableResult
	ctx   topology.Context
	table *tableStore
}

// Init connects the store.
func (p *tableMerge) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.spec.Store != "" {
		p.table, err = openTable(ctx, p.spec.Store, p.spec.SendOld)
	}
	return err
}

// Close leaves the store to the task.
func (p *tableMerge) Close() error { return nil }

func (p *tableMerge) Process(frame []topology.Record) error {
	if p.table == nil {
		return forward(p.ctx, frame)
	}
	p.table.begin()
	for i := range frame {
		r := &frame[i]
		if err := p.table.change(r, r.Value, r.Old(), r.Timestamp); err != nil {
			return err
		}
	}
	return p.table.end()
}
