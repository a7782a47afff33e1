package dsl

import (
	"fmt"
	"math"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// JoinWindow keeps the records of one side of a stream-stream join in its window store and passes them on. Each record
// is a row of its own; records with a null key or value leave none. A record is passed on before it is kept, so that it
// never meets itself in an optimised self join.
type JoinWindow struct {
	Store string `json:"store"`
}

// New makes the processor of a task.
func (s JoinWindow) New() (topology.Processor, error) { return &joinWindow{name: s.Store}, nil }

type joinWindow struct {
	ctx     topology.Context
	name    string
	store   state.WindowStore
	written *state.RecordContext
}

// Init connects the store.
func (p *joinWindow) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	p.store, p.written, err = openWindowStore(ctx, p.name)
	return err
}

func openWindowStore(ctx topology.Context, name string) (state.WindowStore, *state.RecordContext, error) {
	s, err := ctx.Store(name)
	if err != nil {
		return nil, nil, err
	}
	w, ok := s.(state.WindowStore)
	if !ok {
		return nil, nil, fmt.Errorf("joining with store %q: it is not a window store", name)
	}
	written := &state.RecordContext{}
	if c, ok := s.(state.ContextualStore); ok && c.Context() != nil {
		written = c.Context()
	}
	return w, written, nil
}

// Process takes record by record: what comes after may read the store of the other side, but none reads this one
// before the next record.
func (p *joinWindow) Process(frame []topology.Record) error {
	for i := range frame {
		r := &frame[i]
		if err := p.ctx.Forward(frame[i : i+1]); err != nil {
			return err
		}
		if r.Key == nil {
			continue
		}
		*p.written = r.Context()
		if err := p.store.PutWindow(r.Key, r.Value, r.Timestamp); err != nil {
			return fmt.Errorf("writing store %q: %w", p.name, err)
		}
	}
	return nil
}

// Close leaves the store to the task.
func (p *joinWindow) Close() error { return nil }

// StreamJoin joins the records of one side of a stream-stream join with those that the other side's store has in the
// window, and keeps what has no partner in the outer store until its window is closed.
type StreamJoin struct {
	Joiner  Call        `json:"joiner"`
	Windows JoinWindows `json:"windows"`
	// Right: the records are those of the right side.
	Right bool `json:"right,omitempty"`
	// Outer: records of this side come out without a partner too.
	Outer bool `json:"outer,omitempty"`
	// OtherStore holds the records of the other side; OuterStore, shared by both sides, what has no partner yet. An inner
	// join has none.
	OtherStore string `json:"otherStore"`
	OuterStore string `json:"outerStore,omitempty"`
	// Join is the name that both sides have in common.
	Join string `json:"join"`
}

// GuestUses is the joiner's.
func (s StreamJoin) GuestUses() []topology.GuestUse { return s.Joiner.GuestUses() }

// New makes the processor of a task.
func (s StreamJoin) New() (topology.Processor, error) {
	p := &streamJoin{spec: s, before: s.Windows.BeforeMs, after: s.Windows.AfterMs, side: leftSide, other: rightSide}
	if s.Right {
		p.before, p.after, p.side, p.other = p.after, p.before, rightSide, leftSide
	}
	return p, nil
}

type streamJoin struct {
	spec StreamJoin
	ctx  topology.Context
	// before and after are the window as seen from this side.
	before, after int64
	side, other   byte
	joiner        *asker
	others        state.WindowStore
	outer         *outerJoinStore // nil: none
	written       *state.RecordContext
	time          *timeTracker
	out           []topology.Record
}

// Init connects the stores and opens the joiner.
func (p *streamJoin) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.others, p.written, err = openWindowStore(ctx, p.spec.OtherStore); err != nil {
		return err
	}
	if p.outer, err = openOuterJoinStore(ctx, p.spec.OuterStore); err != nil {
		return err
	}
	p.time = sharedTimeTracker(ctx, p.spec.Join)
	p.joiner, err = openAsker(ctx, p.spec.Joiner)
	return err
}

// Close leaves the stores to the task.
func (p *streamJoin) Close() error { return nil }

func (p *streamJoin) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	dropped := 0
	for i := range frame {
		r := &frame[i]
		p.time.streamTime = max(p.time.streamTime, r.Timestamp)
		var err error
		switch {
		case r.Value == nil || r.Key == nil && !p.spec.Outer:
			dropped++
		case r.Key == nil:
			err = p.emitAlone(r)
		default:
			err = p.processOne(r)
		}
		if err != nil && err != errSkipped {
			return err
		}
	}
	if dropped > 0 {
		p.ctx.Dropped(dropped, "Skipping record due to null key or value.")
	}
	return forward(p.ctx, p.out)
}

