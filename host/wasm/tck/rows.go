package tck

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
)

// The kit's stores are of the kind that a component opens them as, and keep everything: rows of windows and sessions
// under their keys, versions under key|timestamp, with a byte before the value that says whether there is one.

const (
	absent  = 0
	present = 1
)

// StateOpenAs implements wasm.Host: the store has been of that kind always.
func (h *host) StateOpenAs(name []byte, kind abi.StoreKind, _ int32) int32 {
	id := h.StateOpen(name)
	if id < 0 {
		return id
	}
	if h.kinds[id] != kind && len(h.stores[id]) > 0 {
		return int32(abi.Unsupported)
	}
	h.kinds[id] = kind
	return id
}

func timeAt(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// sizeOfTimes is what stands behind the key in a row's.
func sizeOfTimes(kind abi.StoreKind) int {
	switch kind {
	case abi.WindowStore, abi.VersionedStore:
		return abi.TimeSize
	case abi.SessionStore:
		return 2 * abi.TimeSize
	}
	return 0
}

// validRow tells whether key ends with times as rows of the kind have them.
func validRow(kind abi.StoreKind, key []byte) bool {
	n := len(key) - sizeOfTimes(kind)
	if n < 0 || kind != abi.KeyValueStore && timeAt(key[n:]) < 0 {
		return false
	}
	if kind != abi.SessionStore {
		return true
	}
	start := timeAt(key[n+abi.TimeSize:])
	return 0 <= start && start <= timeAt(key[n:])
}

// held is how the kit keeps a value.
func held(kind abi.StoreKind, value []byte) []byte {
	switch {
	case kind != abi.VersionedStore:
		return append([]byte{}, value...)
	case value == nil:
		return []byte{absent}
	}
	return append([]byte{present}, value...)
}

// row is a window or a session, or the version that holds at a moment.
func (h *host) row(store int32, key []byte) ([]byte, int32) {
	if !validRow(h.kinds[store], key) {
		return nil, int32(abi.InvalidArg)
	}
	s := h.stores[store]
	if h.kinds[store] != abi.VersionedStore {
		if v, ok := s[string(key)]; ok {
			return v, 0
		}
		return nil, int32(abi.NotFound)
	}
	n := len(key) - abi.TimeSize
	var found []byte
	for _, k := range h.versions(store, key[:n]) {
		if timeAt([]byte(k)[n:]) <= timeAt(key[n:]) {
			found = h.version(store, k)
		}
	}
	if found == nil {
		return nil, int32(abi.NotFound)
	}
	return found, 0
}

// versions are the rows of a key in a versioned store, by time.
func (h *host) versions(store int32, key []byte) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h.stores[store])), func(k string) bool {
		return len(k) != len(key)+abi.TimeSize || !bytes.HasPrefix([]byte(k), key)
	})
}

// version is a row of a versioned store as guests see it, nil if the key is absent from its time on.
func (h *host) version(store int32, row string) []byte {
	stored := h.stores[store][row]
	if stored[0] == absent {
		return nil
	}
	n := len(row) - abi.TimeSize
	v := binary.BigEndian.AppendUint64([]byte(row[n:]), uint64(h.validTo(store, row)))
	return append(v, stored[1:]...)
}

// validTo is where a version ends.
func (h *host) validTo(store int32, row string) int64 {
	n := len(row) - abi.TimeSize
	versions := h.versions(store, []byte(row[:n]))
	if i := slices.Index(versions, row); i+1 < len(versions) {
		return timeAt([]byte(versions[i+1])[n:])
	}
	return abi.HoldsForever
}

// StatePutVersion implements wasm.Host.
func (h *host) StatePutVersion(store int32, key, value []byte, timestamp int64) int64 {
	if s := h.store(store); s == nil || timestamp < 0 {
		return int64(abi.InvalidArg)
	}
	if h.kinds[store] != abi.VersionedStore {
		return int64(abi.Unsupported)
	}
	row := binary.BigEndian.AppendUint64(bytes.Clone(key), uint64(timestamp))
	if code := h.StatePut(store, row, value); code < 0 {
		return int64(code)
	}
	return h.validTo(store, string(row))
}

// IterOpenSpan implements wasm.Host.
func (h *host) IterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32 {
	s := h.store(store)
	if s == nil {
		return int32(abi.InvalidArg)
	}
	kind := h.kinds[store]
	switch {
	case kind == abi.KeyValueStore:
		return int32(abi.Unsupported)
	case kind != abi.VersionedStore:
		size := sizeOfTimes(kind)
		return h.iterate(s, slices.DeleteFunc(slices.Sorted(maps.Keys(s)), func(k string) bool {
			n := len(k) - size
			return !between([]byte(k[:n]), keyFrom, keyTo) || !asked([]byte(k)[n:], from, to)
		}), flags, limit)
	case keyFrom == nil || !bytes.Equal(keyFrom, keyTo):
		return int32(abi.InvalidArg)
	}
	found, keys := map[string][]byte{}, []string(nil)
	for _, k := range h.versions(store, keyFrom) {
		if v := h.version(store, k); v != nil && timeAt(v) <= to && timeAt(v[abi.TimeSize:]) > from {
			found[k], keys = v, append(keys, k)
		}
	}
	return h.iterate(found, keys, flags, limit)
}

func between(key, from, to []byte) bool {
	return (from == nil || bytes.Compare(key, from) >= 0) && (to == nil || bytes.Compare(key, to) <= 0)
}

// asked decides by the times of a row: a window's start, or a session's end and start.
func asked(times []byte, from, to int64) bool {
	if len(times) == abi.TimeSize {
		return from <= timeAt(times) && timeAt(times) <= to
	}
	return timeAt(times) >= from && timeAt(times[abi.TimeSize:]) <= to
}
