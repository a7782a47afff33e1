package abi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// readAll decodes a frame to its end and returns the fault found.
func readAll(frame []byte, e Expect) error {
	var r Reader
	if err := r.Reset(frame, e); err != nil {
		return err
	}
	var rec Record
	for r.Next(&rec) {
	}
	return r.Err()
}

// TestFaults breaks one rule at a time in a sound answer to two records and wants that rule named.
func TestFaults(t *testing.T) {
	le := binary.LittleEndian
	u32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { le.PutUint32(b[at:], v); return b }
	}
	u16 := func(at int, v uint16) func([]byte) []byte {
		return func(b []byte) []byte { le.PutUint16(b[at:], v); return b }
	}
	const rec0 = FrameHeaderSize
	const rec1 = rec0 + RecordHeaderSize + 8
	tests := []struct {
		name, clause string
		break_       func([]byte) []byte
	}{
		{"sound", "", func(b []byte) []byte { return b }},
		{"unknown frame flags", "", u32(FrameFlagsAt, 0xFFFF0000)},
		{"nothing", "FRAME-1", func([]byte) []byte { return nil }},
		{"short", "FRAME-1", func(b []byte) []byte { return b[:63] }},
		{"magic", "FRAME-1", u32(0, 1)},
		{"hdr_len small", "FRAME-2", u16(4, 56)},
		{"hdr_len odd", "FRAME-2", u16(4, 65)},
		{"hdr_len beyond", "FRAME-2", u16(4, 0xFFF8)},
		{"rec_hdr_len small", "FRAME-2", u16(6, 40)},
		{"rec_hdr_len odd", "FRAME-2", u16(6, 50)},
		{"rec_hdr_len beyond", "REC-1", u16(6, 0xFFF8)},
		{"frame_len", "FRAME-3", u32(8, 70)},
		{"count too large", "REC-1", u32(12, 3)},
		{"count too small", "FRAME-4", u32(12, 1)},
		{"count 0", "FRAME-4", u32(12, 0)},
		{"count huge", "LIM-1", u32(12, 0xFFFFFFFF)},
		{"arguments in short headers", "ARG-1", u32(FrameFlagsAt, FrameHasArguments)},
		{"arguments in an output", "ARG-2", func(b []byte) []byte {
			le.PutUint16(b[6:], CallHeaderSize)
			return u32(FrameFlagsAt, FrameHasArguments)(b)
		}},
		{"aux", "FRAME-5", u32(FrameFlagsAt, FrameHasAux)},
		{"rec_len 0", "REC-2", u32(rec0, 0)},
		{"rec_len huge", "REC-1", u32(rec0, 0xFFFFFFF8)},
		{"key_len near 2^32", "REC-1", u32(rec0+RecKeyLenAt, 0xFFFFFFFE)},
		{"val_len near 2^32", "REC-1", u32(rec0+RecValueLenAt, 0xFFFFFFFE)},
		{"hdrs_len near 2^32", "REC-1", u32(rec0+RecHeadersLenAt, 0xFFFFFFF8)},
		{"hdrs_len odd", "REC-3", u32(rec0+RecHeadersLenAt, 4)},
		{"hdr_count lies", "REC-3", u16(rec0+RecHeaderCountAt, 1)},
		{"index beyond", "REC-4", u32(rec1+RecIndexAt, 2)},
		{"index falls", "REC-5", u32(rec0+RecIndexAt, 1)},
		{"kind", "REC-6", func(b []byte) []byte { b[rec0+RecKindAt] = 3; return b }},
		{"dest", "REC-7", u32(rec0+RecDestAt, 2)},
		{"unknown record flags", "KEEP-1", func(b []byte) []byte { b[rec0+RecFlagsAt] = 16; return b }},
		{"keep without index", "KEEP-2", u32(rec0+RecIndexAt, NoIndex)},
		{"keep of a part given", "KEEP-3", func(b []byte) []byte { b[rec0+RecFlagsAt] |= KeepValue; return b }},
		{"class", "ERR-2", func(b []byte) []byte { b[rec0+RecKindAt] = 1; le.PutUint32(b[rec0+RecDestAt:], 4); return b }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := AppendFrameHeader(nil, &FrameHeader{Partition: -1})
			for range 2 {
				rec := Record{Value: []byte("answer"), Flags: KeepKey}
				frame = AppendRecord(frame, &rec)
			}
			FinishFrame(frame, 0, 2)
			err := readAll(tt.break_(frame), Expect{Output: true, Inputs: 2, Children: 1})
			clause := ""
			if e, ok := errors.AsType[*FrameError](err); ok {
				clause = e.Clause
			}
			if clause != tt.clause {
				t.Errorf("clause %q (%v), want %q", clause, err, tt.clause)
			}
		})
	}
}

