package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
)

// errNegativeTime is returned for windows and sessions that begin before the epoch.
var errNegativeTime = errors.New("the time is negative")

// windowed is what window and session stores share: caching over changelogging over bytes, as those of a key-value store
// of physical keys (segments), with the time that decides which rows there are.
type windowed struct {
	meter
	inner   layer
	bytes   *KeyValueBytes
	seg     *segments
	context *RecordContext
	resume  []byte // of views: where the next walk goes on
	key     []byte // scratch: a physical key
	index   []byte // scratch: a physical key in the other order
}

// Name is the store's name.
func (s *windowed) Name() string { return s.inner.Name() }

// Persistent tells whether the store survives the process.
func (s *windowed) Persistent() bool { return s.inner.Persistent() }

// Context is the task's.
func (s *windowed) Context() *RecordContext { return s.context }

// SetFlushListener has changes forwarded by listener if there is a caching layer, and tells whether. Flushed.Key is the
// key of the window or session as Kafka stores it (SplitWindowKey, SplitSessionKey).
func (s *windowed) SetFlushListener(listener FlushListener, sendOldValues bool) bool {
	cached, ok := s.inner.(CachedStore)
	return ok && cached.SetFlushListener(listener, sendOldValues)
}

// StreamTime is the largest time of a row that was put, -1 before.
func (s *windowed) StreamTime() int64 { return s.seg.current.streamTime }

// OldestAt is the earliest time that rows may have once the stream time is streamTime, if it is not behind.
func (s *windowed) OldestAt(streamTime int64) int64 {
	return s.seg.oldestAt(max(streamTime, s.seg.current.streamTime))
}

// CompareRows orders two rows, each its key and then its times as Kafka lays them out (without the seq of windows), as
// walks over several keys do: segment by segment, each in the order of these bytes; time-ordered stores by times, then
// keys.
func (s *windowed) CompareRows(a, b []byte) int {
	keyA, timesA := s.seg.splitRow(a)
	keyB, timesB := s.seg.splitRow(b)
	if s.seg.indexed {
		return cmp.Or(bytes.Compare(timesA, timesB), bytes.Compare(keyA, keyB))
	}
	return cmp.Or(cmp.Compare(s.seg.numberOf(timesA), s.seg.numberOf(timesB)), bytes.Compare(a, b))
}

// splitRow takes apart what CompareRows is given.
func (s *segments) splitRow(row []byte) (key, times []byte) {
	n := len(row) - s.tail&^7
	return row[:n], row[n:]
}

// numberOf is the segment of a row with these times.
func (s *segments) numberOf(times []byte) int64 {
	return s.number(int64(binary.BigEndian.Uint64(times)))
}

// Flush pushes what the caching layer holds down and to the listener.
func (s *windowed) Flush() error {
	began := s.begin(&s.metrics.Flushes)
	err := s.inner.Flush()
	s.end(OpFlush, began)
	return err
}

// Unflushed tells whether a caching layer holds changes that the layers below do not have.
func (s *windowed) Unflushed() bool {
	cached, ok := s.inner.(*CachingKeyValueStore)
	return ok && cached.Unflushed()
}

// Stage adds what was written since the last commit to b.
func (s *windowed) Stage(b *Batch) error { return s.inner.Stage(b) }

// Discard forgets what was written since the last commit.
func (s *windowed) Discard() { s.inner.Discard() }

// UncommittedBytes is the memory held by what was written since the last commit.
func (s *windowed) UncommittedBytes() int64 { return s.inner.UncommittedBytes() }

// Offset is the changelog offset of the last commit or restore.
func (s *windowed) Offset() (int64, bool) { return s.inner.Offset() }

// Restore applies changelog records, whose keys are Kafka's.
func (s *windowed) Restore(records []KV, next int64) error {
	began := s.begin(&s.metrics.Restored)
	s.metrics.Restored.Add(int64(len(records)) - 1)
	err := s.inner.Restore(records, next)
	s.end(OpRestore, began)
	return err
}

// Settle writes what Restore holds back.
func (s *windowed) Settle() error { return s.bytes.Settle() }

// Close releases the store. It can be called twice.
func (s *windowed) Close() error { return s.inner.Close() }

// ApproximateNumEntries may be far off.
func (s *windowed) ApproximateNumEntries() int64 { return s.inner.ApproximateNumEntries() }

func (s *windowed) check(key []byte) error {
	switch {
	case s.bytes.closed:
		return ErrClosed
	case key == nil:
		return ErrNullKey
	}
	return s.bytes.settle() // what was restored has moved the time
}

