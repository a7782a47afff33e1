package dsl

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// outerJoinStore holds the records of both sides that have not found a partner: a key-value store with Kafka's bytes.
// The key is int64 timestamp|side|key, so that they lie in the order of time, right before left; the value is a list of
// side|value, because a side may have several records of a key and time.
type outerJoinStore struct {
	name  string
	store state.KeyValueStore
	key   []byte // scratch
	value []byte // scratch
}

const (
	rightSide byte = 0
	leftSide  byte = 1
)

// openOuterJoinStore returns nil for a join that has none.
func openOuterJoinStore(ctx topology.Context, name string) (*outerJoinStore, error) {
	if name == "" {
		return nil, nil
	}
	s, err := ctx.Store(name)
	if err != nil {
		return nil, err
	}
	kv, ok := s.(state.KeyValueStore)
	if !ok {
		return nil, fmt.Errorf("joining with store %q: it is not a key-value store", name)
	}
	return &outerJoinStore{name: name, store: kv}, nil
}

func (o *outerJoinStore) keyOf(timestamp int64, side byte, key []byte) []byte {
	o.key = binary.BigEndian.AppendUint64(o.key[:0], uint64(timestamp))
	o.key = append(append(o.key, side), key...)
	return o.key
}

// add appends a record to those of its key, time and side.
func (o *outerJoinStore) add(timestamp int64, side byte, key, value []byte) error {
	k := o.keyOf(timestamp, side, key)
	old, err := o.store.Get(k)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", o.name, err)
	}
	v := appendListHead(o.value[:0], old)
	v = binary.BigEndian.AppendUint32(v, uint32(1+len(value)))
	o.value = append(append(v, side), value...)
	return o.put(k, o.value)
}

// The list: a byte that says that entries have their length before them, int32 number, entries.
const (
	listWithLengths = 1
	listHead        = 1 + 4
)

// appendListHead appends old, or an empty list, with room for one entry more in its count.
func appendListHead(dst, old []byte) []byte {
	if len(old) < listHead {
		return append(dst, listWithLengths, 0, 0, 0, 1)
	}
	start := len(dst)
	dst = append(dst, old...)
	count := dst[start+1:]
	binary.BigEndian.PutUint32(count, binary.BigEndian.Uint32(count)+1)
	return dst
}

// remove deletes what is there of a key, time and side.
func (o *outerJoinStore) remove(timestamp int64, side byte, key []byte) error {
	k := o.keyOf(timestamp, side, key)
	old, err := o.store.Get(k)
	if err != nil {
		return fmt.Errorf("reading store %q: %w", o.name, err)
	}
	if old == nil {
		return nil
	}
	return o.put(k, nil)
}

func (o *outerJoinStore) put(key, value []byte) error {
	if err := o.store.Put(key, value); err != nil {
		return fmt.Errorf("writing store %q: %w", o.name, err)
	}
	return nil
}

// unmatched is a place in the walk over the store: a key with the entries that are left of its list.
type unmatched struct {
	stored    []byte // the key as stored
	timestamp int64
	side      byte
	key       []byte
	entries   []byte
}

func readUnmatched(key, value []byte) (u unmatched, err error) {
	if len(key) < 9 || len(value) < listHead || value[0] != listWithLengths {
		return u, fmt.Errorf("an outer join row of %d and %d bytes: %w", len(key), len(value), state.ErrCorrupt)
	}
	return unmatched{
		stored: key, timestamp: int64(binary.BigEndian.Uint64(key)), side: key[8], key: key[9:], entries: value[listHead:],
	}, nil
}

// several tells whether more than one entry is left.
func (u *unmatched) several() bool {
	return len(u.entries) >= 4 && int64(binary.BigEndian.Uint32(u.entries)) < int64(len(u.entries)-4)
}

// next takes the value of the next entry; ok is false behind the last.
func (u *unmatched) next() (value []byte, ok bool, err error) {
	if len(u.entries) == 0 {
		return nil, false, nil
	}
	n := 0
	if len(u.entries) >= 4 {
		n = int(int32(binary.BigEndian.Uint32(u.entries)))
	}
	if n < 1 || n > len(u.entries)-4 {
		return nil, false, fmt.Errorf("an entry of an outer join row of %d bytes: %w", n, state.ErrCorrupt)
	}
	value, u.entries = u.entries[5:4+n:4+n], u.entries[4+n:]
	return value, true, nil
}
