package connect

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Herder decides what runs on a worker and answers the REST API: Kafka's StandaloneHerder and DistributedHerder. What is to
// run follows from the config topic and, in a group, from the assignment; whenever one of them changes, reconcile compares it
// with what runs. Nothing here waits for a connector or a task, so none of them holds the others or the REST API up.
//
// mu is held for memory only. Whatever writes to a log or calls a plugin is done after it is released.
type Herder struct {
	cfg       *WorkerConfig
	worker    *Worker
	log       *slog.Logger
	configs   ConfigLog
	statuses  Log
	validator *Validator
	member    Member
	group     *GroupMember // what member is in a distributed worker, nil in a standalone one
	loggers   *Loggers
	admin     *lazyAdmin
	writes    chan struct{} // a token for one change of the configuration at a time
	stage     atomic.Pointer[Stages]
	ready     atomic.Bool
	joined    atomic.Bool                // the group, at least once
	unsigned  atomic.Bool                // the group has agreed on a protocol in which workers do not sign their requests
	starting  atomic.Pointer[startStage] // what the start still has to do before the worker is said to be healthy
	wg        sync.WaitGroup
	life      context.Context
	end       context.CancelFunc
	waits     context.Context // what waits to be tried again ends when the herder is closed
	endWaits  context.CancelFunc

	mu struct {
		sync.Mutex
		config     *ClusterConfig
		statuses   *Statuses
		assigned   Share            // what this worker is to run, in a group
		assignment int64            // config offset of the assignment, in a group
		held       map[string]int64 // connectors whose tasks wait for an assignment at this config offset
		connectors map[string]*RunningConnector
		tasks      map[TaskID]*RunningTask
		// stopping are connectors (by name) and tasks (by TaskID) that end before they may start anew; the channel is closed then.
		stopping   map[any]chan struct{}
		failures   map[TaskID]*Failures         // of tasks and, as task -1, of connectors
		planning   map[string]bool              // task settings are being made; true: and are to be made again
		planned    map[string][sha256.Size]byte // what the connector's settings were, with their variables' values, when it last was asked for tasks
		restarts   map[TaskID]int64             // by the restart policy
		rebalances int64
		generation int32 // of the group
		closed     bool
	}
}

// Member is this worker's place in a group.
type Member interface {
	// Leader tells whether this worker leads, and the leader's URL, "" while there is none.
	Leader() (leads bool, url string)
	// AwaitLeader returns when a leader is known. The error is a *TimeoutError when ctx is done before.
	AwaitLeader(ctx context.Context) error
	// Owner is the URL of the worker that runs a connector (task -1) or task, for the leader.
	Owner(id TaskID) string
	// Changed is closed when this worker has its next assignment, or is no member any more.
	Changed() <-chan struct{}
	// Rejoin has the group rebalance.
	Rejoin()
	// Confirm asks the group whether this worker still leads; the error is a *NotLeader if it does not.
	Confirm(ctx context.Context) error
}

// Stages tell what a worker is doing, for requests that time out.
type Stages struct {
	Doing string
	Began time.Time
}

// NewHerder makes a herder; its logs come with Open. Run starts it.
func NewHerder(w *Worker) *Herder {
	h := &Herder{cfg: w.Config, worker: w, log: w.Log, loggers: NewLoggers(), admin: &lazyAdmin{cfg: w.Config}, writes: make(chan struct{}, 1)}
	h.life, h.end = context.WithCancel(context.Background())
	h.waits, h.endWaits = context.WithCancel(h.life)
	h.mu.config, h.mu.statuses, h.mu.assigned = NewClusterConfig(), NewStatuses(), NewShare(nil, nil)
	h.mu.restarts = map[TaskID]int64{}
	h.mu.held, h.mu.connectors, h.mu.tasks = map[string]int64{}, map[string]*RunningConnector{}, map[TaskID]*RunningTask{}
	h.mu.stopping, h.mu.failures, h.mu.planning = map[any]chan struct{}{}, map[TaskID]*Failures{}, map[string]bool{}
	h.validator = &Validator{
		Converters: w.Config.converters(), Plugins: w.Plugins, WorkerGroup: w.Config.Group, OverridePolicy: w.Config.OverridePolicy, Overridable: w.Config.Overridable, Transform: w.resolve,
		ExactlyOnce: w.Config.ExactlyOnce == "enabled", Compat: w.Config.Compat,
	}
	h.mu.planned = map[string][sha256.Size]byte{}
	w.TaskStatus, w.ConnectorStatus, w.ConnectorFailed, w.ConnectorExpired = h.taskStatus, h.connectorStatus, h.connectorFailed, h.connectorExpired
	if w.Config.TopicTracking {
		w.TopicUsed = h.topicUsed
	}
	return h
}

