package stream

import (
	"cmp"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// goal is the assignment to reach: as many tasks for each member as for any other, within one, and as many with state.
// Those with state are shared out first, by themselves, since they are the ones with work on disk; the others fill up what
// is left of each member's share of all.
func (c *assignCluster) goal() [][]topology.TaskID {
	if len(c.members) == 0 {
		return nil
	}
	stateful, stateless, free := c.keep()
	c.fill(stateful, c.statefulQuotas(stateful, stateless), withState(free, c.stateful, true))
	c.fill(stateless, c.statelessQuotas(stateful, stateless), withState(free, c.stateful, false))
	for m := range stateful {
		stateful[m] = append(stateful[m], stateless[m]...)
	}
	return stateful
}

// withState picks the tasks with state, or those without.
func withState(tasks []topology.TaskID, stateful map[topology.TaskID]bool, with bool) (picked []topology.TaskID) {
	for _, id := range tasks {
		if stateful[id] == with {
			picked = append(picked, id)
		}
	}
	return picked
}

// keep gives each task to its owner of the last round: among those who claim it, the one with the highest generation.
// A claim of an older generation is stale, made by a member that missed a rebalance.
func (c *assignCluster) keep() (stateful, stateless [][]topology.TaskID, free []topology.TaskID) {
	stateful, stateless = make([][]topology.TaskID, len(c.members)), make([][]topology.TaskID, len(c.members))
	for _, id := range c.tasks {
		switch m := c.owner(id); {
		case m < 0 || !c.reads(m, id):
			free = append(free, id)
		case c.stateful[id]:
			stateful[m] = append(stateful[m], id)
		default:
			stateless[m] = append(stateless[m], id)
		}
	}
	return stateful, stateless, free
}

// fill leaves each member what it owns up to its quota. What is over goes, with the free tasks, to members with room, first
// where its state lies, then where few tasks of its sub-topology are.
func (c *assignCluster) fill(have [][]topology.TaskID, quotas []int, free []topology.TaskID) {
	for m := range have {
		var dropped []topology.TaskID
		have[m], dropped = c.trim(m, have, quotas)
		free = append(free, dropped...)
	}
	slices.SortFunc(free, func(a, b topology.TaskID) int {
		return cmp.Or(-compareBool(c.isElsewhere(a), c.isElsewhere(b)), compareTasks(a, b))
	})
	for _, id := range free {
		if m := c.place(id, have, quotas); m >= 0 {
			have[m] = append(have[m], id)
		}
	}
}

// isElsewhere tells whether a task without a place has state somewhere. It chooses first.
func (c *assignCluster) isElsewhere(id topology.TaskID) bool {
	return slices.ContainsFunc(c.order, func(p processKey) bool { _, some := c.processes[p].positions[id]; return some })
}

// statefulQuotas is the number of tasks with state that each member may have. One more than others goes to those that own
// one more, so that little moves, and then to those that own the fewest others, so that those find room where they are.
func (c *assignCluster) statefulQuotas(stateful, stateless [][]topology.TaskID) []int {
	q := quotas{c: c, tasks: len(withState(c.tasks, c.stateful, true)), have: make([]int, len(c.members)), least: make([]int, len(c.members))}
	for m := range stateful {
		q.have[m] = len(stateful[m])
	}
	return q.share(func(a, b int) int { return cmp.Compare(len(stateless[a]), len(stateless[b])) })
}

// statelessQuotas is what each member's share of all tasks leaves beside those with state.
func (c *assignCluster) statelessQuotas(stateful, stateless [][]topology.TaskID) []int {
	q := quotas{c: c, tasks: len(c.tasks), have: make([]int, len(c.members)), least: make([]int, len(c.members))}
	for m := range stateful {
		q.have[m], q.least[m] = len(stateful[m])+len(stateless[m]), len(stateful[m])
	}
	left := q.share(func(int, int) int { return 0 })
	for m := range left {
		left[m] = max(0, left[m]-len(stateful[m]))
	}
	return left
}

// quotas shares tasks out: the same number for each member, and one more for as many as needed. Those go round the
// processes, so that a process with many threads does not take them all; within these rules to the members that must have
// one more, then to those that own one more.
type quotas struct {
	c     *assignCluster
	tasks int
	have  []int // how many each member owns
	least []int // how many each must be allowed

	processes []processKey
	members   map[processKey][]int // in the order in which they get one more
	given     map[processKey]int   // how many of a process's members get one more
	excess    map[processKey]int   // tasks above the floor that the process holds already
}

// share returns the quotas. Where neither rule decides, others does.
func (q *quotas) share(others func(a, b int) int) []int {
	floor, extra := q.tasks/len(q.c.members), q.tasks%len(q.c.members)
	q.line(floor, others)
	for _, p := range q.processes {
		for _, m := range q.members[p] {
			if q.least[m] > floor && extra > 0 {
				q.given[p]++
				extra--
			}
		}
	}
	for range extra {
		q.given[q.next()]++
	}
	shares := make([]int, len(q.c.members))
	for p, members := range q.members {
		for i, m := range members {
			shares[m] = floor
			if i < q.given[p] {
				shares[m]++
			}
		}
	}
	return shares
}

// line puts members and processes in the order in which they get one more than the floor.
func (q *quotas) line(floor int, others func(a, b int) int) {
	q.members, q.given, q.excess = make(map[processKey][]int), make(map[processKey]int), make(map[processKey]int)
	for m := range q.c.members {
		p := q.c.members[m].process
		if q.members[p] == nil {
			q.processes = append(q.processes, p)
		}
		q.members[p] = append(q.members[p], m)
		if q.have[m] > floor {
			q.excess[p]++
		}
	}
	first := func(a, b int) int {
		return cmp.Or(-compareBool(q.least[a] > floor, q.least[b] > floor), -compareBool(q.have[a] > floor, q.have[b] > floor), others(a, b))
	}
	for _, p := range q.processes {
		slices.SortStableFunc(q.members[p], first)
	}
	slices.SortStableFunc(q.processes, func(a, b processKey) int { return first(q.members[a][0], q.members[b][0]) })
}

// next is the process with room that was given the fewest extra tasks, of those the one that holds the most.
func (q *quotas) next() (best processKey) {
	found := false
	for _, p := range q.processes {
		if q.given[p] == len(q.members[p]) {
			continue
		}
		if !found || cmp.Or(
			cmp.Compare(q.given[p], q.given[best]),
			cmp.Compare(q.excess[best]-q.given[best], q.excess[p]-q.given[p]),
		) < 0 {
			best, found = p, true
		}
	}
	return best
}

// trim takes tasks away from a member until its quota is left: first those that a process with room has caught up on,
// then always of the sub-topology with the most, the highest partition first.
func (c *assignCluster) trim(m int, have [][]topology.TaskID, quotas []int) (kept, dropped []topology.TaskID) {
	tasks := have[m]
	for len(tasks) > quotas[m] {
		worst := 0
		for i, id := range tasks {
			if c.rather(id, tasks[worst], m, tasks, have, quotas) {
				worst = i
			}
		}
		dropped = append(dropped, tasks[worst])
		tasks = slices.Delete(tasks, worst, worst+1)
	}
	return tasks, dropped
}

// rather tells whether a member gives a up rather than b, which comes before it.
func (c *assignCluster) rather(a, b topology.TaskID, m int, tasks []topology.TaskID, have [][]topology.TaskID, quotas []int) bool {
	return cmp.Or(
		compareBool(c.awaited(a, m, have, quotas), c.awaited(b, m, have, quotas)),
		cmp.Compare(countOf(tasks, a.Subtopology), countOf(tasks, b.Subtopology)),
	) >= 0
}

// awaited tells whether a process with room for a task has caught up on its state.
func (c *assignCluster) awaited(id topology.TaskID, m int, have [][]topology.TaskID, quotas []int) bool {
	if !c.stateful[id] || c.ends == nil {
		return false
	}
	for o := range c.members {
		p := c.members[o].process
		if _, some := c.processes[p].positions[id]; o != m && some && p != c.members[m].process && len(have[o]) < quotas[o] && c.caughtUp(id, p) {
			return true
		}
	}
	return false
}

// place picks the member for a free task, or -1 if none reads its topics. Members with room come first; without any
// (members that read different topics) the least loaded takes it.
func (c *assignCluster) place(id topology.TaskID, have [][]topology.TaskID, quotas []int) int {
	best := -1
	for m := range c.members {
		if c.reads(m, id) && (best < 0 || c.better(id, m, best, have, quotas)) {
			best = m
		}
	}
	return best
}

func (c *assignCluster) better(id topology.TaskID, a, b int, have [][]topology.TaskID, quotas []int) bool {
	return cmp.Or(
		compareBool(len(have[b]) >= quotas[b], len(have[a]) >= quotas[a]),
		cmp.Compare(c.distance(id, c.members[b].process), c.distance(id, c.members[a].process)),
		compareBool(c.members[a].standbys[id], c.members[b].standbys[id]),
		cmp.Compare(countOf(have[b], id.Subtopology), countOf(have[a], id.Subtopology)),
		cmp.Compare(quotas[a]-len(have[a]), quotas[b]-len(have[b])),
	) > 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func countOf(tasks []topology.TaskID, sub int) (n int) {
	for _, id := range tasks {
		if id.Subtopology == sub {
			n++
		}
	}
	return n
}
