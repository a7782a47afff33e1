package abi

import "encoding/binary"

// Record is one record of a frame. Decoded slices are views into the frame.
type Record struct {
	// Key and Value: nil is null, an empty slice that is not nil is empty.
	Key, Value []byte
	// Headers is an encoded block of HeaderCount pairs (PairReader reads it).
	Headers     []byte
	HeaderCount int
	// Second and Third are the further arguments of functions that have them; nil is null.
	Second, Third []byte
	// Timestamp is in milliseconds since the epoch.
	Timestamp int64
	// Offset and Partition are the coordinates of the source record, in input frames; -1 if there is none.
	Offset    int64
	Partition int32
	// Index is the position in the input frame, or in an output frame that of the record it came from, or NoIndex.
	Index uint32
	// Dest is AllChildren or the number of a child, counted from 1; of a KindError record it is the Class.
	Dest uint32
	Kind uint8
	// Flags are the Keep flags.
	Flags uint8
}

// RecordSize is the number of bytes of a record whose parts have these lengths; -1 stands for null. headersLen is the
// length of the encoded block, a multiple of 8.
func RecordSize(keyLen, valueLen, headersLen int) int {
	return RecordHeaderSize + pad8(max(keyLen, 0)) + pad8(max(valueLen, 0)) + headersLen
}

// Size is the number of bytes that AppendRecord appends for r.
func (r *Record) Size() int { return RecordSize(len(r.Key), len(r.Value), len(r.Headers)) }

// AppendRecord appends r to a frame. Further headers may follow by AppendPair, ended by FinishHeaders.
func AppendRecord(dst []byte, r *Record) []byte {
	klen, vlen := uint32(len(r.Key)), uint32(len(r.Value))
	size := r.Size()
	dst, b := extend(dst, size)
	if r.Key == nil {
		klen = Null
	}
	if r.Value == nil {
		vlen = Null
	}
	le := binary.LittleEndian
	_ = b[RecordHeaderSize-1]
	le.PutUint64(b[RecLenAt:], uint64(uint32(size))|uint64(klen)<<32)
	le.PutUint64(b[RecValueLenAt:], uint64(vlen)|uint64(uint32(len(r.Headers)))<<32)
	le.PutUint64(b[RecTimestampAt:], uint64(r.Timestamp))
	le.PutUint64(b[RecOffsetAt:], uint64(r.Offset))
	le.PutUint64(b[RecIndexAt:], uint64(r.Index)|uint64(uint16(r.HeaderCount))<<32|uint64(r.Kind)<<48|uint64(r.Flags)<<56)
	le.PutUint64(b[RecDestAt:], uint64(r.Dest)|uint64(uint32(r.Partition))<<32)
	b = putPadded(b[RecordHeaderSize:], r.Key)
	b = putPadded(b, r.Value)
	copy(b, r.Headers)
	return dst
}

// CallSize is the number of bytes of a record with arguments; lengths as in RecordSize.
func CallSize(keyLen, valueLen, headersLen, secondLen, thirdLen int) int {
	return RecordSize(keyLen, valueLen, headersLen) + CallHeaderSize - RecordHeaderSize + pad8(max(secondLen, 0)) + pad8(max(thirdLen, 0))
}

// AppendCall appends r with its arguments to a frame with FrameHasArguments. Its headers are those of r.
func AppendCall(dst []byte, r *Record) []byte {
	start := len(dst)
	return AppendArguments(AppendRecord(dst, r), start, r.Second, r.Third)
}

// AppendArguments makes the record that begins at dst[start], with all its headers, one with arguments; nil is null.
func AppendArguments(dst []byte, start int, second, third []byte) []byte {
	parts := dst[start+RecordHeaderSize:]
	dst, arguments := extend(dst, CallHeaderSize-RecordHeaderSize+pad8(len(second))+pad8(len(third)))
	b := dst[start:]
	copy(b[CallHeaderSize:], parts)
	le := binary.LittleEndian
	le.PutUint32(b[RecLenAt:], uint32(len(b)))
	le.PutUint32(b[RecSecondLenAt:], lenOf(second))
	le.PutUint32(b[RecThirdLenAt:], lenOf(third))
	putPadded(putPadded(arguments[CallHeaderSize-RecordHeaderSize:], second), third)
	return dst
}

// lenOf is the length of a part as a header holds it.
func lenOf(part []byte) uint32 {
	if part == nil {
		return Null
	}
	return uint32(len(part))
}

// putPadded copies p to b, zero-fills up to a multiple of 8 and returns the rest of b.
func putPadded(b, p []byte) []byte {
	if len(p) == 0 {
		return b
	}
	n := pad8(len(p))
	binary.LittleEndian.PutUint64(b[n-8:], 0)
	copy(b, p)
	return b[n:]
}

// FinishHeaders counts the bytes behind the record that begins at dst[start] as its headers: count pairs, appended by
// AppendPair after an AppendRecord without headers.
func FinishHeaders(dst []byte, start, count int) {
	le, b := binary.LittleEndian, dst[start:]
	old := le.Uint32(b[RecLenAt:])
	le.PutUint32(b[RecLenAt:], uint32(len(b)))
	le.PutUint32(b[RecHeadersLenAt:], uint32(len(b))-old)
	le.PutUint16(b[RecHeaderCountAt:], uint16(count))
}

// FinishParts counts the bytes behind the record that begins at dst[start], which AppendRecord began without key, value and
// headers: keyLen bytes of key, valueLen of value, -1 for null. Both are multiples of 8. Headers may follow.
func FinishParts(dst []byte, start, keyLen, valueLen int) {
	le, b := binary.LittleEndian, dst[start:]
	le.PutUint32(b[RecLenAt:], uint32(len(b)))
	le.PutUint32(b[RecKeyLenAt:], uint32(keyLen))
	le.PutUint32(b[RecValueLenAt:], uint32(valueLen))
}

// AppendError appends an error record: input record index could not be processed because of message.
func AppendError(dst []byte, index uint32, class Class, message string) []byte {
	start := len(dst)
	dst = AppendRecord(dst, &Record{Index: index, Dest: uint32(class), Kind: KindError, Offset: -1, Partition: -1})
	dst, b := extend(dst, pad8(len(message)))
	clear(b)
	copy(b, message)
	h := dst[start:]
	binary.LittleEndian.PutUint32(h[RecLenAt:], uint32(len(h)))
	binary.LittleEndian.PutUint32(h[RecValueLenAt:], uint32(len(message)))
	return dst
}
