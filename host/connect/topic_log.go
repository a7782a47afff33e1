package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// TopicLog is a compacted topic as a Log (Kafka's KafkaBasedLog): one client writes, one goroutine reads all partitions from
// the beginning and applies what it reads.
type TopicLog struct {
	topic  string
	writer *kgo.Client
	reader *kgo.Client
	admin  *kadm.Client
	apply  Apply
	log    *slog.Logger
	stop   context.CancelFunc
	done   chan struct{}
	mu     struct {
		sync.Mutex
		next  map[int32]int64
		moved chan struct{} // closed when next changes
	}
}

// closeTimeout bounds how long a log that is closed waits for the broker to take what was sent, offsetPatience how long a connector that
// asks for an offset waits for what others have written.
const (
	closeTimeout   = 5 * time.Second
	offsetPatience = 30 * time.Second
)

// OpenTopicLog makes the topic where it does not exist and begins to read it. committed leaves out what transactions have not
// committed.
func OpenTopicLog(ctx context.Context, cfg *WorkerConfig, topic InternalTopic, committed bool, apply Apply, log *slog.Logger) (*TopicLog, error) {
	life, stop := context.WithCancel(context.Background())
	l := &TopicLog{topic: topic.Name, apply: apply, log: log, stop: stop, done: make(chan struct{})}
	l.mu.next, l.mu.moved = map[int32]int64{}, make(chan struct{})
	if err := l.connect(ctx, life, cfg, topic, committed); err != nil {
		stop()
		l.closeClients()
		return nil, err
	}
	go l.read(life)
	return l, nil
}

// connect makes the clients. The reader's is done with life, so that it is closed at once even if the broker does not answer.
func (l *TopicLog) connect(ctx, life context.Context, cfg *WorkerConfig, topic InternalTopic, committed bool) error {
	where := "worker, topic " + topic.Name
	props := cfg.ClientProperties(kafka.Producer, topic.Overrides)
	if _, set := props["delivery.timeout.ms"]; !set {
		props["delivery.timeout.ms"] = "2147483647"
	}
	opts, err := kafka.Options(kafka.Producer, props, where)
	if err != nil {
		return err
	}
	if l.writer, err = kgo.NewClient(append(opts, kgo.ClientID("connect-log-producer"))...); err != nil {
		return err
	}
	l.admin = kadm.NewClient(l.writer)
	if err := ensureTopic(ctx, l.admin, topic.Name, topic.Partitions, topic.Replication, topic.Configs); err != nil {
		return fmt.Errorf("making topic %s with %d partitions and replication factor %d: %w", topic.Name, topic.Partitions, topic.Replication, err)
	}
	if err := checkCompacted(ctx, l.admin, topic); err != nil {
		return err
	}
	if opts, err = kafka.Options(kafka.Consumer, cfg.ClientProperties(kafka.Consumer, topic.Overrides), where); err != nil {
		return err
	}
	opts = append(opts, kgo.WithContext(life), kgo.ClientID("connect-log-consumer"), kgo.ConsumeTopics(topic.Name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	l.reader, err = kgo.NewClient(opts...)
	return err
}

// Partitions is how many partitions the topic has.
func (l *TopicLog) Partitions(ctx context.Context) (int, error) {
	for {
		got, err := l.admin.ListTopics(ctx, l.topic)
		if err != nil {
			return 0, err
		}
		if t := got[l.topic]; t.Err == nil {
			return len(t.Partitions), nil
		} else if !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			return 0, t.Err
		}
		if !(realClock{}).Sleep(ctx, topicPoll) {
			return 0, ctx.Err()
		}
	}
}

func (l *TopicLog) read(ctx context.Context) {
	defer close(l.done)
	for ctx.Err() == nil {
		fetches := l.reader.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			if ctx.Err() == nil {
				l.log.Warn("reading failed and is tried again", "topic", l.topic, "partition", e.Partition, "error", e.Err)
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, r := range p.Records {
				if !r.Attrs.IsControl() {
					l.apply(r.Offset, r.Key, r.Value)
				}
			}
			if n := len(p.Records); n > 0 {
				l.moveTo(p.Partition, p.Records[n-1].Offset+1)
			}
		})
	}
}

func (l *TopicLog) moveTo(partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.next[partition] = next
	close(l.mu.moved)
	l.mu.moved = make(chan struct{})
}

// Append implements Log.
func (l *TopicLog) Append(ctx context.Context, records ...Record) error {
	var rs []*kgo.Record
	for _, r := range records {
		rs = append(rs, &kgo.Record{Topic: l.topic, Key: r.Key, Value: r.Value})
	}
	if err := l.writer.ProduceSync(ctx, rs...).FirstErr(); err != nil {
		return fmt.Errorf("writing to topic %s: %w", l.topic, err)
	}
	return l.ReadToEnd(ctx)
}

