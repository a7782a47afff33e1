//go:build integration

package takeover_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
)

var (
	seedFlag    = flag.Uint64("takeover.seed", 0, "the seed of the input; 0 takes a new one")
	recordsFlag = flag.Int("takeover.records", 1200, "how many records each topic gets in each of the three phases")
	roundsFlag  = flag.Int("takeover.rounds", 0, "how often Kafka Streams is first and then we are; 0 has Kafka Streams be first once")
)

const (
	partitions = 3
	keys       = 20
	stepMs     = 10 // between two records of a topic
	// patience is how long results may take on a machine that does other work.
	patience = 2 * time.Minute
)

// TestTakeover has Kafka Streams and this program run the same applications in turn, each from what the other left in
// Kafka. What comes out is what one run without any change gives.
func TestTakeover(t *testing.T) {
	buildJava(t)
	for round := range max(1, *roundsFlag) {
		t.Run(fmt.Sprintf("Java first %d", round), func(t *testing.T) { newTakeover(t, applications...).run("java", "ours", "java") })
	}
	for round := range *roundsFlag {
		t.Run(fmt.Sprintf("ours first %d", round), func(t *testing.T) { newTakeover(t, applications...).run("ours", "java", "ours") })
	}
}

// TestWaitingRecordsAreTakenOver is the same for records that wait for late rows of a versioned table.
func TestWaitingRecordsAreTakenOver(t *testing.T) {
	buildJava(t)
	newTakeover(t, waiting).run("java", "ours", "ours")
}

// takeover is one run of all applications.
type takeover struct {
	t       *testing.T
	apps    []application
	b       *brokertest.Broker
	prefix  string
	javaDir string
	rng     *rand.Rand
	start   int64 // ms, of the first record
	written int   // records of each topic so far
	// input of each application in the order of time.
	input map[string][]*kgo.Record
	// outputs are the committed records of each application so far.
	outputs  map[string][]*kgo.Record
	consumer *kgo.Client
	closers  int // rounds of records that move stream time on
	// folded is what expected has made of the input, until there is more.
	folded map[string]map[string][]string
}

