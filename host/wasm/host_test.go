package wasm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/wasmstream/wasmstream/abi"
)

// memoryHost is a Host with one store in memory. It notes what the guest did, as text, so that two runs can be
// compared.
type memoryHost struct {
	store   map[string][]byte
	iters   map[int32][][2][]byte
	next    int32
	errors  []string
	logs    []string
	rate    *LogRate
	emitted [][]byte
	config  map[string]string
	wall    int64
	level   int32
	onLog   func()
}

func newHost() *memoryHost {
	return &memoryHost{store: map[string][]byte{}, iters: map[int32][][2][]byte{}, config: map[string]string{}, wall: 1_700_000_000_000}
}

func (h *memoryHost) Features() int64 { return abi.FeatureState }

func (h *memoryHost) Emit(frame []byte) int32 {
	h.emitted = append(h.emitted, bytes.Clone(frame))
	return 0
}

func (h *memoryHost) SetError(index, class int32, message []byte) int32 {
	h.errors = append(h.errors, fmt.Sprintf("%d %v %s", index, abi.Class(class), message))
	return 0
}

func (h *memoryHost) LogEnabled(level int32) bool { return level >= h.level }

func (h *memoryHost) Log(level int32, line []byte) {
	h.logs = append(h.logs, fmt.Sprintf("%d %s", level, line))
	if h.onLog != nil {
		h.onLog()
	}
}

func (h *memoryHost) LogRate() *LogRate                  { return h.rate }
func (h *memoryHost) Metric(int32, []byte) int32         { return 0 }
func (h *memoryHost) MetricAdd(int32, int64) int32       { return 0 }
func (h *memoryHost) Time(clock, index int32) int64      { return h.wall + int64(index) }
func (h *memoryHost) RequestCommit() int32               { return 0 }
func (h *memoryHost) Child([]byte) int32                 { return int32(abi.NotFound) }
func (h *memoryHost) Cancel(int32) int32                 { return int32(abi.NotFound) }
func (h *memoryHost) StateOpen([]byte) int32             { return 0 }
func (h *memoryHost) Schedule(int64, int32, int64) int32 { return 0 }

func (h *memoryHost) Random(index int32, dst []byte) int32 {
	for i := range dst {
		dst[i] = byte(int(index) + i)
	}
	return 0
}

func (h *memoryHost) ConfigGet(key []byte) ([]byte, bool) {
	v, ok := h.config[string(key)]
	return []byte(v), ok
}

func (h *memoryHost) StateGet(store int32, key []byte) ([]byte, int32) {
	if store != 0 {
		return nil, int32(abi.InvalidArg)
	}
	v, ok := h.store[string(key)]
	if !ok {
		return nil, int32(abi.NotFound)
	}
	return v, 0
}

func (h *memoryHost) StatePut(store int32, key, value []byte) int32 {
	switch {
	case store != 0:
		return int32(abi.InvalidArg)
	case value == nil:
		delete(h.store, string(key))
	default:
		h.store[string(key)] = bytes.Clone(value)
	}
	return 0
}

func (h *memoryHost) StatePutIfAbsent(store int32, key, value []byte) ([]byte, int32) {
	if old, code := h.StateGet(store, key); code != int32(abi.NotFound) {
		return old, code
	}
	if code := h.StatePut(store, key, value); code < 0 {
		return nil, code
	}
	return nil, int32(abi.NotFound)
}

func (h *memoryHost) IterOpen(store int32, from, to []byte, flags, limit int32) int32 {
	if store != 0 {
		return int32(abi.InvalidArg)
	}
	var keys []string
	for k := range h.store {
		if (from == nil || k >= string(from)) && (to == nil || k < string(to)) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	if flags&abi.IterReverse != 0 {
		slices.Reverse(keys)
	}
	if limit > 0 {
		keys = keys[:min(len(keys), int(limit))]
	}
	var pairs [][2][]byte
	for _, k := range keys {
		pairs = append(pairs, [2][]byte{[]byte(k), h.store[k]})
	}
	h.next++
	h.iters[h.next] = pairs
	return h.next
}

// StateOpenAs has one store of every kind.
func (h *memoryHost) StateOpenAs([]byte, abi.StoreKind, int32) int32 { return 0 }

// StatePutVersion keeps the versions of a key under key|timestamp.
func (h *memoryHost) StatePutVersion(store int32, key, value []byte, timestamp int64) int64 {
	if code := h.StatePut(store, binary.BigEndian.AppendUint64(bytes.Clone(key), uint64(timestamp)), value); code < 0 {
		return int64(code)
	}
	return abi.HoldsForever
}

// IterOpenSpan takes no account of times.
func (h *memoryHost) IterOpenSpan(store int32, keyFrom, keyTo []byte, _, _ int64, flags, limit int32) int32 {
	return h.IterOpen(store, keyFrom, keyTo, flags, limit)
}

func (h *memoryHost) IterNext(iter int32) (key, value []byte, code int32) {
	pairs := h.iters[iter]
	if len(pairs) == 0 {
		return nil, nil, int32(abi.NotFound)
	}
	h.iters[iter] = pairs[1:]
	return pairs[0][0], pairs[0][1], 0
}

func (h *memoryHost) IterClose(iter int32) int32 {
	delete(h.iters, iter)
	return 0
}
