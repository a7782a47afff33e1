package wasmstream

import (
	"math"
	"unsafe"
)

// NoTimestamp is the timestamp of a record that has none.
const NoTimestamp = math.MinInt64

// ConnectRecord is a record of Connect: of a transformation, a predicate, a sink. It is borrowed for the call. What is not
// set stays as it is, and does not cross to the host.
//
// Nothing is decoded before it is asked for: a record is a place in the frame.
type ConnectRecord struct {
	ctx     *Context
	frame   unsafe.Pointer
	at      uintptr // of the record's header in the frame
	hdr     uintptr // length of the header
	index   uint32
	changed changes

	topic      string
	partition  int32
	timestamp  int64
	key, value part
	headers    HeaderBuilder
	header     Writer
}

// changes tell what of a record is not as it came.
type changes uint8

const (
	changedTopic changes = 1 << iota
	changedPartition
	changedTimestamp
	changedKey
	changedValue
	changedHeaders
	dropped
)

// part is a key or value that may be replaced.
type part struct {
	null   bool
	edited bool // set by SetField alone, so that further fields join
	w      Writer
}

// head is the place of the record's header.
func (r *ConnectRecord) head() unsafe.Pointer { return unsafe.Add(r.frame, r.at) }

// Topic is the topic that the record came from or goes to, borrowed for the call.
func (r *ConnectRecord) Topic() string {
	if r.changed&changedTopic != 0 {
		return r.topic
	}
	return r.ctx.topicOf(load32(r.head(), recDestAt))
}

// SetTopic sends the record to another topic.
func (r *ConnectRecord) SetTopic(topic string) { r.topic, r.changed = topic, r.changed|changedTopic }

// Partition is the partition, -1 for none.
func (r *ConnectRecord) Partition() int32 {
	if r.changed&changedPartition != 0 {
		return r.partition
	}
	return int32(load32(r.head(), recPartitionAt))
}

// SetPartition sends the record to a partition; -1 leaves the choice to the producer.
func (r *ConnectRecord) SetPartition(p int32) {
	r.partition, r.changed = p, r.changed|changedPartition
}

// Offset is the record's offset in Kafka, -1 for one that comes from a source.
func (r *ConnectRecord) Offset() int64 { return int64(load64(r.head(), recOffsetAt)) }

// Timestamp is milliseconds since the epoch, or NoTimestamp.
func (r *ConnectRecord) Timestamp() int64 {
	if r.changed&changedTimestamp != 0 {
		return r.timestamp
	}
	return int64(load64(r.head(), recTimestampAt))
}

// SetTimestamp gives the record another timestamp.
func (r *ConnectRecord) SetTimestamp(ms int64) {
	r.timestamp, r.changed = ms, r.changed|changedTimestamp
}

// Key is the key as it came.
func (r *ConnectRecord) Key() Datum {
	p := r.head()
	if load32(p, recKeyLenAt) == null {
		return Datum{}
	}
	return Datum{unsafe.Add(p, r.hdr), datumHdrSize}
}

// Value is the value as it came.
func (r *ConnectRecord) Value() Datum {
	p := r.head()
	if load32(p, recValueLenAt) == null {
		return Datum{}
	}
	return Datum{unsafe.Add(p, r.hdr+keyRoom(p)), datumHdrSize}
}

// keyRoom is how many bytes the key of the record with the header p takes.
func keyRoom(p unsafe.Pointer) uintptr {
	n := load32(p, recKeyLenAt)
	if n == null {
		return 0
	}
	return uintptr(n+7) &^ 7
}

// came are the headers as they came.
func (r *ConnectRecord) came() Headers {
	p := r.head()
	n := load32(p, recHdrsLenAt)
	if n == 0 {
		return Headers{}
	}
	at := r.hdr + keyRoom(p)
	if v := load32(p, recValueLenAt); v != null {
		at += uintptr(v+7) &^ 7
	}
	return Headers{block: view(unsafe.Add(p, at), n), count: int(load16(p, recHdrCountAt))}
}

// Drop has the record go no further.
func (r *ConnectRecord) Drop() { r.changed |= dropped }

// SetKey begins a new key with a schema, nil for none; it is written to what is returned.
func (r *ConnectRecord) SetKey(s *Schema) *Writer {
	r.changed |= changedKey
	return r.key.begin(s)
}

// SetValue begins a new value with a schema, nil for none; it is written to what is returned.
func (r *ConnectRecord) SetValue(s *Schema) *Writer {
	r.changed |= changedValue
	return r.value.begin(s)
}

func (p *part) begin(s *Schema) *Writer {
	p.null, p.edited = false, false
	p.w.Reset(s)
	return &p.w
}

// SetNullKey makes the key null without a schema.
func (r *ConnectRecord) SetNullKey() { r.changed, r.key.null = r.changed|changedKey, true }

// SetNullValue makes the value null without a schema: a tombstone.
func (r *ConnectRecord) SetNullValue() { r.changed, r.value.null = r.changed|changedValue, true }