// TestErrorRecord gives an error record without the index that it is about.
func TestErrorRecord(t *testing.T) {
	for _, tt := range []struct {
		index  uint32
		clause string
	}{{0, ""}, {NoIndex, "ERR-3"}} {
		frame := AppendFrameHeader(nil, &FrameHeader{})
		frame = AppendError(frame, tt.index, ClassSkip, "a message that takes more than eight bytes")
		FinishFrame(frame, 0, 1)
		err := readAll(frame, Expect{Output: true, Inputs: 1})
		e, _ := errors.AsType[*FrameError](err)
		if tt.clause == "" && err != nil || tt.clause != "" && (e == nil || e.Clause != tt.clause) {
			t.Errorf("index %d: %v, want %q", tt.index, err, tt.clause)
		}
	}
}

// TestArgumentFaults breaks the lengths of arguments.
func TestArgumentFaults(t *testing.T) {
	const rec0 = FrameHeaderSize
	for _, tt := range []struct {
		name, clause string
		at           int
		n            uint32
	}{
		{"sound", "", rec0 + RecSecondLenAt, 6},
		{"second null", "REC-2", rec0 + RecSecondLenAt, Null},
		{"second too long", "REC-1", rec0 + RecSecondLenAt, 17},
		{"second near 2^32", "REC-1", rec0 + RecSecondLenAt, 0xFFFFFFFE},
		{"third near 2^32", "REC-1", rec0 + RecThirdLenAt, 0xFFFFFFFE},
		{"headers take the second", "REC-1", rec0 + RecHeadersLenAt, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frame := AppendFrameHeader(nil, &FrameHeader{Flags: FrameHasArguments})
			frame = AppendCall(frame, &Record{Key: []byte("k"), Value: []byte("left"), Second: []byte("right."), Third: []byte{}})
			FinishFrame(frame, 0, 1)
			binary.LittleEndian.PutUint32(frame[tt.at:], tt.n)
			e, _ := errors.AsType[*FrameError](readAll(frame, Expect{}))
			if (e == nil) != (tt.clause == "") || e != nil && e.Clause != tt.clause {
				t.Errorf("%v, want %q", e, tt.clause)
			}
		})
	}
}

// TestLargerHeaders reads a frame of a later minor version, whose headers are longer.
func TestLargerHeaders(t *testing.T) {
	frame := AppendFrameHeader(nil, &FrameHeader{})
	frame = append(frame, make([]byte, 16)...)
	at := len(frame)
	frame = AppendRecord(frame, &Record{Index: 0, Timestamp: 9})
	frame = append(frame, make([]byte, 8)...)
	frame = append(frame, "key\x00\x00\x00\x00\x00"...)
	binary.LittleEndian.PutUint16(frame[FrameHeaderLenAt:], FrameHeaderSize+16)
	binary.LittleEndian.PutUint16(frame[FrameRecHeaderLenAt:], RecordHeaderSize+8)
	binary.LittleEndian.PutUint32(frame[at:], RecordHeaderSize+16)
	binary.LittleEndian.PutUint32(frame[at+RecKeyLenAt:], 3)
	FinishFrame(frame, 0, 1)
	var r Reader
	var rec Record
	if err := r.Reset(frame, Expect{}); err != nil {
		t.Fatal(err)
	}
	if !r.Next(&rec) || string(rec.Key) != "key" || rec.Timestamp != 9 {
		t.Errorf("got %+v, %v", rec, r.Err())
	}
}

