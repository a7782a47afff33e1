package stream

import (
	"maps"

	"github.com/wasmstream/wasmstream/topology"
)

// Position tells how much input is in a state: the offset of the last record, by topic and partition (KIP-796's
// Position). As a bound it asks for that much at least.
type Position map[string]map[int32]int64

// With is the position with the offset of a partition raised to offset. p does not change.
func (p Position) With(topic string, partition int32, offset int64) Position {
	next := maps.Clone(p)
	if next == nil {
		next = make(Position)
	}
	partitions := maps.Clone(next[topic])
	if partitions == nil {
		partitions = make(map[int32]int64)
	}
	if before, ok := partitions[partition]; !ok || before < offset {
		partitions[partition] = offset
	}
	next[topic] = partitions
	return next
}

// Merge is the position with all that is in other. p does not change.
func (p Position) Merge(other Position) Position {
	for topic, partitions := range other {
		for partition, offset := range partitions {
			p = p.With(topic, partition, offset)
		}
	}
	return p
}

// reaches tells whether p has all of bound that concerns one of the partitions that p could have: those with the number
// partition, since a task reads that one of each of its topics.
func (p Position) reaches(bound Position, partition int32) bool {
	for topic, offsets := range bound {
		want, ok := offsets[partition]
		if !ok {
			continue
		}
		if have, ok := p[topic][partition]; !ok || have < want {
			return false
		}
	}
	return true
}

// positionOf is what has been committed of a task's input.
func positionOf(committed map[topology.TopicPartition]committedOffset) Position {
	p := make(Position)
	for tp, o := range committed {
		if o.offset <= 0 {
			continue
		}
		if p[tp.Topic] == nil {
			p[tp.Topic] = make(map[int32]int64)
		}
		p[tp.Topic][tp.Partition] = o.offset - 1
	}
	return p
}
