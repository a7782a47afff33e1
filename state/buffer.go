package state

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// TimeOrderedBuffer holds records until a time is past, and gives them back in the order of time, of equal times in that
// of their keys: what suppress has not emitted (InMemoryTimeOrderedKeyValueChangeBuffer), or the stream side of a join
// with a table that grants a grace period (RocksDBTimeOrderedKeyValueBuffer).
//
// Without duplicates, a record whose key is in the buffer replaces that one and keeps its place: the time is that of the
// first. With duplicates every record has a place of its own.
//
// What changed is logged at Flush: key -> value|int64 time, with the header "v" of Kafka's third format. With duplicates
// each record is logged at once, under the key 0|int64 time|key|int32 seq.
type TimeOrderedBuffer struct {
	meter
	bytes      *KeyValueBytes
	context    *RecordContext
	changelog  Changelog
	duplicates bool
	grace      int64

	current, committed bufferState
	dirty              map[string]struct{}
	dirtyOrder         [][]byte // the keys of dirty, which lie in names
	names              arena
	rows               [1]keySpan      // those that are there, for walks
	first              []byte          // where they begin
	origin             *TopicPartition // of the row decoded last
	key, row, value    []byte          // scratch
	stored             []byte          // what read lent
	leaving            Evicted         // what EvictWhile lent
	leavingRow         []byte          // its place
	leavingBytes       []byte
}

// bufferState is what the transaction changes besides the rows.
type bufferState struct {
	records    int
	size       int64
	min        int64 // time of the first row, math.MaxInt64 if there is none
	streamTime int64 // with duplicates
	seq        int32
}

var _ interface {
	TransactionalStore
	ContextualStore
	CachedStore
} = (*TimeOrderedBuffer)(nil)

// The rows of a buffer.
const (
	bufferRow = 't' // t | int64 time | key [| int32 seq] -> value
	bufferKey = 'k' // k | key -> int64 time; not with duplicates
)

// bufferFormat is the header that tells the format of a changelog record.
var bufferFormat = []Header{{Key: "v", Value: []byte{3}}}

// newBuffer opens a time-ordered buffer. Retention is the grace period of one with duplicates.
func (db *DB) newBuffer(c StoreConfig) (*TimeOrderedBuffer, error) {
	c.settle()
	open := db.KeyValue
	if c.InMemory {
		open = db.MemoryKeyValue
	}
	bytes, err := open(c.ID, Plain)
	if err != nil {
		return nil, err
	}
	b := &TimeOrderedBuffer{
		meter: newMeter(c.Metrics), bytes: bytes, context: c.Context, changelog: c.Changelog, duplicates: c.RetainDuplicates,
		grace: c.Retention, dirty: map[string]struct{}{},
	}
	b.rows[0].to = []byte{bufferRow + 1}
	b.current = bufferState{min: math.MaxInt64, streamTime: -1}
	if err := b.count(); err != nil {
		_ = bytes.Close() // nothing was written
		return nil, err
	}
	b.committed = b.current
	return b, nil
}

// count takes stock of the rows of a store that was there before.
func (b *TimeOrderedBuffer) count() error {
	it, err := b.bytes.Range([]byte{bufferRow}, []byte{bufferRow + 1}, false)
	if err != nil {
		return err
	}
	for it.Next() {
		key, at, seq := b.splitRow(it.Key())
		b.current.min = min(b.current.min, at)
		b.current.streamTime, b.current.seq = max(b.current.streamTime, at), max(b.current.seq, seq)
		b.current.records++
		v, err := b.decode(it.Value())
		if err != nil {
			_ = it.Close() // the error before is the one that matters
			return b.bytes.db.unreadable(fmt.Sprintf("a row of buffer %s cannot be read", b.bytes.id))
		}
		b.current.size += recordSize(key, &v)
	}
	if err := it.Err(); err != nil {
		_ = it.Close() // the error before is the one that matters
		return err
	}
	return it.Close()
}

