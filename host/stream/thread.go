package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Bounds of a thread's loop.
const (
	// roundRecords is how many records a task handles before the next task has its turn, and time and what was written are
	// looked at: enough for a few whole frames, and milliseconds of work.
	roundRecords = 1000
	// uncommittedBytes is what the stores of a thread may hold before a commit comes early. Kafka's default of
	// statestore.uncommitted.max.bytes.
	uncommittedBytes = 64 << 20
	// earlyBytes is what they may hold before a thread whose results no one sees until they are committed does not wait
	// for the whole interval: each byte of it is there once more in the batch of the commit, the tables in memory and the
	// producer. A commit of so much takes a fifth of the time that it took to write it.
	earlyBytes = 2 << 20
	// readAheadBytes is what tasks may hold of records that are not processed, before a thread that is busy leaves what
	// is fetched with the client, which then fetches no more: enough for the next rounds.
	readAheadBytes = 2 << 20
	// idleCommits is how much sooner a thread commits that has no more records, or has written much. At 100 ms that is 50 transactions a
	// second at most, a few milliseconds of a broker's time, and leaves 20 ms to the coordinator to finish each before
	// the next one begins.
	idleCommits = 5
	// sessionBackoff is the first pause before a thread that lost its place or its transaction starts anew; it doubles
	// up to sessionBackoffMax and begins again after a commit.
	sessionBackoff    = 50 * time.Millisecond
	sessionBackoffMax = 5 * time.Second
)

// ThreadState is Kafka's StreamThread.State.
type ThreadState int32

// The states of a thread.
const (
	ThreadCreated ThreadState = iota
	ThreadStarting
	ThreadPartitionsRevoked
	ThreadPartitionsAssigned
	ThreadRunning
	ThreadPendingShutdown
	ThreadDead
)

// String is Kafka's name.
func (s ThreadState) String() string {
	return [...]string{"CREATED", "STARTING", "PARTITIONS_REVOKED", "PARTITIONS_ASSIGNED", "RUNNING", "PENDING_SHUTDOWN", "DEAD"}[s]
}

// threadConfig is what a thread is made of; all but index and name is shared by the threads of an App.
type threadConfig struct {
	index           int // from 1
	name            string
	applicationID   string
	processID       string
	instanceID      string // group.instance.id
	transactionalID string // "" for at_least_once
	exactlyOnce     bool
	transactionV2   bool

	plan       *topicPlan
	partitions func(topic string) int32
	reset      func(topic string) (kgo.Offset, error)
	// positions are how far the state of tasks in this process is; running notes which tasks of the thread run.
	positions func() map[topology.TaskID]int64
	running   func(id topology.TaskID, is bool)
	placement PlacementConfig
	// newAssignor makes the balancer of a membership.
	newAssignor func() *Assignor
	restores    StateRestoreListener
	standbys    StandbyUpdateListener

	consumerOptions, producerOptions, restoreOptions []kgo.Opt
	sessionTimeout, rebalanceTimeout                 time.Duration
	transactionTimeout                               time.Duration

	commitInterval, pollTimeout, taskTimeout time.Duration
	pollRecords                              int // -1: all that is there
	bufferedRecords                          int
	bufferedBytes                            int
	maxRecord                                int  // max.request.size
	caching                                  bool // there is a record cache
	shutdownGrace                            time.Duration

	newTask func(TaskConfig) (*Task, *moduleSet, error)
	clock   func() time.Time // measures
	wall    func() time.Time // says what time it is, and may jump
	// paused tells whether processing is paused, and remains whether a clean stop keeps the place in the group.
	paused, remains func() bool
	// stay is how much longer a member remains that ends.
	stay func() time.Duration
	// settle ends what a producer of a transactional id has left open.
	settle func(ctx context.Context, transactionalID string) error
	// replan looks at the topics again if there are partitions in an assignment that are new.
	replan func(ctx context.Context, assigned map[string][]int32) error
	// purge notes the committed offset of a repartition topic.
	purge   func(tp topology.TopicPartition, offset int64)
	log     *slog.Logger
	metrics *threadMetrics
	queries *queryables
	// changed is told of each new state, on the thread's goroutine.
	changed func(t *Thread, s ThreadState)
}

