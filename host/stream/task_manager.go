package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// managedTask is a task with what its thread keeps for it.
//
//	created -> restoring -> running -> closed
//
// Created are those whose stores another task of the process has still open. The stores of one that is restoring are the
// state updater's.
type managedTask struct {
	id      topology.TaskID
	sub     *topology.Subtopology
	inputs  []topology.TopicPartition
	state   *StateManager
	opened  bool
	task    *Task // nil until restored
	metrics *taskMetrics
	shown   *queryableTask // to queries; nil before the stores are open
	// modules is what the task runs; prepared what is ready beside it.
	modules, prepared *moduleSet
	// committed is what the group holds for the inputs, as of the last commit.
	committed map[topology.TopicPartition]committedOffset
}

// TaskManager keeps the tasks of a thread through assignment, restoring, running, commit and closing. It belongs to
// the thread's goroutine.
type TaskManager struct {
	cfg       *threadConfig
	db        *state.DB
	cache     *state.ThreadCache
	consumer  *Consumer
	collector *RecordCollector
	updater   *StateUpdater
	metrics   *threadMetrics
	log       *slog.Logger
	ctx       context.Context

	tasks       []*managedTask // in TaskID order
	standbys    []*StandbyTask // in TaskID order
	byPartition map[topology.TopicPartition]*inputPartition
}

// inputPartition is a partition that a task reads.
type inputPartition struct {
	tp     topology.TopicPartition
	owner  *managedTask
	paused bool
}

func newTaskManager(s *session) *TaskManager {
	return &TaskManager{
		cfg: s.cfg, db: s.db, cache: s.cache, consumer: s.consumer, collector: s.records, updater: s.updater,
		metrics: s.cfg.metrics, log: s.log, ctx: s.hard, byPartition: make(map[topology.TopicPartition]*inputPartition),
	}
}

// assign starts the tasks of newly assigned partitions: their stores are opened and restored, their inputs paused
// until that is done.
func (m *TaskManager) assign(parts map[string][]int32) error {
	added := make(map[topology.TaskID][]topology.TopicPartition)
	for topic, ps := range parts {
		sub, ok := m.cfg.plan.subtopology(topic)
		if !ok {
			continue
		}
		for _, p := range ps {
			id := topology.TaskID{Subtopology: sub, Partition: p}
			added[id] = append(added[id], topology.TopicPartition{Topic: topic, Partition: p})
		}
	}
	if len(added) == 0 {
		return nil
	}
	committed, err := m.consumer.committed(m.ctx, slices.Concat(slices.Collect(maps.Values(added))...))
	if err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(added), compareTasks) {
		if err := m.create(id, added[id], committed); err != nil {
			return err
		}
	}
	return m.restore() // those without state run at once
}

func (m *TaskManager) create(id topology.TaskID, inputs []topology.TopicPartition, committed map[topology.TopicPartition]committedOffset) error {
	t := &managedTask{id: id, sub: m.cfg.plan.byID(id.Subtopology), inputs: inputs, committed: make(map[topology.TopicPartition]committedOffset)}
	for _, tp := range inputs {
		t.committed[tp] = committed[tp]
		m.byPartition[tp] = &inputPartition{tp: tp, owner: t, paused: true}
		m.consumer.pause(tp)
	}
	t.metrics = m.metrics.add(id, inputs)
	if t.state = m.promote(id); t.state != nil {
		t.opened = true
	} else {
		t.state = m.newState(id, t.sub)
	}
	t.state.reopened = func() { m.show(t) }
	m.tasks = append(m.tasks, t)
	slices.SortFunc(m.tasks, func(a, b *managedTask) int { return compareTasks(a.id, b.id) })
	m.log.Info("task assigned", "task", id.String(), "standby", t.opened)
	return m.openTask(t)
}

func (m *TaskManager) newState(id topology.TaskID, sub *topology.Subtopology) *StateManager {
	return &StateManager{
		task: id, sub: sub, db: m.db, cache: m.cache, collector: m.collector, exactly: m.cfg.exactlyOnce,
		metrics: m.metrics.store(id), log: m.log,
	}
}

