package connect

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// What the REST API asks for. Errors are *StatusError, *NotLeader, or faults whose class says which status they have.

// Client is what requests to other workers go through.
func (h *Herder) Client() *http.Client { return h.worker.Client }

// Healthy returns when the herder could be asked.
func (h *Herder) Healthy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.mu.closed
}

// Plugins are the plugins that there are.
func (h *Herder) Plugins() *connectors.Plugins { return h.worker.Plugins }

// Config are the settings of the worker.
func (h *Herder) Config() *WorkerConfig { return h.cfg }

// Loggers are the levels of loggers.
func (h *Herder) Loggers() *Loggers { return h.loggers }

// Connectors are the names of all connectors.
func (h *Herder) Connectors() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.mu.config.Connectors()...)
}

// snapshot is the configuration as it is.
func (h *Herder) snapshot() *ClusterConfig {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.config.Clone()
}

// Info is the answer about a connector.
func (h *Herder) Info(name string) (ConnectorInfo, error) {
	return h.infoOf(h.snapshot(), name)
}

func (h *Herder) infoOf(c *ClusterConfig, name string) (ConnectorInfo, error) {
	props := c.Connector(name)
	if props == nil {
		return ConnectorInfo{}, fault.NotFound.New("Connector " + name + " not found")
	}
	shown := pointersTo(h.masked(props, props))
	for _, k := range c.Nulls(name) {
		shown[k] = nil
	}
	return ConnectorInfo{
		Name: name, Config: shown, Tasks: append([]TaskID{}, c.Tasks(name)...), Type: h.typeOf(props),
	}, nil
}

// typeOf is source, sink or unknown.
func (h *Herder) typeOf(props map[string]string) string {
	p, err := h.worker.Plugins.Find(props[classKey], connectors.KindSource, connectors.KindSink)
	if err != nil {
		return "unknown"
	}
	return string(p.Kind)
}

// ConnectorConfig are the settings of a connector.
func (h *Herder) ConnectorConfig(name string) (map[string]string, error) {
	props := h.snapshot().Connector(name)
	if props == nil {
		return nil, fault.NotFound.New("Connector " + name + " not found")
	}
	return h.masked(props, props), nil
}

// Status is the status of a connector and its tasks.
func (h *Herder) Status(name string) (ConnectorStateInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.statusLocked(name, nil)
}

func (h *Herder) statusLocked(name string, plan *RestartPlan) (ConnectorStateInfo, error) {
	s, ok := h.mu.statuses.Connector(name)
	if !ok || !h.mu.config.Contains(name) {
		return ConnectorStateInfo{}, fault.NotFound.New("No status found for connector " + name)
	}
	info := ConnectorStateInfo{Name: name, Connector: stateInfo(s), Tasks: []StateInfo{}, Type: h.typeOf(h.mu.config.Connector(name))}
	if plan != nil && plan.Connector {
		info.Connector.State = StateRestarting
	}
	for _, id := range h.mu.statuses.Tasks(name) {
		task, _ := h.mu.statuses.Task(id)
		t := stateInfo(task)
		n := id.Task
		t.ID = &n
		if plan != nil && slices.Contains(plan.Tasks, id) {
			t.State = StateRestarting
		}
		info.Tasks = append(info.Tasks, t)
	}
	return info, nil
}

func stateInfo(s Status) StateInfo {
	info := StateInfo{State: s.State, WorkerID: s.WorkerID, Trace: s.Trace}
	if s.Version != "" {
		version := s.Version
		info.Version = &version
	}
	return info
}

// TaskStatus is the status of a task.
func (h *Herder) TaskStatus(id TaskID) (StateInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.mu.statuses.Task(id)
	if !ok || !h.mu.config.Contains(id.Connector) {
		return StateInfo{}, fault.NotFound.New("No status found for task " + id.String())
	}
	info := stateInfo(s)
	n := id.Task
	info.ID = &n
	return info, nil
}

// Tasks are the tasks of a connector with their settings.
func (h *Herder) Tasks(name string) ([]TaskInfo, error) {
	c := h.snapshot()
	props := c.Connector(name)
	if props == nil {
		return nil, fault.NotFound.New("Connector " + name + " not found")
	}
	out := []TaskInfo{}
	for _, id := range c.Tasks(name) {
		out = append(out, TaskInfo{id, h.masked(c.Task(id), props)})
	}
	return out, nil
}

