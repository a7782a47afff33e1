package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

const (
	crashPartitions = 4
	// Half of the records have one of a few keys, whose counts change in every transaction. The others have one of many
	// keys, whose counts come from transactions long ago: a change that was lost on the way to the store or to its
	// changelog is not hidden by a later one.
	crashHotKeys  = 50
	crashColdKeys = 20_000
	// crashBacklog is how far the input runs ahead of the output: enough that every crash hits busy processes.
	crashBacklog = 20_000
	crashBatch   = 2_000
	// stall is how long nothing may come out. A member that was killed and started again is missed for less than that,
	// whatever else the machine is doing.
	stall = 90 * time.Second
)

// countYAML counts keys where they lie: the output of a partition has the order of its input. wordCountYAML counts the
// words of values, which go to the partition of the word first.
const countYAML = yamlHead + `  - stream: {topics: [%s], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupByKey: {}
` + yamlTail

const wordCountYAML = yamlHead + `  - stream: {topics: [%s], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupBy: {expr: value}
` + yamlTail

// windowYAML counts keys in windows, where they lie too.
const windowYAML = yamlHead + `  - stream: {topics: [%s], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupByKey: {}
  - windowedBy: {timeWindows: {size: 5s, grace: 1h}}
  - count: {materialized: counts}
  - toStream: {}
  - to: {topic: %s, value: long}
`

// crashWindow is the size of the windows, in milliseconds.
const crashWindow = 5000

const yamlHead = `apiVersion: wasmstream/v1
kind: Application
metadata: {name: crash}
config:
  acceptable.recovery.lag: 9223372036854775807 # tasks move at once and restore, not after a warm-up
  application.id: %s
  bootstrap.servers: %s
  processing.guarantee: exactly_once_v2
  statestore.cache.max.bytes: 0
  auto.offset.reset: earliest
modules:
  wordcount: {path: %s}
operators:
`

const yamlTail = `  - count: {materialized: counts}
  - toStream: {}
  - to: {topic: %s, key: string, value: long}
`

// TestCountsSurviveSIGKILLOnTheEmbeddedBroker is the crash test against "wasmstream broker", a process that lives on
// while the application's are killed.
func TestCountsSurviveSIGKILLOnTheEmbeddedBroker(t *testing.T) {
	b := startEmbedded(t)
	newCrash(t, b, b.Addr, countYAML).run(6)
}

// TestInterruptsAtAnyMomentOnTheEmbeddedBroker interrupts one or both of two processes again and again, while they
// start, join, restore or run, some of them after a kill. They must have left the group each time: a member that is
// dead and not missed keeps its partitions from the rest.
func TestInterruptsAtAnyMomentOnTheEmbeddedBroker(t *testing.T) {
	b := startEmbedded(t)
	newCrash(t, b, b.Addr, countYAML).interrupt(16)
}

// crash kills two processes of one application again and again while records flow. What a read_committed consumer
// sees in each partition must be the fold of the input in its order: no count twice, none missing, none out of order.
type crash struct {
	*fleet
	b        *brokertest.Broker
	words    bool // that are counted, not keys
	windows  bool // in which keys are counted
	backlog  int
	stall    time.Duration
	seed     uint64
	rng      *rand.Rand
	in, out  string
	producer *kgo.Client
	consumer *kgo.Client

	written, checked int
	progress         time.Time // when the last output came
	// input[p] holds the keys of partition p that the output has not shown yet; counts[p] is the fold so far.
	input  [crashPartitions][]string
	counts [crashPartitions]map[string]int64
	done   [crashPartitions]int // outputs of each partition
	// left are the words whose counts have not come out yet.
	left map[string]int
	// last[p] is when partition p last gave an output; gap is the longest wait for one while there was input.
	last [crashPartitions]time.Time
	gap  time.Duration
}

