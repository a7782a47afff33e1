package stream

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// queryables are the tasks of a process whose stores can be asked. Threads put them in and take them out; queries find
// them from any goroutine.
type queryables struct {
	mu struct {
		sync.RWMutex
		tasks map[topology.TaskID]*queryableTask
	}
}

// queryableTask is what queries see of a task.
type queryableTask struct {
	id       topology.TaskID
	stores   map[string]state.Store
	running  bool // active, and restored
	standby  bool // not active
	position atomic.Pointer[Position]
}

// show puts a task up, or puts it up anew in another role or with other stores.
func (q *queryables) show(t *queryableTask) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.tasks == nil {
		q.mu.tasks = make(map[topology.TaskID]*queryableTask)
	}
	q.mu.tasks[t.id] = t
}

// hide takes a task down, if it is still the one that was put up.
func (q *queryables) hide(t *queryableTask) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t != nil && q.mu.tasks[t.id] == t {
		delete(q.mu.tasks, t.id)
	}
}

func (q *queryables) find(id topology.TaskID) *queryableTask {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.mu.tasks[id]
}

// list is a copy of what is up.
func (q *queryables) list() []*queryableTask {
	q.mu.RLock()
	defer q.mu.RUnlock()
	all := make([]*queryableTask, 0, len(q.mu.tasks))
	for _, t := range q.mu.tasks {
		all = append(all, t)
	}
	return all
}

// committedUpTo tells what input the committed state of the task holds.
func (t *queryableTask) committedUpTo(committed map[topology.TopicPartition]committedOffset) {
	p := positionOf(committed)
	t.position.Store(&p)
}

// ask answers q by the task's store.
func (q *queryables) ask(id topology.TaskID, query *StoreQuery, spec *topology.StoreSpec) (*StoreAnswer, error) {
	t := q.find(id)
	where := fmt.Sprintf("%s-%d", query.Store, query.Partition)
	switch {
	case t == nil:
		return nil, errs.QueryMigrated.New(where, fmt.Sprintf("the task %s is not in this process", id), "")
	case t.standby && (!query.Stale || len(query.Bound) > 0): // of its input nothing is known, only of its changelog
		return nil, errs.QueryMigrated.New(where, fmt.Sprintf("the task %s is a standby in this process", id), "ask the process where it is active, or allow a stale answer")
	case !t.running && !query.Stale:
		return nil, errs.QueryNotReady.New(where, fmt.Sprintf("the store is being restored by the task %s", id), "ask again in a moment, or allow a stale answer")
	}
	// The position is read before the state, which may only be ahead of it.
	position := t.position.Load()
	if len(query.Bound) > 0 && (position == nil || !position.reaches(query.Bound, query.Partition)) {
		return nil, errs.QueryBound.New(where, "what is committed here does not hold all that the query asks for", "")
	}
	answer, err := look(t.stores[query.Store], query, spec)
	if errors.Is(err, state.ErrClosed) {
		return nil, errs.QueryMigrated.New(where, fmt.Sprintf("the task %s left this process while it was asked", id), "")
	}
	if err != nil {
		return nil, err
	}
	if position != nil {
		answer.Position = *position
	}
	answer.Stale = !t.running
	return answer, nil
}

// queryGlobal answers q by a global store, which every process has.
func (a *App) queryGlobal(q *StoreQuery, spec *topology.StoreSpec) (*StoreAnswer, error) {
	select {
	case <-a.ready:
	default:
		return nil, errs.QueryNotReady.New(q.Store, "the application is starting", "")
	}
	if len(q.Bound) > 0 {
		return nil, errs.QueryInvalid.New(q.Store, "a global store has no position to be bound to", "ask without a bound")
	}
	if q.Partition != 0 {
		return nil, errs.QueryInvalid.New(q.Store, "a global store has one partition, 0", "")
	}
	answer, err := look(a.global.Load().shared[q.Store].store, q, spec)
	if errors.Is(err, state.ErrClosed) {
		return nil, errs.QueryNotReady.New(q.Store, "the application is "+a.State().String(), "")
	}
	return answer, err
}
