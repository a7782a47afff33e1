package stream

import (
	"errors"
	"slices"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// StandbyTask keeps the stores of a task that runs elsewhere up to date from their changelogs, so that it can go on here
// without restoring them. A warm-up replica is one too: the assignor moves its task here once it has caught up. The
// stores are the state updater's until the standby is closed or becomes the active task.
type StandbyTask struct {
	id     topology.TaskID
	state  *StateManager
	opened bool // false: the stores are still with another task of the process
	shown  *queryableTask
}

// ID is the task's name.
func (t *StandbyTask) ID() topology.TaskID { return t.id }

// setStandbys makes the thread's standbys those that it was assigned. Active tasks of the thread are none.
func (m *TaskManager) setStandbys(ids []topology.TaskID) error {
	var faults []error
	for _, t := range slices.Clone(m.standbys) {
		if !slices.Contains(ids, t.id) {
			faults = append(faults, m.closeStandby(t))
		}
	}
	for _, id := range ids {
		if m.findStandby(id) != nil || m.find(id) != nil {
			continue
		}
		sub := m.cfg.plan.byID(id.Subtopology)
		if sub == nil || len(sub.ChangelogStores) == 0 {
			continue
		}
		m.metrics.add(id, nil)
		t := &StandbyTask{id: id, state: m.newState(id, sub)}
		t.state.reopened = func() { m.showStandby(t) }
		m.standbys = append(m.standbys, t)
		m.log.Info("standby task assigned", "task", id.String())
	}
	slices.SortFunc(m.standbys, func(a, b *StandbyTask) int { return compareTasks(a.id, b.id) })
	return errors.Join(append(faults, m.openStandbys())...)
}

func (m *TaskManager) findStandby(id topology.TaskID) *StandbyTask {
	for _, t := range m.standbys {
		if t.id == id {
			return t
		}
	}
	return nil
}

// openStandbys opens the stores of standbys that are free.
func (m *TaskManager) openStandbys() error {
	for _, t := range m.standbys {
		if t.opened {
			continue
		}
		err := t.state.open(m.cfg.wall())
		if errors.Is(err, state.ErrOpen) {
			continue
		}
		if err != nil {
			return err
		}
		t.opened = true
		m.showStandby(t)
		m.updater.add(t.state.updating(true))
	}
	return nil
}

// showStandby lets queries that may be stale read the stores of a standby as they are now.
func (m *TaskManager) showStandby(t *StandbyTask) {
	t.shown = &queryableTask{id: t.id, stores: t.state.byName(), standby: true}
	m.cfg.queries.show(t.shown)
}

// closeStandby gives a standby up; what it has stays on disk.
func (m *TaskManager) closeStandby(t *StandbyTask) error {
	m.standbys = slices.DeleteFunc(m.standbys, func(o *StandbyTask) bool { return o == t })
	m.metrics.remove(t.id)
	m.log.Info("standby task closed", "task", t.id.String())
	if !t.opened {
		return nil
	}
	m.updater.remove(t.id, SuspendMigrated)
	m.cfg.queries.hide(t.shown)
	return t.state.close()
}

// promote takes the stores of a standby for its active task, nil if there are none.
func (m *TaskManager) promote(id topology.TaskID) *StateManager {
	t := m.findStandby(id)
	if t == nil {
		return nil
	}
	m.standbys = slices.DeleteFunc(m.standbys, func(o *StandbyTask) bool { return o == t })
	if !t.opened {
		return nil
	}
	m.updater.remove(id, SuspendPromoted)
	m.cfg.queries.hide(t.shown)
	m.log.Info("standby task becomes active", "task", id.String())
	return t.state
}