// Thread runs tasks: one goroutine that owns a consumer, a producer, the tasks assigned to it, their stores and
// instances.
//
// # Design
//
// A thread works in sessions. A session makes the producer, whose initialisation fences and settles what an earlier
// one left open, then joins the group, restores and runs what it is assigned, and ends with everything closed. It
// ends for one of four reasons: the application stops (commit, close, leave); a task or the cluster fails for good
// (close, Run returns the error); its place may be another's (ErrTaskMigrated), or the outcome of a transaction is
// open (*TaskCorruptedError): then nothing more is written, everything is closed, and the next session starts from
// what is committed. There is no other way of recovering, so that the rare ways of failing go the same way as a
// restart after a crash.
//
// The commit, in this order: caches and guests are flushed into the transaction; all records acknowledged; offsets of
// what was processed added to the transaction under the group's generation; EndTxn acknowledged; then one batch of
// the local state with the offsets of its changelogs. Dying in between leaves the state behind the changelog, never
// ahead of it.
type Thread struct {
	cfg   *threadConfig
	db    *state.DB
	cache *state.ThreadCache
	log   *slog.Logger
	state atomic.Int32

	share  atomic.Int64 // of the record cache, in bytes
	leaves atomic.Bool  // it leaves the group for good, whatever its application does
	life   context.Context
	stop   context.CancelFunc // ends life, and with it the thread
	ended  chan struct{}      // closed when it has run for the last time

	session  atomic.Pointer[session]      // what other goroutines may call
	updating atomic.Pointer[StateUpdater] // of the session, for its progress

	backoff    time.Duration
	failingAt  time.Time // since when no commit succeeded
	everJoined bool
	refusals   refusals
}

func newThread(cfg *threadConfig, db *state.DB) *Thread {
	t := &Thread{cfg: cfg, db: db, log: cfg.log.With("thread", cfg.name), backoff: sessionBackoff, ended: make(chan struct{})}
	t.life, t.stop = context.WithCancel(context.Background())
	if cfg.caching {
		t.cache = state.NewThreadCache(0)
	}
	return t
}

// Name is Kafka's, "<client id>-StreamThread-<n>".
func (t *Thread) Name() string { return t.cfg.name }

// State can be asked from any goroutine.
func (t *Thread) State() ThreadState { return ThreadState(t.state.Load()) }

func (t *Thread) setState(s ThreadState) {
	if ThreadState(t.state.Swap(int32(s))) != s {
		t.log.Info("thread state", "state", s.String())
		t.cfg.changed(t, s)
	}
}

// Run works until ctx is done, which is a clean stop and returns nil, or until it fails.
func (t *Thread) Run(ctx context.Context) error {
	defer t.setState(ThreadDead)
	t.failingAt = t.cfg.clock()
	for {
		t.setState(ThreadStarting)
		err := t.runSession(ctx)
		if errs.StreamUncommitted.Is(err) {
			return err
		}
		if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		if !t.startAnew(err) {
			return err
		}
		if pause(ctx, t.backoff) != nil {
			return nil
		}
		t.backoff = min(2*t.backoff, sessionBackoffMax)
	}
}

// startAnew tells whether a session's error is answered by another session. Without a commit for task.timeout.ms it is
// not: then something is wrong that does not pass.
func (t *Thread) startAnew(err error) bool {
	if !passes(err) {
		return false
	}
	if t.cfg.clock().Sub(t.failingAt) > t.cfg.taskTimeout {
		t.log.Error("no commit succeeded for task.timeout.ms", "code", "E-KAFKA-REQUEST", "err", err)
		return false
	}
	t.log.Warn("the thread starts again from what is committed", "err", err)
	t.cfg.metrics.restarts.Add(1)
	return true
}

// passes tells whether an error may be gone in another session.
func passes(err error) bool {
	var corrupted *TaskCorruptedError
	return !errs.KafkaFenced.Is(err) && (errors.Is(err, ErrTaskMigrated) || errors.As(err, &corrupted) || isTransient(err))
}

// committedOnce notes that the thread makes progress.
func (t *Thread) committedOnce(now time.Time) { t.backoff, t.failingAt = sessionBackoff, now }

// call runs fn on the thread's goroutine in its current session, or reports false if there is none.
func (t *Thread) call(ctx context.Context, fn func(*session)) bool {
	s := t.session.Load()
	return s != nil && s.consumer.mailbox.call(ctx, func() { fn(s) })
}

