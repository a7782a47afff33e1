package stream

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// holdBack leaves tasks where their state is when their place in the goal is not caught up and another process is less
// behind (KIP-441). The place gets a warm-up replica, as long as there are not too many of these, and a later round moves
// the task. A task that nobody has more of moves at once.
func (c *assignCluster) holdBack(a *assignment) {
	if c.ends == nil {
		a.probe = len(c.stateful) > 0
		return
	}
	type move struct {
		id   topology.TaskID
		from int // member of the goal
	}
	var moves []move
	for m := range a.tasks {
		for _, id := range a.tasks[m] {
			if c.stateful[id] && !c.caughtUp(id, c.members[m].process) && c.ahead(id, c.members[m].process) {
				moves = append(moves, move{id, m})
			}
		}
	}
	// Those nearest to the end go first, so that what was begun is finished.
	slices.SortFunc(moves, func(x, y move) int {
		return cmp.Or(cmp.Compare(c.lag(x.id, c.members[x.from].process), c.lag(y.id, c.members[y.from].process)), compareTasks(x.id, y.id))
	})
	for _, mv := range moves {
		to := c.keeper(mv.id, a.tasks)
		a.tasks[mv.from] = slices.DeleteFunc(a.tasks[mv.from], func(id topology.TaskID) bool { return id == mv.id })
		a.tasks[to] = append(a.tasks[to], mv.id)
		a.probe = true
		if len(a.warmups) < c.cfg.MaxWarmupReplicas {
			a.warmups[mv.id] = c.members[mv.from].process
		}
	}
}

// ahead tells whether a process that can run the task is less behind on it than p.
func (c *assignCluster) ahead(id topology.TaskID, p processKey) bool {
	for m := range c.members {
		if c.reads(m, id) && c.lag(id, c.members[m].process) < c.lag(id, p) {
			return true
		}
	}
	return false
}

// keeper is the member that runs a task until its place has caught up. Of the processes that have caught up, or else are
// the least behind, it is the owner, one that keeps a standby, or the one with the least to do.
func (c *assignCluster) keeper(id topology.TaskID, have [][]topology.TaskID) int {
	owner, best := c.owner(id), -1
	for m := range c.members {
		if !c.reads(m, id) {
			continue
		}
		if best < 0 || cmp.Or(
			cmp.Compare(c.arrears(id, m), c.arrears(id, best)),
			-compareBool(m == owner, best == owner),
			-compareBool(c.members[m].standbys[id], c.members[best].standbys[id]),
			cmp.Compare(len(have[m]), len(have[best])),
		) < 0 {
			best = m
		}
	}
	return best
}

// arrears is the lag of a member's process, 0 if it is acceptable.
func (c *assignCluster) arrears(id topology.TaskID, m int) int64 {
	if c.caughtUp(id, c.members[m].process) {
		return 0
	}
	return c.lag(id, c.members[m].process)
}

// placeStandbys gives every task with state its replicas: the warm-ups, and as many standbys as are wanted and there are
// other processes for. Where all standbys are, even and as far apart as others would be, they stay; else a standby stays
// where one is if it can, and others go where tags differ most, where state lies, then where the least is to do.
func (c *assignCluster) placeStandbys(a *assignment) [][]topology.TaskID {
	fresh, kept := newStandbyPlan(c, a), newStandbyPlan(c, a)
	fresh.place()
	if kept.keep(fresh.wanted) && kept.apart >= fresh.apart {
		return kept.spread()
	}
	return fresh.spread()
}

// standbyPlan is where standbys are being placed.
type standbyPlan struct {
	c      *assignCluster
	a      *assignment
	active map[topology.TaskID]processKey
	copies map[topology.TaskID][]processKey // standbys and warm-ups
	wanted map[topology.TaskID][]processKey // standbys alone
	load   map[processKey]int               // tasks and copies
	limit  map[processKey]int               // a fair share of them
	apart  int                              // tags in which copies differ from what the task has elsewhere
	racks  bool                             // places count
}

func newStandbyPlan(c *assignCluster, a *assignment) *standbyPlan {
	s := &standbyPlan{
		c: c, a: a, active: make(map[topology.TaskID]processKey), copies: make(map[topology.TaskID][]processKey),
		wanted: make(map[topology.TaskID][]processKey), load: make(map[processKey]int), limit: make(map[processKey]int),
		racks: c.rackAware(),
	}
	for m, tasks := range a.tasks {
		p := c.members[m].process
		s.load[p] += len(tasks)
		for _, id := range tasks {
			s.active[id] = p
		}
	}
	copies := min(c.cfg.NumStandbyReplicas, len(c.order)-1)*len(c.stateful) + len(a.warmups)
	for _, p := range c.order {
		n, threads := (len(c.tasks)+copies)*c.processes[p].threads, len(c.members)
		s.limit[p] = (n + threads - 1) / threads
	}
	for _, id := range slices.SortedFunc(maps.Keys(a.warmups), compareTasks) {
		s.put(id, a.warmups[id])
	}
	return s
}

// place chooses a process for each standby.
func (s *standbyPlan) place() {
	for _, id := range s.c.tasks {
		if !s.c.stateful[id] {
			continue
		}
		for range s.c.cfg.NumStandbyReplicas {
			p, ok := s.next(id)
			if !ok {
				break
			}
			s.want(id, p)
		}
	}
	s.even()
}

