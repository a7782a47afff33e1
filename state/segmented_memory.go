package state

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// segmentedPairs are the committed rows of a windowed store in memory: a tree for each prefix (segments), so that a
// segment is dropped whole.
type segmentedPairs struct {
	parts []memorySegment // in the order of their prefixes
	key   []byte          // scratch
	spare *segmentedIterator
}

type memorySegment struct {
	prefix uint64
	pairs  *memoryPairs
}

// find returns where the part of prefix is or belongs.
func (m *segmentedPairs) find(prefix uint64) (int, bool) {
	return slices.BinarySearchFunc(m.parts, prefix, func(p memorySegment, prefix uint64) int {
		switch {
		case p.prefix < prefix:
			return -1
		case p.prefix > prefix:
			return 1
		}
		return 0
	})
}

// part is that of a whole physical key, or nil.
func (m *segmentedPairs) part(key []byte) *memoryPairs {
	if i, ok := m.find(binary.BigEndian.Uint64(key)); ok {
		return m.parts[i].pairs
	}
	return nil
}

func (m *segmentedPairs) get(key []byte) ([]byte, error) {
	if len(key) >= segmentPrefix {
		if p := m.part(key); p != nil {
			return p.get(key)
		}
	}
	return nil, nil
}

func (m *segmentedPairs) set(keyHead, key, head, tail []byte) {
	m.key = append(append(m.key[:0], keyHead...), key...)
	prefix := binary.BigEndian.Uint64(m.key)
	i, ok := m.find(prefix)
	if !ok {
		part := newMemoryPairs()
		if prefix != latestPrefix { // versions that do not expire come and go one by one
			part.whole = &memoryArena{}
		}
		m.parts = slices.Insert(m.parts, i, memorySegment{prefix, part})
	}
	m.parts[i].pairs.set(nil, m.key, head, tail)
}

func (m *segmentedPairs) delete(keyHead, key []byte) {
	m.key = append(append(m.key[:0], keyHead...), key...)
	if p := m.part(m.key); p != nil {
		p.delete(nil, m.key)
	}
}

func (m *segmentedPairs) stage(*pebble.Batch, *overlay) error { return nil }

func (m *segmentedPairs) committed(o *overlay) {
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

func (m *segmentedPairs) unshare() {
	for _, p := range m.parts {
		p.pairs.unshare()
	}
}

// dropBelow forgets all parts whose keys lie before to.
func (m *segmentedPairs) dropBelow(to []byte) {
	i, _ := m.find(binary.BigEndian.Uint64(to))
	m.parts = slices.Delete(m.parts, 0, i)
}

func (m *segmentedPairs) count() (n int64) {
	for _, p := range m.parts {
		n += p.pairs.count()
	}
	return n
}

func (m *segmentedPairs) close() { m.parts = nil }

func (m *segmentedPairs) release() {}

// iterate walks over spans that each lie in one segment.
func (m *segmentedPairs) iterate(spans []keySpan, reverse bool) (spanIterator, error) {
	i := m.spare
	if i == nil {
		i = &segmentedIterator{}
	}
	m.spare = nil
	*i = segmentedIterator{pairs: m, parts: i.parts[:0]}
	for n := range spans {
		if p := m.part(spans[n].from); p != nil {
			part, _ := p.iterate(spans[n:n+1], reverse) // in memory, it does not fail
			i.parts = append(i.parts, part)
		}
	}
	if reverse {
		slices.Reverse(i.parts)
	}
	return i, nil
}

// segmentedIterator walks over one part after the other.
type segmentedIterator struct {
	pairs *segmentedPairs
	parts []spanIterator
	n     int
}

func (i *segmentedIterator) Next() bool {
	for ; i.n < len(i.parts); i.n++ {
		if i.parts[i.n].Next() {
			return true
		}
	}
	return false
}

func (i *segmentedIterator) Key() []byte   { return i.parts[i.n].Key() }
func (i *segmentedIterator) Value() []byte { return i.parts[i.n].Value() }
func (i *segmentedIterator) Err() error    { return nil }

func (i *segmentedIterator) close() error {
	m := i.pairs
	if m == nil {
		return nil
	}
	for _, p := range i.parts {
		_ = p.close() // in memory, it does not fail
	}
	clear(i.parts)
	*i = segmentedIterator{parts: i.parts[:0]}
	m.spare = i
	return nil
}
