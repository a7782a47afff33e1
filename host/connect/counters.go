package connect

import "sync/atomic"

// Counters count the records of a task. Read = Written + Filtered + Skipped + what is under way, for sources and sinks
// alike; Skipped holds those that went to a dead letter queue.
type Counters struct {
	Read, Written, Filtered, Skipped, DeadLettered, Failures, Retries atomic.Int64
}

// Totals are the counters of all tasks that run on a worker.
type Totals struct{ Read, Written, Filtered, Skipped, DeadLettered, Failures, Retries int64 }

// Total adds the counters of the tasks that run here up.
func (h *Herder) Total() (t Totals) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, task := range h.mu.tasks {
		c := &task.Counters
		t.Read, t.Written, t.Filtered = t.Read+c.Read.Load(), t.Written+c.Written.Load(), t.Filtered+c.Filtered.Load()
		t.Failures, t.Retries = t.Failures+c.Failures.Load(), t.Retries+c.Retries.Load()
		t.Skipped, t.DeadLettered = t.Skipped+c.Skipped.Load(), t.DeadLettered+c.DeadLettered.Load()
	}
	return t
}

// Moved is a number that changes whenever a record is read or written here.
func (h *Herder) Moved() int64 {
	t := h.Total()
	return t.Read + t.Written
}

// FirstFailure is the trace of a connector or task that has failed, "" if there is none.
func (h *Herder) FirstFailure() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range h.mu.config.Connectors() {
		if s, ok := h.mu.statuses.Connector(name); ok && s.State == StateFailed {
			return name + ": " + s.Trace
		}
		for _, id := range h.mu.statuses.Tasks(name) {
			if s, _ := h.mu.statuses.Task(id); s.State == StateFailed {
				return id.String() + ": " + s.Trace
			}
		}
	}
	return ""
}
