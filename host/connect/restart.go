package connect

import "time"

// RestartPlan is what a RestartRequest comes to, given what runs (KIP-745).
type RestartPlan struct {
	Request   RestartRequest
	Connector bool
	Tasks     []TaskID
}

// PlanRestart decides which parts of a connector are to be restarted; nil if it has no status.
func PlanRestart(r RestartRequest, s *Statuses) *RestartPlan {
	status, ok := s.Connector(r.Connector)
	if !ok {
		return nil
	}
	chosen := func(s State) bool { return !r.OnlyFailed || s == StateFailed }
	plan := &RestartPlan{Request: r, Connector: chosen(status.State)}
	if !r.IncludeTasks {
		return plan
	}
	for _, id := range s.Tasks(r.Connector) {
		if task, _ := s.Task(id); chosen(task.State) {
			plan.Tasks = append(plan.Tasks, id)
		}
	}
	return plan
}

// RestartPolicy restarts tasks and connectors that have failed, by itself: restart.policy=on-failure.
type RestartPolicy struct {
	Enabled bool
	// First is the wait before the first restart; it doubles with each one that fails, up to Most.
	First, Most time.Duration
	// Limit is how many restarts in a row are tried; 0 is no limit.
	Limit int
	// Healthy is how long a task has to run for its failures to be forgotten.
	Healthy time.Duration
}

// DefaultRestartPolicy tries ten times within about half an hour: long enough for a database to come back, short enough
// for a broken setting to show.
func DefaultRestartPolicy() RestartPolicy {
	return RestartPolicy{Enabled: true, First: time.Second, Most: 5 * time.Minute, Limit: 10, Healthy: 10 * time.Minute}
}

// Failures counts restarts of one task.
type Failures struct{ count int }

// Next is the wait before the next restart of what ran for so long; false when it is to stay failed.
func (p RestartPolicy) Next(f *Failures, ran time.Duration) (wait time.Duration, again bool) {
	if ran >= p.Healthy {
		f.count = 0
	}
	if !p.Enabled || p.Limit > 0 && f.count >= p.Limit {
		return 0, false
	}
	wait = p.Most
	if f.count < 30 {
		wait = min(p.First<<f.count, p.Most)
	}
	f.count++
	return wait, true
}