func newCrash(t *testing.T, b *brokertest.Broker, servers, yaml string) *crash {
	t.Helper()
	c := &crash{b: b, words: yaml == wordCountYAML, windows: yaml == windowYAML, backlog: crashBacklog, stall: stall, seed: rand.Uint64(), left: map[string]int{}}
	t.Logf("seed %d", c.seed)
	c.rng = rand.New(rand.NewPCG(c.seed, 0))
	c.in = b.CreateTopic(t, b.Name("crash-in"), crashPartitions)
	c.out = b.CreateTopic(t, b.Name("crash-out"), crashPartitions)
	for p := range c.counts {
		c.counts[p] = map[string]int64{}
	}
	c.producer = b.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	c.consumer = b.Client(t, kgo.ConsumeTopics(c.out), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	module, err := filepath.Abs("../../examples/wordcount/wordcount.wasm")
	if err != nil {
		t.Fatal(err)
	}
	c.fleet = newFleet(t, fmt.Sprintf(yaml, b.Name("crash"), servers, module, c.in, c.out))
	c.note("seed %d", c.seed)
	c.extras = append(c.extras, c.dumpTopics)
	return c
}

// run kills n times, lets everything written be counted, and has a new process count on from the changelog alone.
func (c *crash) run(n int) {
	c.t.Helper()
	c.start("0")
	c.start("1")
	c.feedUntil(c.outputs(500))
	began := time.Now()
	for range n {
		c.crash()
	}
	crashed := time.Since(began)
	c.finish()
	c.t.Logf("%d records counted over %d crashes in %.1f s", c.checked, n, crashed.Seconds())
	c.t.Logf("from SIGKILL to RUNNING: %s; longest wait for an output of a partition that had input: %.1f s; longest clean stop: %.1f s",
		spread(c.revivals), c.gap.Seconds(), c.slowest.Seconds())
}

// finish has everything counted, ends all processes, and counts on with one that knows the changelog alone.
func (c *crash) finish() {
	c.t.Helper()
	c.drain()
	c.stopAll()
	c.checkGroup()
	c.start("without local state")
	c.written += c.feed(crashBatch)
	c.drain()
	c.stopAll()
}

// crash kills one of the processes at a random moment: while it works or, one time in three, maybe before.
func (c *crash) crash() {
	c.t.Helper()
	victim := c.procs[[]string{"0", "1"}[c.rng.IntN(2)]]
	if c.rng.IntN(3) > 0 {
		c.feedUntil(func() bool { return victim.isRunning() })
	}
	c.feedUntil(c.outputs(c.rng.IntN(8_000)))
	moment := time.Now().Add(time.Duration(c.rng.IntN(200)) * time.Millisecond)
	c.feedUntil(func() bool { return time.Now().After(moment) })
	c.kill(victim)
	c.start(victim.name)
}

// interrupt stops one or both processes n times, or kills one.
func (c *crash) interrupt(n int) {
	c.t.Helper()
	names := []string{"0", "1"}
	for range n {
		for _, name := range names {
			if c.procs[name] == nil {
				c.start(name)
			}
		}
		moment := time.Now().Add(time.Duration(100+c.rng.IntN(600)) * time.Millisecond)
		c.feedUntil(func() bool { return time.Now().After(moment) })
		switch one := c.procs[names[c.rng.IntN(2)]]; c.rng.IntN(3) {
		case 0:
			c.stop(c.procs["0"], c.procs["1"])
		case 1:
			c.kill(one)
			c.start(one.name)
			continue
		case 2:
			c.stop(one)
		}
		c.checkMembers()
	}
	if c.procs["0"] == nil {
		c.start("0")
	}
	c.drain()
	c.stopAll()
	c.checkGroup()
	c.t.Logf("%d records counted over %d interrupts and kills; the longest stop took %.1f s", c.checked, n, c.slowest.Seconds())
}

// checkMembers wants no more members than there are processes, each of one thread. Those that never heard the
// interrupt count, for they had no chance to tell the group of their predecessors.
func (c *crash) checkMembers() {
	c.t.Helper()
	if members := membersOf(c.t, c.consumer, c.b.Name("crash")); len(members) > len(c.procs)+len(c.deaf) {
		c.t.Fatalf("members after interrupts: %v", members)
	}
}

// outputs is true when n more have come.
func (c *crash) outputs(n int) func() bool {
	want := c.checked + n
	return func() bool { return c.checked >= want }
}

// feedUntil keeps the backlog full and checks what comes out until done says so.
func (c *crash) feedUntil(done func() bool) {
	c.t.Helper()
	c.progress = time.Now()
	for !done() {
		for c.written-c.checked < c.backlog {
			c.written += c.feed(min(crashBatch, c.backlog/2))
		}
		c.check()
	}
}

// drain checks the outputs of everything written.
func (c *crash) drain() {
	c.t.Helper()
	c.progress = time.Now()
	for c.checked < c.written {
		c.check()
	}
}

func (c *crash) feed(n int) int {
	c.t.Helper()
	batch := make([]*kgo.Record, n)
	for i := range batch {
		key := fmt.Appendf(nil, "hot%d", c.rng.IntN(crashHotKeys))
		if i%2 == 1 {
			key = fmt.Appendf(nil, "cold%d", c.rng.IntN(crashColdKeys))
		}
		batch[i] = &kgo.Record{Topic: c.in, Key: key, Value: []byte("w"), Timestamp: time.Now().Truncate(time.Millisecond)}
		if c.words {
			batch[i].Key, batch[i].Value = nil, key
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), stall)
	defer cancel()
	if err := c.producer.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		c.t.Fatalf("producing: %v", err)
	}
	for _, r := range batch {
		c.expect(r)
	}
	return n
}

