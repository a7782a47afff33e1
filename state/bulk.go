package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// bulkIngest is from how many bytes on restored records become a table of their own.
	bulkIngest = 4 << 20
	// bulkPrefix begins the names of tables that are being written.
	bulkPrefix = "restore-"
)

// bulk collects the records of a restore until there are so many that sorting them and writing a table costs less than
// taking each to its place: a record then is copied once, sorted with its chunk, and written once. Whatever else is asked
// of the store has the chunk written first, so the store is never seen without what was restored.
type bulk struct {
	pool   *bulkPool
	chunks [][]byte // the last is being filled
	items  []bulkItem
	bytes  int
	next   int64 // the changelog offset after the records
	seen   byte  // of what was touched, so that the compiler leaves it in
}

// bulkItem is one write, at a place in the chunks.
type bulkItem struct {
	order      uint64 // the first bytes of the key after those that all keys share
	chunk      uint32
	at         uint32
	key, value uint32 // lengths; the value is deleted if it is bulkDeleted
}

const (
	bulkDeleted = 1<<32 - 1
	chunkBytes  = 1 << 20
	// firstChunkBytes is the first chunk's, which is all that a standby needs between two of its checkpoints.
	firstChunkBytes = 16 << 10
)

// room returns a chunk with n bytes free, the last one.
func (b *bulk) room(n int) []byte {
	last := len(b.chunks) - 1
	if last >= 0 {
		if c := b.chunks[last]; cap(c)-len(c) >= n {
			return c
		}
	}
	var c []byte
	switch {
	case last < 0 && n <= firstChunkBytes:
		c = make([]byte, 0, firstChunkBytes)
	case n <= chunkBytes:
		c = b.pool.chunk()
	default:
		c = make([]byte, 0, n)
	}
	b.chunks = append(b.chunks, c)
	return c
}

// set notes keyHead|key -> head|tail, or its deletion if tail is nil.
func (b *bulk) set(prefix, keyHead, key, head, tail []byte) {
	i := bulkItem{key: uint32(len(prefix) + len(keyHead) + len(key)), value: bulkDeleted}
	size := int(i.key)
	if tail != nil {
		i.value = uint32(len(head) + len(tail))
		size += int(i.value)
	}
	c := b.room(size)
	i.chunk, i.at = uint32(len(b.chunks)-1), uint32(len(c))
	c = append(append(append(c, prefix...), keyHead...), key...)
	if tail != nil {
		c = append(append(c, head...), tail...)
	}
	b.chunks[i.chunk] = c
	if len(b.items) == cap(b.items) {
		b.items = b.pool.grow(b.items)
	}
	b.items = append(b.items, i)
	b.bytes += size
}

func (b *bulk) keyOf(i *bulkItem) []byte { return b.chunks[i.chunk][i.at : i.at+i.key] }

// valueOf is nil for a deletion.
func (b *bulk) valueOf(i *bulkItem) []byte {
	if i.value == bulkDeleted {
		return nil
	}
	at := i.at + i.key
	return b.chunks[i.chunk][at : at+i.value : at+i.value]
}

const (
	touchAhead = 16 // items
	cacheLine  = 64
)

// touch reads from every cache line of items that come next. In the order of their keys they lie anywhere in the chunks, and
// the processor waits for each line that it has not got: for all of these together, since nothing hangs on one of them.
func (b *bulk) touch(items []bulkItem) {
	for n := range items {
		i := &items[n]
		size := i.key
		if i.value != bulkDeleted {
			size += i.value
		}
		chunk := b.chunks[i.chunk]
		for at := i.at; at < i.at+size; at += cacheLine {
			b.seen ^= chunk[at]
		}
	}
}

