//go:build !wasm

package wasmstream

import "errors"

// TestPlugin is a transformation or predicate of Connect that is open in a TestHost.
type TestPlugin struct {
	handle int32
	key    Writer
	value  Writer
}

// TestConnectRecord is a record for a TestPlugin. Key and Value write its parts, nil is null without a schema; KeySchema and
// ValueSchema are their schemas.
type TestConnectRecord struct {
	Topic                  string
	Partition              int32
	Timestamp              int64
	KeySchema, ValueSchema *Schema
	Key, Value             func(w *Writer)
	Headers                []TestHeader // their values are texts
}

// TestAnswer is what a TestPlugin makes of a record. A predicate that holds answers the record as it is.
type TestAnswer struct {
	Dropped    bool
	Err        *RecordError // why the record failed
	Topic      string
	Partition  int32
	Timestamp  int64
	Key, Value Datum
	headers    Headers
}

// Header is the last header of a name.
func (a *TestAnswer) Header(name string) (value Datum, ok bool) {
	b, ok := a.headers.Last(name)
	return datumOf(b), ok
}

// OpenPlugin opens a component with settings, or returns why it refuses them.
func (h *TestHost) OpenPlugin(component string, settings map[string]string) (*TestPlugin, error) {
	frame := appendPair([]byte("WSO1\x00\x00\x00\x00"), []byte("component"), []byte(component))
	for key, value := range settings {
		frame = appendPair(frame, []byte("config."+key), []byte(value))
	}
	handle := openComponent(frame)
	if handle < 0 {
		return nil, errors.New(h.failure)
	}
	return &TestPlugin{handle: handle}, nil
}

// Process gives the plugin one record.
func (p *TestPlugin) Process(r TestConnectRecord) TestAnswer {
	in := Record{Key: written(&p.key, r.KeySchema, r.Key), Value: written(&p.value, r.ValueSchema, r.Value), Timestamp: r.Timestamp, partition: r.Partition}
	var headers HeaderBuilder
	for _, h := range r.Headers {
		var w Writer
		w.Reset(nil)
		w.Text(h.Value)
		headers.Add(h.Key, w.buf)
	}
	in.Headers = headers.Headers()
	frame, code := processFrame(p.handle, connectFrame(r.Topic, &in))
	if code < 0 {
		return TestAnswer{Err: &RecordError{ClassFail, errors.New(testHost.failure)}}
	}
	return answerOf(frame, &in, r.Topic)
}

func written(w *Writer, s *Schema, write func(w *Writer)) []byte {
	if write == nil {
		return nil
	}
	w.Reset(s)
	write(w)
	return w.buf
}

// connectFrame is an input frame of one record.
func connectFrame(topic string, r *Record) []byte {
	var o output
	o.reset()
	size := recHdrSize + len(r.Key) + len(r.Value) + len(r.Headers.block)
	p := o.room(size)
	head(p, size, lenOf(r.Key), lenOf(r.Value), uint32(len(r.Headers.block)), r.Timestamp, 0, uint32(r.Headers.count), o.topic(topic))
	store32(p, recPartitionAt, uint32(r.partition))
	at := recHdrSize
	for _, part := range [][]byte{r.Key, r.Value, r.Headers.block} {
		if len(part) > 0 {
			putPadded(addTo(p, at), part)
			at += len(part)
		}
	}
	return o.finish()
}

// answerOf reads the answer to in. What it holds are copies.
func answerOf(frame []byte, in *Record, topic string) TestAnswer {
	var r frameReader
	var rec Record
	if frame == nil {
		return TestAnswer{Dropped: true}
	}
	frame = append(aligned(0), frame...)
	if !r.open(frame) {
		panic("wasmstream: the answer is no frame")
	}
	flags := load16(r.next, recKindAt) >> 8
	if !r.read(&rec) {
		return TestAnswer{Err: &RecordError{Class(rec.dest), errors.New(string(rec.Value))}}
	}
	a := TestAnswer{Topic: topic, Partition: rec.partition, Timestamp: rec.Timestamp, Key: resolved(rec.Key, in.Key), Value: resolved(rec.Value, in.Value), headers: rec.Headers}
	if flags&keepKey != 0 {
		a.Key = datumOf(in.Key)
	}
	if flags&keepValue != 0 {
		a.Value = datumOf(in.Value)
	}
	if flags&keepHeaders != 0 {
		a.headers = in.Headers
	}
	if flags&keepTimestamp != 0 {
		a.Timestamp = in.Timestamp
	}
	if flags&keepPlace != 0 || rec.dest == 0 && a.Partition < 0 {
		a.Partition = in.partition
	} else if rec.dest > 0 {
		a.Topic = string(frameTopic(frame))
	}
	return a
}

// resolved is a part of an answer with what it keeps of the input filled in.
func resolved(part, in []byte) Datum {
	d, from := datumOf(part), datumOf(in)
	if part == nil {
		return d
	}
	var w Writer
	w.Reset(nil)
	if d.Type() != patchCell {
		store32(ptr(w.buf), 0, d.root())
		w.fill(d, from)
		return datumOf(w.buf)
	}
	if from.IsNull() {
		return from
	}
	store32(ptr(w.buf), 0, from.root())
	n := from.Len()
	if from.Type() == TypeMap {
		n *= 2
	}
	w.container(from.Type(), from.Len(), n, uint32(from.bits()>>32))
	for i := range n {
		w.fill(patchOf(d, from, i), from)
	}
	return datumOf(w.buf)
}

// patchOf is child i of a patched input.
func patchOf(d, from Datum, i int) Datum {
	child := from.child(i)
	for at := int(uint32(d.bits())); at != 0; at = int(load32(d.p, uintptr(at)+4)) {
		if int(load64(d.p, uintptr(at)+8)) == i {
			child = Datum{d.p, uintptr(at) + cellSize}
		}
	}
	return child
}

// fill is Copy for values that keep children of an input.
func (w *Writer) fill(d, from Datum) {
	switch t := d.Type(); t {
	case keepCell:
		w.Copy(from.child(int(d.bits())))
	case TypeArray, TypeMap, TypeStruct:
		n := d.Len()
		if t == TypeMap {
			n *= 2
		}
		w.container(t, d.Len(), n, uint32(d.bits()>>32))
		for i := range n {
			w.fill(d.child(i), from)
		}
	default:
		w.Copy(d)
	}
}
