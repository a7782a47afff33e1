package wasmstream

import "unsafe"

// Record is a record on its way through a component. As input its slices are borrowed and read-only; a component may
// set the fields of the record it is given to other slices.
type Record struct {
	// Key and Value are the serialised bytes: nil is Kafka's null, an empty slice that is not nil is an empty value.
	// A part that the component does not want (Wants) is nil, and stays what it is when the record is handed on.
	Key, Value []byte
	// Headers are the record's headers, in order.
	Headers Headers
	// Timestamp is in milliseconds since the epoch.
	Timestamp int64

	offset    int64
	partition int32
	index     uint32
	dest      uint32

	// The arguments of functions that have them.
	second, third []byte
}

// Offset is the offset of the source record behind this one, -1 if there is none.
func (r *Record) Offset() int64 { return r.offset }

// Partition is the partition of the source record behind this one, -1 if there is none.
func (r *Record) Partition() int32 { return r.partition }

// Headers is a list of record headers in the form of the boundary. The zero value is an empty list.
type Headers struct {
	block []byte
	count int
}

// Len is the number of headers.
func (h Headers) Len() int { return h.count }

// All calls yield with each header in order until it returns false; it has the form of a range function. A null value
// is nil.
func (h Headers) All(yield func(key, value []byte) bool) {
	for block := h.block; len(block) > 0; {
		var k, v []byte
		k, v, block = nextPair(block)
		if !yield(k, v) {
			return
		}
	}
}

// Last is the value of the last header called key, as Kafka's lastHeader. ok tells whether there is one.
func (h Headers) Last(key string) (value []byte, ok bool) {
	for block := h.block; len(block) > 0; {
		var k, v []byte
		k, v, block = nextPair(block)
		if string(k) == key {
			value, ok = v, true
		}
	}
	return value, ok
}

// HeaderBuilder makes Headers in a buffer that is used again after Reset.
type HeaderBuilder struct {
	h Headers
}

// Reset empties the list. Headers made before are overwritten by the next Add.
func (b *HeaderBuilder) Reset() { b.h.block, b.h.count = b.h.block[:0], 0 }

// AddAll appends all of h.
func (b *HeaderBuilder) AddAll(h Headers) {
	b.h.block = append(b.h.block, h.block...)
	b.h.count += h.count
}

// Add appends one header; a nil value is null.
func (b *HeaderBuilder) Add(key string, value []byte) {
	b.h.block = appendPair(b.h.block, unsafe.Slice(unsafe.StringData(key), len(key)), value)
	b.h.count++
}

// Headers is the list so far, valid until the next Reset.
func (b *HeaderBuilder) Headers() Headers { return b.h }

// frameReader walks over the records of an input frame.
type frameReader struct {
	next   unsafe.Pointer
	hdr    uintptr // length of the frame's header
	recHdr uintptr
	left   uint32
	index  uint32
	args   bool // records have arguments
}

// openFrame is false if frame is no frame.
func (f *frameReader) open(frame []byte) bool {
	if len(frame) < frameHdrSize {
		return false
	}
	p := unsafe.Pointer(unsafe.SliceData(frame))
	if load32(p, 0) != frameMagic || int(load32(p, frameLenAt)) != len(frame) {
		return false
	}
	f.hdr = uintptr(load16(p, 4))
	f.next = unsafe.Add(p, f.hdr)
	f.recHdr = uintptr(load16(p, 6))
	f.left = load32(p, frameCountAt)
	f.index = 0
	f.args = load32(p, frameFlagsAt)&frameHasArgs != 0
	return true
}

// read decodes the next record into rec; false if it is of a kind that this version does not know. The caller knows
// that left > 0.
func (f *frameReader) read(rec *Record) bool {
	p := f.next
	lens := load64(p, 0)
	klen := uint32(lens >> 32)
	vlen, hlen := load32(p, recValueLenAt), load32(p, recHdrsLenAt)
	rec.Timestamp = int64(load64(p, recTimestampAt))
	rec.offset = int64(load64(p, recOffsetAt))
	rec.partition = int32(load32(p, recPartitionAt))
	rec.dest = load32(p, recDestAt)
	rec.index = f.index

	q := unsafe.Add(p, f.recHdr)
	rec.Key = view(q, klen)
	q = unsafe.Add(q, pad8(len(rec.Key)))
	rec.Value = view(q, vlen)
	rec.Headers = Headers{}
	if hlen != 0 {
		h := unsafe.Add(q, pad8(len(rec.Value)))
		rec.Headers = Headers{block: unsafe.Slice((*byte)(h), int(hlen)), count: int(load16(p, recHdrCountAt))}
	}
	if f.args {
		f.readArguments(p, unsafe.Add(q, pad8(len(rec.Value))), hlen, rec)
	}
	f.index++
	f.left--
	if f.left != 0 {
		f.next = unsafe.Add(p, uintptr(uint32(lens)))
	}
	return load16(p, recKindAt)&0xFF == kindRecord
}

// readArguments decodes the arguments of the record at p, whose headers begin at q.
func (f *frameReader) readArguments(p, q unsafe.Pointer, hlen uint32, rec *Record) {
	q = unsafe.Add(q, uintptr(hlen))
	rec.second = view(q, load32(p, recSecondLenAt))
	rec.third = view(unsafe.Add(q, pad8(len(rec.second))), load32(p, recThirdLenAt))
}

// frameTime is the stream time of a frame, -1 if there is none yet.
func frameTime(frame []byte) int64 {
	return int64(load64(unsafe.Pointer(unsafe.SliceData(frame)), frameTimeAt))
}

// topic is the topic that the frame's records were read from, or "" if the host does not say.
func frameTopic(frame []byte) []byte {
	p := unsafe.Pointer(unsafe.SliceData(frame))
	if load32(p, frameFlagsAt)&frameHasAux == 0 {
		return nil
	}
	off, n := load32(p, frameAuxOffAt), load32(p, frameAuxLenAt)
	for block := frame[off : off+n]; len(block) > 0; {
		var k, v []byte
		k, v, block = nextPair(block)
		if string(k) == "topic" {
			return v
		}
	}
	return nil
}