// SetField replaces a field of the value, a Struct or Map, by one value that is written to what is returned; all other
// fields stay, and do not cross. nil if the value has no such field.
func (r *ConnectRecord) SetField(name string) *Writer {
	return r.field(&r.value, r.Value(), name, changedValue)
}

// SetKeyField is SetField for the key.
func (r *ConnectRecord) SetKeyField(name string) *Writer {
	return r.field(&r.key, r.Key(), name, changedKey)
}

func (r *ConnectRecord) field(p *part, d Datum, name string, change changes) *Writer {
	i := d.Index(name)
	if i < 0 {
		return nil
	}
	if d.Type() == TypeMap {
		i = 2*i + 1
	}
	if r.changed&change == 0 || !p.edited {
		r.changed |= change
		p.null, p.edited = false, true
		p.w.edit(i)
	} else {
		p.w.child(i)
	}
	return &p.w
}

// Headers calls yield with each header as it came, until it returns false.
func (r *ConnectRecord) Headers(yield func(name string, value Datum) bool) {
	r.came().All(func(key, value []byte) bool { return yield(string(key), datumOf(value)) })
}

// Header is the last header of a name, as it came.
func (r *ConnectRecord) Header(name string) (value Datum, ok bool) {
	b, ok := r.came().Last(name)
	return datumOf(b), ok
}

// AddHeader adds a header, whose value write writes.
func (r *ConnectRecord) AddHeader(name string, s *Schema, write func(w *Writer)) {
	r.ownHeaders()
	r.header.Reset(s)
	write(&r.header)
	r.headers.Add(name, r.header.buf)
}

// RemoveHeader removes all headers of a name.
func (r *ConnectRecord) RemoveHeader(name string) {
	r.ownHeaders()
	old := r.headers.Headers()
	var left HeaderBuilder
	old.All(func(key, value []byte) bool {
		if string(key) != name {
			left.Add(string(key), value)
		}
		return true
	})
	r.headers = left
}

func (r *ConnectRecord) ownHeaders() {
	if r.changed&changedHeaders == 0 {
		r.changed |= changedHeaders
		r.headers.Reset()
		r.headers.AddAll(r.came())
	}
}

// answer writes the record as the answer of a transformation.
func (r *ConnectRecord) answer() {
	if r.changed == changedValue && !r.value.null {
		r.answerValue()
	} else if r.changed&dropped == 0 {
		r.answerAll()
	}
}

// answerValue is answerAll for a record of which the value alone was changed, as most transformations do.
func (r *ConnectRecord) answerValue() {
	value := r.value.w.buf
	size := recHdrSize + len(value)
	o := &out
	if o.n+size > len(o.buf) || o.count == flushRecords {
		o.makeRoom(size)
	}
	p := unsafe.Add(unsafe.Pointer(unsafe.SliceData(o.buf)), o.n)
	o.n += size
	o.count++
	const flags = keepKey | keepHeaders | keepTimestamp | keepPlace
	store64(p, 0, uint64(uint32(size))|null<<32)
	store64(p, recValueLenAt, uint64(uint32(len(value))))
	store64(p, recTimestampAt, 0)
	store64(p, recOffsetAt, ^uint64(0))
	store64(p, recIndexAt, uint64(r.index)|flags<<56)
	store64(p, recDestAt, 0xFFFFFFFF<<32)
	putWords(unsafe.Add(p, recHdrSize), value)
}

func (r *ConnectRecord) answerAll() {
	var flags uint32
	key, klen := r.part(&r.key, changedKey, &flags, keepKey)
	value, vlen := r.part(&r.value, changedValue, &flags, keepValue)
	var headers Headers
	if r.changed&changedHeaders != 0 {
		headers = r.headers.h
	} else {
		flags |= keepHeaders
	}
	timestamp := r.Timestamp()
	if r.changed&changedTimestamp == 0 {
		flags, timestamp = flags|keepTimestamp, 0
	}
	if r.changed&(changedTopic|changedPartition) == 0 {
		flags |= keepPlace
	}
	size := recHdrSize + len(key) + len(value) + len(headers.block)
	p := out.room(size)
	var dest uint32
	if r.changed&changedTopic != 0 {
		dest = out.topic(r.topic)
	}
	head(p, size, klen, vlen, uint32(len(headers.block)), timestamp, r.index, uint32(headers.count)|flags<<24, dest)
	store32(p, recPartitionAt, uint32(r.Partition()))
	p = addTo(p, recHdrSize)
	if len(key) > 0 {
		p = putWords(p, key)
	}
	if len(value) > 0 {
		p = putWords(p, value)
	}
	if len(headers.block) > 0 {
		putPadded(p, headers.block)
	}
}

// part is what crosses of a part, and its length as a header has it.
func (r *ConnectRecord) part(p *part, change changes, flags *uint32, keep uint32) ([]byte, uint32) {
	switch {
	case r.changed&change == 0:
		*flags |= keep
		return nil, null
	case p.null:
		return nil, null
	}
	return p.w.buf, uint32(len(p.w.buf))
}
