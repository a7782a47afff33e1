package connect

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// RunningConnector is a connector that was started: Kafka's WorkerConnector. A goroutine of its own calls the connector, so
// that one that hangs holds nobody else up.
type RunningConnector struct {
	Name  string
	Props config.Props // as they were written

	w         *Worker
	plugin    *connectors.Plugin
	resolved  config.Props
	values    config.Values
	connector connectors.Connector
	offsets   connectorOffsets // of a source that was started
	began     time.Time
	calls     chan func()
	expiry    *time.Timer   // of values in resolved; nil without any, or when they may be old
	wake      chan struct{} // a token: wanted has changed, or closed is set
	done      chan struct{}
	mu        struct {
		sync.Mutex
		err     error
		started bool
		wanted  TargetState
		closed  bool
		final   State
		digest  [sha256.Size]byte // of resolved
		hide    config.Hider      // in errors, what variables stand for
	}
	// changed asks for new task settings; failed tells of an error that the connector raised.
	changed func()
}

// maxCalls bounds what waits for one connector.
const maxCalls = 16

// ErrConnectorBusy is about a connector that hangs.
var ErrConnectorBusy = errors.New("the connector does not answer")

// StartConnector starts a connector in a target state. changed is called when its tasks may have to be made anew: after each
// start and when the connector asks for it.
func (w *Worker) StartConnector(name string, props config.Props, target TargetState, changed func()) *RunningConnector {
	c := &RunningConnector{
		Name: name, Props: props, w: w, calls: make(chan func(), maxCalls), wake: make(chan struct{}, 1), done: make(chan struct{}), changed: changed, began: time.Now(),
	}
	go c.loop()
	c.SetTarget(target)
	return c
}

// loop calls the connector until it is to end.
func (c *RunningConnector) loop() {
	defer close(c.done)
	for {
		var expired <-chan time.Time
		if c.expiry != nil {
			expired = c.expiry.C
		}
		select {
		case <-expired:
			c.expiry = nil
			c.w.Log.Info("values in the settings of a connector are to be asked for again; it is restarted", "connector", c.Name)
			c.w.ConnectorExpired(c)
			continue
		case call := <-c.calls:
			call()
			continue
		case <-c.wake:
		}
		c.mu.Lock()
		wanted, closed, final := c.mu.wanted, c.mu.closed, c.mu.final
		c.mu.Unlock()
		if closed {
			c.end(final)
			return
		}
		if err := guarded(func() error { return c.transition(wanted) }); err != nil {
			c.fail(err)
		}
	}
}

func (c *RunningConnector) end(final State) {
	if err := c.stop(); err != nil {
		c.w.Log.Warn("a connector failed to stop", "connector", c.Name, "error", err)
	}
	if final != "" {
		c.tell(final, nil)
	}
}

func (c *RunningConnector) poke(change func()) {
	c.mu.Lock()
	change()
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// SetTarget has the connector started or stopped: only Started ones run.
func (c *RunningConnector) SetTarget(target TargetState) { c.poke(func() { c.mu.wanted = target }) }

// Stop ends the connector, with a status to be told unless it is "". Done is closed when it has ended.
func (c *RunningConnector) Stop(final State) {
	c.poke(func() { c.mu.closed, c.mu.final = true, final })
}

// transition takes the connector to a state. One that has failed stays as it is until it is restarted or stopped, as Kafka's
// WorkerConnector does: herders repeat what they want whenever anything changes, which is no reason to try again.
func (c *RunningConnector) transition(target TargetState) error {
	if c.failure() != nil && target != Stopped {
		return nil
	}
	if target != Started {
		err := c.stop()
		if err != nil {
			c.w.Log.Warn("a connector failed to stop", "connector", c.Name, "error", err)
		}
		state := StatePaused
		if target == Stopped {
			state = StateStopped
			c.setStarted(false)
		}
		c.tell(state, nil)
		return nil
	}
	if c.isStarted() {
		return nil
	}
	if err := c.start(); err != nil {
		return err
	}
	c.tell(StateRunning, nil)
	c.changed()
	return nil
}

// refuseNulls is Kafka's refusal of settings that are null, which comes when the connector starts. Here they are as if they
// were not there, unless the worker is to be like Kafka's.
func (c *RunningConnector) refuseNulls() error {
	if !c.w.Config.Compat {
		return nil
	}
	for _, name := range c.Props.Names() {
		if c.Props[name] == nil {
			return config.Exception("Non-string value found in original settings for key " + name + ": null")
		}
	}
	return nil
}

func (c *RunningConnector) start() (err error) {
	if err := c.refuseNulls(); err != nil {
		return err
	}
	var ttl time.Duration
	if c.resolved, ttl, err = c.w.resolveFor(c.Props); err != nil {
		return err
	}
	c.mu.Lock()
	c.mu.hide = c.w.hider(c.Props, c.resolved)
	c.mu.Unlock()
	p, err := c.w.Plugins.Connector(c.resolved.Or(classKey, ""))
	if err != nil {
		return err
	}
	c.plugin = &p
	if err := connectorconfig.CheckVersionOf(p, c.resolved, classVersionKey); err != nil {
		return err
	}
	if c.values, err = connectorconfig.New(c.w.Plugins).Parse(p.Kind, c.resolved); err != nil {
		return err
	}
	if p.Kind == connectors.KindSource {
		if _, err := connectorconfig.New(c.w.Plugins).TopicGroups(c.resolved); err != nil {
			return err
		}
	}
	c.connector = p.NewConnector()
	ctx := connectors.ConnectorContext{
		RequestTaskReconfiguration: c.changed, RaiseError: c.fail, Log: c.w.Log.With("connector", c.Name),
	}
	if p.Kind == connectors.KindSource {
		if c.offsets, err = c.w.offsetsOf(context.Background(), c.Name, c.resolved); err != nil {
			return err
		}
		ctx.Offsets = offsetReader{c.offsets, c.Name}
	}
	if err := c.connector.Start(ctx, c.resolved); err != nil {
		_ = c.stop() // the error of the start is the one that counts
		return err
	}
	if ttl > 0 && c.values.String(reloadActionKey) == "restart" {
		c.expiry = time.NewTimer(ttl)
	}
	c.setStarted(true)
	return nil
}

func (c *RunningConnector) stop() error {
	if c.expiry != nil {
		c.expiry.Stop()
		c.expiry = nil
	}
	if c.connector == nil {
		return nil
	}
	connector, offsets := c.connector, c.offsets
	c.connector, c.offsets = nil, connectorOffsets{}
	c.setStarted(false)
	err := guarded(connector.Stop)
	if offsets.OffsetStore != nil {
		err = errors.Join(err, offsets.Close())
	}
	return err
}

func (c *RunningConnector) setStarted(b bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.started, c.mu.err = b, nil
	if b {
		text, _ := json.Marshal(c.resolved) // of strings
		c.mu.digest = sha256.Sum256(text)
	}
}

// digest tells settings with other values of their variables apart.
func (c *RunningConnector) digest() [sha256.Size]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.digest
}

