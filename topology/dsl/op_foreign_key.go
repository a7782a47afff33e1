package dsl

import (
	"bytes"
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// The operators of a foreign-key join, which passes through two topics:
//
//	left table -> ForeignKeySubscribe -> registration topic -> ForeignKeyReceive -> ForeignKeyAnswer -\
//	                                                  right table -> ForeignKeyNotify -> response topic
//	                                                                 response topic -> ForeignKeyResolve -> result
type (
	// ForeignKeySubscribe tells the right side which rows of the left one it is to answer for.
	ForeignKeySubscribe struct {
		// Call is asked for the foreign key of a left row, as the key of its answer.
		Call
		Left bool `json:"left,omitempty"`
		// Versioned: the left table is versioned; changes that are not of the latest version are dropped.
		Versioned bool `json:"versioned,omitempty"`
	}
	// ForeignKeyReceive keeps the subscriptions.
	ForeignKeyReceive struct {
		Store string `json:"store"`
	}
	// ForeignKeyAnswer answers a subscription with the right row as it is.
	ForeignKeyAnswer struct {
		Right View `json:"right"`
	}
	// ForeignKeyNotify answers all that subscribe to a right row that changes.
	ForeignKeyNotify struct {
		Store     string `json:"store"`
		Versioned bool   `json:"versioned,omitempty"`
	}
	// ForeignKeyResolve joins an answer with the left row, unless that is another one by now.
	ForeignKeyResolve struct {
		// Joiner is asked about the left value (Value) and the right one (Extra.Second).
		Joiner Call `json:"joiner"`
		Left   bool `json:"left,omitempty"`
		Table  View `json:"table"`
	}
)

// New makes the processor of a task.
func (s ForeignKeySubscribe) New() (topology.Processor, error) {
	return &foreignKeySubscribe{spec: s}, nil
}

// New makes the processor of a task.
func (s ForeignKeyReceive) New() (topology.Processor, error) {
	return &foreignKeyReceive{store: s.Store}, nil
}

// New makes the processor of a task.
func (s ForeignKeyAnswer) New() (topology.Processor, error) { return &foreignKeyAnswer{spec: s}, nil }

// New makes the processor of a task.
func (s ForeignKeyNotify) New() (topology.Processor, error) { return &foreignKeyNotify{spec: s}, nil }

// New makes the processor of a task.
func (s ForeignKeyResolve) New() (topology.Processor, error) { return &foreignKeyResolve{spec: s}, nil }

// GuestUses are those of the functions that make the right rows.
func (s ForeignKeyAnswer) GuestUses() []topology.GuestUse { return s.Right.GuestUses() }

// GuestUses are those of the joiner and of the functions that make the left rows.
func (s ForeignKeyResolve) GuestUses() []topology.GuestUse {
	return append(s.Joiner.GuestUses(), s.Table.GuestUses()...)
}

type foreignKeySubscribe struct {
	spec      ForeignKeySubscribe
	ctx       topology.Context
	keys      *inquiry
	partition int32 // of this task; -1 where an old application reads the topic
	asked     []joinAsked
	out       []topology.Record
}

// Init opens the function.
func (p *foreignKeySubscribe) Init(ctx topology.Context) (err error) {
	p.ctx, p.partition = ctx, ctx.TaskID().Partition
	if upgradesFromBefore(ctx, 3, 4) {
		p.partition = -1
	}
	p.keys, err = openInquiry(ctx, p.spec.Call)
	return err
}

// Close has nothing to release.
func (p *foreignKeySubscribe) Close() error { return nil }

func (p *foreignKeySubscribe) Process(frame []topology.Record) error {
	p.keys.begin()
	p.asked = p.asked[:0]
	for i := range frame {
		r := &frame[i]
		if p.spec.Versioned && !r.IsLatest() {
			p.ctx.Dropped(1, skippedOutOfOrder)
			continue
		}
		p.asked = append(p.asked, joinAsked{at: i, value: p.keys.aboutValue(r, r.Value), old: p.keys.aboutValue(r, r.Old())})
	}
	if err := p.keys.ask(true); err != nil {
		return err
	}
	p.out = p.out[:0]
	for _, a := range p.asked {
		now, before := p.keys.reply(a.value), p.keys.reply(a.old)
		if now.skipped || before.skipped {
			continue
		}
		if p.spec.Left {
			p.subscribeLeft(&frame[a.at], now.key, before.key)
		} else {
			p.subscribeInner(&frame[a.at], now.key, before.key)
		}
	}
	return forward(p.ctx, p.out)
}

// subscribeLeft wants an answer for every change, so that there always is a result: also for a row that is deleted or
// has no foreign key, though nothing is kept of those.
func (p *foreignKeySubscribe) subscribeLeft(r *topology.Record, now, before []byte) {
	if r.Value == nil && r.Old() == nil {
		return
	}
	if before != nil && !sameKey(now, before) {
		p.send(r, before, topology.DeleteKeyNoPropagate)
	}
	p.send(r, now, topology.PropagateNullIfNoFKVal)
}

func (p *foreignKeySubscribe) subscribeInner(r *topology.Record, now, before []byte) {
	switch {
	case r.Value == nil:
		if before != nil {
			p.send(r, before, topology.DeleteKeyAndPropagate)
		}
	case now == nil:
		p.ctx.Dropped(1, "Skipping record due to null foreign key.")
		if before != nil {
			p.send(r, before, topology.DeleteKeyAndPropagate)
		}
	case before != nil && !sameKey(now, before):
		// The new row may be another task's, which does not know of the old result: a null answer deletes it.
		p.send(r, before, topology.DeleteKeyNoPropagate)
		p.send(r, now, topology.PropagateNullIfNoFKVal)
	default:
		p.send(r, now, topology.PropagateOnlyIfFKVal)
	}
}

func sameKey(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func (p *foreignKeySubscribe) send(r *topology.Record, foreignKey []byte, instruct topology.SubscriptionInstruction) {
	s := topology.Subscription{Instruct: instruct, PrimaryKey: r.Key, PrimaryPartition: p.partition}
	if s.HasHash = r.Value != nil; s.HasHash {
		s.Hash = topology.Murmur3(r.Value)
	}
	p.out = append(p.out, *r)
	o := &p.out[len(p.out)-1]
	o.Key, o.Extra = foreignKey, nil
	o.Value = s.Append(p.ctx.Arena().Alloc(s.Size())[:0])
}

type foreignKeyReceive struct {
	store string
	ctx   topology.Context
	kept  *tableStore
	key   []byte
	out   []topology.Record
}

// Init connects the store.
func (p *foreignKeyReceive) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	p.kept, err = openTable(ctx, p.store, false)
	return err
}

// Close leaves the store to the task.
func (p *foreignKeyReceive) Close() error { return nil }

// Process passes the subscriptions on as they are.
func (p *foreignKeyReceive) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	for i := range frame {
		r := &frame[i]
		s, err := topology.ParseSubscription(r.Value)
		if err != nil {
			return err
		}
		if r.Key == nil && s.Instruct != topology.PropagateNullIfNoFKVal {
			p.ctx.Dropped(1, "Skipping record due to null foreign key.")
			continue
		}
		if r.Key != nil {
			if err := p.keep(r, &s); err != nil {
				return err
			}
		}
		p.out = append(p.out, *r)
	}
	return forward(p.ctx, p.out)
}

