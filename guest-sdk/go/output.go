package wasmstream

import "unsafe"

// Bounds of one output frame. What goes beyond is handed to the host at once (emit), so a component may answer one
// record with millions, in a buffer that stays small enough for the caches.
const (
	flushBytes   = 1 << 20
	flushRecords = 50_000
)

// output builds the answer of a call in one buffer that all calls use again.
type output struct {
	buf   []byte // 8-aligned; all of it is room
	n     int    // bytes used, the frame's header included
	count uint32
	code  int32 // the first refusal of the host, 0 if there was none

	// Of plugins of Connect.
	args   bool     // records have arguments
	aux    []byte   // pairs of schemas that the frame carries
	topics []string // that the frame names
	block  []byte   // its aux block
}

// reset begins the answer of a call.
func (o *output) reset() {
	if o.buf == nil {
		o.buf = aligned(64 << 10)
	}
	o.n, o.count, o.code, o.args, o.topics = frameHdrSize, 0, 0, false, o.topics[:0]
}

// topic is the number of a topic in the frame that is written.
func (o *output) topic(name string) uint32 {
	for i, t := range o.topics {
		if t == name {
			return uint32(i + 1)
		}
	}
	o.topics = append(o.topics, name)
	return uint32(len(o.topics))
}

// appendAux appends topics and schemas behind the records, and returns how many bytes they have.
func (o *output) appendAux() int {
	block := o.block[:0]
	for _, topic := range o.topics {
		block = appendPair(block, topicKey, unsafe.Slice(unsafe.StringData(topic), len(topic)))
	}
	block = append(block, o.aux...)
	o.block, o.aux = block, o.aux[:0]
	if need := o.n + len(block); need > len(o.buf) {
		larger := aligned(need)
		copy(larger, o.buf[:o.n])
		o.buf = larger
	}
	copy(o.buf[o.n:], block)
	o.n += len(block)
	return len(block)
}

var topicKey = []byte("topic")

// room makes place for a record of size bytes and returns where it goes.
func (o *output) room(size int) unsafe.Pointer {
	if o.n+size > len(o.buf) || o.count == flushRecords {
		o.makeRoom(size)
	}
	p := unsafe.Add(unsafe.Pointer(unsafe.SliceData(o.buf)), o.n)
	o.n += size
	o.count++
	return p
}

func (o *output) makeRoom(size int) {
	if o.count > 0 && (o.n+size > flushBytes || o.count == flushRecords) {
		if code := hostEmit(o.finish()); code < 0 && o.code == 0 {
			o.code = code
		}
		o.n, o.count, o.topics = frameHdrSize, 0, o.topics[:0]
	}
	if need := o.n + size; need > len(o.buf) {
		grown := aligned(max(2*len(o.buf), need))
		copy(grown, o.buf[:o.n])
		o.buf = grown
	}
}

// finish writes the header of the frame and returns it.
func (o *output) finish() []byte {
	auxAt, auxLen := o.n, 0
	if len(o.topics)+len(o.aux) > 0 {
		auxLen = o.appendAux()
	}
	p := unsafe.Pointer(unsafe.SliceData(o.buf))
	store32(p, 0, frameMagic)
	store32(p, 4, frameHdrSize|recHdrSize<<16)
	store32(p, frameLenAt, uint32(o.n))
	store32(p, frameCountAt, o.count)
	for off := uintptr(frameFlagsAt); off < frameHdrSize; off += 8 {
		store64(p, off, 0)
	}
	store32(p, framePartAt, null) // no partition
	if o.args {
		store32(p, 4, frameHdrSize|callHdrSize<<16)
		store32(p, frameFlagsAt, frameHasArgs)
	}
	if auxLen > 0 {
		store32(p, frameFlagsAt, load32(p, frameFlagsAt)|frameHasAux)
		store32(p, frameAuxOffAt, uint32(auxAt))
		store32(p, frameAuxLenAt, uint32(auxLen))
	}
	return o.buf[:o.n]
}

// result is the answer of the call: a frame, nil for nothing, or the host's refusal of an earlier part.
func (o *output) result() ([]byte, int32) {
	if o.code < 0 {
		return nil, o.code
	}
	if o.count == 0 {
		return nil, 0
	}
	return o.finish(), 0
}