// session is one life of a thread between joining and leaving.
type session struct {
	*Thread
	// hard ends waits for the cluster when a stop takes longer than the grace.
	hard     context.Context
	producer *Producer
	consumer *Consumer
	updater  *StateUpdater
	// stopUpdater ends it and returns when it has.
	stopUpdater func()
	records     *RecordCollector
	tasks       *TaskManager

	failure    error     // of a callback
	lastCommit time.Time // when it ended
	probeAt    time.Time // when to have the group balanced anew; zero: not
	batch      *state.Batch
	// unread: a topic is gone that a pattern matched. The session leaves, for as a static member the next one would be given
	// what this one has, with that topic, without a rebalance, and be no better off.
	unread bool
	// placedOnce: the group has given an assignment, maybe an empty one. Before that the session is starting.
	placedOnce bool
}

func (t *Thread) runSession(ctx context.Context) (err error) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(t.cfg.shutdownGrace, cancel) })()
	s := &session{Thread: t, hard: hard, batch: t.db.NewBatch()}
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.close(false, false))
	}
	t.session.Store(s)
	err = s.loop(ctx)
	t.session.Store(nil)
	clean := err == nil
	if clean {
		t.setState(ThreadPendingShutdown)
		err = s.lastCommitOf(ctx)
	}
	// A thread that ends leaves the group, after an error too: nobody is to wait for it. One that was fenced has been
	// replaced under its name already.
	clean = clean && err == nil
	if err != nil {
		err = s.settle(err)
	}
	leave := clean && (s.leaves.Load() || !s.cfg.remains()) || !clean && (s.unread || !passes(err)) && !errs.KafkaFenced.Is(err) && !s.consumer.fenced.Load()
	err = errors.Join(err, s.close(clean, leave))
	if s.consumer.fenced.Load() && !clean {
		return fencedError(err)
	}
	return err
}

// lastCommitOf is the commit at the end of a session. At the end of the application nothing follows that could make up
// for one that failed; where another member has the tasks by now, there is nothing to make up for.
func (s *session) lastCommitOf(ctx context.Context) error {
	err := s.commit(true)
	if err == nil || ctx.Err() == nil || errors.Is(err, ErrTaskMigrated) || errs.KafkaFenced.Is(err) {
		return err
	}
	return errs.StreamUncommitted.New(s.Name(), "the last commit failed; what was processed since the one before is processed again", "").WithCause(err)
}

// settle looks at what was sent before a session that failed is closed, and returns what the failure is then. Without
// transactions the records stay, among them those in the dead-letter topic that tell of the failure; and what the broker
// refused is known to the next session.
func (s *session) settle(failure error) error {
	ctx, cancel := context.WithTimeout(s.hard, s.cfg.shutdownGrace)
	defer cancel()
	if !s.producer.transactional() && !passes(failure) {
		if err := s.records.flush(ctx); err != nil && !errors.Is(failure, err) {
			failure = errors.Join(failure, err)
		}
	}
	if !s.refusals.pending() {
		return failure
	}
	// Every record that was sent is heard of when the call returns.
	found, err := s.refusals.conclude(s.producer.client.AbortBufferedRecords(ctx) == nil)
	if err != nil {
		return err
	}
	if found {
		s.backoff, s.failingAt = sessionBackoff, s.cfg.clock()
	}
	return failure
}

// open makes the producer, then the rest, and joins the group.
func (s *session) open(ctx context.Context) (err error) {
	c := s.cfg
	if s.producer, err = newProducer(producerConfig{
		options: c.producerOptions, transactionalID: c.transactionalID,
		transactionTimeout: c.transactionTimeout, transactionV2: c.transactionV2,
	}); err != nil {
		return err
	}
	if err := s.producer.init(ctx); err != nil {
		return err
	}
	failpoint("initialised")
	s.records = newRecordCollector(s.hard, s.producer.client, c.partitions, c.metrics)
	s.records.maxRecord, s.records.refusals = c.maxRecord, &s.refusals
	topics, patterns := c.plan.subscription()
	if s.consumer, err = newConsumer(consumerConfig{
		options: c.consumerOptions, group: c.applicationID, instanceID: c.instanceID, topics: topics, patterns: patterns,
		assignor: c.newAssignor(), readCommitted: c.exactlyOnce,
		sessionTimeout: c.sessionTimeout, rebalanceTimeout: c.rebalanceTimeout, reset: c.reset, log: s.log,
	}, s); err != nil {
		return err
	}
	if err := s.startUpdater(); err != nil {
		return err
	}
	s.tasks = newTaskManager(s)
	s.lastCommit = c.clock()
	return nil
}

