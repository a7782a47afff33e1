package dsl

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// SessionAggregate aggregates the records of each key by sessions, in a session store. A record joins all sessions that
// lie no further from it than the gap into one: the sessions that it replaces are forwarded as deleted, in the order of
// their ends. Records with a null key are dropped; null values are aggregated like others. A result has the end of its
// session as timestamp.
type SessionAggregate struct {
	Aggregation
	Windows SessionWindows `json:"windows"`
	Store   string         `json:"store"`
	Emit    EmitStrategy   `json:"emit,omitempty"`
	// SpareMs is how much longer than the sessions need the store keeps them.
	SpareMs int64 `json:"spareMs,omitempty"`
	// SendOld has changes carry the value before.
	SendOld bool `json:"sendOld,omitempty"`
}

// New makes the processor of a task.
func (s *SessionAggregate) New() (topology.Processor, error) {
	return &sessionAggregate{spec: *s}, nil
}

// enableSendingOldValues has changes carry the value before.
func (s *SessionAggregate) enableSendingOldValues() { s.SendOld = true }

type sessionAggregate struct {
	spec       SessionAggregate
	ctx        topology.Context
	store      state.SessionStore
	aggregator aggregator
	results    resultForwarder
	finals     *finalEmitter // nil: results are forwarded with each update
	streamTime int64
	firstEnd   int64 // no session that is not forwarded ends before it; math.MinInt64: not known
	expired    int
	key        []byte    // of the current record
	found      []session // those that it joins; reused
	bare       topology.Record
}

// session is a session of the store.
type session struct {
	start, end int64
	aggregate  []byte
}

// Init connects the store and opens the functions.
func (p *sessionAggregate) Init(ctx topology.Context) error {
	p.ctx, p.streamTime, p.firstEnd = ctx, -1, math.MinInt64
	s, err := ctx.Store(p.spec.Store)
	if err != nil {
		return err
	}
	var ok bool
	if p.store, ok = s.(state.SessionStore); !ok {
		return fmt.Errorf("aggregating sessions in store %q: it is not a session store", p.spec.Store)
	}
	if p.aggregator, err = p.spec.Aggregation.open(ctx); err != nil {
		return err
	}
	p.results.init(ctx, s, p.spec.SendOld, p.spec.Emit != OnWindowClose, keyIsSession)
	if p.spec.Emit == OnWindowClose {
		p.finals = newFinalEmitter(ctx, p.spec.Store, p.spec.SpareMs)
	}
	return nil
}

// Close leaves the store to the task.
func (p *sessionAggregate) Close() error { return nil }

func (p *sessionAggregate) Process(frame []topology.Record) error {
	p.results.begin()
	dropped := 0
	for i := range frame {
		if frame[i].Key == nil {
			dropped++
			continue
		}
		if err := p.processOne(&frame[i]); err != nil && err != errSkipped {
			return err
		}
	}
	if dropped > 0 {
		p.ctx.Dropped(dropped, "Skipping record due to null key.")
	}
	if p.expired > 0 {
		p.ctx.Dropped(p.expired, "Skipping record for expired window.")
		p.expired = 0
	}
	return p.results.end()
}

func (p *sessionAggregate) processOne(r *topology.Record) error {
	w := p.spec.Windows
	p.streamTime = max(p.streamTime, r.Timestamp)
	closeTime := p.streamTime - w.GraceMs - w.InactivityGapMs
	if err := p.find(r); err != nil {
		return err
	}
	merged := session{start: r.Timestamp, end: r.Timestamp}
	for i := range p.found {
		merged.start, merged.end = min(merged.start, p.found[i].start), max(merged.end, p.found[i].end)
	}
	late := merged.end < closeTime
	if late {
		p.expired++
		p.found = p.found[:0]
	}
	// Before the record is written, which may have the store forget sessions. Those that it joins are not final.
	if err := p.emitFinals(r, closeTime); err != nil || late {
		return err
	}
	return p.update(r, merged)
}

// joins tells whether the session at it, of any key, is one that the current record joins.
func (p *sessionAggregate) joins(it state.SessionIterator) bool {
	if !bytes.Equal(it.Key(), p.key) {
		return false
	}
	return slices.ContainsFunc(p.found, func(s session) bool { return s.start == it.Start() && s.end == it.End() })
}

