package stream

import (
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// unknownTime is a time of which nothing is known yet.
const unknownTime int64 = -1

// RecordQueue holds the records of one source partition that wait to be processed. Only the head is deserialised and
// has a timestamp; it is made as soon as the record before it is taken, as in Kafka, so a record that cannot be read
// stops the task before the record ahead of it is processed.
type RecordQueue struct {
	origin     *topology.TopicPartition // shared by the records of the partition
	source     *node
	key, value topology.Serde // nil takes the bytes as they are
	extractor  TimestampExtractor
	skip       bool                   // records that cannot be read are skipped
	headers    *slab[topology.Header] // of the task

	batches [][]*kgo.Record // as fetched; batches[0][at] comes after the head
	at      int
	records int   // the head included
	bytes   int64 // the head included

	hasHead  bool
	head     topology.Record
	headRaw  *kgo.Record
	headSize int64
	taken    *kgo.Record // behind the record that was taken last

	partitionTime int64 // the largest timestamp taken
	position      int64 // offset of the first record that is neither taken nor skipped; -1 before the first
	leaderEpoch   int32 // of the record behind position
	fetched       int64 // offset after the last record added
	end           int64 // end of the partition as last heard, -1 unknown
	idleUntil     int64 // the deadline of max.task.idle.ms, -1 none
	moved         bool  // position has changed since the last commit
}

// newRecordQueue makes the queue of a partition that source reads.
func newRecordQueue(tp topology.TopicPartition, source *node, c *TaskConfig) (*RecordQueue, error) {
	q := &RecordQueue{
		origin: &tp, source: source, extractor: c.TimestampExtractor, skip: c.Deserialization == LogAndContinue,
		partitionTime: unknownTime, position: -1, leaderEpoch: -1, fetched: -1, end: -1, idleUntil: -1,
	}
	q.key, q.value = serdeOf(source.spec.KeySerde, c.KeySerde), serdeOf(source.spec.ValueSerde, c.ValueSerde)
	if name := source.spec.TimestampExtractor; name != "" {
		var err error
		if q.extractor, err = ParseTimestampExtractor(name); err != nil {
			return nil, fmt.Errorf("source %s: %w", source.spec.Name, err)
		}
	}
	return q, nil
}

// serdeOf is the serde of a source, or nil if every byte sequence is a value of it.
func serdeOf(own, fallback topology.Serde) topology.Serde {
	if own == nil {
		own = fallback
	}
	if own != nil && own.Name() == "bytes" {
		return nil
	}
	return own
}

// add appends fetched records, which the queue keeps.
func (q *RecordQueue) add(recs []*kgo.Record) {
	if len(recs) == 0 {
		return
	}
	for _, r := range recs {
		q.bytes += recordSize(r)
	}
	q.records += len(recs)
	q.batches = append(q.batches, recs)
	q.fetched = recs[len(recs)-1].Offset + 1
	if q.position < 0 {
		q.position, q.leaderEpoch = recs[0].Offset, recs[0].LeaderEpoch
	}
}

// recordSize is what a record counts for in the bound on bytes: its parts and Kafka's fixed ones.
func recordSize(r *kgo.Record) int64 {
	const fixed = 8 + 8 + 4 // timestamp, offset, partition
	n := fixed + len(r.Topic) + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return int64(n)
}

// take returns the head and makes the next record the head. If that fails, the head was not taken: it must not be
// processed, and the queue ends there.
func (q *RecordQueue) take(rec *topology.Record, now int64) error {
	*rec = q.head
	q.taken, q.headRaw = q.headRaw, nil
	q.partitionTime = max(q.partitionTime, rec.Timestamp)
	q.records--
	q.bytes -= q.headSize
	q.hasHead, q.moved = false, true
	if err := q.advance(now); err != nil {
		q.position = rec.Offset
		return err
	}
	return nil
}

// advance makes the next readable record the head, if there is none. Records that are skipped move the position.
func (q *RecordQueue) advance(now int64) error {
	for !q.hasHead {
		raw := q.next()
		if raw == nil {
			if q.fetched > q.position {
				q.position = q.fetched
			}
			return nil
		}
		size := recordSize(raw)
		ok, err := q.read(raw, now)
		if err != nil {
			q.position, q.leaderEpoch = raw.Offset, raw.LeaderEpoch
			return err
		}
		if ok {
			q.hasHead, q.headSize, q.headRaw = true, size, raw
			q.position, q.leaderEpoch = raw.Offset, raw.LeaderEpoch
			return nil
		}
		q.records--
		q.bytes -= size
		q.position, q.leaderEpoch, q.moved = raw.Offset+1, raw.LeaderEpoch, true
	}
	return nil
}

// next takes the next raw record out of the batches.
func (q *RecordQueue) next() *kgo.Record {
	if len(q.batches) == 0 {
		return nil
	}
	batch := q.batches[0]
	raw := batch[q.at]
	batch[q.at] = nil // so that a record's memory goes with the record, not with its batch
	if q.at++; q.at == len(batch) {
		q.batches[0] = nil
		q.batches, q.at = q.batches[1:], 0
	}
	return raw
}

// read makes raw the head, or tells that it is to be skipped.
func (q *RecordQueue) read(raw *kgo.Record, now int64) (ok bool, err error) {
	if raw.Attrs.IsControl() {
		return false, nil
	}
	h := &q.head
	h.Key, h.Value = raw.Key, raw.Value
	if q.source.keyForm != nil || q.source.valueForm != nil {
		if read, err := q.deform(h, raw); err != nil {
			return false, q.unreadable(raw, err)
		} else if !read {
			return false, nil
		}
	}
	if q.key != nil || q.value != nil {
		if err := q.deserialize(h); err != nil {
			return false, q.unreadable(raw, err)
		}
	}
	if q.source.timestamps != nil {
		h.Timestamp, err = q.extracted(h, raw)
	} else {
		h.Timestamp, err = q.timestamp(raw, now)
	}
	if err != nil {
		return false, err
	}
	if h.Timestamp < 0 {
		q.source.drop(1, "negative-timestamp", nil)
		return false, nil
	}
	h.Headers = q.headersOf(raw)
	h.StreamTime, h.Offset, h.Origin, h.Index, h.Dest = unknownTime, raw.Offset, q.origin, 0, topology.AllChildren
	return true, nil
}

func (q *RecordQueue) deserialize(h *topology.Record) (err error) {
	if q.key != nil {
		if h.Key, err = q.key.Deserialize(h.Key); err != nil {
			return fmt.Errorf("key as %s: %w", q.key.Name(), err)
		}
	}
	if q.value != nil {
		if h.Value, err = q.value.Deserialize(h.Value); err != nil {
			return fmt.Errorf("value as %s: %w", q.value.Name(), err)
		}
	}
	return nil
}

// unreadable is the error for a record that cannot be deserialised, or nil if it is to be skipped. Whatever the handler
// says, it goes to the dead-letter topic, if there is one.
func (q *RecordQueue) unreadable(raw *kgo.Record, err error) error {
	coded := errs.RecordDeserialization.New(q.where(raw), "source "+q.source.spec.Name+" cannot read the "+err.Error(), "")
	rec := topology.Record{
		Key: raw.Key, Value: raw.Value, Headers: q.headersOf(raw), Timestamp: raw.Timestamp.UnixMilli(), Offset: raw.Offset, Origin: q.origin,
	}
	if err := q.source.deadLetter(&rec, coded); err != nil {
		return errors.Join(coded, err)
	}
	if q.skip {
		q.source.drop(1, "deserialization", coded)
		return nil
	}
	return coded
}

func (q *RecordQueue) headersOf(raw *kgo.Record) []topology.Header {
	if len(raw.Headers) == 0 {
		return nil
	}
	headers := q.headers.take(len(raw.Headers))
	for i := range raw.Headers {
		headers[i] = topology.Header(raw.Headers[i])
	}
	return headers
}

func (q *RecordQueue) where(raw *kgo.Record) string {
	return fmt.Sprintf("%s-%d@%d", raw.Topic, raw.Partition, raw.Offset)
}

// timestamp is what the extractor gives for raw. A negative one means that the record is skipped.
func (q *RecordQueue) timestamp(raw *kgo.Record, now int64) (int64, error) {
	if q.extractor == WallclockTimestampExtractor {
		return now, nil
	}
	ts := raw.Timestamp.UnixMilli()
	if ts >= 0 {
		return ts, nil
	}
	switch q.extractor {
	case LogAndSkipOnInvalidTimestamp:
		return ts, nil
	case UsePartitionTimeOnInvalidTimestamp:
		if q.partitionTime >= 0 {
			return q.partitionTime, nil
		}
		return 0, errs.RecordTimestamp.New(q.where(raw), fmt.Sprintf("timestamp %d, and the partition has no time yet to use instead", ts), "")
	}
	return 0, errs.RecordTimestamp.New(q.where(raw), fmt.Sprintf("timestamp %d", ts), "")
}

// lag is how many records are known to be on the broker and not here, or math.MaxInt64 if nothing is known.
func (q *RecordQueue) lag() int64 {
	if q.end < 0 {
		return math.MaxInt64
	}
	return max(q.end-max(q.fetched, q.position), 0)
}

// slab hands out slices of T from large chunks that are never used again.
type slab[T any] struct{ free []T }

func (s *slab[T]) take(n int) []T {
	const chunk = 512
	if n > chunk/4 {
		return make([]T, n)
	}
	if n > len(s.free) {
		s.free = make([]T, chunk)
	}
	part := s.free[:n:n]
	s.free = s.free[n:]
	return part
}
