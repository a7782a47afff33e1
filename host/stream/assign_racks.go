package stream

import (
	"math"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// Kafka's strategies of rack.aware.assignment.strategy, and its costs for the assignor that knows of state.
const (
	rackNone               = "none"
	rackMinTraffic         = "min_traffic"
	rackBalanceSubtopology = "balance_subtopology"

	statefulTrafficCost, statefulNonOverlapCost   = 10, 1
	statelessTrafficCost, statelessNonOverlapCost = 1, 0
)

// taskRacks are where the replicas of the partitions lie that a task works with.
type taskRacks struct {
	sources, changelogs []partitionRacks
}

// partitionRacks are the racks of one partition's replicas.
type partitionRacks []string

// away is how many partitions have no replica in a rack.
func away(list []partitionRacks, rack string) (n int) {
	for _, racks := range list {
		if !slices.Contains(racks, rack) {
			n++
		}
	}
	return n
}

// rackAware tells whether places count: all processes and partitions have one, and processes differ (KIP-925).
func (c *assignCluster) rackAware() bool {
	if c.racks == nil || c.cfg.RackStrategy == rackNone || c.cfg.RackStrategy == "" {
		return false
	}
	racks := make(map[string]bool)
	for _, p := range c.processes {
		if p.rack == "" {
			return false
		}
		racks[p.rack] = true
	}
	return len(racks) > 1
}

// cost is that of a member running a task: the partitions it reads from, and writes to, in other racks, and the move of a
// task that is elsewhere.
func (c *assignCluster) cost(id topology.TaskID, m int) int {
	traffic, overlap := c.costs(id)
	p := c.members[m].process
	racks := c.racks[id]
	n := traffic * (away(racks.sources, c.processes[p].rack) + away(racks.changelogs, c.processes[p].rack))
	if owner := c.owner(id); owner >= 0 && c.members[owner].process != p {
		n += overlap
	}
	return n
}

func (c *assignCluster) costs(id topology.TaskID) (traffic, overlap int) {
	traffic, overlap = statelessTrafficCost, statelessNonOverlapCost
	if c.stateful[id] {
		traffic, overlap = statefulTrafficCost, statefulNonOverlapCost
	}
	if c.cfg.TrafficCost >= 0 {
		traffic = c.cfg.TrafficCost
	}
	if c.cfg.NonOverlapCost >= 0 {
		overlap = c.cfg.NonOverlapCost
	}
	return traffic, overlap
}

// optimize exchanges tasks between members until no exchange makes the sum of costs smaller: the least there is with as
// many tasks for each member as it has, with state and without. With balance_subtopology members also keep their numbers of
// each sub-topology.
func (c *assignCluster) optimize(goal [][]topology.TaskID) {
	if !c.rackAware() {
		return
	}
	kind := func(id topology.TaskID) int {
		switch {
		case c.cfg.RackStrategy == rackBalanceSubtopology:
			return id.Subtopology
		case c.stateful[id]:
			return 1
		}
		return 0
	}
	done := make(map[int]bool)
	for _, id := range c.tasks {
		if done[kind(id)] {
			continue
		}
		done[kind(id)] = true
		x := &exchange{c: c, goal: goal, among: func(other topology.TaskID) bool { return kind(other) == kind(id) }}
		for x.once() {
			continue
		}
	}
}

// exchange looks for rounds of tasks to pass on from member to member. A round that costs less than nothing exists as
// long as the assignment is not the cheapest: members are the nodes of a graph, the cheapest task to pass on the edges,
// and what is looked for is a cycle of negative length.
type exchange struct {
	c     *assignCluster
	goal  [][]topology.TaskID
	among func(topology.TaskID) bool // which tasks are exchanged for each other

	cost [][]int             // of the cheapest task to pass on
	task [][]topology.TaskID // which it is
}

const noTask = math.MaxInt32

// once passes tasks on along one cycle, if there is one.
func (x *exchange) once() bool {
	n := len(x.goal)
	x.weigh(n)
	distance, before := make([]int, n), make([]int, n)
	for i := range before {
		before[i] = -1
	}
	last := -1
	for range n { // Bellman and Ford: what still becomes shorter in the n-th round hangs on a cycle
		last = -1
		for from := range n {
			for to := range n {
				if x.cost[from][to] < noTask && distance[from]+x.cost[from][to] < distance[to] {
					distance[to], before[to] = distance[from]+x.cost[from][to], from
					last = to
				}
			}
		}
		if last < 0 {
			return false
		}
	}
	for range n {
		last = before[last]
	}
	x.pass(last, before)
	return true
}

// weigh finds the cheapest task of each member to pass on to each other.
func (x *exchange) weigh(n int) {
	x.cost, x.task = make([][]int, n), make([][]topology.TaskID, n)
	for from := range n {
		x.cost[from], x.task[from] = make([]int, n), make([]topology.TaskID, n)
		for to := range n {
			x.cost[from][to] = noTask
		}
		for _, id := range x.goal[from] {
			if !x.among(id) {
				continue
			}
			here := x.c.cost(id, from)
			for to := range n {
				if to == from || !x.c.reads(to, id) {
					continue
				}
				if d := x.c.cost(id, to) - here; d < x.cost[from][to] {
					x.cost[from][to], x.task[from][to] = d, id
				}
			}
		}
	}
}

// pass moves the tasks along the cycle that at lies on.
func (x *exchange) pass(at int, before []int) {
	for to := at; ; {
		from := before[to]
		id := x.task[from][to]
		x.goal[from] = slices.DeleteFunc(x.goal[from], func(o topology.TaskID) bool { return o == id })
		x.goal[to] = append(x.goal[to], id)
		if to = from; to == at {
			return
		}
	}
}
