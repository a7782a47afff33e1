package stream

import (
	"context"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// UncaughtAnswer says what becomes of an application when one of its threads has failed: Kafka's
// StreamThreadExceptionResponse (KIP-671).
type UncaughtAnswer int

// The answers. ShutdownClient is the default, as Kafka's.
const (
	// ShutdownClient stops all threads of this process; what was done is committed, and Run returns the error.
	ShutdownClient UncaughtAnswer = iota
	// ReplaceThread starts the thread anew from what is committed, after a pause that grows while no commit succeeds. What
	// made it fail may be met again: a record that cannot be processed comes back until somebody does something about it.
	ReplaceThread
	// ShutdownApplication stops all processes of the application: the group is told, and each of them ends as
	// with ShutdownClient, those to which nothing happened with E-STREAM-SHUTDOWN.
	ShutdownApplication
)

// runThread runs a thread, and again as often as its failures are answered by ReplaceThread. A process that was replaced
// under its identity is never started again, for the two would fight.
func (a *App) runThread(ctx context.Context, t *Thread) error {
	for {
		err := t.Run(ctx)
		if err == nil || a.isDamage(err) {
			return err
		}
		switch a.answer(err) {
		case ReplaceThread:
		case ShutdownApplication:
			a.tellShutdown(ctx, t, err)
			return err
		default:
			return err
		}
		a.failedThreads.Add(1)
		a.log.Error("a thread failed and is replaced", "thread", t.Name(), "err", err)
		if pause(ctx, t.backoff) != nil {
			return nil
		}
		t.backoff = min(2*t.backoff, sessionBackoffMax)
	}
}

func (a *App) answer(err error) UncaughtAnswer {
	if errs.KafkaFenced.Is(err) {
		return ShutdownClient
	}
	if a.cfg.UncaughtHandler != nil {
		return a.cfg.UncaughtHandler(err)
	}
	switch a.cfg.Streams.UncaughtResponse {
	case "replace_thread":
		return ReplaceThread
	case "shutdown_application":
		return ShutdownApplication
	}
	return ShutdownClient
}

// tellShutdown has the group end: what failed is closed, so the thread joins once more, with nothing but that to say. The
// leader gives nobody anything then and tells all members, this process included, which ends it.
func (a *App) tellShutdown(ctx context.Context, t *Thread, failure error) {
	a.log.Error("a thread failed, and all processes of the application are shut down", "thread", t.Name(), "err", failure)
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	a.asksShutdown.Store(true)
	// As a static member it may get its old place without a rebalance; joining again makes one.
	t.everJoined = false
	if err := t.Run(ctx); err != nil {
		a.log.Error("the group was not told to shut down", "err", err)
	}
}

// trouble is what a member of this process has to tell the leader.
func (a *App) trouble() assignmentError {
	if a.asksShutdown.Load() {
		return assignmentShutdownRequested
	}
	return assignmentOK
}

// stay is how much longer the members of this process remain in the group when they end.
func (a *App) stay() time.Duration {
	if a.asksShutdown.Load() {
		return shutdownSpread
	}
	return 0
}

// heard takes what came with an assignment, on the goroutine of the group.
func (a *App) heard(info assignmentInfo) {
	a.assigned.Store(&info)
	if info.err == assignmentShutdownRequested {
		a.asksShutdown.Store(true)
		a.setState(PendingError)
		a.end(errs.StreamShutdown.New(a.cfg.Streams.ApplicationID, "a process of the application failed and asked all of them to shut down", ""))
	}
}
