package stream

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/wasmstream/wasmstream/topology"
)

// PlacementConfig says where tasks and their replicas go. Its names and defaults are Kafka's. It is the leader's that counts.
type PlacementConfig struct {
	// NumStandbyReplicas is how many copies of the state of each task other processes keep.
	NumStandbyReplicas int
	// AcceptableRecoveryLag is how many offsets the state of a process may be behind for a task to move there at once.
	AcceptableRecoveryLag int64
	// MaxWarmupReplicas bounds the copies that are made only because a task is to move, in the whole group.
	MaxWarmupReplicas int
	// ProbingRebalanceInterval is how often the leader looks whether they have caught up.
	ProbingRebalanceInterval time.Duration
	// RackStrategy is none, min_traffic or balance_subtopology. Costs are Kafka's; -1 is the default.
	RackStrategy                string
	TrafficCost, NonOverlapCost int
	// RackTags are the tags in which the copies of a task should differ.
	RackTags []string
	// Rack and Tags are those of this process.
	Rack string
	Tags map[string]string
}

// processKey is the identity of a process, the bytes of its UUID.
type processKey = [processIDLen]byte

// assignMember is a member of the group, a thread, as the assignment sees it.
type assignMember struct {
	process    processKey
	topics     map[string]bool
	generation int32
	owned      map[topology.TaskID]int  // how many of the task's partitions the member claims
	standbys   map[topology.TaskID]bool // that the member keeps
	server     string                   // application.server of the member's process
}

// assignProcess is what the members of one process have in common.
type assignProcess struct {
	rack      string
	tags      map[string]string
	positions map[topology.TaskID]int64 // sums of changelog offsets, or latestPosition
	threads   int
}

// latestPosition is the position of a task that runs: nobody can be ahead of it. Kafka's Task.LATEST_OFFSET.
const latestPosition = -2

// assignCluster is the input of an assignment: tasks and members. No clock, no client.
type assignCluster struct {
	cfg       PlacementConfig
	members   []assignMember
	processes map[processKey]*assignProcess
	order     []processKey                 // in that of the members
	err       assignmentError              // that a member reported, for all to hear
	tasks     []topology.TaskID            // sorted
	topics    map[topology.TaskID][]string // whose partition the task reads, sorted
	// stateful are the tasks with changelogs, and ends the sums of the ends of these; nil if they could not be asked for.
	stateful map[topology.TaskID]bool
	ends     map[topology.TaskID]int64
	// racks are, for each task, those of the replicas of each partition it works with; nil if places do not count.
	racks map[topology.TaskID]taskRacks
}

// assignment is what the members get.
type assignment struct {
	tasks    [][]topology.TaskID // in the order of the members
	standbys [][]topology.TaskID // warm-up replicas among them
	// warmups are the processes where copies are made only because the task is to move.
	warmups map[topology.TaskID]processKey
	// probe: a later round may do better, without anything but time having passed.
	probe bool
}

func newAssignCluster(subtopology func(string) (int, bool), counts map[string]int32) *assignCluster {
	c := &assignCluster{topics: make(map[topology.TaskID][]string), processes: make(map[processKey]*assignProcess)}
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

// add takes in a member and what it says of its process.
func (c *assignCluster) add(m assignMember, info subscriptionInfo) {
	p := c.processes[m.process]
	if p == nil {
		p = &assignProcess{rack: info.rack, tags: info.tags, positions: make(map[topology.TaskID]int64)}
		c.processes[m.process] = p
		c.order = append(c.order, m.process)
	}
	p.threads++
	for id, at := range info.positions {
		if old, ok := p.positions[id]; !ok || at == latestPosition || old != latestPosition && at > old {
			p.positions[id] = at
		}
	}
	c.members = append(c.members, m)
}

// lag is how many offsets a process is behind on a task; 0 if that is not known, or the task has no changelog.
func (c *assignCluster) lag(id topology.TaskID, p processKey) int64 {
	if !c.stateful[id] || c.ends == nil {
		return 0
	}
	at, ok := c.processes[p].positions[id]
	switch end := c.ends[id]; {
	case ok && at == latestPosition:
		return 0
	case !ok, at < 0, at > end: // more than there is belongs to another changelog
		return end
	default:
		return end - at
	}
}

// caughtUp tells whether a task may move to a process at once.
func (c *assignCluster) caughtUp(id topology.TaskID, p processKey) bool {
	return c.lag(id, p) <= c.cfg.AcceptableRecoveryLag
}

// distance orders processes by what they have of a task: caught up, then the less behind the better; if lags are not
// known, any state before none.
func (c *assignCluster) distance(id topology.TaskID, p processKey) int64 {
	_, some := c.processes[p].positions[id]
	switch {
	case c.ends == nil && c.stateful[id] && some, !c.stateful[id]:
		return 0
	case c.ends == nil:
		return 1
	case c.caughtUp(id, p) && some:
		return 0
	case c.caughtUp(id, p):
		return 1
	}
	return 1 + c.lag(id, p)
}

func compareTasks(a, b topology.TaskID) int {
	return cmp.Or(cmp.Compare(a.Subtopology, b.Subtopology), cmp.Compare(a.Partition, b.Partition))
}

// topicsOf are the topics of which a task reads its partition.
func (c *assignCluster) topicsOf(id topology.TaskID) []string { return c.topics[id] }

// balance returns what each member gets in this round: the goal, but tasks stay, or go, where their state is until their
// place in the goal has caught up, and what another member must give up first is withheld.
func (c *assignCluster) balance() assignment {
	a := assignment{tasks: c.goal(), warmups: make(map[topology.TaskID]processKey)}
	if len(c.members) == 0 {
		return a
	}
	c.optimize(a.tasks)
	c.holdBack(&a)
	a.standbys = c.placeStandbys(&a)
	c.withhold(&a)
	return a
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

// withhold takes from the goal every task that another member may still be working on. That member finds the task
// missing in its assignment, commits and closes it, and joins again; the next round hands it on. A task moves as a
// whole: if one of its partitions is claimed elsewhere, none is assigned. Until then the member keeps the state as a
// standby.
//
// The newest claim of the member itself counts as ownership and needs no round; a stale one does not, since whoever
// got the task meanwhile must revoke first.
func (c *assignCluster) withhold(a *assignment) {
	for m := range a.tasks {
		a.tasks[m] = slices.DeleteFunc(a.tasks[m], func(id topology.TaskID) bool {
			waits := c.owner(id) != m && c.claimedByOther(id, m)
			if waits && c.stateful[id] {
				a.standbys[m] = append(a.standbys[m], id)
			}
			return waits
		})
		slices.SortFunc(a.tasks[m], compareTasks)
		slices.SortFunc(a.standbys[m], compareTasks)
	}
}

func (c *assignCluster) claimedByOther(id topology.TaskID, m int) bool {
	for o := range c.members {
		if o != m && c.members[o].owned[id] > 0 {
			return true
		}
	}
	return false
}