// openTask opens the stores of a task and has them restored. Stores that another task of this process has still open are
// waited for: a standby of another thread becomes active on this one.
func (m *TaskManager) openTask(t *managedTask) error {
	promoted := t.opened
	if !t.opened {
		err := t.state.open(m.cfg.wall())
		if errors.Is(err, state.ErrOpen) {
			return nil
		}
		if err != nil {
			return err
		}
		t.opened = true
	}
	if err := t.state.openRest(t.committed); err != nil {
		return err
	}
	m.show(t)
	if mutant(earlyRun) || promoted && mutant(standbyEarly) {
		return m.run(t)
	}
	m.updater.add(t.state.updating(false))
	return nil
}

func (m *TaskManager) find(id topology.TaskID) *managedTask {
	for _, t := range m.tasks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// restoring tells whether a task does not run yet.
func (m *TaskManager) restoring() bool {
	return slices.ContainsFunc(m.tasks, func(t *managedTask) bool { return t.task == nil })
}

// restore starts the tasks whose stores are complete, and tries again to open those that were not free.
func (m *TaskManager) restore() error {
	finished, err := m.updater.take()
	if err != nil {
		return err
	}
	for _, u := range finished {
		if err := m.finished(u); err != nil {
			return err
		}
	}
	for _, t := range m.tasks {
		if !t.opened {
			if err := m.openTask(t); err != nil {
				return err
			}
		}
	}
	return m.openStandbys()
}

// finished goes on with a task that the updater is done with. Stores that the changelog does not reach back to are
// emptied and restored from its beginning.
func (m *TaskManager) finished(u *updatingTask) error {
	t, standby := m.find(u.id), m.findStandby(u.id)
	var stores *StateManager
	switch {
	case u.standby && standby != nil:
		stores = standby.state
	case !u.standby && t != nil:
		stores = t.state
	default:
		return nil // closed meanwhile
	}
	if len(u.stale) == 0 {
		return m.run(t)
	}
	if err := stores.wipe(u.stale); err != nil {
		return err
	}
	m.updater.add(stores.updating(u.standby))
	return nil
}

// run makes the task of restored stores and lets its records come.
func (m *TaskManager) run(t *managedTask) error {
	task, modules, err := m.cfg.newTask(TaskConfig{
		ID: t.id, Subtopology: t.sub, Inputs: t.inputs, Collector: m.collector, Stores: t.state.byName(),
		Wait:    func(d time.Duration) error { return pause(m.ctx, d) },
		Metrics: t.metrics.task, Logger: m.log.With("task", t.id.String()),
	})
	if err != nil {
		return err
	}
	for tp, o := range t.committed {
		if o.offset >= 0 {
			task.RestoreTime(tp, o.metadata)
		}
	}
	if err := m.tellPositions(t, task); err != nil {
		return errors.Join(err, task.Close(CloseDirty))
	}
	if err := task.Init(m.cfg.wall().UnixMilli()); err != nil {
		return errors.Join(err, task.Close(CloseDirty))
	}
	t.task, t.modules = task, modules
	m.cfg.running(t.id, true)
	m.show(t)
	for _, tp := range t.inputs {
		m.byPartition[tp].paused = false
		m.consumer.resume(tp)
	}
	return nil
}

// show lets queries read the stores of a task as they are now.
func (m *TaskManager) show(t *managedTask) {
	t.shown = &queryableTask{id: t.id, stores: t.state.byName(), running: t.task != nil}
	if t.task != nil {
		t.shown.committedUpTo(t.committed)
	}
	m.cfg.queries.show(t.shown)
}

// tellPositions tells a task of several partitions where each of them stands and ends, because an empty partition
// brings no fetch that would, and the task waits for partitions of which nothing is known.
func (m *TaskManager) tellPositions(t *managedTask, task *Task) error {
	if len(t.inputs) < 2 {
		return nil
	}
	var topics []string
	for _, tp := range t.inputs {
		topics = append(topics, tp.Topic)
	}
	starts, err := m.consumer.admin.ListStartOffsets(m.ctx, topics...)
	if err != nil {
		return kafkaError("listing the offsets of the input", err)
	}
	ends, err := m.consumer.admin.ListEndOffsets(m.ctx, topics...)
	if err != nil {
		return kafkaError("listing the offsets of the input", err)
	}
	for _, tp := range t.inputs {
		start, ok1 := starts.Lookup(tp.Topic, tp.Partition)
		end, ok2 := ends.Lookup(tp.Topic, tp.Partition)
		if !ok1 || !ok2 || start.Err != nil || end.Err != nil {
			continue // the task learns it from a fetch
		}
		at := t.committed[tp].offset
		if policy, err := m.cfg.reset(tp.Topic); at < 0 && err == nil {
			at = start.Offset
			if policy == kgo.NewOffset().AtEnd() {
				at = end.Offset
			}
		}
		task.SetPosition(tp, at, end.Offset)
	}
	return nil
}

// add hands fetched records to the tasks.
func (m *TaskManager) add(fetches kgo.Fetches) error {
	var failure error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if failure != nil {
			return
		}
		if p.Err != nil {
			failure = m.fetchError(p)
		}
		in := m.byPartition[topology.TopicPartition{Topic: p.Topic, Partition: p.Partition}]
		if in == nil || in.owner.task == nil || failure != nil {
			return // revoked meanwhile; whoever owns it now fetches it again
		}
		failure = in.owner.task.AddRecords(in.tp, p.Records, m.endOf(p))
	})
	return failure
}

