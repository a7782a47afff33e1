package stream

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// slabSize is the number of records that are allocated together and used again when all of them are acknowledged.
const slabSize = 512

// freeSlabs bounds the slabs kept for use. One more than the producer's buffer can fill at the default of its bounds.
const freeSlabs = 64

// stickyBytes is how much goes to one partition of a topic before records without a key move on to the next: Kafka's
// default batch.size, which is what its producer switches after.
const stickyBytes = 16384

// outRecord is a record on its way to the broker. It is its own kgo.Record.Context, so that one promise function
// shared by all records finds the rest: kgo uses that field for nothing else when a context is passed to Produce.
type outRecord struct {
	kgo.Record
	to   *outPartition
	slab *recordSlab
}

// Deadline, Done, Err and Value make outRecord a context without deadline or values.
func (*outRecord) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*outRecord) Done() <-chan struct{}       { return nil }
func (*outRecord) Err() error                  { return nil }
func (*outRecord) Value(any) any               { return nil }

// recordSlab is memory for many records. The thread fills it, the promises count down, the last one gives it back.
type recordSlab struct {
	records [slabSize]outRecord
	used    int          // by the thread
	acked   atomic.Int32 // by the producer's promises
}

// outTopic is a topic that records were sent to.
type outTopic struct {
	name       string
	partitions []*outPartition
	sticky     int32 // of records without a key
	stickyLeft int
	records    int64 // since the last commit
	bytes      int64
	metrics    *topicMetrics
}

// outPartition is a partition that records were sent to. offset is that of the last acknowledged record, written by
// the producer's goroutine and read by the thread after a flush.
type outPartition struct {
	topic     string
	partition int32
	offset    atomic.Int64
}

// RecordCollector hands the records of a thread's tasks to its producer: it picks the partition, counts, remembers the
// offsets of changelogs, and holds the first error until the thread looks. It belongs to the thread's goroutine;
// promises run on the producer's and touch only atomics.
//
// Nothing is allocated for a record: they lie in slabs, and their bytes are those of the topology's records.
type RecordCollector struct {
	client     *kgo.Client
	partitions func(topic string) int32 // 0: unknown
	maxRecord  int                      // bytes of a batch of one record that the producer takes; 0 is no bound
	refusals   *refusals                // nil: what the broker refuses ends the task
	grouped    int                      // suspects since the last flush
	metrics    *threadMetrics
	ctx        context.Context
	promise    func(*kgo.Record, error)

	topics map[string]*outTopic
	last   *outTopic
	slab   *recordSlab
	free   chan *recordSlab
	sent   int64 // since the last reset

	failed atomic.Pointer[sendFailure]
}

type sendFailure struct{ err error }

// newRecordCollector makes a collector over a producer's client. partitions gives the partition count of a topic.
// ctx ends waits for space in the producer's buffer.
func newRecordCollector(ctx context.Context, client *kgo.Client, partitions func(string) int32, metrics *threadMetrics) *RecordCollector {
	c := &RecordCollector{
		client: client, partitions: partitions, metrics: metrics, ctx: ctx,
		topics: make(map[string]*outTopic), free: make(chan *recordSlab, freeSlabs),
	}
	c.promise = c.acknowledged
	return c
}

// Send implements Collector.
func (c *RecordCollector) Send(topic string, partition int32, rec *topology.Record) error {
	t := c.last
	if t == nil || t.name != topic {
		var err error
		if t, err = c.topic(topic); err != nil {
			return err
		}
		c.last = t
	}
	if f := c.failed.Load(); f != nil {
		return f.err
	}
	if rec.Timestamp < 0 {
		return errs.RecordProduction.New(topic, fmt.Sprintf("a record with the timestamp %d cannot be written", rec.Timestamp), "give the record a timestamp of 0 or later")
	}
	if n := batchSize(rec); c.maxRecord > 0 && n > c.maxRecord {
		return errs.RecordTooLarge.New(topic, fmt.Sprintf("a record of %d bytes is larger than max.request.size allows (%d)", n, c.maxRecord), "")
	}
	if err := c.judge(topic, rec); err != nil {
		return err
	}
	size := len(rec.Key) + len(rec.Value)
	if partition < 0 {
		partition = t.partitionOf(rec.Key, size)
	} else if int(partition) >= len(t.partitions) {
		return errs.TopicPartitions.New(topic, fmt.Sprintf("a record goes to partition %d of %d", partition, len(t.partitions)), "")
	}
	c.produce(t.partitions[partition], rec)
	c.sent++
	t.records++
	t.bytes += int64(size)
	return nil
}

// Partitions is how many partitions a topic has.
func (c *RecordCollector) Partitions(topic string) (int32, error) {
	t, err := c.topic(topic)
	if err != nil {
		return 0, err
	}
	return int32(len(t.partitions)), nil
}

func (c *RecordCollector) produce(to *outPartition, rec *topology.Record) {
	out := c.next()
	out.to = to
	out.Record = kgo.Record{
		Key: rec.Key, Value: rec.Value, Headers: asRecordHeaders(rec.Headers),
		Timestamp: time.UnixMilli(rec.Timestamp), Topic: to.topic, Partition: to.partition, Context: out,
	}
	c.client.Produce(c.ctx, &out.Record, c.promise)
}