// failure is the error that the connector has failed with, nil if it has not.
func (c *RunningConnector) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.err
}

func (c *RunningConnector) isStarted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.started && c.mu.err == nil
}

// fail tells that the connector has failed.
func (c *RunningConnector) fail(err error) {
	c.mu.Lock()
	c.mu.err = err
	hide := c.mu.hide
	c.mu.Unlock()
	c.w.Log.Error("a connector has failed", "connector", c.Name, "error", hide.Text(fault.Trace(err)))
	c.tell(StateFailed, err)
	c.w.ConnectorFailed(c)
}

func (c *RunningConnector) tell(s State, err error) {
	status := Status{State: s}
	if p, err := c.w.Plugins.Connector(c.Props.Or(classKey, "")); err == nil {
		status.Version = p.Version
	}
	if err != nil {
		c.mu.Lock()
		status.Trace = c.mu.hide.Text(fault.Trace(err))
		c.mu.Unlock()
	}
	c.w.ConnectorStatus(c.Name, status)
}

// TaskConfigs asks the connector for the settings of its tasks, complete and with variables where the connector's
// settings have them. ok is false when the connector does not run.
func (c *RunningConnector) TaskConfigs(ctx context.Context) (tasks []map[string]string, ok bool, err error) {
	answered := make(chan struct{})
	call := func() {
		defer close(answered)
		if !c.isStarted() || c.connector == nil {
			return
		}
		ok = true
		err = guarded(func() error {
			tasks, err = c.taskConfigs()
			return err
		})
		if err != nil {
			c.fail(err)
		}
	}
	select {
	case c.calls <- call:
	default:
		return nil, false, ErrConnectorBusy
	}
	select {
	case <-answered:
		return tasks, ok, err
	case <-c.done:
		return nil, false, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

func (c *RunningConnector) taskConfigs() ([]map[string]string, error) {
	most := c.values.Int(tasksMaxKey)
	generated, err := c.connector.TaskConfigs(most)
	if err != nil {
		return nil, err
	}
	if err := CheckTasksMax(c.Name, len(generated), most, c.values.Bool(tasksMaxEnforceKey)); err != nil {
		return nil, err
	}
	class := ""
	switch k := c.connector.(type) {
	case connectors.SourceConnector:
		class = k.TaskClass()
	case connectors.SinkConnector:
		class = k.TaskClass()
	}
	out := make([]map[string]string, 0, len(generated))
	for _, props := range generated {
		task := props.Map()
		task[taskClassKey] = class
		for _, key := range []string{topicsKey, topicsRegexKey} {
			if v, ok := c.resolved.Get(key); ok && c.plugin.Kind == connectors.KindSink {
				task[key] = v
			}
		}
		for key := range task {
			if written, ok := c.Props.Get(key); ok && hasVariable(written) {
				task[key] = written
			}
		}
		out = append(out, task)
	}
	return out, nil
}

// Done is closed when the connector has ended.
func (c *RunningConnector) Done() <-chan struct{} { return c.done }
