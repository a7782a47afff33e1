package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/topology"
)

// drawFleet is a group of processes with tasks with and without state.
func drawFleet(t *rapid.T) *fleet {
	f := newFleet(make(map[string]int32))
	for sub := range rapid.IntRange(1, 3).Draw(t, "subtopologies") {
		f.stateful[sub] = rapid.Bool().Draw(t, "stateful")
		f.counts[fmt.Sprintf("s%d-a", sub)] = int32(rapid.IntRange(1, 9).Draw(t, "partitions"))
	}
	f.placement.NumStandbyReplicas = rapid.IntRange(0, 2).Draw(t, "standbys")
	f.placement.MaxWarmupReplicas = rapid.IntRange(1, 4).Draw(t, "warmups")
	for range rapid.IntRange(1, 5).Draw(t, "members") {
		f.add(byte(rapid.IntRange(1, 4).Draw(t, "process")))
	}
	return f
}

// TestReplicasKeepTheirRulesThroughRandomRebalances: processes come, go and lose their disks. In every round no copy lies
// beside its task and warm-ups are bounded; a task never goes to a process without its state while another has it; and
// some probing rebalances later all is balanced, with as many standbys as were asked for.
func TestReplicasKeepTheirRulesThroughRandomRebalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFleet(t)
		f.converge(t)
		f.check(t)
		f.checkStandbys(t)
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			f.catchUp()
			f.changeProcess(t)
			f.roundWithState(t)
			f.converge(t)
			f.check(t)
			f.checkStandbys(t)
			before := f.String()
			f.catchUp()
			f.settle(t)
			if diff := cmp.Diff(before, f.String()); diff != "" || f.probe {
				t.Fatalf("tasks moved without a cause (probe: %t):\n%s", f.probe, diff)
			}
		}
	})
}

// changeProcess lets a thread or a process come, go, or come back without its state.
func (f *fleet) changeProcess(t *rapid.T) {
	i := rapid.IntRange(0, len(f.members)-1).Draw(t, "which")
	process := f.members[i].process[0]
	rest := slices.DeleteFunc(slices.Clone(f.members), func(m *fleetMember) bool { return m.process[0] == process })
	switch kind := rapid.SampledFrom([]string{"join", "leave", "die", "wipe"}).Draw(t, "change"); {
	case kind == "join" || len(f.members) == 1:
		f.add(byte(rapid.IntRange(1, 4).Draw(t, "process")))
	case kind == "leave" || len(rest) == 0:
		f.keepState(f.members[i], nil)
		f.members = slices.Delete(f.members, i, i+1)
	default:
		for _, m := range f.members {
			if m.process[0] == process {
				f.keepState(m, nil)
			}
		}
		f.members = rest
		if kind == "wipe" {
			clear(f.positions[process])
			f.add(process)
		}
	}
}

// roundWithState is a round after a change: a task with state goes where that is.
func (f *fleet) roundWithState(t *rapid.T) {
	positions := make(map[byte]map[topology.TaskID]int64)
	for p := range f.positions {
		positions[p] = f.known(p)
	}
	has := func(p byte, id topology.TaskID) bool {
		at, ok := positions[p][id]
		return ok && (at == latestPosition || fleetEnd-at <= f.placement.AcceptableRecoveryLag)
	}
	f.settle(t)
	for _, m := range f.members {
		for _, id := range f.tasks(m) {
			if !f.stateful[id.Subtopology] || has(m.process[0], id) {
				continue
			}
			for _, o := range f.members {
				if has(o.process[0], id) {
					t.Fatalf("%s went to process %d, process %d has its state:\n%s", id, m.process[0], o.process[0], f)
				}
			}
		}
	}
}

// checkStandbys holds the rules of a group that has converged.
func (f *fleet) checkStandbys(t interface{ Fatalf(string, ...any) }) {
	processes, threads := make(map[byte]bool), make(map[byte]int)
	copies, load := make(map[topology.TaskID]int), make(map[byte]int)
	for _, m := range f.members {
		processes[m.process[0]] = true
		threads[m.process[0]]++
		load[m.process[0]] += len(f.tasks(m)) + len(m.assignor.placement().standbys)
		for _, id := range m.assignor.placement().standbys {
			copies[id]++
		}
	}
	want := min(f.placement.NumStandbyReplicas, len(processes)-1)
	for _, id := range newAssignCluster(fleetSubtopology, f.counts).tasks {
		n := 0
		if f.stateful[id.Subtopology] {
			n = want
		}
		if copies[id] != n {
			t.Fatalf("%s has %d standbys, want %d:\n%s", id, copies[id], n, f)
		}
	}
	f.checkEven(t, load, threads)
}