// recordSize is Kafka's estimate of the memory of a record.
func recordSize(key []byte, v *bufferValue) int64 { return int64(8 + len(key) + v.size()) }

func (b *TimeOrderedBuffer) splitRow(row []byte) (key []byte, at int64, seq int32) {
	at, key = int64(binary.BigEndian.Uint64(row[1:])), row[9:]
	if b.duplicates {
		n := len(key) - 4
		key, seq = key[:n:n], int32(binary.BigEndian.Uint32(key[n:]))
	}
	return key, at, seq
}

// rowKey puts the key of a row into b.row.
func (b *TimeOrderedBuffer) rowKey(key []byte, at int64, seq int32) []byte {
	b.row = append(binary.BigEndian.AppendUint64(append(b.row[:0], bufferRow), uint64(at)), key...)
	if b.duplicates {
		b.row = binary.BigEndian.AppendUint32(b.row, uint32(seq))
	}
	return b.row
}

// indexKey puts the key under which the time of key stands into b.key.
func (b *TimeOrderedBuffer) indexKey(key []byte) []byte {
	b.key = append(append(b.key[:0], bufferKey), key...)
	return b.key
}

// Name is the store's name.
func (b *TimeOrderedBuffer) Name() string { return b.bytes.Name() }

// Persistent tells whether the buffer survives the process.
func (b *TimeOrderedBuffer) Persistent() bool { return b.bytes.Persistent() }

// Context is the task's.
func (b *TimeOrderedBuffer) Context() *RecordContext { return b.context }

// SetFlushListener returns false: there is no cache.
func (b *TimeOrderedBuffer) SetFlushListener(FlushListener, bool) bool { return false }

// Records is how many records the buffer holds.
func (b *TimeOrderedBuffer) Records() int { return b.current.records }

// SizeBytes is the memory of the records by Kafka's estimate, which BufferConfig.maxBytes is compared with.
func (b *TimeOrderedBuffer) SizeBytes() int64 { return b.current.size }

// Put takes in the change of key from old to new at a time, made by the record that context describes. Without
// duplicates a nil new value is a change like others. It is false if the record comes too late: with duplicates, when
// it is older than the latest by more than the grace period; then nothing is put.
func (b *TimeOrderedBuffer) Put(at int64, key, old, new []byte, context *RecordContext) (bool, error) {
	if key == nil {
		return false, ErrNullKey
	}
	if at < 0 {
		return false, fmt.Errorf("putting into buffer %q: %w: %d", b.Name(), errNegativeTime, at)
	}
	began := b.begin(&b.metrics.Puts)
	put, err := b.put(at, key, &bufferValue{prior: old, old: old, new: new, context: *context})
	b.end(OpPut, began)
	return put, err
}

func (b *TimeOrderedBuffer) put(at int64, key []byte, v *bufferValue) (bool, error) {
	if b.duplicates {
		return b.putDuplicate(at, key, v)
	}
	stored, err := b.bytes.Get(b.indexKey(key))
	if err != nil {
		return false, err
	}
	if stored != nil {
		at = int64(binary.BigEndian.Uint64(stored))
		before, err := b.read(b.rowKey(key, at, 0))
		if err != nil {
			return false, err
		}
		v.prior = before.prior
		b.current.records--
		b.current.size -= recordSize(key, &before)
	}
	if err := b.set(at, key, 0, v); err != nil {
		return false, err
	}
	b.markDirty(key)
	return true, nil
}

func (b *TimeOrderedBuffer) putDuplicate(at int64, key []byte, v *bufferValue) (bool, error) {
	if b.current.streamTime-b.grace > at {
		b.metrics.Expired.Add(1)
		return false, nil
	}
	v.prior, v.old = nil, nil
	b.current.seq = (b.current.seq + 1) & math.MaxInt32
	if err := b.set(at, key, b.current.seq, v); err != nil {
		return false, err
	}
	return true, b.logDuplicate(key, at, b.current.seq, b.value)
}