func (p *foreignKeyReceive) keep(r *topology.Record, s *topology.Subscription) error {
	value := r.Value
	if s.Instruct == topology.DeleteKeyAndPropagate || s.Instruct == topology.DeleteKeyNoPropagate {
		value = nil
	}
	p.key = topology.AppendCombinedKey(p.key[:0], r.Key, s.PrimaryKey)
	*p.kept.results.written = r.Context()
	return p.kept.failed("writing", p.kept.write(p.key, value, r.Timestamp))
}

type foreignKeyAnswer struct {
	spec  ForeignKeyAnswer
	ctx   topology.Context
	right rowReader
	out   []topology.Record
}

// Init connects the right table's stores.
func (p *foreignKeyAnswer) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	p.right, err = p.spec.Right.open(ctx)
	return err
}

// Close leaves the stores to the task.
func (p *foreignKeyAnswer) Close() error { return nil }

func (p *foreignKeyAnswer) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	for i := range frame {
		if err := p.answer(&frame[i]); err != nil {
			return err
		}
	}
	return forward(p.ctx, p.out)
}

func (p *foreignKeyAnswer) answer(r *topology.Record) error {
	s, err := topology.ParseSubscription(r.Value)
	if err != nil || s.Instruct == topology.DeleteKeyNoPropagate {
		return err
	}
	var value []byte
	timestamp := r.Timestamp
	if r.Key != nil {
		var at int64
		if value, at, err = p.right.row(r.Key); err != nil {
			return err
		}
		if value != nil {
			timestamp = max(timestamp, at)
		}
	}
	switch {
	case s.Instruct == topology.DeleteKeyAndPropagate:
		value = nil
	case s.Instruct == topology.PropagateOnlyIfFKVal && value == nil:
		return nil
	}
	p.out = append(p.out, response(p.ctx, r, &s, value))
	p.out[len(p.out)-1].Timestamp = timestamp
	return nil
}

