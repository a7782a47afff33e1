package dsl

import (
	"strconv"

	"github.com/wasmstream/wasmstream/topology"
)

// Settings of Kafka's that say how often, in milliseconds of wall clock, results are looked for at most.
const (
	emitIntervalWindowed  = "__emit.interval.ms.kstreams.windowed.aggregation__"
	emitIntervalOuterJoin = "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__"
	defaultEmitInterval   = 1000
)

// emitInterval reads one of them.
func emitInterval(ctx topology.Context, key string) int64 {
	text, _ := ctx.AppConfig(key)
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms
	}
	return defaultEmitInterval
}

// waits tells whether next, which was set to one interval ahead, is still to come. It is not where the clock was set back.
func waits(now, next, interval int64) bool { return now < next && next-now <= interval }

// finalEmitter says when final results are due. The close time up to which they were forwarded goes into the metadata
// of the committed offsets, so that a restart neither repeats nor loses any.
type finalEmitter struct {
	ctx      topology.Context
	store    string
	interval int64
	next     int64 // wall clock
	// spare is how much longer than needed the store keeps windows, in milliseconds: so far emissions may be put off.
	spare int64
	// last is the close time of the last emission, -1 before the first.
	last int64
}

func newFinalEmitter(ctx topology.Context, store string, spare int64) *finalEmitter {
	e := &finalEmitter{ctx: ctx, store: store, interval: emitInterval(ctx, emitIntervalWindowed), spare: spare, last: -1}
	if last, ok := ctx.ProcessorMetadata(store); ok {
		e.last = last
	}
	return e
}

// due tells whether windows that closed before closeTime are due to be looked for: not more often than the interval,
// unless the store would forget them until then. Operators ask before they write what moves the store's time.
func (e *finalEmitter) due(closeTime int64) bool {
	now := e.ctx.SystemTime()
	if waits(now, e.next, e.interval) && closeTime-max(0, e.last) <= e.spare {
		return false
	}
	e.next = now + e.interval
	return e.last == -1 || e.last < closeTime
}

// emitted notes that everything that closed before closeTime was forwarded.
func (e *finalEmitter) emitted(closeTime int64) {
	e.last = closeTime
	e.ctx.SetProcessorMetadata(e.store, closeTime)
}
