package connect

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// sourceProducer writes what a source's task reads.
type sourceProducer struct {
	opts   []kgo.Opt // of client
	client *kgo.Client
	admin  *kadm.Client
	groups []connectorconfig.TopicGroup
	known  map[string]bool // topics that exist
	create bool            // topics that no group is for are made with the broker's defaults
}

// longestTransaction is what brokers allow unless they are told otherwise (transaction.max.timeout.ms).
const longestTransaction = 15 * time.Minute

// interval is that of transaction.boundary=interval.
func (r *taskRun) interval() time.Duration {
	if r.v.Null(boundaryMillisKey) {
		return r.w.Config.FlushInterval
	}
	return time.Duration(r.v.Int(boundaryMillisKey)) * time.Millisecond
}

// maxUnderWay is how many records of a task are at most under way to Kafka. A record costs 300 bytes beside those that
// buffer.memory counts, which short ones would fill a hundred megabytes with; batches of them are full long before.
const maxUnderWay = 16 << 10

// newSourceProducer makes the producer of a task. transactionalID is "" without transactions.
func (r *taskRun) newSourceProducer(transactionalID string) (*sourceProducer, error) {
	props := r.w.Config.ClientProperties(kafka.Producer, r.props)
	if _, set := props["delivery.timeout.ms"]; !set {
		props["delivery.timeout.ms"] = "2147483647" // records are not lost to a broker that is away for long
	}
	if _, set := props["transaction.timeout.ms"]; !set && boundaryOf(r.v) == "interval" {
		props["transaction.timeout.ms"] = strconv.FormatInt(min(r.interval()+time.Minute, longestTransaction).Milliseconds(), 10)
	}
	if transactionalID != "" {
		props[idempotenceKey] = "true" // which refuses acks that would lose what it promises
	}
	opts, err := kafka.Options(kafka.Producer, props, "connector "+r.spec.ID.Connector)
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.ClientID("connector-producer-"+r.spec.ID.String()), kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}), kgo.AllowAutoTopicCreation(), kgo.MaxBufferedRecords(maxUnderWay))
	if transactionalID != "" {
		opts = append(opts, kgo.TransactionalID(transactionalID))
	}
	p := &sourceProducer{opts: opts, known: map[string]bool{}, create: r.w.Config.TopicCreation && !r.w.Config.Compat}
	if r.w.Config.TopicCreation {
		if p.groups, err = connectorconfig.New(r.w.Plugins).TopicGroups(r.props); err != nil {
			return nil, err
		}
	}
	if p.client, err = kgo.NewClient(opts...); err != nil {
		return nil, err
	}
	p.admin = kadm.NewClient(p.client)
	return p, nil
}

// ensure creates a topic by the rules of topic creation, where there are rules (KIP-158).
func (p *sourceProducer) ensure(ctx context.Context, topic string) error {
	if p.known[topic] {
		return nil
	}
	g, err := groupOf(p.groups, topic)
	if err != nil {
		return fmt.Errorf("finding the group of topic.creation.groups that topic %s belongs to: %w", topic, err)
	}
	if g != nil {
		if err := ensureTopic(ctx, p.admin, topic, int32(g.Partitions), int16(g.ReplicationFactor), g.Configs); err != nil {
			return fmt.Errorf("creating topic %s by the settings of group %s: %w", topic, g.Name, err)
		}
	} else if p.create {
		// Whether or not the broker makes topics by itself. Where it does not let us, it may still do so when we write.
		if err := ensureTopic(ctx, p.admin, topic, -1, -1, nil); err != nil && ctx.Err() != nil {
			return err
		}
	}
	p.known[topic] = true
	return nil
}

// partitioner keeps partitions that records ask for and spreads the others as Kafka does.
type partitioner struct{ inner kgo.Partitioner }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.inner.ForTopic(topic)}
}

type topicPartitioner struct{ inner kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner.
func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.inner.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.inner.Partition(r, n)
}

// OnNewBatch has the sticky partitioner choose another partition.
func (p topicPartitioner) OnNewBatch() {
	if b, ok := p.inner.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}

// encoder turns records into what is written to Kafka. Bytes of many records share one allocation.
type encoder struct {
	p   *taskPlugins
	tol Tolerance
	w   *Worker
	buf []byte
}

// encodeChunk is how many bytes share an allocation.
const encodeChunk = 64 << 10

// room gives a buffer to append to.
func (e *encoder) room() []byte {
	if cap(e.buf)-len(e.buf) < 512 {
		e.buf = make([]byte, 0, encodeChunk)
	}
	return e.buf
}

// kept takes over what was appended to room.
func (e *encoder) kept(start int, out []byte, null bool) []byte {
	if null {
		return nil
	}
	e.buf = out
	return out[start:len(out):len(out)]
}

// encode converts a record. The error is a *Failed where it is tolerated.
func (e *encoder) encode(ctx context.Context, r *connectors.Record, out *kgo.Record) error {
	out.Topic, out.Partition = r.Topic, r.Partition
	if r.Timestamp != connectors.NoTimestamp {
		out.Timestamp = time.UnixMilli(r.Timestamp)
	}
	headers := r.Headers
	step := func(stage Stage, class string, op func() error) error {
		err := op()
		if err != nil {
			err = e.tol.Again(ctx, e.w.Clock, stage, class, err, op)
		}
		return err
	}
	if err := step(StageKeyConverter, e.p.keyClass, func() error {
		buf := e.room()
		b, null, err := e.p.key.FromConnectData(buf, r.Topic, &headers, r.Key)
		if err == nil {
			out.Key = e.kept(len(buf), b, null)
		}
		return err
	}); err != nil {
		return err
	}
	if err := step(StageValueConverter, e.p.valueClass, func() error {
		buf := e.room()
		b, null, err := e.p.value.FromConnectData(buf, r.Topic, &headers, r.Value)
		if err == nil {
			out.Value = e.kept(len(buf), b, null)
		}
		return err
	}); err != nil {
		return err
	}
	if len(headers) == 0 {
		return nil
	}
	return step(StageHeaderConverter, e.p.headerClass, func() error { return e.headers(r.Topic, headers, out) })
}

func (e *encoder) headers(topic string, headers connectors.Headers, out *kgo.Record) error {
	out.Headers = make([]kgo.RecordHeader, 0, len(headers))
	for i := range headers {
		if v := headers[i].Value.Value; connectors.IsSchemaID(headers[i].Key) && v.Type() == data.TypeBytes {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: headers[i].Key, Value: v.Bytes()})
			continue
		}
		buf := e.room()
		b, null, err := e.p.header.FromConnectHeader(buf, topic, headers[i].Key, headers[i].Value)
		if err != nil {
			return err
		}
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: headers[i].Key, Value: e.kept(len(buf), b, null)})
	}
	return nil
}

// transactionalIDOf is the transactional id of a source's task (KIP-618).
func transactionalIDOf(group string, id TaskID) string {
	return strings.Join([]string{group, id.String()}, "-")
}

// groupOf is the first group that a topic belongs to.
func groupOf(groups []connectorconfig.TopicGroup, topic string) (*connectorconfig.TopicGroup, error) {
	for i := range groups {
		if ok, err := groups[i].Matches(topic); err != nil {
			return nil, err
		} else if ok {
			return &groups[i], nil
		}
	}
	return nil, nil
}