// UseLogs gives the herder its logs, which call ApplyConfig and ApplyStatus.
func (h *Herder) UseLogs(configs ConfigLog, statuses Log) { h.configs, h.statuses = configs, statuses }

// UseMember gives the herder its place in a group, before it is used by anyone: a herder without one leads itself.
func (h *Herder) UseMember(m Member) { h.member = m }

// Ready says that the start is over: requests may come.
func (h *Herder) Ready() {
	h.ready.Store(true)
	h.reconcile()
}

// Starting has the worker count as starting until done is called, though requests are answered: Kafka's standalone worker does while
// it creates the connectors of its command line.
func (h *Herder) Starting(what string) (done func()) {
	s := &startStage{Stages{what, time.Now()}, make(chan struct{})}
	h.starting.Store(s)
	return func() {
		h.starting.Store(nil)
		close(s.over)
	}
}

// startStage is a part of the start.
type startStage struct {
	Stages
	over chan struct{}
}

// AwaitStarted returns when the worker's start is over: a worker of a group has joined it. The error is a *TimeoutError when ctx is
// done before.
func (h *Herder) AwaitStarted(ctx context.Context) error {
	if h.member != nil && !h.joined.Load() {
		if err := h.member.AwaitLeader(ctx); err != nil {
			return err
		}
		h.joined.Store(true)
	}
	s := h.starting.Load()
	if s == nil {
		return nil
	}
	select {
	case <-s.over:
		return nil
	case <-ctx.Done():
		return &TimeoutError{s.Stages}
	}
}

// TimeoutError is about a request that ended with its time while the worker was doing something.
type TimeoutError struct{ Stage Stages }

// Error says what the worker was doing.
func (e *TimeoutError) Error() string { return "timed out while " + e.Stage.Doing }

// Unwrap is context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// timedOut is the error of a request whose time is over.
func (h *Herder) timedOut(ctx context.Context) error {
	if s := h.stage.Load(); s != nil {
		return &TimeoutError{*s}
	}
	return ctx.Err()
}

// lockLeading is lockWrites for what only the leader may do.
func (h *Herder) lockLeading(ctx context.Context, what string) (unlock func(), err error) {
	if err := h.mustLead(ctx, what); err != nil {
		return nil, err
	}
	if h.member != nil {
		if err := h.member.Confirm(ctx); err != nil {
			return nil, err
		}
	}
	return h.lockWrites(ctx)
}

// lockWrites waits until nobody else changes the configuration; unlock ends the change.
func (h *Herder) lockWrites(ctx context.Context) (unlock func(), err error) {
	select {
	case h.writes <- struct{}{}:
		return func() { <-h.writes }, nil
	case <-ctx.Done():
		return nil, h.timedOut(ctx)
	}
}

// Stage is what the worker is doing, nil for nothing that takes time.
func (h *Herder) Stage() *Stages { return h.stage.Load() }

// Doing notes what takes time from now on; the function returned ends it.
func (h *Herder) Doing(what string) (done func()) {
	h.stage.Store(&Stages{what, time.Now()})
	return func() { h.stage.Store(nil) }
}

// ApplyConfig takes a record of the config topic.
func (h *Herder) ApplyConfig(offset int64, key, value []byte) {
	h.mu.Lock()
	event, err := h.mu.config.Apply(offset, key, value)
	if len(event.TasksUpdated) > 0 && h.member != nil {
		h.mu.held[event.TasksUpdated[0].Connector] = offset + 1
	}
	if event.ConnectorUpdated != "" {
		h.forgetFailuresLocked(event.ConnectorUpdated)
	}
	h.mu.Unlock()
	if err != nil {
		h.log.Warn("a record of the config topic is ignored", "offset", offset, "error", err)
		return
	}
	if !h.ready.Load() {
		return
	}
	switch {
	case event.Restart != nil:
		h.restart(*event.Restart)
		return
	case event.LoggerNamespace != "":
		h.loggers.Set(event.LoggerNamespace, event.LoggerLevel)
		return
	case event.SessionKey != nil:
		return
	}
	if h.member != nil && (event.ConnectorRemoved != "" || len(event.TasksUpdated) > 0 || event.ConnectorUpdated != "" && !h.knownAssigned(event.ConnectorUpdated)) {
		h.member.Rejoin()
	}
	h.reconcile()
}