// startUpdater starts what restores stores beside the thread.
func (s *session) startUpdater() error {
	c := s.cfg
	reader, err := newChangelogReader(c.restoreOptions, c.exactlyOnce && !mutant(uncommittedRestored), c.taskTimeout, s.log)
	if err != nil {
		return err
	}
	s.updater = newStateUpdater(updaterConfig{
		reader: reader, isolation: reader.isolation, batch: s.db.NewBatch(), clock: c.clock, wall: c.wall, wake: s.consumer.interrupt,
		paused: c.paused, restores: c.restores, standbys: c.standbys, log: s.log,
	})
	ctx, stop := context.WithCancel(context.Background())
	var updating sync.WaitGroup
	updating.Go(func() { s.updater.Run(ctx) })
	s.stopUpdater = func() { stop(); updating.Wait() }
	s.updating.Store(s.updater)
	return nil
}

// loop is the life of a session: poll, process, punctuate, commit.
func (s *session) loop(ctx context.Context) error {
	busy := false
	for ctx.Err() == nil {
		s.consumer.mailbox.serve()
		if s.failure != nil {
			return s.failure
		}
		var err error
		if busy, err = s.once(ctx, busy); err != nil {
			return err
		}
	}
	return nil
}

// once is one round. busy says that records were waiting after the round before, so that the poll does not wait.
func (s *session) once(ctx context.Context, busy bool) (bool, error) {
	m := s.cfg.metrics
	if err := s.tasks.restore(); err != nil {
		return false, err
	}
	if err := s.resizeCache(); err != nil {
		return false, err
	}
	s.showRunning()
	s.tasks.pausePartitions()
	began := s.cfg.clock()
	wait := time.Duration(0)
	if !busy {
		wait = s.idleWait(began)
	}
	if !busy || s.tasks.bufferedBytes() < readAheadBytes {
		fetches := s.consumer.poll(ctx, wait, s.cfg.pollRecords)
		m.durations.Poll.Observe(s.cfg.clock().Sub(began))
		notePolled(fetches)
		if err := s.tasks.add(fetches); err != nil {
			return false, err
		}
	}
	now := s.cfg.clock()
	s.probe(now)
	if s.cfg.paused() {
		s.tasks.showLag()
		return false, s.commitIfDue(now, true)
	}
	n, err := s.tasks.process(s.cfg.wall().UnixMilli(), roundRecords)
	if err != nil {
		return false, err
	}
	s.tasks.showLag()
	if n > 0 {
		failpoint("processed")
		began, now = now, s.cfg.clock()
		m.durations.Process.Observe(now.Sub(began))
		m.processed.Add(int64(n))
	}
	p, err := s.tasks.punctuate(s.cfg.wall().UnixMilli())
	if err != nil {
		return false, err
	}
	if p > 0 {
		m.durations.Punctuate.Observe(s.cfg.clock().Sub(now))
		m.punctuated.Add(int64(p))
	}
	return n > 0, s.commitIfDue(now, n == 0)
}

// resizeCache takes up a change of the thread's share of the record cache.
func (s *session) resizeCache() error {
	if s.cache == nil || s.cache.MaxBytes() == s.share.Load() {
		return nil
	}
	return s.cache.Resize(s.share.Load())
}

func (s *session) commitIfDue(now time.Time, idle bool) error {
	if !s.commitDue(now, idle) {
		return nil
	}
	return s.commit(false)
}

// idleWait is how long a poll may wait: poll.ms, or until the next commit.
func (s *session) idleWait(now time.Time) time.Duration {
	wait := s.cfg.pollTimeout
	if s.tasks.commitNeeded() {
		wait = min(wait, s.lastCommit.Add(s.commitInterval(true)).Sub(now))
	}
	if next := s.tasks.nextPunctuation(); next < math.MaxInt64 && !s.cfg.paused() {
		wait = min(wait, time.UnixMilli(next).Sub(s.cfg.wall()))
	}
	return max(wait, time.Millisecond)
}

