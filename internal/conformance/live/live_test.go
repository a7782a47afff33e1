package live_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
)

var (
	seedFlag  = flag.Uint64("live.seed", 0, "the seed of the first plan; 0 takes a new one")
	plansFlag = flag.Int("live.plans", 8, "how many plans")
)

const (
	keys     = 10
	perTopic = 300
	patience = time.Minute
)

// TestLiveEqualsDriver runs random topologies with random settings on kfake, stopped and started once in the midst of
// their input, and wants the final tables that the test driver gives.
func TestLiveEqualsDriver(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	guests := newGuests(t)
	for i := range uint64(*plansFlag) {
		t.Run(strconv.FormatUint(seed+i, 10), func(t *testing.T) {
			t.Logf("repeat with -live.seed=%d -live.plans=1", seed+i)
			newRun(t, seed+i, guests).run()
		})
	}
}

// guests are the modules of the plans.
type guests struct {
	module []byte
	engine *wasm.Engine
	opened *wasm.Module
}

func newGuests(t *testing.T) *guests {
	t.Helper()
	g := &guests{}
	var err error
	if g.module, err = os.ReadFile("../../../examples/wordcount/wordcount.wasm"); err != nil {
		t.Fatal(err)
	}
	if g.engine, err = wasm.NewEngine(context.Background(), wasm.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	if g.opened, err = g.engine.Compile(context.Background(), "wordcount", g.module); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.engine.Close(context.Background()) })
	return g
}

// Module gives the one that there is.
func (g *guests) Module(string) (*wasm.Module, error) { return g.opened, nil }

// run is one plan with its input and settings.
type run struct {
	t          *testing.T
	b          *brokertest.Broker
	rng        *rand.Rand
	guests     *guests
	plan       *plan
	topo       *topology.Topology
	app        string
	partitions int32
	input      []*kgo.Record
}

func newRun(t *testing.T, seed uint64, g *guests) *run {
	t.Helper()
	b := brokertest.Fake(t)
	r := &run{t: t, b: b, rng: rand.New(rand.NewPCG(seed, 0)), guests: g, app: b.Name("live")}
	r.plan, r.topo = draw(t, seed, r.app)
	r.partitions = 1 + r.rng.Int32N(4)
	for _, name := range inputs {
		b.CreateTopic(t, r.app+"-"+name, r.partitions)
	}
	for i := range r.plan.outs {
		b.CreateTopic(t, r.out(i), r.partitions)
	}
	r.draw()
	return r
}

func (r *run) out(i int) string { return fmt.Sprintf("%s-out-%d", r.app, i) }

// draw makes the input: time goes on with steps back, and rows of tables are deleted at times.
func (r *run) draw() {
	const start = 1_700_000_000_000
	for i := range perTopic {
		for _, name := range inputs {
			key, value := fmt.Appendf(nil, "k%d", r.rng.IntN(keys)), strconv.AppendInt(nil, r.rng.Int64N(100), 10)
			if name != streamOne && name != streamTwo && r.rng.IntN(6) == 0 {
				value = nil
			}
			r.input = append(r.input, &kgo.Record{
				Topic: r.app + "-" + name, Key: key, Value: value, Partition: topology.PartitionForKey(key, r.partitions),
				Timestamp: time.UnixMilli(start + int64(i)*5 - r.rng.Int64N(40)),
			})
		}
	}
	slices.SortStableFunc(r.input, func(a, b *kgo.Record) int { return first(b, r.app) - first(a, r.app) })
}

// first is 1 for the rows of the global table, which are complete before anything else.
func first(rec *kgo.Record, app string) int {
	if rec.Topic == app+"-"+rows {
		return 1
	}
	return 0
}

func (r *run) run() {
	r.t.Helper()
	half := perTopic + (len(r.input)-perTopic)/2
	some, want := r.expected(half)
	r.produce(r.input[:half])
	stop := r.start()
	r.await(func(got tables) bool { return got.rows() > 0 || some.rows() == 0 }, patience)
	stop()
	stop = r.start()
	r.produce(r.input[half:])
	r.await(func(got tables) bool { return cmp.Equal(want, got) }, patience)
	stop()
	got := r.read()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("the final tables differ (-driver +live) of %s\n%s\n%s", r.plan, r.topo.Describe(), diff)
	}
}

