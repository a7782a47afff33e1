package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Worker runs connectors and tasks, each on goroutines of its own, and tells what becomes of them.
type Worker struct {
	Config  *WorkerConfig
	Plugins *connectors.Plugins
	Offsets OffsetStore
	Log     *slog.Logger
	Clock   Clock
	// Client is what requests to other workers go through.
	Client *http.Client
	// Transformer resolves variables.
	Transformer *config.Transformer
	// TaskStatus and ConnectorStatus are told of every change of state. They must not block.
	TaskStatus      func(TaskID, Status)
	ConnectorStatus func(string, Status)
	// ConnectorFailed is told of connectors that have failed, after their status. It must not block.
	ConnectorFailed func(*RunningConnector)
	// ConnectorExpired is told of connectors whose settings hold values of providers that are to be asked for again. It must not
	// block.
	ConnectorExpired func(*RunningConnector)
	// TopicUsed is told of topics when a task uses them for the first time.
	TopicUsed func(TaskID, string)
	// CheckGeneration tells whether a newer set of tasks exists than the one that a task belongs to (KIP-618).
	CheckGeneration func(ctx context.Context, id TaskID, generation int) error
}

// realClock is the time of the machine.
type realClock struct{}

// Now is the time.
func (realClock) Now() time.Time { return time.Now() }

// Sleep waits.
func (realClock) Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (w *Worker) logOf(id TaskID) *slog.Logger {
	return w.Log.With("connector", id.Connector, "task", id.Task)
}

// resolve replaces variables in settings.
func (w *Worker) resolve(props config.Props) (config.Props, error) {
	out, _, err := w.resolveFor(props)
	return out, err
}

// hider hides in errors what the variables of settings stand for.
func (w *Worker) hider(raw, resolved config.Props) config.Hider {
	if w.Config.Compat {
		return config.Hider{}
	}
	return config.NewHider(raw, resolved)
}

// shortestTTL keeps a provider whose answers are old at once from having its connectors do nothing but restart.
const shortestTTL = 100 * time.Millisecond

// resolveFor is resolve that tells for how long what the providers have answered is good; 0 is for ever.
func (w *Worker) resolveFor(props config.Props) (out config.Props, ttl time.Duration, err error) {
	if w.Transformer == nil {
		return props, 0, nil
	}
	out, ttls, err := w.Transformer.Transform(props)
	for _, millis := range ttls {
		if d := max(time.Duration(millis)*time.Millisecond, shortestTTL); ttl == 0 || d < ttl {
			ttl = d
		}
	}
	return out, ttl, err
}

// gate holds a task back while it is paused.
type gate struct {
	mu struct {
		sync.Mutex
		paused    bool
		changed   chan struct{}
		interrupt func() // ends a poll that is under way
	}
}

func newGate(paused bool) *gate {
	g := &gate{}
	g.mu.paused, g.mu.changed = paused, make(chan struct{})
	return g
}

func (g *gate) set(paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.paused != paused {
		g.mu.paused = paused
		close(g.mu.changed)
		g.mu.changed = make(chan struct{})
		if paused && g.mu.interrupt != nil {
			g.mu.interrupt()
		}
	}
}

// interruptible has end called when the task is paused.
func (g *gate) interruptible(end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.interrupt = end
	if g.mu.paused {
		end()
	}
}

// state tells whether the task is paused, and when that changes.
func (g *gate) state() (paused bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.paused, g.mu.changed
}

// TaskSpec is a task that is to run. Settings are as they were written, with variables.
type TaskSpec struct {
	ID              TaskID
	Connector, Task config.Props
	Paused          bool
	Generation      int // of the set of tasks (KIP-618)
}

// RunningTask is a task that was started.
type RunningTask struct {
	Spec     TaskSpec
	Counters Counters
	gate     *gate
	stop     context.CancelFunc // asks it to end
	abandon  context.CancelFunc // takes its clients away
	done     chan struct{}
	started  time.Time
	asked    *atomic.Pointer[time.Time] // to end
}

// Pause has the task stop reading, or go on.
func (t *RunningTask) Pause(paused bool) { t.gate.set(paused) }

// Stop asks the task to end; Done is closed when it has.
func (t *RunningTask) Stop() {
	now := time.Now()
	t.asked.CompareAndSwap(nil, &now)
	t.stop()
}

// Done is closed when the task has ended.
func (t *RunningTask) Done() <-chan struct{} { return t.done }

// Abandon takes the task's clients away, when it does not end by itself: what it does from then on has no effect on Kafka.
func (t *RunningTask) Abandon() { t.abandon() }

