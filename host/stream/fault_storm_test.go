package stream

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
)

var (
	stormSeed   = flag.Uint64("storm.seed", 0, "the seed of the storm of faults; 0 takes a new one")
	stormFaults = flag.Int("storm.faults", 0, "how many faults the storm has; 0 is 180, or 30 in short tests")
)

const (
	// stormRecords is how much is written with every fault and must come out before the next.
	stormRecords = 1000
	stormStall   = 60 * time.Second
)

// TestCountSurvivesAStormOfFaults has two applications of three threads go through hundreds of faults: errors of every kind
// that Kafka has for the requests on the way of a commit, before and after the broker acts, answers that come late,
// connections that are cut before and after a request, and a wall clock that jumps. Every output is compared with the fold, in order.
func TestCountSurvivesAStormOfFaults(t *testing.T) {
	s, n := newStorm(t), *stormFaults
	switch {
	case n == 0 && testing.Short():
		n = 30
	case n == 0:
		n = 180
	}
	began := time.Now()
	for range n {
		s.fault()
	}
	s.network.heal()
	s.await(s.written)
	s.drained(s.in)
	t.Logf("%d faults in %.0f s, %d records checked one by one; %v", n, time.Since(began).Seconds(), s.checked, s.kinds)
}

// storm is an application under faults with what has been written to it and what must come out.
type storm struct {
	*harness
	rng              *rand.Rand
	network          *faultyNetwork
	ahead            atomic.Int64 // by which the wall clock of the applications is wrong
	in, out          string
	producer, reader *kgo.Client
	apps             []*instance
	written, checked int
	want             map[int32][]string // outputs to come, by partition
	counts           map[string]int
	kinds            map[string]int
	mortal           bool           // applications may end, with a code
	ended            map[string]int // by their code
	before           held           // by the test without applications
}

func newStorm(t *testing.T) *storm {
	seed := *stormSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -storm.seed=%d", seed)
	b := brokertest.Fake(t)
	s := &storm{
		harness: newHarness(t, b), rng: rand.New(rand.NewPCG(seed, 0)), network: newFaultyNetwork(seed),
		want: map[int32][]string{}, counts: map[string]int{}, kinds: map[string]int{}, ended: map[string]int{},
	}
	s.in, s.out = b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
	s.producer = b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.reader = b.Client(t, kgo.ConsumeTopics(s.out), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(20*time.Millisecond))
	s.before = resources()
	for _, threads := range []string{"2", "1"} {
		s.apps = append(s.apps, s.member("num.stream.threads="+threads))
	}
	s.write()
	s.await(s.written)
	return s
}

// member runs one more application.
func (s *storm) member(set ...string) *instance {
	s.t.Helper()
	set = append([]string{
		"statestore.cache.max.bytes=0", "max.poll.interval.ms=3000", "session.timeout.ms=6000",
		// What is waited for between a fault and the answer to it: pauses, and that the others hear of a rebalance.
		"retry.backoff.ms=5", "retry.backoff.max.ms=50", "heartbeat.interval.ms=100",
	}, set...)
	app := s.app(countTopology(s.t, s.in, s.out), set...)
	app.cfg.ClientOptions = []kgo.Opt{s.network.dialer()}
	app.wall = func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	return s.run(app)
}

// write adds records of few keys that come often and many that come rarely.
func (s *storm) write() {
	s.t.Helper()
	records := make([]*kgo.Record, stormRecords)
	for i := range records {
		k := s.rng.IntN(20)
		if i%2 == 1 {
			k = 20 + s.rng.IntN(5000)
		}
		key := fmt.Appendf(nil, "k%d", k)
		r := &kgo.Record{Topic: s.in, Partition: topology.PartitionForKey(key, 4), Key: key, Value: []byte("v")}
		records[i] = r
		s.counts[string(r.Key)]++
		s.want[r.Partition] = append(s.want[r.Partition], fmt.Sprintf("%s=%d", r.Key, s.counts[string(r.Key)]))
	}
	if err := s.producer.ProduceSync(s.t.(*testing.T).Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	s.written += len(records)
}

// await compares what comes out with the fold until n records have come in all.
func (s *storm) await(n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stormStall)
	defer cancel()
	for s.checked < n {
		fetches := s.poll(ctx)
		for i, app := range s.apps {
			switch {
			case app.State() != Failed:
			case s.mortal:
				s.revive(i)
			default:
				s.t.Fatalf("an application ended with %v", app.end())
			}
		}
		if ctx.Err() != nil {
			s.t.Fatalf("%d of %d records came in %s; the faults were %v", s.checked, n, stormStall, s.kinds)
		}
		fetches.EachRecord(s.check)
	}
}

// poll waits a moment only: what ended has to be replaced before more can come.
func (s *storm) poll(ctx context.Context) kgo.Fetches {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	return s.reader.PollFetches(ctx)
}