// set writes a row that is not counted.
func (b *TimeOrderedBuffer) set(at int64, key []byte, seq int32, v *bufferValue) error {
	b.value = v.append(b.value[:0])
	if err := b.bytes.Put(b.rowKey(key, at, seq), b.value); err != nil {
		return err
	}
	if !b.duplicates {
		var time [8]byte
		binary.BigEndian.PutUint64(time[:], uint64(at))
		if err := b.bytes.Put(b.indexKey(key), time[:]); err != nil {
			return err
		}
	}
	b.current.records++
	b.current.size += recordSize(key, v)
	b.current.min = min(b.current.min, at)
	b.current.streamTime = max(b.current.streamTime, at)
	return nil
}

// read decodes a row that is there. Its bytes are borrowed until the next call.
func (b *TimeOrderedBuffer) read(row []byte) (bufferValue, error) {
	stored, err := b.bytes.Get(row)
	if err != nil {
		return bufferValue{}, err
	}
	b.stored = append(b.stored[:0], stored...)
	v, err := b.decode(b.stored)
	if err != nil {
		return v, b.bytes.db.unreadable(fmt.Sprintf("a row of buffer %s cannot be read", b.bytes.id))
	}
	return v, nil
}

// decode reads a row; most come from the partition that the row before came from.
func (b *TimeOrderedBuffer) decode(stored []byte) (bufferValue, error) {
	v, _, err := decodeBufferValue(stored, b.origin)
	if err == nil {
		b.origin = v.context.Origin
	}
	return v, err
}

// Prior is what downstream last saw of key before it entered the buffer, and whether key is in the buffer. The bytes are borrowed
// until the next call.
func (b *TimeOrderedBuffer) Prior(key []byte) (prior []byte, buffered bool, err error) {
	stored, err := b.bytes.Get(b.indexKey(key))
	if err != nil || stored == nil {
		return nil, false, err
	}
	v, err := b.read(b.rowKey(key, int64(binary.BigEndian.Uint64(stored)), 0))
	return v.prior, err == nil, err
}

// MinTime is the time of the first record, math.MaxInt64 if there is none.
func (b *TimeOrderedBuffer) MinTime() int64 { return b.current.min }

// StreamTime is the largest timestamp of the records that came into a buffer with duplicates, -1 before the first.
func (b *TimeOrderedBuffer) StreamTime() int64 { return b.current.streamTime }

// Evicted is a record that leaves a buffer. It and its bytes are lent for the call, those of its headers are the caller's.
type Evicted struct {
	Key, Old, New []byte
	Time          int64
	Context       RecordContext
}

// EvictWhile gives the first record to emit and removes it, as long as there is one and more is true. emit does not call the
// buffer.
func (b *TimeOrderedBuffer) EvictWhile(more func() bool, emit func(*Evicted) error) error {
	if b.current.records == 0 || !more() {
		return nil
	}
	// Before the first row lie those that the transaction has evicted: a walk would pass by each of them.
	b.first = binary.BigEndian.AppendUint64(append(b.first[:0], bufferRow), uint64(b.current.min))
	b.rows[0].from = b.first
	it, err := b.bytes.scan(b.rows[:], false)
	if err != nil {
		return err
	}
	err = b.evict(it, more, emit)
	if closing := it.close(); err == nil {
		err = closing
	}
	return err
}

func (b *TimeOrderedBuffer) evict(it spanIterator, more func() bool, emit func(*Evicted) error) error {
	for ok := it.Next(); ok; {
		b.leavingRow = append(b.leavingRow[:0], it.Key()...)
		key, at, seq := b.splitRow(b.leavingRow)
		b.current.min = at
		if !more() {
			return nil
		}
		b.leavingBytes = append(b.leavingBytes[:0], it.Value()...)
		v, err := b.decode(b.leavingBytes)
		if err != nil {
			return b.bytes.db.unreadable(fmt.Sprintf("a row of buffer %s cannot be read", b.bytes.id))
		}
		v.context.Headers = cloneHeaders(v.context.Headers)
		b.leaving = Evicted{Key: key, Old: v.old, New: v.new, Time: at, Context: v.context}
		if err := emit(&b.leaving); err != nil {
			return err
		}
		if err := b.remove(b.leavingRow, key, at, seq, &v); err != nil {
			return err
		}
		if ok = it.Next(); !ok {
			b.current.min = math.MaxInt64
		}
	}
	return it.Err()
}