// Validate checks settings without storing them.
func (h *Herder) Validate(props config.Props) (config.Infos, error) {
	name, ok := props.Get(nameKey)
	if ok {
		props = h.unmasked(props, h.snapshot().Connector(name))
	}
	return h.validator.Validate(props)
}

// awaitLeader returns when a leader is known: as in Kafka, requests wait for the worker to join its group, or to join it again.
func (h *Herder) awaitLeader(ctx context.Context) (leads bool, url string, err error) {
	if leads, url = h.leader(); !leads && url == "" {
		err = h.member.AwaitLeader(ctx)
		leads, url = h.leader()
	}
	return leads, url, err
}

// mustLead is an error unless this worker leads.
func (h *Herder) mustLead(ctx context.Context, what string) error {
	leads, url, err := h.awaitLeader(ctx)
	if err != nil {
		return err
	}
	if leads {
		return nil
	}
	return h.leaderInstead(url, "Only the leader can "+what+".")
}

// leaderInstead names the leader as the one to ask.
func (h *Herder) leaderInstead(url, message string) error {
	return &NotLeader{URL: url, Message: message, changed: h.member.Changed, now: func() string {
		leads, url := h.leader()
		if leads {
			return h.cfg.AdvertisedURL
		}
		return url
	}}
}

// PutConnector creates a connector, or replaces its settings where that is allowed. initial may be "".
func (h *Herder) PutConnector(ctx context.Context, name string, props config.Props, initial TargetState, replace bool) (created bool, info ConnectorInfo, err error) {
	stored := h.snapshot().Connector(name)
	props = h.unmasked(props, stored)
	done := h.Doing("performing multi-property validation for the connector " + name)
	infos, err := h.validator.Validate(props)
	done()
	if err == nil {
		err = Refusal(infos)
	} else if status := (*StatusError)(nil); !errors.As(err, &status) {
		err = badRequest("%s", err.Error())
	}
	if err != nil {
		return false, info, err
	}
	created, err = h.storeConnector(ctx, name, props, initial, replace)
	if err == nil && h.member == nil {
		err = h.awaitPlanned(ctx, name)
	}
	if err != nil {
		return false, info, err
	}
	info, err = h.Info(name)
	return created, info, err
}

func (h *Herder) storeConnector(ctx context.Context, name string, props config.Props, initial TargetState, replace bool) (created bool, err error) {
	unlock, err := h.lockLeading(ctx, "set connector configs")
	if err != nil {
		return false, err
	}
	defer unlock()
	exists := h.snapshot().Contains(name)
	if exists && !replace {
		return false, fault.AlreadyExists.New("Connector " + name + " already exists")
	}
	var records []Record
	if initial != "" {
		records = append(records, TargetStateRecord(name, initial))
	}
	return !exists, h.writeLeading(ctx, "writing a config for connector "+name+" to the config topic", append(records, ConnectorRecord(name, props))...)
}

// planPatience is how long a standalone worker's answer about a new connector waits for its tasks.
const planPatience = 10 * time.Second

// awaitPlanned waits until a connector has made its tasks or failed: answers of a standalone worker tell the tasks, and Kafka's
// tell the failure.
func (h *Herder) awaitPlanned(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, planPatience)
	defer cancel()
	for {
		h.mu.Lock()
		c := h.mu.connectors[name]
		stored := h.mu.config.Connector(name)
		wanted := h.mu.config.TargetState(name) == Started
		planned := maps.Equal(h.mu.config.AppliedConnector(name), stored)
		h.mu.Unlock()
		var failed error
		if c != nil && maps.Equal(c.Props.Map(), stored) {
			failed = c.failure()
		}
		switch {
		case failed != nil && h.cfg.Compat:
			return failed
		case failed != nil, planned, !wanted, !h.worker.Clock.Sleep(ctx, 2*time.Millisecond):
			return nil
		}
	}
}

// write appends to the config topic; what it is for stands in the answer of a request that times out meanwhile.
func (h *Herder) write(ctx context.Context, what string, records ...Record) error {
	defer h.Doing(what)()
	if err := h.configs.Append(ctx, records...); err != nil {
		if ctx.Err() != nil {
			return h.timedOut(ctx)
		}
		return fault.Connect.New("Error " + what).Because(err)
	}
	return nil
}

