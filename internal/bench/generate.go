package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// DataSet names an input and how many records of it there are in how many partitions.
type DataSet struct {
	Kind       string // events, orders, profiles or lines
	Records    int
	Partitions int
}

// Topic is the name of the data set's topic: the same for whoever makes it.
func (d DataSet) Topic() string { return fmt.Sprintf("%s-%d-%d", d.Kind, d.Records, d.Partitions) }

// each calls yield with every record of the data set in order, as the key, the value and the timestamp. The bytes are
// new each time.
func (d DataSet) each(yield func(key, value []byte, timestamp int64)) error {
	switch d.Kind {
	case "events", "orders":
		events := NewEvents()
		if d.Kind == "orders" {
			events = NewOrders()
		}
		for range d.Records {
			value := events.Append(make([]byte, 0, 224))
			yield(AppendUser(nil, events.User), value, events.Timestamp)
		}
	case "lines":
		lines := NewLines()
		for i := range d.Records {
			yield(nil, lines.Append(make([]byte, 0, 112)), baseTimestamp+int64(i))
		}
	case "profiles":
		for user := range d.Records {
			yield(AppendUser(nil, user), AppendProfile(make([]byte, 0, 112), user), baseTimestamp-dayMillis)
		}
	default:
		return fmt.Errorf("no data set %q: events, orders, profiles and lines are there", d.Kind)
	}
	return nil
}

// Generate writes the data set to a new topic, lines round robin and all else by key.
func (d DataSet) Generate(ctx context.Context, bootstrap string) error {
	if err := recreate(ctx, bootstrap, d.Topic(), d.Partitions); err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(d.Topic()), kgo.RecordPartitioner(d.partitioner()),
		kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(256<<10), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	n := 0
	err = d.each(func(key, value []byte, timestamp int64) {
		cl.Produce(ctx, &kgo.Record{Key: key, Value: value, Timestamp: time.UnixMilli(timestamp), Partition: int32(n % d.Partitions)}, promise)
		n++
	})
	if err == nil {
		err = cl.Flush(ctx)
	}
	if f := failed.Load(); err == nil && f != nil {
		err = *f
	}
	if err != nil {
		return fmt.Errorf("writing the input to %s: %w", d.Topic(), err)
	}
	return nil
}

func (d DataSet) partitioner() kgo.Partitioner {
	if d.Kind == "lines" {
		return kgo.ManualPartitioner()
	}
	return kgo.StickyKeyPartitioner(nil)
}

// recreate makes a topic anew that keeps its records.
func recreate(ctx context.Context, bootstrap, topic string, partitions int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm, forever := kadm.NewClient(cl), "-1"
	if _, err := adm.DeleteTopics(ctx, topic); err != nil {
		return fmt.Errorf("deleting topic %s: %w", topic, err)
	}
	for {
		_, err := adm.CreateTopic(ctx, int32(partitions), -1, map[string]*string{"retention.ms": &forever}, topic)
		if err == nil {
			return nil
		}
		// The broker forgets a deleted topic a little later.
		if ctx.Err() != nil || !isTopicExists(err) {
			return fmt.Errorf("creating topic %s: %w", topic, err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
