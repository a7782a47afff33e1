package connect

import "sync/atomic"

// Counters count the records of a task. Read = Written + Filtered + Skipped + what is under way, for sources and sinks
// alike; Skipped holds those that went to a dead letter queue.
type Counters struct {
	Read, Written, Filtered, Skipped, DeadLettered, Failures, Retries, Restarts atomic.Int64
}