// expect notes that the count of a record must come out.
func (c *crash) expect(r *kgo.Record) {
	if c.words {
		c.left[string(r.Value)]++
		return
	}
	if len(c.input[r.Partition]) == 0 {
		c.last[r.Partition] = time.Now()
	}
	key := r.Key
	if c.windows {
		start := r.Timestamp.UnixMilli() / crashWindow * crashWindow
		key = binary.BigEndian.AppendUint64(slices.Clone(key), uint64(start))
	}
	c.input[r.Partition] = append(c.input[r.Partition], string(key))
}

// check compares what has come out with the fold. Input and output have the same partitions, since both go by the
// murmur2 hash of the key.
func (c *crash) check() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fetches := c.consumer.PollFetches(ctx)
	now := time.Now()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) > 0 {
			c.progress = now
		}
		if len(p.Records) > 0 && !c.words {
			c.gap = max(c.gap, now.Sub(c.last[p.Partition]))
			c.last[p.Partition] = now
		}
	})
	fetches.EachRecord(c.checkOne)
	c.checkAlive()
	if time.Since(c.progress) > c.stall {
		c.dump()
		c.t.Fatalf("no output for %s after %d of %d records; still to come in each partition: %v", c.stall, c.checked, c.written, c.pending())
	}
}

func (c *crash) pending() (n []int) {
	for _, keys := range c.input {
		n = append(n, len(keys))
	}
	return n
}

func (c *crash) checkOne(r *kgo.Record) {
	p, word := r.Partition, string(r.Key)
	want := word
	switch {
	case c.words:
		c.left[word]--
		if c.left[word] < 0 {
			c.t.Fatalf("partition %d offset %d: %s appears though all of it is counted", p, r.Offset, word)
		}
	case len(c.input[p]) == 0:
		c.t.Fatalf("partition %d offset %d: %s appears though all inputs are counted", p, r.Offset, word)
	default:
		want = c.input[p][0]
		c.input[p] = c.input[p][1:]
	}
	c.counts[p][want]++
	c.done[p]++
	got := int64(binary.BigEndian.Uint64(r.Value))
	if word != want || got != c.counts[p][want] {
		c.t.Fatalf("partition %d offset %d: got %s %d, the fold gives %s %d", p, r.Offset, word, got, want, c.counts[p][want])
	}
	c.checked++
}

// checkGroup holds what must be true when all is counted and the application is stopped: the group has committed all
// of the input and has no members, and no transaction is open.
func (c *crash) checkGroup() {
	c.t.Helper()
	if fault := groupFault(c.t, c.b.Client(c.t), c.b.Name("crash"), c.in, c.out); fault != "" {
		c.t.Errorf("after a clean stop: %s", fault)
	}
}

// spread describes durations: the shortest, the middle, the longest.
func spread(list []time.Duration) string {
	if len(list) == 0 {
		return "none"
	}
	list = slices.Sorted(slices.Values(list))
	return fmt.Sprintf("%.1f to %.1f s, median %.1f s", list[0].Seconds(), list[len(list)-1].Seconds(), list[len(list)/2].Seconds())
}
