package state

import "encoding/binary"

// What follows the key in the keys of windowed stores.
const (
	windowTail  = 8 + 4 // start, seq
	sessionTail = 8 + 8 // end, start
)

// AppendWindowKey appends the key of a window in Kafka's stores and changelogs, key|int64 start|int32 seq
// (WindowKeySchema). seq is 0 unless duplicates are retained.
func AppendWindowKey(dst, key []byte, start int64, seq int32) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, key...), uint64(start))
	return binary.BigEndian.AppendUint32(dst, uint32(seq))
}

// SplitWindowKey takes the key of a window apart; ok is false for what is too short to be one. key points into stored.
func SplitWindowKey(stored []byte) (key []byte, start int64, seq int32, ok bool) {
	n := len(stored) - windowTail
	if n < 0 {
		return nil, 0, 0, false
	}
	return stored[:n:n], int64(binary.BigEndian.Uint64(stored[n:])), int32(binary.BigEndian.Uint32(stored[n+8:])), true
}

// AppendSessionKey appends the key of a session in Kafka's stores, changelogs and topics, key|int64 end|int64 start
// (SessionKeySchema).
func AppendSessionKey(dst, key []byte, start, end int64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, key...), uint64(end))
	return binary.BigEndian.AppendUint64(dst, uint64(start))
}

// SplitSessionKey takes the key of a session apart; ok is false for what is too short to be one. key points into stored.
func SplitSessionKey(stored []byte) (key []byte, start, end int64, ok bool) {
	n := len(stored) - sessionTail
	if n < 0 {
		return nil, 0, 0, false
	}
	return stored[:n:n], int64(binary.BigEndian.Uint64(stored[n+8:])), int64(binary.BigEndian.Uint64(stored[n:])), true
}
