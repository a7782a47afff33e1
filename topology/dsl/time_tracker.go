package dsl

import (
	"math"

	"github.com/wasmstream/wasmstream/topology"
)

// timeTracker is what the two sides of a stream-stream join know of time, one for each task.
type timeTracker struct {
	// streamTime is the largest timestamp that either side has seen.
	streamTime int64
	// minTime is a lower bound of the timestamps in the outer store, math.MaxInt64 where nothing is known. Sums with it
	// wrap around, as Kafka's do: then the store is looked at.
	minTime int64
	// next is the wall clock before which the outer store is not looked at again.
	next     int64
	interval int64
}

func sharedTimeTracker(ctx topology.Context, name string) *timeTracker {
	t, _ := ctx.Shared("stream-stream join "+name, func() any {
		return &timeTracker{streamTime: -1, minTime: math.MaxInt64, interval: emitInterval(ctx, emitIntervalOuterJoin)}
	}).(*timeTracker)
	return t
}
