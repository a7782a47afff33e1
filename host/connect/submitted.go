package connect

import (
	"sync"
	"sync/atomic"

	"github.com/wasmstream/wasmstream/connectors/data"
)

// SubmittedRecords knows which records of a source are under way, and so up to where its offsets may be committed: the
// contiguous acknowledged prefix of each source partition (Kafka's SubmittedRecords). Records are submitted by one
// goroutine; acknowledgements come from any.
type SubmittedRecords struct {
	byAddress  map[*data.Map]*submissions // the map that a task shares between records of a partition
	partitions map[string]*submissions    // by canonical text
	acked      chan struct{}              // a token when the last one in flight was acknowledged
	inFlight   atomic.Int64
}

// submissions are the records of one source partition in the order of submission.
type submissions struct {
	partition *data.Map
	records   []*SubmittedRecord
	head      int
}

// SubmittedRecord is one record under way.
type SubmittedRecord struct {
	of     *SubmittedRecords
	queue  *submissions
	offset *data.Map
	done   atomic.Bool
	once   sync.Once
}

// NewSubmittedRecords makes an empty one.
func NewSubmittedRecords() *SubmittedRecords {
	return &SubmittedRecords{byAddress: map[*data.Map]*submissions{}, partitions: map[string]*submissions{}, acked: make(chan struct{}, 1)}
}

// maxAddresses bounds the short cut for tasks that make a new map for each record.
const maxAddresses = 1024

// Submit notes a record. Null partitions and offsets are a partition like any other.
func (s *SubmittedRecords) Submit(partition, offset *data.Map) *SubmittedRecord {
	q := s.byAddress[partition]
	if q == nil {
		text := mapText(partition)
		if q = s.partitions[text]; q == nil {
			q = &submissions{partition: partition}
			s.partitions[text] = q
		}
		if len(s.byAddress) >= maxAddresses {
			clear(s.byAddress)
		}
		s.byAddress[partition] = q
	}
	r := &SubmittedRecord{of: s, queue: q, offset: offset}
	q.records = append(q.records, r)
	s.inFlight.Add(1)
	return r
}

// Ack says that the record is safe, once. Any goroutine may call it.
func (r *SubmittedRecord) Ack() {
	r.once.Do(func() {
		r.done.Store(true)
		r.of.settle()
	})
}

// Drop takes a record back that was not sent after all; false if it was taken back before. It is for the submitting
// goroutine.
func (r *SubmittedRecord) Drop() bool {
	q := r.queue
	for i := len(q.records) - 1; i >= q.head; i-- {
		if q.records[i] == r {
			q.records = append(q.records[:i], q.records[i+1:]...)
			r.once.Do(func() { r.of.settle() })
			return true
		}
	}
	return false
}

func (s *SubmittedRecords) settle() {
	if s.inFlight.Add(-1) == 0 {
		select {
		case s.acked <- struct{}{}:
		default:
		}
	}
}

// InFlight is how many records are not acknowledged.
func (s *SubmittedRecords) InFlight() int64 { return s.inFlight.Load() }

// PartitionOffset is an offset of a source partition; both may be nil.
type PartitionOffset struct{ Partition, Offset *data.Map }

// Committable is what may be committed now.
type Committable struct {
	Offsets []PartitionOffset
	// Messages were acknowledged and are covered by Offsets; Waiting are not.
	Messages, Waiting int
	// Partitions have records that wait; the most wait in LargestPartition.
	Partitions, LargestSize int
	LargestPartition        *data.Map
}

// Committable takes what is acknowledged off and says what may be committed.
func (s *SubmittedRecords) Committable() Committable {
	var c Committable
	emptied := false
	for text, q := range s.partitions {
		start := q.head
		var last *SubmittedRecord
		for q.head < len(q.records) && q.records[q.head].done.Load() {
			last, q.records[q.head] = q.records[q.head], nil
			q.head++
		}
		if last != nil {
			c.Offsets = append(c.Offsets, PartitionOffset{q.partition, last.offset})
		}
		waiting := len(q.records) - q.head
		c.Messages += q.head - start
		c.Waiting += waiting
		if waiting > c.LargestSize {
			c.LargestSize, c.LargestPartition = waiting, q.partition
		}
		if waiting == 0 {
			delete(s.partitions, text)
			emptied = true
		} else if q.head > len(q.records)/2 {
			q.records, q.head = append(q.records[:0], q.records[q.head:]...), 0
		}
	}
	if emptied {
		clear(s.byAddress)
	}
	c.Partitions = len(s.partitions)
	return c
}
