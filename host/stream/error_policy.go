package stream

import "time"

// ErrorAction is what becomes of a record that cannot be processed, once it was tried as often as it may be.
type ErrorAction int

// The actions.
const (
	// Fail ends the task: nothing of its open transaction is written.
	Fail ErrorAction = iota
	// Skip drops the record, counts it and says so in the log.
	Skip
	// DeadLetter writes the source record to the dead-letter topic, in the same transaction, and goes on.
	DeadLetter
)

// String is the word that documents use.
func (a ErrorAction) String() string { return [...]string{"fail", "skip", "dead-letter"}[a] }

// ErrorPolicy says what becomes of the records that a component cannot process: because it reports an error of class
// fail or retry, traps, or uses up a limit. Errors of the classes skip and dead letter are the component's own decision.
type ErrorPolicy struct {
	// Retries is how often a record is tried again before Action holds; errors of class retry are tried again
	// DefaultRetries times where it is 0. The pause before a try begins at Backoff and doubles up to MaxBackoff.
	Retries             int
	Backoff, MaxBackoff time.Duration
	Action              ErrorAction
}

// Defaults of tries: less than a second together, so that a transaction survives them.
const (
	DefaultRetries    = 3
	DefaultBackoff    = 100 * time.Millisecond
	DefaultMaxBackoff = time.Second
)

// maxFrameWait bounds the pauses of one frame: beyond it the task starts again from what is committed, record by record,
// because the transaction would not live much longer.
const maxFrameWait = 4 * time.Second

// backoff is the pause before the n-th try after the first, n from 1.
func (p *ErrorPolicy) backoff(n int) time.Duration {
	first, most := p.Backoff, p.MaxBackoff
	if first <= 0 {
		first = DefaultBackoff
	}
	if most <= 0 {
		most = DefaultMaxBackoff
	}
	for ; n > 1 && first < most; n-- {
		first *= 2
	}
	return min(first, most)
}

// defaultPolicy is that of components without their own: what processing.exception.handler says.
func (c *TaskConfig) defaultPolicy() ErrorPolicy {
	switch {
	case c.Processing == LogAndFail:
		return ErrorPolicy{Action: Fail}
	case c.DeadLetterTopic != "":
		return ErrorPolicy{Action: DeadLetter}
	}
	return ErrorPolicy{Action: Skip}
}
