package stream

import (
	"context"
	"slices"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Upgrade replaces the modules of the running application by those of next: each one whose digest differs is
// instantiated and opened for every task beside the running version, and when that has worked everywhere, each thread
// commits and swaps its tasks between two transactions. It returns when all tasks run the new versions. If anything
// does not fit or does not start, nothing is swapped and the error says why; the running versions go on.
//
// One Upgrade runs at a time; the modules of next must stay usable as long as the App runs or until the next Upgrade.
func (a *App) Upgrade(ctx context.Context, next Modules) error {
	a.upgrading.Lock()
	defer a.upgrading.Unlock()
	changed, err := a.changedModules(next)
	if err == nil && len(changed) == 0 {
		return nil
	}
	if err == nil {
		err = a.upgrade(ctx, &moduleSet{Modules: next, changed: changed})
	}
	a.CountReload(err)
	return err
}

func (a *App) upgrade(ctx context.Context, set *moduleSet) error {
	began := a.clock()
	if err := a.prepareUpgrade(ctx, set); err != nil {
		return err
	}
	a.modules.Store(set) // from here on new tasks get it, also those of threads that begin anew
	err := a.onThreads(ctx, func(s *session) error { return s.upgrade(set) })
	a.metrics.Reload().Observe(a.clock().Sub(began))
	return err
}

// moduleSet is what tasks find their guests in.
type moduleSet struct {
	Modules
	changed map[string]*wasm.Module // against the set before
}

// changedModules are those of the modules in use that next has in another version.
func (a *App) changedModules(next Modules) (map[string]*wasm.Module, error) {
	now := a.modules.Load()
	changed := make(map[string]*wasm.Module)
	for _, name := range a.guestModules {
		m, err := next.Module(name)
		if err != nil {
			return nil, err
		}
		if old, err := now.Module(name); err != nil || old.Digest() != m.Digest() {
			changed[name] = m
		}
	}
	return changed, nil
}

// prepareUpgrade makes set ready in all tasks, or in none.
func (a *App) prepareUpgrade(ctx context.Context, set *moduleSet) error {
	err := a.onThreads(ctx, func(s *session) error { return s.prepareUpgrade(set) })
	if err == nil {
		return nil
	}
	// The caller may have given up waiting, but what was prepared is to go in any case.
	_ = a.onThreads(context.WithoutCancel(ctx), func(s *session) error {
		s.discardUpgrade()
		return nil
	})
	return err
}

// onThreads runs fn on each thread that has a session, one after the other, until one fails.
func (a *App) onThreads(ctx context.Context, fn func(*session) error) error {
	for _, t := range a.running() {
		var failure error
		ran := t.call(ctx, func(s *session) { failure = fn(s) })
		if failure != nil {
			return failure
		}
		if !ran && ctx.Err() != nil {
			return errs.ReloadFailed.New("", "the thread "+t.Name()+" did not get to it in time", "try again").WithCause(ctx.Err())
		}
	}
	return nil
}

// CountReload counts a replacement by its result. Upgrade counts its own.
func (a *App) CountReload(err error) {
	switch {
	case err == nil:
		a.reloads.done.Add(1)
	case errs.ReloadRefused.Is(err), errs.ModuleDigest.Is(err):
		a.reloads.refused.Add(1)
	default:
		a.reloads.failed.Add(1)
	}
}

// prepareUpgrade makes the modules of set ready in every task of the thread that runs.
func (s *session) prepareUpgrade(set *moduleSet) error {
	for _, t := range s.tasks.tasks {
		if t.task == nil {
			continue
		}
		for name, m := range set.changed {
			if err := t.task.PrepareUpgrade(name, m); err != nil {
				return err
			}
		}
		t.prepared = set
	}
	return nil
}

func (s *session) discardUpgrade() {
	for _, t := range s.tasks.tasks {
		if t.task != nil {
			t.task.DiscardUpgrade()
		}
		t.prepared = nil
	}
}

// upgrade commits and swaps. A task that came to the thread after prepareUpgrade has the old modules still and is
// prepared here. What goes wrong now ends the session, and the next one begins with the new modules.
func (s *session) upgrade(set *moduleSet) error {
	if s.failure != nil {
		return nil
	}
	err := s.commit(true)
	for _, t := range s.tasks.tasks {
		if err != nil {
			break
		}
		if t.task == nil || t.modules == set {
			continue
		}
		if t.prepared != set {
			err = s.prepareOne(t, set)
		}
		if err == nil {
			err = t.task.Upgrade()
		}
		t.modules, t.prepared = set, nil
	}
	if err != nil {
		s.fail(&TaskCorruptedError{Cause: err})
	}
	return nil
}

func (s *session) prepareOne(t *managedTask, set *moduleSet) error {
	for name, m := range set.changed {
		if err := t.task.PrepareUpgrade(name, m); err != nil {
			return err
		}
	}
	return nil
}

// noModules is the set of an application without guests.
type noModules struct{}

// Module implements Modules.
func (noModules) Module(name string) (*wasm.Module, error) {
	return nil, errs.ModuleMissing.New(name, "the application has no modules", "")
}

// guestModulesOf lists the modules that a topology's nodes use, sorted.
func guestModulesOf(plan *topicPlan) []string {
	var names []string
	for _, sub := range plan.subtopologies {
		for _, n := range sub.Nodes {
			for _, g := range n.Guests {
				names = append(names, g.Ref.Module)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
