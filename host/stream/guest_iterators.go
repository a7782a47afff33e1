package stream

import (
	"bytes"
	"errors"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/state"
)

// guestIterators are the iterators that the running call has opened.
type guestIterators struct {
	open [maxIterators]guestIterator
}

// guestIterator walks over a store and what the running call has written to it, as both were when it was opened.
type guestIterator struct {
	it          state.Iterator // nil: the place is free
	timestamped bool
	reverse     bool
	left        int32 // pairs still to give, -1 without a limit
	// log and written are the writes that are not in the store yet, in the order of the walk.
	log     *writeLog
	written []int32
	ahead   bool // the store's iterator stands on a pair that was not given yet
	ended   bool // the store's iterator has no more
}

func (g *guestIterators) closeAll() {
	for i := range g.open {
		if it := g.open[i].it; it != nil {
			_ = it.Close() // the store tells its own faults
			g.open[i].it = nil
		}
	}
}

func (g *guestIterators) count() (n int) {
	for i := range g.open {
		if g.open[i].it != nil {
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
	free := slices.IndexFunc(g.iters.open[:], func(i guestIterator) bool { return i.it == nil })
	if free < 0 || g.iters.count() >= g.running.f.limits.Iterators {
		return int32(abi.Limit)
	}
	reverse := flags&abi.IterReverse != 0
	it, err := s.kv.Range(from, to, reverse)
	if errors.Is(err, state.ErrTooManyIterators) {
		return int32(abi.Limit)
	}
	if err != nil {
		return g.broken(err)
	}
	if limit == 0 {
		limit = -1
	}
	g.iters.open[free] = guestIterator{
		it: it, timestamped: s.timestamped != nil, reverse: reverse, left: limit, log: &s.log, written: s.log.between(from, to, reverse),
	}
	return int32(free)
}

func (g *guestInstance) iterator(id int32) *guestIterator {
	if g.running == nil || id < 0 || int(id) >= len(g.iters.open) || g.iters.open[id].it == nil {
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
	key, value, err := i.next()
	switch {
	case err != nil:
		return nil, nil, g.broken(err)
	case key == nil:
		return nil, nil, int32(abi.NotFound)
	}
	if i.left > 0 {
		i.left--
	}
	return key, value, 0
}

// next is the next pair of both; a nil key is the end.
func (i *guestIterator) next() (key, value []byte, err error) {
	for {
		if !i.ahead && !i.ended {
			i.ahead = i.it.Next()
			if i.ended = !i.ahead; i.ended && i.it.Err() != nil {
				return nil, nil, i.it.Err()
			}
		}
		if len(i.written) == 0 {
			return i.stored()
		}
		w := &i.log.writes[i.written[0]]
		order := -1
		if i.ahead {
			if order = bytes.Compare(i.log.keyOf(w), i.it.Key()); i.reverse {
				order = -order
			}
		}
		if order > 0 {
			return i.stored()
		}
		i.written = i.written[1:]
		if order == 0 {
			i.ahead = false
		}
		if w.vlen >= 0 {
			return i.log.keyOf(w), i.log.valueOf(w), nil
		}
	}
}

// stored is the pair that the store's iterator stands on.
func (i *guestIterator) stored() (key, value []byte, err error) {
	if !i.ahead {
		return nil, nil, nil
	}
	i.ahead = false
	if key, value = i.it.Key(), i.it.Value(); key == nil {
		key = []byte{}
	}
	if i.timestamped {
		value, _ = state.SplitTimestamped(value)
	}
	return key, value, nil
}

// IterClose implements wasm.Host.
func (g *guestInstance) IterClose(id int32) int32 {
	i := g.iterator(id)
	if i == nil {
		return int32(abi.InvalidArg)
	}
	err := i.it.Close()
	*i = guestIterator{}
	if err != nil {
		return g.broken(err)
	}
	return 0
}
