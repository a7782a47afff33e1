package connect

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Share is a set of connectors and tasks: Kafka's ConnectorsAndTasks.
type Share struct {
	Connectors map[string]bool
	Tasks      map[TaskID]bool
}

// NewShare makes a share of what is listed.
func NewShare(connectors []string, tasks []TaskID) Share {
	s := Share{make(map[string]bool, len(connectors)), make(map[TaskID]bool, len(tasks))}
	for _, c := range connectors {
		s.Connectors[c] = true
	}
	for _, t := range tasks {
		s.Tasks[t] = true
	}
	return s
}

// Empty tells whether there is nothing in it.
func (s Share) Empty() bool { return len(s.Connectors) == 0 && len(s.Tasks) == 0 }

// ConnectorList are the connectors in order.
func (s Share) ConnectorList() []string { return slices.Sorted(maps.Keys(s.Connectors)) }

// TaskList are the tasks in order.
func (s Share) TaskList() []TaskID { return slices.SortedFunc(maps.Keys(s.Tasks), compareTasks) }

func compareTasks(a, b TaskID) int {
	return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Task, b.Task))
}

func (s Share) clone() Share { return Share{maps.Clone(s.Connectors), maps.Clone(s.Tasks)} }

func (s Share) add(o Share) {
	maps.Copy(s.Connectors, o.Connectors)
	maps.Copy(s.Tasks, o.Tasks)
}

func (s Share) remove(o Share) {
	for c := range o.Connectors {
		delete(s.Connectors, c)
	}
	for t := range o.Tasks {
		delete(s.Tasks, t)
	}
}

// without is what is in s and in none of others.
func (s Share) without(others ...Share) Share {
	out := s.clone()
	for _, o := range others {
		out.remove(o)
	}
	return out
}

func (s Share) common(o Share) Share {
	out := NewShare(nil, nil)
	for c := range s.Connectors {
		if o.Connectors[c] {
			out.Connectors[c] = true
		}
	}
	for t := range s.Tasks {
		if o.Tasks[t] {
			out.Tasks[t] = true
		}
	}
	return out
}

// Assignor spreads connectors and tasks over workers, incrementally: Kafka's IncrementalCooperativeAssignor (KIP-415). It
// lives as long as the worker leads, for one goroutine.
type Assignor struct {
	maxDelay  int64 // scheduled.rebalance.max.delay.ms
	delay     int64
	scheduled int64 // ms at which a rebalance is due, 0 for none

	previous           Share
	previousRevocation Share
	previousGeneration int32
	previousMembers    map[string]bool
	candidates         map[string]bool
	revokedInPrevious  bool
	revokingRounds     int
}

// NewAssignor makes an assignor that waits maxDelay ms for a lost worker.
func NewAssignor(maxDelay int64) *Assignor {
	return &Assignor{
		maxDelay: maxDelay, previous: NewShare(nil, nil), previousRevocation: NewShare(nil, nil), previousGeneration: -1,
		candidates: map[string]bool{},
	}
}

// Round is the outcome of a rebalance by worker. What a worker keeps is in neither Assigned nor Revoked.
type Round struct {
	Assigned, Revoked map[string]Share
	// Delay is how many ms later the next rebalance is due, 0 for none.
	Delay int64
}

