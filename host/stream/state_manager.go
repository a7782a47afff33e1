package stream

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// deleteRetention is Kafka's default of delete.retention.ms, after which a changelog may have forgotten a deletion.
const deleteRetention = 24 * time.Hour

// StateManager owns the stores of one task: it opens them with their layers, says where to restore them from, and
// puts what they wrote into the thread's batch together with the changelog offsets it corresponds to. It belongs to
// the thread's goroutine.
type StateManager struct {
	task      topology.TaskID
	sub       *topology.Subtopology
	db        *state.DB
	cache     *state.ThreadCache // nil: no caching on this thread
	collector *RecordCollector
	metrics   func(store string) *state.StoreMetrics
	log       *slog.Logger
	exactly   bool

	// reopened is called after a store was emptied and opened again.
	reopened func()

	context *state.RecordContext
	stores  []*managedStore // in the order of the topology
}

// managedStore is a store with its changelog.
type managedStore struct {
	spec      *topology.StoreSpec
	id        state.StoreID
	store     state.TransactionalStore
	changelog *storeChangelog // nil: not logged
	// source is the input that the store is a copy of, and is restored from in the place of a changelog, up to limit, what
	// was committed of it when the task was opened.
	source *topology.TopicPartition
	limit  int64
}

// storeChangelog logs the changes of a store to its partition of the changelog topic.
type storeChangelog struct {
	tp        topology.TopicPartition
	collector *RecordCollector
	arena     topology.Arena
}

// Log implements state.Changelog. The bytes are copied, since the producer keeps them until they are acknowledged.
func (c *storeChangelog) Log(key, value []byte, timestamp int64) error {
	return c.LogWithHeaders(key, value, timestamp, nil)
}

// LogWithHeaders implements state.HeaderChangelog.
func (c *storeChangelog) LogWithHeaders(key, value []byte, timestamp int64, headers []state.Header) error {
	if forgetsLog() {
		return nil
	}
	rec := topology.Record{Key: c.arena.Copy(key), Timestamp: max(timestamp, 0)}
	for _, h := range headers {
		if h.Value != nil {
			h.Value = c.arena.Copy(h.Value)
		}
		rec.Headers = append(rec.Headers, h)
	}
	if value != nil {
		rec.Value = c.arena.Copy(value)
	}
	if err := c.collector.Send(c.tp.Topic, c.tp.Partition, &rec); err != nil {
		return &changelogError{err}
	}
	return nil
}

// open opens the stores that have a changelog, which is all that a standby task has. Local state that is too old for its
// changelog is dropped before.
func (m *StateManager) open(now time.Time) error {
	m.context = &state.RecordContext{Timestamp: state.TimestampUnknown}
	if err := m.dropAged(now); err != nil {
		return err
	}
	for topic, store := range m.sub.ChangelogStores {
		s := &managedStore{spec: m.spec(store), id: m.storeID(store)}
		s.changelog = &storeChangelog{tp: topology.TopicPartition{Topic: topic, Partition: m.task.Partition}, collector: m.collector}
		if err := m.add(s); err != nil {
			return errors.Join(err, m.close())
		}
	}
	return nil
}

// openRest opens the stores without a changelog, before the task runs. Those that belong to other input than the group
// has committed are dropped before.
func (m *StateManager) openRest(committed map[topology.TopicPartition]committedOffset) error {
	sources := make(map[string]string)
	for topic, store := range m.sub.SourceChangelogs {
		sources[store] = topic
	}
	matches := m.inputsMatch(committed)
	for _, spec := range m.sub.Stores {
		if slices.ContainsFunc(m.stores, func(s *managedStore) bool { return s.spec == spec }) {
			continue
		}
		s := &managedStore{spec: spec, id: m.storeID(spec.Name)}
		if topic, ok := sources[spec.Name]; ok {
			tp := topology.TopicPartition{Topic: topic, Partition: m.task.Partition}
			s.source, s.limit = &tp, committed[tp].offset
		}
		if err := m.dropForeign(s, matches); err != nil {
			return err
		}
		if err := m.add(s); err != nil {
			return err
		}
	}
	return nil
}

