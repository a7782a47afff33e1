package stream

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmstream/wasmstream/internal/metrics"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// threadMetrics is what a thread counts. The thread adds, a scrape reads.
type threadMetrics struct {
	durations *metrics.Thread

	processed, punctuated, restarts atomic.Int64
	tasksCreated, tasksClosed       atomic.Int64
	txnCommitted, txnFailed         atomic.Int64
	cacheBytes                      atomic.Int64
	cacheHits, cacheMisses          atomic.Int64

	mu struct {
		sync.Mutex
		tasks  map[topology.TaskID]*taskMetrics
		topics map[string]*topicMetrics
	}
}

// taskMetrics are the counters of a task that lives.
type taskMetrics struct {
	task   *TaskMetrics
	stores map[string]*state.StoreMetrics
	lags   map[topology.TopicPartition]*lagMetrics
}

// lagMetrics is how far a partition is behind: Task.Lag as of the thread's last round. records is -1 while unknown.
type lagMetrics struct{ records, timestamp atomic.Int64 }

type topicMetrics struct{ records, bytes atomic.Int64 }

func newThreadMetrics(set *metrics.Set, thread string) *threadMetrics {
	m := &threadMetrics{durations: set.Thread(thread)}
	m.mu.tasks = make(map[topology.TaskID]*taskMetrics)
	m.mu.topics = make(map[string]*topicMetrics)
	return m
}

// add begins to report a task and its inputs. A standby that becomes active is the same task, with inputs from then on.
func (m *threadMetrics) add(id topology.TaskID, inputs []topology.TopicPartition) *taskMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.mu.tasks[id]
	if t == nil {
		t = &taskMetrics{
			task: NewTaskMetrics(), stores: make(map[string]*state.StoreMetrics), lags: make(map[topology.TopicPartition]*lagMetrics),
		}
		m.mu.tasks[id] = t
		m.tasksCreated.Add(1)
	}
	for _, tp := range inputs {
		t.lags[tp] = &lagMetrics{}
		t.lags[tp].records.Store(-1)
	}
	return t
}

func (m *threadMetrics) remove(id topology.TaskID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.tasks, id)
	m.tasksClosed.Add(1)
}

// store are the counters of a store of a task that was added.
func (m *threadMetrics) store(id topology.TaskID) func(string) *state.StoreMetrics {
	return func(name string) *state.StoreMetrics {
		m.mu.Lock()
		defer m.mu.Unlock()
		t := m.mu.tasks[id]
		if t.stores[name] == nil {
			t.stores[name] = &state.StoreMetrics{}
		}
		return t.stores[name]
	}
}

func (m *threadMetrics) topic(name string) *topicMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.mu.topics[name]
	if t == nil {
		t = &topicMetrics{}
		m.mu.topics[name] = t
	}
	return t
}

// transaction counts a transaction by its result.
func (m *threadMetrics) transaction(took time.Duration, err error) {
	m.durations.Transaction.Observe(took)
	if err != nil {
		m.txnFailed.Add(1)
		return
	}
	m.txnCommitted.Add(1)
}

// emit gives everything to a scrape.
func (m *threadMetrics) emit(thread string, now time.Time, emit metrics.Emit) {
	emit(metrics.Records, float64(m.processed.Load()), thread)
	emit(metrics.Punctuations, float64(m.punctuated.Load()), thread)
	emit(metrics.Restarts, float64(m.restarts.Load()), thread)
	emit(metrics.TasksCreated, float64(m.tasksCreated.Load()), thread)
	emit(metrics.TasksClosed, float64(m.tasksClosed.Load()), thread)
	emit(metrics.Transactions, float64(m.txnCommitted.Load()), thread, "committed")
	emit(metrics.Transactions, float64(m.txnFailed.Load()), thread, "failed")
	emit(metrics.CacheBytes, float64(m.cacheBytes.Load()), thread)
	emit(metrics.CacheHits, float64(m.cacheHits.Load()), thread)
	emit(metrics.CacheMisses, float64(m.cacheMisses.Load()), thread)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.mu.topics {
		emit(metrics.TopicProduced, float64(t.records.Load()), thread, name)
		emit(metrics.TopicProducedB, float64(t.bytes.Load()), thread, name)
	}
	for id, t := range m.mu.tasks {
		emitTask(emit, id.String(), t)
		for tp, lag := range t.lags {
			emitLag(emit, tp, lag, now)
		}
	}
}

// emitProgress gives what a thread restores and keeps as standbys.
func emitProgress(emit metrics.Emit, thread string, list []RestoreProgress, now time.Time) {
	sum := SumRestores(list, now)
	tasks, behind := map[bool]map[topology.TaskID]bool{true: {}, false: {}}, int64(0)
	for _, p := range list {
		tasks[p.Standby][p.Task] = true
		if p.Standby {
			behind += p.Remaining()
		}
	}
	emit(metrics.TaskRestoring, float64(sum.Remaining), thread)
	emit(metrics.RestoreRate, sum.Rate, thread)
	emit(metrics.RestoreLeft, sum.Left.Seconds(), thread)
	emit(metrics.RestoringTasks, float64(len(tasks[false])), thread)
	emit(metrics.StandbyTasks, float64(len(tasks[true])), thread)
	emit(metrics.StandbyLag, float64(behind), thread)
}

