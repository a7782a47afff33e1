//go:build integration

package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

const (
	crashes         = 20
	crashPartitions = 4
	// crashBacklog is how far the input runs ahead of the output: enough that every crash hits a busy process.
	crashBacklog = 20_000
)

// TestCountsSurviveSIGKILL kills two processes of one application twenty times while records flow. What a
// read_committed consumer sees in each partition must be the fold of the input in its order: no count twice, none
// missing, none out of order.
func TestCountsSurviveSIGKILL(t *testing.T) {
	b := brokertest.Real(t)
	c := newCrash(t, b)
	procs := [2]*exec.Cmd{c.start(0), c.start(1)}
	for i := range crashes {
		c.feedUntil(c.checked + 500 + c.rng.IntN(8_000))
		victim := c.rng.IntN(2)
		if err := procs[victim].Process.Kill(); err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		_ = procs[victim].Wait()
		procs[victim] = c.start(victim)
	}
	c.feedUntil(c.checked + 1_000)
	c.drain()
	t.Logf("%d records counted over %d crashes, seed %d", c.checked, crashes, c.seed)
}

// crash is the input that was written, the output that must follow, and the processes in between.
type crash struct {
	t        *testing.T
	b        *brokertest.Broker
	seed     uint64
	rng      *rand.Rand
	dir, bin string
	in, out  string
	producer *kgo.Client
	consumer *kgo.Client
	written  int
	checked  int
	// input[p] holds the keys of partition p that the output has not shown yet; counts[p] is the fold so far.
	input  [crashPartitions][]string
	counts [crashPartitions]map[string]int64
}

func newCrash(t *testing.T, b *brokertest.Broker) *crash {
	t.Helper()
	c := &crash{t: t, b: b, seed: rand.Uint64(), dir: t.TempDir(), bin: filepath.Join(buildBinary(t), "wasmstream")}
	c.rng = rand.New(rand.NewPCG(c.seed, 0))
	c.in = b.CreateTopic(t, b.Name("crash-in"), crashPartitions)
	c.out = b.CreateTopic(t, b.Name("crash-out"), crashPartitions)
	for p := range c.counts {
		c.counts[p] = map[string]int64{}
	}
	c.producer = b.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	c.consumer = b.Client(t, kgo.ConsumeTopics(c.out), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	c.writeApplication()
	return c
}

func (c *crash) writeApplication() {
	c.t.Helper()
	module, err := filepath.Abs("../../examples/wordcount/wordcount.wasm")
	if err != nil {
		c.t.Fatal(err)
	}
	yaml := fmt.Sprintf(`apiVersion: wasmstream/v1
kind: Application
metadata: {name: crash}
config:
  application.id: %s
  bootstrap.servers: %s
  processing.guarantee: exactly_once_v2
  statestore.cache.max.bytes: 0
  auto.offset.reset: earliest
  session.timeout.ms: 6000
modules:
  wordcount: {path: %s}
operators:
  - stream: {topics: [%s], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupByKey: {}
  - count: {materialized: counts}
  - toStream: {}
  - to: {topic: %s, key: string, value: long}
`, c.b.Name("crash"), c.b.Addr, module, c.in, c.out)
	if err := os.WriteFile(filepath.Join(c.dir, "app.yaml"), []byte(yaml), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start runs the i-th process; its state directory stays from life to life.
func (c *crash) start(i int) *exec.Cmd {
	c.t.Helper()
	log, err := os.OpenFile(filepath.Join(c.dir, fmt.Sprintf("log-%d", i)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(c.bin, "run", "-f", filepath.Join(c.dir, "app.yaml"),
		"--set", "state.dir="+filepath.Join(c.dir, fmt.Sprintf("state-%d", i)))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// feedUntil keeps the backlog full until n outputs have been checked.
func (c *crash) feedUntil(n int) {
	c.t.Helper()
	for c.checked < n {
		c.feed()
		c.check()
	}
}

// drain checks the outputs of everything written.
func (c *crash) drain() {
	c.t.Helper()
	for c.checked < c.written {
		c.check()
	}
}

func (c *crash) feed() {
	c.t.Helper()
	var batch []*kgo.Record
	for c.written-c.checked < crashBacklog {
		c.written++
		batch = append(batch, &kgo.Record{Topic: c.in, Key: fmt.Appendf(nil, "k%d", c.rng.IntN(50)), Value: []byte("w")})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.producer.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		c.t.Fatalf("producing: %v", err)
	}
	for _, r := range batch {
		c.input[r.Partition] = append(c.input[r.Partition], string(r.Key))
	}
}

// check compares what has come out with the fold. Input and output have the same partitions, since both go by the
// murmur2 hash of the key.
func (c *crash) check() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	fetches := c.consumer.PollFetches(ctx)
	if ctx.Err() != nil {
		c.t.Fatalf("no output for 90 s after %d of %d records (seed %d):\n%s", c.checked, c.written, c.seed, c.logs())
	}
	fetches.EachRecord(c.checkOne)
}

func (c *crash) checkOne(r *kgo.Record) {
	p := r.Partition
	if len(c.input[p]) == 0 {
		c.t.Fatalf("partition %d offset %d: %s appears though all inputs are counted (seed %d)\n%s", p, r.Offset, r.Key, c.seed, c.logs())
	}
	want := c.input[p][0]
	c.input[p] = c.input[p][1:]
	c.counts[p][want]++
	got := int64(binary.BigEndian.Uint64(r.Value))
	if string(r.Key) != want || got != c.counts[p][want] {
		c.t.Fatalf("partition %d offset %d: got %s %d, the fold gives %s %d (seed %d)\n%s",
			p, r.Offset, r.Key, got, want, c.counts[p][want], c.seed, c.logs())
	}
	c.checked++
}

// logs are the ends of what the processes printed.
func (c *crash) logs() string {
	text := ""
	for i := range 2 {
		data, _ := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("log-%d", i)))
		text += fmt.Sprintf("-- process %d --\n%s\n", i, data[max(0, len(data)-4000):])
	}
	return text
}