// knownAssigned tells whether somebody in the group is likely to run the connector already: then a change of its settings
// needs no rebalance.
func (h *Herder) knownAssigned(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.mu.statuses.Connector(name)
	return h.mu.assigned.Connectors[name] || ok
}

// ApplyStatus takes a record of the status topic.
func (h *Herder) ApplyStatus(_ int64, key, value []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.mu.statuses.Apply(key, value); err != nil {
		h.log.Debug("a record of the status topic is ignored", "error", err)
	}
}

// Assign takes what this worker is to run, from its place in the group.
func (h *Herder) Assign(share Share, configOffset int64, generation int32) {
	h.mu.Lock()
	h.mu.assigned, h.mu.assignment, h.mu.generation = share, configOffset, generation
	h.mu.rebalances++
	for name, offset := range h.mu.held {
		if offset <= configOffset {
			delete(h.mu.held, name)
		}
	}
	h.mu.Unlock()
	h.reconcile()
}

// Revoke takes connectors and tasks away and returns when they have ended, or were abandoned.
func (h *Herder) Revoke(share Share) {
	h.mu.Lock()
	h.mu.assigned.remove(share)
	h.mu.Unlock()
	h.reconcile()
	h.awaitStopped(share)
	// What is said of the end of a task has to be written before another worker says that it runs: the last word counts.
	ctx, cancel := context.WithTimeout(h.life, h.cfg.ShutdownTimeout)
	defer cancel()
	if err := h.statuses.Flush(ctx); err != nil {
		h.log.Warn("states of what was given up are not written yet", "error", err)
	}
}

// awaitStopped returns when nothing of share runs here any more. What does not end is abandoned in time, so this does end.
func (h *Herder) awaitStopped(share Share) {
	for _, ended := range h.endingOf(share) {
		select {
		case <-ended:
		case <-h.life.Done():
		}
	}
}

func (h *Herder) endingOf(share Share) (out []<-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range share.Connectors {
		if ended := h.mu.stopping[name]; ended != nil {
			out = append(out, ended)
		}
	}
	for id := range share.Tasks {
		if ended := h.mu.stopping[id]; ended != nil {
			out = append(out, ended)
		}
	}
	return out
}

// endedLocked lets what was stopping start anew.
func (h *Herder) endedLocked(key any) {
	close(h.mu.stopping[key])
	delete(h.mu.stopping, key)
}

// wantedLocked is what this worker is to run.
func (h *Herder) wantedLocked() Share {
	all := NewShare(h.mu.config.Connectors(), nil)
	for name := range all.Connectors {
		for _, id := range h.mu.config.Tasks(name) {
			if h.mu.config.TargetState(name) != Stopped {
				all.Tasks[id] = true
			}
		}
	}
	if h.mu.closed {
		return NewShare(nil, nil)
	}
	if h.member != nil {
		return all.common(h.mu.assigned)
	}
	return all
}

