package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf16"
)

var errBufferValue = errors.New("the bytes are no value of a time-ordered buffer")

// appendContext appends a record's context as Kafka's buffers keep it (ProcessorRecordContext.serialize): int64
// timestamp, int64 offset, int32 length and topic, int32 partition, int32 count of headers, and for each int32 length and
// key, int32 length (-1 for nil) and value. A record of a punctuator has offset and partition -1 and the topic "".
func appendContext(dst []byte, c *RecordContext) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Timestamp))
	topic, partition, offset := "", int32(-1), int64(-1)
	if c.Origin != nil {
		topic, partition, offset = c.Origin.Topic, c.Origin.Partition, c.Offset
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(topic))), topic...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(partition))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(c.Headers)))
	for i := range c.Headers {
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(c.Headers[i].Key))), c.Headers[i].Key...)
		dst = appendSized(dst, c.Headers[i].Value)
	}
	return dst
}

// appendSized appends int32 length and b; -1 for nil.
func appendSized(dst, b []byte) []byte {
	if b == nil {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32)
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
}

// sizedReader takes bytes apart that begin with their lengths; after the first fault it gives zeros.
type sizedReader struct {
	b      []byte
	bad    bool
	origin *TopicPartition // is given again if it is the one that is read
}

func (r *sizedReader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *sizedReader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *sizedReader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// sized reads what appendSized wrote.
func (r *sizedReader) sized() []byte {
	n := r.int32()
	if n == -1 {
		return nil
	}
	return r.take(int(n))
}

// context is the inverse of appendContext. Headers point into the reader's bytes.
func (r *sizedReader) context() (c RecordContext) {
	c.Timestamp, c.Offset = r.int64(), r.int64()
	topic, partition := r.take(int(r.int32())), r.int32()
	switch {
	case partition < 0:
	case r.origin != nil && r.origin.Partition == partition && r.origin.Topic == string(topic):
		c.Origin = r.origin
	default:
		c.Origin = &TopicPartition{Topic: string(topic), Partition: partition}
	}
	count := r.int32()
	if count < 0 || int(count) > len(r.b)/8 {
		r.bad = r.bad || count != 0
		return c
	}
	for range count {
		key := string(r.take(int(r.int32())))
		c.Headers = append(c.Headers, Header{Key: key, Value: r.sized()})
	}
	return c
}

// contextSize is Kafka's estimate of the memory of a context.
func contextSize(c *RecordContext) int {
	size := 8 + 8 + 4
	if c.Origin != nil {
		size += len(c.Origin.Topic)
	}
	for i := range c.Headers {
		size += utf16Length(c.Headers[i].Key) + len(c.Headers[i].Value)
	}
	return size
}

// utf16Length is the length of s in Java.
func utf16Length(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// bufferValue is what a time-ordered buffer holds of a record (BufferValue).
type bufferValue struct {
	prior    []byte // what downstream last saw of the key when it entered the buffer
	old, new []byte
	context  RecordContext
}

// sameAsPrior stands for the length of an old value that equals the prior one.
const sameAsPrior = -2

// append appends the context, then prior, old and new value, each with its length.
func (v *bufferValue) append(dst []byte) []byte {
	dst = appendSized(appendContext(dst, &v.context), v.prior)
	if v.old != nil && v.prior != nil && string(v.old) == string(v.prior) {
		dst = binary.BigEndian.AppendUint32(dst, math.MaxUint32-1)
	} else {
		dst = appendSized(dst, v.old)
	}
	return appendSized(dst, v.new)
}

// cloneHeaders copies the values of headers.
func cloneHeaders(headers []Header) []Header {
	for i := range headers {
		headers[i].Value = bytes.Clone(headers[i].Value)
	}
	return headers
}

// decodeBufferValue is the inverse; the values point into b, rest is what follows. A record that comes from the partition
// origin, which may be nil, has it. It takes any bytes.
func decodeBufferValue(b []byte, origin *TopicPartition) (v bufferValue, rest []byte, err error) {
	r := sizedReader{b: b, origin: origin}
	v.context = r.context()
	v.prior = r.sized()
	switch n := r.int32(); n {
	case sameAsPrior:
		v.old = v.prior
	case -1:
	default:
		v.old = r.take(int(n))
	}
	v.new = r.sized()
	if r.bad {
		return bufferValue{}, nil, errBufferValue
	}
	return v, r.b, nil
}

// size is Kafka's estimate of the memory of a value.
func (v *bufferValue) size() int {
	size := len(v.prior) + len(v.new) + contextSize(&v.context)
	if v.old != nil && (v.prior == nil || string(v.old) != string(v.prior)) {
		size += len(v.old)
	}
	return size
}