// asRecordHeaders reads headers in the producer's type. Both structs have the same fields in the same order, which the
// conversion in sameHeader holds, so the memory is shared instead of copied.
func asRecordHeaders(h []topology.Header) []kgo.RecordHeader {
	if len(h) == 0 {
		return nil
	}
	return unsafe.Slice((*kgo.RecordHeader)(unsafe.Pointer(unsafe.SliceData(h))), len(h))
}

// sameHeader does not compile unless both header types have the same fields.
var sameHeader = func(h topology.Header) kgo.RecordHeader { return kgo.RecordHeader(h) }

var _ = sameHeader

func (t *outTopic) partitionOf(key []byte, size int) int32 {
	n := int32(len(t.partitions))
	if key != nil {
		return topology.PartitionForKey(key, n)
	}
	if t.stickyLeft <= 0 {
		t.sticky = (t.sticky + 1) % n
		t.stickyLeft = stickyBytes
	}
	t.stickyLeft -= size + 1
	return t.sticky
}

func (c *RecordCollector) topic(name string) (*outTopic, error) {
	if t := c.topics[name]; t != nil {
		return t, nil
	}
	n := c.partitions(name)
	if n <= 0 {
		return nil, errs.TopicMissing.New(name, "a record cannot be written: the topic does not exist", "create it: wasmstream topic create "+name+" --partitions 1 --replication-factor 1")
	}
	t := &outTopic{name: name, sticky: -1, metrics: c.metrics.topic(name)}
	for p := range n {
		out := &outPartition{topic: name, partition: p}
		out.offset.Store(-1)
		t.partitions = append(t.partitions, out)
	}
	c.topics[name] = t
	return t, nil
}

func (c *RecordCollector) next() *outRecord {
	if c.slab == nil || c.slab.used == slabSize {
		c.slab = c.takeSlab()
	}
	out := &c.slab.records[c.slab.used]
	c.slab.used++
	return out
}

func (c *RecordCollector) takeSlab() *recordSlab {
	select {
	case s := <-c.free:
		s.used = 0
		s.acked.Store(0)
		return s
	default:
	}
	s := new(recordSlab)
	for i := range s.records {
		s.records[i].slab = s
	}
	return s
}

// acknowledged is the promise of every record. After it kgo does not touch the record any more.
func (c *RecordCollector) acknowledged(r *kgo.Record, err error) {
	out := r.Context.(*outRecord)
	switch {
	case err != nil:
		c.fail(r, err)
	case r.Offset > out.to.offset.Load():
		out.to.offset.Store(r.Offset)
	}
	out.Record.Key, out.Record.Value, out.Headers = nil, nil, nil // the slab must not keep the bytes alive
	if out.slab.acked.Add(1) == slabSize {
		select {
		case c.free <- out.slab:
		default:
		}
	}
}

// fail notes that a record was not written. One that the broker refuses is looked for in another session.
func (c *RecordCollector) fail(r *kgo.Record, err error) {
	fault := produceError(r, err)
	if c.refusals != nil && isRefusal(err) {
		c.refusals.refuse(r, fault)
		fault = &TaskCorruptedError{Cause: fmt.Errorf("finding the record that the broker refuses: %w", fault)}
	}
	c.failed.CompareAndSwap(nil, &sendFailure{fault})
}

// flush waits until everything sent is acknowledged, and returns the first error since the last reset.
func (c *RecordCollector) flush(ctx context.Context) error {
	if c.sent == 0 {
		return c.err()
	}
	if err := c.client.Flush(ctx); err != nil {
		return commitError("flushing the producer", err)
	}
	return c.err()
}

func (c *RecordCollector) err() error {
	if f := c.failed.Load(); f != nil {
		return f.err
	}
	return nil
}

// batchSize is the size of a record in a batch of its own, uncompressed.
func batchSize(rec *topology.Record) int {
	const overhead = 65 + 3 // the batch with its length; attributes and deltas of the record
	n := 1 + uvarintSize(len(rec.Key)) + len(rec.Key) + uvarintSize(len(rec.Value)) + len(rec.Value)
	for i := range rec.Headers {
		h := &rec.Headers[i]
		n += uvarintSize(len(h.Key)) + len(h.Key) + uvarintSize(len(h.Value)) + len(h.Value)
	}
	return overhead + uvarintSize(n) + n
}

// uvarintSize is the size of a length as Kafka writes it, in zigzag.
func uvarintSize(n int) (size int) {
	for n <<= 1; n >= 0x80; n >>= 7 {
		size++
	}
	return size + 1
}

// committed starts the next transaction's count and brings the metrics up to date.
func (c *RecordCollector) committed() {
	c.sent = 0
	for _, t := range c.topics {
		t.metrics.records.Add(t.records)
		t.metrics.bytes.Add(t.bytes)
		t.records, t.bytes = 0, 0
	}
}

// offset is that of the last acknowledged record of a partition in this session of the thread, or -1.
func (c *RecordCollector) offset(tp topology.TopicPartition) int64 {
	if t := c.topics[tp.Topic]; t != nil && int(tp.Partition) < len(t.partitions) {
		return t.partitions[tp.Partition].offset.Load()
	}
	return -1
}
