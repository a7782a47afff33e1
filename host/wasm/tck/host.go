package tck

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// Names that the kit gives to a node's surroundings, and the settings of its own.
var (
	childNames = []string{"first", "second"}
	wallTime   = int64(1_700_000_000_000)
)

const (
	configKey   = "tck.key"
	configValue = "tck value"
)

// host is the surroundings of one instance: stores in memory, and notes of everything that the guest does. It
// implements wasm.Host and, like it, belongs to one goroutine.
type host struct {
	granted []string // stores of the component
	stores  []map[string][]byte
	kinds   []abi.StoreKind // as which they were opened
	stamped []bool          // that were opened with timestamps

	rules    storeRules
	observed []int64           // the largest time put to each store
	given    map[string][]byte // the times of the version that was given last, by its key
	seq      uint32            // of duplicates
	breach   *fault            // of a rule for stores

	emitted  [][]byte
	lastErr  string
	timers   []timer
	metrics  []string
	lines    []string // of the log
	commits  int
	asked    map[int32]uint32 // how often random was asked for an index
	input    []streamTime     // of the records of the running call
	iters    map[int32]*iterator
	nextIter int32
}

type timer struct {
	typ       int32
	cancelled bool
}

// streamTime is what the host knows of an input record.
type streamTime struct {
	offset, time int64
}

// iterator gives what was there when it was opened.
type iterator struct {
	left    []pair
	current []byte
}

// pair is a row as an iterator gives it.
type pair struct {
	key   string
	value []byte
}

func newHost(granted []string) *host {
	h := &host{granted: granted, iters: map[int32]*iterator{}, given: map[string][]byte{}}
	for range granted {
		h.stores = append(h.stores, map[string][]byte{})
	}
	h.kinds, h.stamped, h.observed = make([]abi.StoreKind, len(granted)), make([]bool, len(granted)), make([]int64, len(granted))
	return h
}

// beginCall forgets what belongs to the call before.
func (h *host) beginCall(input []streamTime) {
	h.emitted, h.lastErr, h.input, h.asked = nil, "", input, map[int32]uint32{}
}

func (h *host) Features() int64 { return abi.FeatureState | abi.FeatureStoreKinds }

func (h *host) Emit(frame []byte) int32 {
	h.emitted = append(h.emitted, bytes.Clone(frame))
	return 0
}

func (h *host) SetError(_, _ int32, message []byte) int32 {
	h.lastErr = string(message)
	return 0
}

func (h *host) LogEnabled(level int32) bool { return level >= abi.LogInfo }
func (h *host) Log(_ int32, line []byte)    { h.lines = append(h.lines, string(line)) }

func (h *host) LogRate() *wasm.LogRate { return nil }

func (h *host) Metric(kind int32, name []byte) int32 {
	if kind != abi.MetricCounter && kind != abi.MetricGauge {
		return int32(abi.InvalidArg)
	}
	if i := slices.Index(h.metrics, string(name)); i >= 0 {
		return int32(i)
	}
	h.metrics = append(h.metrics, string(name))
	return int32(len(h.metrics) - 1)
}

func (h *host) MetricAdd(handle int32, _ int64) int32 {
	if uint32(handle) >= uint32(len(h.metrics)) {
		return int32(abi.InvalidArg)
	}
	return 0
}

func (h *host) record(index int32) streamTime {
	if index >= 0 && int(index) < len(h.input) {
		return h.input[index]
	}
	return streamTime{-1, wallTime}
}

func (h *host) Time(clock, index int32) int64 {
	if clock == abi.TimeStream {
		return h.record(index).time
	}
	return wallTime
}

// Random is a function of the record's offset and of how often it was asked for it, as IMP of SPEC.md wants it.
func (h *host) Random(index int32, dst []byte) int32 {
	n := h.asked[index]
	h.asked[index]++
	for i := range dst {
		f := fnv.New64a()
		var seed [20]byte
		binary.LittleEndian.PutUint64(seed[:], uint64(h.record(index).offset))
		binary.LittleEndian.PutUint32(seed[8:], n)
		binary.LittleEndian.PutUint64(seed[12:], uint64(i))
		_, _ = f.Write(seed[:])
		dst[i] = byte(f.Sum64() >> 32)
	}
	return 0
}

