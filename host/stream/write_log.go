package stream

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// writeLog holds what a running call writes to one store: all writes in their order, and where the newest of each key
// is. They reach the store when the call has succeeded, and are forgotten when it has not: a store logs, caches and
// forwards what it is given, and none of that could be taken back. So a guest is never inside a store's own work either.
//
// Nothing is allocated once the memory is there. The zero value is ready for use.
type writeLog struct {
	bytes  []byte
	writes []pendingWrite
	// slots is a hash table: 1 + the position of the newest write of a key, 0 is free. Its length is a power of two and
	// at least twice the number of keys.
	slots []int32
	keys  int
	// sorted are the newest writes by key, from the first range of the call on.
	sorted  []int32
	ordered bool
}

// pendingWrite is a write: places in bytes.
type pendingWrite struct {
	hash       uint64
	slot       int32 // -1: no key finds it
	key, value int32 // where they begin
	klen, vlen int32 // vlen -1: deleted
}

var writeSeed = maphash.MakeSeed()

const (
	firstSlots = 64
	// keptLogBytes and keptLogWrites are the memory that a log keeps from call to call.
	keptLogBytes  = 1 << 20
	keptLogWrites = 16 << 10
)

// put notes that key now has value; nil deletes it.
func (l *writeLog) put(key, value []byte) {
	if 2*(l.keys+1) > len(l.slots) {
		l.growSlots()
	}
	w := l.keep(key, value)
	w.hash = maphash.Bytes(writeSeed, key)
	at, found := l.find(w.hash, key)
	w.slot = at
	before := l.slots[at] - 1
	l.writes = append(l.writes, w)
	l.slots[at] = int32(len(l.writes))
	if !found {
		l.keys++
	}
	if l.ordered {
		l.order(before, found)
	}
}

// pass notes a write that the store is to be given and that changes nothing: no read finds it.
func (l *writeLog) pass(key, value []byte) {
	w := l.keep(key, value)
	w.slot = -1
	l.writes = append(l.writes, w)
}

// keep copies the bytes of a write.
func (l *writeLog) keep(key, value []byte) pendingWrite {
	w := pendingWrite{key: int32(len(l.bytes)), klen: int32(len(key)), vlen: -1}
	l.bytes = append(l.bytes, key...)
	w.value = int32(len(l.bytes))
	if value != nil {
		w.vlen = int32(len(value))
		l.bytes = append(l.bytes, value...)
	}
	return w
}

