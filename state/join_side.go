package state

import (
	"encoding/binary"
	"errors"
	"math"
)

// The rows of the store that the two sides of an outer stream-stream join share: what has found no match yet, in the
// order of time, of equal times the right side first. A row holds the list of the values with one timestamp, side and key.

// AppendJoinSideKey appends the key of a row, int64 timestamp|1 for the left side, 0 for the right|key
// (TimestampedKeyAndJoinSideSerializer).
func AppendJoinSideKey(dst, key []byte, timestamp int64, left bool) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(timestamp))
	return append(append(dst, side(left)), key...)
}

// SplitJoinSideKey takes the key of a row apart; ok is false for what is none. key points into stored.
func SplitJoinSideKey(stored []byte) (key []byte, timestamp int64, left, ok bool) {
	if len(stored) < 9 || stored[8] > 1 {
		return nil, 0, false, false
	}
	return stored[9:], int64(binary.BigEndian.Uint64(stored)), stored[8] == 1, true
}

// AppendLeftOrRight appends a value with the side it came from (LeftOrRightValueSerializer).
func AppendLeftOrRight(dst, value []byte, left bool) []byte {
	return append(append(dst, side(left)), value...)
}

// SplitLeftOrRight is the inverse; ok is false for what is none. value points into stored.
func SplitLeftOrRight(stored []byte) (value []byte, left, ok bool) {
	if len(stored) < 1 || stored[0] > 1 {
		return nil, false, false
	}
	return stored[1:], stored[0] == 1, true
}

func side(left bool) byte {
	if left {
		return 1
	}
	return 0
}

// variableSize is the strategy of Kafka's ListSerde for values that are not all of one length.
const variableSize = 1

var errList = errors.New("the bytes are no list of values")

// AppendListValue appends the list stored with value added to it; stored nil is the empty list. A list is the byte 1,
// int32 count, and for each value int32 length and the value (ListSerializer, as Kafka's ListValueStore uses it).
func AppendListValue(dst, stored, value []byte) ([]byte, error) {
	count := uint32(0)
	if stored != nil {
		if _, err := DecodeListValue(nil, stored); err != nil {
			return dst, err
		}
		count, stored = binary.BigEndian.Uint32(stored[1:]), stored[5:]
	}
	dst = binary.BigEndian.AppendUint32(append(dst, variableSize), count+1)
	dst = binary.BigEndian.AppendUint32(append(dst, stored...), uint32(len(value)))
	return append(dst, value...), nil
}

// DecodeListValue appends the values of a stored list to dst; they point into stored. It takes any bytes.
func DecodeListValue(dst [][]byte, stored []byte) ([][]byte, error) {
	if stored == nil {
		return dst, nil
	}
	if len(stored) < 5 || stored[0] != variableSize {
		return dst, errList
	}
	count, rest := binary.BigEndian.Uint32(stored[1:]), stored[5:]
	for range count {
		if len(rest) < 4 {
			return dst, errList
		}
		n := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; n > math.MaxInt32 || int(n) > len(rest) {
			return dst, errList
		}
		dst, rest = append(dst, rest[:n:n]), rest[n:]
	}
	if len(rest) > 0 {
		return dst, errList
	}
	return dst, nil
}
