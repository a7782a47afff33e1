package stream

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
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
	b := brokertest.Fake(t)
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
		for _, thread := range app.threads {
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
}
