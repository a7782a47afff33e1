package stream

import (
	"math"
	"slices"
	"time"

	"github.com/wasmstream/wasmstream/topology"
)

// PunctuationSchedule is one schedule of a node: a grid of times. After a call the next time is the first one on the
// grid that lies ahead, so missed intervals collapse into one call.
type PunctuationSchedule struct {
	queue    *punctuationQueue
	node     *node
	next     int64 // ms
	start    int64 // ms: no call before it
	interval int64 // ms
	call     topology.Punctuator
	canceled bool
}

// Cancel implements topology.Cancellable. It may be called from the punctuator itself.
func (s *PunctuationSchedule) Cancel() {
	if s.canceled {
		return
	}
	s.canceled = true
	s.queue.remove(s)
}

// advance moves the schedule past now.
func (s *PunctuationSchedule) advance(now int64) {
	missed := (now - s.next) / s.interval
	s.next += (missed + 1) * s.interval
}

// turnBack brings a call nearer that is further ahead than one interval: the clock was set back, and the grid goes on from
// there.
func (s *PunctuationSchedule) turnBack(now int64) {
	if ahead := s.next - now; ahead > s.interval {
		s.next = max(s.start, s.next-(ahead-1)/s.interval*s.interval)
	}
}

// punctuationQueue holds the schedules of one kind of time.
type punctuationQueue struct {
	typ       topology.PunctuationType
	schedules []*PunctuationSchedule // in the order of scheduling, which decides between equal times
}

// schedule adds a schedule whose first call is at first, and whose calls are never before start.
func (q *punctuationQueue) schedule(n *node, first, start, interval int64, call topology.Punctuator) *PunctuationSchedule {
	s := &PunctuationSchedule{queue: q, node: n, next: first, start: start, interval: interval, call: call}
	q.schedules = append(q.schedules, s)
	return s
}

func (q *punctuationQueue) remove(s *PunctuationSchedule) {
	if i := slices.Index(q.schedules, s); i >= 0 {
		q.schedules = slices.Delete(q.schedules, i, i+1)
	}
}

// due is the earliest time of a call, math.MaxInt64 if nothing is scheduled.
func (q *punctuationQueue) due() int64 {
	if s := q.first(); s != nil {
		return s.next
	}
	return math.MaxInt64
}

func (q *punctuationQueue) first() *PunctuationSchedule {
	var first *PunctuationSchedule
	for _, s := range q.schedules {
		if first == nil || s.next < first.next {
			first = s
		}
	}
	return first
}

// punctuate calls what is due at now, earliest first, each schedule once at most, and returns the number of calls.
func (q *punctuationQueue) punctuate(now int64) (n int, err error) {
	for _, s := range q.schedules {
		s.turnBack(now)
	}
	for s := q.first(); s != nil && s.next <= now; s = q.first() {
		s.advance(now)
		if err := s.node.punctuate(s, now); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// firstCall is the time of a schedule's first call: stream time is aligned to 0 and so is called as soon as a time is
// known, wall-clock time one interval from now; a start that is given is the first call, or else aligns the grid.
func firstCall(typ topology.PunctuationType, now, start, interval int64) int64 {
	switch {
	case start < 0 && typ == topology.StreamTime:
		return 0
	case start < 0:
		return now + interval
	case start >= now || typ == topology.StreamTime:
		return start
	}
	return start + ((now-start)/interval+1)*interval
}

// milliseconds is the interval of a schedule, which must be at least one.
func milliseconds(d time.Duration) (int64, bool) { return d.Milliseconds(), d >= time.Millisecond }
