package streamtest_test

import (
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestExtractedTopic: each record goes to the topic that the function names.
func TestExtractedTopic(t *testing.T) {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream("in").ToExtracted(dsl.Expr("'out-' + key"))
	d := driverOf(t, b)
	for _, key := range []string{"a", "b", "a"} {
		if err := d.Pipe("in", []byte(key), []byte("v"), 1); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := len(d.ReadOutputs("out-a")), len(d.ReadOutputs("out-b")); a != 2 || b != 1 {
		t.Errorf("%d to out-a, %d to out-b", a, b)
	}
}

// TestPartitioner: a record goes to all partitions that are answered, and is dropped if there is none.
func TestPartitioner(t *testing.T) {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	choose := dsl.NativePartitioner(func(topic string, r *topology.Record, n int32) []int32 {
		if topic != "out" || n != 1 {
			t.Errorf("asked about %q with %d partitions", topic, n)
		}
		return map[string][]int32{"both": {0, 0}, "none": {}}[string(r.Key)]
	})
	b.Stream("in").To("out", dsl.Produced{Partitioner: choose})
	d := driverOf(t, b)
	for _, key := range []string{"both", "none", "default"} {
		if err := d.Pipe("in", []byte(key), []byte("v"), 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.ReadOutputs("out"); len(got) != 3 || string(got[1].Key) != "both" || string(got[2].Key) != "default" {
		t.Errorf("%v", got)
	}
	if dropped := d.Metrics().Dropped.Load(); dropped != 1 {
		t.Errorf("%d dropped", dropped)
	}
}

func driverOf(t *testing.T, b *dsl.StreamsBuilder) *streamtest.Driver {
	t.Helper()
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d, err := streamtest.New(topo, streamtest.Config{KeySerde: topology.String, ValueSerde: topology.String, Start: time.UnixMilli(0)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
