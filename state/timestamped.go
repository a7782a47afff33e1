package state

import "encoding/binary"

// timestampSize is the length of the timestamp before the value in a timestamped store.
const timestampSize = 8

// AppendTimestamped appends the bytes of a timestamped store for value as of timestamp: int64 big-endian, then value
// (ValueAndTimestampSerializer). It has no form for a nil value, which is a delete: the result is dst then.
func AppendTimestamped(dst []byte, timestamp int64, value []byte) []byte {
	if value == nil {
		return dst
	}
	return append(binary.BigEndian.AppendUint64(dst, uint64(timestamp)), value...)
}

// SplitTimestamped takes the bytes of a timestamped store apart; value points into stored. nil, and what is too short
// to be one, give a nil value and TimestampUnknown.
func SplitTimestamped(stored []byte) (value []byte, timestamp int64) {
	if len(stored) < timestampSize {
		return nil, TimestampUnknown
	}
	return stored[timestampSize:], int64(binary.BigEndian.Uint64(stored))
}

// TimestampedKeyValueStore reads and writes the values of a store of format Timestamped by their parts. The other
// methods are those of the store and deal in its bytes.
type TimestampedKeyValueStore struct {
	KeyValueStore
	buf []byte
}

// NewTimestamped returns the facade of kv, whose format must be Timestamped.
func NewTimestamped(kv KeyValueStore) *TimestampedKeyValueStore {
	return &TimestampedKeyValueStore{KeyValueStore: kv}
}

// GetTimestamped returns value and timestamp of key, or nil and TimestampUnknown if it is absent. The value is
// borrowed until the next call on the store.
func (t *TimestampedKeyValueStore) GetTimestamped(key []byte) (value []byte, timestamp int64, err error) {
	stored, err := t.Get(key)
	if err != nil {
		return nil, TimestampUnknown, err
	}
	value, timestamp = SplitTimestamped(stored)
	return value, timestamp, nil
}

// PutTimestamped sets key to value as of timestamp; a nil value deletes it.
func (t *TimestampedKeyValueStore) PutTimestamped(key, value []byte, timestamp int64) error {
	if value == nil {
		return t.Put(key, nil)
	}
	t.buf = AppendTimestamped(t.buf[:0], timestamp, value)
	return t.Put(key, t.buf)
}