func (b *TimeOrderedBuffer) remove(row, key []byte, at int64, seq int32, v *bufferValue) error {
	if err := b.bytes.Put(row, nil); err != nil {
		return err
	}
	b.current.records--
	b.current.size -= recordSize(key, v)
	if b.duplicates {
		return b.logDuplicate(key, at, seq, nil)
	}
	b.markDirty(key)
	return b.bytes.Put(b.indexKey(key), nil)
}

func (b *TimeOrderedBuffer) markDirty(key []byte) {
	if _, ok := b.dirty[string(key)]; ok || b.changelog == nil {
		return
	}
	own := b.names.copy(key)
	b.dirty[stringOf(own)] = struct{}{}
	b.dirtyOrder = append(b.dirtyOrder, own)
}

// logDuplicate logs a row; value nil is its removal.
func (b *TimeOrderedBuffer) logDuplicate(key []byte, at int64, seq int32, value []byte) error {
	if b.changelog == nil {
		return nil
	}
	b.key = append(binary.BigEndian.AppendUint64(append(b.key[:0], 0), uint64(at)), key...)
	b.key = binary.BigEndian.AppendUint32(b.key, uint32(seq))
	if value != nil {
		b.value = binary.BigEndian.AppendUint64(b.value, uint64(at))
		value = b.value
	}
	return b.log(b.key, value, nil)
}

func (b *TimeOrderedBuffer) log(key, value []byte, headers []Header) error {
	if err := logWithHeaders(b.changelog, key, value, b.context.Timestamp, headers); err != nil {
		return fmt.Errorf("logging a change of buffer %q: %w", b.Name(), err)
	}
	return nil
}

// Unflushed tells whether there are changes that were not logged.
func (b *TimeOrderedBuffer) Unflushed() bool { return len(b.dirtyOrder) > 0 }

// Flush logs what changed.
func (b *TimeOrderedBuffer) Flush() error {
	b.begin(&b.metrics.Flushes)
	for _, key := range b.dirtyOrder {
		if err := b.flushKey(key); err != nil {
			return err
		}
	}
	b.forgetDirty()
	return nil
}

func (b *TimeOrderedBuffer) flushKey(key []byte) error {
	stored, err := b.bytes.Get(b.indexKey(key))
	if err != nil {
		return err
	}
	if stored == nil {
		return b.log(key, nil, nil)
	}
	at := binary.BigEndian.Uint64(stored)
	value, err := b.bytes.Get(b.rowKey(key, int64(at), 0))
	if err != nil {
		return err
	}
	b.value = binary.BigEndian.AppendUint64(append(b.value[:0], value...), at)
	return b.log(key, b.value, bufferFormat)
}

func (b *TimeOrderedBuffer) forgetDirty() {
	clear(b.dirty)
	clear(b.dirtyOrder)
	b.dirtyOrder = b.dirtyOrder[:0]
	b.names.reset()
}

// Stage adds what was written since the last commit to batch. The buffer must be flushed.
func (b *TimeOrderedBuffer) Stage(batch *Batch) error {
	if b.Unflushed() {
		return fmt.Errorf("staging buffer %q: it is not flushed", b.Name())
	}
	b.bytes.onCommit = func() { b.committed = b.current }
	return b.bytes.Stage(batch)
}

// Discard forgets what was written since the last commit.
func (b *TimeOrderedBuffer) Discard() {
	b.bytes.Discard()
	b.forgetDirty()
	b.current = b.committed
}

// UncommittedBytes is the memory held by what was written since the last commit.
func (b *TimeOrderedBuffer) UncommittedBytes() int64 { return b.bytes.UncommittedBytes() }

