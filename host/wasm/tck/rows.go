package tck

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
)

// The kit's stores are of the kind that a component opens them as: rows of windows and sessions under their keys, a
// duplicate's with its number behind it, versions under key|timestamp, with a byte before the value that says whether
// there is one.

const (
	absent  = 0
	present = 1
)

// storeRules are what a component does not know of its stores, since the application says it.
type storeRules struct {
	retention  int64 // of windows and sessions in milliseconds, the history of versions; 0 keeps everything
	segment    int64 // how long the segments are in which rows of several keys are walked over; 0: there is one
	duplicates bool  // window stores keep each put
}

// seqSize is the size of the number behind the key of a duplicate.
const seqSize = 4

// StateOpenAs implements wasm.Host: the store has been of that kind always.
func (h *host) StateOpenAs(name []byte, kind abi.StoreKind, flags int32) int32 {
	id := h.StateOpen(name)
	if id < 0 {
		return id
	}
	if h.kinds[id] != kind && len(h.stores[id]) > 0 {
		return int32(abi.Unsupported)
	}
	h.kinds[id], h.stamped[id] = kind, flags&abi.StoreTimestamps != 0
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

// validRow tells whether key ends with times as rows of the kind have them, and notes it if it does not.
func (h *host) validRow(store int32, key []byte) bool {
	kind := h.kinds[store]
	n := len(key) - sizeOfTimes(kind)
	valid := n >= 0 && (kind == abi.KeyValueStore || timeAt(key[n:]) >= 0)
	if valid && kind == abi.SessionStore {
		start := timeAt(key[n+abi.TimeSize:])
		valid = 0 <= start && start <= timeAt(key[n:])
	}
	if !valid {
		h.breaks("STATE-9", "store %s has no row with the key %x: it does not end with times", h.granted[store], key)
	}
	return valid
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

// duplicates tells whether each put to the store is a row of its own.
func (h *host) duplicates(store int32) bool {
	return h.rules.duplicates && h.kinds[store] == abi.WindowStore
}

// rowOf is the row that is kept under a key.
func (h *host) rowOf(store int32, kept string) string {
	if h.duplicates(store) {
		return kept[:len(kept)-seqSize]
	}
	return kept
}

// when is the time of a row that decides whether it is too old.
func (h *host) when(store int32, row []byte) int64 {
	return timeAt(row[len(row)-sizeOfTimes(h.kinds[store]):])
}

// oldest is the earliest time that rows may have, and the earliest moment of which versions are known.
func (h *host) oldest(store int32) int64 {
	switch {
	case h.rules.retention == 0:
		return 0
	case h.kinds[store] == abi.VersionedStore:
		return h.observed[store] - h.rules.retention
	}
	return h.observed[store] - h.rules.retention + 1
}

func (h *host) late(store int32, row []byte) bool {
	return h.kinds[store] != abi.KeyValueStore && h.when(store, row) < h.oldest(store)
}

// putRow puts a row of any kind but of keys and values.
func (h *host) putRow(store int32, row, value []byte) {
	if h.late(store, row) {
		return
	}
	s := h.stores[store]
	h.observed[store] = max(h.observed[store], h.when(store, row))
	switch {
	case value == nil && h.duplicates(store):
	case value == nil && h.kinds[store] != abi.VersionedStore:
		delete(s, string(row))
	case h.duplicates(store):
		h.seq++
		s[string(binary.BigEndian.AppendUint32(bytes.Clone(row), h.seq))] = held(h.kinds[store], value)
	default:
		s[string(row)] = held(h.kinds[store], value)
	}
}

// row is a window or a session, or the version that holds at a moment.
func (h *host) row(store int32, key []byte) ([]byte, int32) {
	if !h.validRow(store, key) {
		return nil, int32(abi.InvalidArg)
	}
	var found []byte
	switch {
	case h.kinds[store] == abi.VersionedStore:
		found = h.asOf(store, key)
	case !h.late(store, key):
		found = h.last(store, string(key))
	}
	if found == nil {
		return nil, int32(abi.NotFound)
	}
	return found, 0
}

// last is the value of a row that was put last, nil if there is none.
func (h *host) last(store int32, row string) (value []byte) {
	for _, k := range slices.Sorted(maps.Keys(h.stores[store])) {
		if h.rowOf(store, k) == row {
			value = h.stores[store][k]
		}
	}
	return value
}

// asOf is the version that held at a row's moment. Of a time before the history only the latest is known.
func (h *host) asOf(store int32, row []byte) (found []byte) {
	n := len(row) - abi.TimeSize
	for _, k := range h.versions(store, row[:n]) {
		if timeAt([]byte(k)[n:]) <= timeAt(row[n:]) {
			found = h.version(store, k)
		}
	}
	if found != nil && h.late(store, row) && timeAt(found[abi.TimeSize:]) != abi.HoldsForever {
		return nil
	}
	return found
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
	h.given[row[:n]] = v
	return append(slices.Clip(v), stored[1:]...)
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
		return int64(h.unsupported(store, abi.FnStatePutVersion))
	}
	row := binary.BigEndian.AppendUint64(bytes.Clone(key), uint64(timestamp))
	if code := h.StatePut(store, row, value); code < 0 {
		return int64(code)
	}
	if h.late(store, row) {
		return int64(abi.NotFound)
	}
	return h.validTo(store, string(row))
}

// IterOpenSpan implements wasm.Host.
func (h *host) IterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32 {
	switch {
	case h.store(store) == nil:
		return int32(abi.InvalidArg)
	case h.kinds[store] == abi.KeyValueStore:
		return h.unsupported(store, abi.FnIterOpenSpan)
	case h.kinds[store] != abi.VersionedStore:
		return h.iterate(h.span(store, keyFrom, keyTo, from, to), flags, limit)
	case keyFrom == nil || !bytes.Equal(keyFrom, keyTo):
		h.breaks("STATE-9", "versions in store %s are walked over for one key only", h.granted[store])
		return int32(abi.InvalidArg)
	}
	var found []pair
	for _, k := range h.versions(store, keyFrom) {
		v := h.version(store, k)
		if v == nil || timeAt(v) > to || timeAt(v[abi.TimeSize:]) <= from {
			continue
		}
		if timeAt(v[abi.TimeSize:]) == abi.HoldsForever || to >= h.oldest(store) {
			found = append(found, pair{k, v})
		}
	}
	return h.iterate(found, flags, limit)
}

// span is the windows or sessions between two keys and times, segment by segment.
func (h *host) span(store int32, keyFrom, keyTo []byte, from, to int64) []pair {
	var found []pair
	for _, kept := range slices.Sorted(maps.Keys(h.stores[store])) {
		row := h.rowOf(store, kept)
		n := len(row) - sizeOfTimes(h.kinds[store])
		if between([]byte(row[:n]), keyFrom, keyTo) && asked([]byte(row[n:]), from, to) && !h.late(store, []byte(row)) {
			found = append(found, pair{row, h.stores[store][kept]})
		}
	}
	if h.rules.segment > 0 {
		slices.SortStableFunc(found, func(a, b pair) int {
			return cmp.Compare(h.when(store, []byte(a.key))/h.rules.segment, h.when(store, []byte(b.key))/h.rules.segment)
		})
	}
	return found
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
