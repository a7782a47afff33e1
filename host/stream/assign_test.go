package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/topology"
)

// fleet is a group that goes through rebalances as kgo's members do: each claims what it was last assigned.
type fleet struct {
	counts    map[string]int32
	stateful  map[int]bool // sub-topologies with a changelog
	placement PlacementConfig
	members   []*fleetMember
	gen       int32
	next      byte
	// positions are how far the state of processes is, of changelogs that end at fleetEnd. Racks and tags are theirs.
	positions map[byte]map[topology.TaskID]int64
	racks     map[byte]string
	tags      map[byte]map[string]string
	replicas  map[topology.TopicPartition][]string
	probe     bool // the leader wants to look again
}

const fleetEnd = 50_000

type fleetMember struct {
	name     string
	process  processKey
	owned    map[string][]int32
	gen      int32
	assignor *Assignor
}

func newFleet(counts map[string]int32) *fleet {
	return &fleet{
		counts: counts, stateful: make(map[int]bool), positions: make(map[byte]map[topology.TaskID]int64),
		placement: PlacementConfig{AcceptableRecoveryLag: 10_000, MaxWarmupReplicas: 2, RackStrategy: rackNone, TrafficCost: -1, NonOverlapCost: -1},
		racks:     make(map[byte]string), tags: make(map[byte]map[string]string),
	}
}

// fleetSubtopology reads the sub-topology from a topic's name, "s<sub>-<letter>".
func fleetSubtopology(topic string) (int, bool) {
	var sub int
	_, err := fmt.Sscanf(topic, "s%d-", &sub)
	return sub, err == nil
}

func (f *fleet) changelogs(sub int) []string {
	if !f.stateful[sub] {
		return nil
	}
	return []string{fmt.Sprintf("log%d", sub)}
}

func (f *fleet) ends(_ context.Context, topics []string) (map[topology.TopicPartition]int64, error) {
	ends := make(map[topology.TopicPartition]int64)
	for _, topic := range topics {
		for p := range int32(100) {
			ends[topology.TopicPartition{Topic: topic, Partition: p}] = fleetEnd
		}
	}
	return ends, nil
}

func (f *fleet) add(process byte) *fleetMember {
	m := &fleetMember{name: fmt.Sprintf("m%03d", f.next), gen: -1}
	m.process[0] = process
	if f.positions[process] == nil {
		f.positions[process] = make(map[topology.TaskID]int64)
	}
	placement := f.placement
	placement.Rack, placement.Tags = f.racks[process], f.tags[process]
	c := AssignorConfig{
		Subtopology: fleetSubtopology, Changelogs: f.changelogs, Process: m.process, Placement: placement, Ends: f.ends,
		Positions: func() map[topology.TaskID]int64 { return f.known(process) },
	}
	if f.replicas != nil {
		c.Racks = func(context.Context, []string) (map[topology.TopicPartition][]string, error) { return f.replicas, nil }
	}
	m.assignor = NewAssignor(c)
	f.next++
	f.members = append(f.members, m)
	return m
}

// known is what a process says of its state.
func (f *fleet) known(process byte) map[topology.TaskID]int64 {
	positions := maps.Clone(f.positions[process])
	for _, m := range f.members {
		if m.process[0] != process {
			continue
		}
		for _, id := range f.tasks(m) {
			positions[id] = latestPosition
		}
	}
	return positions
}

// round is one generation: join, balance by the leader, sync. It reports whether a member must give something up and
// so joins again.
func (f *fleet) round(t interface{ Fatalf(string, ...any) }) (again bool) {
	var joined []kmsg.JoinGroupResponseMember
	for _, m := range f.members {
		joined = append(joined, kmsg.JoinGroupResponseMember{
			MemberID:         m.name,
			ProtocolMetadata: m.assignor.JoinGroupMetadata(slices.Sorted(maps.Keys(f.counts)), maps.Clone(m.owned), m.gen),
		})
	}
	leader := f.members[len(f.members)-1].assignor
	b, _, err := leader.MemberBalancer(joined)
	if err != nil {
		t.Fatalf("reading the members: %v", err)
	}
	into, err := b.(kgo.GroupMemberBalancerOrError).BalanceOrError(f.counts)
	if err != nil {
		t.Fatalf("balancing: %v", err)
	}
	f.gen++
	for _, assignment := range into.IntoSyncAssignment() {
		i := slices.IndexFunc(f.members, func(m *fleetMember) bool { return m.name == assignment.MemberID })
		m := f.members[i]
		got, err := m.assignor.ParseSyncAssignment(assignment.MemberAssignment)
		if err != nil {
			t.Fatalf("reading an assignment: %v", err)
		}
		again = again || lost(m.owned, got)
		f.keepState(m, got)
		m.owned, m.gen = got, f.gen
	}
	f.probe = leader.placement().probe
	return again
}

