package fakekafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestAbortedRecordsAreNotReadWhenFetchesAreFull reads an aborted transaction that is larger than a fetch may be.
func TestAbortedRecordsAreNotReadWhenFetchesAreFull(t *testing.T) {
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, "in", 2)
	cl := b.Client(t, kgo.TransactionalID("aborts"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<10))
	write := func(end kgo.TransactionEndTry, records int, value string) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range records {
			r := &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: fmt.Appendf(nil, "%s %01000d", value, i)}
			cl.Produce(t.Context(), r, nil)
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	write(kgo.TryAbort, 200, "aborted")
	write(kgo.TryCommit, 200, "committed")
	consumer := b.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(16<<10), kgo.FetchMaxWait(50*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for n := 0; n < 200; {
		fetches := consumer.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of 200 records came in time", n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			if string(r.Value[:9]) != "committed" {
				t.Fatalf("read %.20q at %d", r.Value, r.Offset)
			}
		})
	}
}
