package dsl

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Count counts the records of each key in a timestamped key-value store of longs. The result has the later timestamp
// of the record and of what was stored. Records with a null key or value are dropped and counted as dropped.
type Count struct {
	Store string `json:"store"`
}

// New makes the processor of a task.
func (s Count) New() (topology.Processor, error) { return &countProcessor{storeName: s.Store}, nil }

// storedCount is the length of a timestamp and a long.
const storedCount = 16

type countProcessor struct {
	storeName string
	ctx       topology.Context
	store     state.KeyValueStore
	// written is the context that the store notes with each write.
	written *state.RecordContext
	// cached: results are forwarded when they leave the cache, not here.
	cached  bool
	out     []topology.Record
	flushed [1]topology.Record
}

// Init connects the store, and its cache if it has one.
func (p *countProcessor) Init(ctx topology.Context) error {
	p.ctx = ctx
	s, err := ctx.Store(p.storeName)
	if err != nil {
		return err
	}
	var ok bool
	if p.store, ok = s.(state.KeyValueStore); !ok {
		return fmt.Errorf("counting in store %q: it is not a key-value store", p.storeName)
	}
	if c, ok := s.(state.ContextualStore); ok {
		p.written = c.Context()
	}
	if p.written == nil {
		p.written = &state.RecordContext{}
	}
	if c, ok := s.(state.CachedStore); ok {
		p.cached = c.SetFlushListener(p.forwardFlushed, false)
	}
	return nil
}

func (p *countProcessor) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	if err := eachComplete(p.ctx, frame, p.count); err != nil {
		return err
	}
	return forward(p.ctx, p.out)
}

func (p *countProcessor) count(r *topology.Record) error {
	count, timestamp, err := p.stored(r)
	if err != nil {
		return err
	}
	stored := p.ctx.Arena().Alloc(storedCount)
	binary.BigEndian.PutUint64(stored, uint64(timestamp))
	binary.BigEndian.PutUint64(stored[8:], uint64(count+1))
	*p.written = r.Context()
	if err := p.store.Put(r.Key, stored); err != nil {
		return fmt.Errorf("writing store %q: %w", p.storeName, err)
	}
	if !p.cached {
		p.out = append(p.out, *r)
		o := &p.out[len(p.out)-1]
		o.Value, o.Timestamp = stored[8:], timestamp
	}
	return nil
}

// stored is the count so far and the timestamp of the next result.
func (p *countProcessor) stored(r *topology.Record) (count, timestamp int64, err error) {
	old, err := p.store.Get(r.Key)
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("reading store %q: %w", p.storeName, err)
	case old == nil:
		return 0, r.Timestamp, nil
	case len(old) != storedCount:
		return 0, 0, fmt.Errorf("reading store %q: a count of %d bytes: %w", p.storeName, len(old), state.ErrCorrupt)
	}
	timestamp = max(r.Timestamp, int64(binary.BigEndian.Uint64(old)))
	return int64(binary.BigEndian.Uint64(old[8:])), timestamp, nil
}

// forwardFlushed forwards a result that leaves the cache. The cache's bytes are borrowed, so they are copied.
func (p *countProcessor) forwardFlushed(e *state.Flushed) error {
	arena := p.ctx.Arena()
	r := topology.Record{
		Key: arena.Copy(e.Key), Timestamp: e.Timestamp, StreamTime: p.ctx.StreamTime(),
		Headers: e.Context.Headers, Offset: e.Context.Offset, Origin: e.Context.Origin,
	}
	if e.New != nil {
		r.Value = arena.Copy(e.New)
	}
	p.flushed[0] = r
	return p.ctx.Forward(p.flushed[:])
}

// Close leaves the store to the task.
func (p *countProcessor) Close() error { return nil }
