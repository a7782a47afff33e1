package abi

import "encoding/binary"

// pairHeaderSize is the size of the two lengths before a pair's bytes.
const pairHeaderSize = 8

// A block of pairs is {u32 klen, u32 vlen, key, value, zeros up to a multiple of 8}, repeated. Record headers, aux
// blocks, open frames and the blocks of the state imports all have this form.

// PairSize is the number of bytes of a pair; a valueLen of -1 stands for null.
func PairSize(keyLen, valueLen int) int { return pairHeaderSize + pad8(keyLen+max(valueLen, 0)) }

// AppendPair appends a pair with a value that is not null.
func AppendPair[K, V ~string | ~[]byte](dst []byte, key K, value V) []byte {
	n := len(key) + len(value)
	dst, b := extend(dst, pairHeaderSize+pad8(n))
	binary.LittleEndian.PutUint64(b, uint64(uint32(len(key)))|uint64(uint32(len(value)))<<32)
	if n == 0 {
		return dst
	}
	binary.LittleEndian.PutUint64(b[len(b)-8:], 0)
	copy(b[pairHeaderSize:], key)
	copy(b[pairHeaderSize+len(key):], value)
	return dst
}

// AppendNullPair appends a pair whose value is null.
func AppendNullPair[K ~string | ~[]byte](dst []byte, key K) []byte {
	at := len(dst)
	dst = AppendPair(dst, key, "")
	binary.LittleEndian.PutUint32(dst[at+4:], Null)
	return dst
}

// PairReader walks over a block of pairs without allocating. The zero value reads an empty block.
type PairReader struct {
	rest []byte
	bad  bool
}

// ReadPairs returns a reader of block. The views it gives live as long as block.
func ReadPairs(block []byte) PairReader { return PairReader{rest: block} }

// Next returns the next pair; a null value is nil. ok is false at the end and at the first fault (Err).
func (p *PairReader) Next() (key, value []byte, ok bool) {
	if len(p.rest) == 0 || p.bad {
		return nil, nil, false
	}
	klen, size, ok := pairAt(p.rest)
	if !ok {
		p.bad = true
		return nil, nil, false
	}
	key = p.rest[pairHeaderSize : pairHeaderSize+klen : pairHeaderSize+klen]
	if vlen := binary.LittleEndian.Uint32(p.rest[4:]); vlen != Null {
		at := pairHeaderSize + klen
		value = p.rest[at : at+int(vlen) : at+int(vlen)]
	}
	p.rest = p.rest[size:]
	return key, value, true
}

// Err says whether the reader stopped before the end, at a pair that reaches beyond the block.
func (p *PairReader) Err() error {
	if p.bad {
		return &FrameError{Clause: "PAIR-1", Record: -1, What: "a pair reaches beyond its block"}
	}
	return nil
}

// pairAt returns the length of the key and the size of the first pair of b, or false if b does not hold it whole.
func pairAt(b []byte) (klen, size int, ok bool) {
	if len(b) < pairHeaderSize {
		return 0, 0, false
	}
	le := binary.LittleEndian
	k, v := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:]))
	if uint32(v) == Null {
		v = 0
	}
	n := pairHeaderSize + (k+v+7)&^7
	if n > uint64(len(b)) {
		return 0, 0, false
	}
	return int(k), int(n), true
}

// countPairs returns the number of pairs in block, or -1 if it does not parse to its very end.
func countPairs(block []byte) int {
	n := 0
	for len(block) > 0 {
		_, size, ok := pairAt(block)
		if !ok {
			return -1
		}
		block = block[size:]
		n++
	}
	return n
}