// checkEven: no copy could move to a process that has two things less to do, with as many threads.
func (f *fleet) checkEven(t interface{ Fatalf(string, ...any) }, load, threads map[byte]int) {
	has := make(map[byte]map[topology.TaskID]bool)
	for _, m := range f.members {
		if has[m.process[0]] == nil {
			has[m.process[0]] = make(map[topology.TaskID]bool)
		}
		for _, id := range append(f.tasks(m), m.assignor.placement().standbys...) {
			has[m.process[0]][id] = true
		}
	}
	for _, m := range f.members {
		p := m.process[0]
		for _, id := range m.assignor.placement().standbys {
			for q := range load {
				if threads[p] == threads[q] && load[p]-load[q] > 1 && !has[q][id] && len(f.placement.RackTags) == 0 {
					t.Fatalf("the copy of %s in process %d should be in process %d:\n%s", id, p, q, f)
				}
			}
		}
	}
}

// TestAProcessThatComesWarmsUpBeforeItGetsTasks is the case of KIP-441, round by round.
func TestAProcessThatComesWarmsUpBeforeItGetsTasks(t *testing.T) {
	f := newFleet(map[string]int32{"s0-a": 6})
	f.stateful[0] = true
	f.add(1)
	f.converge(t)
	f.add(2)
	var rounds []string
	for f.settle(t); ; f.settle(t) {
		rounds = append(rounds, f.String())
		if !f.probe {
			break
		}
		f.catchUp()
	}
	want := []string{
		"m000/1 [0_0 0_1 0_2 0_3 0_4 0_5]\nm001/2 [] +[0_3 0_4]\n",
		"m000/1 [0_0 0_1 0_2 0_5]\nm001/2 [0_3 0_4] +[0_5]\n",
		"m000/1 [0_0 0_1 0_2]\nm001/2 [0_3 0_4 0_5]\n",
	}
	if diff := cmp.Diff(want, rounds); diff != "" {
		t.Error(diff)
	}
}

// TestALagThatIsNotReachedHoldsTheTaskBack: probing goes on as long as the warm-up is behind.
func TestALagThatIsNotReachedHoldsTheTaskBack(t *testing.T) {
	f := newFleet(map[string]int32{"s0-a": 2})
	f.stateful[0] = true
	f.add(1)
	f.converge(t)
	f.add(2)
	f.settle(t)
	held := f.String()
	for _, at := range []int64{1, fleetEnd - 10_001} {
		f.positions[2][topology.TaskID{Partition: 1}] = at
		f.settle(t)
		if diff := cmp.Diff(held, f.String()); diff != "" || !f.probe {
			t.Fatalf("at %d of %d the task does not wait (probe: %t): %s", at, fleetEnd, f.probe, diff)
		}
	}
	f.positions[2][topology.TaskID{Partition: 1}] = fleetEnd - 10_000
	f.settle(t)
	if diff := cmp.Diff("m000/1 [0_0]\nm001/2 [0_1]\n", f.String()); diff != "" || f.probe {
		t.Errorf("probe: %t, %s", f.probe, diff)
	}
}

// TestAStandbyTakesOverAtOnce: its process dies, and the tasks go to where their copies are, with new ones elsewhere.
func TestAStandbyTakesOverAtOnce(t *testing.T) {
	f := newFleet(map[string]int32{"s0-a": 6})
	f.stateful[0], f.placement.NumStandbyReplicas = true, 1
	for p := range byte(3) {
		f.add(p + 1)
	}
	f.converge(t)
	f.catchUp()
	f.members = f.members[1:]
	f.settle(t)
	f.check(t)
	if f.probe {
		t.Errorf("a task waits:\n%s", f)
	}
	f.checkStandbys(t)
}

// TestWithoutTheEndsOfChangelogsTasksStayWhereTheyAre: the leader could not ask, assigns, and looks again later.
func TestWithoutTheEndsOfChangelogsTasksStayWhereTheyAre(t *testing.T) {
	f := newFleet(map[string]int32{"s0-a": 4})
	f.stateful[0] = true
	f.add(1)
	f.converge(t)
	f.add(2).assignor.cfg.Ends = func(context.Context, []string) (map[topology.TopicPartition]int64, error) {
		return nil, errors.New("no answer")
	}
	f.settle(t)
	f.check(t)
	if !f.probe {
		t.Error("the leader does not look again")
	}
}

// drawRacks gives each process and each partition a rack.
func (f *fleet) drawRacks(t *rapid.T) {
	racks := []string{"a", "b", "c"}
	for p := range byte(6) {
		f.racks[p] = rapid.SampledFrom(racks).Draw(t, "rack")
	}
	f.replicas = make(map[topology.TopicPartition][]string)
	for topic, n := range f.counts {
		sub, _ := fleetSubtopology(topic)
		for p := range n {
			for _, name := range append(f.changelogs(sub), topic) {
				f.replicas[topology.TopicPartition{Topic: name, Partition: p}] = []string{rapid.SampledFrom(racks).Draw(t, "replica")}
			}
		}
	}
}

