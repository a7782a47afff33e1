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

// The first byte of rows in Kafka's stores of two schemas, which those of EmitStrategy.onWindowClose are: rows in the
// order of time, and beside them an index in that of the keys (PrefixedWindowKeySchemas, PrefixedSessionKeySchemas).
const (
	timeFirstPrefix = 0
	keyFirstPrefix  = 1
)

// AppendTimeFirstWindowKey appends the row of a window in the order of time, 0|int64 start|key|int32 seq.
func AppendTimeFirstWindowKey(dst, key []byte, start int64, seq int32) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, timeFirstPrefix), uint64(start))
	return binary.BigEndian.AppendUint32(append(dst, key...), uint32(seq))
}

// AppendKeyFirstWindowKey appends the row of a window in the order of keys, 1|key|int64 start|int32 seq.
func AppendKeyFirstWindowKey(dst, key []byte, start int64, seq int32) []byte {
	return AppendWindowKey(append(dst, keyFirstPrefix), key, start, seq)
}

// AppendTimeFirstSessionKey appends the row of a session in the order of time, 0|int64 end|int64 start|key.
func AppendTimeFirstSessionKey(dst, key []byte, start, end int64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, timeFirstPrefix), uint64(end))
	return append(binary.BigEndian.AppendUint64(dst, uint64(start)), key...)
}

// AppendKeyFirstSessionKey appends the row of a session in the order of keys, 1|key|int64 end|int64 start.
func AppendKeyFirstSessionKey(dst, key []byte, start, end int64) []byte {
	return AppendSessionKey(append(dst, keyFirstPrefix), key, start, end)
}