// taskRun is a started task from within.
type taskRun struct {
	w     *Worker
	spec  TaskSpec
	props config.Props  // of the connector, variables resolved
	task  config.Props  // of the task, variables resolved
	v     config.Values // of the connector, parsed
	tol   Tolerance
	gate  *gate
	count *Counters
	log   *slog.Logger
	hard  context.Context // done when the task is abandoned
	used  map[string]bool // topics
	ver   string
	hide  config.Hider               // in errors, what variables stand for
	asked *atomic.Pointer[time.Time] // to end
}

// StartTask starts a task. failed is called once, from its goroutine, if it ends by itself.
func (w *Worker) StartTask(spec TaskSpec, failed func(*RunningTask, error)) *RunningTask {
	hard, abandon := context.WithCancel(context.Background())
	soft, stop := context.WithCancel(hard)
	t := &RunningTask{Spec: spec, gate: newGate(spec.Paused), stop: stop, abandon: abandon, done: make(chan struct{}), started: time.Now(), asked: new(atomic.Pointer[time.Time])}
	go func() {
		defer close(t.done)
		defer abandon()
		run := &taskRun{w: w, spec: spec, gate: t.gate, count: &t.Counters, log: w.logOf(spec.ID), hard: hard, used: map[string]bool{}, asked: t.asked}
		err := guarded(func() error { return run.run(soft) })
		if err == nil || soft.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				run.log.Warn("a task ended with an error while it was stopped", "error", run.hide.Text(err.Error()))
			}
			run.status(StateUnassigned, nil)
			return
		}
		run.log.Error("a task has failed and ends", "error", run.hide.Text(fault.Trace(err)))
		run.status(StateFailed, err)
		failed(t, err)
	}()
	return t
}

// guarded runs what plugins do: their panics are errors, as exceptions are in Java.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Connect.New(fmt.Sprintf("a plugin panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	return f()
}

func (r *taskRun) status(s State, err error) {
	status := Status{State: s, Version: r.ver}
	if err != nil {
		status.Trace = r.hide.Text(fault.Trace(err))
	}
	r.w.TaskStatus(r.spec.ID, status)
}

// running tells that the task runs, or is paused.
func (r *taskRun) running() {
	if paused, _ := r.gate.state(); paused {
		r.status(StatePaused, nil)
		return
	}
	r.status(StateRunning, nil)
}

// awaitResume returns when the task is not paused any more; false when it is to end.
func (r *taskRun) awaitResume(ctx context.Context) bool {
	for {
		paused, changed := r.gate.state()
		if !paused {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *taskRun) run(ctx context.Context) error {
	var err error
	if r.props, err = r.w.resolve(r.spec.Connector); err != nil {
		return err
	}
	if r.task, err = r.w.resolve(r.spec.Task); err != nil {
		return err
	}
	r.hide = r.w.hider(r.spec.Connector, r.props).And(r.w.hider(r.spec.Task, r.task))
	p, err := r.w.Plugins.Connector(r.props.Or(classKey, ""))
	if err != nil {
		return err
	}
	r.ver = p.Version
	if err := connectorconfig.CheckVersionOf(p, r.props, classVersionKey); err != nil {
		return err
	}
	if r.v, err = connectorconfig.New(r.w.Plugins).Parse(p.Kind, r.props); err != nil {
		return err
	}
	r.tol = Tolerance{
		All: r.v.String(toleranceKey) == "all", EveryStage: !r.w.Config.Compat,
		RetryTimeout: time.Duration(r.v.Int(retryTimeoutKey)) * time.Millisecond, MaxDelay: time.Duration(r.v.Int(retryMaxDelayKey)) * time.Millisecond,
	}
	if p.Kind == connectors.KindSource {
		return r.runSource(ctx, p.Source().NewTask())
	}
	return r.runSink(ctx, p.Sink().NewTask())
}

// topicUsed tells of a topic once.
func (r *taskRun) topicUsed(topic string) {
	if !r.used[topic] && r.w.TopicUsed != nil {
		r.used[topic] = true
		r.w.TopicUsed(r.spec.ID, topic)
	}
}

// graceful is a context for what a task does at its end. The time counts from when it was asked to end, if it was.
func (r *taskRun) graceful() (context.Context, context.CancelFunc) {
	from := time.Now()
	if asked := r.asked.Load(); asked != nil {
		from = *asked
	}
	return context.WithDeadline(r.hard, from.Add(r.w.Config.ShutdownTimeout))
}
