package stream

import (
	"errors"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// A call that fails - a trap, a limit, a refusal, an answer that is not allowed - has no effects (guest_effects.go). To
// find the record at fault the function is given less at once, half as much with each failure, until a record that fails
// stands alone: then its policy decides. What went well meanwhile has its effects, once, in order. After a fault the
// function gets few records at once for a while, since faults come in company and each one costs an instance.
//
// A dead instance takes with it what its guests remember. Those that keep records back (buffers) are made good by
// starting the task again from what is committed, with the record set apart (FaultBook); the others keep nothing.

// guestFaults is what a function knows of its failures.
type guestFaults struct {
	width  int // how many records it is given at once; 0 is no bound
	calm   int // calls since the width was last changed
	tries  int // of the record at hand, after the first
	waited time.Duration
}

// calmCalls is how many calls go well before the width doubles.
const calmCalls = 64

func (g *guestFaults) limit() int {
	if g.width == 0 {
		return maxFrameRecords
	}
	return min(g.width, maxFrameRecords)
}

// succeeded widens what the function is given, bit by bit.
func (g *guestFaults) succeeded() {
	g.tries = 0
	if g.width == 0 {
		return
	}
	if g.calm++; g.calm >= calmCalls {
		g.width, g.calm = 2*g.width, 0
		if g.width >= maxFrameRecords {
			g.width = 0
		}
	}
}

// try gives the function one frame, and returns how many records of it are done with: all, or after a failure none, or
// one that was decided on.
func (f *guestFunction) try(in []topology.Record, base int32, size int, out []topology.Record) ([]topology.Record, int, error) {
	if fault := f.knownFault(&in[0]); fault != nil {
		return out, 1, f.drop(&in[0], base, f.action(fault), fault)
	}
	kept := len(out)
	out, err := f.open.process(in, base, size, out)
	if err == nil {
		f.faults.succeeded()
		return out, len(in), nil
	}
	done, err := f.fault(in, base, err)
	return out[:kept], done, err
}

// knownFault is why a record was set apart by an earlier life of the task, or nil.
func (f *guestFunction) knownFault(r *topology.Record) *GuestError {
	records := f.node.task.page.records
	if len(records) == 0 {
		return nil
	}
	known := records[f.faultyRecord(r)]
	if known == nil || known.tries <= f.policy.Retries {
		return nil
	}
	return known.err
}

// upToFault ends a frame before a record that was set apart, unless it is the first.
func (f *guestFunction) upToFault(in []topology.Record, n, size int) (int, int) {
	for i := range n {
		if f.knownFault(&in[i]) == nil {
			continue
		}
		if i == 0 {
			return 1, 0
		}
		return f.open.frame(in[:i])
	}
	return n, size
}

// fault decides what follows from a failed call: the same again with fewer records or later (0 done), the record given
// up (1 done), or the end of the task.
func (f *guestFunction) fault(in []topology.Record, base int32, err error) (done int, _ error) {
	e, ok := errors.AsType[*GuestError](err)
	if !ok || e.of != f || e.final {
		return 0, err // a store failed, or another node that a store's cache forwarded to
	}
	f.count(e)
	t := f.node.task
	t.slow()
	switch {
	case !f.isFatal(e):
	case e.reason == wasm.ReasonContract:
		return 0, e // which clause it breaks says more than a record
	case e.index >= 0:
		return 0, f.fail(&in[e.index], e)
	case len(in) == 1:
		return 0, f.fail(&in[0], e)
	}
	// What a guest that holds records back made of the records before the one that it refuses is not known.
	if e.dead || f.open.component.Buffers && len(in) > 1 {
		if f.module.holding() {
			return 0, f.startAgain(in, e)
		}
		if err := f.module.revive(); err != nil {
			return 0, err
		}
	}
	if len(in) == 1 {
		return f.decide(&in[0], base, e)
	}
	f.narrow(len(in), e)
	return 0, nil
}

// narrow has the function given fewer records at once.
func (f *guestFunction) narrow(records int, e *GuestError) {
	width := records / 2
	switch {
	case f.open.component.Buffers:
		width = 1 // parts that go well before the record is found would be held back, and then lost
	case e.index >= 0:
		width = int(e.index)
	}
	f.faults.width, f.faults.calm = max(width, 1), 0
	f.node.task.page.narrow(f.name(), f.faults.width)
}

// isFatal tells whether the failure ends the task once its record is known.
func (f *guestFunction) isFatal(e *GuestError) bool {
	return e.class == abi.ClassFail && f.policy.Action == Fail && f.policy.Retries == 0
}

// retries is how often the record of a failure is tried again.
func (f *guestFunction) retries(e *GuestError) int {
	switch {
	case e.class == abi.ClassRetry && f.policy.Retries == 0:
		return DefaultRetries
	case e.class == abi.ClassRetry, e.class == abi.ClassFail:
		return f.policy.Retries
	}
	return 0
}

// action is what becomes of the record of a failure that is not tried again: the guest's wish, else the policy.
func (f *guestFunction) action(e *GuestError) ErrorAction {
	switch e.class {
	case abi.ClassSkip:
		return Skip
	case abi.ClassDeadLetter:
		return DeadLetter
	}
	return f.policy.Action
}

// decide has a record that failed alone tried again after a pause, or given up.
func (f *guestFunction) decide(rec *topology.Record, base int32, e *GuestError) (done int, err error) {
	if f.faults.tries < f.retries(e) {
		f.faults.tries++
		return 0, f.pause(e)
	}
	f.faults.tries = 0
	return 1, f.drop(rec, base, f.action(e), e)
}

// pause waits before the next try. Where the frame has waited for so long that its transaction is in danger, the task
// starts again, one source record at a time, so that each has a transaction of its own. If that does not help, the tries
// go on without pauses.
func (f *guestFunction) pause(e *GuestError) error {
	t, d := f.node.task, f.policy.backoff(f.faults.tries)
	if left := maxFrameWait - f.faults.waited; d > left {
		if t.page.failed(f.name()) == 1 {
			t.page.narrow(f.name(), 1)
			return &TaskCorruptedError{Tasks: []topology.TaskID{t.config.ID}, Cause: e}
		}
		d = left
	}
	f.faults.waited += d
	return t.config.Wait(d)
}

// drop gives a record up by an action. Fail gives up the task.
func (f *guestFunction) drop(rec *topology.Record, at int32, action ErrorAction, e *GuestError) error {
	switch action {
	case Fail:
		return f.fail(rec, e)
	case DeadLetter:
		if f.node.task.config.DeadLetterTopic == "" {
			e.Coded = errs.DeadLetterUnset.New(e.Coded.Where, "a record is to go to the dead-letter topic, and there is none", "").WithCause(e.Coded)
			return e
		}
		if err := f.node.deadLetter(rec, e); err != nil {
			return err
		}
	}
	f.skipped = append(f.skipped, at)
	reason := "guest-" + e.reason
	if action == DeadLetter {
		reason = "dead-letter"
	}
	f.node.drop(1, reason, e)
	return nil
}

// fail ends the task at a record. As Kafka's failing handlers do, it is written to the dead-letter topic, where that is
// not taken back with the transaction.
func (f *guestFunction) fail(rec *topology.Record, e *GuestError) error {
	if err := f.node.deadLetter(rec, e); err != nil {
		return errors.Join(e, err)
	}
	return e
}

// startAgain ends this life of the task because a guest that holds records back has lost them. The next one begins at
// what is committed and gives the function its records one by one, without the one that failed alone.
func (f *guestFunction) startAgain(in []topology.Record, e *GuestError) error {
	t := f.node.task
	t.page.narrow(f.name(), 1)
	t.page.alone = calmCalls
	if len(in) == 1 {
		if f.isFatal(e) {
			return f.fail(&in[0], e)
		}
		tries := t.page.setApart(f.faultyRecord(&in[0]), e)
		if tries <= f.retries(e) {
			if err := t.config.Wait(f.policy.backoff(tries)); err != nil {
				return err
			}
		}
	}
	return &TaskCorruptedError{Tasks: []topology.TaskID{t.config.ID}, Cause: e}
}

// faultOfCall decides what follows from a failed flush or punctuator: there is no record to give up. Where guests held
// records back, the task starts again, once; it may be that it does not happen again.
func (f *guestFunction) faultOfCall(err error) error {
	e, ok := errors.AsType[*GuestError](err)
	if !ok || e.of != f || e.final {
		return err
	}
	f.count(e)
	t := f.node.task
	t.slow()
	if f.module.holding() {
		if f.isFatal(e) || t.page.failed(f.name()) > 1 {
			return e
		}
		t.page.alone = calmCalls
		return &TaskCorruptedError{Tasks: []topology.TaskID{t.config.ID}, Cause: e}
	}
	if f.action(e) == Fail {
		return e
	}
	if e.dead {
		if err := f.module.revive(); err != nil {
			return err
		}
	}
	f.node.drop(0, "guest-"+e.reason, e)
	return nil
}

// count counts a failed call.
func (f *guestFunction) count(e *GuestError) {
	f.metrics.Errors.Add(1)
	if e.dead {
		f.metrics.Traps.add(e.reason)
	}
}

// holding tells whether a guest of the instance holds records back.
func (m *guestModule) holding() bool {
	for _, f := range m.functions {
		if f.open.holds {
			return true
		}
	}
	return false
}

// revive puts a fresh instance in the place of one that is dead or not to be trusted: every component is opened again,
// and what it schedules while it is opened goes on at the times at which it would have been called. Schedules that it
// asked for later are gone with the memory that knew of them.
func (m *guestModule) revive() error {
	old := m.current
	timers := m.timers()
	for _, f := range m.functions {
		f.open.cancelTimers()
	}
	old.iters.closeAll()
	m.logDropped += int64(old.instance.Stats().LogDropped)
	old.instance.Close()
	next, err := m.instantiate(old.module)
	if err != nil {
		return err
	}
	next.live = true
	handles := make([]*guestHandle, len(m.functions))
	for i, f := range m.functions {
		if handles[i], err = next.open(f); err != nil {
			next.instance.Close()
			return err
		}
	}
	m.current = next
	for i, f := range m.functions {
		f.open = handles[i]
		f.open.goLive(timers[i])
	}
	return nil
}
