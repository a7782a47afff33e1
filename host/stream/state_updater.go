package stream

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

const (
	// standbyCheckpoint is how often what standbys took in is written at least; more often makes many small writes.
	standbyCheckpoint = time.Second
	// restoreLogInterval is Kafka's interval of progress in the log.
	restoreLogInterval = 10 * time.Second
)

// restoration is one changelog partition on its way into a store. Its atomics may be read from any goroutine.
type restoration struct {
	tp      topology.TopicPartition
	task    topology.TaskID
	store   string
	limit   int64 // the offset that it may not go beyond, of a source topic; -1: there is none
	standby bool
	into    state.TransactionalStore

	position atomic.Int64 // the next offset to apply; -1: at the changelog's beginning
	end      atomic.Int64
	restored atomic.Int64
	start    int64 // once begun
	since    time.Time
	begun    atomic.Bool
	done     bool
}

func (r *restoration) progress() RestoreProgress {
	p := RestoreProgress{Task: r.task, Store: r.store, Changelog: r.tp, Standby: r.standby, Next: r.position.Load()}
	if r.begun.Load() {
		p.Start, p.End, p.Records, p.Since = r.start, r.end.Load(), r.restored.Load(), r.since
	}
	return p
}

// updatingTask is a task whose stores the updater brings up to date: to be run when they are, or, as a standby, kept so.
type updatingTask struct {
	id      topology.TaskID
	standby bool
	list    []*restoration
	// stale are stores whose changelog does not reach back to them. Their owner has to empty them.
	stale []string
	// caughtUp writes that the state was complete at a moment: only then the changelog can have forgotten nothing of it.
	caughtUp func(batch *state.Batch, now time.Time)
}

// updaterConfig is what a StateUpdater is made of.
type updaterConfig struct {
	reader    *ChangelogReader
	isolation kgo.IsolationLevel
	batch     *state.Batch
	clock     func() time.Time // measures
	wall      func() time.Time // says what time it is
	wake      func()           // tells the thread that something is finished
	paused    func() bool
	restores  StateRestoreListener
	standbys  StandbyUpdateListener
	log       *slog.Logger
}

// StateUpdater brings stores up to date from their changelogs beside the thread that runs tasks (KIP-869): a goroutine of
// its own applies what a ChangelogReader fetches. A task belongs to it between add and either finished or remove; its
// stores are opened and closed by the thread.
//
//	active:   add -> (restored to the end as of then) -> finished -> the thread runs it
//	standby:  add -> (follows its changelog) -> remove -> closed, or added again as active and soon finished
type StateUpdater struct {
	cfg     updaterConfig
	mailbox *mailbox

	tasks map[topology.TaskID]*updatingTask // of the goroutine
	kvs   []state.KV

	mu struct {
		sync.Mutex
		finished []*updatingTask
		failure  error
		list     []*restoration // all that is under way
	}
}

func newStateUpdater(cfg updaterConfig) *StateUpdater {
	if cfg.restores == nil {
		cfg.restores = noListener{}
	}
	if cfg.standbys == nil {
		cfg.standbys = noListener{}
	}
	return &StateUpdater{cfg: cfg, mailbox: newMailbox(func() {}), tasks: make(map[topology.TaskID]*updatingTask)}
}

// Run works until ctx is done or a changelog cannot be read or applied; take returns the error.
func (u *StateUpdater) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() { u.cfg.reader.Run(ctx) })
	defer u.mailbox.close()
	defer reading.Wait()
	defer cancel()
	checkpoint, report := time.NewTicker(standbyCheckpoint), time.NewTicker(restoreLogInterval)
	defer checkpoint.Stop()
	defer report.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case c := <-u.mailbox.calls:
			c.run()
			close(c.done)
		case c := <-u.chunks():
			err = u.apply(c)
		case <-checkpoint.C:
			err = u.checkpoint()
		case <-report.C:
			u.report()
		}
		if err != nil {
			u.fail(err)
			return
		}
	}
}

// chunks is where changes come from: from nowhere in a pause, in which the reader waits too once its queue is full. That a pause
// has ended is seen at the next checkpoint at the latest.
func (u *StateUpdater) chunks() <-chan changelogChunk {
	if u.cfg.paused() {
		return nil
	}
	return u.cfg.reader.chunks
}

