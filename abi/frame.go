package abi

import "encoding/binary"

// Sizes and magics of the fixed parts.
const (
	FrameHeaderSize  = 64
	RecordHeaderSize = 48
	// CallHeaderSize is the size of a record's header in frames with FrameHasArguments.
	CallHeaderSize = 56

	// FrameMagic is "WSB1" in memory.
	FrameMagic uint32 = 'W' | 'S'<<8 | 'B'<<16 | '1'<<24
	// OpenMagic is "WSO1" in memory.
	OpenMagic uint32 = 'W' | 'S'<<8 | 'O'<<16 | '1'<<24
)

// Offsets in the frame header.
const (
	FrameMagicAt        = 0
	FrameHeaderLenAt    = 4 // u16
	FrameRecHeaderLenAt = 6 // u16
	FrameLenAt          = 8
	FrameCountAt        = 12
	FrameFlagsAt        = 16
	FrameAuxOffAt       = 20
	FrameAuxLenAt       = 24
	FrameInputAt        = 28
	FramePartitionAt    = 32
	FrameStreamTimeAt   = 40 // i64
	FrameEpochAt        = 48 // i64
)

// Offsets in the record header.
const (
	RecLenAt         = 0
	RecKeyLenAt      = 4
	RecValueLenAt    = 8
	RecHeadersLenAt  = 12
	RecTimestampAt   = 16 // i64
	RecOffsetAt      = 24 // i64
	RecIndexAt       = 32
	RecHeaderCountAt = 36 // u16
	RecKindAt        = 38 // u8
	RecFlagsAt       = 39 // u8
	RecDestAt        = 40
	RecPartitionAt   = 44
	// In frames with FrameHasArguments.
	RecSecondLenAt = 48
	RecThirdLenAt  = 52
)

// Flags of a frame. A reader ignores those it does not know.
const (
	FrameReplay uint32 = 1 << 0 // the records were seen before; outputs are compared or thrown away
	FrameShadow uint32 = 1 << 1 // outputs are compared with another version's and thrown away
	FrameHasAux uint32 = 1 << 2 // aux_off and aux_len name a block of pairs behind the records
	// FrameHasArguments: each record carries a second and a third argument of the function, behind its headers.
	FrameHasArguments uint32 = 1 << 3
)

// Keys of a frame's aux block.
const (
	// AuxTopic is the topic that the records were read from. In frames of Connect's kinds there may be several: dest of a
	// record names one, counted from 1.
	AuxTopic = "topic"
	// AuxSchema is a schema that crosses (AppendSchema), in frames of Connect's kinds.
	AuxSchema = "schema"
)

// Flags of a record: parts that the host takes from the input record that index names.
const (
	KeepKey       uint8 = 1 << 0
	KeepValue     uint8 = 1 << 1
	KeepHeaders   uint8 = 1 << 2
	KeepTimestamp uint8 = 1 << 3
	KeepAll             = KeepKey | KeepValue | KeepHeaders | KeepTimestamp
	// KeepPlace keeps topic and partition, in answers of Connect's kinds.
	KeepPlace uint8 = 1 << 4
)

// Kinds of records.
const (
	KindRecord uint8 = 0
	KindError  uint8 = 1
)

const (
	// Null is the length of a part that is null.
	Null uint32 = 0xFFFFFFFF
	// NoIndex is the index of a record that comes from no input record.
	NoIndex uint32 = 0xFFFFFFFF
	// AllChildren is the dest of a record that goes to every child.
	AllChildren uint32 = 0
)

// FrameHeader is what a frame says about all its records.
type FrameHeader struct {
	Flags uint32
	// Input is the number of the component's input; 0 in version 1.
	Input uint32
	// Partition is the source partition of the records, -1 if there is none.
	Partition int32
	// StreamTime is the task's stream time (ms) as the first record was taken, that record included.
	StreamTime int64
	// Epoch is the number of the transaction the frame belongs to.
	Epoch int64

	// Count and AuxLen are set by the decoder; encoders patch them in with FinishFrame and AppendAux.
	Count  int
	AuxLen int
}

// pad8 rounds n up to a multiple of 8.
func pad8(n int) int { return (n + 7) &^ 7 }

// extend makes dst n bytes longer and returns it with the new part, whose bytes are not cleared.
func extend(dst []byte, n int) (whole, part []byte) {
	at := len(dst)
	if cap(dst)-at >= n {
		whole = dst[:at+n]
	} else {
		whole = append(dst, make([]byte, n)...)
	}
	return whole, whole[at : at+n : at+n]
}

// recordHeaderSize is the size of the header of each record in a frame with these flags.
func recordHeaderSize(flags uint32) uint32 {
	if flags&FrameHasArguments != 0 {
		return CallHeaderSize
	}
	return RecordHeaderSize
}

// AppendFrameHeader starts a frame at the end of dst. The records follow by AppendRecord, or with FrameHasArguments by
// AppendCall, and FinishFrame ends it.
// Nothing is reallocated while cap(dst) suffices (FrameHeaderSize, RecordSize, AuxSize).
func AppendFrameHeader(dst []byte, h *FrameHeader) []byte {
	dst, b := extend(dst, FrameHeaderSize)
	le := binary.LittleEndian
	le.PutUint32(b[FrameMagicAt:], FrameMagic)
	le.PutUint32(b[FrameHeaderLenAt:], FrameHeaderSize|recordHeaderSize(h.Flags)<<16)
	le.PutUint64(b[FrameLenAt:], FrameHeaderSize)
	le.PutUint32(b[FrameFlagsAt:], h.Flags)
	le.PutUint64(b[FrameAuxOffAt:], 0)
	le.PutUint32(b[FrameInputAt:], h.Input)
	le.PutUint64(b[FramePartitionAt:], uint64(uint32(h.Partition)))
	le.PutUint64(b[FrameStreamTimeAt:], uint64(h.StreamTime))
	le.PutUint64(b[FrameEpochAt:], uint64(h.Epoch))
	le.PutUint64(b[FrameEpochAt+8:], 0)
	return dst
}

// AppendAux appends the topic of the records as the aux block of the frame that begins at dst[start]. It comes after
// the last record and before FinishFrame.
func AppendAux(dst []byte, start int, topic string) []byte {
	at := len(dst)
	dst = AppendPair(dst, AuxTopic, topic)
	FinishAux(dst, start, at)
	return dst
}

// FinishAux makes what was appended from dst[at] on, by AppendPair, the aux block of the frame that begins at dst[start].
// Nothing appended is no aux block.
func FinishAux(dst []byte, start, at int) {
	if at == len(dst) {
		return
	}
	le, h := binary.LittleEndian, dst[start:]
	le.PutUint32(h[FrameFlagsAt:], le.Uint32(h[FrameFlagsAt:])|FrameHasAux)
	le.PutUint32(h[FrameAuxOffAt:], uint32(at-start))
	le.PutUint32(h[FrameAuxLenAt:], uint32(len(dst)-at))
}

// AuxSize is the number of bytes that AppendAux appends.
func AuxSize(topic string) int { return PairSize(len(AuxTopic), len(topic)) }

// FinishFrame writes the length and the count of records of the frame that begins at dst[start] and reaches to the end
// of dst.
func FinishFrame(dst []byte, start, count int) {
	h := dst[start:]
	binary.LittleEndian.PutUint32(h[FrameLenAt:], uint32(len(h)))
	binary.LittleEndian.PutUint32(h[FrameCountAt:], uint32(count))
}