func (r *run) produce(records []*kgo.Record) {
	r.t.Helper()
	cl := r.b.Client(r.t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.ProduceSync(r.t.Context(), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// start runs the application with settings of its own.
func (r *run) start() (stop func()) {
	r.t.Helper()
	set := map[string]string{
		"application.id": r.app, "bootstrap.servers": r.b.Addr, "default.key.serde": "string", "default.value.serde": "string",
		"state.dir": r.t.TempDir(), "auto.offset.reset": "earliest", "poll.ms": "10",
		"processing.guarantee":           []string{"exactly_once_v2", "at_least_once"}[r.rng.IntN(2)],
		"num.stream.threads":             strconv.Itoa(1 + r.rng.IntN(3)),
		"statestore.cache.max.bytes":     []string{"0", "10000", "10485760"}[r.rng.IntN(3)],
		"commit.interval.ms":             []string{"20", "200"}[r.rng.IntN(2)],
		"buffered.records.per.partition": []string{"5", "1000"}[r.rng.IntN(2)],
	}
	if r.plan.uncached {
		set["statestore.cache.max.bytes"] = "0"
	}
	frame := []int{1, 500}[r.rng.IntN(2)]
	r.t.Logf("%d partitions, frames of %d, %v", r.partitions, frame, set)
	settings, err := streamsconfig.Load(streamsconfig.Layer{Origin: "test", Values: set})
	if err != nil {
		r.t.Fatal(err)
	}
	app, err := stream.New(stream.Config{Streams: settings, Topology: r.topo, Modules: r.guests, FrameRecords: frame})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stopped := false
	stop = func() {
		r.t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			r.t.Fatalf("the application ended with %v", err)
		}
	}
	r.t.Cleanup(stop)
	return stop
}

// tables are the rows of each output topic.
type tables []map[string]string

func (t tables) rows() (n int) {
	for _, rows := range t {
		n += len(rows)
	}
	return n
}

func (t tables) put(i int, key, value []byte) {
	if value == nil {
		delete(t[i], string(key))
		return
	}
	t[i][string(key)] = string(value)
}

func (r *run) tables() tables {
	t := make(tables, r.plan.outs)
	for i := range t {
		t[i] = map[string]string{}
	}
	return t
}

// expected is what the driver makes of the first n records, and of all.
func (r *run) expected(n int) (some, all tables) {
	r.t.Helper()
	d, err := streamtest.New(r.topo, streamtest.Config{
		ApplicationID: r.app, KeySerde: topology.String, ValueSerde: topology.String,
		Engine: r.guests.engine, Modules: map[string][]byte{"wordcount": r.guests.module},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	defer d.Close()
	some, all = r.tables(), r.tables()
	for at, rec := range r.input {
		if !r.plan.reads[rec.Topic] {
			continue
		}
		if err := d.Pipe(rec.Topic, rec.Key, rec.Value, rec.Timestamp.UnixMilli()); err != nil {
			r.t.Fatalf("the driver: %v", err)
		}
		for i := range all {
			for _, o := range d.ReadOutputs(r.out(i)) {
				all.put(i, o.Key, o.Value)
				if at < n {
					some.put(i, o.Key, o.Value)
				}
			}
		}
	}
	return some, all
}

// read folds what is committed in the outputs.
func (r *run) read() tables {
	r.t.Helper()
	got := r.tables()
	for i := range got {
		for _, rec := range r.b.ReadAll(r.t, r.out(i)) {
			got.put(i, rec.Key, rec.Value)
		}
	}
	return got
}

// await reads what comes out until it is enough, or for so long.
func (r *run) await(enough func(tables) bool, long time.Duration) {
	r.t.Helper()
	var outs []string
	at := map[string]int{}
	for i := range r.plan.outs {
		outs = append(outs, r.out(i))
		at[r.out(i)] = i
	}
	cl := r.b.Client(r.t, kgo.ConsumeTopics(outs...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(20*time.Millisecond))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), long)
	defer cancel()
	got := r.tables()
	for !enough(got) && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { got.put(at[rec.Topic], rec.Key, rec.Value) })
	}
}
