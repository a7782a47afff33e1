package stream

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// names are those of the threads without the client id.
func (in *instance) names() (names []string) {
	for _, t := range in.LocalThreads(in.t.Context()) {
		names = append(names, t.Name[len(in.clientID()):])
	}
	return names
}

func must(t *testing.T, do func() (string, error)) string {
	t.Helper()
	name, err := do()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestThreadsComeAndGo adds threads and removes them, down to none, while records come in. The output is the fold of the
// input, the cache is shared out, and numbers are taken again.
func TestThreadsComeAndGo(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
		var input []*kgo.Record
		feed := func() {
			more := numbered(in, len(input), 200, 23, 4)
			b.Produce(t, more...)
			input = append(input, more...)
		}
		app := h.start(countTopology(t, in, out), "statestore.cache.max.bytes=6000000").running()
		remove := func() (string, error) { return app.RemoveThread(t.Context()) }
		feed()
		must(t, app.AddThread)
		must(t, app.AddThread)
		feed()
		if diff := cmp.Diff([]string{"-StreamThread-1", "-StreamThread-2", "-StreamThread-3"}, app.names()); diff != "" {
			t.Error(diff)
		}
		app.until("each thread has a task, and its share of the cache", func() bool {
			for _, thread := range app.threadsNow() {
				ready := false
				thread.call(t.Context(), func(s *session) { ready = len(s.tasks.tasks) > 0 && s.cache.MaxBytes() == 2_000_000 })
				if !ready {
					return false
				}
			}
			return true
		})
		feed()
		must(t, remove)
		feed()
		must(t, remove)
		if diff := cmp.Diff([]string{"-StreamThread-1"}, app.names()); diff != "" {
			t.Error(diff)
		}
		if n := len(h.members()); n != 1 {
			t.Errorf("the group has %d members when two of three threads were removed", n)
		}
		must(t, remove)
		if _, err := remove(); !errs.StreamThreads.Is(err) {
			t.Errorf("removing a thread where there is none gave %v", err)
		}
		feed()
		if name := must(t, app.AddThread); name != app.clientID()+"-StreamThread-1" {
			t.Errorf("the first thread is %s", name)
		}
		h.drained(in)
		app.stop()
		want, got := last(counted(input)), last(lines(b.ReadAll(t, out), long))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the counts differ (-want +got):\n%s", diff)
		}
		if _, err := app.AddThread(); !errs.StreamThreads.Is(err) {
			t.Errorf("adding a thread to an application that has ended gave %v", err)
		}
	})
}

// last has the last count of each key.
func last(lines map[int32][]string) map[string]string {
	counts := make(map[string]string)
	for _, list := range lines {
		for _, line := range list {
			for i := range line {
				if line[i] == '=' {
					counts[line[:i]] = line[i+1:]
				}
			}
		}
	}
	return counts
}

// failing is countTopology with a function that fails when it is told to.
func failing(t *testing.T, in, out string, fails *atomic.Bool) *topology.Topology {
	sb := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	sb.Stream(in).MapValues(dsl.NativeMapper(func(*topology.Record) error {
		if fails.Load() {
			return errors.New("the function was told to fail")
		}
		return nil
	})).GroupByKey().Count().ToStream().To(out)
	return build(t, sb)
}

