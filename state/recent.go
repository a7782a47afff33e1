package state

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// recentRows keeps the rows that were put last into a window store with duplicates also in memory, by key. A
// stream-stream join walks over the other side's window for each record, and most of these walks find few rows or none:
// here they cost a look into a table, where the database has to seek in every table that may hold the key.
//
// Rows are only ever added, and go with the time or when there is no room for them. What is not known here is told by two
// times, and a walk that begins after them needs no database:
//
//	start >  rowsFrom: every live row is here
//	start >  keysFrom: the key of every live row is here, with its latest start
//
// Half of a join's retention is for records that come late. So rows are kept for as long only as a walk has ever reached
// back, and for the whole retention before the first.
//
// It belongs to the goroutine of its store, and knows nothing of transactions: a discard forgets everything.
type recentRows struct {
	budget *rowBudget
	seed   maphash.Seed
	keys   []recentKey // open addressing; the length is 0 or a power of two
	used   int         // of keys
	// chunks hold the rows in the order in which they were put; first is the number of chunks[0].
	chunks             []*rowChunk
	first              uint64
	rowsFrom, keysFrom int64
	reach              int64      // of the walks so far, back from the stream time; -1 before the first
	open               int        // walks
	spare              *rowChunk  // to be filled again
	found              []foundRow // to be filled by the next walk
}

// recentKey is what is known of all keys with one hash.
type recentKey struct {
	hash uint64 // 0: free
	last int64  // the latest start
	row  rowID  // the row put last
}

// rowID is the number of a chunk and the place of a row in it; 0 is none.
type rowID uint64

const rowBits = 16

func (id rowID) chunk() uint64 { return uint64(id) >> rowBits }

// rowChunk holds rows that were put one after the other.
type rowChunk struct {
	data   []byte
	rows   []recentRow
	latest int64 // start
}

// recentRow is a row whose key and value lie at the offset in the chunk.
type recentRow struct {
	start  int64
	latest int64 // start of this row and of those behind it
	behind rowID // the row put before with the same hash
	at     uint32
	key    uint32 // length
	value  uint32 // length
	seq    int32
}

const (
	rowChunkBytes  = 32 << 10
	rowChunkRows   = rowChunkBytes / 128
	rowBytes       = 40 // of a recentRow
	recentKeyBytes = 24
	minRecentKeys  = 64
)

// rowBudget bounds the rows in memory of all stores of a database.
type rowBudget struct {
	limit int64
	used  atomic.Int64
}

// take tells whether n bytes more are within the limit, and counts them then.
func (b *rowBudget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *rowBudget) give(n int64) { b.used.Add(-n) }

// newRecentRows begins with a store whose rows, which are not known, start at time or before.
func newRecentRows(budget *rowBudget, time int64) *recentRows {
	return &recentRows{budget: budget, seed: maphash.MakeSeed(), first: 1, rowsFrom: time, keysFrom: time, reach: -1}
}

// asked notes that a walk begins at from.
func (r *recentRows) asked(from, streamTime int64) { r.reach = max(r.reach, streamTime-from) }

// wanted is the earliest start of rows that walks may ask for, oldest at least.
func (r *recentRows) wanted(oldest, streamTime int64) int64 {
	if r.reach < 0 {
		return oldest
	}
	return max(oldest, streamTime-r.reach)
}

// reset forgets all; the rows that the store has start at time or before.
func (r *recentRows) reset(time int64) {
	r.budget.give(int64(len(r.keys)) * recentKeyBytes)
	r.keys, r.used = nil, 0
	for len(r.chunks) > 0 {
		r.dropChunk()
	}
	if r.spare != nil {
		r.budget.give(r.spare.bytes())
		r.spare = nil
	}
	r.rowsFrom, r.keysFrom = time, time
}

