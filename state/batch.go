package state

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"
)

// Batch is one commit: what the stores of a thread wrote in a transaction, the changelog offsets that this corresponds
// to, input offsets and commit times. All of it is found after a crash, or none. Batches are found in the order of
// their commits; the last ones may be missing, since a commit does not wait for the disk: the changelog has them.
//
// A Batch belongs to one goroutine. After Commit it is empty and can be filled again.
type Batch struct {
	db      *DB
	pebble  *pebble.Batch // made by the first write, and filled again after a commit
	staged  []*KeyValueBytes
	offsets []batchOffset
	inputs  []batchInputs
	times   []batchTime
}

type batchOffset struct {
	id     StoreID
	offset int64
}

type batchInputs struct {
	task    string
	offsets map[TopicPartition]int64
}

type batchTime struct {
	task string
	ms   int64
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{db: db} }

// pebbleBatch is nil if the database is in memory.
func (b *Batch) pebbleBatch() *pebble.Batch {
	if b.pebble == nil && b.db.pebble != nil {
		// A batch of half a table in memory goes beside the tables, and its bytes with it.
		b.pebble = b.db.pebble.NewBatch(pebble.WithMaxRetainedSizeBytes(int(b.db.opts.MemTableBytes / 2)))
	}
	return b.pebble
}

// SetOffset sets the changelog offset of an open store: the offset of the next record to restore.
func (b *Batch) SetOffset(id StoreID, offset int64) {
	b.offsets = append(b.offsets, batchOffset{id, offset})
}

// SetInputOffsets sets the input offsets that task has committed, for its stores without a changelog. The map is
// copied.
func (b *Batch) SetInputOffsets(task string, offsets map[TopicPartition]int64) {
	b.inputs = append(b.inputs, batchInputs{task, maps.Clone(offsets)})
}

// SetCommitTime sets when task committed, in milliseconds.
func (b *Batch) SetCommitTime(task string, ms int64) {
	b.times = append(b.times, batchTime{task, ms})
}

// Commit makes the batch final. When it returns an error, nothing of it is visible and the database may be beyond use.
func (b *Batch) Commit() error {
	numbers, err := b.lookup()
	if err == nil {
		err = b.write(numbers)
	}
	if err != nil {
		b.Close()
		return fmt.Errorf("committing state: %w", err)
	}
	for _, s := range b.staged {
		s.committed()
	}
	b.publish()
	b.clear()
	if b.pebble != nil {
		b.pebble.Reset()
	}
	return nil
}

// lookup finds the stores whose offsets are set: their number, or 0 for one in memory.
func (b *Batch) lookup() ([]uint32, error) {
	var numbers []uint32
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	for _, o := range b.offsets {
		s := b.db.mu.open[o.id]
		if s == nil {
			return nil, fmt.Errorf("setting the offset of store %q: it is not open", o.id)
		}
		numbers = append(numbers, s.number)
	}
	return numbers, nil
}

func (b *Batch) write(numbers []uint32) error {
	if b.db.pebble == nil {
		return nil
	}
	var faults []error
	pb := b.pebbleBatch()
	for i, o := range b.offsets {
		if numbers[i] != 0 {
			faults = append(faults, pb.Set(offsetKey(numbers[i]), int64Bytes(o.offset), nil))
		}
	}
	for _, in := range b.inputs {
		faults = append(faults, pb.Set(metaKey(kindInputOffset, in.task), appendInputOffsets(nil, in.offsets), nil))
	}
	for _, t := range b.times {
		faults = append(faults, pb.Set(metaKey(kindCommitTime, t.task), int64Bytes(t.ms), nil))
	}
	if err := errors.Join(faults...); err != nil || pb.Empty() {
		return err
	}
	err := b.db.guard(func() error { return pb.Commit(pebble.NoSync) })
	if b.db.failure() != nil {
		b.pebble = nil // the failed commit still holds it
	}
	return b.db.wrap("writing a batch", err)
}

// publish makes the new offsets visible to readers.
func (b *Batch) publish() {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	c := b.db.mu.catalog
	for _, o := range b.offsets {
		if s := b.db.mu.open[o.id]; s.volatile {
			s.offset = o.offset
		} else {
			st := c.stores[o.id]
			st.offset, st.hasOffset = o.offset, true
		}
	}
	for _, in := range b.inputs {
		c.addTask(in.task).inputs = in.offsets
	}
	for _, t := range b.times {
		ct := c.addTask(t.task)
		ct.commitTime, ct.hasCommitTime = t.ms, true
	}
}

// Close empties the batch without committing it; staged stores keep their writes uncommitted.
func (b *Batch) Close() {
	for _, s := range b.staged {
		s.staged = false
	}
	b.clear()
	if b.pebble != nil {
		_ = b.pebble.Close() // returns memory only
		b.pebble = nil
	}
}

// clear forgets what the batch was to write, but for the bytes of it.
func (b *Batch) clear() {
	clear(b.staged)
	b.staged, b.offsets, b.inputs, b.times = b.staged[:0], b.offsets[:0], b.inputs[:0], b.times[:0]
}
