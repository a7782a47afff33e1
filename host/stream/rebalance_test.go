package stream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestInstancesShareAnApplicationThroughRebalances starts and stops instances while records come in. Tasks and their
// state move; the output stays the fold of the input.
func TestInstancesShareAnApplicationThroughRebalances(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 6), b.CreateTopic(t, b.Name("out"), 6)
		var input []*kgo.Record
		feed := func(n int) {
			more := numbered(in, len(input), n, 23, 6)
			b.Produce(t, more...)
			input = append(input, more...)
		}
		topo := countTopology(t, in, out)
		dir := t.TempDir()
		first := h.start(topo, "state.dir="+dir, "statestore.cache.max.bytes=0").running()
		feed(300)
		h.output(out, len(input))
		second := h.start(topo, "num.stream.threads=2", "statestore.cache.max.bytes=0")
		feed(300)
		second.running()
		h.output(out, len(input))
		feed(300)
		first.stop()
		feed(300)
		h.output(out, len(input))
		first = h.start(topo, "state.dir="+dir, "statestore.cache.max.bytes=0")
		feed(300)
		first.running()
		second.stop()
		feed(300)
		h.output(out, len(input))
		h.checkCounts(in, out, input)
	})
}

// TestTasksAreSpreadOverThreads looks at who has what once everything runs.
func TestTasksAreSpreadOverThreads(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 5), b.CreateTopic(t, b.Name("out"), 5)
		input := numbered(in, 0, 100, 23, 5)
		b.Produce(t, input...)
		app := h.start(copyTopology(t, in, out), "num.stream.threads=3").running()
		got := h.output(out, len(input))
		if diff := cmp.Diff(lines(input, text), lines(got, text)); diff != "" {
			t.Error(diff)
		}
		sizes := make(map[int]int)
		seen := make(map[topology.TaskID]bool)
		for {
			clear(sizes)
			clear(seen)
			for _, thread := range app.threadsNow() {
				thread.call(t.Context(), func(s *session) {
					sizes[len(s.tasks.tasks)]++
					for _, task := range s.tasks.tasks {
						seen[task.id] = true
					}
				})
			}
			if len(seen) == 5 && sizes[2] == 2 && sizes[1] == 1 {
				return
			}
			if pause(t.Context(), 5*time.Millisecond) != nil || app.State() == Failed {
				t.Fatalf("tasks %v in sizes %v", seen, sizes)
			}
		}
	})
}

// TestTopicsThatMatchAPatternLaterAreRead: the task of the partition begins anew with both topics, and nothing of the
// first is lost or repeated.
func TestTopicsThatMatchAPatternLaterAreRead(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		first, out := b.CreateTopic(t, b.Name("early"), 2), b.CreateTopic(t, b.Name("out"), 2)
		sb := dsl.NewStreamsBuilder()
		sb.StreamPattern("(early|late)" + strings.TrimPrefix(first, "early")).To(out) // and no topics of other runs on this broker
		h.start(build(t, sb), "metadata.max.age.ms=200").running()
		input := numbered(first, 0, 200, 9, 2)
		b.Produce(t, input...)
		h.output(out, len(input))
		second := b.CreateTopic(t, b.Name("late"), 2)
		input = append(input, numbered(first, 200, 200, 9, 2)...)
		b.Produce(t, input[200:]...)
		late := numbered(second, 400, 100, 9, 2)
		b.Produce(t, late...)
		want := make(map[string]int)
		for _, r := range append(input, late...) {
			want[string(r.Value)]++
		}
		got := make(map[string]int)
		for _, r := range h.output(out, len(input)+len(late)) {
			got[string(r.Value)]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the output is not the input of both topics (-want +got):\n%s", diff)
		}
	})
}

// TestAStopWhileStartingIsClean: whoever stops an application need not know how far it has come.
func TestAStopWhileStartingIsClean(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	app := h.app(copyTopology(t, b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)))
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, app.Run(stopped))
	if s := app.State(); s != NotRunning {
		t.Errorf("the state is %s", s)
	}
}

// TestAStopBeforeJoiningLeavesTheGroup: a process was killed and started again, and is stopped before it has joined.
// Nobody will come back for the member that died, so it must not keep its partitions from the others.
func TestAStopBeforeJoiningLeavesTheGroup(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out, dir := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1), "state.dir="+t.TempDir()
	first := h.start(copyTopology(t, in, out), dir).running()
	thread := first.threadsNow()[0]
	first.stop()

	killed := b.Client(t, kgo.ConsumerGroup(h.appID), kgo.ConsumeTopics(in), kgo.InstanceID(thread.cfg.instanceID),
		kgo.Balancers(thread.cfg.newAssignor()))
	for len(h.members()) == 0 {
		killed.PollFetches(canceledSoon(t))
	}
	killed.Close() // kgo lets a static member stay

	unavailable := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.CoordinatorNotAvailable, TopLevel: true, Count: -1})
	again := h.start(copyTopology(t, in, out), dir)
	check(t, unavailable.Wait(t.Context(), 1))
	again.cancel()
	unavailable.Remove()
	again.stop()
	if members := h.members(); len(members) > 0 {
		t.Errorf("members are left: %v", members)
	}
}

// TestALastCommitThatFailsIsTold: an application that could not commit at its end does not end as if it had.
func TestALastCommitThatFailsIsTold(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	app := h.start(copyTopology(t, in, out), "processing.guarantee=at_least_once", "commit.interval.ms=600000", "retry.backoff.ms=1", "retry.backoff.max.ms=10").running()
	b.Produce(t, numbered(in, 0, 10, 2, 1)...)
	h.output(out, 10)
	away := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	defer away.Remove()
	if err := app.end(); !errs.StreamUncommitted.Is(err) {
		t.Errorf("the application ended with %v", err)
	}
}