// keepState notes that a task that a member gives up leaves its state behind, and that one it gets begins with what is
// there.
func (f *fleet) keepState(m *fleetMember, got map[string][]int32) {
	for topic, parts := range m.owned {
		sub, _ := fleetSubtopology(topic)
		for _, p := range parts {
			if f.stateful[sub] && !slices.Contains(got[topic], p) {
				f.positions[m.process[0]][topology.TaskID{Subtopology: sub, Partition: p}] = fleetEnd
			}
		}
	}
}

// catchUp is time that passes: standbys follow their changelogs to the end.
func (f *fleet) catchUp() {
	for _, m := range f.members {
		for _, id := range m.assignor.placement().standbys {
			f.positions[m.process[0]][id] = fleetEnd
		}
	}
}

func lost(before, after map[string][]int32) bool {
	for topic, parts := range before {
		for _, p := range parts {
			if !slices.Contains(after[topic], p) {
				return true
			}
		}
	}
	return false
}

// settle rebalances until no member gives anything up, which takes two rounds at most.
func (f *fleet) settle(t interface{ Fatalf(string, ...any) }) {
	for round := 0; f.round(t); round++ {
		if round > 2 {
			t.Fatalf("the group does not settle: %s", f)
		}
		f.checkNoOverlap(t)
		f.checkReplicas(t)
	}
	f.checkNoOverlap(t)
	f.checkReplicas(t)
}

// converge goes on until the leader has nothing to wait for, and returns after how many probing rebalances.
func (f *fleet) converge(t interface{ Fatalf(string, ...any) }) (probes int) {
	f.settle(t)
	for f.probe {
		if probes++; probes > 100 {
			t.Fatalf("the group does not converge:\n%s", f)
		}
		f.catchUp()
		f.settle(t)
	}
	return probes
}

// checkReplicas holds what is true in every round: no copy beside another or beside its task, and not more warm-ups than
// are allowed.
func (f *fleet) checkReplicas(t interface{ Fatalf(string, ...any) }) {
	copies := make(map[topology.TaskID]map[byte]bool)
	runs := make(map[topology.TaskID]byte)
	total := 0
	for _, m := range f.members {
		for _, id := range f.tasks(m) {
			runs[id] = m.process[0]
		}
		for _, id := range m.assignor.placement().standbys {
			if copies[id] == nil {
				copies[id] = make(map[byte]bool)
			}
			if copies[id][m.process[0]] {
				t.Fatalf("process %d has two copies of %s:\n%s", m.process[0], id, f)
			}
			copies[id][m.process[0]] = true
			total++
		}
	}
	more := 0 // than standbys
	for id, at := range copies {
		if p, ok := runs[id]; ok && at[p] {
			t.Fatalf("a copy of %s lies beside it:\n%s", id, f)
		} else if ok {
			more += max(0, len(at)-f.placement.NumStandbyReplicas)
		}
	}
	if more > f.placement.MaxWarmupReplicas {
		t.Fatalf("%d warm-ups:\n%s", more, f)
	}
}

func (f *fleet) checkNoOverlap(t interface{ Fatalf(string, ...any) }) {
	seen := make(map[string]string)
	for _, m := range f.members {
		for topic, parts := range m.owned {
			for _, p := range parts {
				key := fmt.Sprint(topic, p)
				if other, ok := seen[key]; ok {
					t.Fatalf("%s is assigned to %s and %s", key, other, m.name)
				}
				seen[key] = m.name
			}
		}
	}
}