// reconcile starts and stops what is to be started and stopped.
func (h *Herder) reconcile() {
	if !h.ready.Load() {
		return
	}
	for _, id := range h.forgettable() {
		h.statuses.Send(TaskStatusRecord(id, nil))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := h.wantedLocked()
	for id, t := range h.mu.tasks {
		if !wanted.Tasks[id] || h.staleLocked(t) {
			h.stopTaskLocked(id, t)
		}
	}
	for name, c := range h.mu.connectors {
		props := h.mu.config.Connector(name)
		if !wanted.Connectors[name] || !maps.Equal(props, c.Props.Map()) {
			h.stopConnectorLocked(name, c)
		}
	}
	for _, name := range wanted.ConnectorList() {
		h.runConnectorLocked(name)
	}
	for _, id := range wanted.TaskList() {
		h.runTaskLocked(id)
	}
}

// forgettable are tasks that a connector has no more, whose status nobody else will take back: they ran here, or, on the leader,
// nowhere.
func (h *Herder) forgettable() (out []TaskID) {
	leads, _ := h.leader()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range h.mu.config.Connectors() {
		has := h.mu.config.Tasks(name)
		for _, id := range h.mu.statuses.Tasks(name) {
			if id.Task < len(has) || h.mu.tasks[id] != nil || h.mu.stopping[id] != nil || !h.mu.config.Complete(name) {
				continue
			}
			s, _ := h.mu.statuses.Task(id)
			if s.WorkerID == h.cfg.WorkerID() || leads && (h.member == nil || h.member.Owner(id) == "") {
				out = append(out, id)
			}
		}
	}
	return out
}

// staleLocked tells whether the task's settings have changed.
func (h *Herder) staleLocked(t *RunningTask) bool {
	return h.mu.config.Generation(t.Spec.ID.Connector) != t.Spec.Generation
}

func (h *Herder) runConnectorLocked(name string) {
	target := h.mu.config.TargetState(name)
	if c := h.mu.connectors[name]; c != nil {
		c.SetTarget(target)
		return
	}
	if h.mu.stopping[name] != nil {
		return
	}
	props := propsOf(h.mu.config.Connector(name))
	for _, k := range h.mu.config.Nulls(name) {
		props[k] = nil
	}
	c := h.worker.StartConnector(name, props, target, func() { h.plan(name) })
	h.mu.connectors[name] = c
}

func (h *Herder) runTaskLocked(id TaskID) {
	paused := h.mu.config.TargetState(id.Connector) == Paused
	if t := h.mu.tasks[id]; t != nil {
		t.Pause(paused)
		return
	}
	if _, held := h.mu.held[id.Connector]; held || h.mu.stopping[id] != nil {
		return
	}
	connector := h.mu.config.AppliedConnector(id.Connector)
	if connector == nil {
		connector = h.mu.config.Connector(id.Connector)
	}
	spec := TaskSpec{
		ID: id, Connector: propsOf(connector), Task: propsOf(h.mu.config.Task(id)), Paused: paused, Generation: h.mu.config.Generation(id.Connector),
	}
	h.mu.tasks[id] = h.worker.StartTask(spec, h.taskFailed)
}

// stopTaskLocked stops a task; when it has ended, or was abandoned, reconcile may start it anew.
func (h *Herder) stopTaskLocked(id TaskID, t *RunningTask) {
	delete(h.mu.tasks, id)
	if h.mu.stopping[id] != nil {
		return
	}
	h.mu.stopping[id] = make(chan struct{})
	t.Stop()
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		h.awaitTask(t)
		h.mu.Lock()
		h.endedLocked(id)
		gone := !h.mu.config.Contains(id.Connector) || id.Task >= len(h.mu.config.Tasks(id.Connector))
		h.mu.Unlock()
		if gone {
			h.statuses.Send(TaskStatusRecord(id, nil))
		}
		h.reconcile()
	}()
}

// closingTime is what a task has for closing its clients, after the graceful time and what it wrote and committed in it.
const closingTime = time.Second

// awaitTask returns when a task that was asked to stop has ended. One that does not within the graceful time, or not much later, is
// abandoned.
func (h *Herder) awaitTask(t *RunningTask) {
	timer := time.NewTimer(h.cfg.ShutdownTimeout + closingTime)
	defer timer.Stop()
	select {
	case <-t.Done():
		return
	case <-timer.C:
	}
	h.log.Error("a task does not end and is abandoned", "connector", t.Spec.ID.Connector, "task", t.Spec.ID.Task)
	t.Abandon()
}

func (h *Herder) stopConnectorLocked(name string, c *RunningConnector) {
	delete(h.mu.connectors, name)
	h.mu.stopping[name] = make(chan struct{})
	final := StateUnassigned
	if !h.mu.config.Contains(name) || h.mu.assigned.Connectors[name] || h.member == nil && !h.mu.closed {
		final = "" // it is deleted, or starts anew
	}
	c.Stop(final)
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		timer := time.NewTimer(h.cfg.ShutdownTimeout)
		defer timer.Stop()
		select {
		case <-c.Done():
		case <-timer.C:
			h.log.Error("a connector does not end and is left alone", "connector", name)
		}
		h.mu.Lock()
		h.endedLocked(name)
		gone := !h.mu.config.Contains(name)
		var forget []Record
		if gone {
			forget = h.tombstonesLocked(name)
			delete(h.mu.planned, name)
		}
		h.mu.Unlock()
		for _, r := range forget {
			h.statuses.Send(r)
		}
		h.reconcile()
	}()
}

