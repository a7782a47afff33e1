package stream

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestFinalResultsOnceAcrossRestarts: the close time of the last emission is in the committed metadata, so that a
// window that was emitted is not emitted again after a restart, and one that was not is not lost.
func TestFinalResultsOnceAcrossRestarts(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		dir := t.TempDir()
		for _, at := range [][]int64{{0, 1, 10}, {11, 25}, {26, 1000}} {
			for _, ms := range at {
				b.Produce(t, &kgo.Record{Topic: in, Key: []byte("a"), Value: []byte("v"), Timestamp: time.UnixMilli(windowStart + ms)})
			}
			builder := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
			builder.Stream(in).GroupByKey().WindowedBy(dsl.TimeWindowsOfSizeWithNoGrace(10 * time.Millisecond)).EmitStrategy(dsl.OnWindowClose).
				Count(dsl.Materialized{Name: "counts"}).ToStream().To(out)
			app := h.start(build(t, builder), "state.dir="+dir)
			h.drained(in)
			app.stop()
		}
		var got []string
		for _, r := range b.ReadAll(t, out) {
			got = append(got, timeKey(r.Key)+"="+long(r.Value))
		}
		want := []string{"a@0=2", "a@10=2", "a@20=2"}
		if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
