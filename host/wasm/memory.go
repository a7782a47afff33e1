package wasm

import "github.com/tetratelabs/wazero/experimental"

// linearMemory is the memory of one instance, grown in place while its capacity lasts and by doubling beyond. wazero
// bounds memory for a whole runtime only; this bounds it for the instance.
type linearMemory struct {
	buf    []byte
	limit  uint64
	denied bool // a growth was refused; cleared at the start of a call
}

const growPiece = 1 << 20

// Allocate implements experimental.MemoryAllocator.
func (m *linearMemory) Allocate(capacity, _ uint64) experimental.LinearMemory {
	m.buf = make([]byte, 0, min(capacity, m.limit))
	return m
}

// Reallocate implements experimental.LinearMemory; nil makes memory.grow answer -1.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.denied = true
		return nil
	}
	if size <= uint64(cap(m.buf)) {
		m.buf = m.buf[:size]
		return m.buf
	}
	grown := make([]byte, size, min(max(size, 2*uint64(cap(m.buf))), m.limit))
	for at := 0; at < len(m.buf); at += growPiece { // a copy as a whole could not be stopped for a garbage collection
		copy(grown[at:], m.buf[at:min(at+growPiece, len(m.buf))])
	}
	m.buf = grown
	return m.buf
}

// Free implements experimental.LinearMemory.
func (m *linearMemory) Free() { m.buf = nil }