// find reads the sessions that r joins, in the order of their ends.
func (p *sessionAggregate) find(r *topology.Record) error {
	gap := p.spec.Windows.InactivityGapMs
	it, err := p.store.FindSessions(r.Key, max(0, r.Timestamp-gap), endOf(r.Timestamp, gap), false)
	if err != nil {
		return p.reading(err)
	}
	p.key, p.found = r.Key, p.found[:0]
	for it.Next() {
		p.found = append(p.found, session{start: it.Start(), end: it.End(), aggregate: p.ctx.Arena().Copy(it.Value())})
	}
	return p.reading(closeIterator(it))
}

func (p *sessionAggregate) reading(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading store %q: %w", p.spec.Store, err)
}

// update puts merged, with what the found sessions and r become, in the place of the found sessions. A session that is
// the record alone is overwritten.
func (p *sessionAggregate) update(r *topology.Record, merged session) (err error) {
	if merged.aggregate, err = p.mergedAggregate(r); err != nil {
		return err
	}
	*p.results.written = r.Context()
	if merged.start != r.Timestamp || merged.end != r.Timestamp {
		for i := range p.found {
			s := &p.found[i]
			if err := p.put(r, session{start: s.start, end: s.end}, s.aggregate); err != nil {
				return err
			}
		}
	}
	if merged.aggregate, err = p.aggregator.add(r, merged.aggregate); err != nil {
		return err
	}
	return p.put(r, merged, nil)
}

func (p *sessionAggregate) mergedAggregate(r *topology.Record) (aggregate []byte, err error) {
	if aggregate, err = p.aggregator.initial(); err != nil {
		return nil, err
	}
	for i := range p.found {
		if aggregate, err = p.aggregator.merge(r, aggregate, p.found[i].aggregate); err != nil {
			return nil, err
		}
	}
	return aggregate, nil
}

// put writes a session, or removes it if its aggregate is null, and forwards the change. Kafka forwards these changes
// without the headers of the record that brought them about.
func (p *sessionAggregate) put(r *topology.Record, s session, old []byte) (err error) {
	if s.aggregate == nil {
		err = p.store.RemoveSession(r.Key, s.start, s.end)
	} else {
		p.firstEnd = min(p.firstEnd, s.end)
		err = p.store.PutSession(r.Key, s.start, s.end, s.aggregate)
	}
	if err != nil {
		return fmt.Errorf("writing store %q: %w", p.spec.Store, err)
	}
	if p.finals == nil && !p.results.cached {
		p.bare = *r
		p.bare.Headers = nil
		p.results.update(&p.bare, p.sessionKey(r.Key, s.start, s.end), s.aggregate, old, s.end)
	}
	return nil
}

func (p *sessionAggregate) sessionKey(key []byte, start, end int64) []byte {
	return state.AppendSessionKey(p.ctx.Arena().Alloc(len(key) + 16)[:0], key, start, end)
}

// emitFinals forwards the sessions that closed since the last time; both ends of a session are inclusive.
func (p *sessionAggregate) emitFinals(r *topology.Record, closeTime int64) error {
	if p.finals == nil || !p.finals.due(closeTime) {
		return nil
	}
	from, to := max(0, p.finals.last), closeTime-1
	if to < 0 || to < from {
		return nil
	}
	if p.firstEnd <= to {
		if err := p.emitEnded(r, from, to); err != nil {
			return err
		}
	}
	p.finals.emitted(closeTime)
	return nil
}

// emitEnded forwards the sessions that ended in [from, to]. The store gives them in the order of their ends.
func (p *sessionAggregate) emitEnded(r *topology.Record, from, to int64) error {
	it, err := p.store.FindSessionsOfKeys(nil, nil, from, math.MaxInt64, false)
	if err != nil {
		return p.reading(err)
	}
	next := int64(math.MaxInt64)
	for it.Next() {
		if it.End() > to {
			next = it.End()
			break
		}
		if !p.joins(it) {
			key := p.sessionKey(it.Key(), it.Start(), it.End())
			p.results.add(r, key, p.ctx.Arena().Copy(it.Value()), it.End())
		}
	}
	if err := closeIterator(it); err != nil {
		return p.reading(err)
	}
	p.firstEnd = next
	return nil
}

// graceMs is what suppress waits for after the end of a session.
func (s *SessionAggregate) graceMs() int64 { return s.Windows.retentionMs() }
