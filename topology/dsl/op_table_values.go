package dsl

import "github.com/wasmstream/wasmstream/topology"

// The operators that make a table of another one row by row. With a store they keep its rows.
type (
	// TableFilter keeps the rows that the function answers, or with Not the others; a row that is not kept any more is
	// deleted.
	TableFilter struct {
		Call
		Not bool `json:"not,omitempty"`
		TableResult
		// Versioned: the table before is versioned, so that deletions are history too.
		Versioned bool `json:"versioned,omitempty"`
	}
	// TableMapValues takes one value for each row.
	TableMapValues struct {
		Call
		TableResult
	}
	// TableTransformValues takes one value for each row, and for each row that is deleted, from a function that may use
	// stores.
	TableTransformValues struct {
		Call
		TableResult
	}
)

// TableResult says whether the rows of a result are kept, and whether its changes carry the value before.
type TableResult struct {
	Store   string `json:"store,omitempty"`
	SendOld bool   `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s TableFilter) New() (topology.Processor, error) {
	return &tableValues{call: s.Call, result: s.TableResult, filter: true, not: s.Not, versioned: s.Versioned}, nil
}

// New makes the processor of a task.
func (s TableMapValues) New() (topology.Processor, error) {
	return &tableValues{call: s.Call, result: s.TableResult}, nil
}

// New makes the processor of a task.
func (s TableTransformValues) New() (topology.Processor, error) {
	return &tableValues{call: s.Call, result: s.TableResult, nulls: true}, nil
}

// tableValues is all three: they differ in what a reply makes of a value, and in whether null values are asked about.
type tableValues struct {
	call      Call
	result    TableResult
	filter    bool
	not       bool
	nulls     bool
	versioned bool

	ctx    topology.Context
	values *inquiry
	table  *tableStore // nil: not materialised
	asked  []valuesAsked
	out    resultForwarder // without a store
}

// valuesAsked are the questions about the new and the old value of a change.
type valuesAsked struct{ value, old int }

// Init opens the function and connects the store.
func (p *tableValues) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.values, err = openInquiry(ctx, p.call); err != nil {
		return err
	}
	p.out.ctx, p.out.sendOld = ctx, p.result.SendOld
	if p.result.Store != "" {
		p.table, err = openTable(ctx, p.result.Store, p.result.SendOld)
	}
	return err
}

// Close leaves the store to the task.
func (p *tableValues) Close() error { return nil }

func (p *tableValues) Process(frame []topology.Record) error {
	if err := p.ask(frame); err != nil {
		return err
	}
	if p.table == nil {
		return p.pass(frame)
	}
	p.table.begin()
	for i := range frame {
		if err := p.keep(&frame[i], p.asked[i]); err != nil {
			return err
		}
	}
	return p.table.end()
}

// ask asks about the values before and after every change. What was before is in the store, if there is one.
func (p *tableValues) ask(frame []topology.Record) error {
	p.values.begin()
	p.asked = p.asked[:0]
	for i := range frame {
		r := &frame[i]
		a := valuesAsked{value: p.question(r, r.Value), old: noQuestion}
		if p.table == nil && p.result.SendOld {
			a.old = p.question(r, r.Old())
		}
		p.asked = append(p.asked, a)
	}
	return p.values.ask(!p.filter)
}

func (p *tableValues) question(r *topology.Record, value []byte) int {
	if p.nulls {
		return p.values.about(r, value)
	}
	return p.values.aboutValue(r, value)
}

// result of a question about value.
func (p *tableValues) valueOf(question int, value []byte) []byte {
	r := p.values.reply(question)
	switch {
	case !p.filter:
		return r.value
	case question == noQuestion || r.answered == p.not:
		return nil
	}
	return value
}

func (p *tableValues) skipped(a valuesAsked) bool {
	return p.values.reply(a.value).skipped || p.values.reply(a.old).skipped
}

// pass forwards the changes of a table without a store.
func (p *tableValues) pass(frame []topology.Record) error {
	p.out.begin()
	for i := range frame {
		r, a := &frame[i], p.asked[i]
		if p.skipped(a) {
			continue
		}
		value, old := p.valueOf(a.value, r.Value), p.valueOf(a.old, r.Old())
		if !p.isNothing(value, old) {
			p.out.change(r, value, old, r.Timestamp, r.IsLatest())
		}
	}
	return p.out.end()
}

// keep writes a row and forwards its change.
func (p *tableValues) keep(r *topology.Record, a valuesAsked) error {
	if p.skipped(a) {
		return nil
	}
	value := p.valueOf(a.value, r.Value)
	var old []byte
	if p.result.SendOld && (p.filter || !p.table.results.cached) {
		var err error
		if old, _, err = p.table.row(r.Key); err != nil {
			return err
		}
	}
	if p.isNothing(value, old) {
		return nil
	}
	return p.table.change(r, value, old, r.Timestamp)
}

// isNothing tells whether a filter has nothing to say: the row is not there and was not before. Without old values that
// is not known, so that rows that never were are deleted (as in Kafka).
func (p *tableValues) isNothing(value, old []byte) bool {
	return p.filter && p.result.SendOld && !p.versioned && value == nil && old == nil
}
