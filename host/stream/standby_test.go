package stream

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// restoreBook is a listener that adds up.
type restoreBook struct {
	mu                          sync.Mutex
	started, ended, suspended   int
	restored, loaded            int64
	promoted, migrated, updates int
	outOfOrderEnds              int
}

func (b *restoreBook) with(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

func (b *restoreBook) OnRestoreStart(_ topology.TopicPartition, _ string, start, end int64) {
	b.with(func() {
		b.started++
		if start > end {
			b.outOfOrderEnds++
		}
	})
}

func (b *restoreBook) OnBatchRestored(_ topology.TopicPartition, _ string, _, n int64) {
	b.with(func() { b.restored += n })
}

func (b *restoreBook) OnRestoreEnd(topology.TopicPartition, string, int64) {
	b.with(func() { b.ended++ })
}

func (b *restoreBook) OnRestoreSuspended(topology.TopicPartition, string, int64) {
	b.with(func() { b.suspended++ })
}

func (b *restoreBook) OnUpdateStart(topology.TopicPartition, string, int64) {
	b.with(func() { b.updates++ })
}

func (b *restoreBook) OnBatchLoaded(_ topology.TopicPartition, _ string, _ topology.TaskID, _, n, _ int64) {
	b.with(func() { b.loaded += n })
}

func (b *restoreBook) OnUpdateSuspended(_ topology.TopicPartition, _ string, _, _ int64, reason SuspendReason) {
	b.with(func() {
		if reason == SuspendPromoted {
			b.promoted++
		} else {
			b.migrated++
		}
	})
}

// booked starts an application with a listener. change, if not nil, changes what settings cannot: an interval shorter than
// Kafka allows.
func (h *harness) booked(topo *topology.Topology, change func(*App), set ...string) (*instance, *restoreBook) {
	h.t.Helper()
	book := &restoreBook{}
	app := h.app(topo, set...)
	app.cfg.RestoreListener, app.cfg.StandbyListener = book, book
	if change != nil {
		change(app)
	}
	return h.run(app), book
}

// caughtUp waits until an instance keeps n standbys and they have all of their changelogs.
func (in *instance) caughtUp(n int) {
	in.t.Helper()
	in.until("the standbys have caught up", func() bool {
		ready := 0
		for _, p := range in.RestoreProgress() {
			if p.Standby && p.End > 0 && p.Next >= p.End {
				ready++
			}
		}
		return ready >= n
	})
}

// until waits for something that comes sooner or later.
func (in *instance) until(what string, is func() bool) {
	in.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); {
		if time.Now().After(deadline) {
			in.t.Fatalf("waited in vain until %s; progress %+v", what, in.RestoreProgress())
		}
		if pause(context.Background(), 5*time.Millisecond) != nil {
			return
		}
	}
}

// runningOn is how many tasks run in an instance.
func (in *instance) runningOn() int { return len(in.runningTasks()) }

// keysOfTwoTasks is less than the keys of any two of the four tasks among which 997 are shared. A broker that compacts beside
// the test leaves no more than a record for each; the records are of 2023, so that it may do so at any time.
const keysOfTwoTasks = 400

// TestAStandbyGoesOnWithoutRestoring: one of two instances ends, and the other goes on from its copies. What it restores is
// counted, not timed: what was written since the copies were looked at, not the state.
func TestAStandbyGoesOnWithoutRestoring(t *testing.T) {
	for _, memory := range []string{"on disk", "in memory"} {
		t.Run(memory, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
				h := newHarness(t, b)
				in, out := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
				topo := countTopology(t, in, out)
				if memory == "in memory" {
					topo = countInMemory(t, in, out)
				}
				settings := []string{"num.standby.replicas=1", "statestore.cache.max.bytes=0"}
				first, _ := h.booked(topo, nil, settings...)
				first.running()
				second, book := h.booked(topo, nil, settings...)
				second.running()
				first.until("each has two tasks", func() bool { return first.runningOn() == 2 && second.runningOn() == 2 })
				input := numbered(in, 0, 4000, 997, 4)
				b.Produce(t, input...)
				h.output(out, len(input))
				h.drained(in)
				first.caughtUp(2)
				second.caughtUp(2)
				var restored, promoted int
				book.with(func() { restored, promoted = int(book.restored), book.promoted })
				first.stop()
				more := numbered(in, 4000, 400, 997, 4)
				b.Produce(t, more...)
				input = append(input, more...)
				h.output(out, len(input))
				h.checkCounts(in, out, input)
				book.with(func() {
					restored, promoted = int(book.restored)-restored, book.promoted-promoted
					if restored > 0 || promoted != 2 {
						t.Errorf("%d records were restored and %d standbys promoted, want 0 and 2", restored, promoted)
					}
					if book.loaded < keysOfTwoTasks || book.started != book.ended+book.suspended || book.outOfOrderEnds > 0 {
						t.Errorf("the listener heard of %+v", book)
					}
				})
			})
		})
	}
}