// put adds a row. All rows before oldest are obsolete, or not worth their memory.
func (r *recentRows) put(key, value []byte, start int64, seq int32, oldest int64) {
	for len(r.chunks) > 0 && r.chunks[0].latest < oldest {
		r.forgetChunk()
	}
	k := r.enter(r.hash(key), oldest)
	if k == nil {
		r.reset(max(r.rowsFrom, r.keysFrom, r.latest(), start))
		return
	}
	k.last = max(k.last, start)
	c := r.room(len(key) + len(value))
	if c == nil {
		r.rowsFrom = max(r.rowsFrom, start)
		return
	}
	row := recentRow{
		start: start, latest: start, behind: k.row, at: uint32(len(c.data)), key: uint32(len(key)), value: uint32(len(value)), seq: seq,
	}
	if behind := r.row(k.row); behind != nil {
		row.latest = max(start, behind.latest)
	}
	c.data = append(append(c.data, key...), value...)
	c.rows = append(c.rows, row)
	c.latest = max(c.latest, start)
	k.row = rowID((r.first+uint64(len(r.chunks))-1)<<rowBits | uint64(len(c.rows)-1))
}

// latest is the latest start of a key.
func (r *recentRows) latest() (start int64) {
	for i := range r.keys {
		start = max(start, r.keys[i].last)
	}
	return start
}

func (r *recentRows) hash(key []byte) uint64 { return max(maphash.Bytes(r.seed, key), 1) }

// slot is the place of a hash among keys, which must not be empty.
func (r *recentRows) slot(hash uint64) *recentKey {
	mask := uint64(len(r.keys) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if k := &r.keys[i]; k.hash == hash || k.hash == 0 {
			return k
		}
	}
}

// enter finds or makes the place of a hash; nil if there is no room for it.
func (r *recentRows) enter(hash uint64, oldest int64) *recentKey {
	if 4*(r.used+1) > 3*len(r.keys) && !r.grow(oldest) {
		return nil
	}
	k := r.slot(hash)
	if k.hash == 0 {
		*k = recentKey{hash: hash, last: -1}
		r.used++
	}
	return k
}

// grow makes room for as many keys again as have rows from oldest on.
func (r *recentRows) grow(oldest int64) bool {
	before, live := r.keys, 0
	for i := range before {
		if before[i].hash != 0 && before[i].last >= oldest {
			live++
		}
	}
	size := minRecentKeys
	for size < 2*(live+1) {
		size *= 2
	}
	if !r.budget.take(int64(size) * recentKeyBytes) {
		return false
	}
	r.keys, r.used = make([]recentKey, size), live
	for i := range before {
		if before[i].hash != 0 && before[i].last >= oldest {
			*r.slot(before[i].hash) = before[i]
		}
	}
	r.keysFrom = max(r.keysFrom, oldest-1)
	r.budget.give(int64(len(before)) * recentKeyBytes)
	return true
}

// room is the chunk that takes a row of n bytes; nil if there is none.
func (r *recentRows) room(n int) *rowChunk {
	if len(r.chunks) > 0 {
		if c := r.chunks[len(r.chunks)-1]; len(c.data)+n <= cap(c.data) && len(c.rows) < cap(c.rows) {
			return c
		}
	}
	c := r.chunk(n)
	for c == nil && len(r.chunks) > 0 {
		r.forgetChunk()
		c = r.chunk(n)
	}
	if c != nil {
		r.chunks = append(r.chunks, c)
	}
	return c
}

// chunk is an empty one with room for n bytes, if the budget allows.
func (r *recentRows) chunk(n int) *rowChunk {
	if c := r.spare; c != nil {
		r.spare = nil
		if cap(c.data) >= n {
			return c
		}
		r.budget.give(c.bytes())
	}
	n = max(n, rowChunkBytes)
	if !r.budget.take(int64(n) + rowChunkRows*rowBytes) {
		return nil
	}
	return &rowChunk{data: make([]byte, 0, n), rows: make([]recentRow, 0, rowChunkRows), latest: -1}
}

func (c *rowChunk) bytes() int64 { return int64(cap(c.data)) + int64(cap(c.rows))*rowBytes }

// forgetChunk is dropChunk of rows that may still be live.
func (r *recentRows) forgetChunk() {
	r.rowsFrom = max(r.rowsFrom, r.chunks[0].latest)
	r.dropChunk()
}