func (h *host) ConfigGet(key []byte) ([]byte, bool) {
	return []byte(configValue), string(key) == configKey
}

func (h *host) Child(name []byte) int32 {
	if i := slices.Index(childNames, string(name)); i >= 0 {
		return int32(i + 1)
	}
	return int32(abi.NotFound)
}

func (h *host) Schedule(interval int64, typ int32, _ int64) int32 {
	if interval <= 0 || typ != abi.PunctuateStream && typ != abi.PunctuateWall {
		return int32(abi.InvalidArg)
	}
	h.timers = append(h.timers, timer{typ: typ})
	return int32(len(h.timers) - 1)
}

func (h *host) Cancel(t int32) int32 {
	if uint32(t) >= uint32(len(h.timers)) || h.timers[t].cancelled {
		return int32(abi.NotFound)
	}
	h.timers[t].cancelled = true
	return 0
}

func (h *host) RequestCommit() int32 {
	h.commits++
	return 0
}

func (h *host) StateOpen(name []byte) int32 {
	if i := slices.Index(h.granted, string(name)); i >= 0 {
		return int32(i)
	}
	return int32(abi.Denied)
}

func (h *host) store(id int32) map[string][]byte {
	if uint32(id) >= uint32(len(h.stores)) {
		return nil
	}
	return h.stores[id]
}

func (h *host) StateGet(store int32, key []byte) ([]byte, int32) {
	s := h.store(store)
	if s == nil {
		return nil, int32(abi.InvalidArg)
	}
	if h.kinds[store] != abi.KeyValueStore {
		return h.row(store, key)
	}
	if v, ok := s[string(key)]; ok {
		return v, 0
	}
	return nil, int32(abi.NotFound)
}

func (h *host) StatePut(store int32, key, value []byte) int32 {
	s := h.store(store)
	if s == nil || !h.validRow(store, key) {
		return int32(abi.InvalidArg)
	}
	h.holdPut(store, key, value)
	switch {
	case h.kinds[store] != abi.KeyValueStore:
		h.putRow(store, key, value)
	case value == nil:
		delete(s, string(key))
	default:
		s[string(key)] = bytes.Clone(value)
	}
	return 0
}

func (h *host) StatePutIfAbsent(store int32, key, value []byte) ([]byte, int32) {
	if h.store(store) != nil && h.kinds[store] != abi.KeyValueStore {
		return nil, h.unsupported(store, abi.FnStatePutIfAbsent)
	}
	old, code := h.StateGet(store, key)
	if code == int32(abi.NotFound) {
		if put := h.StatePut(store, key, value); put < 0 {
			return nil, put
		}
	}
	return old, code
}

func (h *host) IterOpen(store int32, from, to []byte, flags, limit int32) int32 {
	s := h.store(store)
	if s == nil {
		return int32(abi.InvalidArg)
	}
	if h.kinds[store] != abi.KeyValueStore {
		return h.unsupported(store, abi.FnIterOpen)
	}
	var found []pair
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if (from == nil || k >= string(from)) && (to == nil || k < string(to)) {
			found = append(found, pair{k, s[k]})
		}
	}
	return h.iterate(found, flags, limit)
}

// iterate opens an iterator over what was found.
func (h *host) iterate(found []pair, flags, limit int32) int32 {
	if flags&abi.IterReverse != 0 {
		slices.Reverse(found)
	}
	if limit > 0 && int(limit) < len(found) {
		found = found[:limit]
	}
	h.nextIter++
	h.iters[h.nextIter] = &iterator{left: found}
	return h.nextIter
}

func (h *host) IterNext(iter int32) (key, value []byte, code int32) {
	it := h.iters[iter]
	if it == nil {
		return nil, nil, int32(abi.InvalidArg)
	}
	if len(it.left) > 0 {
		next := it.left[0]
		it.left, it.current = it.left[1:], append(it.current[:0], next.key...)
		return it.current, next.value, 0
	}
	return nil, nil, int32(abi.NotFound)
}

func (h *host) IterClose(iter int32) int32 {
	delete(h.iters, iter)
	return 0
}