// endOf is where a partition ends for this consumer.
func (m *TaskManager) endOf(p kgo.FetchTopicPartition) int64 {
	if m.cfg.exactlyOnce {
		return p.LastStableOffset
	}
	return p.HighWatermark
}

// fetchError sorts the errors that a poll may bring: nil where the client goes on by itself.
func (m *TaskManager) fetchError(p kgo.FetchTopicPartition) error {
	var coded *errs.Error
	var loss *kgo.ErrDataLoss
	var group *kgo.ErrGroupSession
	err, tp := p.Err, topology.TopicPartition{Topic: p.Topic, Partition: p.Partition}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		return nil
	case errors.As(err, &coded):
		return coded
	case errors.Is(err, kerr.FencedInstanceID):
		return fencedError(err)
	case isFatal(err):
		return kafkaError("fetching records", err)
	case errors.As(err, &loss):
		m.log.Warn("the topic lost records that were read already", "topic", p.Topic, "partition", p.Partition, "err", err)
		return nil
	case errors.Is(err, kerr.OffsetOutOfRange):
		return m.resetPosition(tp)
	case errors.As(err, &group):
		m.log.Warn("the group session ended; joining again", "err", err)
		return nil
	case kerr.IsRetriable(err) && !isAny(err, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.CorruptMessage), errors.Is(err, kerr.UnknownServerError):
		m.log.Warn("a fetch failed and is tried again", "topic", p.Topic, "partition", p.Partition, "err", err)
		return nil
	case isAny(err, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID) && !m.cfg.plan.readsByName(p.Topic):
		m.log.Warn("a topic that a pattern matched is gone; the group will be balanced without it", "topic", p.Topic, "partition", p.Partition)
		return nil
	case isAny(err, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID):
		return errs.TopicMissing.New(p.Topic, "the topic that is read does not exist any more", "create it again, and reset the application if its records must be processed anew").WithCause(err)
	}
	return kafkaError("fetching records of "+p.Topic, err)
}

// resetPosition moves a partition whose position is not in the log any more to where its policy says.
func (m *TaskManager) resetPosition(tp topology.TopicPartition) error {
	policy, err := m.cfg.reset(tp.Topic)
	if err != nil {
		return err
	}
	list := m.consumer.admin.ListStartOffsets
	if policy == kgo.NewOffset().AtEnd() {
		list = m.consumer.admin.ListEndOffsets
	}
	listed, err := list(m.ctx, tp.Topic)
	if err != nil {
		return kafkaError("listing the offsets of "+tp.Topic, err)
	}
	to, ok := listed.Lookup(tp.Topic, tp.Partition)
	if !ok || to.Err != nil {
		return kafkaError("listing the offsets of "+tp.Topic, errors.Join(to.Err, missingUnless(ok)))
	}
	m.log.Warn("the position is not in the topic any more and was reset", "topic", tp.Topic, "partition", tp.Partition, "to", to.Offset)
	m.consumer.seek(map[topology.TopicPartition]committedOffset{tp: {offset: to.Offset, epoch: -1}})
	return nil
}

