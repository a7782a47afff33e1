package abi

import "encoding/binary"

// Keys of the open frame. config. keys carry the node's own configuration.
const (
	OpenComponent     = "component"
	OpenApplicationID = "application.id"
	OpenTaskID        = "task.id"
	OpenNode          = "node"
	OpenMode          = "mode"
	OpenEpoch         = "epoch"
	OpenFeatures      = "features"
	OpenChild         = "child"
	OpenStore         = "store"
	OpenConfigPrefix  = "config."

	// Of plugins of Connect.
	OpenConnector = "connector"
	OpenTask      = "task"
	OpenDirection = "direction"
)

// Directions in which a converter is opened.
const (
	ToConnect   = "toConnect"
	FromConnect = "fromConnect"
)

// Modes in which a component is opened.
const (
	ModeNormal   = "normal"
	ModeReplay   = "replay"
	ModeShadow   = "shadow"
	ModeValidate = "validate"
)

// openHeaderSize is the magic and the count.
const openHeaderSize = 8

// AppendOpenHeader starts an open frame at the end of dst; pairs follow by AppendPair, and FinishOpen ends it.
func AppendOpenHeader(dst []byte) []byte {
	dst, b := extend(dst, openHeaderSize)
	binary.LittleEndian.PutUint64(b, uint64(OpenMagic))
	return dst
}

// FinishOpen writes the count of pairs of the open frame that begins at dst[start].
func FinishOpen(dst []byte, start, count int) {
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(count))
}

// ReadOpen checks an open frame and returns a reader of its pairs.
func ReadOpen(frame []byte) (PairReader, error) {
	if len(frame) < openHeaderSize || binary.LittleEndian.Uint32(frame) != OpenMagic {
		return PairReader{}, fault("OPEN-1", -1, "an open frame does not begin with WSO1")
	}
	n := countPairs(frame[openHeaderSize:])
	if n < 0 {
		return PairReader{}, fault("OPEN-1", -1, "a pair of the open frame reaches beyond it")
	}
	if uint64(n) != uint64(binary.LittleEndian.Uint32(frame[4:])) {
		return PairReader{}, fault("OPEN-1", -1, "the open frame does not hold count pairs")
	}
	return ReadPairs(frame[openHeaderSize:]), nil
}
