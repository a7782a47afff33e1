package guest

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/data"
)

const (
	// frameRecords and frameBytes are where a frame is full (abi/SPEC.md, 9).
	frameRecords = 500
	frameBytes   = 256 << 10
)

// encode writes records as a frame, as many as one frame takes, and returns how many. An error is that of the first of
// them, which is then alone to blame.
func (in *instance) encode(rs []*connectors.Record) (frame []byte, n int, err error) {
	frame = in.begin(ofRecords)
	for n < len(rs) && n < frameRecords && len(frame) < frameBytes {
		start := len(frame)
		next, err := in.encodeRecord(frame, rs[n], n)
		if err != nil {
			if n > 0 {
				frame = frame[:start]
				break // it comes first in the next frame
			}
			return frame, 0, err
		}
		frame = next
		n++
	}
	return in.finish(frame, n), n, nil
}

// begin forgets what the frame before carried and begins one. It is written where the guest reads it, as long as there is
// room, and is not to be used once the guest has been called.
func (in *instance) begin(header abi.FrameHeader) []byte {
	in.enc.pending, in.topics, in.host.times = in.enc.pending[:0], in.topics[:0], in.host.times[:0]
	return abi.AppendFrameHeader(in.wasm.Region()[:0], &header)
}

// ofRecords is the header of a frame of records, which come from no partition of an application.
var ofRecords = abi.FrameHeader{Partition: -1, StreamTime: connectors.NoTimestamp}

// finish appends topics and schemas and ends the frame.
func (in *instance) finish(frame []byte, n int) []byte {
	at := len(frame)
	for _, topic := range in.topics {
		frame = abi.AppendPair(frame, abi.AuxTopic, topic)
	}
	frame = append(frame, in.enc.pending...)
	abi.FinishAux(frame, 0, at)
	abi.FinishFrame(frame, 0, n)
	return frame
}

func (in *instance) encodeRecord(frame []byte, r *connectors.Record, i int) (_ []byte, err error) {
	in.host.times = append(in.host.times, r.Timestamp)
	rec := abi.Record{Timestamp: r.Timestamp, Offset: r.Offset, Partition: r.Partition, Index: uint32(i), Dest: in.topic(r.Topic)}
	start := len(frame)
	frame = abi.AppendRecord(frame, &rec)
	keyLen, valueLen := -1, -1
	if in.spec.Wants.Has(abi.WantKey) {
		if frame, keyLen, err = in.part(frame, r.Key); err != nil {
			return frame, err
		}
	}
	if in.spec.Wants.Has(abi.WantValue) {
		if frame, valueLen, err = in.part(frame, r.Value); err != nil {
			return frame, err
		}
	}
	abi.FinishParts(frame, start, keyLen, valueLen)
	return in.headers(frame, start, r.Headers)
}

// part appends a datum and returns its length, -1 for null without a schema.
func (in *instance) part(frame []byte, v data.SchemaAndValue) (_ []byte, n int, err error) {
	if v.Schema == nil && v.Value.IsNull() {
		return frame, -1, nil
	}
	start := len(frame)
	frame, err = in.enc.datum(frame, v)
	return frame, len(frame) - start, err
}

// headers appends the headers of the record that begins at frame[start], if the component wants them.
func (in *instance) headers(frame []byte, start int, headers connectors.Headers) ([]byte, error) {
	if len(headers) == 0 || !in.spec.Wants.Has(abi.WantHeaders) {
		return frame, nil
	}
	var scratch []byte
	for _, h := range headers {
		datum, n, err := in.part(scratch[:0], h.Value)
		if err != nil {
			return frame, err
		}
		if n < 0 {
			frame = abi.AppendNullPair(frame, h.Key)
		} else {
			frame = abi.AppendPair(frame, h.Key, datum)
		}
		scratch = datum
	}
	abi.FinishHeaders(frame, start, len(headers))
	return frame, nil
}

// topic is the number of a topic in the frame.
func (in *instance) topic(name string) uint32 {
	if name == "" {
		return 0
	}
	if n := len(in.topics); n > 0 && in.topics[n-1] == name {
		return uint32(n)
	}
	i := slices.Index(in.topics, name)
	if i < 0 {
		in.topics = append(in.topics, name)
		i = len(in.topics) - 1
	}
	return uint32(i + 1)
}

// process sends a frame and hands every record that is answered to each, with the topics of its frame.
func (in *instance) process(ctx context.Context, frame []byte, inputs int, each func(*abi.Record, []string) error) error {
	if err := in.hand(ctx, frame); err != nil {
		return err
	}
	view, err := in.wasm.Process(in.handle, len(frame))
	if err != nil {
		return err
	}
	return in.answers(view, abi.Expect{Output: true, Inputs: inputs, Connect: true}, each)
}

// hand puts a frame into the guest's memory, for the call that follows, unless it was written there.
func (in *instance) hand(ctx context.Context, frame []byte) error {
	buf, err := in.wasm.Reserve(len(frame))
	if err != nil {
		return err
	}
	if unsafe.SliceData(buf) != unsafe.SliceData(frame) {
		copy(buf, frame)
	}
	in.host.begin(ctx)
	return nil
}

// answers decodes all frames of a call. What is handed to each is borrowed: it may be the guest's memory.
func (in *instance) answers(view []byte, expect abi.Expect, each func(*abi.Record, []string) error) error {
	for _, frame := range in.host.emitted {
		if err := in.answer(frame, &expect, each); err != nil {
			return err
		}
	}
	if len(view) == 0 {
		return nil
	}
	return in.answer(view, &expect, each)
}

func (in *instance) answer(frame []byte, expect *abi.Expect, each func(*abi.Record, []string) error) error {
	r := &in.reader
	if err := r.Reset(frame, *expect); err != nil {
		return err
	}
	var topics []string
	aux := abi.ReadPairs(r.Aux())
	for key, value, ok := aux.Next(); ok; key, value, ok = aux.Next() {
		switch string(key) {
		case abi.AuxTopic:
			topics = append(topics, string(value))
		case abi.AuxSchema:
			if err := in.dec.define(value); err != nil {
				return err
			}
		}
	}
	var rec abi.Record
	for r.Next(&rec) {
		if err := each(&rec, topics); err != nil {
			return err
		}
	}
	expect.MinIndex = r.LastIndex()
	return r.Err()
}

// placeOf names a record in messages.
func placeOf(r *connectors.Record) string {
	if r.IsSink() {
		return fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset)
	}
	return "a record for topic " + r.Topic
}