// pausePartitions stops fetching for partitions that hold more than their bound and go on with those that have
// drained. What kgo has fetched ahead of a paused partition is fetched a second time, so a partition is paused only
// when it also holds more bytes than one fetch brings: one that drains as fast as it fills is never paused.
func (m *TaskManager) pausePartitions() {
	for _, in := range m.byPartition {
		if in.owner.task == nil {
			continue
		}
		records, bytes := in.owner.task.Buffered(in.tp)
		full := records > m.cfg.bufferedRecords && bytes > int64(m.cfg.bufferedBytes) || m.cfg.paused()
		switch {
		case full && !in.paused:
			m.consumer.pause(in.tp)
			in.paused = true
		case in.paused && !full:
			m.consumer.resume(in.tp)
			in.paused = false
		}
	}
}

// showLag puts up for a scrape how far the partitions are behind.
func (m *TaskManager) showLag() {
	for _, in := range m.byPartition {
		if in.owner.task == nil {
			continue
		}
		if records, timestamp, known := in.owner.task.Lag(in.tp); known {
			lag := in.owner.metrics.lags[in.tp]
			lag.timestamp.Store(timestamp)
			lag.records.Store(records)
		}
	}
}

// process lets every task handle up to limit records, in TaskID order, and returns how many were.
func (m *TaskManager) process(now int64, limit int) (n int, err error) {
	for _, t := range m.tasks {
		if t.task == nil {
			continue
		}
		k, err := t.task.Process(now, limit)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// punctuate calls what is due, stream time before wall-clock time, and returns how many were called.
func (m *TaskManager) punctuate(now int64) (n int, err error) {
	for _, t := range m.tasks {
		if t.task == nil {
			continue
		}
		for _, punctuate := range []func(int64) (int, error){t.task.PunctuateStreamTime, t.task.PunctuateSystemTime} {
			k, err := punctuate(now)
			n += k
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// commitNeeded tells whether any task did something since the last commit.
func (m *TaskManager) commitNeeded() bool {
	return slices.ContainsFunc(m.tasks, func(t *managedTask) bool { return t.task != nil && t.task.CommitNeeded() })
}

// commitRequested tells whether a processor asked for a commit.
func (m *TaskManager) commitRequested() bool {
	return slices.ContainsFunc(m.tasks, func(t *managedTask) bool { return t.task != nil && t.task.CommitRequested() })
}

func (m *TaskManager) uncommittedBytes() (n int64) {
	for _, t := range m.tasks {
		if t.task != nil {
			n += t.state.uncommittedBytes()
		}
	}
	return n
}

// bufferedBytes is what waits to be processed.
func (m *TaskManager) bufferedBytes() (n int64) {
	for _, in := range m.byPartition {
		if in.owner.task != nil {
			_, bytes := in.owner.task.Buffered(in.tp)
			n += bytes
		}
	}
	return n
}

// prepareCommit has every task send what it still holds.
func (m *TaskManager) prepareCommit() error {
	for _, t := range m.tasks {
		if t.task == nil {
			continue
		}
		if err := t.task.PrepareCommit(); err != nil {
			return err
		}
	}
	return nil
}

// offsets are the positions that have moved since the last commit.
func (m *TaskManager) offsets() map[topology.TopicPartition]committedOffset {
	moved := make(map[topology.TopicPartition]committedOffset)
	for _, t := range m.tasks {
		if t.task == nil {
			continue
		}
		for tp, o := range t.task.Offsets() {
			now := committedOffset{offset: o.Offset, epoch: o.LeaderEpoch, metadata: o.Metadata}
			if t.committed[tp] != now {
				moved[tp] = now
			}
		}
	}
	return moved
}

// anyCommitted is one offset that is committed already, to be committed again, or nothing.
func (m *TaskManager) anyCommitted() map[topology.TopicPartition]committedOffset {
	for _, t := range m.tasks {
		for tp, o := range t.committed {
			if o.offset >= 0 {
				return map[topology.TopicPartition]committedOffset{tp: o}
			}
		}
	}
	return nil
}

// stage puts the state of all tasks into batch. offsets are those just committed.
func (m *TaskManager) stage(batch *state.Batch, offsets map[topology.TopicPartition]committedOffset, now time.Time) error {
	for tp, o := range offsets {
		if in := m.byPartition[tp]; in != nil {
			in.owner.committed[tp] = o
		}
	}
	for _, t := range m.tasks {
		if t.task == nil {
			continue
		}
		if err := t.state.stage(batch, t.committed, now); err != nil {
			return err
		}
	}
	return nil
}

// postCommit tells the tasks, and which records of repartition topics may be deleted.
func (m *TaskManager) postCommit(offsets map[topology.TopicPartition]committedOffset) {
	for tp, o := range offsets {
		if m.cfg.plan.isRepartition(tp.Topic) {
			m.cfg.purge(tp, o.offset)
		}
	}
	for _, t := range m.tasks {
		if t.task == nil {
			continue
		}
		t.task.PostCommit()
		if slices.ContainsFunc(t.inputs, func(tp topology.TopicPartition) bool { _, moved := offsets[tp]; return moved }) {
			t.shown.committedUpTo(t.committed)
		}
	}
}

// extends tells whether partitions belong to tasks that run already: a topic that a pattern matches came into being.
func (m *TaskManager) extends(parts map[string][]int32) bool {
	for topic, ps := range parts {
		sub, ok := m.cfg.plan.subtopology(topic)
		for _, p := range ps {
			if ok && m.find(topology.TaskID{Subtopology: sub, Partition: p}) != nil {
				return true
			}
		}
	}
	return false
}

// revoke closes the tasks of partitions that the member gives up. They were committed before. An ErrTaskMigrated says
// that only some partitions of a task are gone (a topic that a pattern matched was deleted).
func (m *TaskManager) revoke(parts map[string][]int32) error {
	var gone []*managedTask
	inputs, revoked := 0, 0
	for topic, ps := range parts {
		for _, p := range ps {
			in := m.byPartition[topology.TopicPartition{Topic: topic, Partition: p}]
			if in == nil {
				continue
			}
			revoked++
			if !slices.Contains(gone, in.owner) {
				gone = append(gone, in.owner)
				inputs += len(in.owner.inputs)
			}
		}
	}
	if err := m.closeTasks(gone, CloseMigrated); err != nil || inputs == revoked {
		return err
	}
	return fmt.Errorf("%w: a topic of theirs is not read any more", ErrTaskMigrated)
}

// closeTasks closes tasks without writing anything; what they did and was not committed is gone.
func (m *TaskManager) closeTasks(list []*managedTask, reason CloseReason) error {
	var faults []error
	for _, t := range list {
		if t.task != nil {
			faults = append(faults, t.task.Close(reason))
		} else {
			m.updater.remove(t.id, SuspendMigrated)
		}
		m.cfg.running(t.id, false)
		m.cfg.queries.hide(t.shown)
		faults = append(faults, t.state.close())
		for _, tp := range t.inputs {
			if in := m.byPartition[tp]; in.paused {
				m.consumer.resume(tp)
			}
			delete(m.byPartition, tp)
		}
		m.tasks = slices.DeleteFunc(m.tasks, func(o *managedTask) bool { return o == t })
		m.metrics.remove(t.id)
		m.log.Info("task closed", "task", t.id.String())
	}
	return errors.Join(faults...)
}

// close closes all tasks.
func (m *TaskManager) close(reason CloseReason) error {
	faults := []error{m.closeTasks(slices.Clone(m.tasks), reason)}
	for _, t := range slices.Clone(m.standbys) {
		faults = append(faults, m.closeStandby(t))
	}
	return errors.Join(faults...)
}

// nextPunctuation is the wall-clock time in ms of the next punctuator of any task.
func (m *TaskManager) nextPunctuation() int64 {
	next := int64(math.MaxInt64)
	for _, t := range m.tasks {
		if t.task != nil {
			next = min(next, t.task.NextSystemPunctuation())
		}
	}
	return next
}