func newTakeover(t *testing.T, apps ...application) *takeover {
	t.Helper()
	b := brokertest.Real(t)
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -takeover.seed=%d", seed)
	k := &takeover{
		t: t, apps: apps, b: b, prefix: b.Name("takeover") + fmt.Sprintf("-%x", rand.Uint32()), javaDir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 0)),
		start: time.Now().Add(-30 * time.Minute).Truncate(time.Second).UnixMilli(),
		input: map[string][]*kgo.Record{}, outputs: map[string][]*kgo.Record{}, folded: map[string]map[string][]string{},
	}
	var outs, topics []string
	for _, a := range apps {
		outs = append(outs, k.topic(a, "out"))
		topics = append(topics, k.topic(a, "left"), k.topic(a, "out"))
		if a.right {
			topics = append(topics, k.topic(a, "right"))
		}
	}
	b.CreateTopics(t, topics, partitions)
	k.consumer = b.Client(t, kgo.ConsumeTopics(outs...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	return k
}

func (k *takeover) application(a application) string { return k.prefix + "-" + a.name }

func (k *takeover) topic(a application, which string) string { return k.application(a) + "-" + which }

// run has each of the runtimes continue where the one before has stopped: in the midst of the input, but for the last.
func (k *takeover) run(runtimes ...string) {
	k.t.Helper()
	for i, runtime := range runtimes {
		began := time.Now()
		k.feed(*recordsFlag)
		stop := k.startOurs
		if runtime == "java" {
			stop = k.startJava
		}
		end := stop()
		if i == len(runtimes)-1 {
			k.awaitAll()
		} else {
			k.awaitSome()
		}
		end()
		for k.read() {
		}
		k.checkMembers(runtime)
		k.t.Logf("phase %d by %s: %.1f s", i, runtime, time.Since(began).Seconds())
	}
	k.judge()
}

func (k *takeover) startJava() (stop func()) {
	k.t.Helper()
	for i, a := range k.apps {
		if i%2 == 1 { // every other one has to restore all that we have written
			if err := os.RemoveAll(filepath.Join(k.javaDir, k.application(a))); err != nil {
				k.t.Fatal(err)
			}
		}
	}
	j := startJava(k.t, k.b.Addr, k.prefix, k.javaDir, k.apps)
	for _, a := range k.apps {
		if diff := cmp.Diff(described(k.t, k.javaDir, a.name), a.topology(k.t, k.application(a)).Describe()); diff != "" {
			k.t.Errorf("%s: the topologies differ (-Java +ours):\n%s", a.name, diff)
		}
	}
	return j.stop
}

// startOurs runs each application in this process.
func (k *takeover) startOurs() (stop func()) {
	k.t.Helper()
	dir := k.t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	k.t.Cleanup(cancel)
	ended := make(chan error, len(k.apps))
	for _, a := range k.apps {
		app := k.app(a, dir)
		go func() {
			if err := app.Run(ctx); err != nil {
				ended <- fmt.Errorf("%s: %w", a.name, err)
				return
			}
			ended <- nil
		}()
	}
	return func() {
		k.t.Helper()
		cancel()
		for range k.apps {
			if err := <-ended; err != nil {
				k.t.Error(err)
			}
		}
	}
}

func (k *takeover) app(a application, dir string) *stream.App {
	k.t.Helper()
	settings, err := streamsconfig.Load(streamsconfig.Layer{Origin: "test", Values: map[string]string{
		"application.id": k.application(a), "bootstrap.servers": k.b.Addr, "processing.guarantee": "exactly_once_v2",
		"commit.interval.ms": "100", "statestore.cache.max.bytes": "0", "auto.offset.reset": "earliest", "num.stream.threads": "2",
		"default.key.serde": "string", "default.value.serde": "string", "state.dir": dir,
	}})
	if err != nil {
		k.t.Fatal(err)
	}
	app, err := stream.New(stream.Config{Streams: settings, Topology: a.topology(k.t, k.application(a))})
	if err != nil {
		k.t.Fatal(err)
	}
	return app
}

// feed writes n records to each topic. The right ones are there first: a stream is not to be joined with versions of a
// table that only come after it.
func (k *takeover) feed(n int) {
	k.t.Helper()
	var left, right []*kgo.Record
	for _, a := range k.apps {
		for i := range n {
			at := k.start + int64(k.written+i)*stepMs
			left = append(left, k.add(a, "left", k.key(), k.value(a, i), at))
			if a.right {
				right = append(right, k.add(a, "right", k.key(), k.value(a, i), at+stepMs/2))
			}
		}
	}
	k.written += n
	k.produce(right)
	k.produce(left)
}

func (k *takeover) key() string { return fmt.Sprintf("k%d", k.rng.IntN(keys)) }

// value names a key, for what is regrouped. Tables have rows deleted too.
func (k *takeover) value(a application, i int) []byte {
	if a.judge == table && a.right && k.rng.IntN(8) == 0 {
		return nil
	}
	return fmt.Appendf(nil, "%s:%d", k.key(), k.written+i)
}

func (k *takeover) add(a application, which, key string, value []byte, at int64) *kgo.Record {
	r := &kgo.Record{
		Topic: k.topic(a, which), Key: []byte(key), Value: value, Timestamp: time.UnixMilli(at),
		Partition: topology.PartitionForKey([]byte(key), partitions),
	}
	k.input[a.name] = append(k.input[a.name], r)
	delete(k.folded, a.name)
	return r
}

func (k *takeover) produce(all []*kgo.Record) {
	k.t.Helper()
	cl := k.b.Client(k.t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	if err := cl.ProduceSync(k.t.Context(), all...).FirstErr(); err != nil {
		k.t.Fatalf("producing: %v", err)
	}
}

// isCloser tells whether a record is there to move stream time on, or came of one.
func isCloser(key []byte) bool { return bytes.HasPrefix(key, []byte("~")) }

// closeWindows moves stream time on in each partition of what waits for it.
func (k *takeover) closeWindows() {
	k.t.Helper()
	k.closers++
	var all []*kgo.Record
	for _, a := range k.apps {
		if !a.closes {
			continue
		}
		seen := map[int32]bool{}
		for i := 0; len(seen) < partitions; i++ {
			key := fmt.Sprintf("~%d", i)
			p := topology.PartitionForKey([]byte(key), partitions)
			if !seen[p] {
				seen[p] = true
				all = append(all, k.add(a, "left", key, []byte("~:"), k.start+int64(10*time.Minute/time.Millisecond)+int64(k.closers)))
			}
		}
	}
	k.produce(all)
}

// read takes what has come out, waiting a moment.
func (k *takeover) read() (some bool) {
	ctx, cancel := context.WithTimeout(k.t.Context(), 500*time.Millisecond)
	defer cancel()
	k.consumer.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		some = true
		name := strings.TrimSuffix(strings.TrimPrefix(r.Topic, k.prefix+"-"), "-out")
		if !isCloser(r.Key) {
			k.outputs[name] = append(k.outputs[name], r)
		}
	})
	return some
}