// sort brings the items into the order of their keys, of equal keys in that of time, and keeps the last of equal ones.
func (b *bulk) sort() {
	shared := b.shared()
	for n := range b.items {
		var first [8]byte
		copy(first[:], b.keyOf(&b.items[n])[shared:])
		b.items[n].order = binary.BigEndian.Uint64(first[:])
	}
	spare := b.pool.array(len(b.items))
	if spare == nil {
		spare = make([]bulkItem, len(b.items))
	}
	b.items, spare = radixSort(b.items, spare)
	b.pool.giveArray(spare)
	b.sortEqual()
	kept := b.items[:0]
	for n := range b.items {
		i := b.items[n]
		if last := len(kept) - 1; last >= 0 && kept[last].order == i.order && bytes.Equal(b.keyOf(&kept[last]), b.keyOf(&i)) {
			kept[last] = i
		} else {
			kept = append(kept, i)
		}
	}
	b.items = kept
}

// radixSort sorts items by order and leaves equal ones as they are; spare is memory for as many. It returns both.
func radixSort(items, spare []bulkItem) (sorted, other []bulkItem) {
	var counts [8][256]uint32
	for n := range items {
		for d, o := 0, items[n].order; d < 8; d, o = d+1, o>>8 {
			counts[d][byte(o)]++
		}
	}
	spare = spare[:len(items)]
	for d := range counts {
		count := &counts[d]
		if len(items) == 0 || count[byte(items[0].order>>(8*d))] == uint32(len(items)) {
			continue // all have the same digit
		}
		at := uint32(0)
		for i := range count {
			at, count[i] = at+count[i], at
		}
		for n := range items {
			digit := byte(items[n].order >> (8 * d))
			spare[count[digit]] = items[n]
			count[digit]++
		}
		items, spare = spare, items
	}
	return items, spare
}

// sortEqual sorts the items whose keys are alike as far as order tells.
func (b *bulk) sortEqual() {
	for from := 0; from < len(b.items); {
		to := from + 1
		for to < len(b.items) && b.items[to].order == b.items[from].order {
			to++
		}
		if to-from > 1 {
			slices.SortStableFunc(b.items[from:to], func(x, y bulkItem) int { return bytes.Compare(b.keyOf(&x), b.keyOf(&y)) })
		}
		from = to
	}
}

// shared is how many bytes all keys begin with.
func (b *bulk) shared() int {
	first := b.keyOf(&b.items[0])
	n := len(first)
	for i := range b.items {
		key := b.keyOf(&b.items[i])
		n = min(n, len(key))
		for !bytes.Equal(key[:n], first[:n]) {
			n--
		}
	}
	return n
}

// reset empties b and gives its memory back. The offset stays.
func (b *bulk) reset() {
	b.pool.give(b)
	*b = bulk{pool: b.pool, next: b.next}
}

// restored takes note of n more bytes to write and tells whether it is time to: all stores under restoration share
// RestoreBytes.
func (s *KeyValueBytes) restored(n int) bool {
	db := s.db
	total := db.restoring.bytes.Add(int64(n))
	share := int64(db.opts.RestoreBytes) / max(1, db.restoring.stores.Load())
	return total >= int64(db.opts.RestoreBytes) && int64(s.bulk.bytes) >= share/2 || int64(s.bulk.bytes) >= int64(db.opts.RestoreBytes)
}

// dropBulk forgets what was restored and is not in the database yet: after a fault, it is restored once more.
func (s *KeyValueBytes) dropBulk() {
	s.db.restoring.bytes.Add(-int64(s.bulk.bytes))
	s.bulk.reset()
	s.endBulk()
	if s.seg != nil {
		s.seg.discard()
	}
}

// settle writes what was restored and is not in the database yet.
func (s *KeyValueBytes) settle() error {
	b := s.bulk
	if b == nil {
		return nil
	}
	defer s.endBulk()
	return s.settleBulk(b)
}

// beginBulk has the store take part in the memory for restores, endBulk no more.
func (s *KeyValueBytes) beginBulk() {
	s.bulk = &bulk{pool: &s.db.restoring.pool}
	s.db.restoring.stores.Add(1)
}