// add opens a store and keeps the stores in the order of the topology.
func (m *StateManager) add(s *managedStore) error {
	if err := m.openStore(s); err != nil {
		return err
	}
	m.stores = append(m.stores, s)
	slices.SortFunc(m.stores, func(a, b *managedStore) int {
		return cmp.Compare(slices.Index(m.sub.Stores, a.spec), slices.Index(m.sub.Stores, b.spec))
	})
	return nil
}

func (m *StateManager) spec(store string) *topology.StoreSpec {
	i := slices.IndexFunc(m.sub.Stores, func(s *topology.StoreSpec) bool { return s.Name == store })
	return m.sub.Stores[i]
}

func (m *StateManager) storeID(store string) state.StoreID {
	return state.StoreID{Task: m.task.String(), Store: store}
}

func (m *StateManager) openStore(s *managedStore) (err error) {
	c, err := StoreConfig(s.spec)
	if err != nil {
		return err
	}
	c.ID, c.Context, c.Metrics = s.id, m.context, m.metrics(s.spec.Name)
	if s.changelog != nil {
		c.Changelog = s.changelog
	}
	if s.spec.CachingEnabled {
		c.Cache = m.cache
	}
	if s.store, err = m.db.NewStore(c); err != nil {
		return fmt.Errorf("opening store %q of task %s: %w", s.spec.Name, m.task, err)
	}
	return nil
}

// dropAged removes local state that replaying cannot make right: a changelog forgets a deletion after
// delete.retention.ms, so state that was away for longer might keep what was deleted.
func (m *StateManager) dropAged(now time.Time) error {
	task := m.task.String()
	at, ok := m.db.CommitTime(task)
	if !ok {
		return nil
	}
	for topic, store := range m.sub.ChangelogStores {
		// A commit that is as far ahead was made by another clock than this one, and may be of any age.
		if age := now.UnixMilli() - at; max(age, -age) <= m.retention(topic).Milliseconds() {
			continue
		}
		m.log.Warn("local state is older than its changelog keeps deletions and is built again", "store", store, "task", task)
		if err := m.db.RemoveStore(m.storeID(store)); err != nil {
			return fmt.Errorf("dropping store %q of task %s: %w", store, task, err)
		}
	}
	return nil
}

// dropForeign removes a store without changelog that is not of the input that the group has committed. Such a store is
// only right together with the input it was made of: under exactly_once_v2 the offsets of its last commit must be those of
// the group. One that is restored from its source topic may be behind, but not ahead.
func (m *StateManager) dropForeign(s *managedStore, matches bool) error {
	task := m.task.String()
	if s.spec.InMemory || !slices.Contains(m.db.Stores(task), s.id) {
		return nil
	}
	if s.source != nil {
		at, ok := m.db.Offset(s.id)
		matches = ok && at <= s.limit
	} else if !m.exactly {
		return nil
	}
	if matches {
		return nil
	}
	m.log.Warn("a store without changelog does not belong to the committed input and starts empty", "store", s.spec.Name, "task", task)
	if err := m.db.RemoveStore(s.id); err != nil {
		return fmt.Errorf("dropping store %q of task %s: %w", s.spec.Name, task, err)
	}
	return nil
}

func (m *StateManager) retention(changelog string) time.Duration {
	ms, err := strconv.ParseInt(m.sub.Changelogs[changelog].Configs["delete.retention.ms"], 10, 64)
	if err != nil {
		return deleteRetention
	}
	return time.Duration(ms) * time.Millisecond
}

func (m *StateManager) inputsMatch(committed map[topology.TopicPartition]committedOffset) bool {
	stored := m.db.InputOffsets(m.task.String())
	for tp, o := range committed {
		at, ok := stored[state.TopicPartition(tp)]
		if ok != (o.offset >= 0) || ok && at != o.offset {
			return false
		}
	}
	return true
}

