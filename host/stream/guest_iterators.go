package stream

import (
	"errors"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/state"
)

// guestIterators are the iterators that the running call has opened.
type guestIterators struct {
	open [maxIterators]guestIterator
}

// guestIterator is a walk over a store, as the guest sees it.
type guestIterator struct {
	walk  mergedWalk // without an iterator the place is free
	store *guestStore
	left  int32 // pairs still to give, -1 without a limit
}

// mergedWalk walks over a store and what the running call has written to it, as both were when it was opened.
type mergedWalk struct {
	it      state.Iterator
	reverse bool
	// log and written are the writes that are not in the store yet, in the order of the walk.
	log     *writeLog
	written []int32
	compare func(a, b []byte) int // of keys
	// duplicates: a write does not replace the row of its key but comes after it, and has a number behind its key.
	duplicates bool
	ahead      bool // the store's iterator stands on a pair that was not given yet
	ended      bool // the store's iterator has no more
}

func (g *guestIterators) closeAll() {
	for i := range g.open {
		if it := g.open[i].walk.it; it != nil {
			_ = it.Close() // the store tells its own faults
			g.open[i] = guestIterator{}
		}
	}
}

func (g *guestIterators) count() (n int) {
	for i := range g.open {
		if g.open[i].walk.it != nil {
			n++
		}
	}
	return n
}

// IterOpen implements wasm.Host.
func (g *guestInstance) IterOpen(store int32, from, to []byte, flags, limit int32) int32 {
	s := g.store(store)
	if s == nil || flags&^abi.IterReverse != 0 || limit < 0 {
		return int32(abi.InvalidArg)
	}
	rows, ok := s.rows.(*keyValueRows)
	if !ok {
		return int32(abi.Unsupported)
	}
	return g.iterate(s, limit, func() (mergedWalk, error) {
		return rows.between(&s.log, from, to, flags&abi.IterReverse != 0)
	})
}

// IterOpenSpan implements wasm.Host.
func (g *guestInstance) IterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32 {
	s := g.store(store)
	if s == nil || flags&^abi.IterReverse != 0 || limit < 0 {
		return int32(abi.InvalidArg)
	}
	rows, ok := s.rows.(spanned)
	if !ok {
		return int32(abi.Unsupported)
	}
	span := rowSpan{keyFrom: keyFrom, keyTo: keyTo, from: from, to: to, reverse: flags&abi.IterReverse != 0}
	if s.kind == abi.VersionedStore && !span.exact() {
		return int32(abi.InvalidArg)
	}
	return g.iterate(s, limit, func() (mergedWalk, error) { return rows.span(&s.log, &span) })
}

// iterate opens an iterator, within the bound on them.
func (g *guestInstance) iterate(s *guestStore, limit int32, open func() (mergedWalk, error)) int32 {
	free := slices.IndexFunc(g.iters.open[:], func(i guestIterator) bool { return i.walk.it == nil })
	if free < 0 || g.iters.count() >= g.running.f.limits.Iterators {
		return int32(abi.Limit)
	}
	walk, err := open()
	if errors.Is(err, state.ErrTooManyIterators) {
		return int32(abi.Limit)
	}
	if err != nil {
		return g.broken(err)
	}
	if limit == 0 {
		limit = -1
	}
	g.iters.open[free] = guestIterator{walk: walk, store: s, left: limit}
	return int32(free)
}

func (g *guestInstance) iterator(id int32) *guestIterator {
	if g.running == nil || id < 0 || int(id) >= len(g.iters.open) || g.iters.open[id].walk.it == nil {
		return nil
	}
	return &g.iters.open[id]
}

// IterNext implements wasm.Host.
func (g *guestInstance) IterNext(id int32) (key, value []byte, code int32) {
	i := g.iterator(id)
	if i == nil {
		return nil, nil, int32(abi.InvalidArg)
	}
	if i.left == 0 {
		return nil, nil, int32(abi.NotFound)
	}
	key, value, err := i.walk.next()
	switch {
	case err != nil:
		return nil, nil, g.broken(err)
	case key == nil:
		return nil, nil, int32(abi.NotFound)
	}
	if i.left > 0 {
		i.left--
	}
	return key, i.store.outward(value), 0
}

// next is the next pair of both; a nil key is the end.
func (m *mergedWalk) next() (key, value []byte, err error) {
	for {
		if !m.ahead && !m.ended {
			m.ahead = m.it.Next()
			if m.ended = !m.ahead; m.ended && m.it.Err() != nil {
				return nil, nil, m.it.Err()
			}
		}
		if len(m.written) == 0 {
			return m.stored()
		}
		w := &m.log.writes[m.written[0]]
		key := m.keyOf(w)
		order := m.order(key)
		if order > 0 {
			return m.stored()
		}
		m.written = m.written[1:]
		if order == 0 {
			m.ahead = false
		}
		if w.vlen >= 0 {
			return key, m.log.valueOf(w), nil
		}
	}
}

// keyOf is the key of a write as the guest sees it.
func (m *mergedWalk) keyOf(w *pendingWrite) []byte {
	key := m.log.keyOf(w)
	if m.duplicates {
		key = key[:len(key)-seqSize]
	}
	return key
}

// order is below 0 if a write of key comes before the pair that the store's iterator stands on, and 0 if it replaces it.
func (m *mergedWalk) order(key []byte) int {
	if !m.ahead {
		return -1
	}
	order := m.compare(key, m.it.Key())
	if order == 0 && m.duplicates {
		order = 1
	}
	if m.reverse {
		order = -order
	}
	return order
}

// stored is the pair that the store's iterator stands on.
func (m *mergedWalk) stored() (key, value []byte, err error) {
	if !m.ahead {
		return nil, nil, nil
	}
	m.ahead = false
	if key, value = m.it.Key(), m.it.Value(); key == nil {
		key = []byte{}
	}
	return key, value, nil
}

// IterClose implements wasm.Host.
func (g *guestInstance) IterClose(id int32) int32 {
	i := g.iterator(id)
	if i == nil {
		return int32(abi.InvalidArg)
	}
	err := i.walk.it.Close()
	*i = guestIterator{}
	if err != nil {
		return g.broken(err)
	}
	return 0
}