func (u *StateUpdater) fail(err error) {
	u.mu.Lock()
	u.mu.failure = err
	u.mu.Unlock()
	u.cfg.wake()
}

// add hands a task over. A task without changelogs is finished at once.
func (u *StateUpdater) add(t *updatingTask) {
	u.mailbox.call(context.Background(), func() { // which it serves until it ends
		u.tasks[t.id] = t
		u.publish()
		if len(t.list) == 0 && !t.standby {
			u.finish(t)
			return
		}
		u.cfg.reader.add(t.list)
	})
}

// remove takes a task back before it is finished. What was applied stays. nil says that it is not here.
func (u *StateUpdater) remove(id topology.TaskID, reason SuspendReason) (t *updatingTask) {
	u.mailbox.call(context.Background(), func() {
		if t = u.tasks[id]; t == nil {
			return
		}
		u.cfg.reader.remove(t.list)
		delete(u.tasks, id)
		u.publish()
		for _, r := range t.list {
			u.suspended(r, reason)
		}
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.finished = slices.DeleteFunc(u.mu.finished, func(o *updatingTask) bool {
		if o.id == id {
			t = o
		}
		return o.id == id
	})
	return t
}

// take returns the tasks that are finished since the last call: restored, or with stores that are stale.
func (u *StateUpdater) take() ([]*updatingTask, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.mu.finished
	u.mu.finished = nil
	return list, u.mu.failure
}

// progress is how far everything is. It can be called from any goroutine.
func (u *StateUpdater) progress() (list []RestoreProgress) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.mu.list {
		list = append(list, r.progress())
	}
	return list
}

// publish makes the list for progress anew.
func (u *StateUpdater) publish() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.list = nil
	for _, t := range u.tasks {
		for _, r := range t.list {
			if !r.done {
				u.mu.list = append(u.mu.list, r)
			}
		}
	}
}

func (u *StateUpdater) finish(t *updatingTask) {
	delete(u.tasks, t.id)
	u.publish()
	u.mu.Lock()
	u.mu.finished = append(u.mu.finished, t)
	u.mu.Unlock()
	u.cfg.wake()
}

// apply takes in what a fetch brought.
func (u *StateUpdater) apply(c changelogChunk) error {
	r := c.r
	t := u.tasks[r.task]
	if t == nil || !slices.Contains(t.list, r) {
		return nil // taken back meanwhile
	}
	if c.err != nil {
		return kafkaError("restoring from "+r.tp.Topic, c.err)
	}
	if c.stale {
		u.cfg.log.Warn("the changelog does not have what follows the local state, which is built again", "store", r.store, "task", r.task.String(), "at", c.from, "log_start", c.next)
		t.stale = append(t.stale, r.store)
		u.cfg.reader.remove(t.list)
		u.finish(t)
		return nil
	}
	u.begin(r, c)
	n, err := u.restore(r, c)
	if err != nil {
		return err
	}
	r.position.Store(c.next)
	r.end.Store(c.end)
	r.restored.Add(n)
	u.tell(r, n)
	if c.done {
		return u.complete(t, r)
	}
	return nil
}

func (u *StateUpdater) begin(r *restoration, c changelogChunk) {
	if r.begun.Load() {
		return
	}
	failpoint("restoring")
	r.start, r.since = c.from, u.cfg.clock()
	r.end.Store(c.end)
	r.begun.Store(true)
	if r.standby {
		u.cfg.standbys.OnUpdateStart(r.tp, r.store, r.start)
		return
	}
	u.cfg.restores.OnRestoreStart(r.tp, r.store, r.start, c.end)
	u.cfg.log.Info("restoring a store", "store", r.store, "task", r.task.String(), "from", r.start, "to", c.end)
}

// tell says that n records were applied.
func (u *StateUpdater) tell(r *restoration, n int64) {
	switch {
	case n == 0:
	case r.standby:
		u.cfg.standbys.OnBatchLoaded(r.tp, r.store, r.task, r.position.Load(), n, r.end.Load())
	default:
		u.cfg.restores.OnBatchRestored(r.tp, r.store, r.position.Load(), n)
	}
}

func (u *StateUpdater) suspended(r *restoration, reason SuspendReason) {
	switch {
	case r.done || !r.begun.Load():
	case r.standby:
		u.cfg.standbys.OnUpdateSuspended(r.tp, r.store, r.position.Load(), r.end.Load(), reason)
	default:
		u.cfg.restores.OnRestoreSuspended(r.tp, r.store, r.restored.Load())
	}
}

