package stream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/topology"
)

// hear has members that say so much about themselves balanced, and returns what each of them hears.
func hear(t *testing.T, counts map[string]int32, said ...subscriptionInfo) []assignmentInfo {
	t.Helper()
	var joined []kmsg.JoinGroupResponseMember
	heard := make(map[string]assignmentInfo)
	var leader *Assignor
	for i, s := range said {
		a := NewAssignor(AssignorConfig{
			Subtopology: fleetSubtopology, Process: s.process, Positions: func() map[topology.TaskID]int64 { return nil },
		})
		a.server, a.trouble = func() string { return s.server }, func() assignmentError { return s.err }
		name := string(rune('a' + i))
		joined = append(joined, kmsg.JoinGroupResponseMember{MemberID: name, ProtocolMetadata: a.JoinGroupMetadata([]string{"s0-a"}, nil, 1)})
		leader = a
	}
	b, _, err := leader.MemberBalancer(joined)
	if err != nil {
		t.Fatal(err)
	}
	into, err := b.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
	if err != nil {
		t.Fatal(err)
	}
	var all []assignmentInfo
	for _, assignment := range into.IntoSyncAssignment() {
		leader.heard = func(info assignmentInfo) { heard[assignment.MemberID] = info }
		if _, err := leader.ParseSyncAssignment(assignment.MemberAssignment); err != nil {
			t.Fatal(err)
		}
		all = append(all, heard[assignment.MemberID])
	}
	return all
}

func TestEveryMemberHearsWhereTheTasksAre(t *testing.T) {
	one, two := [processIDLen]byte{1}, [processIDLen]byte{2}
	heard := hear(t, map[string]int32{"s0-a": 4},
		subscriptionInfo{process: one, server: "h1:80"}, subscriptionInfo{process: one, server: "h1:80"},
		subscriptionInfo{process: two, server: "h2:80"}, subscriptionInfo{process: [processIDLen]byte{3}})
	if len(heard) != 4 {
		t.Fatalf("%d members heard something", len(heard))
	}
	for _, info := range heard {
		if diff := cmp.Diff(heard[0], info, cmp.AllowUnexported(assignmentInfo{}, hostTasks{})); diff != "" {
			t.Errorf("members hear different things:\n%s", diff)
		}
	}
	tasks := map[string]int{}
	for _, h := range heard[0].hosts {
		tasks[h.server] += len(h.active)
	}
	if diff := cmp.Diff(map[string]int{"h1:80": 2, "h2:80": 1}, tasks); diff != "" {
		t.Error(diff)
	}
}

func TestEveryMemberHearsThatOneAskedForTheEnd(t *testing.T) {
	for _, info := range hear(t, map[string]int32{"s0-a": 2}, subscriptionInfo{}, subscriptionInfo{err: assignmentShutdownRequested}) {
		if info.err != assignmentShutdownRequested || info.hosts != nil {
			t.Errorf("it heard %+v", info)
		}
	}
}

func FuzzAssignmentInfo(f *testing.F) {
	info := assignmentInfo{hosts: []hostTasks{{server: "a:1", active: []topology.TaskID{{Subtopology: 1, Partition: 300}}}}}
	f.Add(info.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := parseAssignmentInfo(b)
		again := parseAssignmentInfo(read.append(nil))
		if diff := cmp.Diff(read, again, cmp.AllowUnexported(assignmentInfo{}, hostTasks{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