// TestAcrossFrames wants the order of indices held over the frames of a call.
func TestAcrossFrames(t *testing.T) {
	frame := AppendFrameHeader(nil, &FrameHeader{})
	frame = AppendRecord(frame, &Record{Index: 1})
	FinishFrame(frame, 0, 1)
	if err := readAll(frame, Expect{Output: true, Inputs: 3, MinIndex: 1}); err != nil {
		t.Error(err)
	}
	if err := readAll(frame, Expect{Output: true, Inputs: 3, MinIndex: 2}); err == nil {
		t.Error("an index below that of the frame before was accepted")
	}
}

// drawRecord makes any record that an input frame may hold.
func drawRecord(t *rapid.T) (Record, int) {
	part := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 40))
	rec := Record{
		Key: part.Draw(t, "key"), Value: part.Draw(t, "value"),
		Timestamp: rapid.Int64().Draw(t, "ts"), Offset: rapid.Int64().Draw(t, "offset"), Partition: rapid.Int32().Draw(t, "partition"),
		Index: rapid.Uint32().Draw(t, "index"), Dest: rapid.Uint32().Draw(t, "dest"), Kind: rapid.Uint8().Draw(t, "kind"), Flags: rapid.Uint8().Draw(t, "flags"),
	}
	n := rapid.IntRange(0, 3).Draw(t, "headers")
	for range n {
		rec.Headers = AppendPair(rec.Headers, rapid.String().Draw(t, "hk"), rapid.SliceOf(rapid.Byte()).Draw(t, "hv"))
	}
	rec.HeaderCount = n
	return rec, n
}

// TestRoundTrip encodes into a buffer of exactly the size announced and decodes the same records.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := make([]Record, rapid.IntRange(0, 5).Draw(t, "n"))
		topic := rapid.SampledFrom([]string{"", "t", "topic-8b"}).Draw(t, "topic")
		size := FrameHeaderSize
		for i := range records {
			records[i], _ = drawRecord(t)
			size += records[i].Size()
		}
		if topic != "" {
			size += AuxSize(topic)
		}
		buf := bytes.Repeat([]byte{0xAA}, size)[:0]
		frame := AppendFrameHeader(buf, &FrameHeader{Epoch: 1})
		for i := range records {
			frame = AppendRecord(frame, &records[i])
		}
		if topic != "" {
			frame = AppendAux(frame, 0, topic)
		}
		FinishFrame(frame, 0, len(records))
		if len(frame) != size || &frame[0] != &buf[:1][0] {
			t.Fatalf("%d bytes, announced %d", len(frame), size)
		}
		var r Reader
		if err := r.Reset(frame, Expect{}); err != nil {
			t.Fatal(err)
		}
		var rec Record
		for i := range records {
			if !r.Next(&rec) {
				t.Fatal(r.Err())
			}
			if !sameRecord(&records[i], &rec) {
				t.Fatalf("record %d: %+v became %+v", i, records[i], rec)
			}
		}
		if r.Next(&rec) || r.Err() != nil {
			t.Fatal("more records than were put in", r.Err())
		}
	})
}

func sameRecord(a, b *Record) bool {
	same := func(x, y []byte) bool { return bytes.Equal(x, y) && (x == nil) == (y == nil) }
	return same(a.Key, b.Key) && same(a.Value, b.Value) && bytes.Equal(a.Headers, b.Headers) && a.HeaderCount == b.HeaderCount &&
		a.Timestamp == b.Timestamp && a.Offset == b.Offset && a.Partition == b.Partition && a.Index == b.Index && a.Dest == b.Dest &&
		a.Kind == b.Kind && a.Flags == b.Flags
}

// TestNoAllocs holds encoding into a buffer that is large enough, and decoding, to zero allocations.
func TestNoAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	rec := Record{Key: []byte("key"), Value: []byte("value")}
	var r Reader
	var got Record
	if n := testing.AllocsPerRun(100, func() {
		frame := AppendFrameHeader(buf, &FrameHeader{})
		start := len(frame)
		frame = AppendRecord(frame, &rec)
		frame = AppendPair(frame, "trace", rec.Value)
		FinishHeaders(frame, start, 1)
		frame = AppendAux(frame, 0, "topic")
		FinishFrame(frame, 0, 1)
		_ = r.Reset(frame, Expect{})
		for r.Next(&got) {
			pairs := ReadPairs(got.Headers)
			_, _, _ = pairs.Next()
		}
	}); n != 0 || r.Err() != nil {
		t.Errorf("%v allocations, %v", n, r.Err())
	}
}
