package wasmstream

import "unsafe"

// The layout of frames and records and the numbers of the contract, as in abi/SPEC.md.
const (
	frameMagic   = 'W' | 'S'<<8 | 'B'<<16 | '1'<<24
	openMagic    = 'W' | 'S'<<8 | 'O'<<16 | '1'<<24
	frameHdrSize = 64
	recHdrSize   = 48
	callHdrSize  = 56 // of records with arguments
	pairHdrSize  = 8

	null    = 0xFFFFFFFF
	noIndex = 0xFFFFFFFF

	keepKey       = 1
	keepValue     = 2
	keepHeaders   = 4
	keepTimestamp = 8
	keepPlace     = 16 // in answers of plugins of Connect
	keepAll       = keepKey | keepValue | keepHeaders | keepTimestamp

	kindRecord = 0
	kindError  = 1

	frameHasAux  = 4
	frameHasArgs = 8

	maxFrameRecords = 100_000
)

// Offsets in the headers of frames and records.
const (
	frameLenAt     = 8
	frameCountAt   = 12
	frameFlagsAt   = 16
	frameAuxOffAt  = 20
	frameAuxLenAt  = 24
	framePartAt    = 32
	frameTimeAt    = 40
	frameEpochAt   = 48
	recKeyLenAt    = 4
	recValueLenAt  = 8
	recHdrsLenAt   = 12
	recTimestampAt = 16
	recOffsetAt    = 24
	recIndexAt     = 32
	recHdrCountAt  = 36
	recKindAt      = 38
	recFlagsAt     = 39
	recDestAt      = 40
	recPartitionAt = 44
	recSecondLenAt = 48
	recThirdLenAt  = 52
)

// Frames come from the host, which is trusted, and are read and written without bounds checks. Both sides of the
// contract are little-endian; so are wasm and the platforms that guests are tested on.

func load16(p unsafe.Pointer, off uintptr) uint16 { return *(*uint16)(unsafe.Add(p, off)) }
func load32(p unsafe.Pointer, off uintptr) uint32 { return *(*uint32)(unsafe.Add(p, off)) }
func load64(p unsafe.Pointer, off uintptr) uint64 { return *(*uint64)(unsafe.Add(p, off)) }

func store32(p unsafe.Pointer, off uintptr, v uint32) { *(*uint32)(unsafe.Add(p, off)) = v }
func store64(p unsafe.Pointer, off uintptr, v uint64) { *(*uint64)(unsafe.Add(p, off)) = v }

// pad8 rounds n up to a multiple of 8.
func pad8(n int) int { return (n + 7) &^ 7 }

// view is the n bytes at p, or nil if n is the length of null.
func view(p unsafe.Pointer, n uint32) []byte {
	if n == null {
		return nil
	}
	return unsafe.Slice((*byte)(p), int(n))
}

// same tells whether a and b are the same bytes in memory, not merely equal ones.
func same(a, b []byte) bool {
	return unsafe.SliceData(a) == unsafe.SliceData(b) && len(a) == len(b)
}

// lenOf is the length as it stands in a header: null for nil.
func lenOf(b []byte) uint32 {
	if b == nil {
		return null
	}
	return uint32(len(b))
}

// aligned is a buffer of n bytes that begins at a multiple of 8. A word behind its end belongs to the same memory, so
// that a pointer to the end of the buffer stays inside.
func aligned(n int) []byte {
	words := make([]uint64, (n+7)/8+1)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// addTo is the place n bytes behind p.
func addTo(p unsafe.Pointer, n int) unsafe.Pointer { return unsafe.Add(p, n) }

// putWords copies b, a multiple of 8 bytes, to p and returns the place behind. A few words are quicker one by one than
// by a call of the runtime.
func putWords(p unsafe.Pointer, b []byte) unsafe.Pointer {
	const few = 128
	if len(b) > few {
		return putPadded(p, b)
	}
	from := unsafe.Pointer(unsafe.SliceData(b))
	for i := uintptr(0); i < uintptr(len(b)); i += 8 {
		store64(p, i, load64(from, i))
	}
	return unsafe.Add(p, len(b))
}

// putPadded copies b to p and fills up with zeros to a multiple of 8; it returns the place behind. b is not empty.
func putPadded(p unsafe.Pointer, b []byte) unsafe.Pointer {
	n := pad8(len(b))
	store64(p, uintptr(n-8), 0)
	copy(unsafe.Slice((*byte)(p), len(b)), b)
	return unsafe.Add(p, n)
}

// appendPair appends {u32 klen, u32 vlen, key, value, zeros up to a multiple of 8}.
func appendPair(dst []byte, key, value []byte) []byte {
	k, v := uint32(len(key)), lenOf(value)
	dst = append(dst, byte(k), byte(k>>8), byte(k>>16), byte(k>>24), byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	dst = append(dst, key...)
	dst = append(dst, value...)
	for n := len(key) + len(value); n&7 != 0; n++ {
		dst = append(dst, 0)
	}
	return dst
}

// nextPair cuts the first pair off block, which holds it whole.
func nextPair(block []byte) (key, value, rest []byte) {
	p := unsafe.Pointer(unsafe.SliceData(block))
	k, v := int(load32(p, 0)), load32(p, 4)
	n := k
	if v != null {
		n += int(v)
		value = block[pairHdrSize+k : pairHdrSize+n : pairHdrSize+n]
	}
	return block[pairHdrSize : pairHdrSize+k : pairHdrSize+k], value, block[pairHdrSize+pad8(n):]
}
