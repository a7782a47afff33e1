package state

import "unsafe"

// chunkSize is the unit in which the bytes of an overlay are allocated, keptChunks how many of them a store keeps from
// one transaction to the next.
const (
	chunkSize  = 32 << 10
	keptChunks = 16
)

// arena hands out bytes that stay valid until reset, and uses its chunks again after it.
type arena struct {
	chunks [][]byte
	chunk  int // the one in use
	used   int // bytes used in it
	large  int // bytes in allocations of their own
}

// alloc returns n bytes of undefined content; the capacity equals n.
func (a *arena) alloc(n int) []byte {
	if n > chunkSize/4 {
		a.large += n
		return make([]byte, n)
	}
	if len(a.chunks) > 0 && a.used+n > chunkSize {
		a.chunk++
		a.used = 0
	}
	if a.chunk == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, chunkSize))
	}
	b := a.chunks[a.chunk][a.used : a.used+n : a.used+n]
	a.used += n
	return b
}

// copy returns a copy of b that is not nil.
func (a *arena) copy(b []byte) []byte {
	c := a.alloc(len(b))
	copy(c, b)
	return c
}

// size is the memory held by what was handed out, in bytes.
func (a *arena) size() int64 {
	return int64(a.chunk)*chunkSize + int64(a.used) + int64(a.large)
}

func (a *arena) reset() {
	if len(a.chunks) > keptChunks {
		clear(a.chunks[keptChunks:])
		a.chunks = a.chunks[:keptChunks]
	}
	a.chunk, a.used, a.large = 0, 0, 0
}

// slab hands out zeroed values one by one from chunks that are used again after reset.
type slab[T any] struct {
	chunks [][]T
	n      int // values handed out
}

const slabSize = 256

func (s *slab[T]) take() *T {
	if s.n == len(s.chunks)*slabSize {
		s.chunks = append(s.chunks, make([]T, slabSize))
	}
	v := s.at(s.n)
	s.n++
	return v
}

// at is the i-th value taken.
func (s *slab[T]) at(i int) *T { return &s.chunks[i/slabSize][i%slabSize] }

// reset takes all values back and keeps the memory of at most keep of them.
func (s *slab[T]) reset(keep int) {
	if n := max(1, keep/slabSize); len(s.chunks) > n {
		clear(s.chunks[n:])
		s.chunks = s.chunks[:n]
	}
	for i := 0; i*slabSize < s.n && i < len(s.chunks); i++ {
		clear(s.chunks[i])
	}
	s.n = 0
}

// stringOf is b as a string without a copy, for the key of a map. No one may write to b while the map has it.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