// head writes the header of a record whose offset and partition the host knows.
func head(p unsafe.Pointer, size int, klen, vlen, hlen uint32, ts int64, index uint32, tail uint32, dest uint32) {
	store64(p, 0, uint64(uint32(size))|uint64(klen)<<32)
	store64(p, recValueLenAt, uint64(vlen)|uint64(hlen)<<32)
	store64(p, recTimestampAt, uint64(ts))
	store64(p, recOffsetAt, ^uint64(0))
	store64(p, recIndexAt, uint64(index)|uint64(tail)<<32)
	store64(p, recDestAt, uint64(dest)|0xFFFFFFFF<<32)
}

// keep answers with input record index as it is.
func (o *output) keep(index uint32) {
	head(o.room(recHdrSize), recHdrSize, null, null, 0, 0, index, keepAll<<24, 0)
}

// value answers with input record index and another value.
func (o *output) value(index uint32, value []byte) {
	size := recHdrSize + pad8(len(value))
	p := o.room(size)
	head(p, size, null, lenOf(value), 0, 0, index, (keepKey|keepHeaders|keepTimestamp)<<24, 0)
	if len(value) > 0 {
		putPadded(unsafe.Add(p, recHdrSize), value)
	}
}

// key answers with input record index and another key.
func (o *output) key(index uint32, key []byte) {
	size := recHdrSize + pad8(len(key))
	p := o.room(size)
	head(p, size, lenOf(key), null, 0, 0, index, (keepValue|keepHeaders|keepTimestamp)<<24, 0)
	if len(key) > 0 {
		putPadded(unsafe.Add(p, recHdrSize), key)
	}
}

// timestamp answers with input record index at another time.
func (o *output) timestamp(index uint32, timestamp int64) {
	head(o.room(recHdrSize), recHdrSize, null, null, 0, timestamp, index, (keepKey|keepValue|keepHeaders)<<24, 0)
}

// partition answers with input record index for a partition of the topic that is written to.
func (o *output) partition(index uint32, partition int32) {
	p := o.room(recHdrSize)
	head(p, recHdrSize, null, null, 0, 0, index, keepAll<<24, 0)
	store32(p, recPartitionAt, uint32(partition))
}

// pair answers with input record index and another key and value.
func (o *output) pair(index uint32, key, value []byte) {
	size := recHdrSize + pad8(len(key)) + pad8(len(value))
	p := o.room(size)
	head(p, size, lenOf(key), lenOf(value), 0, 0, index, (keepHeaders|keepTimestamp)<<24, 0)
	p = unsafe.Add(p, recHdrSize)
	if len(key) > 0 {
		p = putPadded(p, key)
	}
	if len(value) > 0 {
		putPadded(p, value)
	}
}

// record answers with rec. Parts that are those of in, the record as it came, are kept by reference; in is nil where
// there is no input (punctuators, flushes).
func (o *output) record(rec, in *Record, dest uint32) {
	var flags uint32
	index := uint32(noIndex)
	key, value, headers := rec.Key, rec.Value, rec.Headers
	klen, vlen := lenOf(key), lenOf(value)
	if in != nil {
		index = in.index
		if same(key, in.Key) {
			flags, key, klen = flags|keepKey, nil, null
		}
		if same(value, in.Value) {
			flags, value, vlen = flags|keepValue, nil, null
		}
		if same(headers.block, in.Headers.block) {
			flags, headers = flags|keepHeaders, Headers{}
		}
		if rec.Timestamp == in.Timestamp {
			flags |= keepTimestamp
		}
	}
	size := recHdrSize + pad8(len(key)) + pad8(len(value)) + len(headers.block)
	p := o.room(size)
	head(p, size, klen, vlen, uint32(len(headers.block)), rec.Timestamp, index, uint32(headers.count)|flags<<24, dest)
	p = unsafe.Add(p, recHdrSize)
	if len(key) > 0 {
		p = putPadded(p, key)
	}
	if len(value) > 0 {
		p = putPadded(p, value)
	}
	if len(headers.block) > 0 {
		putPadded(p, headers.block)
	}
}

// fail answers input record index with an error record.
func (o *output) fail(index uint32, class Class, message string) {
	text := unsafe.Slice(unsafe.StringData(message), len(message))
	size := recHdrSize + pad8(len(text))
	p := o.room(size)
	head(p, size, null, uint32(len(text)), 0, 0, index, kindError<<16, uint32(class))
	if len(text) > 0 {
		putPadded(unsafe.Add(p, recHdrSize), text)
	}
}
