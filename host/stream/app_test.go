package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// harness runs applications on a broker.
type harness struct {
	t     testing.TB
	b     *brokertest.Broker
	appID string
}

// instance is an application that runs.
type instance struct {
	*App
	t      testing.TB
	cancel context.CancelFunc
	done   chan error
	states chan State
}

// settings are the defaults of tests: exactly once, short waits, strings. The session is none of them: who dies here says so
// to the group, and a process that had no processor for some seconds is no dead one.
func (h *harness) settings(set ...string) map[string]string {
	values := map[string]string{
		"application.id": h.appID, "bootstrap.servers": h.b.Addr, "processing.guarantee": "exactly_once_v2",
		"commit.interval.ms": "20", "poll.ms": "10", "default.key.serde": "string", "default.value.serde": "string",
		"session.timeout.ms": "30000", "heartbeat.interval.ms": "200",
	}
	for _, s := range set {
		k, v, _ := strings.Cut(s, "=")
		values[k] = v
	}
	if values["state.dir"] == "" {
		values["state.dir"] = h.t.TempDir()
	}
	return values
}

func (h *harness) app(topo *topology.Topology, set ...string) *App {
	h.t.Helper()
	streams, err := streamsconfig.Load(streamsconfig.Layer{Origin: "test", Values: h.settings(set...)})
	if err != nil {
		h.t.Fatal(err)
	}
	app, err := New(Config{Streams: streams, Topology: topo, Logger: testLogger(h.t)})
	if err != nil {
		h.t.Fatal(err)
	}
	return app
}

// start runs an application until the test ends or stop is called.
func (h *harness) start(topo *topology.Topology, set ...string) *instance {
	h.t.Helper()
	return h.run(h.app(topo, set...))
}

func (h *harness) run(app *App) *instance {
	h.t.Helper()
	in := &instance{App: app, t: h.t, done: make(chan error, 1), states: make(chan State, 1000)}
	in.cfg.StateListener = func(now, _ State) { in.states <- now }
	var ctx context.Context
	ctx, in.cancel = context.WithCancel(context.Background())
	go func() { in.done <- in.Run(ctx) }()
	h.t.Cleanup(func() {
		in.cancel()
		if in.done != nil {
			<-in.done
		}
	})
	return in
}

// running waits until the application runs.
func (in *instance) running() *instance {
	in.t.Helper()
	in.await(Running)
	return in
}

func (in *instance) await(want State) {
	in.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case s := <-in.states:
			if s == want {
				return
			}
		case err := <-in.done:
			in.done = nil
			in.t.Fatalf("the application ended while %s was awaited: %v", want, err)
		case <-deadline:
			in.t.Fatalf("the application is not %s but %s", want, in.State())
		}
	}
}

// stop ends the application cleanly.
func (in *instance) stop() {
	in.t.Helper()
	if err := in.end(); err != nil {
		in.t.Fatalf("the application ended with %v", err)
	}
	if s := in.State(); s != NotRunning {
		in.t.Errorf("the state after a clean stop is %s", s)
	}
}

func (in *instance) end() error {
	in.cancel()
	err := <-in.done
	in.done = nil
	return err
}

func testLogger(t testing.TB) *slog.Logger {
	if os.Getenv("WASMSTREAM_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func newHarness(t testing.TB, b *brokertest.Broker) *harness {
	return &harness{t: t, b: b, appID: b.Name("app")}
}

func build(t testing.TB, b *dsl.StreamsBuilder) *topology.Topology {
	t.Helper()
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// copyTopology writes each record of in to out.
func copyTopology(t testing.TB, in, out string) *topology.Topology {
	b := dsl.NewStreamsBuilder()
	b.Stream(in).To(out)
	return build(t, b)
}

// countTopology counts the values of in: the fold by which the stateful tests are judged.
func countTopology(t testing.TB, in, out string) *topology.Topology {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream(in).GroupByKey().Count().ToStream().To(out)
	return build(t, b)
}

// wordCountTopology is the course's WordCount with native functions.
func wordCountTopology(t testing.TB, in, out string) *topology.Topology {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream(in).FlatMapValues(dsl.Native(splitWords)).GroupBy(dsl.NativeMapper(func(r *topology.Record) error {
		r.Key = r.Value
		return nil
	})).Count().ToStream().To(out)
	return build(t, b)
}

func splitWords(in, out []topology.Record) ([]topology.Record, error) {
	for i := range in {
		for _, w := range strings.Fields(strings.ToLower(string(in[i].Value))) {
			r := in[i]
			r.Value, r.Index = []byte(w), int32(i)
			out = append(out, r)
		}
	}
	return out, nil
}

// numbered are n records with keys k0..k<keys-1>, spread over partitions by key.
func numbered(topic string, from, n, keys int, partitions int32) []*kgo.Record {
	var recs []*kgo.Record
	for i := from; i < from+n; i++ {
		key := []byte("k" + strconv.Itoa(i%keys))
		recs = append(recs, &kgo.Record{
			Topic: topic, Partition: topology.PartitionForKey(key, partitions), Key: key,
			Value: []byte(strconv.Itoa(i)), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
		})
	}
	return recs
}

// lines are records as text, partition by partition.
func lines(recs []*kgo.Record, value func([]byte) string) map[int32][]string {
	out := make(map[int32][]string)
	for _, r := range recs {
		out[r.Partition] = append(out[r.Partition], string(r.Key)+"="+value(r.Value))
	}
	return out
}

func text(b []byte) string { return string(b) }

func long(b []byte) string {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return strconv.FormatUint(n, 10)
}

// counted is what counting recs one after the other gives, by partition.
func counted(recs []*kgo.Record) map[int32][]string {
	out := make(map[int32][]string)
	counts := make(map[string]int)
	for _, r := range recs {
		counts[string(r.Key)]++
		out[r.Partition] = append(out[r.Partition], fmt.Sprintf("%s=%d", r.Key, counts[string(r.Key)]))
	}
	return out
}

// consumeCommitted waits until out has n committed records, looks a moment longer for more, and returns all.
func (h *harness) output(topic string, n int) []*kgo.Record {
	h.t.Helper()
	h.b.Read(h.t, topic, n)
	return h.b.ReadAll(h.t, topic)
}

// committedTo waits until the group has committed everything in topics.
func (h *harness) drained(topics ...string) {
	h.t.Helper()
	adm := kadm.NewClient(h.b.Client(h.t))
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		ends, err := adm.ListEndOffsets(ctx, topics...)
		if err != nil {
			h.t.Fatal(err)
		}
		offsets, err := adm.FetchOffsets(ctx, h.appID)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			h.t.Fatal(err)
		}
		behind := ""
		ends.Each(func(e kadm.ListedOffset) {
			if o, _ := offsets.Lookup(e.Topic, e.Partition); e.Offset > 0 && o.At < e.Offset {
				behind = fmt.Sprintf("%s-%d at %d of %d", e.Topic, e.Partition, o.At, e.Offset)
			}
		})
		if behind == "" {
			return
		}
		if pause(ctx, 5*time.Millisecond) != nil {
			h.t.Fatalf("not everything was committed: %s", behind)
		}
	}
}

