package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// brokenStore fails at everything.
type brokenStore struct{ state.KeyValueStore }

var errBroken = errors.New("the disk is gone")

func (brokenStore) Name() string                                      { return "other" }
func (brokenStore) Get([]byte) ([]byte, error)                        { return nil, errBroken }
func (brokenStore) Put(_, _ []byte) error                             { return errBroken }
func (brokenStore) Range(_, _ []byte, _ bool) (state.Iterator, error) { return nil, errBroken }
func (brokenStore) Flush() error                                      { return nil }

// hosted is a task with the probe, whose handle is as within a call on two records: what the guest may ask for is asked
// directly.
func hosted(t *testing.T) *guestInstance {
	t.Helper()
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	data, err := db.NewKeyValueStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "data"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(data.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return hostedWith(t, map[string]state.Store{"data": data, "other": brokenStore{}}, nil)
}

// hostedWith is the same with stores that are connected and global ones.
func hostedWith(t *testing.T, stores map[string]state.Store, global map[string]*SharedStore) *guestInstance {
	t.Helper()
	topo := topology.New()
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("probe", dsl.GuestProcessor("probe", "probe").WithConfig(map[string]string{"colour": "blue"}), "source"),
		topo.AddSink("first", "out", topology.SinkOptions{}, "probe"),
	); err != nil {
		t.Fatal(err)
	}
	for name := range stores {
		if err := topo.AddStateStore(&topology.StoreSpec{Name: name, Kind: topology.KeyValue}, "probe"); err != nil {
			t.Fatal(err)
		}
	}
	task, err := NewTask(TaskConfig{
		ApplicationID: "app", Subtopology: topo.Subtopologies("app")[0], Inputs: []topology.TopicPartition{inputOf},
		Collector: &discard{}, Modules: exampleModules(t), Stores: stores, GlobalStores: global,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Init(5000); err != nil {
		t.Fatal(err)
	}
	g := task.guests["probe"].current
	g.running = task.guests["probe"].functions[0].open
	g.running.begin(abi.ExportProcess, []topology.Record{
		{Timestamp: 10, StreamTime: 10, Offset: 7, Origin: &inputOf}, {Timestamp: 10, StreamTime: 30, Offset: 8, Origin: &inputOf},
	}, 0, nil)
	t.Cleanup(func() {
		g.running = nil
		if err := task.Close(CloseShutdown); err != nil {
			t.Error(err)
		}
	})
	return g
}

func wantCode(t *testing.T, what string, got int32, want abi.Errno) {
	t.Helper()
	if got != int32(want) {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

func TestHostAnswersNothingOutsideOfCalls(t *testing.T) {
	g := hosted(t)
	g.running = nil
	wantCode(t, "emit", g.Emit(nil), abi.Denied)
	wantCode(t, "set_error", g.SetError(0, 0, nil), abi.InvalidArg)
	wantCode(t, "metric", g.Metric(0, []byte("m")), abi.Denied)
	wantCode(t, "metric_add", g.MetricAdd(0, 1), abi.Denied)
	wantCode(t, "random", g.Random(-1, nil), abi.InvalidArg)
	wantCode(t, "child", g.Child([]byte("first")), abi.NotFound)
	wantCode(t, "schedule", g.Schedule(1, 0, -1), abi.Denied)
	wantCode(t, "cancel", g.Cancel(0), abi.NotFound)
	wantCode(t, "request_commit", g.RequestCommit(), abi.Denied)
	wantCode(t, "state_open", g.StateOpen([]byte("data")), abi.Denied)
	wantCode(t, "state_put", g.StatePut(0, []byte("k"), nil), abi.InvalidArg)
	wantCode(t, "iter_open", g.IterOpen(0, nil, nil, 0, 0), abi.InvalidArg)
	wantCode(t, "iter_close", g.IterClose(0), abi.InvalidArg)
	if _, ok := g.ConfigGet([]byte("colour")); ok {
		t.Error("config_get answers")
	}
	g.Log(abi.LogInfo, []byte("while the module starts"))
	g.Log(99, []byte("of no level"))
	if g.LogEnabled(-1) || g.LogEnabled(4) {
		t.Error("levels that do not exist are enabled")
	}
}

func TestHostChecksArguments(t *testing.T) {
	g := hosted(t)
	wantCode(t, "class of set_error", g.SetError(0, 4, nil), abi.InvalidArg)
	wantCode(t, "kind of metric", g.Metric(7, []byte("m")), abi.InvalidArg)
	for _, name := range []string{"", "1st", "with blank", "ü", strings.Repeat("m", maxMetricName+1)} {
		wantCode(t, "metric "+name, g.Metric(0, []byte(name)), abi.InvalidArg)
	}
	wantCode(t, "handle of metric_add", g.MetricAdd(3, 1), abi.InvalidArg)
	counter := g.Metric(abi.MetricCounter, []byte("count"))
	wantCode(t, "a counter that falls", g.MetricAdd(counter, -1), abi.InvalidArg)
	gauge := g.Metric(abi.MetricGauge, []byte("count"))
	wantCode(t, "a gauge that falls", g.MetricAdd(gauge, -1), 0)
	for i := range 2 * maxGuestSeries {
		g.Metric(abi.MetricCounter, fmt.Appendf(nil, "m%d", i))
	}
	wantCode(t, "one metric more", g.Metric(abi.MetricCounter, []byte("more")), abi.Limit)
	wantCode(t, "index of random", g.Random(2, nil), abi.InvalidArg)
	wantCode(t, "size of random", g.Random(0, make([]byte, maxRandomBytes+1)), abi.InvalidArg)
	for _, s := range [][3]int64{{0, 0, -1}, {1, 2, -1}, {1, 0, -2}, {-5, 1, -1}} {
		wantCode(t, fmt.Sprint("schedule ", s), g.Schedule(s[0], int32(s[1]), s[2]), abi.InvalidArg)
	}
	for range maxTimers {
		g.Schedule(1000, abi.PunctuateWall, abi.StartNone)
	}
	wantCode(t, "one timer more", g.Schedule(1000, 0, -1), abi.Limit)
	wantCode(t, "a timer that is not there", g.Cancel(1000), abi.NotFound)
	wantCode(t, "a child that is not there", g.Child([]byte("second")), abi.NotFound)
	wantCode(t, "flags of iter_open", g.IterOpen(0, nil, nil, 2, 0), abi.InvalidArg)
	wantCode(t, "limit of iter_open", g.IterOpen(0, nil, nil, 0, -1), abi.InvalidArg)
}

// TestHostOpensGlobalStores: a processor reads the rows of a global store, without their time, and writes none.
func TestHostOpensGlobalStores(t *testing.T) {
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	global := map[string]*SharedStore{}
	var mu sync.Mutex
	for name, kind := range map[string]topology.StoreKind{"data": topology.TimestampedKeyValue, "other": topology.KeyValue} {
		kv, err := db.NewKeyValueStore(state.StoreConfig{ID: state.StoreID{Task: "global", Store: name}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kv.Close() })
		put := kv.Put
		if kind == topology.TimestampedKeyValue {
			put = func(key, value []byte) error { return state.NewTimestamped(kv).PutTimestamped(key, value, 7) }
		}
		if err := put([]byte("k"), []byte(name)); err != nil {
			t.Fatal(err)
		}
		if global[name], err = NewSharedStore(kv, kind, &mu); err != nil {
			t.Fatal(err)
		}
	}
	g := hostedWith(t, nil, global)
	for name := range global {
		store := g.StateOpen([]byte(name))
		if value, code := g.StateGet(store, []byte("k")); code != 0 || string(value) != name {
			t.Errorf("%s: %q, code %d", name, value, code)
		}
		wantCode(t, "a write to "+name, g.StatePut(store, []byte("k"), []byte("mine")), abi.Denied)
	}
}

func TestHostTimeAndChance(t *testing.T) {
	g := hosted(t)
	if wall, first, second, now := g.Time(abi.TimeWall, 0), g.Time(abi.TimeStream, 0), g.Time(abi.TimeStream, 1), g.Time(abi.TimeStream, -1); wall != 5000 || first != 10 || second != 30 || now != -1 {
		t.Errorf("wall clock %d, stream time %d, %d and %d", wall, first, second, now)
	}
	draw := func(index int32) [16]byte {
		var b [16]byte
		wantCode(t, "random", g.Random(index, b[:]), 0)
		return b
	}
	first, again, other, none := draw(0), draw(0), draw(1), draw(-1)
	if first == again || first == other || first == none || other == none {
		t.Error("random bytes repeat")
	}
	// The same records in a frame of one give the same.
	in := g.running.call.in
	g.running.begin(abi.ExportProcess, in[1:], 1, nil)
	if draw(0) != other {
		t.Error("random bytes depend on the frame")
	}
	g.running.begin(abi.ExportPunctuate, nil, 0, nil)
	g.running.call.at = 100
	hundred := draw(-1)
	g.running.begin(abi.ExportPunctuate, nil, 0, nil)
	g.running.call.at = 200
	if draw(-1) == hundred {
		t.Error("two punctuations draw the same")
	}
}

func TestHostStores(t *testing.T) {
	g := hosted(t)
	wantCode(t, "a store that the manifest does not name", g.StateOpen([]byte("secret")), abi.Denied)
	data, other := g.StateOpen([]byte("data")), g.StateOpen([]byte("other"))
	if data < 0 || other < 0 || data == other || g.StateOpen([]byte("data")) != data {
		t.Fatalf("store numbers: %d, %d", data, other)
	}
	wantCode(t, "a store that is not open", g.StatePut(9, []byte("k"), nil), abi.InvalidArg)
	wantCode(t, "a key too long", g.StatePut(data, make([]byte, maxStateKey+1), nil), abi.Limit)
	wantCode(t, "a value too long", g.StatePut(data, []byte("k"), make([]byte, maxStateValue+1)), abi.Limit)
	if _, code := g.StateGet(9, []byte("k")); code != int32(abi.InvalidArg) {
		t.Errorf("state_get of a store that is not open: %d", code)
	}
	if old, code := g.StatePutIfAbsent(data, []byte("k"), []byte("v")); old != nil || code != int32(abi.NotFound) {
		t.Errorf("state_put_if_absent of an absent key: %q, %d", old, code)
	}
	if old, code := g.StatePutIfAbsent(data, []byte("k"), []byte("w")); string(old) != "v" || code != 0 {
		t.Errorf("state_put_if_absent of a present key: %q, %d", old, code)
	}
	g.live = false
	wantCode(t, "a write before the upgrade", g.StatePut(data, []byte("k"), nil), abi.Busy)
	g.live = true
	if v, code := g.StateGet(data, []byte("k")); string(v) != "v" || code != 0 {
		t.Errorf("state_get: %q, %d", v, code)
	}
}

// TestHostWritesAreCounted: a write costs its bytes and what the host takes beside them, within a call and within the
// calls for one frame.
func TestHostWritesAreCounted(t *testing.T) {
	g := hosted(t)
	data := g.StateOpen([]byte("data"))
	var key [8]byte
	n := 0
	for ; ; n++ {
		binary.LittleEndian.PutUint64(key[:], uint64(n))
		if code := g.StatePut(data, key[:], []byte{}); code != 0 {
			wantCode(t, "one write too many", code, abi.Limit)
			break
		}
	}
	if want := maxCallWrites / (len(key) + writeOverhead + keyOverhead); n != want {
		t.Errorf("%d small writes in a call, want %d", n, want)
	}
	g.running.discard()

	value, calls := make([]byte, maxStateValue), 0
	for ; ; calls++ {
		g.running.begin(abi.ExportFlush, nil, 0, nil)
		code := int32(0)
		for range maxCallWrites/len(value) - 1 {
			if code = g.StatePut(data, []byte("k"), value); code != 0 {
				break
			}
		}
		if code != 0 {
			wantCode(t, "a call too many", code, abi.Limit)
			break
		}
		if err := g.running.settle(); err != nil {
			t.Fatal(err)
		}
	}
	if want := maxFrameWrites / maxCallWrites; calls != want {
		t.Errorf("%d calls with large writes in a frame, want %d", calls, want)
	}
}

func TestHostIterators(t *testing.T) {
	g := hosted(t)
	data := g.StateOpen([]byte("data"))
	for _, k := range []string{"a", "b", "c"} {
		g.StatePut(data, []byte(k), []byte(k+k))
	}
	it := g.IterOpen(data, nil, []byte("c"), abi.IterReverse, 1)
	if k, v, code := g.IterNext(it); string(k) != "b" || string(v) != "bb" || code != 0 {
		t.Errorf("first of [, c) from the end: %q %q %d", k, v, code)
	}
	if _, _, code := g.IterNext(it); code != int32(abi.NotFound) {
		t.Errorf("beyond the limit: %d", code)
	}
	wantCode(t, "iter_close", g.IterClose(it), 0)
	wantCode(t, "iter_close again", g.IterClose(it), abi.InvalidArg)
	if _, _, code := g.IterNext(it); code != int32(abi.InvalidArg) {
		t.Errorf("iter_next of a closed iterator: %d", code)
	}
	for range len(g.iters.open) {
		if g.IterOpen(data, nil, nil, 0, 0) < 0 {
			t.Fatal("an iterator within the bound does not open")
		}
	}
	wantCode(t, "one iterator more", g.IterOpen(data, nil, nil, 0, 0), abi.Limit)
	g.iters.closeAll()
}

func TestStoreThatFailsEndsTheCall(t *testing.T) {
	for name, call := range map[string]func(g *guestInstance, store int32) int32{
		"get": func(g *guestInstance, s int32) int32 { _, code := g.StateGet(s, []byte("k")); return code },
		"write": func(g *guestInstance, s int32) int32 {
			if code := g.StatePut(s, []byte("k"), nil); code != 0 { // it reaches the store when the call has succeeded
				return code
			}
			return int32(abi.Fatal)
		},
		"absent": func(g *guestInstance, s int32) int32 { _, code := g.StatePutIfAbsent(s, []byte("k"), nil); return code },
		"range":  func(g *guestInstance, s int32) int32 { return g.IterOpen(s, nil, nil, 0, 0) },
	} {
		for _, answer := range []error{nil, &wasm.CallError{Export: "ws_process", Errno: abi.Fatal}} {
			if name == "write" && answer != nil {
				continue // what a guest writes in a call that fails is thrown away
			}
			g := hosted(t)
			wantCode(t, name, call(g, g.StateOpen([]byte("other"))), abi.Fatal)
			if _, err := g.running.finish(nil, answer); !errors.Is(err, errBroken) {
				t.Errorf("%s, answered with %v: the call ends with %v", name, answer, err)
			}
		}
	}
}

// TestInstancesOfAModuleShareTheirLogRate: trapping after every line buys no further lines.
func TestInstancesOfAModuleShareTheirLogRate(t *testing.T) {
	g := hosted(t)
	m := g.running.f.module
	next, err := m.instantiate(g.module)
	if err != nil {
		t.Fatal(err)
	}
	defer next.instance.Close()
	if m.current.LogRate() == nil || next.LogRate() != m.current.LogRate() {
		t.Error("the next instance begins to count anew")
	}
}

// TestWordsOfGuestsArePrintable: neither controls of terminals nor turns of direction pass.
func TestWordsOfGuestsArePrintable(t *testing.T) {
	if got, want := printable([]byte("é\x1b[2J\u202e\u009b31m\xff\n.")), "é [2J  31m  ."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEmitIsBounded(t *testing.T) {
	g := hosted(t)
	frame := abi.AppendFrameHeader(nil, &abi.FrameHeader{Partition: -1})
	frame = abi.AppendRecord(frame, &abi.Record{Index: 0, Flags: abi.KeepAll, Offset: -1, Partition: -1})
	abi.FinishFrame(frame, 0, 1)
	wantCode(t, "emit", g.Emit(frame), 0)
	g.running.call.bytes = maxCallBytes
	wantCode(t, "too many bytes", g.Emit(frame), abi.Limit)
	g.running.call.bytes, g.running.call.count = 0, maxCallRecords
	wantCode(t, "too many records", g.Emit(frame), abi.Limit)
	g.running.call.count = 1
	wantCode(t, "no frame", g.Emit(bytes.Repeat([]byte{1}, 80)), abi.Corrupt)
	wantCode(t, "after a broken frame", g.Emit(frame), abi.Corrupt)
	if _, err := g.running.finish(nil, nil); !errs.GuestContract.Is(err) {
		t.Errorf("the call ends with %v", err)
	}
}