// TestATaskMovesOnlyOnceItsWarmUpHasCaughtUp: an instance comes to one with all the state. It reads the changelogs while the
// other goes on, and what is left for it to restore when tasks move is what the transactions after the last look wrote.
func TestATaskMovesOnlyOnceItsWarmUpHasCaughtUp(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
		topo := countTopology(t, in, out)
		settings := []string{"acceptable.recovery.lag=100", "statestore.cache.max.bytes=0"}
		shorter := func(a *App) { a.cfg.Streams.ProbingRebalanceInterval = 300 * time.Millisecond }
		first, _ := h.booked(topo, shorter, settings...)
		first.running()
		input := numbered(in, 0, 4000, 997, 4)
		b.Produce(t, input...)
		h.output(out, len(input))
		h.drained(in)
		second, book := h.booked(topo, shorter, settings...)
		second.until("tasks have moved", func() bool { return second.runningOn() == 2 && first.runningOn() == 2 })
		more := numbered(in, 4000, 400, 997, 4)
		b.Produce(t, more...)
		input = append(input, more...)
		h.output(out, len(input))
		h.checkCounts(in, out, input)
		book.with(func() {
			if book.promoted != 2 || book.restored > 2*100 || book.loaded < keysOfTwoTasks {
				t.Errorf("%d warm-ups became tasks after %d records, which restored %d more; want 2 of a record for each key at least, and less than 200", book.promoted, book.loaded, book.restored)
			}
		})
	})
}

// TestATaskThatRestoresDoesNotStopTheOthers: the changelog of one of two tasks cannot be read for a while. The other one
// works on, in the same thread.
func TestATaskThatRestoresDoesNotStopTheOthers(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
	topo := countTopology(t, in, out)
	input := numbered(in, 0, 40, 10, 2)
	b.Produce(t, input...)
	before := h.start(topo, "statestore.cache.max.bytes=0")
	h.output(out, len(input))
	before.stop()
	held := b.Fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: h.appID + "-KSTREAM-AGGREGATE-STATE-STORE-0000000001-changelog", Partitions: []int32{1},
		Err: kerr.NotLeaderForPartition, Count: -1,
	})
	app := h.start(topo, "statestore.cache.max.bytes=0")
	var other []*kgo.Record
	for _, r := range numbered(in, 40, 40, 10, 2) {
		if r.Partition == 0 {
			other = append(other, r)
		}
	}
	b.Produce(t, append([]*kgo.Record{}, other...)...)
	h.output(out, len(input)+len(other))
	if app.State() == Running {
		t.Error("the application runs before all is restored")
	}
	q := StoreQuery{Store: "KSTREAM-AGGREGATE-STATE-STORE-0000000001", Type: RangeQuery, Partition: 1}
	if _, err := app.Query(&q); !errs.QueryNotReady.Is(err) {
		t.Errorf("a query of a store that is being restored gave %v", err)
	}
	q.Stale = true
	if answer, err := app.Query(&q); err != nil || !answer.Stale {
		t.Errorf("a query that may be stale gave %+v, %v", answer, err)
	}
	held.Remove()
	app.running()
	h.checkCounts(in, out, append(input, other...))
}

// countInMemory is countTopology with a store in memory.
func countInMemory(t testing.TB, in, out string) *topology.Topology {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream(in).GroupByKey().Count(dsl.Materialized{Name: "counts", InMemory: true}).ToStream().To(out)
	return build(t, b)
}
