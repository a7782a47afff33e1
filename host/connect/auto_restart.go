package connect

import (
	"maps"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
)

// taskFailed restarts a task that has failed, as the restart policy says. One that was fenced waits until this worker has heard
// whether the task is still its own: begun at once it would fence its rightful owner.
func (h *Herder) taskFailed(t *RunningTask, cause error) {
	least := time.Duration(0)
	if isFenced(cause) {
		least = h.cfg.SessionTimeout
	}
	currentLocked := func() bool { return h.mu.tasks[t.Spec.ID] == t && !h.staleLocked(t) }
	h.restartLater(t.Spec.ID, t.Spec.Connector, t.started, least, currentLocked, func() {
		h.taskStatus(t.Spec.ID, Status{State: StateRestarting})
		h.stopForRestart(t.Spec.ID)
	})
}

// connectorFailed does the same for a connector. Its status is told before it is stopped: what is stopped may have begun anew, and
// failed anew, before this goroutine goes on.
func (h *Herder) connectorFailed(c *RunningConnector) {
	currentLocked := func() bool {
		return h.mu.connectors[c.Name] == c && maps.Equal(h.mu.config.Connector(c.Name), c.Props.Map()) && c.failure() != nil
	}
	h.restartLater(TaskID{c.Name, -1}, c.Props, c.began, 0, currentLocked, func() {
		h.connectorStatus(c.Name, Status{State: StateRestarting})
		h.mu.Lock()
		if currentLocked() {
			h.stopConnectorLocked(c.Name, c)
		}
		h.mu.Unlock()
		h.reconcile()
	})
}

// connectorExpired restarts a connector whose settings hold values that are to be asked for again. Its tasks follow if one has changed.
func (h *Herder) connectorExpired(c *RunningConnector) {
	h.mu.Lock()
	if h.mu.connectors[c.Name] == c {
		h.stopConnectorLocked(c.Name, c)
	}
	h.mu.Unlock()
	h.reconcile()
}

// restartLater calls again when the restart policy says so, and never if it is over with restarts. What has failed must be current
// when it is told and when it is to begin again: a failure under settings that have been replaced since is none of the new ones.
func (h *Herder) restartLater(
	id TaskID, connector config.Props, began time.Time, least time.Duration, currentLocked func() bool, again func(),
) {
	if h.cfg.Compat {
		return
	}
	h.mu.Lock()
	if h.mu.closed || !currentLocked() {
		h.mu.Unlock()
		return
	}
	f := h.mu.failures[id]
	if f == nil {
		f = &Failures{}
		h.mu.failures[id] = f
	}
	policy := h.policyOf(connector)
	wait, more := policy.Next(f, time.Since(began))
	if more {
		h.wg.Add(1)
	}
	h.mu.Unlock()
	if !more {
		if policy.Enabled {
			h.log.Error("what has failed stays failed: the limit of restarts is reached", "connector", id.Connector, "task", id.Task, "restarts", policy.Limit)
		}
		return
	}
	wait = max(wait, least)
	h.log.Info("what has failed will be restarted", "connector", id.Connector, "task", id.Task, "in", wait)
	go func() {
		defer h.wg.Done()
		if !h.worker.Clock.Sleep(h.waits, wait) {
			return
		}
		h.mu.Lock()
		current := currentLocked()
		if current {
			h.mu.restarts[id]++
		}
		h.mu.Unlock()
		if current {
			again()
		}
	}()
}

// forgetFailuresLocked begins to count anew, when a connector has new settings or a user restarts it.
func (h *Herder) forgetFailuresLocked(connector string) {
	for id := range h.mu.failures {
		if id.Connector == connector {
			delete(h.mu.failures, id)
		}
	}
}

// policyOf is the restart policy of a connector, which may differ from the worker's.
func (h *Herder) policyOf(connector config.Props) RestartPolicy {
	p := h.cfg.Restart
	own, err := connectorconfig.Restart(connector)
	if err != nil {
		return p // settings of before they were checked
	}
	if !own.Null(restartPolicyKey) {
		p.Enabled = own.String(restartPolicyKey) == "on-failure"
	}
	if !own.Null(restartLimitKey) {
		p.Limit = own.Int(restartLimitKey)
	}
	for key, wait := range map[string]*time.Duration{restartFirstKey: &p.First, restartMostKey: &p.Most} {
		if !own.Null(key) {
			*wait = time.Duration(own.Int(key)) * time.Millisecond
		}
	}
	return p
}

// stopForRestart ends a task; reconcile starts it anew.
func (h *Herder) stopForRestart(id TaskID) {
	h.mu.Lock()
	if t := h.mu.tasks[id]; t != nil {
		h.stopTaskLocked(id, t)
	}
	h.mu.Unlock()
	h.reconcile()
}
