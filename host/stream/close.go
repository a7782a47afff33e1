package stream

import (
	"context"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// CloseOptions say how an application is closed (KafkaStreams.CloseOptions). The zero value is what the end of Run's context
// does.
type CloseOptions struct {
	// RemainInGroup keeps the members of this process in the group: its tasks wait for it until session.timeout.ms has
	// passed, and nothing is rebalanced if it comes back before. Without it they are handed over at once.
	RemainInGroup bool
}

// Close stops the application as the end of Run's context does, and returns when Run has ended or ctx is done; Run returns
// what went wrong. It can be called more than once.
func (a *App) Close(ctx context.Context, o CloseOptions) error {
	if o.RemainInGroup {
		a.remains.Store(true)
	}
	a.end(nil)
	a.mu.Lock()
	ran := a.mu.ran
	a.mu.Unlock()
	if !ran {
		return nil
	}
	select {
	case <-a.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// staysInGroup tells whether a clean stop leaves the members in the group.
func (a *App) staysInGroup() bool { return a.remains.Load() || a.cfg.Streams.RemainInGroup }

// leavesAfter tells whether no member of this process is to be left when Run ends with err. After a failure there is nobody
// to come back for their tasks; but under the names of one that was fenced another process works.
func (a *App) leavesAfter(err error) bool {
	switch {
	case err == nil, errs.StreamUncommitted.Is(err):
		return !a.staysInGroup()
	default:
		return !errs.KafkaFenced.Is(err)
	}
}