// PatchConnector changes some settings; null removes one (KIP-477).
func (h *Herder) PatchConnector(ctx context.Context, name string, patch config.Props) (ConnectorInfo, error) {
	if err := h.mustLead(ctx, "patch connector configs"); err != nil {
		return ConnectorInfo{}, err
	}
	stored := h.snapshot().Connector(name)
	if stored == nil {
		return ConnectorInfo{}, fault.NotFound.New("Connector " + name + " not found")
	}
	_, info, err := h.PutConnector(ctx, name, Patched(stored, patch), "", true)
	return info, err
}

// Patched are settings with some changed; null removes one.
func Patched(stored map[string]string, patch config.Props) config.Props {
	props := propsOf(stored)
	for k, v := range patch {
		if v == nil {
			delete(props, k)
			continue
		}
		props[k] = v
	}
	return props
}

// DeleteConnector deletes a connector.
func (h *Herder) DeleteConnector(ctx context.Context, name string) error {
	unlock, err := h.lockLeading(ctx, "delete connector configs")
	if err != nil {
		return err
	}
	defer unlock()
	if !h.snapshot().Contains(name) {
		return fault.NotFound.New("Connector " + name + " not found")
	}
	return h.writeLeading(ctx, "removing the config for connector "+name+" from the config topic", ConnectorRecord(name, nil), TargetStateRecord(name, ""))
}

// SetTarget pauses or resumes a connector; any worker may do it.
func (h *Herder) SetTarget(ctx context.Context, name string, target TargetState) error {
	if !h.snapshot().Contains(name) {
		return fault.NotFound.New("Unknown connector " + name)
	}
	return h.write(ctx, "writing the target state for connector "+name+" to the config topic", TargetStateRecord(name, target))
}

// StopConnector stops a connector and shuts its tasks down (KIP-875).
func (h *Herder) StopConnector(ctx context.Context, name string) error {
	unlock, err := h.lockLeading(ctx, "transition connectors to the STOPPED state")
	if err != nil {
		return err
	}
	defer unlock()
	c := h.snapshot()
	if !c.Contains(name) {
		return fault.NotFound.New("Unknown connector " + name)
	}
	var records []Record
	if len(c.Tasks(name)) > 0 || c.Generation(name) < 0 {
		records = append(records, CommitRecord(name, 0))
	}
	return h.writeLeading(ctx, "writing the target state for connector "+name+" to the config topic", append(records, TargetStateRecord(name, Stopped))...)
}

// RestartConnector restarts the connector alone, on the worker that runs it.
func (h *Herder) RestartConnector(ctx context.Context, name string) error {
	if !h.snapshot().Contains(name) {
		return fault.NotFound.New("Unknown connector: " + name)
	}
	if err := h.mustOwn(ctx, TaskID{name, -1}, "connector"); err != nil {
		return err
	}
	h.mu.Lock()
	delete(h.mu.failures, TaskID{name, -1})
	if c := h.mu.connectors[name]; c != nil {
		h.stopConnectorLocked(name, c)
	}
	h.mu.Unlock()
	h.reconcile()
	return nil
}

// RestartTask restarts a task, on the worker that runs it.
func (h *Herder) RestartTask(ctx context.Context, id TaskID) error {
	c := h.snapshot()
	if !c.Contains(id.Connector) {
		return fault.NotFound.New("Unknown connector: " + id.Connector)
	}
	if c.Task(id) == nil {
		return fault.NotFound.New("Unknown task: " + id.String())
	}
	if err := h.mustOwn(ctx, id, "task"); err != nil {
		return err
	}
	h.mu.Lock()
	delete(h.mu.failures, id)
	h.mu.Unlock()
	h.stopForRestart(id)
	return nil
}

