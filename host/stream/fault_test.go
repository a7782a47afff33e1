package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// checkCounts holds the promise of exactly_once_v2: what read_committed consumers see in each partition of out is the
// fold of the input, in order, from its first record to its last.
func (h *harness) checkCounts(in, out string, input []*kgo.Record) {
	h.t.Helper()
	h.drained(in)
	if diff := cmp.Diff(counted(input), lines(h.b.ReadAll(h.t, out), long)); diff != "" {
		h.t.Errorf("the output is not the fold of the input (-want +got):\n%s", diff)
	}
}

// TestCountSurvivesErrorsOfTheCluster answers one request of each kind with each error that Kafka has for it, some of
// them after acting on it, in the middle of a stream of records.
func TestCountSurvivesErrorsOfTheCluster(t *testing.T) {
	faults := []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.EndTxn, []*kerr.Error{
			kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.InvalidProducerEpoch,
			kerr.ProducerFenced, kerr.InvalidTxnState, kerr.UnknownServerError, kerr.RequestTimedOut, kerr.InvalidProducerIDMapping,
		}},
		{kmsg.TxnOffsetCommit, []*kerr.Error{
			kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.IllegalGeneration,
			kerr.UnknownMemberID, kerr.InvalidProducerEpoch, kerr.RebalanceInProgress, kerr.UnknownServerError, kerr.RequestTimedOut,
		}},
		{kmsg.Produce, []*kerr.Error{
			kerr.NotLeaderForPartition, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut, kerr.InvalidProducerEpoch,
			kerr.OutOfOrderSequenceNumber, kerr.InvalidTxnState, kerr.UnknownServerError, kerr.KafkaStorageError,
		}},
		{kmsg.InitProducerID, []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.ConcurrentTransactions, kerr.RequestTimedOut}},
		{kmsg.OffsetFetch, []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.UnstableOffsetCommit}},
		{kmsg.Heartbeat, []*kerr.Error{kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.CoordinatorNotAvailable}},
		{kmsg.JoinGroup, []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.UnknownMemberID}},
		{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownServerError}},
	}
	for _, f := range faults {
		for _, err := range f.errs {
			t.Run(fmt.Sprintf("%s/%s", f.key.Name(), err.Message), func(t *testing.T) {
				t.Parallel()
				countUnderFault(t, f.key, err)
			})
		}
	}
}

func countUnderFault(t *testing.T, key kmsg.Key, kerror *kerr.Error) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
	input := numbered(in, 0, 300, 7, 2)
	b.Produce(t, input...)
	h.start(countTopology(t, in, out), "statestore.cache.max.bytes=0")
	h.output(out, 100)
	hits := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerror, When: ofTheApplication(h.appID)},
		kfake.Fault{Keys: []kmsg.Key{key}, Err: kerror, When: ofTheApplication(h.appID), TopLevel: true})
	more := numbered(in, 300, 300, 7, 2)
	b.Produce(t, more...)
	if key == kmsg.InitProducerID || key == kmsg.JoinGroup || key == kmsg.OffsetFetch {
		// These come again only with a new session, so one is made necessary.
		b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError, TopLevel: true})
		b.Produce(t, numbered(in, 600, 1, 7, 2)...)
		more = append(more, numbered(in, 600, 1, 7, 2)...)
	}
	input = append(input, more...)
	h.output(out, len(input))
	h.checkCounts(in, out, input)
	if hits.Hits() == 0 && key != kmsg.Heartbeat {
		t.Error("the fault hit nothing")
	}
}

// ofTheApplication matches requests of the application and not of the test's own clients.
func ofTheApplication(appID string) func(kmsg.Request) bool {
	return func(r kmsg.Request) bool {
		switch req := r.(type) {
		case *kmsg.ProduceRequest:
			return req.TransactionID != nil
		case *kmsg.InitProducerIDRequest:
			return req.TransactionalID != nil
		case *kmsg.FetchRequest:
			return req.IsolationLevel == 1 && req.SessionEpoch >= 0
		}
		return true
	}
}