func (f *fleet) tasks(m *fleetMember) []topology.TaskID {
	set := make(map[topology.TaskID]bool)
	for topic, parts := range m.owned {
		sub, _ := fleetSubtopology(topic)
		for _, p := range parts {
			set[topology.TaskID{Subtopology: sub, Partition: p}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), compareTasks)
}

func (f *fleet) String() string {
	out := ""
	for _, m := range f.members {
		out += fmt.Sprintf("%s/%d %v", m.name, m.process[0], f.tasks(m))
		if standbys := m.assignor.placement().standbys; len(standbys) > 0 {
			out += fmt.Sprintf(" +%v", standbys)
		}
		out += "\n"
	}
	return out
}

// check holds the rules of a settled group: every task whole at one member; all tasks, and those with state by themselves,
// balanced over members and processes.
func (f *fleet) check(t interface{ Fatalf(string, ...any) }) {
	all := newAssignCluster(fleetSubtopology, f.counts)
	total := 0
	for _, m := range f.members {
		tasks := f.tasks(m)
		for _, id := range tasks {
			for _, topic := range all.topicsOf(id) {
				if !slices.Contains(m.owned[topic], id.Partition) {
					t.Fatalf("%s has task %s without %s", m.name, id, topic)
				}
			}
		}
		total += len(tasks)
	}
	if total != len(all.tasks) {
		t.Fatalf("%d of %d tasks are assigned:\n%s", total, len(all.tasks), f)
	}
	f.checkBalance(t, "tasks", func(topology.TaskID) bool { return true })
	f.checkBalance(t, "tasks with state", func(id topology.TaskID) bool { return f.stateful[id.Subtopology] })
}

// checkBalance: no two members, nor processes with as many threads, differ by more than one task of a kind.
func (f *fleet) checkBalance(t interface{ Fatalf(string, ...any) }, what string, kind func(topology.TaskID) bool) {
	least, most := 1<<30, 0
	perProcess, threads := make(map[byte]int), make(map[byte]int)
	for _, m := range f.members {
		n := 0
		for _, id := range f.tasks(m) {
			if kind(id) {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
		perProcess[m.process[0]] += n
		threads[m.process[0]]++
	}
	if most-least > 1 {
		t.Fatalf("%s are not balanced over members:\n%s", what, f)
	}
	for p, n := range perProcess {
		for q, o := range perProcess {
			if threads[p] == threads[q] && n-o > 1 {
				t.Fatalf("%s are not balanced over processes %d and %d of %d threads:\n%s", what, p, q, threads[p], f)
			}
		}
	}
}

func TestAssignorKeepsItsRulesThroughRandomRebalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(make(map[string]int32))
		for sub := range rapid.IntRange(1, 3).Draw(t, "subtopologies") {
			for i := range rapid.IntRange(1, 2).Draw(t, "topics") {
				f.counts[fmt.Sprintf("s%d-%c", sub, 'a'+i)] = int32(rapid.IntRange(1, 12).Draw(t, "partitions"))
			}
		}
		for range rapid.IntRange(1, 6).Draw(t, "members") {
			f.add(byte(rapid.IntRange(1, 3).Draw(t, "process")))
		}
		f.settle(t)
		f.check(t)
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			f.change(t)
			f.settle(t)
			f.check(t)
			before := f.String()
			f.settle(t)
			if diff := cmp.Diff(before, f.String()); diff != "" {
				t.Fatalf("tasks moved without a cause:\n%s", diff)
			}
		}
	})
}

// change lets a member come, go, or come back from the dead with an old claim.
func (f *fleet) change(t *rapid.T) {
	i := rapid.IntRange(0, len(f.members)-1).Draw(t, "which")
	switch kind := rapid.SampledFrom([]string{"join", "leave", "stale"}).Draw(t, "change"); {
	case kind == "join" || len(f.members) == 1:
		f.add(byte(rapid.IntRange(1, 3).Draw(t, "process")))
	case kind == "leave":
		f.members = slices.Delete(f.members, i, i+1)
	default:
		zombie := f.members[i]
		f.members = slices.Delete(f.members, i, i+1)
		f.settle(t)
		f.members = append(f.members, zombie)
	}
}

func TestAssignorMovesNoMoreThanItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(map[string]int32{"s0-a": int32(rapid.IntRange(1, 24).Draw(t, "partitions"))})
		n := rapid.IntRange(1, 5).Draw(t, "members")
		for p := range n {
			f.add(byte(p))
		}
		f.settle(t)
		before := make(map[topology.TaskID]string)
		for _, m := range f.members {
			for _, id := range f.tasks(m) {
				before[id] = m.name
			}
		}
		f.add(byte(n))
		f.settle(t)
		moved := 0
		for _, m := range f.members {
			for _, id := range f.tasks(m) {
				if before[id] != m.name {
					moved++
				}
			}
		}
		if share := len(f.tasks(f.members[n])); moved != share {
			t.Fatalf("%d tasks moved for a new member that takes %d:\n%s", moved, share, f)
		}
	})
}

