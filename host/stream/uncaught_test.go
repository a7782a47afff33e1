package stream

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestAThreadThatFailedIsReplaced: a function fails now and then; the thread starts again from what is committed each
// time, and the counts are those of no failure.
func TestAThreadThatFailedIsReplaced(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
		var calls, failures atomic.Int64
		sb := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
		sb.Stream(in).MapValues(dsl.NativeMapper(func(*topology.Record) error {
			if calls.Add(1)%150 == 0 {
				return errors.New("the function fails now and then")
			}
			return nil
		})).GroupByKey().Count().ToStream().To(out)
		app := h.app(build(t, sb), "statestore.cache.max.bytes=0", "num.stream.threads=2")
		app.cfg.UncaughtHandler = func(error) UncaughtAnswer {
			failures.Add(1)
			return ReplaceThread
		}
		running := h.run(app)
		input := numbered(in, 0, 500, 7, 2)
		for i := 0; i < len(input); i += 50 {
			b.Produce(t, input[i:i+50]...)
			h.output(out, i+50)
		}
		h.checkCounts(in, out, input)
		if failures.Load() < 3 {
			t.Errorf("the function failed %d times", failures.Load())
		}
		running.stop()
	})
}

// TestAnApplicationThatGivesUpLeavesTheGroup: no commit succeeds for task.timeout.ms, which each session takes for something
// that passes. At the end no member is left, for the others would wait for it until its session is over.
func TestAnApplicationThatGivesUpLeavesTheGroup(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
	app := h.start(countTopology(t, in, out), "task.timeout.ms=200", "num.stream.threads=2").running()
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Count: -1, Err: kerr.UnknownServerError, When: ofTheApplication(h.appID), TopLevel: true})
	b.Produce(t, numbered(in, 0, 100, 7, 2)...)
	err := <-app.done
	app.done = nil
	if !passes(err) {
		t.Errorf("the application ended with %v", err)
	}
	if members := h.members(); len(members) != 0 {
		t.Errorf("members are left after the end: %v", members)
	}
}

// TestTheOthersGoOnForOneThatFailed: a process fails for good and leaves the group, so that the other one has its tasks at once, not
// after the session of 30 s, and answers what the first could not.
func TestTheOthersGoOnForOneThatFailed(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
		var fails, never atomic.Bool
		bad, good := h.start(failing(t, in, out, &fails), "statestore.cache.max.bytes=0"), h.start(failing(t, in, out, &never), "statestore.cache.max.bytes=0")
		bad.until("each has two tasks", func() bool { return bad.runningOn() == 2 && good.runningOn() == 2 })
		input := numbered(in, 0, 100, 23, 4)
		b.Produce(t, input...)
		h.output(out, len(input))
		fails.Store(true)
		more := numbered(in, 100, 100, 23, 4)
		b.Produce(t, more...)
		if err := bad.ended(); err == nil || bad.State() != Failed {
			t.Errorf("the process that failed ended with %v as %s", err, bad.State())
		}
		if n := len(h.members()); n != 1 {
			t.Errorf("the group has %d members after the failure of one of two", n)
		}
		good.until("the other has all tasks", func() bool { return good.runningOn() == 4 })
		h.output(out, len(input)+len(more))
		h.checkCounts(in, out, append(input, more...))
	})
}

// TestAFailureLeavesNoTransactionOpen: others could neither read the offsets nor the outputs until its timeout.
func TestAFailureLeavesNoTransactionOpen(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	app := h.start(countTopology(t, in, out), "statestore.cache.max.bytes=0").running()
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ClusterAuthorizationFailed, When: ofTheApplication(h.appID), TopLevel: true})
	b.Produce(t, numbered(in, 0, 100, 7, 1)...)
	err := <-app.done
	app.done = nil
	if err == nil || passes(err) {
		t.Errorf("the application ended with %v", err)
	}
	adm := kadm.NewClient(b.Client(t))
	ends, err := adm.ListEndOffsets(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	stable, err := adm.ListCommittedOffsets(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(out, 0)
	last, _ := stable.Lookup(out, 0)
	if end.Offset == 0 || last.Offset != end.Offset {
		t.Errorf("readers of committed records see %d of %d", last.Offset, end.Offset)
	}
}

// TestAPausedApplicationStaysInTheGroupAndDoesNothing and goes on where it was.
func TestAPausedApplicationStaysInTheGroupAndDoesNothing(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
	input := numbered(in, 0, 200, 7, 2)
	b.Produce(t, input[:100]...)
	app := h.start(countTopology(t, in, out), "statestore.cache.max.bytes=0").running()
	before := lines(h.output(out, 100), long)
	app.Pause()
	for _, thread := range app.threadsNow() {
		thread.call(t.Context(), func(*session) {}) // what was in the middle of a round has ended
	}
	alive := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Count: -1, Observe: true, TopLevel: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	b.Produce(t, input[100:]...)
	if err := alive.Wait(ctx, 5); err != nil {
		t.Fatalf("a paused application leaves the group: %v", err)
	}
	if diff := cmp.Diff(before, lines(b.ReadAll(t, out), long)); diff != "" {
		t.Errorf("a paused application goes on (-before +after):\n%s", diff)
	}
	app.Resume()
	h.output(out, 200)
	h.checkCounts(in, out, input)
}