// response is the answer to s, as a record that stems from r, on its way to the partition that s came from.
func response(ctx topology.Context, r *topology.Record, s *topology.Subscription, value []byte) topology.Record {
	answer := topology.SubscriptionResponse{Hash: s.Hash, HasHash: s.HasHash, Value: value}
	o := *r
	o.Key, o.Extra = s.PrimaryKey, nil
	o.Value = answer.Append(ctx.Arena().Alloc(answer.Size())[:0])
	if s.PrimaryPartition >= 0 {
		o.Extra = ctx.Arena().Extra()
		o.Extra.Partition = s.PrimaryPartition + 1
	}
	return o
}

type foreignKeyNotify struct {
	spec   ForeignKeyNotify
	ctx    topology.Context
	store  state.KeyValueStore
	key    []byte
	behind []byte // scratch: where the rows of key end
	out    []topology.Record
}

// Init connects the store.
func (p *foreignKeyNotify) Init(ctx topology.Context) error {
	p.ctx = ctx
	s, err := ctx.Store(p.spec.Store)
	if err != nil {
		return err
	}
	var ok bool
	if p.store, ok = s.(state.KeyValueStore); !ok {
		return fmt.Errorf("notifying subscribers: store %q is no key-value store", p.spec.Store)
	}
	return nil
}

// Close leaves the store to the task.
func (p *foreignKeyNotify) Close() error { return nil }

func (p *foreignKeyNotify) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	for i := range frame {
		r := &frame[i]
		var err error
		switch {
		case r.Key == nil:
			p.ctx.Dropped(1, skippedNullKey)
		case p.spec.Versioned && !r.IsLatest():
			p.ctx.Dropped(1, skippedOutOfOrder)
		default:
			err = p.notify(r)
		}
		if err != nil {
			return err
		}
	}
	return forward(p.ctx, p.out)
}

// notify answers everyone who subscribes to the key of r. The length before the key keeps longer keys out.
func (p *foreignKeyNotify) notify(r *topology.Record) error {
	p.key = topology.AppendCombinedKey(p.key[:0], r.Key, nil)
	p.behind = append(p.behind[:0], p.key...)
	it, err := p.store.Range(p.key, after(p.behind), false)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", p.spec.Store, err)
	}
	err = p.notifyAll(r, it)
	if closing := it.Close(); err == nil {
		err = closing
	}
	return err
}

func (p *foreignKeyNotify) notifyAll(r *topology.Record, it state.Iterator) error {
	for it.Next() {
		value, _ := state.SplitTimestamped(it.Value())
		s, err := topology.ParseSubscription(value)
		if err != nil {
			return err
		}
		if _, s.PrimaryKey, err = topology.SplitCombinedKey(it.Key()); err != nil {
			return err
		}
		s.PrimaryKey = p.ctx.Arena().Copy(s.PrimaryKey)
		p.out = append(p.out, response(p.ctx, r, &s, r.Value))
	}
	return it.Err()
}

// after turns a prefix into the first key behind all that begin with it, nil if there is none.
func after(next []byte) []byte {
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
	return nil
}

type foreignKeyResolve struct {
	spec   ForeignKeyResolve
	ctx    topology.Context
	table  rowReader
	joiner *inquiry
	asked  []joinAsked
	out    []topology.Record
}

// Init opens the joiner and connects the left table's stores.
func (p *foreignKeyResolve) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	if p.table, err = p.spec.Table.open(ctx); err != nil {
		return err
	}
	p.joiner, err = openInquiry(ctx, p.spec.Joiner)
	return err
}

// Close leaves the stores to the task.
func (p *foreignKeyResolve) Close() error { return nil }

func (p *foreignKeyResolve) Process(frame []topology.Record) error {
	p.joiner.begin()
	p.asked = p.asked[:0]
	for i := range frame {
		if err := p.resolve(i, &frame[i]); err != nil {
			return err
		}
	}
	if err := p.joiner.ask(true); err != nil {
		return err
	}
	p.out = p.out[:0]
	for _, a := range p.asked {
		reply := p.joiner.reply(a.value)
		if reply.skipped {
			continue
		}
		p.out = append(p.out, frame[a.at])
		p.out[len(p.out)-1].Value = reply.value
	}
	return forward(p.ctx, p.out)
}

// resolve drops an answer to a subscription that is not that of the left row as it is now.
func (p *foreignKeyResolve) resolve(at int, r *topology.Record) error {
	answer, err := topology.ParseSubscriptionResponse(r.Value)
	if err != nil {
		return err
	}
	left, _, err := p.table.row(r.Key)
	if err != nil {
		return err
	}
	if answer.HasHash != (left != nil) || left != nil && topology.Murmur3(left) != answer.Hash {
		p.ctx.Dropped(1, "Dropping foreign-key join response that is stale.")
		return nil
	}
	a := joinAsked{at: at, value: noQuestion}
	if answer.Value != nil || p.spec.Left && left != nil {
		a.value = p.joiner.aboutAll(r, left, topology.Extra{Second: answer.Value})
	}
	p.asked = append(p.asked, a)
	return nil
}
