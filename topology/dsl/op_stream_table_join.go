package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// StreamTableJoin joins the records of a stream with the rows of a table, or of a global table by a key that a function
// makes. Records with a null value, and without Left those with a null key, are dropped.
type StreamTableJoin struct {
	// Joiner is asked about the record's value (Value) and the row's (Extra.Second), of global tables also with
	// Extra.MappedKey.
	Joiner Call `json:"joiner"`
	// Left: records that find no row are joined with null.
	Left  bool `json:"left,omitempty"`
	Table View `json:"table"`
	// KeyMapper is asked for the key of the row in a global table; nil takes the record's.
	KeyMapper *Call `json:"keyMapper,omitempty"`
	// Buffer is the store in which records wait for GraceMs, so that rows which come late are still found.
	Buffer  string `json:"buffer,omitempty"`
	GraceMs int64  `json:"graceMs,omitempty"`
}

// New makes the processor of a task.
func (s StreamTableJoin) New() (topology.Processor, error) { return &streamTableJoin{spec: s}, nil }

// GuestUses are those of the joiner, the key mapper and the functions that make the rows.
func (s StreamTableJoin) GuestUses() []topology.GuestUse {
	uses := append(s.Joiner.GuestUses(), s.Table.GuestUses()...)
	if s.KeyMapper != nil {
		uses = append(uses, s.KeyMapper.GuestUses()...)
	}
	return uses
}

type streamTableJoin struct {
	spec   StreamTableJoin
	ctx    topology.Context
	table  rowReader
	joiner *inquiry
	keys   *inquiry // nil: the record's own
	buffer *state.TimeOrderedBuffer
	// due are records of the buffer whose time has come; reused.
	due     []topology.Record
	out     []topology.Record
	dropped int
	context state.RecordContext
}

// Init opens the functions and connects the stores.
func (p *streamTableJoin) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.table, err = p.spec.Table.open(ctx); err != nil {
		return err
	}
	if p.joiner, err = openInquiry(ctx, p.spec.Joiner); err != nil {
		return err
	}
	if p.spec.KeyMapper != nil {
		p.keys, err = openInquiry(ctx, *p.spec.KeyMapper)
	}
	if err != nil || p.spec.Buffer == "" {
		return err
	}
	s, err := ctx.Store(p.spec.Buffer)
	if err != nil {
		return err
	}
	var ok bool
	if p.buffer, ok = s.(*state.TimeOrderedBuffer); !ok {
		return fmt.Errorf("joining with a grace period: store %q is no buffer", p.spec.Buffer)
	}
	return nil
}

// Close leaves the stores to the task.
func (p *streamTableJoin) Close() error { return nil }

func (p *streamTableJoin) Process(frame []topology.Record) error {
	p.out, p.dropped = p.out[:0], 0
	var err error
	if p.buffer == nil {
		err = p.join(frame)
	} else {
		err = p.processBuffered(frame)
	}
	if err != nil {
		return err
	}
	if p.dropped > 0 {
		p.ctx.Dropped(p.dropped, "Skipping record due to null join key or value.")
	}
	return forward(p.ctx, p.out)
}

// join adds what the records of frame become to what is forwarded.
func (p *streamTableJoin) join(frame []topology.Record) error {
	if err := p.mapKeys(frame); err != nil {
		return err
	}
	p.joiner.begin()
	for i := range frame {
		if err := p.find(&frame[i], int32(i)); err != nil {
			return err
		}
	}
	if err := p.joiner.ask(true); err != nil {
		return err
	}
	for i := range p.joiner.in {
		if reply := p.joiner.reply(i); !reply.skipped {
			p.out = append(p.out, p.joiner.in[i])
			o := &p.out[len(p.out)-1]
			o.Value, o.Extra = reply.value, nil
		}
	}
	return nil
}

func (p *streamTableJoin) mapKeys(frame []topology.Record) error {
	if p.keys == nil {
		return nil
	}
	p.keys.begin()
	for i := range frame {
		p.keys.about(&frame[i], frame[i].Value)
	}
	return p.keys.ask(true)
}

// find looks up the row of a record and asks what the two become.
func (p *streamTableJoin) find(r *topology.Record, at int32) error {
	key, extra := r.Key, topology.Extra{}
	if p.keys != nil {
		mapped := p.keys.reply(int(at))
		if mapped.skipped {
			return nil
		}
		key, extra.MappedKey = mapped.key, mapped.key
	}
	if p.drops(r, key) {
		return nil
	}
	if key != nil {
		var err error
		if extra.Second, err = p.row(key, r.Timestamp); err != nil {
			return err
		}
	}
	if extra.Second != nil || p.spec.Left {
		p.joiner.aboutAll(r, r.Value, extra)
	}
	return nil
}

// drops tells whether a record is not joined at all, and counts it.
func (p *streamTableJoin) drops(r *topology.Record, key []byte) bool {
	if r.Value != nil && (key != nil || p.spec.Left) {
		return false
	}
	p.dropped++
	return true
}

func (p *streamTableJoin) row(key []byte, timestamp int64) (value []byte, err error) {
	if p.table.versioned() {
		value, _, err = p.table.rowAsOf(key, timestamp)
	} else {
		value, _, err = p.table.row(key)
	}
	return value, err
}

// processBuffered has records wait, and joins those whose time has come in the order of their timestamps. One that is
// later than the grace period allows, or that has no key, is joined at once. Time goes on with those that wait: not with
// one that is dropped.
func (p *streamTableJoin) processBuffered(frame []topology.Record) error {
	for i := range frame {
		r := &frame[i]
		if p.drops(r, r.Key) {
			continue
		}
		waits := false
		if r.Key != nil {
			var err error
			p.context = r.Context()
			if waits, err = p.buffer.Put(r.Timestamp, r.Key, nil, r.Value, &p.context); err != nil {
				return err
			}
		}
		if !waits {
			if err := p.join(frame[i : i+1]); err != nil {
				return err
			}
			continue
		}
		if err := p.joinDue(r.StreamTime); err != nil {
			return err
		}
	}
	return nil
}

func (p *streamTableJoin) joinDue(streamTime int64) error {
	p.due = p.due[:0]
	ripe := func() bool { return p.buffer.MinTime() <= p.buffer.StreamTime()-p.spec.GraceMs }
	err := p.buffer.EvictWhile(ripe, func(e *state.Evicted) error {
		p.due = append(p.due, evictedRecord(p.ctx.Arena(), e, streamTime))
		return nil
	})
	if err != nil || len(p.due) == 0 {
		return err
	}
	return p.join(p.due)
}