// put writes the row whose physical key is s.key.
func (s *windowed) put(value []byte) error {
	if err := s.inner.Put(s.key, value); err != nil || !s.seg.indexed {
		return err
	}
	s.index = s.seg.appendIndexKey(s.index[:0], s.key)
	return s.bytes.Put(s.index, value)
}

// putAt writes the row of a time whose physical key is s.key, unless it is too old. A cache takes it even then, since its
// flush tells the nodes after.
func (s *windowed) putAt(at int64, value []byte) (kept bool, err error) {
	if s.seg.observe(at); s.seg.live(at) {
		return true, s.put(value)
	}
	s.metrics.Expired.Add(1)
	if cached, ok := s.inner.(*CachingKeyValueStore); ok {
		return false, cached.Put(s.key, value)
	}
	return false, nil
}

// getAt is the row of a time whose physical key is s.key. A cache may have one that is too old for the store.
func (s *windowed) getAt(at int64) ([]byte, error) {
	if s.seg.live(at) {
		return s.inner.Get(s.key)
	}
	if cached, ok := s.inner.(*CachingKeyValueStore); ok {
		return cached.held(s.key), nil
	}
	return nil, nil
}

// appendIndexKey appends the key in the other order of a row with physical key row: its time and what follows before the
// key, but for the seq of windows, which comes last.
func (s *segments) appendIndexKey(dst, row []byte) []byte {
	key := row[segmentPrefix : len(row)-s.tail]
	tail := row[len(row)-s.tail:]
	times := tail[:len(tail)&^7]
	dst = appendPrefix(dst, int64(binary.BigEndian.Uint64(row)>>1), true)
	return append(append(append(dst, times...), key...), tail[len(times):]...)
}

// splitIndexKey is the inverse, without the prefix: key and tail as in a row.
func (s *segments) splitIndexKey(stored []byte) (key []byte, times [2]int64) {
	n := s.tail &^ 7
	for i := 0; i < n; i += 8 {
		times[i/8] = int64(binary.BigEndian.Uint64(stored[i:]))
	}
	return stored[n : len(stored)-(s.tail-n)], times
}

// span limits [from, to] to the times that rows may have; ok is false if nothing is left.
func (s *segments) span(from, to int64) (int64, int64, bool) {
	from, to = max(from, s.oldest()), min(to, s.current.streamTime)
	return from, to, from <= to
}

// rowRange is a walk over the rows of a store with a time in [from, to], segment after segment.
type rowRange struct {
	store    *windowed
	from, to int64  // time
	exact    []byte // the only key; nil: keyFrom <= key <= keyTo
	keyFrom  []byte
	keyTo    []byte
	reverse  bool
	indexed  bool // walk in the other order

	iter   spanIterator
	bounds []byte    // the bytes of spans and of the keys
	buffer [192]byte // for bounds, if they are short
	spans  []keySpan
	fixed  [4]keySpan
	key    []byte
	times  [2]int64
	err    error
	closed bool
}

// begin opens the walk. The keys are borrowed.
func (r *rowRange) begin() (err error) {
	g := r.store.seg
	first, last := g.number(r.from), g.number(r.to)
	if r.bounds = r.buffer[:0]; r.room(int(last-first)+1) > cap(r.bounds) {
		r.bounds = make([]byte, 0, r.room(int(last-first)+1))
	}
	r.exact, r.keyFrom, r.keyTo = r.keep(r.exact), r.keep(r.keyFrom), r.keep(r.keyTo)
	r.spans = r.fixed[:0]
	for n := first; n <= last; n++ {
		r.spans = append(r.spans, r.span(n))
	}
	if after := r.store.resume; after != nil {
		r.spans = resumeAfter(r.spans, after, r.reverse)
	}
	r.iter, err = r.store.inner.scan(r.spans, r.reverse)
	return err
}

// room is enough for what begin appends to the bounds.
func (r *rowRange) room(segments int) int {
	keys := len(r.exact) + len(r.keyFrom) + len(r.keyTo)
	return keys + segments*2*(segmentPrefix+keys+sessionTail+1)
}

// keep returns a copy of a key among the bounds; nil for nil.
func (r *rowRange) keep(key []byte) []byte {
	if key == nil {
		return nil
	}
	start := len(r.bounds)
	r.bounds = append(r.bounds, key...)
	return r.bounds[start:len(r.bounds):len(r.bounds)]
}

