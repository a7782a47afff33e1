package dsl

import (
	"bytes"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// TableGroupBy gives the rows of a table another key and value and writes their changes in Kafka's form to the
// repartition topic below: where the new key is another one, first what leaves the old group, then what enters the new.
type TableGroupBy struct {
	// Call is asked for the key and value of a row.
	Call
	// Versioned: the table is versioned; changes that are not of the latest version are dropped.
	Versioned bool `json:"versioned,omitempty"`
}

// New makes the processor of a task.
func (s TableGroupBy) New() (topology.Processor, error) { return &tableGroupBy{spec: s}, nil }

type tableGroupBy struct {
	spec  TableGroupBy
	ctx   topology.Context
	pairs *inquiry
	asked []joinAsked
	out   []topology.Record
	// split: an old application reads the topic, which knows no change with two values (upgrade.from).
	split bool
}

// Init opens the function.
func (p *tableGroupBy) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	p.split = upgradesFromBefore(ctx, 3, 5)
	p.pairs, err = openInquiry(ctx, p.spec.Call)
	return err
}

// Close has nothing to release.
func (p *tableGroupBy) Close() error { return nil }

func (p *tableGroupBy) Process(frame []topology.Record) error {
	p.pairs.begin()
	p.asked = p.asked[:0]
	for i := range frame {
		r := &frame[i]
		if r.Key == nil {
			return errs.RecordProcessing.New(p.ctx.NodeName(), "Record key for the grouping KTable should not be null.", "")
		}
		if p.spec.Versioned && !r.IsLatest() {
			p.ctx.Dropped(1, skippedOutOfOrder)
			continue
		}
		p.asked = append(p.asked, joinAsked{at: i, value: p.pairs.aboutValue(r, r.Value), old: p.pairs.aboutValue(r, r.Old())})
	}
	if err := p.pairs.ask(true); err != nil {
		return err
	}
	p.out = p.out[:0]
	for _, a := range p.asked {
		p.regroup(&frame[a.at], p.pairs.reply(a.value), p.pairs.reply(a.old))
	}
	return forward(p.ctx, p.out)
}

// regroup forwards the change of a row, if its key and value in the group are not null.
func (p *tableGroupBy) regroup(r *topology.Record, entered, left reply) {
	if entered.skipped || left.skipped {
		return
	}
	enters, leaves := entered.key != nil && entered.value != nil, left.key != nil && left.value != nil
	if enters && leaves && !p.split && bytes.Equal(entered.key, left.key) {
		p.send(r, left.key, entered.value, left.value)
		return
	}
	if leaves {
		p.send(r, left.key, nil, left.value)
	}
	if enters {
		p.send(r, entered.key, entered.value, nil)
	}
}

func (p *tableGroupBy) send(r *topology.Record, key, value, old []byte) {
	p.out = append(p.out, *r)
	o := &p.out[len(p.out)-1]
	o.Key, o.Extra = key, nil
	o.Value = topology.AppendChange(p.ctx.Arena().Alloc(topology.ChangeSize(value, old))[:0], value, old)
}

// TableAggregate aggregates the rows of a grouped table from their changes: what leaves a group is subtracted, then what
// enters it is added.
type TableAggregate struct {
	Store string `json:"store"`
	// Count counts; otherwise Adder and Subtractor are asked about a value and the aggregate. Reduce: they are reducers,
	// and the first value is the first aggregate; otherwise Initializer is asked for it.
	Count       bool  `json:"count,omitempty"`
	Reduce      bool  `json:"reduce,omitempty"`
	Initializer *Call `json:"initializer,omitempty"`
	Adder       *Call `json:"adder,omitempty"`
	Subtractor  *Call `json:"subtractor,omitempty"`
	SendOld     bool  `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s *TableAggregate) New() (topology.Processor, error) { return &tableAggregate{spec: *s}, nil }

// GuestUses are those of all functions.
func (s *TableAggregate) GuestUses() []topology.GuestUse {
	var uses []topology.GuestUse
	for _, c := range []*Call{s.Initializer, s.Adder, s.Subtractor} {
		if c != nil {
			uses = append(uses, c.GuestUses()...)
		}
	}
	return uses
}

type tableAggregate struct {
	spec              TableAggregate
	ctx               topology.Context
	table             *tableStore
	adder, subtractor aggregator
	asked             topology.Record // the one that the functions are asked about
}

// Init connects the store and opens the functions.
func (p *tableAggregate) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.table, err = openTable(ctx, p.spec.Store, p.spec.SendOld); err != nil {
		return err
	}
	add, subtract := Aggregation{Count: p.spec.Count}, Aggregation{Count: p.spec.Count}
	switch {
	case p.spec.Count:
		p.adder, p.subtractor = &counting{arena: ctx.Arena()}, &uncounting{counting{arena: ctx.Arena()}}
		return nil
	case p.spec.Reduce:
		add.Reducer, subtract.Reducer = p.spec.Adder, p.spec.Subtractor
	default:
		add.Initializer, add.Aggregator = p.spec.Initializer, p.spec.Adder
		subtract.Initializer, subtract.Aggregator = p.spec.Initializer, p.spec.Subtractor
	}
	if p.adder, err = add.open(ctx); err != nil {
		return err
	}
	p.subtractor, err = subtract.open(ctx)
	return err
}

// uncounting counts down.
type uncounting struct{ counting }

func (c *uncounting) add(_ *topology.Record, aggregate []byte) ([]byte, error) {
	n, err := longOf(aggregate)
	return c.long(n - 1), err
}

// Close leaves the store to the task.
func (p *tableAggregate) Close() error { return nil }

func (p *tableAggregate) Process(frame []topology.Record) error {
	p.table.begin()
	for i := range frame {
		if err := p.processOne(&frame[i]); err != nil && err != errSkipped {
			return err
		}
	}
	return p.table.end()
}

func (p *tableAggregate) processOne(r *topology.Record) error {
	if r.Key == nil {
		return errs.RecordProcessing.New(p.ctx.NodeName(),
			"Record key for KTable aggregate operator with state "+p.spec.Store+" should not be null.", "")
	}
	value, left, _, err := topology.SplitChange(r.Value)
	if err != nil {
		return err
	}
	before, stored, err := p.table.row(r.Key)
	if err != nil {
		return err
	}
	aggregate, timestamp := before, r.Timestamp
	if left != nil && before != nil {
		if aggregate, err = p.apply(p.subtractor, r, left, before); err != nil {
			return err
		}
		timestamp = max(r.Timestamp, stored)
	}
	if value != nil {
		if aggregate, err = p.enter(r, value, aggregate); err != nil {
			return err
		}
		if before != nil {
			timestamp = max(r.Timestamp, stored)
		}
	}
	return p.table.change(r, aggregate, before, timestamp)
}

// enter adds a value to the aggregate, or to the first one.
func (p *tableAggregate) enter(r *topology.Record, value, aggregate []byte) (_ []byte, err error) {
	if aggregate == nil {
		if aggregate, err = p.adder.initial(); err != nil {
			return nil, err
		}
	}
	return p.apply(p.adder, r, value, aggregate)
}

func (p *tableAggregate) apply(a aggregator, r *topology.Record, value, aggregate []byte) ([]byte, error) {
	p.asked = *r
	p.asked.Value = value
	return a.add(&p.asked, aggregate)
}
