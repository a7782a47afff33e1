package dsl

import (
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// resultForwarder forwards the changes of windows: with the frame, or, where the store has a cache, when they leave it.
type resultForwarder struct {
	ctx     topology.Context
	written *state.RecordContext // what the store notes with each write
	cached  bool
	sendOld bool
	out     []topology.Record
	flushed [1]topology.Record
}

// keyForm says what the keys of a store are to the keys of the results.
type keyForm int

const (
	keyIsKey keyForm = iota
	keyIsWindow
	keyIsSession
)

// windowKeyTail is the sequence number behind the windowed key in the keys of stores.
const windowKeyTail = 4

// init connects the store. onUpdate is false where only final results are forwarded: then no cache forwards.
func (f *resultForwarder) init(ctx topology.Context, s state.Store, sendOld, onUpdate bool, form keyForm) {
	f.ctx, f.sendOld = ctx, sendOld
	if c, ok := s.(state.ContextualStore); ok {
		f.written = c.Context()
	}
	if f.written == nil {
		f.written = &state.RecordContext{}
	}
	if !onUpdate {
		return
	}
	if c, ok := s.(state.CachedStore); ok {
		listeners := [...]state.FlushListener{keyIsKey: f.flushKey, keyIsWindow: f.flushWindow, keyIsSession: f.flushSession}
		f.cached = c.SetFlushListener(listeners[form], sendOld)
	}
}

// begin is called before the records of a frame, end after them.
func (f *resultForwarder) begin() { f.out = f.out[:0] }

func (f *resultForwarder) end() error { return forward(f.ctx, f.out) }

// update adds the change of a window that r brought about, unless a cache forwards it. key, new and old are immutable.
func (f *resultForwarder) update(r *topology.Record, key, new, old []byte, timestamp int64) {
	if f.cached {
		return
	}
	f.add(r, key, new, timestamp)
	if f.sendOld {
		f.old(&f.out[len(f.out)-1], old)
	}
}

// change adds the change of a row that r brought about, unless a cache forwards it. latest is false for a version before
// the latest of its key.
func (f *resultForwarder) change(r *topology.Record, value, old []byte, timestamp int64, latest bool) {
	if f.cached {
		return
	}
	f.add(r, r.Key, value, timestamp)
	if !f.sendOld {
		old = nil
	}
	if o := &f.out[len(f.out)-1]; old != nil || !latest {
		f.old(o, old)
		o.Extra.NotLatest = !latest
	}
}

// add adds a result with the headers and the origin of r.
func (f *resultForwarder) add(r *topology.Record, key, value []byte, timestamp int64) {
	f.out = append(f.out, *r)
	o := &f.out[len(f.out)-1]
	o.Key, o.Value, o.Timestamp, o.Extra = key, value, timestamp, nil
}

func (f *resultForwarder) old(o *topology.Record, old []byte) {
	o.Extra = f.ctx.Arena().Extra()
	o.Extra.Old, o.Extra.HasOld = old, true
}

func (f *resultForwarder) flushKey(e *state.Flushed) error { return f.flush(e, e.Key, e.Timestamp) }

func (f *resultForwarder) flushWindow(e *state.Flushed) error {
	return f.flush(e, e.Key[:len(e.Key)-windowKeyTail], e.Timestamp)
}

// flushSession forwards a session at its end, whatever the timestamp of the record that changed it.
func (f *resultForwarder) flushSession(e *state.Flushed) error {
	_, _, end, _ := state.SplitSessionKey(e.Key)
	return f.flush(e, e.Key, end)
}

// flush forwards a change that leaves the cache. The cache's bytes are borrowed, so they are copied.
func (f *resultForwarder) flush(e *state.Flushed, key []byte, timestamp int64) error {
	arena := f.ctx.Arena()
	f.flushed[0] = topology.Record{
		Key: arena.Copy(key), Value: copyOf(arena, e.New), Timestamp: timestamp, StreamTime: f.ctx.StreamTime(),
		Headers: e.Context.Headers, Offset: e.Context.Offset, Origin: e.Context.Origin,
	}
	if f.sendOld {
		f.old(&f.flushed[0], copyOf(arena, e.Old))
	}
	return f.ctx.Forward(f.flushed[:])
}

// copyOf is an immutable copy of borrowed bytes; nil stays nil.
func copyOf(arena *topology.Arena, b []byte) []byte {
	if b == nil {
		return nil
	}
	return arena.Copy(b)
}