// span are the physical keys of a segment between which all rows lie that may be asked for.
func (r *rowRange) span(segment int64) keySpan {
	g := r.store.seg
	start := len(r.bounds)
	b := appendPrefix(r.bounds, segment, r.indexed)
	switch {
	case r.indexed:
		b = binary.BigEndian.AppendUint64(b, uint64(r.from))
	case r.exact != nil:
		b = binary.BigEndian.AppendUint64(append(b, r.exact...), uint64(r.from))
	default:
		b = append(b, r.keyFrom...)
	}
	middle := len(b)
	var tail [sessionTail]byte
	binary.BigEndian.PutUint64(tail[:], uint64(r.to))
	for i := 8; i < len(tail); i++ {
		tail[i] = 0xff
	}
	switch {
	case r.indexed:
		b = binary.BigEndian.AppendUint64(appendPrefix(b, segment, true), uint64(r.to)+1)
	case r.exact != nil:
		b = append(append(append(appendPrefix(b, segment, false), r.exact...), tail[:g.tail]...), 0)
	case r.keyTo == nil:
		b = appendPrefix(b, segment, true)
	default:
		b = append(append(appendPrefix(b, segment, false), lastRow(r.keyTo, tail[:g.tail])...), 0)
	}
	r.bounds = b
	return keySpan{b[start:middle:middle], b[middle:len(b):len(b)]}
}

// lastRow is the largest of the rows key|tail over all keys up to keyTo: that of keyTo, or of one that keyTo begins
// with.
func lastRow(keyTo, tail []byte) []byte {
	last := append(bytes.Clone(keyTo), tail...)
	for n := range keyTo {
		if row := append(bytes.Clone(keyTo[:n]), tail...); bytes.Compare(row, last) > 0 {
			last = row
		}
	}
	return last
}

// next moves to the next row that is asked for.
func (r *rowRange) next() bool {
	for !r.closed && r.err == nil {
		if !r.iter.Next() {
			r.err = r.iter.Err()
			break
		}
		if r.take(r.iter.Key()[segmentPrefix:]) {
			return true
		}
	}
	r.key = nil
	return false
}

// take reads a row's key and tells whether the row is asked for.
func (r *rowRange) take(row []byte) bool {
	g := r.store.seg
	if r.indexed {
		r.key, r.times = g.splitIndexKey(row)
	} else {
		n := len(row) - g.tail
		r.key = row[:n]
		r.times[0] = int64(binary.BigEndian.Uint64(row[n:]))
		if g.tail == sessionTail {
			r.times[1] = int64(binary.BigEndian.Uint64(row[n+8:]))
		}
	}
	if at := r.times[0]; at < r.from || at > r.to {
		return false
	}
	if r.exact != nil {
		return bytes.Equal(r.key, r.exact)
	}
	return (r.keyFrom == nil || bytes.Compare(r.key, r.keyFrom) >= 0) && (r.keyTo == nil || bytes.Compare(r.key, r.keyTo) <= 0)
}

// Row names the current row for View.ResumeAfter.
func (r *rowRange) Row() []byte { return r.iter.Key() }

// Key is the current key.
func (r *rowRange) Key() []byte { return r.key }

// Value is the current value.
func (r *rowRange) Value() []byte {
	if r.key == nil {
		return nil
	}
	return r.iter.Value()
}

// Err is the error that ended the walk.
func (r *rowRange) Err() error { return r.err }

// Close releases the walk. It can be called twice.
func (r *rowRange) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.store.metrics.OpenIterators.Add(-1)
	err := r.iter.close()
	r.iter, r.key = emptyIterator{}, nil
	return err
}

// walk opens r, whose times may be any.
func (s *windowed) walk(r *rowRange) (*rowRange, error) {
	if s.bytes.closed {
		return nil, ErrClosed
	}
	if err := s.bytes.settle(); err != nil {
		return nil, err
	}
	began := s.begin(&s.metrics.Ranges)
	defer func() { s.end(OpRange, began) }()
	var ok bool
	r.store = s
	r.from, r.to, ok = s.seg.span(r.from, r.to)
	if !ok || r.keyTo != nil && bytes.Compare(r.keyFrom, r.keyTo) > 0 {
		r.iter = emptyIterator{}
	} else if err := r.begin(); err != nil {
		return nil, err
	}
	s.metrics.OpenIterators.Add(1)
	return r, nil
}

// forever is a time after all others.
const forever = math.MaxInt64
