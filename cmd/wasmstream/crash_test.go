package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

const (
	// crashBacklog is how far the input runs ahead of the output: enough that every crash hits busy processes.
	crashBacklog = 20_000
	crashBatch   = 2_000
	// stall is how long nothing may come out. A member that was killed and started again is missed for less than that,
	// whatever else the machine is doing.
	stall = 90 * time.Second
)

// TestCountsSurviveSIGKILLOnTheEmbeddedBroker is the crash test against "wasmstream broker", a process that lives on
// while the application's are killed.
func TestCountsSurviveSIGKILLOnTheEmbeddedBroker(t *testing.T) {
	b := startEmbedded(t)
	newCrash(t, b, b.Addr, countApp).run(6)
}

// TestInterruptsAtAnyMomentOnTheEmbeddedBroker interrupts one or both of two processes again and again, while they
// start, join, restore or run, some of them after a kill. They must have left the group each time: a member that is
// dead and not missed keeps its partitions from the rest.
func TestInterruptsAtAnyMomentOnTheEmbeddedBroker(t *testing.T) {
	b := startEmbedded(t)
	newCrash(t, b, b.Addr, countApp).interrupt(16)
}

// crash kills two processes of one application again and again while records flow. What a read_committed consumer
// sees must be what the oracle of the subject makes of the input, nothing twice, none missing, none out of order.
type crash struct {
	*fleet
	b        *brokertest.Broker
	subject  subject
	oracle   oracle
	backlog  int
	stall    time.Duration
	seed     uint64
	rng      *rand.Rand
	in, out  string
	producer *kgo.Client
	consumer *kgo.Client

	// written are the outputs that are due for what was written, checked those of them that have come.
	written, checked int
	compared         int                    // pairs of stores
	progress         time.Time              // when the last output came
	done             [crashPartitions]int   // outputs of each partition
	next             [crashPartitions]int64 // the lowest offset that the next output of each partition may have
	// last[p] is when partition p last gave an output; gap is the longest wait for one while there was input.
	last [crashPartitions]time.Time
	gap  time.Duration
}

func newCrash(t *testing.T, b *brokertest.Broker, servers string, s subject) *crash {
	t.Helper()
	c := &crash{b: b, subject: s, oracle: s.oracle(), backlog: crashBacklog, stall: stall, seed: rand.Uint64()}
	t.Logf("seed %d", c.seed)
	c.rng = rand.New(rand.NewPCG(c.seed, 0))
	c.in = b.CreateTopic(t, b.Name("crash-in"), crashPartitions)
	c.out = b.CreateTopic(t, b.Name("crash-out"), crashPartitions)
	b.CreateTopic(t, c.in+rightSuffix, crashPartitions)
	b.CreateTopic(t, c.out+witnessSuffix, crashPartitions)
	c.producer = b.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	c.consumer = b.Client(t, kgo.ConsumeTopics(c.out), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	c.fleet = newFleet(t, s.document(t, b, servers, c.in, c.out))
	if s.standbys > 0 {
		c.settings = append(c.settings, fmt.Sprintf("num.standby.replicas=%d", s.standbys))
	}
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

// finish has everything counted, ends all processes, and counts on with one that knows the changelog alone, whose state
// is compared then.
func (c *crash) finish() {
	c.t.Helper()
	c.drain()
	c.stopAll()
	c.checkGroup()
	const name = "without local state"
	c.start(name)
	c.feed(crashBatch)
	c.drain()
	c.stopAll()
	c.checkStore(name)
	c.checkWitness()
}

// checkWitness wants the two topics of a subject that writes each record to both to be the same, record by record: a
// transaction is in both, or in none.
func (c *crash) checkWitness() {
	c.t.Helper()
	if c.subject.name != copyApp.name {
		return
	}
	both := [2][crashPartitions][]string{}
	for i, topic := range []string{c.out, c.out + witnessSuffix} {
		for _, r := range c.b.ReadAll(c.t, topic) {
			both[i][r.Partition] = append(both[i][r.Partition], recordText(r))
		}
	}
	for p := range both[0] {
		if !slices.Equal(both[0][p], both[1][p]) {
			c.t.Errorf("partition %d: a transaction is in one topic of two: %d records, and %d; the fold gives the same", p, len(both[0][p]), len(both[1][p]))
		}
	}
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
			c.feed(min(crashBatch, c.backlog/2))
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

// feed writes input of n records.
func (c *crash) feed(n int) {
	c.t.Helper()
	input := c.oracle.input(c.rng, n)
	batch := make([]*kgo.Record, len(input))
	for i, r := range input {
		batch[i] = r.Record
		r.Topic = c.in
		if r.right {
			r.Topic += rightSuffix
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), stall)
	defer cancel()
	if err := c.producer.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		c.t.Fatalf("producing: %v", err)
	}
	for _, r := range input {
		if c.oracle.owed(r.Partition) == 0 {
			c.last[r.Partition] = time.Now()
		}
		c.written += c.oracle.wrote(r.Record, r.right)
	}
}

// check gives what has come out to the oracle. Input and output have the same partitions, since both go by the murmur2
// hash of the key.
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
		if len(p.Records) > 0 && c.subject.inPlace {
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
	for p := range int32(crashPartitions) {
		n = append(n, c.oracle.owed(p))
	}
	return n
}

func (c *crash) checkOne(r *kgo.Record) {
	p := r.Partition
	if r.Offset < c.next[p] {
		c.t.Fatalf("partition %d offset %d: appears though offset %d has come", p, r.Offset, c.next[p]-1)
	}
	n, fault := c.oracle.came(r)
	if fault != "" {
		c.t.Fatalf("partition %d offset %d: %s", p, r.Offset, fault)
	}
	c.next[p] = r.Offset + 1
	c.done[p]++
	c.checked += n
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
