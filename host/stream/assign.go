package stream

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// assignMember is a member of the group as the assignment sees it.
type assignMember struct {
	process    [processIDLen]byte
	topics     map[string]bool
	generation int32
	owned      map[topology.TaskID]int  // how many of the task's partitions the member claims
	local      map[topology.TaskID]bool // state on the disk of the member's process
	server     string                   // application.server of the member's process
}

// assignCluster is the input of an assignment: tasks and members. No clock, no client.
type assignCluster struct {
	members []assignMember
	tasks   []topology.TaskID            // sorted
	topics  map[topology.TaskID][]string // whose partition the task reads, sorted
	err     assignmentError              // that a member reported, for all to hear
}

func newAssignCluster(subtopology func(string) (int, bool), counts map[string]int32) *assignCluster {
	c := &assignCluster{topics: make(map[topology.TaskID][]string)}
	for _, topic := range slices.Sorted(maps.Keys(counts)) {
		sub, ok := subtopology(topic)
		if !ok {
			continue
		}
		for p := range counts[topic] {
			id := topology.TaskID{Subtopology: sub, Partition: p}
			c.topics[id] = append(c.topics[id], topic)
		}
	}
	c.tasks = slices.SortedFunc(maps.Keys(c.topics), compareTasks)
	return c
}

func compareTasks(a, b topology.TaskID) int {
	return cmp.Or(cmp.Compare(a.Subtopology, b.Subtopology), cmp.Compare(a.Partition, b.Partition))
}

// topicsOf are the topics of which a task reads its partition.
func (c *assignCluster) topicsOf(id topology.TaskID) []string { return c.topics[id] }

// balance returns the tasks of each member for this round: the goal without what another member must give up first.
func (c *assignCluster) balance() [][]topology.TaskID {
	return c.withhold(c.goal())
}

// goal is the assignment to reach. Each member keeps what it owns up to its quota; what is left goes to members with
// room, first where its state lies, then where few tasks of its sub-topology are.
func (c *assignCluster) goal() [][]topology.TaskID {
	if len(c.members) == 0 {
		return nil
	}
	kept, free := c.keep()
	quotas := c.quotas(kept)
	for m := range kept {
		var dropped []topology.TaskID
		kept[m], dropped = trim(kept[m], quotas[m])
		free = append(free, dropped...)
	}
	slices.SortFunc(free, compareTasks)
	for _, id := range free {
		if m := c.place(id, kept, quotas); m >= 0 {
			kept[m] = append(kept[m], id)
		}
	}
	return kept
}

// keep gives each task to its owner of the last round: among those who claim it, the one with the highest generation.
// A claim of an older generation is stale, made by a member that missed a rebalance.
func (c *assignCluster) keep() (kept [][]topology.TaskID, free []topology.TaskID) {
	kept = make([][]topology.TaskID, len(c.members))
	for _, id := range c.tasks {
		if m := c.owner(id); m >= 0 && c.reads(m, id) {
			kept[m] = append(kept[m], id)
		} else {
			free = append(free, id)
		}
	}
	return kept, free
}

// owner is the member that holds a task by the newest claim, or -1.
func (c *assignCluster) owner(id topology.TaskID) int {
	best := -1
	for m := range c.members {
		if c.members[m].owned[id] == 0 {
			continue
		}
		if best < 0 || c.members[m].generation > c.members[best].generation {
			best = m
		}
	}
	return best
}

// reads tells whether a member subscribes to all topics of a task; during an upgrade of the topology some do not.
func (c *assignCluster) reads(m int, id topology.TaskID) bool {
	for _, t := range c.topics[id] {
		if !c.members[m].topics[t] {
			return false
		}
	}
	return true
}

// quotas is the number of tasks each member may have: the same for all, and one more for as many as needed. Those go
// round the processes, so that a process with many threads does not take them all; within these rules to the members
// that own the most, so that little moves.
func (c *assignCluster) quotas(kept [][]topology.TaskID) []int {
	n := len(c.members)
	floor, extra := len(c.tasks)/n, len(c.tasks)%n
	byProcess := make(map[[processIDLen]byte][]int)
	var processes [][processIDLen]byte
	quotas := make([]int, n)
	for m := range c.members {
		p := c.members[m].process
		if byProcess[p] == nil {
			processes = append(processes, p)
		}
		byProcess[p] = append(byProcess[p], m)
		quotas[m] = floor
	}
	excess := make(map[[processIDLen]byte]int) // tasks above the floor that the process holds already
	for _, p := range processes {
		slices.SortStableFunc(byProcess[p], func(a, b int) int { return cmp.Compare(len(kept[b]), len(kept[a])) })
		for _, m := range byProcess[p] {
			if len(kept[m]) > floor {
				excess[p]++
			}
		}
	}
	given := make(map[[processIDLen]byte]int)
	for range extra {
		p := nextProcess(processes, given, excess, func(p [processIDLen]byte) bool { return given[p] < len(byProcess[p]) })
		quotas[byProcess[p][given[p]]]++
		given[p]++
	}
	return quotas
}

// nextProcess is the process with room that was given the fewest extra tasks, of those the one that holds the most.
func nextProcess(all [][processIDLen]byte, given, excess map[[processIDLen]byte]int, room func([processIDLen]byte) bool) [processIDLen]byte {
	var best [processIDLen]byte
	found := false
	for _, p := range all {
		if !room(p) {
			continue
		}
		if !found || given[p] < given[best] || given[p] == given[best] && excess[p]-given[p] > excess[best]-given[best] {
			best, found = p, true
		}
	}
	return best
}

// trim takes tasks away until n are left: always of the sub-topology with the most, the highest partition first.
func trim(tasks []topology.TaskID, n int) (kept, dropped []topology.TaskID) {
	for len(tasks) > n {
		count := make(map[int]int)
		for _, id := range tasks {
			count[id.Subtopology]++
		}
		worst := 0
		for i, id := range tasks {
			if count[id.Subtopology] >= count[tasks[worst].Subtopology] {
				worst = i
			}
		}
		dropped = append(dropped, tasks[worst])
		tasks = slices.Delete(tasks, worst, worst+1)
	}
	return tasks, dropped
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
		compareBool(c.members[a].local[id], c.members[b].local[id]),
		cmp.Compare(countOf(have[b], id.Subtopology), countOf(have[a], id.Subtopology)),
		cmp.Compare(len(have[b]), len(have[a])),
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

// withhold takes from the goal every task that another member may still be working on. That member finds the task
// missing in its assignment, commits and closes it, and joins again; the next round hands it on. A task moves as a
// whole: if one of its partitions is claimed elsewhere, none is assigned.
//
// The newest claim of the member itself counts as ownership and needs no round; a stale one does not, since whoever
// got the task meanwhile must revoke first.
func (c *assignCluster) withhold(goal [][]topology.TaskID) [][]topology.TaskID {
	for m := range goal {
		goal[m] = slices.DeleteFunc(goal[m], func(id topology.TaskID) bool {
			return c.owner(id) != m && c.claimedByOther(id, m)
		})
		slices.SortFunc(goal[m], compareTasks)
	}
	return goal
}

func (c *assignCluster) claimedByOther(id topology.TaskID, m int) bool {
	for o := range c.members {
		if o != m && c.members[o].owned[id] > 0 {
			return true
		}
	}
	return false
}