// tombstonesLocked forget all that is known of the state of a connector that is no more.
func (h *Herder) tombstonesLocked(name string) []Record {
	out := []Record{ConnectorStatusRecord(name, nil)}
	for _, id := range h.mu.statuses.Tasks(name) {
		out = append(out, TaskStatusRecord(id, nil))
	}
	for _, t := range h.mu.statuses.Topics(name) {
		out = append(out, TopicStatusTombstone(t.Topic, name))
	}
	return out
}

// restart carries a restart request out, for the parts that run here.
func (h *Herder) restart(r RestartRequest) {
	h.mu.Lock()
	plan := PlanRestart(r, h.mu.statuses)
	wanted := h.wantedLocked()
	var told []Record
	if plan != nil {
		for _, id := range plan.Tasks {
			if wanted.Tasks[id] {
				told = append(told, TaskStatusRecord(id, h.ownLocked(Status{State: StateRestarting})))
				delete(h.mu.failures, id)
			}
		}
		if plan.Connector && wanted.Connectors[r.Connector] {
			told = append(told, ConnectorStatusRecord(r.Connector, h.ownLocked(Status{State: StateRestarting})))
		}
	}
	h.mu.Unlock()
	if plan == nil {
		return
	}
	for _, r := range told {
		h.statuses.Send(r)
	}
	h.mu.Lock()
	if c := h.mu.connectors[r.Connector]; c != nil && plan.Connector {
		h.stopConnectorLocked(r.Connector, c)
	}
	for _, id := range plan.Tasks {
		if t := h.mu.tasks[id]; t != nil {
			h.stopTaskLocked(id, t)
		}
	}
	h.mu.Unlock()
	h.reconcile()
}

// ownLocked signs a status as this worker's.
func (h *Herder) ownLocked(s Status) *Status {
	s.WorkerID, s.Generation = h.cfg.WorkerID(), h.mu.generation
	return &s
}

func (h *Herder) taskStatus(id TaskID, s Status) {
	h.mu.Lock()
	own := h.ownLocked(s)
	known, exists := h.mu.statuses.Task(id)
	if own.Version == "" {
		own.Version = known.Version
	}
	h.mu.Unlock()
	if s.State == StateUnassigned && !MaySafely(known, exists, *own) {
		return
	}
	h.statuses.Send(TaskStatusRecord(id, own))
}

func (h *Herder) connectorStatus(name string, s Status) {
	h.mu.Lock()
	own := h.ownLocked(s)
	known, exists := h.mu.statuses.Connector(name)
	h.mu.Unlock()
	if s.State == StateUnassigned && !MaySafely(known, exists, *own) {
		return
	}
	h.statuses.Send(ConnectorStatusRecord(name, own))
}

func (h *Herder) topicUsed(id TaskID, topic string) {
	h.mu.Lock()
	known := slices.ContainsFunc(h.mu.statuses.Topics(id.Connector), func(t TopicStatus) bool { return t.Topic == topic })
	h.mu.Unlock()
	if !known {
		h.statuses.Send(TopicStatusRecord(TopicStatus{Topic: topic, Connector: id.Connector, Task: id.Task, Discovered: time.Now().UnixMilli()}))
	}
}

// Close stops everything that runs here and returns when it has ended.
func (h *Herder) Close() error {
	h.mu.Lock()
	h.mu.closed = true
	h.mu.Unlock()
	h.endWaits()
	h.reconcile()
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(h.cfg.ShutdownTimeout + 2*closingTime):
	}
	h.end()
	h.admin.close()
	if h.group != nil {
		h.group.Close()
	}
	return h.closeLogs()
}

// closeLogs closes them at the same time: without a broker each waits for it as long as it may. What it does not take then is no
// error: it is states of a worker that the group knows to be gone, and what was told to have failed when it was written.
func (h *Herder) closeLogs() error {
	var errs [3]error
	var all sync.WaitGroup
	for i, l := range []interface{ Close() error }{h.configs, h.statuses, h.worker.Offsets} {
		all.Go(func() { errs[i] = l.Close() })
	}
	all.Wait()
	for i, err := range errs {
		if errors.Is(err, context.DeadlineExceeded) {
			h.log.Warn("the broker does not take what was left to write", "error", err)
			errs[i] = nil
		}
	}
	return errors.Join(errs[:]...)
}
