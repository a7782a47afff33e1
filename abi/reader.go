package abi

import (
	"encoding/binary"
	"fmt"
)

// FrameError says which rule of SPEC.md a frame breaks and where.
type FrameError struct {
	Clause string // the rule, e.g. "FRAME-3"
	Record int    // position of the record in the frame, -1 for the frame as a whole
	What   string
}

// Error names the place and the rule.
func (e *FrameError) Error() string {
	if e.Record < 0 {
		return fmt.Sprintf("frame: %s (%s)", e.What, e.Clause)
	}
	return fmt.Sprintf("frame, record %d: %s (%s)", e.Record, e.What, e.Clause)
}

// Expect is what the reader of a frame knows of it beforehand.
type Expect struct {
	// Output is true for frames that a guest gives: index, dest and Keep flags are checked then.
	Output bool
	// Inputs is the number of records in the input frame of the call; 0 for punctuators and flushes.
	Inputs int
	// Children is the number of children of the node: the largest dest.
	Children int
	// MinIndex is the smallest index that may come: that of the last record of the frame that was emitted before in
	// the same call (Reader.LastIndex), else 0.
	MinIndex uint32
	// Connect is true for the kinds of Connect: dest of an output names a topic of the frame's own aux block, and
	// KeepPlace is a flag.
	Connect bool
	// Arguments is true for output frames that may have arguments: those of ws_poll.
	Arguments bool
}

// Reader decodes a frame record by record. It trusts nothing, never panics and allocates only for an error. The zero
// value is empty; Reset makes it ready. It is for one goroutine.
type Reader struct {
	header FrameHeader
	expect Expect
	data   []byte // the whole frame
	off    int    // of the next record
	end    int    // of the records
	recHdr int
	args   bool // records have arguments
	next   int  // number of the next record
	last   uint32
	err    error
}

// Reset begins to read frame, of which every byte counts, and checks its header.
func (r *Reader) Reset(frame []byte, expect Expect) error {
	*r = Reader{expect: expect, last: expect.MinIndex, data: frame}
	r.err = r.readHeader()
	if r.err != nil {
		r.data, r.header.Count = nil, 0
	}
	return r.err
}

// Header is the header of the frame given to Reset.
func (r *Reader) Header() *FrameHeader { return &r.header }

// Err is the fault that ended Next, nil at the end of a sound frame.
func (r *Reader) Err() error { return r.err }

// LastIndex is the index of the last record read that had one, else the MinIndex expected.
func (r *Reader) LastIndex() uint32 { return r.last }

// Aux is the frame's aux block: pairs for ReadPairs.
func (r *Reader) Aux() []byte {
	if r.data == nil || r.header.AuxLen == 0 {
		return nil
	}
	return r.data[len(r.data)-r.header.AuxLen:]
}

