package state

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tidwall/btree"
)

// memory is pairs that live in memory.
type memory interface {
	pairs
	// unshare makes the pairs safe to write while iterators read them.
	unshare()
	set(keyHead, key, head, tail []byte)
	delete(keyHead, key []byte)
}

// memoryPair is one committed pair in memory. Its bytes are its own.
type memoryPair struct{ key, value []byte }

// memoryPairs are the committed pairs of a store in memory: a B-tree. A commit while iterators are open goes on with a
// copy of the tree, which shares what it does not change, and replaces pairs instead of changing them.
type memoryPairs struct {
	tree  *btree.BTreeG[*memoryPair]
	probe memoryPair
	key   []byte // scratch
	iters int    // open iterators
}

func newMemoryPairs() *memoryPairs {
	less := func(a, b *memoryPair) bool { return bytes.Compare(a.key, b.key) < 0 }
	return &memoryPairs{tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// find returns the pair of key, or nil.
func (m *memoryPairs) find(key []byte) *memoryPair {
	m.probe.key = key
	p, _ := m.tree.Get(&m.probe)
	m.probe.key = nil
	return p
}

func (m *memoryPairs) get(key []byte) ([]byte, error) {
	if p := m.find(key); p != nil {
		return p.value, nil
	}
	return nil, nil
}

func (m *memoryPairs) iterate(from, to []byte, reverse bool) (Iterator, error) {
	i := &memoryIterator{pairs: m, from: from, to: to, reverse: reverse}
	i.iter.Init(m.tree, false)
	m.iters++
	return i, nil
}

func (m *memoryPairs) stage(*pebble.Batch, *overlay) error { return nil }

func (m *memoryPairs) committed(o *overlay) {
	m.unshare()
	_ = o.each(func(e *overlayEntry) error {
		if e.deleted {
			m.delete(nil, e.key)
		} else {
			m.set(nil, e.key, nil, e.value)
		}
		return nil
	})
}

// delete removes keyHead|key.
func (m *memoryPairs) delete(keyHead, key []byte) {
	m.probe.key = m.join(keyHead, key)
	m.tree.Delete(&m.probe)
	m.probe.key = nil
}

// join returns keyHead|key, borrowed until the next call.
func (m *memoryPairs) join(keyHead, key []byte) []byte {
	if len(keyHead) == 0 {
		return key
	}
	m.key = append(append(m.key[:0], keyHead...), key...)
	return m.key
}

// set stores keyHead|key -> head|tail. A value of the same length is written in place if no one can be reading it.
func (m *memoryPairs) set(keyHead, key, head, tail []byte) {
	key = m.join(keyHead, key)
	size := len(head) + len(tail)
	if p := m.find(key); p != nil && len(p.value) == size && m.iters == 0 {
		copy(p.value[copy(p.value, head):], tail)
		return
	}
	buf := make([]byte, len(key)+size)
	n := copy(buf, key)
	copy(buf[n+copy(buf[n:], head):], tail)
	m.tree.Set(&memoryPair{key: buf[:n:n], value: buf[n:]})
}

// unshare makes the tree safe to write while iterators read it.
func (m *memoryPairs) unshare() {
	if m.iters > 0 {
		m.tree = m.tree.Copy()
	}
}

func (m *memoryPairs) count() int64 { return int64(m.tree.Len()) }

func (m *memoryPairs) close() { m.tree = newMemoryPairs().tree }

// memoryIterator walks over a tree.
type memoryIterator struct {
	pairs    *memoryPairs
	iter     btree.IterG[*memoryPair]
	from, to []byte
	reverse  bool
	started  bool
	done     bool
	at       *memoryPair
}

func (i *memoryIterator) Next() bool {
	if i.done || !i.step() {
		i.done = true
		return false
	}
	i.at = i.iter.Item()
	if i.reverse && i.from != nil && bytes.Compare(i.at.key, i.from) < 0 ||
		!i.reverse && i.to != nil && bytes.Compare(i.at.key, i.to) >= 0 {
		i.done = true
		return false
	}
	return true
}

func (i *memoryIterator) step() bool {
	switch {
	case i.started && i.reverse:
		return i.iter.Prev()
	case i.started:
		return i.iter.Next()
	}
	i.started = true
	switch {
	case !i.reverse && i.from == nil:
		return i.iter.First()
	case !i.reverse:
		return i.iter.Seek(&memoryPair{key: i.from})
	case i.to == nil || !i.iter.Seek(&memoryPair{key: i.to}):
		return i.iter.Last()
	}
	return i.iter.Prev()
}

func (i *memoryIterator) Key() []byte   { return i.at.key }
func (i *memoryIterator) Value() []byte { return i.at.value }
func (i *memoryIterator) Err() error    { return nil }

func (i *memoryIterator) Close() error {
	if i.pairs != nil {
		i.pairs.iters--
		i.iter.Release()
		i.pairs, i.done, i.at = nil, true, nil
	}
	return nil
}
