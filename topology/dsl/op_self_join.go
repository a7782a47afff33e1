package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// SelfJoin is the inner join of a stream with itself over one store (topology.optimization single.store.self.join). Its
// results and their order are those of the join with two stores: this record with the others, the others with this one,
// and the record with itself where its timestamp puts it.
type SelfJoin struct {
	Joiner  Call        `json:"joiner"`
	Windows JoinWindows `json:"windows"`
	Store   string      `json:"store"`
}

// GuestUses is the joiner's.
func (s SelfJoin) GuestUses() []topology.GuestUse { return s.Joiner.GuestUses() }

// New makes the processor of a task.
func (s SelfJoin) New() (topology.Processor, error) { return &selfJoin{spec: s}, nil }

type selfJoin struct {
	spec       SelfJoin
	ctx        topology.Context
	joiner     *asker
	store      state.WindowStore
	streamTime int64
	out        []topology.Record
}

// Init connects the store and opens the joiner.
func (p *selfJoin) Init(ctx topology.Context) (err error) {
	p.ctx, p.streamTime = ctx, -1
	if p.store, _, err = openWindowStore(ctx, p.spec.Store); err != nil {
		return err
	}
	p.joiner, err = openAsker(ctx, p.spec.Joiner)
	return err
}

// Close leaves the store to the task.
func (p *selfJoin) Close() error { return nil }

func (p *selfJoin) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	if err := eachComplete(p.ctx, frame, p.processOne); err != nil {
		return err
	}
	return forward(p.ctx, p.out)
}

func (p *selfJoin) processOne(r *topology.Record) error {
	w := p.spec.Windows
	p.streamTime = max(p.streamTime, r.Timestamp)
	// With two stores the record would meet itself only while it is retained.
	withItself := r.Timestamp > p.streamTime-(w.sizeMs()+w.GraceMs)+1
	err := p.each(r, w.BeforeMs, w.AfterMs, func(at int64, other []byte) error {
		return p.emit(r, at, r.Value, other)
	})
	if err != nil {
		return err
	}
	err = p.each(r, w.AfterMs, w.BeforeMs, func(at int64, other []byte) error {
		if at > r.Timestamp && withItself {
			withItself = false
			if err := p.emit(r, r.Timestamp, r.Value, r.Value); err != nil {
				return err
			}
		}
		return p.emit(r, at, other, r.Value)
	})
	if err != nil || !withItself {
		return err
	}
	return p.emit(r, r.Timestamp, r.Value, r.Value)
}

// each visits the records of r's key from before to after r.
func (p *selfJoin) each(r *topology.Record, before, after int64, visit func(at int64, other []byte) error) error {
	it, err := p.store.FetchWindows(r.Key, max(0, r.Timestamp-before), max(0, plus(r.Timestamp, after)), false)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", p.spec.Store, err)
	}
	for err == nil && it.Next() {
		err = visit(it.Start(), p.ctx.Arena().Copy(it.Value()))
	}
	if closed := closeIterator(it); err == nil && closed != nil {
		err = fmt.Errorf("reading store %q: %w", p.spec.Store, closed)
	}
	return err
}

func (p *selfJoin) emit(r *topology.Record, at int64, left, right []byte) error {
	q := *r
	q.Timestamp, q.Extra = max(r.Timestamp, at), nil
	value, err := p.joiner.value(&q, left, right)
	if err != nil {
		return err
	}
	q.Value = value
	p.out = append(p.out, q)
	return nil
}