// awaitSome waits until every application has put out some of what is new, and feeds on: what comes out when windows close
// comes once a second at most. A foreign-key join gives little where many
// changes come at once: an answer to a row that has changed again is dropped.
func (k *takeover) awaitSome() {
	k.t.Helper()
	const some = 5
	want := map[string]int{}
	for _, a := range k.apps {
		want[a.name] = len(k.outputs[a.name]) + some
	}
	deadline := time.Now().Add(patience)
	for len(want) > 0 {
		if !k.read() {
			k.feed(50)
		}
		maps.DeleteFunc(want, func(name string, n int) bool { return len(k.outputs[name]) >= n })
		if time.Now().After(deadline) {
			k.t.Fatalf("no output of %v", slices.Sorted(maps.Keys(want)))
		}
	}
}

// awaitAll waits until the outputs are what they must be.
func (k *takeover) awaitAll() {
	k.t.Helper()
	missing := map[string]bool{}
	for _, a := range k.apps {
		missing[a.name] = true
	}
	for deadline := time.Now().Add(patience); len(missing) > 0 && time.Now().Before(deadline); {
		if k.read() {
			continue
		}
		for _, a := range k.apps {
			if missing[a.name] && (k.closers > 0 || !a.closes) && cmp.Equal(k.expected(a), a.view(k.outputs[a.name])) {
				delete(missing, a.name)
			}
		}
		if len(missing) > 0 {
			k.closeWindows()
		}
	}
}

// judge compares all that came out with what an uninterrupted run gives.
func (k *takeover) judge() {
	k.t.Helper()
	for _, a := range k.apps {
		if diff := cmp.Diff(k.expected(a), a.view(k.outputs[a.name])); diff != "" {
			k.t.Errorf("%s: the results differ (-uninterrupted +taken over):\n%s", a.name, cut(diff))
			continue
		}
		k.t.Logf("%s: %d records in, %d out", a.name, len(k.input[a.name]), len(k.outputs[a.name]))
	}
}

func cut(text string) string { return text[:min(len(text), 4000)] }

// expected is what the test driver makes of the whole input.
func (k *takeover) expected(a application) map[string][]string {
	k.t.Helper()
	if known, ok := k.folded[a.name]; ok {
		return known
	}
	d, err := streamtest.New(a.topology(k.t, k.application(a)), streamtest.Config{
		ApplicationID: k.application(a), KeySerde: topology.String, ValueSerde: topology.String, Settings: map[string]string{
			"__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": "0",
			"__emit.interval.ms.kstreams.windowed.aggregation__":            "0",
		},
	})
	if err != nil {
		k.t.Fatal(err)
	}
	defer d.Close()
	var out []*kgo.Record
	for _, r := range k.input[a.name] {
		if err := d.Pipe(r.Topic, r.Key, r.Value, r.Timestamp.UnixMilli()); err != nil {
			k.t.Fatalf("%s: %v", a.name, err)
		}
		for _, o := range d.ReadOutputs(k.topic(a, "out")) {
			if !isCloser(o.Key) {
				out = append(out, &kgo.Record{Key: o.Key, Value: o.Value, Timestamp: time.UnixMilli(o.Timestamp)})
			}
		}
	}
	k.folded[a.name] = a.view(out)
	return k.folded[a.name]
}

// view is what of a run must be equal to that of another.
func (a application) view(out []*kgo.Record) map[string][]string {
	v := map[string][]string{}
	for _, r := range out {
		key, value := fmt.Sprintf("%q", r.Key), fmt.Sprintf("%q", r.Value)
		switch a.judge {
		case table:
			v[key] = []string{value}
			if r.Value == nil {
				delete(v, key)
			}
		case sequence:
			v[key] = append(v[key], value)
		case records:
			v[key] = append(v[key], fmt.Sprintf("%s at %d", value, r.Timestamp.UnixMilli()))
		}
	}
	if a.judge == records {
		for _, list := range v {
			slices.Sort(list)
		}
	}
	return v
}

// checkMembers wants groups without members.
func (k *takeover) checkMembers(runtime string) {
	k.t.Helper()
	for _, a := range k.apps {
		groups, err := kadm.NewClient(k.consumer).DescribeGroups(k.t.Context(), k.application(a))
		if err != nil {
			k.t.Fatal(err)
		}
		if members := groups[k.application(a)].Members; len(members) > 0 {
			k.t.Errorf("%s: %d members are left by %s", a.name, len(members), runtime)
		}
	}
}
