package stream

import (
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
	counts  map[string]int32
	members []*fleetMember
	gen     int32
	next    byte
}

type fleetMember struct {
	name    string
	process [processIDLen]byte
	owned   map[string][]int32
	gen     int32
	local   []topology.TaskID
}

// fleetSubtopology reads the sub-topology from a topic's name, "s<sub>-<letter>".
func fleetSubtopology(topic string) (int, bool) {
	var sub int
	_, err := fmt.Sscanf(topic, "s%d-", &sub)
	return sub, err == nil
}

func (f *fleet) add(process byte) {
	m := &fleetMember{name: fmt.Sprintf("m%03d", f.next), gen: -1}
	m.process[0] = process
	f.next++
	f.members = append(f.members, m)
}

// round is one generation: join, balance by the leader, sync. It reports whether a member must give something up and
// so joins again.
func (f *fleet) round(t interface{ Fatalf(string, ...any) }) (again bool) {
	var joined []kmsg.JoinGroupResponseMember
	var leader *Assignor
	for _, m := range f.members {
		a := NewAssignor(fleetSubtopology, m.process, func() []topology.TaskID { return m.local })
		leader = a
		joined = append(joined, kmsg.JoinGroupResponseMember{
			MemberID:         m.name,
			ProtocolMetadata: a.JoinGroupMetadata(slices.Sorted(maps.Keys(f.counts)), maps.Clone(m.owned), m.gen),
		})
	}
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
		got, err := leader.ParseSyncAssignment(assignment.MemberAssignment)
		if err != nil {
			t.Fatalf("reading an assignment: %v", err)
		}
		again = again || lost(m.owned, got)
		m.owned, m.gen = got, f.gen
	}
	return again
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
	}
	f.checkNoOverlap(t)
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
		out += fmt.Sprintf("%s/%d %v\n", m.name, m.process[0], f.tasks(m))
	}
	return out
}

// check holds the rules of a settled group: every task whole at one member, balanced over members and processes.
func (f *fleet) check(t interface{ Fatalf(string, ...any) }) {
	all := newAssignCluster(fleetSubtopology, f.counts)
	total, least, most := 0, 1<<30, 0
	perProcess := make(map[byte]int)
	threads := make(map[byte]int)
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
		least, most = min(least, len(tasks)), max(most, len(tasks))
		perProcess[m.process[0]] += len(tasks)
		threads[m.process[0]]++
	}
	if total != len(all.tasks) {
		t.Fatalf("%d of %d tasks are assigned:\n%s", total, len(all.tasks), f)
	}
	if most-least > 1 {
		t.Fatalf("not balanced over members:\n%s", f)
	}
	for p, n := range perProcess {
		for q, o := range perProcess {
			if threads[p] == threads[q] && n-o > 1 {
				t.Fatalf("not balanced over processes %d and %d of %d threads:\n%s", p, q, threads[p], f)
			}
		}
	}
}

func TestAssignorKeepsItsRulesThroughRandomRebalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fleet{counts: make(map[string]int32)}
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
		f := &fleet{counts: map[string]int32{"s0-a": int32(rapid.IntRange(1, 24).Draw(t, "partitions"))}}
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

func TestAssignorGivesTasksToWhereTheirStateLies(t *testing.T) {
	f := &fleet{counts: map[string]int32{"s0-a": 4}}
	f.add(1)
	f.add(2)
	f.members[0].local = []topology.TaskID{{Partition: 2}, {Partition: 3}}
	f.members[1].local = []topology.TaskID{{Partition: 0}, {Partition: 1}}
	f.settle(t)
	if diff := cmp.Diff("m000/1 [0_2 0_3]\nm001/2 [0_0 0_1]\n", f.String()); diff != "" {
		t.Error(diff)
	}
}

func FuzzUserData(f *testing.F) {
	f.Add(appendUserData(nil, &subscriptionInfo{process: [processIDLen]byte{1}, local: []topology.TaskID{{Subtopology: 1, Partition: 300}}, server: "a:1", err: assignmentShutdownRequested}))
	f.Add([]byte{userDataVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		read := parseUserData(b)
		again := parseUserData(appendUserData(nil, &read))
		if diff := cmp.Diff(read, again, cmp.AllowUnexported(subscriptionInfo{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
