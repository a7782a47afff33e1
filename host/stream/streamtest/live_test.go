package streamtest_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

const (
	liveRecords    = 4000
	liveKeys       = 200
	livePartitions = 4
)

// liveTopology counts values, which go through a repartition topic.
func liveTopology(t *testing.T, in, out string) *topology.Topology {
	t.Helper()
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream(in).GroupBy(dsl.Expr("value"), dsl.Grouped{Key: topology.String, Value: topology.String}).
		Count(dsl.Materialized{Name: "counts"}).ToStream().To(out, dsl.Produced{Key: topology.String, Value: topology.Long})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// TestLiveRunsAgreeWithTheDriver runs one input through applications of 1, 3 and 8 threads, with and without a cache, with
// short and long commit intervals, in frames of one and of 500 records, each of them stopped and started again at a random
// moment. All of them end with the state that the driver has, and the state with what its changelog gives. Without a stop
// between, they have processed as many records as they have committed.
func TestLiveRunsAgreeWithTheDriver(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	values := make([]string, liveRecords)
	for i := range values {
		values[i] = fmt.Sprintf("w%d", rng.IntN(liveKeys))
	}
	want := drivenCounts(t, values)
	for _, c := range []struct {
		threads, cache, commit, frame int
		restart                       bool
	}{
		{1, 0, 20, 1, false},
		{1, 64 << 20, 2000, 500, true},
		{3, 0, 2000, 500, true},
		{3, 64 << 20, 20, 1, true},
		{8, 0, 20, 500, true},
		{8, 64 << 20, 2000, 1, false},
	} {
		t.Run(fmt.Sprintf("threads %d, cache %d, commit %d ms, frames of %d", c.threads, c.cache, c.commit, c.frame), func(t *testing.T) {
			t.Parallel()
			l := newLive(t, values)
			l.settings["num.stream.threads"] = fmt.Sprint(c.threads)
			l.settings["statestore.cache.max.bytes"] = fmt.Sprint(c.cache)
			l.settings["commit.interval.ms"] = fmt.Sprint(c.commit)
			l.frame = c.frame
			half := len(values) / 2
			if c.restart {
				l.produce(values[:half])
				l.run(half)
				l.produce(values[half:])
			} else {
				l.produce(values)
			}
			processed := l.run(len(values))
			if all := 2 * liveRecords; !c.restart && processed != all { // of both sub-topologies
				t.Errorf("%d records were processed and %d committed", processed, all)
			}
			for _, topic := range []string{l.out, l.settings["application.id"] + "-counts-changelog"} {
				if diff := cmp.Diff(want, l.latest(topic)); diff != "" {
					t.Errorf("%s is not what the driver gives (-driver +live):\n%s", topic, diff)
				}
			}
		})
	}
}

// drivenCounts is what the driver's store holds in the end.
func drivenCounts(t *testing.T, values []string) map[string]uint64 {
	t.Helper()
	d, err := streamtest.New(liveTopology(t, input, output), streamtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, v := range values {
		if err := d.Pipe(input, nil, []byte(v), 1000); err != nil {
			t.Fatal(err)
		}
	}
	counts := map[string]uint64{}
	for _, r := range d.ReadOutputs(output) {
		counts[string(r.Key)] = binary.BigEndian.Uint64(r.Value)
	}
	return counts
}

// live is an application on a cluster, one process after the other.
type live struct {
	t        *testing.T
	b        *brokertest.Broker
	in, out  string
	settings map[string]string
	frame    int
}

func newLive(t *testing.T, values []string) *live {
	b := brokertest.Fake(t)
	return &live{
		t: t, b: b, in: b.CreateTopic(t, b.Name("in"), livePartitions), out: b.CreateTopic(t, b.Name("out"), livePartitions),
		settings: map[string]string{
			"application.id": b.Name("live"), "bootstrap.servers": b.Addr, "processing.guarantee": "exactly_once_v2",
			"auto.offset.reset": "earliest", "poll.ms": "10", "state.dir": t.TempDir(),
		},
	}
}

func (l *live) produce(values []string) {
	l.t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: l.in, Partition: int32(i % livePartitions), Value: []byte(v), Timestamp: time.UnixMilli(1000)}
	}
	l.b.Produce(l.t, records...)
}

// run has a process work until n records of the input and of the repartition topic are committed, and returns how many
// records it has processed.
func (l *live) run(n int) int {
	l.t.Helper()
	config, err := streamsconfig.Load(streamsconfig.Layer{Origin: "test", Values: l.settings})
	if err != nil {
		l.t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	app, err := stream.New(stream.Config{Streams: config, Topology: liveTopology(l.t, l.in, l.out), Registerer: registry, FrameRecords: l.frame})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	l.awaitCommits(ended, n)
	processed := sumOf(l.t, registry, "wasmstream_processed_records_total")
	cancel()
	if err := <-ended; err != nil {
		l.t.Fatalf("the application ended with %v", err)
	}
	return processed
}

// awaitCommits waits until n records of each topic that is read are committed. The repartition topic has control
// records too, so its end is what counts.
func (l *live) awaitCommits(ended <-chan error, n int) {
	l.t.Helper()
	adm := kadm.NewClient(l.b.Client(l.t))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	repartition := l.settings["application.id"] + "-counts-repartition"
	for {
		select {
		case err := <-ended:
			l.t.Fatalf("the application ended by itself: %v", err)
		default:
		}
		committed, err1 := adm.FetchOffsets(ctx, l.settings["application.id"])
		ends, err2 := adm.ListEndOffsets(ctx, l.in, repartition)
		if ctx.Err() != nil {
			l.t.Fatalf("%d records are not committed in time: %v %v", n, err1, err2)
		}
		sum, behind := int64(0), err1 != nil || err2 != nil
		ends.Each(func(end kadm.ListedOffset) {
			o, _ := committed.Lookup(end.Topic, end.Partition)
			behind = behind || end.Err != nil || end.Offset > 0 && o.At < end.Offset
			if end.Topic == l.in {
				sum += o.At
			}
		})
		if !behind && sum == int64(n) {
			return
		}
	}
}

// latest is the last value of each key.
func (l *live) latest(topic string) map[string]uint64 {
	l.t.Helper()
	counts := map[string]uint64{}
	for _, r := range l.b.ReadAll(l.t, topic) {
		counts[string(r.Key)] = binary.BigEndian.Uint64(r.Value)
	}
	return counts
}

// sumOf adds up the series of a counter.
func sumOf(t *testing.T, registry *prometheus.Registry, name string) (sum int) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += int(m.GetCounter().GetValue())
		}
	}
	return sum
}
