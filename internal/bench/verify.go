package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// digest is a multiset of records: their number and the sum of their hashes. The order of partitions does not matter.
type digest struct {
	records int
	sum     uint64
}

func (d *digest) add(key, value []byte) {
	d.records++
	d.sum += xxhash.Sum64(key)*31 + xxhash.Sum64(value)
}

// verify reads what was committed to topic and holds it against the expectation. A sum of 0 compares the number only.
func verify(ctx context.Context, bootstrap string, j job, topic string, want digest) error {
	var got digest
	last := counts{}
	err := readCommitted(ctx, bootstrap, topic, func(r *kgo.Record) {
		if !j.final {
			got.add(r.Key, r.Value)
			return
		}
		last.set(r.Key, r.Value)
	})
	if err != nil {
		return fmt.Errorf("reading the output %s: %w", topic, err)
	}
	last.digest(&got)
	if want.sum == 0 {
		got.sum = 0
	}
	if got != want {
		return fmt.Errorf("the output %s is wrong: %d records with digest %x, expected %d with %x", topic, got.records, got.sum, want.records, want.sum)
	}
	return nil
}

// readCommitted calls yield for every committed record of topic up to its end.
func readCommitted(ctx context.Context, bootstrap, topic string, yield func(*kgo.Record)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				yield(r)
			}
		})
	}
	return nil
}
