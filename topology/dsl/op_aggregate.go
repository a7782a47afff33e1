package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Aggregate aggregates the records of each key in a timestamped key-value store. Records with a null key or value are
// dropped. The result has the later timestamp of the record and of what was stored.
type Aggregate struct {
	Aggregation
	Store string `json:"store"`
	// SendOld has changes carry the value before.
	SendOld bool `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s *Aggregate) New() (topology.Processor, error) { return &aggregateProcessor{spec: *s}, nil }

// enableSendingOldValues has changes carry the value before.
func (s *Aggregate) enableSendingOldValues() { s.SendOld = true }

type aggregateProcessor struct {
	spec       Aggregate
	ctx        topology.Context
	store      state.KeyValueStore
	aggregator aggregator
	results    resultForwarder
}

// Init connects the store and opens the functions.
func (p *aggregateProcessor) Init(ctx topology.Context) error {
	p.ctx = ctx
	s, err := ctx.Store(p.spec.Store)
	if err != nil {
		return err
	}
	var ok bool
	if p.store, ok = s.(state.KeyValueStore); !ok {
		return fmt.Errorf("aggregating in store %q: it is not a key-value store", p.spec.Store)
	}
	if p.aggregator, err = p.spec.Aggregation.open(ctx); err != nil {
		return err
	}
	p.results.init(ctx, s, p.spec.SendOld, true, keyIsKey)
	return nil
}

// Close leaves the store to the task.
func (p *aggregateProcessor) Close() error { return nil }

func (p *aggregateProcessor) Process(frame []topology.Record) error {
	p.results.begin()
	dropped := 0
	for i := range frame {
		r := &frame[i]
		if r.Key == nil || r.Value == nil {
			dropped++
			continue
		}
		if err := p.processOne(r); err != nil && err != errSkipped {
			return err
		}
	}
	if dropped > 0 {
		p.ctx.Dropped(dropped, "Skipping record due to null key or value.")
	}
	return p.results.end()
}

func (p *aggregateProcessor) processOne(r *topology.Record) error {
	stored, err := p.store.Get(r.Key)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", p.spec.Store, err)
	}
	arena := p.ctx.Arena()
	var old []byte
	timestamp := r.Timestamp
	if stored != nil {
		value, at := state.SplitTimestamped(stored)
		old, timestamp = arena.Copy(value), max(timestamp, at)
	}
	before := old
	if before == nil {
		if before, err = p.aggregator.initial(); err != nil {
			return err
		}
	}
	aggregate, err := p.aggregator.add(r, before)
	if err != nil {
		return err
	}
	var next []byte
	if aggregate != nil {
		next = state.AppendTimestamped(arena.Alloc(8 + len(aggregate))[:0], timestamp, aggregate)
		aggregate = next[8:]
	}
	*p.results.written = r.Context()
	if err := p.store.Put(r.Key, next); err != nil {
		return fmt.Errorf("writing store %q: %w", p.spec.Store, err)
	}
	p.results.update(r, r.Key, aggregate, before, timestamp)
	return nil
}