// commitInterval is commit.interval.ms, or a part of it for a thread that has nothing else to do, or has written much, and
// whose results no one sees before they are committed. What lies in record caches is left alone: it is there to be overwritten.
func (s *session) commitInterval(sooner bool) time.Duration {
	if sooner && s.cfg.exactlyOnce && (s.cache == nil || s.cache.Bytes() == 0) {
		return s.cfg.commitInterval / idleCommits
	}
	return s.cfg.commitInterval
}

func (s *session) commitDue(now time.Time, idle bool) bool {
	written := s.tasks.uncommittedBytes()
	return now.Sub(s.lastCommit) >= s.commitInterval(idle || written > earlyBytes) || s.tasks.commitRequested() || written > uncommittedBytes
}

// commit makes final what all tasks of the thread did since the last one. force is for the end of a session, which
// does not wait for anything to be worth it.
func (s *session) commit(force bool) error {
	began := s.cfg.clock()
	s.lastCommit = began
	if !s.tasks.commitNeeded() && s.records.sent == 0 {
		return s.records.err()
	}
	if err := s.tasks.prepareCommit(); err != nil {
		return err
	}
	failpoint("prepared")
	if err := s.records.flush(s.hard); err != nil {
		return err
	}
	failpoint("flushed")
	offsets := s.tasks.offsets()
	if err := s.mutateBefore(offsets); err != nil {
		return err
	}
	if err := s.commitOffsets(offsets); err != nil {
		return err
	}
	failpoint("ended")
	if err := s.mutateAfter(offsets); err != nil {
		return err
	}
	if err := s.commitState(offsets); err != nil {
		return err
	}
	failpoint("stored")
	s.records.committed()
	s.refusals.committed()
	s.tasks.postCommit(offsets)
	if s.cache != nil {
		stats := s.cache.Stats()
		s.cfg.metrics.cacheBytes.Store(s.cache.Bytes())
		s.cfg.metrics.cacheHits.Store(int64(stats.Hits))
		s.cfg.metrics.cacheMisses.Store(int64(stats.Misses))
	}
	// The next interval begins here, as in Kafka: a broker that is slow to commit is not told to at once again.
	s.lastCommit = s.cfg.clock()
	s.cfg.metrics.durations.Commit.Observe(s.lastCommit.Sub(began))
	s.committedOnce(s.lastCommit)
	return nil
}

// commitOffsets tells the cluster. In a transaction that has records the offsets go with it; it always has some, so
// that the broker checks our generation also when only a punctuator sent something. A transaction without records
// does not exist for the broker, and the offsets are committed plainly then.
func (s *session) commitOffsets(offsets map[topology.TopicPartition]committedOffset) error {
	if !s.producer.transactional() || s.records.sent == 0 {
		return s.commitPlainly(offsets)
	}
	if len(offsets) == 0 {
		offsets = s.tasks.anyCommitted()
	}
	began := s.cfg.clock()
	err := s.producer.commit(s.hard, s.consumer.groupMetadata, offsets)
	s.cfg.metrics.transaction(s.cfg.clock().Sub(began), err)
	return err
}

// commitPlainly tells the group the offsets outside of a transaction.
func (s *session) commitPlainly(offsets map[topology.TopicPartition]committedOffset) error {
	if err := s.consumer.commit(s.hard, offsets); err != nil {
		return commitError("committing offsets", err)
	}
	return nil
}

// commitState writes what the stores did, and the offsets of their changelogs, in one batch.
func (s *session) commitState(offsets map[topology.TopicPartition]committedOffset) error {
	if err := s.tasks.stage(s.batch, offsets, s.cfg.wall()); err != nil {
		s.batch.Close()
		return err
	}
	return s.batch.Commit()
}

// assigned, revoked and lost implement rebalanceListener.
func (s *session) assigned(parts map[string][]int32) {
	if s.failure != nil {
		return
	}
	if s.tasks.extends(parts) { // tasks are made for a fixed set of partitions: they begin anew with one more
		s.fail(errors.Join(s.commit(true), fmt.Errorf("%w: another topic is read", ErrTaskMigrated)))
		return
	}
	if len(parts) > 0 {
		s.setState(ThreadPartitionsAssigned)
		if err := s.cfg.replan(s.hard, parts); err != nil {
			s.fail(err)
			return
		}
		s.fail(s.tasks.assign(parts))
	}
	s.placed()
	s.showRunning()
	if !s.everJoined && s.cfg.instanceID != "" && !mutant(lostRejoin) {
		// A static member that died between giving partitions up and joining again got its old assignment back, without
		// a rebalance, and nobody has what it gave up. Joining once more lets the leader look.
		s.everJoined = true
		s.consumer.client.ForceRebalance()
	}
}