// TestCountSurvivesCutConnections cuts connections at random requests, before or after the broker acts, with several
// threads and instances, while records come in.
func TestCountSurvivesCutConnections(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 4), b.CreateTopic(t, b.Name("out"), 4)
		network := newFaultyNetwork(seed)
		for range 2 {
			app := h.app(countTopology(t, in, out), "statestore.cache.max.bytes=0", "num.stream.threads=2")
			app.cfg.ClientOptions = []kgo.Opt{network.dialer()}
			h.run(app)
		}
		network.set(0.05, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.InitProducerID, kmsg.OffsetFetch, kmsg.AddOffsetsToTxn)
		network.set(0.02, kmsg.Produce, kmsg.Fetch, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.ListOffsets)
		var input []*kgo.Record
		const batches, enough = 40, 5
		for i := 0; i < batches || network.total() < enough; i++ { // a slow machine commits more at once, and asks less often
			more := numbered(in, i*100, 100, 11, 4)
			b.Produce(t, more...)
			input = append(input, more...)
			h.output(out, len(input)*3/4-100)
		}
		t.Logf("%d requests were cut", network.heal())
		h.output(out, len(input))
		h.checkCounts(in, out, input)
	})
}

// TestFencedProcessEnds: a second process with the identity of a running one takes its place, and the first says so
// instead of fighting back.
func TestFencedProcessEnds(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		input := numbered(in, 0, 100, 3, 1)
		b.Produce(t, input...)
		first := h.start(countTopology(t, in, out), "statestore.cache.max.bytes=0").running()
		h.output(out, 100)
		thread := first.threadsNow()[0]
		cl := b.Client(t, kgo.ConsumerGroup(h.appID), kgo.ConsumeTopics(in), kgo.InstanceID(thread.cfg.instanceID), kgo.Balancers(
			thread.cfg.newAssignor()))
		cl.PollFetches(canceledSoon(t))
		err := first.ended()
		if !errs.KafkaFenced.Is(err) {
			t.Errorf("a fenced process ended with %v", err)
		}
	})
}

func canceledSoon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// TestARecordThatIsTooLargeEndsTheApplication with a code, and without its transaction.
func TestARecordThatIsTooLargeEndsTheApplication(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in := b.CreateTopic(t, b.Name("in"), 1)
		out := b.CreateTopic(t, b.Name("out"), 1, "max.message.bytes=1000")
		b.Produce(t, &kgo.Record{Topic: in, Value: []byte("small")}, &kgo.Record{Topic: in, Value: make([]byte, 2000)})
		app := h.start(copyTopology(t, in, out))
		if err := app.ended(); !errs.RecordTooLarge.Is(err) {
			t.Errorf("the application ended with %v", err)
		}
		if s := app.State(); s != Failed {
			t.Errorf("the state after a failure is %s", s)
		}
	})
}

// ended waits until the application ends by itself.
func (in *instance) ended() error {
	in.t.Helper()
	select {
	case err := <-in.done:
		in.done = nil
		return err
	case <-time.After(time.Minute):
		in.t.Fatalf("the application does not end, and is %s", in.State())
		return errors.New("unreachable")
	}
}

func TestMissingTopicsAreNamedWithTheirCommands(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		err := h.start(copyTopology(t, "no-such-input", "no-such-output")).ended()
		for _, topic := range []string{"no-such-input", "no-such-output"} {
			found := false
			for _, e := range errs.Flatten(err) {
				var coded *errs.Error
				if errors.As(e, &coded) && coded.Code == errs.TopicMissing.ID && coded.Where == topic {
					found = coded.Fix == "create it: wasmstream topic create "+topic+" --partitions 1 --replication-factor 1"
				}
			}
			if !found {
				t.Errorf("the error does not name %s and its command: %v", topic, err)
			}
		}
	})
}
