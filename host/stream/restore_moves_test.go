package stream

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
)

// halfRestored is an application of two tasks without local state. Each changelog gives its first answer and no more until the
// rest is let go. Keys are long, so that there is a rest, and each comes once, so that each is a record of a changelog.
type halfRestored struct {
	*harness
	topo    *topology.Topology
	in, out string
	input   []*kgo.Record
	rest    *kfake.FaultHandle
}

const keysHalfRestored = 4000

func newHalfRestored(t *testing.T) *halfRestored {
	b := brokertest.Fake(t)
	h := &halfRestored{harness: newHarness(t, b), in: b.CreateTopic(t, b.Name("in"), 2), out: b.CreateTopic(t, b.Name("out"), 2)}
	h.topo = countTopology(t, h.in, h.out)
	h.feed(0, keysHalfRestored)
	before := h.start(h.topo, "statestore.cache.max.bytes=0")
	h.output(h.out, len(h.input))
	before.stop()
	changelog := h.appID + "-KSTREAM-AGGREGATE-STATE-STORE-0000000001-changelog"
	behindTheStart := func(p int32) kfake.Fault {
		return kfake.Fault{
			Keys: []kmsg.Key{kmsg.Fetch}, Topic: changelog, Partitions: []int32{p}, Err: kerr.NotLeaderForPartition, Count: -1,
			When: func(r kmsg.Request) bool { return fetchOffset(r, changelog, p) > 0 },
		}
	}
	h.rest = b.Fake.Fault(behindTheStart(0), behindTheStart(1))
	return h
}

func (h *halfRestored) feed(from, n int) {
	more := numbered(h.in, from, n, keysHalfRestored, 2)
	for _, r := range more {
		r.Key = append(r.Key, bytes.Repeat([]byte("."), 1000)...)
		r.Partition = topology.PartitionForKey(r.Key, 2)
	}
	h.b.Produce(h.t, more...)
	h.input = append(h.input, more...)
}

// begin starts an instance with an empty state directory.
func (h *halfRestored) begin(change func(*App), set ...string) (*instance, *restoreBook) {
	return h.booked(h.topo, change, append(set, "statestore.cache.max.bytes=0")...)
}

// finish lets the rest of the changelogs go, and checks that in goes on counting where the state of before ends.
func (h *halfRestored) finish(in *instance) {
	h.t.Helper()
	h.rest.Remove()
	in.until("both tasks run", func() bool { return in.runningOn() == 2 })
	h.feed(keysHalfRestored, 500)
	h.output(h.out, len(h.input))
	h.checkCounts(h.in, h.out, h.input)
}

// fetchOffset is where a request asks for a partition, -1 if it does not.
func fetchOffset(r kmsg.Request, topic string, partition int32) int64 {
	req, _ := r.(*kmsg.FetchRequest)
	if req == nil {
		return -1
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic && p.Partition == partition {
				return p.FetchOffset
			}
		}
	}
	return -1
}

// halfRestoring waits until n tasks of an instance, and no others, are being restored and have a part of their state.
func (in *instance) halfRestoring(n int) {
	in.t.Helper()
	in.until("the first part of the state is there", func() bool { return halfRestoring(in.RestoreProgress(), n) })
}

func halfRestoring(list []RestoreProgress, n int) bool {
	return len(list) == n && !slices.ContainsFunc(list, func(p RestoreProgress) bool { return p.Standby || p.Next <= 0 || p.End == 0 })
}

// checkRestoredOnce: what was restored of a task before it went away was not restored again when it came back.
func (b *restoreBook) checkRestoredOnce(t *testing.T) {
	t.Helper()
	b.with(func() {
		if b.restored != keysHalfRestored || b.ended != 2 || b.suspended == 0 || b.started != b.ended+b.suspended {
			t.Errorf("the listener heard of %d records, want %d; %d stores begun, %d ended, %d suspended", b.restored, keysHalfRestored, b.started, b.ended, b.suspended)
		}
	})
}

// TestATaskThatMovesWhileItIsRestored goes to another process, which ends, and comes back.
func TestATaskThatMovesWhileItIsRestored(t *testing.T) {
	h := newHalfRestored(t)
	first, book := h.begin(nil)
	first.halfRestoring(2)
	second, other := h.begin(nil)
	first.halfRestoring(1)
	second.halfRestoring(1)
	first.until("the store of the task that went is closed", func() bool { return first.pool.db.Stats().OpenStores == 1 })
	second.stop()
	first.halfRestoring(2)
	h.finish(first)
	book.checkRestoredOnce(t)
	other.with(func() {
		if other.started != 1 || other.suspended != 1 || other.ended != 0 {
			t.Errorf("the other process began %d stores, had %d suspended and ended %d", other.started, other.suspended, other.ended)
		}
	})
	first.stop()
	if members := h.members(); len(members) > 0 {
		t.Errorf("members are left: %v", members)
	}
}

// TestThreadsComeAndGoWhileTasksAreRestored: they go on with what the thread before has restored, and the last one has all.
func TestThreadsComeAndGoWhileTasksAreRestored(t *testing.T) {
	h := newHalfRestored(t)
	app, book := h.begin(nil)
	app.halfRestoring(2)
	must(t, app.AddThread)
	app.until("each thread restores a task", func() bool {
		return !slices.ContainsFunc(app.threadsNow(), func(thread *Thread) bool { return !halfRestoring(thread.RestoreProgress(), 1) })
	})
	must(t, func() (string, error) { return app.RemoveThread(t.Context()) })
	app.halfRestoring(2)
	if n := len(h.members()); n != 1 {
		t.Errorf("the group has %d members", n)
	}
	h.finish(app)
	book.checkRestoredOnce(t)
	app.stop()
}

// TestAPausedApplicationRestoresNothing, as Kafka's: neither one that is paused while it restores nor one that is paused before
// it starts. It goes on when it is resumed.
func TestAPausedApplicationRestoresNothing(t *testing.T) {
	for _, started := range []bool{true, false} {
		t.Run(map[bool]string{true: "while it restores", false: "before it starts"}[started], func(t *testing.T) {
			h := newHalfRestored(t)
			app, book := h.begin(func(a *App) {
				if !started {
					a.Pause()
				}
			})
			app.until("it restores", func() bool { return len(app.RestoreProgress()) == 2 })
			if started {
				app.halfRestoring(2)
				app.Pause()
				for _, thread := range app.threadsNow() {
					thread.updating.Load().mailbox.call(t.Context(), func() {}) // what was being applied has been
				}
			}
			var before int64
			book.with(func() { before = book.restored })
			h.rest.Remove()
			alive := h.b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Count: -1, Observe: true, TopLevel: true})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if err := alive.Wait(ctx, 5); err != nil {
				t.Fatalf("a paused application leaves the group: %v", err)
			}
			book.with(func() {
				if book.restored != before || book.ended > 0 || app.State() != Rebalancing {
					t.Errorf("%d records were restored before the pause, %d after it, %d stores ended; it is %s", before, book.restored, book.ended, app.State())
				}
			})
			app.Resume()
			h.finish(app)
			book.with(func() {
				if book.restored != keysHalfRestored || book.started != 2 {
					t.Errorf("%d records were restored in %d stores", book.restored, book.started)
				}
			})
			app.stop()
		})
	}
}