// Assign works a rebalance out. configured is all that is to run, members what each worker runs; completed is the generation
// whose assignment the leader has got, current the one in work.
func (a *Assignor) Assign(now int64, configured Share, members map[string]Share, completed, current int32) Round {
	if a.previousGeneration != completed {
		a.previous = NewShare(nil, nil)
	}
	active := NewShare(nil, nil)
	for _, m := range members {
		active.add(m)
	}
	a.retryRevocation(active)
	deleted := a.previous.without(configured)
	duplicated := duplicates(members)
	lost := a.previous.without(active, deleted)
	created := configured.without(a.previous, active)

	revoke := map[string]Share{}
	next := loadsOf(members)
	for _, part := range []Share{deleted, duplicated} {
		for _, w := range next {
			w.giveUp(part.common(members[w.worker]), revoke)
		}
	}
	created.add(a.handleLost(now, lost, next))
	a.balance(now, configured, next, revoke)
	assignConnectors(next, created.ConnectorList())
	assignTasks(next, created.TaskList())

	round := Round{Assigned: map[string]Share{}, Revoked: revoke, Delay: a.delay}
	a.previous, a.previousMembers = NewShare(nil, nil), map[string]bool{}
	for _, w := range next {
		round.Assigned[w.worker] = w.share.without(members[w.worker].without(deleted))
		a.previous.add(w.share)
		a.previousMembers[w.worker] = true
	}
	for _, r := range revoke {
		a.previous.remove(r)
		a.previousRevocation.add(r)
	}
	a.previous.add(lost)
	a.previousGeneration = current
	return round
}

// retryRevocation sees to what was revoked in the last round and still runs.
func (a *Assignor) retryRevocation(active Share) {
	if !a.previousRevocation.Empty() && !a.previousRevocation.common(active).Empty() {
		a.previous = active.clone()
	}
	a.previousRevocation = NewShare(nil, nil)
}

func duplicates(members map[string]Share) Share {
	seen, twice := NewShare(nil, nil), NewShare(nil, nil)
	for _, m := range members {
		twice.add(seen.common(m))
		seen.add(m)
	}
	return twice
}

// handleLost decides about what a worker that is gone had: to wait for it, to give it to workers that came since, or, as
// the result, to spread it.
func (a *Assignor) handleLost(now int64, lost Share, next []*load) (reassign Share) {
	none := NewShare(nil, nil)
	if lost.Empty() && !a.revokedInPrevious {
		a.resetDelay()
		return none
	}
	if a.scheduled <= 0 && a.nobodyLeft(next) || a.maxDelay == 0 {
		return lost
	}
	if a.scheduled > 0 && now >= a.scheduled {
		reassign = lost
		if workers := a.candidatesAmong(next); len(workers) > 0 {
			reassign = none
			for i, c := range lost.ConnectorList() {
				workers[i%len(workers)].share.Connectors[c] = true
			}
			for i, t := range lost.TaskList() {
				workers[i%len(workers)].share.Tasks[t] = true
			}
		}
		a.resetDelay()
		a.revokedInPrevious = false
		return reassign
	}
	for _, w := range next {
		if w.share.Empty() {
			a.candidates[w.worker] = true
		}
	}
	if now < a.scheduled {
		a.delay = min(a.scheduled-now, a.maxDelay)
	} else {
		a.delay = a.maxDelay
	}
	a.scheduled = now + a.delay
	return none
}

func (a *Assignor) resetDelay() {
	clear(a.candidates)
	a.scheduled, a.delay = 0, 0
}

func (a *Assignor) nobodyLeft(next []*load) bool {
	there := 0
	for _, w := range next {
		if a.previousMembers[w.worker] {
			there++
		}
	}
	return there == len(a.previousMembers)
}

func (a *Assignor) candidatesAmong(next []*load) (out []*load) {
	for _, w := range next {
		if a.candidates[w.worker] {
			out = append(out, w)
		}
	}
	return out
}

// balance revokes what workers have too much of. Two rounds that revoke do not follow each other at once (KAFKA-12495).
func (a *Assignor) balance(now int64, configured Share, next []*load, revoke map[string]Share) {
	if a.delay != 0 {
		a.revokedInPrevious = false
		return
	}
	surplus := surplusOf(configured, next)
	switch {
	case a.revokedInPrevious && len(surplus) > 0:
		a.revokingRounds++
		if a.delay = a.backoff(a.revokingRounds); a.delay != 0 {
			a.scheduled = now + a.delay
			return
		}
	case len(surplus) > 0:
		a.revokedInPrevious = true
	case a.revokedInPrevious:
		a.revokedInPrevious, a.revokingRounds = false, 0
	}
	for _, w := range next {
		w.giveUp(surplus[w.worker], revoke)
	}
}