// Offset is the changelog offset of the last commit or restore.
func (b *TimeOrderedBuffer) Offset() (int64, bool) { return b.bytes.Offset() }

// Restore applies changelog records.
func (b *TimeOrderedBuffer) Restore(records []KV, next int64) error {
	b.metrics.Restored.Add(int64(len(records)))
	apply := b.restoreRecord
	if b.duplicates {
		apply = b.restoreDuplicate
	}
	if err := b.bytes.restoreBy(records, next, apply); err != nil {
		b.current = b.committed
		return err
	}
	if err := b.findMin(); err != nil {
		return err
	}
	b.committed = b.current
	return nil
}

// Settle has nothing to write: Restore holds nothing back.
func (b *TimeOrderedBuffer) Settle() error { return b.bytes.Settle() }

// restoreRecord applies a record of a changelog without duplicates.
func (b *TimeOrderedBuffer) restoreRecord(r *KV) error {
	if err := b.drop(r.Key); err != nil || r.Value == nil {
		return err
	}
	if !slices.ContainsFunc(r.Headers, func(h Header) bool { return h.Key == "v" && len(h.Value) == 1 && h.Value[0] == 3 }) {
		return fmt.Errorf("a record of a buffer's changelog has no header v=3: it was written by Kafka Streams before 2.4, or by another program")
	}
	v, rest, err := decodeBufferValue(r.Value, nil)
	if err != nil || len(rest) != 8 {
		return errBufferValue
	}
	return b.set(int64(binary.BigEndian.Uint64(rest)), r.Key, 0, &v)
}

// drop removes the row of key, if there is one.
func (b *TimeOrderedBuffer) drop(key []byte) error {
	stored, err := b.bytes.Get(b.indexKey(key))
	if err != nil || stored == nil {
		return err
	}
	return b.dropRow(key, int64(binary.BigEndian.Uint64(stored)), 0)
}

func (b *TimeOrderedBuffer) dropRow(key []byte, at int64, seq int32) error {
	row := b.rowKey(key, at, seq)
	stored, err := b.bytes.Get(row)
	if err != nil || stored == nil {
		return err
	}
	v, err := b.read(row)
	if err != nil {
		return err
	}
	b.current.records--
	b.current.size -= recordSize(key, &v)
	if err := b.bytes.Put(row, nil); err != nil || b.duplicates {
		return err
	}
	return b.bytes.Put(b.indexKey(key), nil)
}

// restoreDuplicate applies a record of a changelog with duplicates.
func (b *TimeOrderedBuffer) restoreDuplicate(r *KV) error {
	if len(r.Key) < 1+8+4 || r.Key[0] != 0 {
		return fmt.Errorf("a record of a buffer's changelog has a key of %d bytes that is none", len(r.Key))
	}
	n := len(r.Key) - 4
	key, at, seq := r.Key[9:n], int64(binary.BigEndian.Uint64(r.Key[1:])), int32(binary.BigEndian.Uint32(r.Key[n:]))
	b.current.seq = max(b.current.seq, seq)
	if err := b.dropRow(key, at, seq); err != nil || r.Value == nil {
		return err
	}
	v, err := b.decode(r.Value)
	if err != nil {
		return err
	}
	return b.set(at, key, seq, &v)
}

// findMin reads the time of the first row.
func (b *TimeOrderedBuffer) findMin() error {
	b.current.min = math.MaxInt64
	it, err := b.bytes.Range([]byte{bufferRow}, []byte{bufferRow + 1}, false)
	if err != nil {
		return err
	}
	if it.Next() {
		_, b.current.min, _ = b.splitRow(it.Key())
	}
	if err := it.Err(); err != nil {
		_ = it.Close() // the error before is the one that matters
		return err
	}
	return it.Close()
}

// Close releases the buffer. It can be called twice.
func (b *TimeOrderedBuffer) Close() error { return b.bytes.Close() }
