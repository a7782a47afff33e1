package dsl

import "github.com/wasmstream/wasmstream/topology"

// TableSource makes a table of a stream of rows: a null value deletes. With a store it keeps them; without one it only
// passes the changes on. Records with a null key are dropped.
type TableSource struct {
	Store string `json:"store,omitempty"`
	// SendOld has changes carry the value before.
	SendOld bool `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s TableSource) New() (topology.Processor, error) { return &tableSource{spec: s}, nil }

// RestoresRows tells that the records of a global table are its rows as they are.
func (TableSource) RestoresRows() {}

type tableSource struct {
	spec  TableSource
	ctx   topology.Context
	table *tableStore // nil: not materialised
	out   []topology.Record
}

// Init connects the store.
func (p *tableSource) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.spec.Store != "" {
		p.table, err = openTable(ctx, p.spec.Store, p.spec.SendOld)
	}
	return err
}

// Close leaves the store to the task.
func (p *tableSource) Close() error { return nil }

func (p *tableSource) Process(frame []topology.Record) error {
	if n := countNullKeys(frame); n > 0 {
		p.ctx.Dropped(n, skippedNullKey)
	}
	if p.table == nil {
		return p.pass(frame)
	}
	p.table.begin()
	for i := range frame {
		r := &frame[i]
		if r.Key == nil {
			continue
		}
		old, err := p.table.old(r.Key)
		if err != nil {
			return err
		}
		if err := p.table.change(r, r.Value, old, r.Timestamp); err != nil {
			return err
		}
	}
	return p.table.end()
}

// pass forwards the records with a key.
func (p *tableSource) pass(frame []topology.Record) error {
	if firstNullKey(frame) == len(frame) {
		return forward(p.ctx, frame)
	}
	p.out = p.out[:0]
	for i := range frame {
		if frame[i].Key != nil {
			p.out = append(p.out, frame[i])
		}
	}
	return forward(p.ctx, p.out)
}

// Reasons for dropping, as Kafka logs them.
const (
	skippedNullKey    = "Skipping record due to null key."
	skippedOutOfOrder = "Skipping out-of-order record from versioned table."
)

func countNullKeys(frame []topology.Record) (n int) {
	for i := range frame {
		if frame[i].Key == nil {
			n++
		}
	}
	return n
}