// TestAFailureShutsTheWholeApplicationDown: three processes, of which one fails. The others end too, with a code, and
// what they did is committed. Afterwards the application can be started again.
func TestAFailureShutsTheWholeApplicationDown(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
		var fails, never atomic.Bool
		settings := []string{"uncaught.exception.response=shutdown_application", "statestore.cache.max.bytes=0"}
		bad := h.start(failing(t, in, out, &fails), settings...).running()
		others := []*instance{
			h.start(failing(t, in, out, &never), append(settings, "num.stream.threads=2")...).running(), h.start(failing(t, in, out, &never), settings...).running(),
		}
		bad.until("everyone has a task", func() bool {
			return bad.runningOn() == 1 && others[0].runningOn() == 2 && others[1].runningOn() == 1
		})
		input := numbered(in, 0, 200, 23, 4)
		b.Produce(t, input...)
		h.output(out, len(input))
		fails.Store(true)
		more := numbered(in, 200, 200, 23, 4)
		b.Produce(t, more...)
		err := bad.ended()
		if err == nil || errs.StreamShutdown.Is(err) || bad.State() != Failed {
			t.Errorf("the process that failed ended with %v as %s", err, bad.State())
		}
		for _, o := range others {
			err := o.ended()
			if !errs.StreamShutdown.Is(err) || o.State() != Failed {
				t.Errorf("another process ended with %v as %s", err, o.State())
			}
		}
		if members := h.members(); len(members) > 0 {
			t.Errorf("members are left: %v", members)
		}
		h.start(failing(t, in, out, &never), settings...).running()
		h.checkCounts(in, out, append(input, more...))
	})
}

// TestAnUncaughtFailureIsAnsweredBySettings replaces the thread.
func TestAnUncaughtFailureIsAnsweredBySettings(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	var fails atomic.Bool
	fails.Store(true)
	app := h.start(failing(t, in, out, &fails), "uncaught.exception.response=replace_thread", "statestore.cache.max.bytes=0")
	input := numbered(in, 0, 100, 7, 1)
	b.Produce(t, input...)
	app.until("the thread has failed twice", func() bool { return app.failedThreads.Load() >= 2 })
	fails.Store(false)
	h.checkCounts(in, out, input)
	app.stop()
}

// TestAProcessThatRemainsInTheGroupGetsItsTasksBack: nothing moves to the other process while it is away, nor when it is back
// within its session. When it leaves, the other one has its tasks at once, not after the session of 30 s.
func TestAProcessThatRemainsInTheGroupGetsItsTasksBack(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out, dir := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4), "state.dir="+t.TempDir()
		topo := countTopology(t, in, out)
		input := numbered(in, 0, 100, 7, 4)
		b.Produce(t, input...)
		other, book := h.booked(topo, nil, "statestore.cache.max.bytes=0")
		app := h.start(topo, dir, "statestore.cache.max.bytes=0")
		app.until("each has two tasks", func() bool { return app.runningOn() == 2 && other.runningOn() == 2 })
		h.output(out, len(input))
		h.drained(in)
		own, others := app.runningTasks(), other.runningTasks()
		var restored int
		book.with(func() { restored = book.started })
		if err := app.Close(t.Context(), CloseOptions{RemainInGroup: true}); err != nil {
			t.Fatal(err)
		}
		if err := app.ended(); err != nil || app.State() != NotRunning {
			t.Errorf("it ended with %v as %s", err, app.State())
		}
		if n := len(h.members()); n != 2 {
			t.Errorf("the group has %d members when one remains that has ended", n)
		}
		again := h.start(topo, dir, "statestore.cache.max.bytes=0")
		again.until("it has its tasks back", func() bool { return again.runningOn() == 2 })
		if diff := cmp.Diff(own, again.runningTasks()); diff != "" {
			t.Errorf("it has other tasks than before:\n%s", diff)
		}
		if diff := cmp.Diff(others, other.runningTasks()); diff != "" {
			t.Errorf("tasks of the other process have changed:\n%s", diff)
		}
		book.with(func() {
			if book.started != restored {
				t.Errorf("the other process began %d stores while one was away", book.started-restored)
			}
		})
		more := numbered(in, 100, 100, 7, 4)
		b.Produce(t, more...)
		h.output(out, len(input)+len(more))
		h.checkCounts(in, out, append(input, more...))
		if err := again.Close(context.WithoutCancel(t.Context()), CloseOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := len(h.members()); n != 1 {
			t.Errorf("the group has %d members when one of two has left", n)
		}
		other.until("the other process has all tasks", func() bool { return other.runningOn() == 4 })
	})
}
