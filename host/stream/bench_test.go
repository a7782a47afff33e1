package stream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
)

// benchmarkApp measures records through an application on a broker in process, exactly once: b.N records lie in the
// input before the clock starts; it ends when all of them are processed and committed.
func benchmarkApp(b *testing.B, topo func(t testing.TB, in, out string) *topology.Topology, keys int, set ...string) {
	broker := brokertest.Fake(b)
	h := newHarness(b, broker)
	in, out := broker.CreateTopic(b, broker.Name("in"), 1), broker.CreateTopic(b, broker.Name("out"), 1)
	fill(b, broker, in, b.N, keys)
	b.ReportAllocs()
	b.ResetTimer()
	app := h.start(topo(b, in, out), append([]string{"commit.interval.ms=100", "poll.ms=100"}, set...)...)
	h.drained(in)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	app.stop()
}

// fill writes n records of 100 bytes, fast.
func fill(b *testing.B, broker *brokertest.Broker, topic string, n, keys int) {
	cl := broker.Client(b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(100_000))
	value := []byte(strings.Repeat("x", 90))
	at := time.UnixMilli(1_700_000_000_000)
	for i := range n {
		cl.Produce(context.Background(), &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "key-%06d", i%keys), Value: value, Timestamp: at}, nil)
	}
	if err := cl.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkCopyExactlyOnce(b *testing.B) { benchmarkApp(b, copyTopology, 10_000) }

func BenchmarkCountExactlyOnce(b *testing.B) { benchmarkApp(b, countTopology, 10_000) }

func BenchmarkCountUncached(b *testing.B) {
	benchmarkApp(b, countTopology, 10_000, "statestore.cache.max.bytes=0")
}