func (s *storm) check(r *kgo.Record) {
	s.t.Helper()
	got, want := fmt.Sprintf("%s=%s", r.Key, long(r.Value)), "nothing more"
	if list := s.want[r.Partition]; len(list) > 0 {
		want, s.want[r.Partition] = list[0], list[1:]
	}
	if got != want {
		s.t.Fatalf("partition %d offset %d: got %s, the fold gives %s; the faults were %v", r.Partition, r.Offset, got, want, s.kinds)
	}
	s.checked++
}

// fault lets one fault happen while records come, and waits until they have come out.
func (s *storm) fault() {
	s.t.Helper()
	s.jump()
	keys := []kmsg.Key{kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.Produce}
	key := keys[s.rng.IntN(len(keys))]
	var hit func() bool
	switch kind := s.rng.IntN(5); kind {
	case 0:
		hit = s.cut(key)
	case 1:
		hit = s.late(key)
	default:
		again := []kmsg.Key{kmsg.InitProducerID, kmsg.OffsetFetch, kmsg.JoinGroup, kmsg.ListOffsets}
		hit = s.refuse(key)
		if kind == 2 { // and one of those that come with a new session
			s.refuse(again[s.rng.IntN(len(again))])
		}
	}
	s.write()
	ctx, cancel := context.WithTimeout(context.Background(), stormStall)
	defer cancel()
	for !hit() {
		if pause(ctx, time.Millisecond) != nil {
			s.t.Fatalf("a fault of %s hit nothing", key.Name())
		}
	}
	s.await(s.written)
}

// jump has the wall clock go forward by a day, or back by an hour, with one fault of four.
func (s *storm) jump() {
	switch s.rng.IntN(8) {
	case 0:
		s.kinds["clock forward"]++
		s.ahead.Add(int64(24 * time.Hour))
	case 1:
		s.kinds["clock back"]++
		s.ahead.Add(-int64(time.Hour))
	}
}

// refuse answers one request with an error.
func (s *storm) refuse(key kmsg.Key) func() bool {
	errors := stormErrors[key]
	err := errors[s.rng.IntN(len(errors))]
	s.kinds[key.Name()+" "+err.Message]++
	mine := ofTheApplication(s.appID)
	h := s.b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, When: mine, TopLevel: key == kmsg.EndTxn || key == kmsg.InitProducerID || key == kmsg.JoinGroup})
	return func() bool { return h.Hits() > 0 }
}

// late lets one request wait for longer than a few commits take.
func (s *storm) late(key kmsg.Key) func() bool {
	s.kinds[key.Name()+" late"]++
	var seen atomic.Bool
	mine := ofTheApplication(s.appID)
	s.b.Fake.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if !mine(r) || !seen.CompareAndSwap(false, true) {
			return nil, nil, false
		}
		s.b.Fake.DropControl()
		s.b.Fake.SleepControl(func() { <-time.After(200 * time.Millisecond) })
		return nil, nil, false
	})
	return seen.Load
}

// cut ends one connection at a request, before or after the broker has it.
func (s *storm) cut(key kmsg.Key) func() bool {
	s.kinds[key.Name()+" cut"]++
	before := s.network.total()
	s.network.set(1, key)
	return func() bool {
		if s.network.total() == before {
			return false
		}
		s.network.set(0, key)
		return true
	}
}

// stormErrors are the errors that Kafka has for requests. REQUEST_TIMED_OUT and NOT_ENOUGH_REPLICAS_AFTER_APPEND come after
// the broker has acted.
var stormErrors = map[kmsg.Key][]*kerr.Error{
	kmsg.EndTxn: {
		kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.InvalidProducerEpoch,
		kerr.ProducerFenced, kerr.InvalidTxnState, kerr.UnknownServerError, kerr.RequestTimedOut, kerr.InvalidProducerIDMapping, kerr.TransactionAbortable,
	},
	kmsg.TxnOffsetCommit: {
		kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.IllegalGeneration,
		kerr.UnknownMemberID, kerr.InvalidProducerEpoch, kerr.RebalanceInProgress, kerr.UnknownServerError, kerr.RequestTimedOut,
		kerr.TransactionAbortable, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.UnknownTopicOrPartition,
	},
	kmsg.Produce: {
		kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut, kerr.InvalidProducerEpoch,
		kerr.OutOfOrderSequenceNumber, kerr.InvalidTxnState, kerr.UnknownServerError, kerr.KafkaStorageError, kerr.UnknownProducerID,
		kerr.TransactionAbortable, kerr.InvalidProducerIDMapping, kerr.NetworkException, kerr.LeaderNotAvailable,
	},
	kmsg.InitProducerID: {kerr.CoordinatorNotAvailable, kerr.ConcurrentTransactions, kerr.RequestTimedOut, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress},
	kmsg.OffsetFetch:    {kerr.CoordinatorLoadInProgress, kerr.UnstableOffsetCommit, kerr.NotCoordinator},
	kmsg.JoinGroup:      {kerr.CoordinatorNotAvailable, kerr.UnknownMemberID, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress},
	kmsg.ListOffsets:    {kerr.NotLeaderForPartition, kerr.UnknownServerError, kerr.LeaderNotAvailable, kerr.RequestTimedOut},
}
