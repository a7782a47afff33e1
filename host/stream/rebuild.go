package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
)

// buildsAgain tells whether what has ended the threads is damage of the local state, which the changelogs have whole. A
// process that another one has replaced under its identity, or that is to stop, does not go on all the same.
func (a *App) buildsAgain(ctx context.Context, err error) bool {
	return a.damaged.Load().Load() && ctx.Err() == nil && !errs.KafkaFenced.Is(err)
}

// dropState throws away the state that was found damaged. All threads have ended, and have left the group: another process
// with a copy of the state may go on with the tasks meanwhile.
func (a *App) dropState(dir *state.Directory, cause error) error {
	a.setState(Rebalancing)
	a.log.Warn("local state was found damaged and is built again from the changelogs", "dir", dir.DatabasePath(), "err", cause)
	if err := state.DropDB(dir.DatabasePath(), nil); err != nil {
		return fmt.Errorf("dropping damaged state: %w", err)
	}
	return nil
}

// isDamage tells whether a failure of a thread is one of the local state, which it takes note of.
func (a *App) isDamage(err error) bool {
	damaged := a.damaged.Load()
	if errors.Is(err, state.ErrCorrupt) {
		damaged.Store(true)
	}
	return damaged.Load()
}

// threadNumbers are those of the threads that there are now.
func (a *App) threadNumbers() (numbers []int) {
	for _, t := range a.threadsNow() {
		numbers = append(numbers, t.cfg.index)
	}
	return numbers
}
