package dsl

import "github.com/wasmstream/wasmstream/topology"

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
	table      *tableStore
	aggregator aggregator
}

// Init connects the store and opens the functions.
func (p *aggregateProcessor) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.table, err = openTable(ctx, p.spec.Store, p.spec.SendOld); err != nil {
		return err
	}
	p.aggregator, err = p.spec.Aggregation.open(ctx)
	return err
}

// Close leaves the store to the task.
func (p *aggregateProcessor) Close() error { return nil }

func (p *aggregateProcessor) Process(frame []topology.Record) error {
	p.table.begin()
	if err := eachComplete(p.ctx, frame, p.processOne); err != nil {
		return err
	}
	return p.table.end()
}

// processOne forwards, where old values are sent, the initial value before the first aggregate, as Kafka does.
func (p *aggregateProcessor) processOne(r *topology.Record) error {
	before, timestamp, err := p.table.row(r.Key)
	if err != nil {
		return err
	}
	if before == nil {
		timestamp = r.Timestamp
		if before, err = p.aggregator.initial(); err != nil {
			return err
		}
	}
	aggregate, err := p.aggregator.add(r, before)
	if err != nil {
		return err
	}
	return p.table.change(r, aggregate, before, max(timestamp, r.Timestamp))
}
