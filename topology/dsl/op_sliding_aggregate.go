package dsl

import (
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// SlidingAggregate aggregates the records of each key by sliding windows, in a timestamped window store. Each record
// has a left window that ends with it and, once there are later records, a right one that begins just after it; only
// windows that differ in the records they hold exist. Records with a null key or value are dropped.
type SlidingAggregate struct {
	Aggregation
	Windows SlidingWindows `json:"windows"`
	Store   string         `json:"store"`
	Emit    EmitStrategy   `json:"emit,omitempty"`
	// SpareMs is how much longer than the windows need the store keeps them.
	SpareMs int64 `json:"spareMs,omitempty"`
	// SendOld has changes carry the value before.
	SendOld bool `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s *SlidingAggregate) New() (topology.Processor, error) {
	return &slidingAggregate{spec: *s, difference: s.Windows.TimeDifferenceMs}, nil
}

// enableSendingOldValues has changes carry the value before.
func (s *SlidingAggregate) enableSendingOldValues() { s.SendOld = true }

type slidingAggregate struct {
	windowUpdater
	spec       SlidingAggregate
	difference int64
	found      []slidingWindow // windows around the current record; reused
	around     neighbours
}

// slidingWindow is a window of the store. Its aggregate is null where start is that of a window that does not exist yet.
type slidingWindow struct {
	start     int64
	aggregate []byte
	timestamp int64
}

// neighbours is what the windows around a record say about it.
type neighbours struct {
	closeTime int64
	// left and right are windows whose aggregates go on in the record's left and right window.
	left, right *slidingWindow
	// leftExists and rightExists: the record's own windows are there already.
	leftExists, rightExists bool
	// previous is the timestamp of the last record before this one, -1 for none.
	previous int64
}

// Init connects the store and opens the functions.
func (p *slidingAggregate) Init(ctx topology.Context) error {
	return p.init(ctx, p.spec.Aggregation, p.spec.Store, p.spec.SendOld, p.spec.Emit, p.spec.SpareMs)
}

func (p *slidingAggregate) Process(frame []topology.Record) error {
	p.results.begin()
	if err := eachComplete(p.ctx, frame, p.processOne); err != nil {
		return err
	}
	p.dropExpired()
	return p.results.end()
}

func (p *slidingAggregate) processOne(r *topology.Record) error {
	p.streamTime = max(p.streamTime, r.Timestamp)
	closeTime := p.streamTime - p.spec.Windows.GraceMs
	if endOf(r.Timestamp, p.difference) < closeTime {
		p.expired++
		return nil
	}
	if r.Timestamp < p.difference {
		return p.processEarly(r, closeTime) // Kafka looks for no final results here
	}
	if err := p.emitFinals(r, closeTime); err != nil {
		return err
	}
	return p.processInTime(r, closeTime)
}

// fetch reads the windows of r's key that begin in [from, r's right window], the latest first.
func (p *slidingAggregate) fetch(r *topology.Record, from int64) error {
	it, err := p.store.FetchWindows(r.Key, from, r.Timestamp+1, true)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", p.storeName, err)
	}
	p.found = p.found[:0]
	for it.Next() {
		w := slidingWindow{start: it.Start()}
		w.aggregate, w.timestamp = p.fetched(it.Value())
		p.found = append(p.found, w)
	}
	if err := closeIterator(it); err != nil {
		return fmt.Errorf("reading store %q: %w", p.storeName, err)
	}
	return nil
}

// processInTime goes from the latest window back to the first that ends before the record, and adds the record to those
// that hold it. Then it makes the windows that the record brings about.
func (p *slidingAggregate) processInTime(r *topology.Record, closeTime int64) error {
	if err := p.fetch(r, max(0, r.Timestamp-2*p.difference)); err != nil {
		return err
	}
	n := &p.around
	*n = neighbours{closeTime: closeTime, previous: -1}
	for i := range p.found {
		w := &p.found[i]
		end := w.start + p.difference
		switch {
		case w.start == r.Timestamp+1:
			n.rightExists = true
			continue
		case end < r.Timestamp:
			n.left, n.previous = w, w.timestamp
			p.found = p.found[:i+1]
			return p.createWindows(r)
		case end > r.Timestamp && n.right == nil:
			n.right = w
		case end == r.Timestamp:
			n.leftExists = true
		}
		if err := p.updateWindow(r, *w, closeTime); err != nil {
			return err
		}
		if end == r.Timestamp {
			if w.timestamp >= r.Timestamp {
				return nil // an equal record made all windows of this one
			}
			n.previous = w.timestamp
		}
	}
	return p.createWindows(r)
}

func (p *slidingAggregate) createWindows(r *topology.Record) error {
	n := &p.around
	if n.previous != -1 {
		start := n.previous + 1
		if !p.exists(start) && start+p.difference >= r.Timestamp {
			if err := p.createEmpty(r, start); err != nil {
				return err
			}
		}
	}
	if !n.leftExists {
		if err := p.createLeft(r); err != nil {
			return err
		}
	}
	return p.createRight(r)
}

// createLeft makes the record's left window, with the aggregate of the window before if it holds any of the same records.
func (p *slidingAggregate) createLeft(r *topology.Record) error {
	n := &p.around
	start := r.Timestamp - p.difference
	if n.previous == -1 || start > n.previous {
		return p.createEmpty(r, start)
	}
	w := slidingWindow{start: start, timestamp: r.Timestamp}
	if n.left != nil {
		w.aggregate = n.left.aggregate
	}
	return p.updateWindow(r, w, n.closeTime)
}

// createRight makes the record's right window if there are later records for it. The record is not in it.
func (p *slidingAggregate) createRight(r *topology.Record) error {
	n := &p.around
	if n.rightExists || n.right == nil || n.right.timestamp <= r.Timestamp {
		return nil
	}
	return p.put(r, r.Timestamp+1, n.right.aggregate, nil, n.right.timestamp)
}

// createEmpty makes a window that holds the record alone.
func (p *slidingAggregate) createEmpty(r *topology.Record, start int64) error {
	initial, err := p.aggregator.initial()
	if err != nil {
		return err
	}
	return p.updateWindow(r, slidingWindow{start: start, aggregate: initial, timestamp: r.Timestamp}, p.around.closeTime)
}

func (p *slidingAggregate) exists(start int64) bool {
	return slices.ContainsFunc(p.found, func(w slidingWindow) bool { return w.start == start })
}

// updateWindow adds the record to a window, unless that is closed.
func (p *slidingAggregate) updateWindow(r *topology.Record, w slidingWindow, closeTime int64) error {
	if endOf(w.start, p.difference) < closeTime {
		p.expired++
		return nil
	}
	aggregate, err := p.aggregator.add(r, w.aggregate)
	if err != nil {
		return err
	}
	timestamp := r.Timestamp
	if w.aggregate != nil {
		timestamp = max(timestamp, w.timestamp)
	}
	return p.put(r, w.start, aggregate, w.aggregate, timestamp)
}

// processEarly is for records whose left window would begin before 0: they share the window [0,difference].
func (p *slidingAggregate) processEarly(r *topology.Record, closeTime int64) error {
	if err := p.fetch(r, 0); err != nil {
		return err
	}
	n := &p.around
	*n = neighbours{closeTime: closeTime, previous: -1}
	slices.Reverse(p.found) // the earliest first
	var combined *slidingWindow
	for i := range p.found {
		w := &p.found[i]
		switch {
		case w.start == 0:
			combined = w
			if w.timestamp < r.Timestamp {
				n.previous = w.timestamp
			}
		case w.start <= r.Timestamp:
			n.right = w
			if err := p.updateWindow(r, *w, closeTime); err != nil {
				return err
			}
		default:
			n.rightExists = true
		}
	}
	if n.right == nil && combined != nil && combined.timestamp > r.Timestamp {
		n.right = combined
	}
	return p.createEarly(r, combined)
}

func (p *slidingAggregate) createEarly(r *topology.Record, combined *slidingWindow) error {
	n := &p.around
	if err := p.createRight(r); err != nil {
		return err
	}
	if n.previous != -1 && !p.exists(n.previous+1) {
		if err := p.createEmpty(r, n.previous+1); err != nil {
			return err
		}
	}
	if combined == nil {
		return p.createEmpty(r, 0)
	}
	return p.updateWindow(r, *combined, n.closeTime)
}

// emitFinals forwards the windows that closed since the last time; both ends of a window are inclusive.
func (p *slidingAggregate) emitFinals(r *topology.Record, closeTime int64) error {
	if p.finals == nil || !p.finals.due(closeTime) {
		return nil
	}
	to := closeTime - p.difference - 1
	if to < 0 {
		return nil
	}
	from := int64(0)
	if p.finals.last != -1 {
		from = max(0, p.finals.last-p.difference)
	}
	return p.emitRange(r, closeTime, from, to)
}

// graceMs is what suppress waits for after the end of a window.
func (s *SlidingAggregate) graceMs() int64 { return s.Windows.GraceMs }
