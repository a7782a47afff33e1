package stream

import (
	"context"

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
)

// runThread runs a thread, and again as often as its failures are answered by ReplaceThread. A process that was replaced
// under its identity is never started again, for the two would fight.
func (a *App) runThread(ctx context.Context, t *Thread) error {
	for {
		err := t.Run(ctx)
		if err == nil || a.answer(err) != ReplaceThread {
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
	if a.cfg.UncaughtHandler == nil || errs.KafkaFenced.Is(err) {
		return ShutdownClient
	}
	return a.cfg.UncaughtHandler(err)
}
