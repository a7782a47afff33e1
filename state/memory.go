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
	// view reads the same pairs beside their owner, who may not write meanwhile.
	view() memory
}

// memoryPair is one committed pair in memory. Its bytes are its own.
// They lie in one buffer, which is the capacity of key.
type memoryPair struct{ key, value []byte }

// memoryArena holds pairs that are given up together.
type memoryArena struct {
	pairs slab[memoryPair]
	mem   arena
}

// memoryPairs are the committed pairs of a store in memory: a B-tree. A commit while iterators are open goes on with a
// copy of the tree, which shares what it does not change, and replaces pairs instead of changing them.
type memoryPairs struct {
	tree  *btree.BTreeG[*memoryPair]
	probe memoryPair
	key   []byte // scratch
	iters int    // open iterators
	spare *memoryIterator
	free  *memoryPair  // deleted, to be used again
	whole *memoryArena // where pairs lie that are dropped all at once; nil: each by itself
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

func (m *memoryPairs) iterate(spans []keySpan, reverse bool) (spanIterator, error) {
	i := m.spare
	if i == nil {
		i = &memoryIterator{}
	}
	m.spare = nil
	*i = memoryIterator{pairs: m, spans: spans, reverse: reverse, iter: i.iter}
	i.iter.Init(m.tree, false)
	m.iters++
	return i, nil
}

func (m *memoryPairs) release() {}

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
	p, ok := m.tree.Delete(&m.probe)
	m.probe.key = nil
	if ok && m.iters == 0 {
		m.free = p
	}
}

// take returns an unlinked pair with room for n bytes, which are those of its key.
func (m *memoryPairs) take(n int) *memoryPair {
	if p := m.free; p != nil && cap(p.key) >= n && m.iters == 0 {
		m.free = nil
		p.key = p.key[:n]
		return p
	}
	if m.whole == nil {
		return &memoryPair{key: make([]byte, n)}
	}
	p := m.whole.pairs.take()
	p.key = m.whole.mem.alloc(n)
	return p
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
	p := m.take(len(key) + size)
	n := copy(p.key, key)
	p.key, p.value = p.key[:n], p.key[n:]
	copy(p.value[copy(p.value, head):], tail)
	m.tree.Set(p)
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
	pairs   *memoryPairs
	iter    btree.IterG[*memoryPair]
	spans   []keySpan // still to come
	span    keySpan
	reverse bool
	inside  bool // in a span
	started bool // the iterator stands somewhere in it
	at      *memoryPair
	probe   memoryPair
}

func (i *memoryIterator) Next() bool {
	for i.pairs != nil {
		if i.inside && i.step() {
			return true
		}
		if i.inside = len(i.spans) > 0; !i.inside {
			break
		}
		i.span, i.spans = nextSpan(i.spans, i.reverse)
		i.started = false
	}
	i.at = nil
	return false
}

// step moves inside the span.
func (i *memoryIterator) step() bool {
	if !i.move() {
		return false
	}
	i.at = i.iter.Item()
	if i.reverse {
		return i.span.from == nil || bytes.Compare(i.at.key, i.span.from) >= 0
	}
	return i.span.to == nil || bytes.Compare(i.at.key, i.span.to) < 0
}

func (i *memoryIterator) move() bool {
	switch {
	case i.started && i.reverse:
		return i.iter.Prev()
	case i.started:
		return i.iter.Next()
	}
	i.started = true
	switch {
	case !i.reverse && i.span.from == nil:
		return i.iter.First()
	case !i.reverse:
		return i.seek(i.span.from)
	case i.span.to == nil || !i.seek(i.span.to):
		return i.iter.Last()
	}
	return i.iter.Prev()
}

func (i *memoryIterator) seek(key []byte) bool {
	i.probe.key = key
	return i.iter.Seek(&i.probe)
}

func (i *memoryIterator) Key() []byte   { return i.at.key }
func (i *memoryIterator) Value() []byte { return i.at.value }
func (i *memoryIterator) Err() error    { return nil }

func (i *memoryIterator) close() error {
	if m := i.pairs; m != nil {
		m.iters--
		i.iter.Release()
		*i = memoryIterator{iter: i.iter}
		m.spare = i
	}
	return nil
}
