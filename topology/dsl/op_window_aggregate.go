package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// WindowAggregate aggregates the records of each key by windows of fixed start, in a timestamped window store. Records
// with a null key are dropped; null values are aggregated like others. A window takes records until stream time, as far
// as this node has seen it, passes its end by the grace period. The result has the later timestamp of the record and of
// what was stored.
type WindowAggregate struct {
	Aggregation
	Windows WindowSpec   `json:"windows"`
	Store   string       `json:"store"`
	Emit    EmitStrategy `json:"emit,omitempty"`
	// SpareMs is how much longer than the windows need the store keeps them.
	SpareMs int64 `json:"spareMs,omitempty"`
	// SendOld has changes carry the value before.
	SendOld bool `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s *WindowAggregate) New() (topology.Processor, error) {
	return &windowAggregate{spec: *s, windows: s.Windows.windows()}, nil
}

// enableSendingOldValues has changes carry the value before.
func (s *WindowAggregate) enableSendingOldValues() { s.SendOld = true }

// windowSupplier is an operator that aggregates by windows.
type windowSupplier interface {
	topology.ProcessorSupplier
	enableSendingOldValues()
}

type windowAggregate struct {
	windowUpdater
	spec    WindowAggregate
	windows fixedWindows
}

// windowUpdater is what time and sliding windows share: the store, its updates, and what is forwarded.
type windowUpdater struct {
	ctx        topology.Context
	storeName  string
	store      state.WindowStore
	aggregator aggregator
	results    resultForwarder
	finals     *finalEmitter // nil: results are forwarded with each update
	streamTime int64
	expired    int // records, or windows of records, that came too late in this frame
}

func (u *windowUpdater) init(ctx topology.Context, a Aggregation, store string, sendOld bool, emit EmitStrategy, spare int64) error {
	u.ctx, u.storeName, u.streamTime = ctx, store, -1
	s, err := ctx.Store(store)
	if err != nil {
		return err
	}
	var ok bool
	if u.store, ok = s.(state.WindowStore); !ok {
		return fmt.Errorf("aggregating windows in store %q: it is not a window store", store)
	}
	if u.aggregator, err = a.open(ctx); err != nil {
		return err
	}
	u.results.init(ctx, s, sendOld, emit != OnWindowClose, keyIsWindow)
	if emit == OnWindowClose {
		u.finals = newFinalEmitter(ctx, store, spare)
	}
	return nil
}

// Close leaves the store to the task.
func (u *windowUpdater) Close() error { return nil }

// dropExpired counts what came too late.
func (u *windowUpdater) dropExpired() {
	if u.expired > 0 {
		u.ctx.Dropped(u.expired, "Skipping record for expired window.")
		u.expired = 0
	}
}

// put has the window of r's key that begins at start be aggregate (nil: none), and forwards the change.
func (u *windowUpdater) put(r *topology.Record, start int64, aggregate, old []byte, timestamp int64) error {
	var stored []byte
	if aggregate != nil {
		stored = state.AppendTimestamped(u.ctx.Arena().Alloc(8 + len(aggregate))[:0], timestamp, aggregate)
		aggregate = stored[8:]
	}
	*u.results.written = r.Context()
	if err := u.store.PutWindow(r.Key, stored, start); err != nil {
		return fmt.Errorf("writing store %q: %w", u.storeName, err)
	}
	if u.finals == nil && !u.results.cached {
		u.results.update(r, u.windowedKey(r.Key, start), aggregate, old, timestamp)
	}
	return nil
}

func (u *windowUpdater) windowedKey(key []byte, start int64) []byte {
	return topology.AppendTimeWindowedKey(u.ctx.Arena().Alloc(len(key) + 8)[:0], key, start)
}

// fetched is an aggregate of the store: its bytes, copied, with their timestamp.
func (u *windowUpdater) fetched(stored []byte) (aggregate []byte, timestamp int64) {
	if stored == nil {
		return nil, 0
	}
	value, timestamp := state.SplitTimestamped(stored)
	return u.ctx.Arena().Copy(value), timestamp
}

// emitRange forwards the windows that begin in [from,to], in the order of their starts, as final.
func (u *windowUpdater) emitRange(r *topology.Record, closeTime, from, to int64) error {
	it, err := u.store.FetchKeys(nil, nil, from, to, false)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", u.storeName, err)
	}
	for it.Next() {
		aggregate, timestamp := u.fetched(it.Value())
		u.results.add(r, u.windowedKey(it.Key(), it.Start()), aggregate, timestamp)
	}
	if err := closeIterator(it); err != nil {
		return fmt.Errorf("reading store %q: %w", u.storeName, err)
	}
	u.finals.emitted(closeTime)
	return nil
}

// closeIterator ends an iterator and returns what went wrong.
func closeIterator(it interface {
	Err() error
	Close() error
},
) error {
	err := it.Err()
	if closed := it.Close(); err == nil {
		err = closed
	}
	return err
}

// Init connects the store and opens the functions.
func (p *windowAggregate) Init(ctx topology.Context) error {
	return p.init(ctx, p.spec.Aggregation, p.spec.Store, p.spec.SendOld, p.spec.Emit, p.spec.SpareMs)
}

func (p *windowAggregate) Process(frame []topology.Record) error {
	p.results.begin()
	dropped := 0
	for i := range frame {
		if frame[i].Key == nil {
			dropped++
			continue
		}
		if err := p.processOne(&frame[i]); err != nil {
			return err
		}
	}
	if dropped > 0 {
		p.ctx.Dropped(dropped, "Skipping record due to null key.")
	}
	p.dropExpired()
	return p.results.end()
}

// processOne forwards what the record closes before it adds the record to its windows: none of these is closed, but
// writing them may have the store forget others.
func (p *windowAggregate) processOne(r *topology.Record) error {
	p.streamTime = max(p.streamTime, r.Timestamp)
	closeTime := p.streamTime - p.windows.graceMs()
	if err := p.emitFinals(r, closeTime); err != nil {
		return err
	}
	first, last, step := p.windows.windowsFor(r.Timestamp)
	for start := first; start <= last; start += step {
		if endOf(start, p.windows.sizeMs()) <= closeTime {
			p.expired++
			continue
		}
		switch err := p.updateWindow(r, start); {
		case err == errSkipped:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

func (p *windowAggregate) updateWindow(r *topology.Record, start int64) error {
	stored, err := p.store.FetchWindow(r.Key, start)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", p.storeName, err)
	}
	old, timestamp := p.fetched(stored)
	before := old
	if old == nil {
		timestamp = r.Timestamp
		if before, err = p.aggregator.initial(); err != nil {
			return err
		}
	}
	aggregate, err := p.aggregator.add(r, before)
	if err != nil {
		return err
	}
	return p.put(r, start, aggregate, before, max(timestamp, r.Timestamp))
}

// emitFinals forwards what closed since the last time. Kafka fetches nothing where no window can have closed in between.
func (p *windowAggregate) emitFinals(r *topology.Record, closeTime int64) error {
	if p.finals == nil || !p.finals.due(closeTime) {
		return nil
	}
	size := p.windows.sizeMs()
	to := closeTime - size
	if to < 0 {
		return nil
	}
	from := int64(0)
	if p.finals.last != -1 {
		from = max(0, p.finals.last-size) + 1
		if p.sameWindows(to, from-1) {
			return nil
		}
	}
	return p.emitRange(r, closeTime, from, to)
}

// sameWindows tells whether two times lie in exactly the same windows.
func (p *windowAggregate) sameWindows(a, b int64) bool {
	firstA, lastA, _ := p.windows.windowsFor(a)
	firstB, lastB, _ := p.windows.windowsFor(b)
	return firstA == firstB && lastA == lastB
}

// graceMs is what suppress waits for after the end of a window.
func (s *WindowAggregate) graceMs() int64 { return s.Windows.GraceMs }
