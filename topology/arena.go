package topology

// arenaChunk is large enough that the chunk allocation disappears per record and small enough that a record that is
// kept for long pins little.
const arenaChunk = 64 << 10

// Arena hands out immutable copies of bytes from large chunks, so that making a record costs no allocation of its own.
// Chunks are never reused: the garbage collector frees one when the last slice into it is gone. The zero value is
// ready for use. An Arena belongs to one goroutine.
type Arena struct {
	free   []byte
	extras []Extra
}

// Copy returns a copy of b that is never nil, also for an empty b.
func (a *Arena) Copy(b []byte) []byte {
	dst := a.Alloc(len(b))
	copy(dst, b)
	return dst
}

// Alloc returns n zeroed bytes for the caller to fill before it hands them on. The capacity equals n.
func (a *Arena) Alloc(n int) []byte {
	if n > arenaChunk/4 {
		return make([]byte, n)
	}
	if n > len(a.free) || a.free == nil {
		a.free = make([]byte, arenaChunk)
	}
	dst := a.free[:n:n]
	a.free = a.free[n:]
	return dst
}