// restorations lists what must be replayed before the task may run, or what a standby follows.
func (m *StateManager) restorations(standby bool) (list []*restoration) {
	for _, s := range m.stores {
		r := &restoration{task: m.task, store: s.spec.Name, limit: -1, standby: standby, into: s.store}
		switch {
		case s.changelog != nil:
			r.tp = s.changelog.tp
		case s.source != nil && s.limit >= 0:
			r.tp, r.limit = *s.source, s.limit
		default:
			continue
		}
		next, ok := s.store.Offset()
		if !ok {
			next = -1
		}
		r.position.Store(next)
		list = append(list, r)
	}
	return list
}

// updating is the task for a StateUpdater.
func (m *StateManager) updating(standby bool) *updatingTask {
	return &updatingTask{id: m.task, standby: standby, list: m.restorations(standby), caughtUp: func(batch *state.Batch, at time.Time) {
		batch.SetCommitTime(m.task.String(), at.UnixMilli())
	}}
}

// wipe empties stores that are to be restored from the beginning.
func (m *StateManager) wipe(stores []string) error {
	for _, s := range m.stores {
		if !slices.Contains(stores, s.spec.Name) {
			continue
		}
		if err := m.wipeStore(s); err != nil {
			return fmt.Errorf("wiping store %q of task %s: %w", s.spec.Name, m.task, err)
		}
	}
	return nil
}

func (m *StateManager) wipeStore(s *managedStore) error {
	if err := s.store.Close(); err != nil {
		return err
	}
	if !s.spec.InMemory {
		if err := m.db.RemoveStore(s.id); err != nil {
			return err
		}
	}
	if err := m.openStore(s); err != nil {
		return err
	}
	m.reopened()
	return nil
}

// byName are the stores for the task's processors.
func (m *StateManager) byName() map[string]state.Store {
	stores := make(map[string]state.Store, len(m.stores))
	for _, s := range m.stores {
		stores[s.spec.Name] = s.store
	}
	return stores
}

// stage adds to batch what the stores wrote since the last commit. The producer must have been flushed, so that the
// offsets of the changelogs are known, and the commit acknowledged.
func (m *StateManager) stage(batch *state.Batch, inputs map[topology.TopicPartition]committedOffset, now time.Time) error {
	unlogged := false
	for _, s := range m.stores {
		if err := s.store.Stage(batch); err != nil {
			return fmt.Errorf("staging store %q of task %s: %w", s.spec.Name, m.task, err)
		}
		if s.source != nil && inputs[*s.source].offset >= 0 {
			batch.SetOffset(s.id, inputs[*s.source].offset)
		}
		if s.changelog == nil {
			unlogged = unlogged || !s.spec.InMemory
			continue
		}
		if offset := m.collector.offset(s.changelog.tp); offset >= 0 {
			batch.SetOffset(s.id, offset+1)
		}
	}
	if len(m.stores) == 0 {
		return nil
	}
	if unlogged && len(inputs) > 0 {
		offsets := make(map[state.TopicPartition]int64, len(inputs))
		for tp, o := range inputs {
			offsets[state.TopicPartition(tp)] = o.offset
		}
		batch.SetInputOffsets(m.task.String(), offsets)
	}
	batch.SetCommitTime(m.task.String(), now.UnixMilli())
	return nil
}

// uncommittedBytes is the memory that waits for the next commit.
func (m *StateManager) uncommittedBytes() (n int64) {
	for _, s := range m.stores {
		n += s.store.UncommittedBytes()
	}
	return n
}

// close closes the stores without writing; what was not committed is gone.
func (m *StateManager) close() error {
	var faults []error
	for _, s := range m.stores {
		s.store.Discard()
		faults = append(faults, s.store.Close())
	}
	m.stores = nil
	return errors.Join(faults...)
}
