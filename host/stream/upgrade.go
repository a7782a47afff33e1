package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// guestUpgrade is an instance of another version of a module, with a handle for each of the task's functions, that
// waits to take over.
type guestUpgrade struct {
	instance *guestInstance
	handles  []*guestHandle // in the order of guestModule.functions
}

// PrepareUpgrade makes another version of a module ready beside the one that runs: instantiated, every component opened.
// It may be called at any time between calls of Process; a version prepared before is given up. An error leaves
// the running version and says why: E-RELOAD-REFUSED if the new one may not replace it, E-RELOAD-FAILED if it does not
// start. A task that does not use the module has nothing to do.
func (t *Task) PrepareUpgrade(name string, module *wasm.Module) error {
	m := t.guests[name]
	if m == nil {
		return nil
	}
	m.discardUpgrade()
	manifest := module.Manifest()
	if diffs := UpgradeDifferences(&m.current.manifest, &manifest, m.components()); len(diffs) > 0 {
		return errs.ReloadRefused.New(name, strings.Join(diffs, "; "), "")
	}
	next, err := m.instantiate(module)
	if err != nil {
		return errs.ReloadFailed.New(name, "task "+t.config.ID.String()+" goes on with "+m.current.module.Digest(), "").WithCause(err)
	}
	up := &guestUpgrade{instance: next}
	for _, f := range m.functions {
		h, err := next.open(f)
		if err != nil {
			next.instance.Close()
			return errs.ReloadFailed.New(name, "task "+t.config.ID.String()+" goes on with "+m.current.module.Digest(), "").WithCause(err)
		}
		up.handles = append(up.handles, h)
	}
	m.next = up
	return nil
}

// DiscardUpgrade gives up what PrepareUpgrade has prepared.
func (t *Task) DiscardUpgrade() {
	for _, m := range t.guests {
		m.discardUpgrade()
	}
}

func (m *guestModule) discardUpgrade() {
	if m.next != nil {
		m.next.instance.instance.Close()
		m.next = nil
	}
}

// errUpgradeMidway is returned by Upgrade between two commits.
var errUpgradeMidway = errors.New("a module can be upgraded only between a commit and the next record")

// Upgrade lets the prepared versions take over. It is for the moment after PostCommit: nothing of the old version's work
// is open then. The old instances are told and freed. Timers that the new version asks for again keep their next time.
func (t *Task) Upgrade() error {
	if t.failed != nil {
		return t.failed
	}
	for _, name := range slices.Sorted(maps.Keys(t.guests)) {
		m := t.guests[name]
		if m.next == nil {
			continue
		}
		if t.commitNeeded {
			return errUpgradeMidway
		}
		m.swap()
	}
	return nil
}

// swap puts the prepared instance in the place of the running one.
func (m *guestModule) swap() {
	old, up := m.current, m.next
	timers := m.timers()
	m.logDropped += int64(old.instance.Stats().LogDropped)
	old.close(m.functions, abi.CloseUpgrade)
	m.current, m.next = up.instance, nil
	up.instance.live = true
	for i, f := range m.functions {
		f.open = up.handles[i]
		f.open.goLive(timers[i])
	}
	m.task.log.Info("module upgraded", slog.String("module", m.name), slog.String("from", old.module.Digest()), slog.String("to", m.current.module.Digest()))
}

// timers are those of the functions' handles as they are now.
func (m *guestModule) timers() [][]guestTimer {
	timers := make([][]guestTimer, len(m.functions))
	for i, f := range m.functions {
		for _, timer := range f.open.timers {
			timers[i] = append(timers[i], *timer)
		}
	}
	return timers
}

// goLive starts the timers that the component asked for while it was opened. before are those of the version it
// replaces.
func (h *guestHandle) goLive(before []guestTimer) {
	h.opened = true
	for i, timer := range h.timers {
		if timer.schedule != nil || timer.canceled {
			continue
		}
		var replaces *guestTimer
		if i < len(before) && sameTimer(timer, &before[i]) {
			replaces = &before[i]
		}
		h.startTimer(i, replaces)
	}
}

func sameTimer(a, b *guestTimer) bool {
	return a.typ == b.typ && a.interval == b.interval && a.start == b.start && !b.canceled
}

// components are the names of the components that the task uses.
func (m *guestModule) components() []string {
	var names []string
	for _, f := range m.functions {
		if !slices.Contains(names, f.ref.Component) {
			names = append(names, f.ref.Component)
		}
	}
	return names
}

// UpgradeDifferences lists why a module may not take the place of a running one: components in use that it lacks or
// that differ in kind, wants, stores or buffering. Empty means that it may.
func UpgradeDifferences(running, next *abi.Manifest, components []string) []string {
	var diffs []string
	differ := func(component, what string, from, to any) {
		diffs = append(diffs, fmt.Sprintf("component %s: %s %v -> %v", component, what, from, to))
	}
	for _, name := range components {
		a, b := running.Component(name), next.Component(name)
		switch {
		case a == nil: // it does not run
		case b == nil:
			diffs = append(diffs, fmt.Sprintf("component %s is not in the new module (it has %s)", name, componentNames(next)))
		default:
			if a.Kind != b.Kind {
				differ(name, "kind", a.Kind, b.Kind)
			}
			if a.Wants != b.Wants {
				differ(name, "wants", a.Wants.Names(), b.Wants.Names())
			}
			if !slices.Equal(slices.Sorted(slices.Values(a.Stores)), slices.Sorted(slices.Values(b.Stores))) {
				differ(name, "stores", a.Stores, b.Stores)
			}
			if a.Buffers != b.Buffers {
				differ(name, "buffers", a.Buffers, b.Buffers)
			}
		}
	}
	return diffs
}