// restore writes the records of a chunk to the store and returns how many there were.
func (u *StateUpdater) restore(r *restoration, c changelogChunk) (int64, error) {
	if c.next <= c.from {
		return 0, nil
	}
	u.kvs = u.kvs[:0]
	if c.part != nil {
		if err := u.decode(c); err != nil {
			return 0, kafkaError("restoring from "+r.tp.Topic, err)
		}
	}
	if err := r.into.Restore(u.kvs, c.next); err != nil {
		return 0, fmt.Errorf("restoring store %q of task %s: %w", r.store, r.task, err)
	}
	n := int64(len(u.kvs))
	clear(u.kvs)
	return n, nil
}

// decode reads the records of a chunk into u.kvs.
func (u *StateUpdater) decode(c changelogChunk) error {
	fp, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: c.from, IsolationLevel: u.cfg.isolation, Topic: c.r.tp.Topic, Partition: c.r.tp.Partition,
	}, c.part, kgo.DefaultDecompressor(), nil)
	if fp.Err != nil {
		return fp.Err
	}
	for _, r := range fp.Records {
		if r.Key == nil || r.Offset >= c.next {
			continue // a changelog has no records without a key; one from elsewhere changes nothing
		}
		kv := state.KV{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.UnixMilli()}
		for _, h := range r.Headers {
			kv.Headers = append(kv.Headers, state.Header(h))
		}
		u.kvs = append(u.kvs, kv)
	}
	return nil
}

// complete notes that a partition has reached its end, and finishes the task with the last one.
func (u *StateUpdater) complete(t *updatingTask, r *restoration) error {
	r.done = true
	if err := r.into.Settle(); err != nil {
		return fmt.Errorf("restoring store %q of task %s: %w", r.store, r.task, err)
	}
	took := u.cfg.clock().Sub(r.since)
	u.cfg.restores.OnRestoreEnd(r.tp, r.store, r.restored.Load())
	u.cfg.log.Info("store restored", "store", r.store, "task", r.task.String(), "records", r.restored.Load(), "took", took)
	u.publish()
	if slices.ContainsFunc(t.list, func(o *restoration) bool { return !o.done }) {
		return nil
	}
	first := slices.MinFunc(t.list, func(a, b *restoration) int { return a.since.Compare(b.since) })
	t.caughtUp(u.cfg.batch, first.since)
	if err := u.cfg.batch.Commit(); err != nil {
		return err
	}
	u.finish(t)
	return nil
}

// checkpoint writes what standbys took in, and the time of those that have all of their changelogs.
func (u *StateUpdater) checkpoint() error {
	now := u.cfg.wall()
	for _, t := range u.tasks {
		if !t.standby {
			continue
		}
		behind := false
		for _, r := range t.list {
			if err := r.into.Settle(); err != nil {
				return fmt.Errorf("updating store %q of task %s: %w", r.store, r.task, err)
			}
			behind = behind || !r.begun.Load() || r.position.Load() < r.end.Load()
		}
		if !behind {
			t.caughtUp(u.cfg.batch, now)
		}
	}
	return u.cfg.batch.Commit()
}

// report logs how far restoring is.
func (u *StateUpdater) report() {
	s := SumRestores(u.progress(), u.cfg.clock())
	if s.Stores > 0 {
		u.cfg.log.Info("restoring", "stores", s.Stores, "records", s.Records, "remaining", s.Remaining, "rate", int64(s.Rate), "left", s.Left.Round(time.Second))
	}
}

// noListener hears nothing.
type noListener struct{}

func (noListener) OnRestoreStart(topology.TopicPartition, string, int64, int64)  {}
func (noListener) OnBatchRestored(topology.TopicPartition, string, int64, int64) {}
func (noListener) OnRestoreEnd(topology.TopicPartition, string, int64)           {}
func (noListener) OnRestoreSuspended(topology.TopicPartition, string, int64)     {}
func (noListener) OnUpdateStart(topology.TopicPartition, string, int64)          {}
func (noListener) OnBatchLoaded(topology.TopicPartition, string, topology.TaskID, int64, int64, int64) {
}

func (noListener) OnUpdateSuspended(topology.TopicPartition, string, int64, int64, SuspendReason) {}