// mustOwn is an error unless a connector (task -1) or task is to run here; it names the worker to ask, or the leader.
func (h *Herder) mustOwn(ctx context.Context, id TaskID, what string) error {
	leads, url, err := h.awaitLeader(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	own := h.member == nil || h.mu.assigned.Tasks[id] || id.Task < 0 && h.mu.assigned.Connectors[id.Connector]
	h.mu.Unlock()
	if own {
		return nil
	}
	message := "Cannot restart " + what + " since it is not assigned to this member"
	if !leads {
		return h.leaderInstead(url, message)
	}
	return &NotLeader{URL: h.member.Owner(id), Message: message, changed: h.member.Changed, now: func() string { return h.member.Owner(id) }}
}

// RestartWhole restarts a connector and, if asked, its tasks: the parts that are chosen show RESTARTING in the answer (KIP-745).
func (h *Herder) RestartWhole(ctx context.Context, r RestartRequest) (ConnectorStateInfo, error) {
	if err := h.mustLead(ctx, "process restart requests"); err != nil {
		return ConnectorStateInfo{}, err
	}
	if !h.snapshot().Contains(r.Connector) {
		return ConnectorStateInfo{}, fault.NotFound.New("Unknown connector: " + r.Connector)
	}
	h.mu.Lock()
	plan := PlanRestart(r, h.mu.statuses)
	info, err := h.statusLocked(r.Connector, plan)
	h.mu.Unlock()
	if plan == nil || err != nil {
		return info, fault.NotFound.New("Status for connector " + r.Connector + " not found")
	}
	return info, h.writeLeading(ctx, "writing a restart request for connector "+r.Connector+" to the config topic", RestartRecord(r))
}

// ActiveTopics are the topics that a connector uses.
func (h *Herder) ActiveTopics(name string) ([]string, error) {
	if !h.cfg.TopicTracking {
		return nil, &StatusError{403, "Topic tracking is disabled."}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	topics := []string{}
	for _, t := range h.mu.statuses.Topics(name) {
		topics = append(topics, t.Topic)
	}
	return topics, nil
}

// ResetTopics forgets the topics that a connector uses.
func (h *Herder) ResetTopics(name string) error {
	switch {
	case !h.cfg.TopicTracking:
		return &StatusError{403, "Topic tracking is disabled."}
	case !h.cfg.TopicReset:
		return &StatusError{403, "Topic tracking reset is disabled."}
	}
	topics, _ := h.ActiveTopics(name)
	for _, t := range topics {
		h.statuses.Send(TopicStatusTombstone(t, name))
	}
	return nil
}

// SetClusterLogger sets the level of a logger on all workers (KIP-976).
func (h *Herder) SetClusterLogger(ctx context.Context, namespace, level string) error {
	return h.write(ctx, "writing a logger level to the config topic", LoggerRecord(namespace, level))
}

// AcceptTasks takes task settings that another worker sends (POST /connectors/X/tasks).
func (h *Herder) AcceptTasks(ctx context.Context, name string, body []byte, s RequestSignature) error {
	if err := h.checkSignature(body, s); err != nil {
		return err
	}
	var tasks []map[string]string
	if err := json.Unmarshal(body, &tasks); err != nil {
		return badRequest("the task settings are no list of maps: %v", err)
	}
	if err := h.mustLead(ctx, "write task configurations"); err != nil {
		return err
	}
	if !h.snapshot().Contains(name) {
		return fault.NotFound.New("Connector " + name + " not found")
	}
	return h.writeTasks(ctx, name, tasks)
}

// checkSignature refuses requests that no worker of the group has signed (KIP-507).
func (h *Herder) checkSignature(body []byte, s RequestSignature) error {
	if !h.Signs() {
		return nil
	}
	key := h.snapshot().SessionKey()
	switch {
	case !slices.Contains(h.cfg.VerifyAlgorithms, s.Algorithm):
		return badRequest("This worker does not support the '%s' key signing algorithm used by other workers. This worker is currently configured to use: %s. Check that all workers' configuration files permit the same set of signature algorithms, and correct any misconfigured worker and restart it.", s.Algorithm, h.cfg.SignAlgorithm)
	case key == nil:
		return &StatusError{503, "This worker is still starting up and has not been able to read a session key from the config topic yet"}
	case !s.Valid(body, key.Key):
		return &StatusError{403, "Internal request contained invalid signature."}
	}
	return nil
}

// ParseTaskPath is the number in a path, an error of status 404 if it is none.
func ParseTaskPath(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0, notFound("HTTP 404 Not Found")
	}
	return int(n), nil
}