func (r *Reader) readHeader() error {
	b := r.data
	if len(b) < FrameHeaderSize {
		return fault("FRAME-1", -1, "shorter than its header of 64 bytes")
	}
	if len(b) > MaxFrameBytes {
		return fault("LIM-1", -1, "longer than 64 MiB")
	}
	le := binary.LittleEndian
	if le.Uint32(b[FrameMagicAt:]) != FrameMagic {
		return fault("FRAME-1", -1, "does not begin with WSB1")
	}
	hdrLen, recHdr := int(le.Uint16(b[FrameHeaderLenAt:])), int(le.Uint16(b[FrameRecHeaderLenAt:]))
	if hdrLen < FrameHeaderSize || hdrLen%8 != 0 || hdrLen > len(b) {
		return fault("FRAME-2", -1, "hdr_len is not a multiple of 8 between 64 and the frame's length")
	}
	if recHdr < RecordHeaderSize || recHdr%8 != 0 {
		return fault("FRAME-2", -1, "rec_hdr_len is not a multiple of 8 from 48 on")
	}
	if uint64(le.Uint32(b[FrameLenAt:])) != uint64(len(b)) {
		return fault("FRAME-3", -1, "frame_len is not the length that was given")
	}
	count := le.Uint32(b[FrameCountAt:])
	if count > MaxFrameRecords {
		return fault("LIM-1", -1, "more than 100,000 records")
	}
	r.off, r.recHdr, r.end = hdrLen, recHdr, len(b)
	r.args = le.Uint32(b[FrameFlagsAt:])&FrameHasArguments != 0
	if r.args && recHdr < CallHeaderSize {
		return fault("ARG-1", -1, "a frame with arguments needs a rec_hdr_len from 56 on")
	}
	if r.args && r.expect.Output && !r.expect.Arguments {
		return fault("ARG-2", -1, "an output frame has no arguments")
	}
	r.header = FrameHeader{
		Flags:      le.Uint32(b[FrameFlagsAt:]),
		Input:      le.Uint32(b[FrameInputAt:]),
		Partition:  int32(le.Uint32(b[FramePartitionAt:])),
		StreamTime: int64(le.Uint64(b[FrameStreamTimeAt:])),
		Epoch:      int64(le.Uint64(b[FrameEpochAt:])),
		Count:      int(count),
	}
	if err := r.readAux(); err != nil {
		return err
	}
	if count == 0 && r.off != r.end {
		return fault("FRAME-4", -1, "bytes behind the last record")
	}
	return nil
}

func (r *Reader) readAux() error {
	if r.header.Flags&FrameHasAux == 0 {
		return nil
	}
	le := binary.LittleEndian
	off, n := uint64(le.Uint32(r.data[FrameAuxOffAt:])), uint64(le.Uint32(r.data[FrameAuxLenAt:]))
	if off < uint64(r.off) || off%8 != 0 || off+n != uint64(len(r.data)) {
		return fault("FRAME-5", -1, "aux_off and aux_len do not name the end of the frame")
	}
	if countPairs(r.data[off:]) < 0 {
		return fault("FRAME-5", -1, "the aux block does not parse")
	}
	r.end, r.header.AuxLen = int(off), int(n)
	if r.expect.Connect && r.expect.Output {
		r.expect.Children = countTopics(r.data[off:])
	}
	return nil
}

// countTopics is the number of topics in an aux block.
func countTopics(aux []byte) (n int) {
	pairs := ReadPairs(aux)
	for key, _, ok := pairs.Next(); ok; key, _, ok = pairs.Next() {
		if string(key) == AuxTopic {
			n++
		}
	}
	return n
}

// Next decodes the next record into rec, as views into the frame. It returns false at the end and at the first fault
// (Err); rec is then undefined.
func (r *Reader) Next(rec *Record) bool {
	if r.next >= r.header.Count || r.err != nil {
		return false
	}
	if r.end-r.off < r.recHdr {
		return r.fail("REC-1", "the frame ends within the record's header")
	}
	b := r.data[r.off:r.end]
	le := binary.LittleEndian
	size, klen, vlen, hlen := le.Uint32(b), le.Uint32(b[RecKeyLenAt:]), le.Uint32(b[RecValueLenAt:]), le.Uint32(b[RecHeadersLenAt:])
	// Lengths are below 2^32, so their sum cannot overflow 64 bits.
	need := uint64(r.recHdr) + uint64(hlen) + padded(klen) + padded(vlen)
	second, third := Null, Null
	if r.args {
		second, third = le.Uint32(b[RecSecondLenAt:]), le.Uint32(b[RecThirdLenAt:])
		need += padded(second) + padded(third)
	}
	if need != uint64(size) || need > uint64(len(b)) || hlen%8 != 0 {
		return r.failSize(uint64(size), need, len(b), hlen)
	}
	rec.Timestamp = int64(le.Uint64(b[RecTimestampAt:]))
	rec.Offset = int64(le.Uint64(b[RecOffsetAt:]))
	rec.Index = le.Uint32(b[RecIndexAt:])
	rec.HeaderCount = int(le.Uint16(b[RecHeaderCountAt:]))
	rec.Kind, rec.Flags = b[RecKindAt], b[RecFlagsAt]
	rec.Dest, rec.Partition = le.Uint32(b[RecDestAt:]), int32(le.Uint32(b[RecPartitionAt:]))

	b = b[r.recHdr:need]
	rec.Key, b = part(b, klen)
	rec.Value, b = part(b, vlen)
	rec.Headers, b = b[:hlen:hlen], b[hlen:]
	rec.Second, b = part(b, second)
	rec.Third, _ = part(b, third)
	if (hlen > 0 || rec.HeaderCount > 0) && countPairs(rec.Headers) != rec.HeaderCount {
		return r.fail("REC-3", "the header block does not hold hdr_count headers")
	}
	if r.expect.Output && !r.checkOutput(rec) {
		return false
	}
	r.off += int(need)
	r.next++
	if r.next == r.header.Count && r.off != r.end {
		return r.fail("FRAME-4", "bytes behind the last record")
	}
	return true
}