func TestCopyExactlyOnce(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
		input := numbered(in, 0, 5000, 50, 2)
		b.Produce(t, input...)
		app := h.start(copyTopology(t, in, out)).running()
		got := h.output(out, len(input))
		if diff := cmp.Diff(lines(input, text), lines(got, text)); diff != "" {
			t.Errorf("the copy differs (-want +got):\n%s", diff)
		}
		h.drained(in)
		app.stop()
		if members := h.members(); len(members) != 0 {
			t.Errorf("members are left after a clean stop: %v", members)
		}
	})
}

func (h *harness) members() []string {
	described, err := kadm.NewClient(h.b.Client(h.t)).DescribeGroups(context.Background(), h.appID)
	if err != nil {
		h.t.Fatal(err)
	}
	var ids []string
	for _, m := range described[h.appID].Members {
		ids = append(ids, m.MemberID)
	}
	return ids
}

func TestCountGoesOnAfterARestart(t *testing.T) {
	for _, guarantee := range []string{"exactly_once_v2", "at_least_once"} {
		t.Run(guarantee, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
				h := newHarness(t, b)
				in, out := b.CreateTopic(t, b.Name("in"), 3), b.CreateTopic(t, b.Name("out"), 3)
				dir := t.TempDir()
				var input []*kgo.Record
				for round := range 3 {
					more := numbered(in, round*400, 400, 7, 3)
					input = append(input, more...)
					b.Produce(t, more...)
					app := h.start(countTopology(t, in, out), "state.dir="+dir, "statestore.cache.max.bytes=0", "processing.guarantee="+guarantee)
					h.output(out, len(input))
					h.drained(in)
					app.stop()
				}
				if diff := cmp.Diff(counted(input), lines(b.ReadAll(t, out), long)); diff != "" {
					t.Errorf("the counts differ (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWordCountThroughARepartitionTopic(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		for _, line := range []string{"all streams lead to kafka", "hello kafka streams", "join kafka summit"} {
			b.Produce(t, &kgo.Record{Topic: in, Value: []byte(line), Timestamp: time.UnixMilli(1_700_000_000_000)})
		}
		h.start(wordCountTopology(t, in, out), "statestore.cache.max.bytes=0").running()
		got := lines(h.output(out, 11), long)[0]
		want := []string{"all=1", "streams=1", "lead=1", "to=1", "kafka=1", "hello=1", "kafka=2", "streams=2", "join=1", "kafka=3", "summit=1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAnIdleApplicationOpensNoTransactions: without records there is nothing to commit, however often a commit is due.
func TestAnIdleApplicationOpensNoTransactions(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
	input := numbered(in, 0, 100, 5, 2)
	b.Produce(t, input...)
	h.start(countTopology(t, in, out), "statestore.cache.max.bytes=0", "commit.interval.ms=5").running()
	h.output(out, len(input))
	h.drained(in)
	commits := b.Fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.AddPartitionsToTxn, kmsg.OffsetCommit, kmsg.Produce}, Count: -1, Observe: true, TopLevel: true,
	}, kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.OffsetCommit, kmsg.Produce}, Count: -1, Observe: true})
	polls := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Count: -1, Observe: true, TopLevel: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := polls.Wait(ctx, 100); err != nil {
		t.Fatalf("the application does not fetch: %v", err)
	}
	if n := commits.Hits(); n != 0 {
		t.Errorf("%d requests of a commit from an application that is idle", n)
	}
	b.Produce(t, numbered(in, 100, 1, 5, 2)...)
	if err := commits.Wait(ctx, 3); err != nil {
		t.Errorf("one more record brings %d requests of a commit", commits.Hits())
	}
}
