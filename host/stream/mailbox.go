package stream

import "context"

// mailboxBound is how many calls may wait for a thread. Callers beyond it wait for a place.
const mailboxBound = 16

// mailbox hands functions over to the goroutine of a thread, which owns tasks, stores and instances. Rebalance
// callbacks, reloads and inspections come this way.
type mailbox struct {
	calls chan call
	ended chan struct{} // closed when the thread serves no more
	wake  func()        // interrupts the thread's wait for records
}

type call struct {
	run  func()
	done chan struct{}
}

func newMailbox(wake func()) *mailbox {
	return &mailbox{calls: make(chan call, mailboxBound), ended: make(chan struct{}), wake: wake}
}

// call runs fn on the thread's goroutine and returns when it has. It reports false, and fn did not run and never will
// be waited for, when the thread has ended or ctx is done first.
func (m *mailbox) call(ctx context.Context, fn func()) bool {
	c := call{run: fn, done: make(chan struct{})}
	select {
	case m.calls <- c:
	case <-m.ended:
		return false
	case <-ctx.Done():
		return false
	}
	m.wake()
	select {
	case <-c.done:
		return true
	case <-m.ended:
		return false
	case <-ctx.Done():
		return false
	}
}

// serve runs what waits. Only the thread calls it.
func (m *mailbox) serve() {
	for {
		select {
		case c := <-m.calls:
			c.run()
			close(c.done)
		default:
			return
		}
	}
}

// serveUntil runs what comes until done is closed.
func (m *mailbox) serveUntil(done <-chan struct{}) {
	for {
		select {
		case c := <-m.calls:
			c.run()
			close(c.done)
		case <-done:
			return
		}
	}
}

// close lets callers go. What waits is not run.
func (m *mailbox) close() { close(m.ended) }