// TestTheTrafficBetweenRacksIsTheLeast: no other assignment with as many tasks for each member costs less. All of them are
// tried.
func TestTheTrafficBetweenRacksIsTheLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(map[string]int32{
			"s0-a": int32(rapid.IntRange(1, 4).Draw(t, "partitions")), "s1-a": int32(rapid.IntRange(1, 3).Draw(t, "partitions")),
		})
		f.stateful[1] = rapid.Bool().Draw(t, "stateful")
		f.drawRacks(t)
		c := newAssignCluster(fleetSubtopology, f.counts)
		c.cfg, c.stateful, c.ends = f.placement, map[topology.TaskID]bool{}, map[topology.TaskID]int64{}
		c.cfg.RackStrategy = rapid.SampledFrom([]string{rackMinTraffic, rackBalanceSubtopology}).Draw(t, "strategy")
		for m := range rapid.IntRange(2, 3).Draw(t, "members") {
			member := assignMember{process: processKey{byte(m)}, topics: map[string]bool{"s0-a": true, "s1-a": true}}
			c.add(member, subscriptionInfo{process: member.process, rack: f.racks[byte(m)]})
		}
		logs := map[int][]string{0: f.changelogs(0), 1: f.changelogs(1)}
		for _, id := range c.tasks {
			c.stateful[id] = f.stateful[id.Subtopology]
		}
		c.racks = racksOf(c, logs, f.replicas)
		goal := c.goal()
		apart := c.cfg.RackStrategy == rackBalanceSubtopology || f.stateful[1]
		shape := shapeOf(goal, apart)
		c.optimize(goal)
		if got := shapeOf(goal, apart); got != shape {
			t.Fatalf("the numbers changed from %s to %s", shape, got)
		}
		if !c.rackAware() {
			return
		}
		least := 1 << 30
		c.every(make([][]topology.TaskID, len(c.members)), 0, func(other [][]topology.TaskID) {
			if shapeOf(other, apart) == shape {
				least = min(least, c.total(other))
			}
		})
		if got := c.total(goal); got != least {
			t.Fatalf("the assignment %v costs %d, another one %d", goal, got, least)
		}
	})
}

// shapeOf is how many tasks members have, apart for the two sub-topologies where these count, or one of them has state.
func shapeOf(goal [][]topology.TaskID, apart bool) string {
	out := ""
	for _, tasks := range goal {
		if apart {
			out += fmt.Sprint(countOf(tasks, 0), "+", countOf(tasks, 1), " ")
		} else {
			out += fmt.Sprint(len(tasks), " ")
		}
	}
	return out
}

func (c *assignCluster) total(goal [][]topology.TaskID) (n int) {
	for m, tasks := range goal {
		for _, id := range tasks {
			n += c.cost(id, m)
		}
	}
	return n
}

// every tries all assignments of the tasks from the n-th on.
func (c *assignCluster) every(have [][]topology.TaskID, n int, try func([][]topology.TaskID)) {
	if n == len(c.tasks) {
		try(have)
		return
	}
	for m := range have {
		have[m] = append(have[m], c.tasks[n])
		c.every(have, n+1, try)
		have[m] = have[m][:len(have[m])-1]
	}
}

// TestRacksKeepTheRules: with places that count, all that holds otherwise still does.
func TestRacksKeepTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(map[string]int32{
			"s0-a": int32(rapid.IntRange(1, 8).Draw(t, "partitions")), "s1-a": int32(rapid.IntRange(1, 8).Draw(t, "partitions")),
		})
		f.stateful[0] = true
		f.placement.NumStandbyReplicas = rapid.IntRange(0, 1).Draw(t, "standbys")
		f.placement.RackStrategy = rapid.SampledFrom([]string{rackMinTraffic, rackBalanceSubtopology}).Draw(t, "strategy")
		f.drawRacks(t)
		for p := range rapid.IntRange(1, 4).Draw(t, "processes") {
			f.add(byte(p))
		}
		f.converge(t)
		f.check(t)
		f.checkStandbys(t)
		f.add(5)
		f.converge(t)
		f.check(t)
		f.checkStandbys(t)
	})
}

// TestCopiesDifferInTags is the example of Kafka's documentation: two zones of two clusters.
func TestCopiesDifferInTags(t *testing.T) {
	f := newFleet(map[string]int32{"s0-a": 4})
	f.stateful[0], f.placement.NumStandbyReplicas, f.placement.RackTags = true, 1, []string{"zone", "cluster"}
	for p := range byte(4) {
		f.tags[p] = map[string]string{"zone": fmt.Sprint("zone", p/2), "cluster": fmt.Sprint("cluster", p%2)}
		f.add(p)
	}
	f.converge(t)
	f.check(t)
	f.checkStandbys(t)
	opposite := map[byte]byte{0: 3, 3: 0, 1: 2, 2: 1}
	for _, m := range f.members {
		for _, id := range f.tasks(m) {
			at := slices.IndexFunc(f.members, func(o *fleetMember) bool { return slices.Contains(o.assignor.placement().standbys, id) })
			if got := f.members[at].process[0]; got != opposite[m.process[0]] {
				t.Errorf("%s runs in process %d, its copy is in %d:\n%s", id, m.process[0], got, f)
			}
		}
	}
}