// keep leaves each standby where one is, and tells whether these are as many as in like and lie evenly.
func (s *standbyPlan) keep(like map[topology.TaskID][]processKey) bool {
	for _, id := range s.c.tasks {
		for _, m := range s.c.members {
			if m.standbys[id] && len(s.wanted[id]) < len(like[id]) && s.may(id, m.process) {
				s.want(id, m.process)
			}
		}
		if len(s.wanted[id]) < len(like[id]) {
			return false
		}
	}
	return !s.evenOne()
}

func (s *standbyPlan) want(id topology.TaskID, p processKey) {
	s.put(id, p)
	s.wanted[id] = append(s.wanted[id], p)
}

func (s *standbyPlan) put(id topology.TaskID, p processKey) {
	s.apart += s.differs(id, p)
	s.copies[id] = append(s.copies[id], p)
	s.load[p]++
}

// may tells whether a process may have another copy of a task: it has none, and does not run it.
func (s *standbyPlan) may(id topology.TaskID, p processKey) bool {
	at, runs := s.active[id]
	return runs && at != p && !slices.Contains(s.copies[id], p)
}

// next is the best process for one more standby.
func (s *standbyPlan) next(id topology.TaskID) (best processKey, found bool) {
	for _, p := range s.c.order {
		if s.may(id, p) && (!found || s.better(id, p, best)) {
			best, found = p, true
		}
	}
	return best, found
}

func (s *standbyPlan) better(id topology.TaskID, a, b processKey) bool {
	return cmp.Or(
		cmp.Compare(s.differs(id, b), s.differs(id, a)),
		-compareBool(s.load[a] < s.limit[a], s.load[b] < s.limit[b]),
		cmp.Compare(s.held(id, a), s.held(id, b)),
		cmp.Compare(s.traffic(id, a), s.traffic(id, b)),
		cmp.Compare(s.load[a]*s.c.processes[b].threads, s.load[b]*s.c.processes[a].threads),
	) < 0
}

// differs is in how many of the tags that count a process differs from all that have the task.
func (s *standbyPlan) differs(id topology.TaskID, p processKey) (n int) {
	for _, tag := range s.c.cfg.RackTags {
		value, ok := s.c.processes[p].tags[tag]
		taken := func(o processKey) bool { return s.c.processes[o].tags[tag] == value }
		if ok && !taken(s.active[id]) && !slices.ContainsFunc(s.copies[id], taken) {
			n++
		}
	}
	return n
}

// traffic is the cost of a standby of a task in a process, if places count.
func (s *standbyPlan) traffic(id topology.TaskID, p processKey) int {
	if !s.racks {
		return 0
	}
	return away(s.c.racks[id].changelogs, s.c.processes[p].rack)
}

// held orders processes by what they have: a copy that is kept, state, none.
func (s *standbyPlan) held(id topology.TaskID, p processKey) int64 {
	for _, m := range s.c.members {
		if m.process == p && (m.standbys[id] || m.owned[id] > 0) {
			return -1
		}
	}
	return s.c.distance(id, p)
}

// even moves standbys from processes that have too much to such that have too little.
func (s *standbyPlan) even() {
	for range len(s.c.tasks) * max(1, s.c.cfg.NumStandbyReplicas) {
		if !s.evenOne() {
			return
		}
	}
}

func (s *standbyPlan) evenOne() bool {
	for _, id := range s.c.tasks {
		for i, from := range s.wanted[id] {
			for _, to := range s.c.order {
				if s.evens(id, from, to) {
					s.copies[id][slices.Index(s.copies[id], from)], s.wanted[id][i] = to, to
					s.load[from]--
					s.load[to]++
					return true
				}
			}
		}
	}
	return false
}

// evens tells whether a standby should move: the difference in load a thread becomes smaller, and tags do not suffer.
func (s *standbyPlan) evens(id topology.TaskID, from, to processKey) bool {
	a, b := s.c.processes[from].threads, s.c.processes[to].threads
	return s.may(id, to) && (s.load[to]+1)*a < s.load[from]*b && (len(s.c.cfg.RackTags) == 0 || s.sameTags(from, to))
}

func (s *standbyPlan) sameTags(a, b processKey) bool {
	return !slices.ContainsFunc(s.c.cfg.RackTags, func(tag string) bool {
		return s.c.processes[a].tags[tag] != s.c.processes[b].tags[tag]
	})
}

// spread gives the copies of each process to its members: where one was, else to the one with the least to do.
func (s *standbyPlan) spread() [][]topology.TaskID {
	c := s.c
	given := make([][]topology.TaskID, len(c.members))
	for _, id := range c.tasks {
		for _, p := range s.copies[id] {
			best := -1
			for m := range c.members {
				if c.members[m].process == p && (best < 0 || cmp.Or(
					-compareBool(c.members[m].standbys[id], c.members[best].standbys[id]),
					cmp.Compare(len(s.a.tasks[m])+len(given[m]), len(s.a.tasks[best])+len(given[best])),
				) < 0) {
					best = m
				}
			}
			given[best] = append(given[best], id)
		}
	}
	return given
}