// padded is the length of a part with its padding, by the length that stands in a header. It cannot overflow.
func padded(n uint32) uint64 {
	if n == Null {
		return 0
	}
	return (uint64(n) + 7) &^ 7
}

// part cuts a padded part of n bytes off b. The caller has checked that b holds it.
func part(b []byte, n uint32) (p, rest []byte) {
	if n == Null {
		return nil, b
	}
	return b[:n:n], b[pad8(int(n)):]
}

// checkOutput holds a guest's record against the call it answers.
func (r *Reader) checkOutput(rec *Record) bool {
	if rec.Index != NoIndex {
		if uint64(rec.Index) >= uint64(r.expect.Inputs) {
			return r.fail("REC-4", "index is not below the number of input records")
		}
		if rec.Index < r.last {
			return r.fail("REC-5", "index is smaller than that of the record before")
		}
		r.last = rec.Index
	} else if rec.Flags&KeepAll != 0 {
		return r.fail("KEEP-2", "a KEEP flag without the index of an input record")
	}
	switch rec.Kind {
	case KindRecord:
		return r.checkRecord(rec)
	case KindError:
		if rec.Index == NoIndex {
			return r.fail("ERR-3", "an error record without the index of an input record")
		}
		if rec.Dest > uint32(ClassRetry) {
			return r.fail("ERR-2", "the class of an error record is not 0 to 3")
		}
		return true
	}
	return r.fail("REC-6", "kind is neither 0 (record) nor 1 (error)")
}

func (r *Reader) checkRecord(rec *Record) bool {
	if uint64(rec.Dest) > uint64(r.expect.Children) {
		return r.fail("REC-7", "dest is beyond the number of children")
	}
	flags := KeepAll
	if r.expect.Connect {
		flags |= KeepPlace
	}
	if rec.Flags&^flags != 0 {
		return r.fail("KEEP-1", "unknown flags")
	}
	if rec.Flags&(KeepKey|KeepValue|KeepHeaders) != 0 && !r.keptPartsEmpty(rec) {
		return false
	}
	return true
}

func (r *Reader) keptPartsEmpty(rec *Record) bool {
	if rec.Flags&KeepKey != 0 && rec.Key != nil || rec.Flags&KeepValue != 0 && rec.Value != nil ||
		rec.Flags&KeepHeaders != 0 && rec.HeaderCount > 0 {
		return r.fail("KEEP-3", "a part that KEEP takes from the input is not null")
	}
	return true
}

func (r *Reader) failSize(size, need uint64, left int, hlen uint32) bool {
	if hlen%8 != 0 {
		return r.fail("REC-3", "hdrs_len is not a multiple of 8")
	}
	if size > uint64(left) || need > uint64(left) {
		return r.fail("REC-1", "the record reaches beyond the frame")
	}
	return r.fail("REC-2", "rec_len is not the sum of the header and the padded parts")
}

func (r *Reader) fail(clause, what string) bool {
	r.err = fault(clause, r.next, what)
	return false
}

func fault(clause string, record int, what string) error {
	return &FrameError{Clause: clause, Record: record, What: what}
}