func (s *KeyValueBytes) endBulk() {
	s.bulk = nil
	if s.db.restoring.stores.Add(-1) == 0 {
		s.db.restoring.pool.drop()
	}
}

// settleBulk writes and empties b.
func (s *KeyValueBytes) settleBulk(b *bulk) error {
	size := int64(b.bytes)
	err := s.writeBulk(b)
	b.reset()
	s.db.restoring.bytes.Add(-size)
	if err != nil {
		if s.seg != nil {
			s.seg.discard()
		}
		return fmt.Errorf("restoring store %q: %w", s.id, err)
	}
	s.pairs.(*pebblePairs).changed()
	s.commitTime()
	return nil
}

// writeBulk writes the records, then what follows from them, and the offset last: after a crash between, the records are
// restored once more.
func (s *KeyValueBytes) writeBulk(b *bulk) error {
	rest := s.db.NewBatch()
	defer rest.Close()
	pb := rest.pebbleBatch()
	if len(b.items) > 0 {
		b.sort()
		if err := s.writeItems(pb, b); err != nil {
			return err
		}
	}
	if s.seg != nil {
		if err := s.stageTime(pb); err != nil {
			return err
		}
	}
	rest.SetOffset(s.id, b.next)
	return rest.Commit()
}

func (s *KeyValueBytes) writeItems(pb *pebble.Batch, b *bulk) error {
	if b.bytes >= bulkIngest {
		return s.db.ingest(b)
	}
	for n := range b.items {
		key, value := b.keyOf(&b.items[n]), b.valueOf(&b.items[n])
		var err error
		if value == nil {
			err = pb.Delete(key, nil)
		} else {
			err = pb.Set(key, value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tableBytes is the size of a table of restored records. The filter of a table is one block, which a get of an absent key
// reads, and throws others out of the cache for, if the table is large.
const tableBytes = 16 << 20

// ingest adds sorted records as tables of their own, all or none.
func (db *DB) ingest(b *bulk) error {
	var paths []string
	var err error
	for n := 0; n < len(b.items) && err == nil; {
		path := filepath.Join(db.dir, fmt.Sprintf("%s%d.tmp", bulkPrefix, db.tables.Add(1)))
		paths = append(paths, path)
		n, err = db.writeTable(path, b, n)
	}
	if err != nil {
		return db.wrap("writing a table of restored records", errors.Join(err, db.removeTable(paths...)))
	}
	err = db.guard(func() error { return db.pebble.Ingest(context.Background(), paths) })
	if err != nil && db.failure() == nil {
		err = errors.Join(err, db.removeTable(paths...))
	}
	return db.wrap("taking in tables of restored records", err)
}

// writeTable writes the items from the n-th on until the table is large enough, and returns the next.
func (db *DB) writeTable(path string, b *bulk, n int) (int, error) {
	f, err := db.opts.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return n, err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), db.tableOptions.MakeWriterOptions(0, db.pebble.TableFormat()))
	for size, first := 0, n; n < len(b.items) && size < tableBytes; n++ {
		if (n-first)%touchAhead == 0 {
			b.touch(b.items[n:min(n+touchAhead, len(b.items))])
		}
		key, value := b.keyOf(&b.items[n]), b.valueOf(&b.items[n])
		if value == nil {
			err = w.Delete(key)
		} else {
			err = w.Set(key, value)
		}
		if err != nil {
			return n, errors.Join(err, w.Close())
		}
		size += len(key) + len(value)
	}
	return n, w.Close()
}

func (db *DB) removeTable(paths ...string) error {
	var faults []error
	for _, path := range paths {
		if err := db.opts.FS.Remove(path); err != nil && !isMissing(err) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// removeTables deletes what a restore that was cut off has left.
func (db *DB) removeTables() error {
	names, err := db.opts.FS.List(db.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, bulkPrefix) {
			if err := db.removeTable(filepath.Join(db.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