// emitLag gives nothing of a partition of which nothing is known yet.
func emitLag(emit metrics.Emit, tp topology.TopicPartition, lag *lagMetrics, now time.Time) {
	records, timestamp := lag.records.Load(), lag.timestamp.Load()
	if records < 0 {
		return
	}
	partition, seconds := strconv.Itoa(int(tp.Partition)), 0.0
	if records > 0 && timestamp >= 0 {
		seconds = max(now.Sub(time.UnixMilli(timestamp)).Seconds(), 0)
	}
	emit(metrics.LagRecords, float64(records), tp.Topic, partition)
	emit(metrics.LagSeconds, seconds, tp.Topic, partition)
}

func emitTask(emit metrics.Emit, task string, t *taskMetrics) {
	for reason, n := range t.task.Drops() {
		emit(metrics.TaskDropped, float64(n), task, reason)
	}
	for _, m := range t.task.Modules() {
		emit(metrics.GuestInstances, float64(m.Instantiations.Load()), task, m.Module)
	}
	emit(metrics.TaskLateness, float64(t.task.LatenessMax.Load())/1000, task)
	for _, n := range t.task.Nodes() {
		emit(metrics.NodeProcessed, float64(n.Processed.Load()), task, n.Node)
		if letters := n.DeadLetters.Load(); letters > 0 {
			emit(metrics.DeadLetters, float64(letters), task, n.Node)
		}
	}
	for _, g := range t.task.Guests() {
		emitGuest(emit, task, g)
	}
	for name, s := range t.stores {
		emitStore(emit, task, name, s)
	}
}

func emitGuest(emit metrics.Emit, task string, g *GuestMetrics) {
	emit(metrics.GuestFuel, float64(g.Fuel.Load()), task, g.Module, g.Component)
	emit(metrics.GuestMemory, float64(g.MemoryBytes.Load()), task, g.Module, g.Component)
	emit(metrics.GuestCalls, float64(g.Calls.Load()), task, g.Module, g.Component)
	emit(metrics.GuestErrors, float64(g.Errors.Load()), task, g.Module, g.Component)
	g.Traps.Each(func(reason string, n int64) {
		emit(metrics.GuestTraps, float64(n), task, g.Module, g.Component, reason)
	})
	for _, series := range g.Series() {
		kind := metrics.GuestGauge
		if series.Counter {
			kind = metrics.GuestCounter
		}
		emit(kind, float64(series.Value.Load()), task, g.Module, g.Component, series.Name)
	}
}

func emitStore(emit metrics.Emit, task, store string, s *state.StoreMetrics) {
	for op, n := range map[state.StoreOp]*atomic.Int64{
		state.OpGet: &s.Gets, state.OpPut: &s.Puts, state.OpPutIfAbsent: &s.PutsIfAbsent, state.OpDelete: &s.Deletes,
		state.OpRange: &s.Ranges, state.OpFlush: &s.Flushes,
	} {
		emit(metrics.StoreOps, float64(n.Load()), task, store, string(op))
	}
	emit(metrics.TaskRestored, float64(s.Restored.Load()), task, store)
	emit(metrics.StoreIterators, float64(s.OpenIterators.Load()), task, store)
}

// emit gives the application's own values and those of its threads to a scrape.
func (a *App) emit(emit metrics.Emit) {
	build := buildInfo()
	emit(metrics.BuildInfo, 1, build.version, build.commit, build.goRelease)
	emit(metrics.ClientState, float64(a.State()))
	emit(metrics.FailedThreads, float64(a.failedThreads.Load()))
	emit(metrics.Reloads, float64(a.reloads.done.Load()), "done")
	emit(metrics.Reloads, float64(a.reloads.refused.Load()), "refused")
	emit(metrics.Reloads, float64(a.reloads.failed.Load()), "failed")
	alive := 0
	for _, t := range a.running() {
		if t.State() != ThreadDead {
			alive++
		}
		emit(metrics.ThreadState, float64(t.State()), t.Name())
		t.cfg.metrics.emit(t.Name(), a.clock(), emit)
		emitProgress(emit, t.Name(), t.RestoreProgress(), a.clock())
	}
	emit(metrics.AliveThreads, float64(alive))
	if p := a.db.Load(); p != nil {
		emit(metrics.StateBytes, float64(p.Stats().DiskBytes))
	}
}

// running are the threads, once they are made.
func (a *App) running() []*Thread {
	select {
	case <-a.ready:
		return a.threadsNow()
	default:
		return nil
	}
}
