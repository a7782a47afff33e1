package connect

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"time"
)

// plan has the settings of a connector's tasks made anew, soon, by one goroutine for each connector.
func (h *Herder) plan(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, working := h.mu.planning[name]; working {
		h.mu.planning[name] = true
		return
	}
	if h.mu.closed {
		return
	}
	h.mu.planning[name] = false
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		for wait := 250 * time.Millisecond; ; wait = min(2*wait, time.Minute) {
			err := h.planOnce(name)
			if err != nil && h.life.Err() == nil {
				h.log.Warn("task settings could not be stored and are made again", "connector", name, "in", wait, "error", err)
				if h.worker.Clock.Sleep(h.waits, wait) {
					continue
				}
			}
			h.mu.Lock()
			again := h.mu.planning[name] && h.waits.Err() == nil && !h.mu.closed
			if again {
				h.mu.planning[name] = false
				h.mu.Unlock()
				wait = 125 * time.Millisecond
				continue
			}
			delete(h.mu.planning, name)
			h.mu.Unlock()
			return
		}
	}()
}

// planOnce asks the connector for its tasks and stores what has changed. Errors of the connector itself are told by its
// status and are none here.
func (h *Herder) planOnce(name string) error {
	h.mu.Lock()
	c := h.mu.connectors[name]
	closed := h.mu.closed
	h.mu.Unlock()
	if c == nil || closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.life, time.Minute)
	defer cancel()
	tasks, ok, err := c.TaskConfigs(ctx)
	if errors.Is(err, ErrConnectorBusy) {
		return err
	}
	if err != nil || !ok {
		return nil
	}
	digest := c.digest()
	if h.tasksChanged(name, c, tasks, digest) {
		err = h.storeTasks(ctx, name, tasks)
	}
	if err == nil {
		h.mu.Lock()
		h.mu.planned[name] = digest
		h.mu.Unlock()
	}
	return err
}

// tasksChanged tells whether tasks are to run with other settings than those that were stored, or, where these have variables, with
// other values of them.
func (h *Herder) tasksChanged(name string, c *RunningConnector, tasks []map[string]string, digest [sha256.Size]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.connectors[name] != c || h.mu.config.TargetState(name) != Started {
		return false
	}
	ids := h.mu.config.Tasks(name)
	if len(ids) != len(tasks) || !maps.Equal(h.mu.config.AppliedConnector(name), h.mu.config.Connector(name)) {
		return true
	}
	if before, known := h.mu.planned[name]; known && before != digest {
		return true
	}
	for i, id := range ids {
		if !maps.Equal(h.mu.config.Task(id), tasks[i]) {
			return true
		}
	}
	return len(tasks) == 0 && h.mu.config.Generation(name) < 0
}

// storeTasks writes the settings of tasks, or has the leader write them.
func (h *Herder) storeTasks(ctx context.Context, name string, tasks []map[string]string) error {
	if leads, url := h.leader(); !leads {
		if url == "" {
			return errors.New("no leader is known")
		}
		return h.sendTasks(ctx, url, name, tasks)
	}
	return h.writeTasks(ctx, name, tasks)
}

// writeTasks is for the leader. The records take effect with the commit, which comes last.
func (h *Herder) writeTasks(ctx context.Context, name string, tasks []map[string]string) error {
	unlock, err := h.lockLeading(ctx, "write task configurations")
	if err != nil {
		return err
	}
	defer unlock()
	var records []Record
	for i, props := range tasks {
		records = append(records, TaskRecord(TaskID{name, i}, props))
	}
	return h.writeLeading(ctx, "writing task configs for connector "+name+" to the config topic", append(records, CommitRecord(name, len(tasks)))...)
}

// leader tells whether this worker leads; a standalone one always does.
func (h *Herder) leader() (leads bool, url string) {
	if h.member == nil {
		return true, h.cfg.AdvertisedURL
	}
	return h.member.Leader()
}