// placed takes up what the assignor said beside the partitions: standbys, and when to look again.
func (s *session) placed() {
	if s.failure != nil {
		return
	}
	s.placedOnce = true
	p := s.consumer.cfg.assignor.placement()
	s.fail(s.tasks.setStandbys(p.standbys))
	s.probeAt = time.Time{}
	if p.probe {
		s.probeAt = s.cfg.clock().Add(s.cfg.placement.ProbingRebalanceInterval)
	}
}

// probe has the group balanced anew when replicas may have caught up to which tasks are to move. Only the leader is told
// to, whose joining alone is enough.
func (s *session) probe(now time.Time) {
	if s.probeAt.IsZero() || now.Before(s.probeAt) {
		return
	}
	s.probeAt = time.Time{}
	s.log.Info("probing rebalance")
	s.consumer.client.ForceRebalance()
}

func (s *session) revoked(parts map[string][]int32) {
	if len(parts) == 0 || s.failure != nil {
		return
	}
	s.setState(ThreadPartitionsRevoked)
	err := s.commit(true)
	gone := s.tasks.revoke(parts)
	if errors.Is(gone, ErrTaskMigrated) {
		s.unread = true
	}
	s.fail(errors.Join(err, gone))
	failpoint("revoked")
	s.showRunning()
}

// showRunning sets the state once there is an assignment and everything in it is restored and runs.
func (s *session) showRunning() {
	if s.failure == nil && s.placedOnce && !s.tasks.restoring() {
		s.setState(ThreadRunning)
	}
}

func (s *session) lost(parts map[string][]int32) {
	if len(parts) > 0 {
		s.fail(fmt.Errorf("%w: the group ended the membership, or did not answer for session.timeout.ms", ErrTaskMigrated))
	}
}

func (s *session) fail(err error) {
	if s.failure == nil {
		s.failure = err
	}
}

// close ends everything of the session; clean after a commit that left nothing open. Then the group is told that the
// member leaves for good.
func (s *session) close(clean, leave bool) error {
	var faults []error
	reason := CloseDirty
	if clean {
		reason = CloseShutdown
	} else {
		s.mutateClose()
	}
	if s.tasks != nil {
		faults = append(faults, s.tasks.close(reason))
	}
	s.failure = errSessionOver // callbacks from here on find nothing to do
	if leave && !clean {
		s.settleTransaction()
	}
	if s.consumer != nil {
		s.consumer.close(s.hard, leave, s.cfg.stay())
	}
	if s.stopUpdater != nil {
		s.updating.Store(nil)
		s.stopUpdater()
	}
	if s.producer != nil {
		if clean {
			faults = append(faults, s.producer.abort(s.hard))
		}
		s.producer.close()
	}
	s.batch.Close()
	return errors.Join(faults...)
}

// settleTransaction ends the transaction that a failure left open, before the tasks go to others: those cannot read the
// committed offsets, nor readers the outputs, until it has ended. It does so as the next session would, by a producer that
// fences this one; whether the last commit got through is the broker's to know.
func (s *session) settleTransaction() {
	if s.producer == nil || !s.producer.transactional() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.hard), leaveTimeout)
	defer cancel()
	if err := s.cfg.settle(ctx, s.cfg.transactionalID); err != nil {
		s.log.Warn("the open transaction holds readers back until transaction.timeout.ms", "transactional.id", s.cfg.transactionalID, "err", err)
	}
}

var errSessionOver = errors.New("the session is over")

// processBytes reads a process id (a UUID) as bytes; anything else gives what its digits give.
func processBytes(id string) (b [processIDLen]byte) {
	n := 0
	for _, c := range id {
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = byte(c - '0')
		case c >= 'a' && c <= 'f':
			v = byte(c-'a') + 10
		default:
			continue
		}
		if n < 2*processIDLen {
			b[n/2] = b[n/2]<<4 | v
			n++
		}
	}
	return b
}