// backoff is Kafka's ExponentialBackoff(1, 40, maxDelay, 0).
func (a *Assignor) backoff(attempts int) int64 {
	first := min(a.maxDelay, 1)
	most := 0.0
	if a.maxDelay > first {
		most = math.Log(float64(a.maxDelay)/math.Max(float64(first), 1)) / math.Log(40)
	}
	return min(int64(float64(first)*math.Pow(40, math.Min(float64(attempts), most))), a.maxDelay)
}

func surplusOf(configured Share, next []*load) map[string]Share {
	out := map[string]Share{}
	at := func(worker string) Share {
		if _, ok := out[worker]; !ok {
			out[worker] = NewShare(nil, nil)
		}
		return out[worker]
	}
	for i, n := range surplusCounts(len(configured.Connectors), next, func(s Share) int { return len(s.Connectors) }) {
		for _, c := range next[i].share.ConnectorList()[:n] {
			at(next[i].worker).Connectors[c] = true
		}
	}
	for i, n := range surplusCounts(len(configured.Tasks), next, func(s Share) int { return len(s.Tasks) }) {
		for _, t := range next[i].share.TaskList()[:n] {
			at(next[i].worker).Tasks[t] = true
		}
	}
	return out
}

// surplusCounts is how many of a kind each worker has too many, by its index.
func surplusCounts(total int, next []*load, size func(Share) int) map[int]int {
	least, extras := total/len(next), total%len(next)
	atLeast, atExtra := 0, 0
	for _, w := range next {
		switch size(w.share) {
		case least:
			atLeast++
		case least + 1:
			atExtra++
		}
	}
	if atExtra == extras && atLeast+atExtra == len(next) {
		return nil
	}
	out := map[int]int{}
	for i, w := range next {
		n := size(w.share)
		if n <= least {
			continue
		}
		most := least
		if extras > 0 {
			extras--
			most = least + 1
		}
		if n > most {
			out[i] = n - most
		}
	}
	return out
}

// load is a worker with what it is to run.
type load struct {
	worker string
	share  Share
}

func loadsOf(members map[string]Share) []*load {
	var out []*load
	for _, name := range slices.Sorted(maps.Keys(members)) {
		out = append(out, &load{name, members[name].clone()})
	}
	return out
}

func (w *load) giveUp(part Share, revoke map[string]Share) {
	if part.Empty() {
		return
	}
	w.share.remove(part)
	if _, ok := revoke[w.worker]; !ok {
		revoke[w.worker] = NewShare(nil, nil)
	}
	revoke[w.worker].add(part)
}

func assignConnectors(next []*load, list []string) {
	spread(next, list, func(w *load) int { return len(w.share.Connectors) }, func(w *load, c string) { w.share.Connectors[c] = true })
}

func assignTasks(next []*load, list []TaskID) {
	spread(next, list, func(w *load) int { return len(w.share.Tasks) }, func(w *load, t TaskID) { w.share.Tasks[t] = true })
}

// spread gives each one to a worker that has the fewest.
func spread[T any](next []*load, list []T, size func(*load) int, give func(*load, T)) {
	if len(next) == 0 {
		return
	}
	slices.SortFunc(next, func(a, b *load) int { return cmp.Or(cmp.Compare(size(a), size(b)), cmp.Compare(a.worker, b.worker)) })
	for len(list) > 0 {
		least := size(next[0])
		upTo := slices.IndexFunc(next, func(w *load) bool { return size(w) > least })
		if upTo < 0 {
			upTo = len(next)
		}
		for _, w := range next[:upTo] {
			if len(list) == 0 {
				return
			}
			give(w, list[0])
			list = list[1:]
		}
	}
}