// Send implements Log.
func (l *TopicLog) Send(r Record) {
	l.writer.Produce(context.Background(), &kgo.Record{Topic: l.topic, Key: r.Key, Value: r.Value}, func(_ *kgo.Record, err error) {
		if err != nil && !errors.Is(err, kgo.ErrClientClosed) {
			l.log.Error("a record could not be written", "topic", l.topic, "error", err)
		}
	})
}

// Flush implements Log.
func (l *TopicLog) Flush(ctx context.Context) error { return l.writer.Flush(ctx) }

// ReadToEnd implements Log. With transactions the end is that of what is written, not of what is committed: a record that is
// committed may lie behind another task's transaction that is not, and would be missed. Transactions are open in these topics
// for a moment only.
func (l *TopicLog) ReadToEnd(ctx context.Context) error {
	ends, err := l.admin.ListEndOffsets(ctx, l.topic)
	for ; ; ends, err = l.admin.ListEndOffsets(ctx, l.topic) {
		if err == nil {
			err = ends.Error()
		}
		// A topic that was just made is not known everywhere yet.
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || !(realClock{}).Sleep(ctx, topicPoll) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("reading topic %s: %w", l.topic, err)
	}
	starts, err := l.admin.ListStartOffsets(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("reading topic %s: %w", l.topic, err)
	}
	for {
		l.mu.Lock()
		behind, moved := false, l.mu.moved
		ends.Each(func(o kadm.ListedOffset) {
			start, _ := starts.Lookup(o.Topic, o.Partition)
			behind = behind || l.mu.next[o.Partition] < o.Offset && start.Offset < o.Offset
		})
		l.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("reading topic %s: %w", l.topic, ctx.Err())
		}
	}
}

// Close implements Log: what was sent is written before.
func (l *TopicLog) Close() error {
	l.stop()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := l.writer.Flush(ctx)
	l.closeClients()
	if err != nil {
		err = fmt.Errorf("writing to topic %s: %w", l.topic, err)
	}
	return err
}

func (l *TopicLog) closeClients() {
	if l.reader != nil {
		l.reader.Close()
	}
	if l.writer != nil {
		l.writer.Close()
	}
}

// KafkaOffsets keeps offsets of sources in the offset topic.
type KafkaOffsets struct {
	log *TopicLog
	mu  struct {
		sync.Mutex
		fold *SourceOffsets
	}
}

// OpenKafkaOffsets opens an offset topic: the worker's or a connector's.
func OpenKafkaOffsets(ctx context.Context, cfg *WorkerConfig, topic InternalTopic, log *slog.Logger) (*KafkaOffsets, error) {
	k := &KafkaOffsets{}
	k.mu.fold = NewSourceOffsets()
	var err error
	k.log, err = OpenTopicLog(ctx, cfg, topic, cfg.ExactlyOnce == "enabled", func(_ int64, key, value []byte) {
		k.mu.Lock()
		defer k.mu.Unlock()
		var quiet *OffsetKeyError
		if err := k.mu.fold.Apply(key, value); err != nil && (!errors.As(err, &quiet) || !quiet.Quiet) {
			log.Warn("a record of the offset topic is ignored", "error", err)
		}
	}, log)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Offset implements OffsetStore, after what others have written.
func (k *KafkaOffsets) Offset(connector string, partition *data.Map) (*data.Map, error) {
	ctx, cancel := context.WithTimeout(context.Background(), offsetPatience)
	defer cancel()
	if err := k.log.ReadToEnd(ctx); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.fold.Offset(connector, partition), nil
}

// All implements OffsetStore.
func (k *KafkaOffsets) All(ctx context.Context, connector string) ([]PartitionOffset, error) {
	if err := k.log.ReadToEnd(ctx); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.fold.All(connector), nil
}

// Set implements OffsetStore.
func (k *KafkaOffsets) Set(ctx context.Context, connector string, offsets []PartitionOffset) error {
	k.mu.Lock()
	records, err := k.mu.fold.Records(connector, offsets)
	k.mu.Unlock()
	if err != nil {
		return err
	}
	return k.log.Append(ctx, records...)
}

// records are what Set would write, for who writes it in a transaction.
func (k *KafkaOffsets) records(connector string, offsets []PartitionOffset) ([]*kgo.Record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list, err := k.mu.fold.Records(connector, offsets)
	out := make([]*kgo.Record, 0, len(list))
	for _, r := range list {
		out = append(out, &kgo.Record{Topic: k.log.topic, Key: r.Key, Value: r.Value, Partition: -1})
	}
	return out, err
}

// Close implements OffsetStore.
func (k *KafkaOffsets) Close() error { return k.log.Close() }
