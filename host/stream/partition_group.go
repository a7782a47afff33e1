package stream

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/topology"
)

// PartitionGroup merges the source partitions of a task by time: the next record is that with the lowest timestamp
// among the heads of the queues that are not empty. It knows stream time, the largest timestamp taken.
type PartitionGroup struct {
	queues      []*RecordQueue
	byPartition map[topology.TopicPartition]*RecordQueue
	byTime      queueHeap // the queues that have a head
	streamTime  int64
	maxIdle     int64 // ms; -1 never waits
	maxRecords  int
	maxBytes    int64
	failed      error // a head could not be read: nothing more comes
	lateness    func(ms int64)
	raws        []*kgo.Record // behind the records of the last run
}

// newPartitionGroup makes the group of queues; the order of queues decides between equal timestamps at the start.
func newPartitionGroup(queues []*RecordQueue, c *TaskConfig) *PartitionGroup {
	g := &PartitionGroup{
		queues: queues, byPartition: make(map[topology.TopicPartition]*RecordQueue, len(queues)), streamTime: unknownTime,
		maxIdle: c.MaxTaskIdle.Milliseconds(), maxRecords: c.BufferedRecords, maxBytes: c.BufferedBytes,
	}
	for _, q := range queues {
		g.byPartition[*q.origin] = q
	}
	return g
}

// add appends fetched records to their queue. An unreadable head is noted and comes out of nextRun.
func (g *PartitionGroup) add(q *RecordQueue, recs []*kgo.Record, now int64) {
	q.add(recs)
	if q.hasHead || g.failed != nil {
		return
	}
	if g.failed = q.advance(now); g.failed == nil && q.hasHead {
		g.byTime.push(q)
	}
}

// restoreTime takes up the partition time that was committed; stream time goes on from the largest.
func (g *PartitionGroup) restoreTime(q *RecordQueue, partitionTime int64) {
	q.partitionTime = max(q.partitionTime, partitionTime)
	g.streamTime = max(g.streamTime, partitionTime)
}

// ready tells whether a record may be taken now. While a partition has no record here, its next one might be older
// than all others: it is waited for as long as the broker is known to have one, or nothing is known, and for maxIdle
// beyond that.
func (g *PartitionGroup) ready(now int64) bool {
	if g.failed != nil {
		return true // the error is to come out
	}
	if len(g.byTime) == 0 {
		return false
	}
	if g.maxIdle < 0 || len(g.byTime) == len(g.queues) {
		return true
	}
	for _, q := range g.queues {
		if !g.mayPass(q, now) {
			return false
		}
	}
	return true
}

// mayPass tells whether records of other partitions may be processed although q might get older ones.
func (g *PartitionGroup) mayPass(q *RecordQueue, now int64) bool {
	if q.hasHead || q.lag() > 0 {
		q.idleUntil = -1
		return q.hasHead
	}
	if q.idleUntil < 0 || q.idleUntil > now+g.maxIdle { // the clock was set back
		q.idleUntil = now + g.maxIdle
	}
	return now >= q.idleUntil
}

// runLimits end a run of records.
type runLimits struct {
	records int
	bytes   int64
	due     int64 // the run ends with the record that brings stream time here
}

// nextRun appends a run to dst: the records that the lowest-timestamp rule takes one after the other from one
// partition. Each has its exact stream time. An error comes alone, when the records before it have been given.
func (g *PartitionGroup) nextRun(dst []topology.Record, now int64, limit runLimits) ([]topology.Record, *RecordQueue, error) {
	if g.failed != nil || len(g.byTime) == 0 {
		return dst, nil, g.failed
	}
	q := g.byTime[0]
	g.raws = g.raws[:0]
	for size := int64(0); ; {
		size += q.headSize
		g.byTime.pop()
		dst = slices.Grow(dst, 1)[:len(dst)+1] // take overwrites all of it
		rec := &dst[len(dst)-1]
		if g.failed = q.take(rec, now); g.failed != nil {
			return g.cutBack(dst[:len(dst)-1], q)
		}
		g.raws = append(g.raws, q.taken)
		if q.hasHead {
			g.byTime.push(q)
		}
		g.advanceTime(rec)
		if !q.hasHead || g.byTime[0] != q || len(dst) >= limit.records || size+q.headSize > limit.bytes || g.streamTime >= limit.due {
			return dst, q, nil
		}
	}
}

// cutBack ends a run before a record that must not be processed.
func (g *PartitionGroup) cutBack(dst []topology.Record, q *RecordQueue) ([]topology.Record, *RecordQueue, error) {
	if len(dst) > 0 {
		return dst, q, nil
	}
	return dst, nil, g.failed
}

// source is the record as it was fetched behind a record of the run that nextRun gave last, or nil.
func (g *PartitionGroup) source(rec *topology.Record) *kgo.Record {
	if len(g.raws) == 0 || rec.Origin == nil || g.raws[0].Topic != rec.Origin.Topic || g.raws[0].Partition != rec.Origin.Partition {
		return nil
	}
	i, found := slices.BinarySearchFunc(g.raws, rec.Offset, func(r *kgo.Record, offset int64) int { return cmp.Compare(r.Offset, offset) })
	if !found {
		return nil
	}
	return g.raws[i]
}

func (g *PartitionGroup) advanceTime(rec *topology.Record) {
	if g.lateness != nil {
		g.lateness(max(g.streamTime-rec.Timestamp, 0))
	}
	g.streamTime = max(g.streamTime, rec.Timestamp)
	rec.StreamTime = g.streamTime
}

// isFull tells whether the partition is to be paused: beyond its bound in records (of which the bytes do not matter)
// or in bytes.
func (g *PartitionGroup) isFull(q *RecordQueue) bool {
	return q.records > g.maxRecords || q.bytes > g.maxBytes
}

// queueHeap orders queues by the timestamp of their heads. It is java.util.PriorityQueue step by step, so that equal
// timestamps come in the same order as in Kafka Streams.
type queueHeap []*RecordQueue

func (h *queueHeap) push(q *RecordQueue) {
	*h = append(*h, q)
	s := *h
	k := len(s) - 1
	for k > 0 {
		parent := (k - 1) / 2
		if q.head.Timestamp >= s[parent].head.Timestamp {
			break
		}
		s[k] = s[parent]
		k = parent
	}
	s[k] = q
}

// pop removes the first queue.
func (h *queueHeap) pop() {
	s := *h
	n := len(s) - 1
	x := s[n]
	s[n] = nil
	*h = s[:n]
	if n == 0 {
		return
	}
	k := 0
	for k < n/2 {
		child := 2*k + 1
		if right := child + 1; right < n && s[child].head.Timestamp > s[right].head.Timestamp {
			child = right
		}
		if x.head.Timestamp <= s[child].head.Timestamp {
			break
		}
		s[k] = s[child]
		k = child
	}
	s[k] = x
}