// dropChunk forgets the rows that were put first. Walks under way still read them.
func (r *recentRows) dropChunk() {
	c := r.chunks[0]
	r.chunks[0] = nil
	r.chunks = r.chunks[1:]
	r.first++
	if r.open > 0 || r.spare != nil || cap(c.data) > rowChunkBytes {
		r.budget.give(c.bytes())
		return
	}
	*c = rowChunk{data: c.data[:0], rows: c.rows[:0], latest: -1}
	r.spare = c
}

// row is nil for a row that was dropped.
func (r *recentRows) row(id rowID) *recentRow {
	if id.chunk() < r.first {
		return nil
	}
	return &r.chunks[id.chunk()-r.first].rows[id&(1<<rowBits-1)]
}

// nothing tells whether it is known that no row of key has a start from from on.
func (r *recentRows) nothing(key []byte, from int64) bool {
	if from <= r.keysFrom {
		return false
	}
	k := r.find(key)
	return k == nil || k.last < from
}

// find is what is known of the hash of key, or nil.
func (r *recentRows) find(key []byte) *recentKey {
	if len(r.keys) == 0 {
		return nil
	}
	if k := r.slot(r.hash(key)); k.hash != 0 {
		return k
	}
	return nil
}

// walk returns the rows of key with from <= start <= to, which are all here: from is after rowsFrom.
func (r *recentRows) walk(key []byte, from, to int64, reverse bool) *recentWalk {
	w := &recentWalk{recent: r, at: -1, rows: r.found}
	r.found = nil
	if k := r.find(key); k != nil {
		w.collect(k.row, key, from, to)
	}
	slices.SortFunc(w.rows, func(a, b foundRow) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.seq, b.seq)) })
	if reverse {
		slices.Reverse(w.rows)
	}
	r.open++
	return w
}

// recentWalk is a walk over rows in memory as a WindowIterator.
type recentWalk struct {
	recent  *recentRows
	metrics *StoreMetrics
	rows    []foundRow
	at      int
}

// foundRow is a row with the chunk that holds its bytes.
type foundRow struct {
	*recentRow
	chunk *rowChunk
}

func (w *recentWalk) collect(id rowID, key []byte, from, to int64) {
	r := w.recent
	for row := r.row(id); row != nil && row.latest >= from; row = r.row(id) {
		found := foundRow{row, r.chunks[id.chunk()-r.first]}
		if row.start >= from && row.start <= to && bytes.Equal(found.keyBytes(), key) {
			w.rows = append(w.rows, found)
		}
		id = row.behind
	}
}

func (f foundRow) keyBytes() []byte { return f.chunk.data[f.at : f.at+f.key : f.at+f.key] }

func (f foundRow) valueBytes() []byte {
	at := f.at + f.key
	return f.chunk.data[at : at+f.value : at+f.value]
}

// Next moves to the next row.
func (w *recentWalk) Next() bool {
	w.at = min(w.at+1, len(w.rows))
	return w.at < len(w.rows)
}

func (w *recentWalk) inside() bool { return w.at >= 0 && w.at < len(w.rows) }

// Key is the current key.
func (w *recentWalk) Key() []byte {
	if !w.inside() {
		return nil
	}
	return w.rows[w.at].keyBytes()
}

// Start is that of the current row.
func (w *recentWalk) Start() int64 {
	if !w.inside() {
		return 0
	}
	return w.rows[w.at].start
}

// Value is the current value.
func (w *recentWalk) Value() []byte {
	if !w.inside() {
		return nil
	}
	return w.rows[w.at].valueBytes()
}

// Err is nil: memory does not fail.
func (w *recentWalk) Err() error { return nil }

// Close releases the walk. It can be called twice.
func (w *recentWalk) Close() error {
	if w.recent == nil {
		return nil
	}
	w.recent.open--
	clear(w.rows)
	w.recent.found = w.rows[:0]
	w.metrics.OpenIterators.Add(-1)
	*w = recentWalk{}
	return nil
}

// noWindows is a walk that finds nothing.
type noWindows struct{ emptyIterator }

// Start is never asked for.
func (noWindows) Start() int64 { return 0 }
