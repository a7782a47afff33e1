package bench

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// DataSet names an input and how many records of it there are in how many partitions.
type DataSet struct {
	Kind       string // events, orders, profiles, lines or rows
	Records    int
	Partitions int
	Name       string // of the topic; "" is one that says what is in it
}

// rows are the records of a changelog.
const rows = "rows"

// Topic is the name of the data set's topic: the same for whoever makes it.
func (d DataSet) Topic() string {
	return cmp.Or(d.Name, fmt.Sprintf("%s-%d-%d", d.Kind, d.Records, d.Partitions))
}

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
	case rows:
		r := rng(3)
		for i := range d.Records {
			key := appendHex([]byte("row-"), r.next()) // the numbers of a splitmix are different
			yield(key, appendRow(make([]byte, 0, rowBytes), &r), baseTimestamp+int64(i))
		}
	default:
		return fmt.Errorf("no data set %q: events, orders, profiles, lines and rows are there", d.Kind)
	}
	return nil
}

// Generate writes the data set to a new topic, lines round robin and all else by key.
func (d DataSet) Generate(ctx context.Context, bootstrap string) error {
	if err := recreate(ctx, bootstrap, d.Topic(), d.Partitions, d.configs()...); err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(d.Topic()), kgo.RecordPartitioner(d.partitioner()),
		kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(d.batchBytes()), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))
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

// configs are those of its topic, KEY=VALUE.
func (d DataSet) configs() []string {
	if d.Kind == rows {
		return []string{"cleanup.policy=compact"}
	}
	return nil
}

// batchBytes is large for input, and what a Kafka Streams application has by default for a changelog.
func (d DataSet) batchBytes() int32 {
	if d.Kind == rows {
		return 16 << 10
	}
	return 256 << 10
}

// recreate makes a topic anew that keeps its records; configs are KEY=VALUE.
func recreate(ctx context.Context, bootstrap, topic string, partitions int, configs ...string) error {
	set := map[string]string{"retention.ms": "-1"}
	for _, c := range configs {
		key, value, _ := strings.Cut(c, "=")
		set[key] = value
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if err := kafka.DeleteTopics(ctx, adm, topic); err != nil && !errs.TopicMissing.Is(err) {
		return err
	}
	for {
		_, err := kafka.CreateTopic(ctx, adm, kafka.TopicSpec{Name: topic, Partitions: int32(partitions), Replication: -1, Configs: set})
		// The broker forgets a deleted topic a little later.
		if !errs.TopicExists.Is(err) {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