// find returns the slot of key, or the free one where it belongs.
func (l *writeLog) find(hash uint64, key []byte) (slot int32, found bool) {
	mask := uint64(len(l.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		p := l.slots[i]
		if p == 0 {
			return int32(i), false
		}
		if w := &l.writes[p-1]; w.hash == hash && bytes.Equal(l.keyOf(w), key) {
			return int32(i), true
		}
	}
}

func (l *writeLog) growSlots() {
	l.slots = make([]int32, max(firstSlots, 2*len(l.slots)))
	mask := uint64(len(l.slots) - 1)
	for p := range l.writes {
		w := &l.writes[p]
		if w.slot < 0 {
			continue
		}
		i := w.hash & mask
		for l.slots[i] != 0 && !l.sameKey(&l.writes[l.slots[i]-1], w) {
			i = (i + 1) & mask
		}
		l.slots[i], w.slot = int32(p)+1, int32(i)
	}
}

func (l *writeLog) sameKey(a, b *pendingWrite) bool {
	return a.hash == b.hash && bytes.Equal(l.keyOf(a), l.keyOf(b))
}

func (l *writeLog) keyOf(w *pendingWrite) []byte { return l.bytes[w.key : w.key+w.klen : w.key+w.klen] }

// valueOf is the value of a write, nil if it deletes.
func (l *writeLog) valueOf(w *pendingWrite) []byte {
	if w.vlen < 0 {
		return nil
	}
	return l.bytes[w.value : w.value+w.vlen : w.value+w.vlen]
}

// get returns what was written of key last, and whether it was written at all; the value of a delete is nil. The bytes
// are borrowed until reset.
func (l *writeLog) get(key []byte) (value []byte, written bool) {
	if l.keys == 0 {
		return nil, false
	}
	at, found := l.find(maphash.Bytes(writeSeed, key), key)
	if !found {
		return nil, false
	}
	return l.valueOf(&l.writes[l.slots[at]-1]), true
}

// order brings the last write into sorted, in the place of the one before if its key had one.
func (l *writeLog) order(before int32, found bool) {
	last := int32(len(l.writes) - 1)
	at, _ := l.search(l.keyOf(&l.writes[last]))
	if found && l.sorted[at] == before {
		l.sorted[at] = last
		return
	}
	l.sorted = slices.Insert(l.sorted, at, last)
}

// search finds the place of key in sorted, and whether it is there.
func (l *writeLog) search(key []byte) (int, bool) {
	return slices.BinarySearchFunc(l.sorted, key, func(p int32, key []byte) int {
		return bytes.Compare(l.keyOf(&l.writes[p]), key)
	})
}

// neighbours are the newest writes of two keys among those that are as long as key, begin with the same n bytes and count:
// the last of them up to key and the first behind it, nil if there is none.
func (l *writeLog) neighbours(key []byte, n int, counts func(w *pendingWrite) bool) (before, after *pendingWrite) {
	if l.keys == 0 {
		return nil, nil
	}
	if !l.ordered {
		l.sortAll()
	}
	at, found := l.search(key)
	if found {
		at++
	}
	for i := at - 1; i >= 0 && before == nil && l.begins(i, key[:n]); i-- {
		before = l.ofLength(i, len(key), counts)
	}
	for i := at; i < len(l.sorted) && after == nil && l.begins(i, key[:n]); i++ {
		after = l.ofLength(i, len(key), counts)
	}
	return before, after
}

// begins tells whether the i-th key in order begins with prefix.
func (l *writeLog) begins(i int, prefix []byte) bool {
	return bytes.HasPrefix(l.keyOf(&l.writes[l.sorted[i]]), prefix)
}

// ofLength is the write of the i-th key in order, nil if the key is not n bytes long or the write does not count.
func (l *writeLog) ofLength(i, n int, counts func(w *pendingWrite) bool) *pendingWrite {
	w := &l.writes[l.sorted[i]]
	if int(w.klen) != n || !counts(w) {
		return nil
	}
	return w
}

// between are the newest writes with from <= key < to, in the order of their keys or the reverse, as of now; nil is an
// open end. The result is the caller's.
func (l *writeLog) between(from, to []byte, reverse bool) []int32 {
	if l.keys == 0 {
		return nil
	}
	if !l.ordered {
		l.sortAll()
	}
	first, end := 0, len(l.sorted)
	if from != nil {
		first, _ = l.search(from)
	}
	if to != nil {
		end, _ = l.search(to)
	}
	if first >= end {
		return nil
	}
	part := slices.Clone(l.sorted[first:end])
	if reverse {
		slices.Reverse(part)
	}
	return part
}

func (l *writeLog) sortAll() {
	l.ordered, l.sorted = true, l.sorted[:0]
	for _, p := range l.slots {
		if p != 0 {
			l.sorted = append(l.sorted, p-1)
		}
	}
	slices.SortFunc(l.sorted, func(a, b int32) int { return bytes.Compare(l.keyOf(&l.writes[a]), l.keyOf(&l.writes[b])) })
}

// reset forgets everything and keeps memory for the next call.
func (l *writeLog) reset() {
	if len(l.writes) == 0 {
		return
	}
	if len(l.writes) > keptLogWrites || cap(l.bytes) > keptLogBytes {
		*l = writeLog{}
		return
	}
	for i := range l.writes {
		if slot := l.writes[i].slot; slot >= 0 {
			l.slots[slot] = 0
		}
	}
	l.bytes, l.writes, l.sorted, l.keys, l.ordered = l.bytes[:0], l.writes[:0], l.sorted[:0], 0, false
}