// TestAssignorMovesTheLeastThereIs: whoever owns what, with state or without, the goal takes no more tasks from their owners
// than any other that is balanced: of those with state first, then of the others. All divisions into shares are tried.
func TestAssignorMovesTheLeastThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newAssignCluster(fleetSubtopology, map[string]int32{
			"s0-a": int32(rapid.IntRange(1, 12).Draw(t, "stateless")), "s1-a": int32(rapid.IntRange(1, 12).Draw(t, "stateful")),
		})
		c.cfg, c.stateful = newFleet(nil).placement, make(map[topology.TaskID]bool)
		members := rapid.IntRange(1, 5).Draw(t, "members")
		owned := make([]map[topology.TaskID]int, members+1)
		for m := range owned {
			owned[m] = make(map[topology.TaskID]int)
		}
		for _, id := range c.tasks {
			c.stateful[id] = id.Subtopology == 1
			owned[rapid.IntRange(0, members).Draw(t, "owner")][id] = 1 // the last one is nobody
		}
		for m := range members {
			c.add(assignMember{process: processKey{byte(m)}, topics: map[string]bool{"s0-a": true, "s1-a": true}, owned: owned[m]}, subscriptionInfo{})
		}
		stateful, stateless := 0, 0
		for m, tasks := range c.goal() {
			for _, id := range tasks {
				switch {
				case owned[m][id] > 0 || owned[members][id] > 0:
				case c.stateful[id]:
					stateful++
				default:
					stateless++
				}
			}
		}
		wantStateful, wantStateless := c.fewestMoves(owned[:members])
		if stateful != wantStateful || stateless != wantStateless {
			t.Fatalf("%d tasks with state and %d without move, %d and %d would do", stateful, stateless, wantStateful, wantStateless)
		}
	})
}

// fewestMoves tries all balanced shares of members, and returns how many tasks members must give up for the best.
func (c *assignCluster) fewestMoves(owned []map[topology.TaskID]int) (stateful, stateless int) {
	n := len(owned)
	all, with := len(c.tasks), len(withState(c.tasks, c.stateful, true))
	best := 1 << 30
	for more := range 1 << (2 * n) { // a bit for who has one more task with state, and one for one more of all
		s, t, cost := 0, 0, 0
		for m := range n {
			mayState, may := with/n+more>>m&1, all/n+more>>(n+m)&1
			s, t = s+mayState, t+may
			if may < mayState {
				t = -1 << 20
			}
			has := len(withState(slices.Collect(maps.Keys(owned[m])), c.stateful, true))
			cost += 1000*max(0, has-mayState) + max(0, len(owned[m])-has-(may-mayState))
		}
		if s == with && t == all {
			best = min(best, cost)
		}
	}
	return best / 1000, best % 1000
}

func TestAssignorGivesTasksToWhereTheirStateLies(t *testing.T) {
	f := newFleet(map[string]int32{"s0-a": 4})
	f.stateful[0] = true
	f.add(1)
	f.add(2)
	for p := range int32(4) {
		f.positions[byte(2-p/2)][topology.TaskID{Partition: p}] = fleetEnd
	}
	f.settle(t)
	if diff := cmp.Diff("m000/1 [0_2 0_3]\nm001/2 [0_0 0_1]\n", f.String()); diff != "" {
		t.Error(diff)
	}
}

// FuzzUserData: whatever bytes a member sends, it is read, and what was read is written and read again as the same.
func FuzzUserData(f *testing.F) {
	f.Add(appendUserData(nil, &subscriptionInfo{
		process: processKey{1}, positions: map[topology.TaskID]int64{{Subtopology: 1, Partition: 300}: 17}, server: "a:1",
		standbys: []topology.TaskID{{Partition: 2}}, tags: map[string]string{"zone": "a"}, err: assignmentShutdownRequested,
	}))
	f.Add([]byte{userDataVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		once := parseUserData(b)
		again := parseUserData(appendUserData(nil, &once))
		if diff := cmp.Diff(once, again, cmp.AllowUnexported(subscriptionInfo{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("read, written and read again: %s", diff)
		}
	})
}
