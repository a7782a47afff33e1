package connect

import (
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// taskFailed restarts a task that has failed, as the restart policy says. One that was fenced waits until this worker has heard
// whether the task is still its own: begun at once it would fence its rightful owner.
func (h *Herder) taskFailed(t *RunningTask, cause error) {
	least := time.Duration(0)
	if isFenced(cause) {
		least = h.cfg.SessionTimeout
	}
	h.restartLater(t.Spec.ID, t.Spec.Connector, t.started, least, func() {
		h.mu.Lock()
		still := h.mu.tasks[t.Spec.ID] == t
		h.mu.Unlock()
		if still {
			h.taskStatus(t.Spec.ID, Status{State: StateRestarting})
			h.stopForRestart(t.Spec.ID)
		}
	})
}

// connectorFailed does the same for a connector.
func (h *Herder) connectorFailed(c *RunningConnector) {
	h.restartLater(TaskID{c.Name, -1}, c.Props, c.began, 0, func() {
		h.mu.Lock()
		still := h.mu.connectors[c.Name] == c && c.failure() != nil
		if still {
			h.stopConnectorLocked(c.Name, c)
		}
		h.mu.Unlock()
		if still {
			h.connectorStatus(c.Name, Status{State: StateRestarting})
			h.reconcile()
		}
	})
}

// restartLater calls again when the restart policy says so, and never if it is over with restarts.
func (h *Herder) restartLater(id TaskID, connector config.Props, began time.Time, least time.Duration, again func()) {
	if h.cfg.Compat {
		return
	}
	h.mu.Lock()
	f := h.mu.failures[id]
	if f == nil {
		f = &Failures{}
		h.mu.failures[id] = f
	}
	wait, more := h.policyOf(connector).Next(f, time.Since(began))
	closed := h.mu.closed
	if more && !closed {
		h.wg.Add(1)
	}
	h.mu.Unlock()
	if !more || closed {
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
		h.mu.restarts[id]++
		h.mu.Unlock()
		again()
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
	switch connector.Or(restartPolicyKey, "") {
	case "none":
		p.Enabled = false
	case "on-failure":
		p.Enabled = true
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
