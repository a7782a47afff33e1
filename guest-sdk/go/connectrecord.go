package wasmstream

import "math"

// NoTimestamp is the timestamp of a record that has none.
const NoTimestamp = math.MinInt64

// ConnectRecord is a record of Connect: of a transformation, a predicate, a sink. It is borrowed for the call. What is not
// set stays as it is, and does not cross to the host.
type ConnectRecord struct {
	in        *Record
	topic     string
	topicSet  bool
	partition int32
	timestamp int64
	dropped   bool
	key       part
	value     part
	headers   HeaderBuilder
	headersOn bool
	header    Writer
}

// part is a key or value that may be replaced.
type part struct {
	set, null bool
	edited    bool // set by SetField alone, so that further fields join
	w         Writer
}

// begin makes the record that of the context's current one.
func (r *ConnectRecord) begin(ctx *Context) {
	r.in = &ctx.in
	r.topic, r.topicSet, r.dropped, r.headersOn = ctx.topicOf(ctx.in.dest), false, false, false
	r.partition, r.timestamp = ctx.in.partition, ctx.in.Timestamp
	r.key.set, r.key.edited, r.value.set, r.value.edited = false, false, false, false
}

// Topic is the topic that the record came from or goes to, borrowed for the call.
func (r *ConnectRecord) Topic() string { return r.topic }

// SetTopic sends the record to another topic.
func (r *ConnectRecord) SetTopic(topic string) { r.topic, r.topicSet = topic, true }

// Partition is the partition, -1 for none.
func (r *ConnectRecord) Partition() int32 { return r.partition }

// SetPartition sends the record to a partition; -1 leaves the choice to the producer.
func (r *ConnectRecord) SetPartition(p int32) { r.partition = p }

// Offset is the record's offset in Kafka, -1 for one that comes from a source.
func (r *ConnectRecord) Offset() int64 { return r.in.offset }

// Timestamp is milliseconds since the epoch, or NoTimestamp.
func (r *ConnectRecord) Timestamp() int64 { return r.timestamp }

// SetTimestamp gives the record another timestamp.
func (r *ConnectRecord) SetTimestamp(ms int64) { r.timestamp = ms }

// Key is the key as it came.
func (r *ConnectRecord) Key() Datum { return datumOf(r.in.Key) }

// Value is the value as it came.
func (r *ConnectRecord) Value() Datum { return datumOf(r.in.Value) }

// Drop has the record go no further.
func (r *ConnectRecord) Drop() { r.dropped = true }

// SetKey begins a new key with a schema, nil for none; it is written to what is returned.
func (r *ConnectRecord) SetKey(s *Schema) *Writer { return r.key.begin(s) }

// SetValue begins a new value with a schema, nil for none; it is written to what is returned.
func (r *ConnectRecord) SetValue(s *Schema) *Writer { return r.value.begin(s) }

func (p *part) begin(s *Schema) *Writer {
	p.set, p.null, p.edited = true, false, false
	p.w.Reset(s)
	return &p.w
}

// SetNullKey makes the key null without a schema.
func (r *ConnectRecord) SetNullKey() { r.key.set, r.key.null = true, true }

// SetNullValue makes the value null without a schema: a tombstone.
func (r *ConnectRecord) SetNullValue() { r.value.set, r.value.null = true, true }

// SetField replaces a field of the value, a Struct or Map, by one value that is written to what is returned; all other
// fields stay, and do not cross. nil if the value has no such field.
func (r *ConnectRecord) SetField(name string) *Writer {
	return r.value.field(r.Value(), name)
}

// SetKeyField is SetField for the key.
func (r *ConnectRecord) SetKeyField(name string) *Writer { return r.key.field(r.Key(), name) }

func (p *part) field(d Datum, name string) *Writer {
	i := d.Index(name)
	if i < 0 {
		return nil
	}
	if !p.edited {
		p.set, p.null, p.edited = true, false, true
		p.w.edit()
	}
	if d.Type() == TypeMap {
		i = 2*i + 1
	}
	p.w.child(i)
	return &p.w
}

// Headers calls yield with each header as it came, until it returns false.
func (r *ConnectRecord) Headers(yield func(name string, value Datum) bool) {
	r.in.Headers.All(func(key, value []byte) bool { return yield(string(key), datumOf(value)) })
}

// Header is the last header of a name, as it came.
func (r *ConnectRecord) Header(name string) (value Datum, ok bool) {
	b, ok := r.in.Headers.Last(name)
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
	if !r.headersOn {
		r.headersOn = true
		r.headers.Reset()
		r.headers.AddAll(r.in.Headers)
	}
}

// answer writes the record as the answer of a transformation.
func (r *ConnectRecord) answer() {
	if r.dropped {
		return
	}
	var flags uint32
	key, klen := r.key.bytes(&flags, keepKey)
	value, vlen := r.value.bytes(&flags, keepValue)
	var headers Headers
	if r.headersOn {
		headers = r.headers.h
	} else {
		flags |= keepHeaders
	}
	timestamp := r.timestamp
	if timestamp == r.in.Timestamp {
		flags, timestamp = flags|keepTimestamp, 0
	}
	if !r.topicSet && r.partition == r.in.partition {
		flags |= keepPlace
	}
	size := recHdrSize + len(key) + len(value) + len(headers.block)
	p := out.room(size)
	var dest uint32
	if r.topicSet {
		dest = out.topic(r.topic)
	}
	head(p, size, klen, vlen, uint32(len(headers.block)), timestamp, r.in.index, uint32(headers.count)|flags<<24, dest)
	store32(p, recPartitionAt, uint32(r.partition))
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

// bytes is what crosses of the part, and its length as a header has it.
func (p *part) bytes(flags *uint32, keep uint32) ([]byte, uint32) {
	switch {
	case !p.set:
		*flags |= keep
		return nil, null
	case p.null:
		return nil, null
	}
	return p.w.buf, uint32(len(p.w.buf))
}