func (p *streamJoin) processOne(r *topology.Record) error {
	*p.written = r.Context()
	if p.outer != nil && r.Timestamp == p.time.streamTime {
		if err := p.emitExpired(r); err != nil {
			return err
		}
	}
	from, to := max(0, r.Timestamp-p.before), max(0, plus(r.Timestamp, p.after))
	matched, err := p.joinWindow(r, from, to)
	switch {
	case err != nil || matched || !p.spec.Outer:
		return err
	case p.outer == nil || to < p.time.streamTime:
		return p.emitAlone(r)
	}
	p.time.minTime = min(p.time.minTime, r.Timestamp)
	return p.outer.add(r.Timestamp, p.side, r.Key, r.Value)
}

// joinWindow joins r with the records of the other side from from to to, and takes those out of the outer store.
func (p *streamJoin) joinWindow(r *topology.Record, from, to int64) (matched bool, err error) {
	it, err := p.others.FetchWindows(r.Key, from, to, false)
	if err != nil {
		return false, p.reading(err)
	}
	for it.Next() {
		matched = true
		if err = p.join(r, it.Start(), it.Value()); err != nil {
			break
		}
	}
	if closed := closeIterator(it); err == nil && closed != nil {
		err = p.reading(closed)
	}
	return matched, err
}

func (p *streamJoin) join(r *topology.Record, at int64, other []byte) error {
	other = p.ctx.Arena().Copy(other)
	if p.outer != nil {
		if err := p.outer.remove(at, p.other, r.Key); err != nil {
			return err
		}
	}
	return p.emit(r, r.Key, max(r.Timestamp, at), r.Value, other)
}

func (p *streamJoin) reading(err error) error {
	return fmt.Errorf("reading store %q: %w", p.spec.OtherStore, err)
}

// emitAlone forwards r without a partner.
func (p *streamJoin) emitAlone(r *topology.Record) error {
	return p.emit(r, r.Key, r.Timestamp, r.Value, nil)
}

// emit forwards what the joiner makes of a value of this side and one of the other, nil for none, with the headers of r.
func (p *streamJoin) emit(r *topology.Record, key []byte, timestamp int64, this, other []byte) error {
	left, right := this, other
	if p.side == rightSide {
		left, right = other, this
	}
	return p.emitPair(r, key, timestamp, left, right)
}

func (p *streamJoin) emitPair(r *topology.Record, key []byte, timestamp int64, left, right []byte) error {
	q := *r
	q.Key, q.Timestamp, q.Extra = key, timestamp, nil
	value, err := p.joiner.value(&q, left, right)
	if err != nil {
		return err
	}
	q.Value = value
	p.out = append(p.out, q)
	return nil
}

// emitExpired forwards the records without partner whose windows are closed, in the order of time. r is the record that
// moved the time. The store is not looked at where nothing can be found, nor more often than the interval.
func (p *streamJoin) emitExpired(r *topology.Record) error {
	t := p.time
	if t.minTime+p.after+p.spec.Windows.GraceMs >= t.streamTime {
		return nil
	}
	now := p.ctx.SystemTime()
	if waits(now, t.next, t.interval) {
		return nil
	}
	t.next = now + t.interval
	t.minTime = math.MaxInt64
	it, err := p.outer.store.Range(nil, nil, false)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", p.outer.name, err)
	}
	err = p.walkExpired(r, it)
	if closed := closeIterator(it); err == nil && closed != nil {
		err = fmt.Errorf("reading store %q: %w", p.outer.name, closed)
	}
	return err
}

func (p *streamJoin) walkExpired(r *topology.Record, it state.Iterator) error {
	var open [2]bool // by side
	for it.Next() {
		u, err := readUnmatched(it.Key(), it.Value())
		if err != nil {
			return fmt.Errorf("reading store %q: %w", p.outer.name, err)
		}
		p.time.minTime = u.timestamp
		if open[leftSide] && open[rightSide] {
			return nil
		}
		if p.isOpen(&u) {
			open[u.side&1] = true
			// Kafka looks at one record of a row after the other, and ends, with this time, at a second one.
			if open[leftSide] && open[rightSide] && u.several() {
				return nil
			}
			continue
		}
		if err := p.emitRow(r, &u); err != nil {
			return err
		}
		if err := p.outer.put(u.stored, nil); err != nil {
			return err
		}
	}
	return nil
}

// isOpen tells whether the window of a row without partner can still get one.
func (p *streamJoin) isOpen(u *unmatched) bool {
	ahead := p.spec.Windows.BeforeMs
	if u.side == leftSide {
		ahead = p.spec.Windows.AfterMs
	}
	return u.timestamp+ahead+p.spec.Windows.GraceMs >= p.time.streamTime
}

// emitRow forwards all records of a row.
func (p *streamJoin) emitRow(r *topology.Record, u *unmatched) error {
	key := p.ctx.Arena().Copy(u.key)
	for {
		value, ok, err := u.next()
		if err != nil || !ok {
			return err
		}
		value = p.ctx.Arena().Copy(value)
		left, right := value, []byte(nil)
		if u.side == rightSide {
			left, right = nil, value
		}
		if err := p.emitPair(r, key, u.timestamp, left, right); err != nil && err != errSkipped {
			return err
		}
	}
}
