package wasm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// buildGuest builds a guest of testdata, or takes it from the cache.
func buildGuest(t testing.TB, name string, language guestbuild.Language, dir string) []byte {
	t.Helper()
	root, err := guestbuild.Root()
	if err != nil {
		t.Fatal(err)
	}
	cache := guestbuild.CacheDir(root)
	b, err := guestbuild.Guest{Name: name, Language: language, Dir: "host/wasm/testdata/" + dir}.Ensure(t.Context(), root, cache)
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := os.ReadFile(filepath.Join(cache, b.Module))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// TestGoProgramGoesOn: a guest that sleeps an hour, ticks and waits goes on at once, in its own time, and reaches
// nothing outside.
func TestGoProgramGoesOn(t *testing.T) {
	e := testEngine(t, DefaultConfig())
	host := newHost()
	in := newInstance(t, compileModule(t, e, "ticker", buildGuest(t, "wasm-ticker", guestbuild.Go, "ticker")), host, Limits{})
	if err := ask(t, in, abi.ExportProcess); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(host.logs, "\n"))
	}
	in.Close()
	want := []string{
		"1 slept an hour: true true", "1 ticked", "1 timed out", "1 order: 3 2 1 0", "1 random: true <nil>",
		"1 arguments: 0 environment: 0", "1 a file: true", "1 a connection: true",
		`2 to stderr \x1b[31m\x07`, "2 half a line",
	}
	if d := cmp.Diff(want, host.logs); d != "" {
		t.Error(d)
	}
}

// idle is an instance whose imports can be called as if its guest did.
func idle(t testing.TB, host Host) *Instance {
	t.Helper()
	w, _ := guest()
	in := newInstance(t, compileModule(t, testEngine(t, Config{Interpreter: true}), "idle", w.bytes()), host, Limits{})
	in.begin(1 << 40)
	in.phase = phaseOutput
	return in
}

// invoke calls an import and turns the stop of a guest into a value.
func invoke(f hostFunc, in *Instance, stack []uint64) (stopped *stop) {
	defer func() {
		if r := recover(); r != nil {
			stopped = r.(*stop)
		}
	}()
	f(in, stack)
	return nil
}

// hostile are pointers and lengths that nobody should give.
var hostile = []uint64{0, 1, 7, 2*pageSize - 1, 2 * pageSize, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1<<64 - 1}

// TestHostileArguments: every import with every combination of hostile operands answers; none panics but to stop the
// guest.
func TestHostileArguments(t *testing.T) {
	in := idle(t, newHost())
	for _, f := range abi.Imports() {
		hostileCalls(t, in, f.Name, f.Params, functionOf(f))
	}
	for _, f := range wasiFunctions {
		hostileCalls(t, in, f.name, f.params, f.call)
	}
}

func hostileCalls(t *testing.T, in *Instance, name, params string, f hostFunc) {
	t.Helper()
	// All pairs of hostile values for each two neighbouring parameters, the others fixed.
	for at := 0; at < max(len(params), 1); at++ {
		for _, a := range hostile {
			for _, b := range hostile {
				var stack [10]uint64
				for i := range params {
					stack[i] = hostile[(at+i)%len(hostile)]
				}
				stack[at], stack[(at+1)%max(len(params), 1)] = a, b
				in.abuses, in.iters = 0, [maxIterators]iterator{}
				before := stack
				if s := invoke(f, in, stack[:]); s != nil && s.reason != ReasonExit {
					t.Fatalf("%s%x: %v", name, before[:len(params)], s)
				}
			}
		}
	}
}

func TestBadPointersStopTheGuest(t *testing.T) {
	in := idle(t, newHost())
	var stopped *stop
	n := 0
	for ; n <= maxAbuse+1 && stopped == nil; n++ {
		stack := [4]uint64{1 << 31, 8}
		stopped = invoke(coreFunctions[abi.FnChild], in, stack[:])
		if stopped == nil && int32(stack[0]) != int32(abi.InvalidArg) {
			t.Fatalf("got %d, want INVALID_ARG", int32(stack[0]))
		}
	}
	if stopped == nil || stopped.reason != ReasonAbuse || n != maxAbuse+1 {
		t.Errorf("after %d calls: %v", n, stopped)
	}
}

// TestHostCallsAreMetered: a storm of host calls ends at the budget, by what they do and not by how many they are.
func TestHostCallsAreMetered(t *testing.T) {
	e := testEngine(t, Config{Limits: quick})
	w, f := guest()
	w.imports = []abi.Function{{Module: abi.ImportCore, Name: abi.FnRandom, Params: "iii", Results: "i"}}
	f[abi.ExportProcess].code = cat(ops(opLoop, typeNone), i32c(0), i32c(0), i32c(65536), ops(opCall, 0, opDrop, opBr, 0, opEnd, opUnreachable))
	trap := trapOf(t, e, w, abi.ExportProcess)
	if trap.Reason != ReasonFuel {
		t.Errorf("got %s", trap.Reason)
	}
	if over := trap.Fuel - trap.Budget; over > 2*hostFuelStep {
		t.Errorf("%d of %d fuel were used", trap.Fuel, trap.Budget)
	}
}

// put writes to the guest's memory and returns the address.
func put(t testing.TB, in *Instance, at uint32, b []byte) uint64 {
	t.Helper()
	if !in.mem.Write(at, b) {
		t.Fatal("outside of memory")
	}
	return uint64(at)
}

func TestStateImports(t *testing.T) {
	host := newHost()
	in := idle(t, host)
	call := func(name string, operands ...uint64) int32 {
		var stack [10]uint64
		copy(stack[:], operands)
		if s := invoke(stateFunctions[name], in, stack[:]); s != nil {
			t.Fatalf("%s: %v", name, s)
		}
		return int32(stack[0])
	}
	expect := func(what string, got, want int32) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	key, value := put(t, in, 100, []byte("key")), put(t, in, 200, []byte("value"))
	const buf, null = 1000, 0xffffffff
	expect("get of nothing", call(abi.FnStateGet, 0, key, 3, buf, 100), int32(abi.NotFound))
	expect("put", call(abi.FnStatePut, 0, key, 3, value, 5), 0)
	expect("get into too little", call(abi.FnStateGet, 0, key, 3, buf, 4), 5)
	expect("get", call(abi.FnStateGet, 0, key, 3, buf, 5), 5)
	if b, _ := in.mem.Read(buf, 5); string(b) != "value" {
		t.Errorf("got %q", b)
	}
	expect("put if absent", call(abi.FnStatePutIfAbsent, 0, key, 3, key, 3, buf, 100), 5)
	expect("delete into too little", call(abi.FnStateDelete, 0, key, 3, buf, 4), 5)
	expect("still there", call(abi.FnStateGet, 0, key, 3, 0, 0), 5)
	expect("delete", call(abi.FnStateDelete, 0, key, 3, buf, 100), 5)
	expect("delete of nothing", call(abi.FnStateDelete, 0, key, 3, buf, 100), int32(abi.NotFound))
	expect("put if absent", call(abi.FnStatePutIfAbsent, 0, key, 3, value, 5, buf, 100), int32(abi.NotFound))
	expect("put of null deletes", call(abi.FnStatePut, 0, key, 3, 0, null), 0)
	expect("gone", call(abi.FnStateGet, 0, key, 3, 0, 0), int32(abi.NotFound))
	expect("empty value", call(abi.FnStatePut, 0, key, 3, value, 0), 0)
	expect("empty value", call(abi.FnStateGet, 0, key, 3, 0, 0), 0)
	expect("long key", call(abi.FnStatePut, 0, 0, maxKeyBytes+1, value, 5), int32(abi.Limit))
	expect("long value", call(abi.FnStatePut, 0, key, 3, 0, maxValueBytes+1), int32(abi.Limit))
	expect("another store", call(abi.FnStateGet, 9, key, 3, buf, 5), int32(abi.InvalidArg))

	block := abi.AppendPair(abi.AppendPair(abi.AppendNullPair([]byte(nil), "key"), "a", "1"), "b", strings.Repeat("x", 100))
	at := put(t, in, 2000, block)
	expect("write many", call(abi.FnStateWriteMany, 0, at, uint64(len(block))), 0)
	if len(host.store) != 2 || string(host.store["a"]) != "1" {
		t.Errorf("store: %q", host.store)
	}
	expect("block that is cut", call(abi.FnStateWriteMany, 0, at, uint64(len(block)-8)), int32(abi.InvalidArg))
	n := call(abi.FnStateGetMany, 0, at, uint64(len(block)), buf, 1000)
	got, _ := in.mem.Read(buf, uint32(n))
	want := abi.AppendPair(abi.AppendPair(abi.AppendNullPair([]byte(nil), ""), "", "1"), "", strings.Repeat("x", 100))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("get many: %s", d)
	}
	iterate(t, in, call, expect)
}

// TestRowImports: what the imports for stores with times check themselves.
func TestRowImports(t *testing.T) {
	in := idle(t, newHost())
	call := func(name string, operands ...uint64) int64 {
		var stack [10]uint64
		copy(stack[:], operands)
		if s := invoke(stateFunctions[name], in, stack[:]); s != nil {
			t.Fatalf("%s: %v", name, s)
		}
		if name == abi.FnStatePutVersion {
			return int64(stack[0])
		}
		return int64(int32(stack[0]))
	}
	expect := func(what string, got, want int64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	key, value := put(t, in, 100, []byte("key")), put(t, in, 200, []byte("value"))
	const buf, null, outside = 1000, 0xffffffff, 2 * pageSize
	invalid, tooMuch := int64(abi.InvalidArg), int64(abi.Limit)
	expect("a store", call(abi.FnStateOpenAs, key, 3, uint64(abi.VersionedStore), 0), 0)
	expect("a name outside of memory", call(abi.FnStateOpenAs, outside, 3, 0, 0), invalid)
	expect("a kind that is not there", call(abi.FnStateOpenAs, key, 3, 4, 0), invalid)
	expect("a kind below 0", call(abi.FnStateOpenAs, key, 3, null, 0), invalid)
	expect("a flag that is not there", call(abi.FnStateOpenAs, key, 3, 0, 2), invalid)

	expect("a version", call(abi.FnStatePutVersion, 0, key, 3, value, 5, 7), abi.HoldsForever)
	expect("a deletion", call(abi.FnStatePutVersion, 0, key, 3, 0, null, 8), abi.HoldsForever)
	expect("a key outside of memory", call(abi.FnStatePutVersion, 0, outside, 3, value, 5, 7), invalid)
	expect("a value outside of memory", call(abi.FnStatePutVersion, 0, key, 3, outside-1, 5, 7), invalid)
	expect("a long key", call(abi.FnStatePutVersion, 0, 0, maxKeyBytes+1, value, 5, 7), tooMuch)
	expect("a long value", call(abi.FnStatePutVersion, 0, key, 3, 0, maxValueBytes+1, 7), tooMuch)
	expect("another store", call(abi.FnStatePutVersion, 9, key, 3, value, 5, 7), invalid)

	it := call(abi.FnIterOpenSpan, 0, 0, null, 0, null, 0, 100, 0, 0)
	expect("the next row", call(abi.FnIterNextMany, uint64(it), buf, 100), int64(abi.PairSize(11, 5)))
	expect("its end", call(abi.FnIterNextMany, uint64(it), buf, 100), 0)
	expect("a first key outside of memory", call(abi.FnIterOpenSpan, 0, outside, 3, 0, null, 0, 100, 0, 0), invalid)
	expect("a last key outside of memory", call(abi.FnIterOpenSpan, 0, 0, null, outside, 3, 0, 100, 0, 0), invalid)
	expect("a long last key", call(abi.FnIterOpenSpan, 0, 0, null, 0, maxKeyBytes+1, 0, 100, 0, 0), tooMuch)
	expect("a flag that is not there", call(abi.FnIterOpenSpan, 0, 0, null, 0, null, 0, 100, 2, 0), invalid)
	expect("a limit below 0", call(abi.FnIterOpenSpan, 0, 0, null, 0, null, 0, 100, 0, null), invalid)
	for range maxIterators - 1 {
		call(abi.FnIterOpenSpan, 0, 0, null, 0, null, 0, 100, 0, 0)
	}
	expect("one too many", call(abi.FnIterOpenSpan, 0, 0, null, 0, null, 0, 100, 0, 0), tooMuch)
	in.end()
	if n := len(in.host.(*memoryHost).iters); n != 0 {
		t.Errorf("%d iterators are open after the call", n)
	}
}

// iterate walks over a=1, b=xxx.
func iterate(t *testing.T, in *Instance, call func(string, ...uint64) int32, expect func(string, int32, int32)) {
	t.Helper()
	const buf, null = 1000, 0xffffffff
	it := call(abi.FnIterOpen, 0, 0, null, 0, null, 0, 0)
	expect("next into nothing", call(abi.FnIterNextMany, uint64(it), 0, 0), 16)
	expect("next, one fits", call(abi.FnIterNextMany, uint64(it), buf, 40), 16)
	if klen, _ := in.mem.ReadUint32Le(buf); klen != 1 {
		t.Errorf("key of %d bytes", klen)
	}
	expect("next, the other does not", call(abi.FnIterNextMany, uint64(it), buf, 40), 112)
	expect("next", call(abi.FnIterNextMany, uint64(it), buf, 112), 112)
	expect("end", call(abi.FnIterNextMany, uint64(it), buf, 112), 0)
	expect("close", call(abi.FnIterClose, uint64(it)), 0)
	expect("closed", call(abi.FnIterNextMany, uint64(it), buf, 112), int32(abi.InvalidArg))
	for range maxIterators {
		call(abi.FnIterOpen, 0, 0, null, 0, null, 1, 0)
	}
	expect("one too many", call(abi.FnIterOpen, 0, 0, null, 0, null, 0, 0), int32(abi.Limit))
	in.end()
	if n := len(in.host.(*memoryHost).iters); n != 0 {
		t.Errorf("%d iterators are open after the call", n)
	}
}

func TestLogRules(t *testing.T) {
	host := newHost()
	in := idle(t, host)
	in.limits.LogLineBytes, in.limits.LogLinesPerSecond = 10, 3
	for _, line := range []string{"a\nb\x00\u202e", "0123456789abcdef", "third", "fourth"} {
		stack := [4]uint64{uint64(abi.LogError), put(t, in, 100, []byte(line)), uint64(len(line))}
		invoke(coreFunctions[abi.FnLog], in, stack[:])
	}
	want := []string{`3 a\x0ab\x00\u{00202e}`, "3 0123456789", "3 third"}
	if d := cmp.Diff(want, host.logs); d != "" {
		t.Error(d)
	}
	if s := in.Stats(); s.LogDropped != 1 || s.LogCut != 1 {
		t.Errorf("dropped %d, cut %d", s.LogDropped, s.LogCut)
	}
}

// TestLogRateOutlivesAnInstance: a guest that writes and traps, again and again, has no more lines than one that lives.
func TestLogRateOutlivesAnInstance(t *testing.T) {
	host := newHost()
	host.rate = new(LogRate)
	write := func() (dropped uint64) {
		in := idle(t, host)
		in.limits.LogLinesPerSecond = 3
		for range 2 {
			stack := [4]uint64{uint64(abi.LogError), put(t, in, 100, []byte("line")), 4}
			invoke(coreFunctions[abi.FnLog], in, stack[:])
		}
		in.Close()
		return in.Stats().LogDropped
	}
	host.rate.window = time.Now().Add(time.Hour) // this second lasts
	var dropped []uint64
	for range 3 {
		dropped = append(dropped, write())
	}
	host.rate.window = time.Time{} // it is over
	if dropped = append(dropped, write()); !slices.Equal(dropped, []uint64{0, 1, 2, 0}) || len(host.logs) != 5 {
		t.Errorf("%d lines are logged, %d dropped; want 5, [0 1 2 0]", len(host.logs), dropped)
	}
}

// TestPollWithoutWaiting: of several clocks the earliest is told, and time moves there.
func TestPollWithoutWaiting(t *testing.T) {
	in := idle(t, newHost())
	subs := make([]byte, 2*subscriptionSize)
	for i, timeout := range []uint64{3_000_000_000, 2_000_000_000} {
		s := subs[i*subscriptionSize:]
		binary.LittleEndian.PutUint64(s, uint64(100+i))
		binary.LittleEndian.PutUint32(s[16:], 1)
		binary.LittleEndian.PutUint64(s[24:], timeout)
	}
	before := in.readClock()
	stack := [4]uint64{put(t, in, 1000, subs), 3000, 2, 5000}
	if s := invoke((*Instance).wasiPoll, in, stack[:]); s != nil || stack[0] != wasiSuccess {
		t.Fatal(s, stack[0])
	}
	n, _ := in.mem.ReadUint32Le(5000)
	user, _ := in.mem.ReadUint64Le(3000)
	if n != 1 || user != 101 {
		t.Errorf("%d events, the first for %d", n, user)
	}
	if passed := in.readClock() - before; passed < 2_000_000_000 || passed > 2_100_000_000 {
		t.Errorf("%d ns passed", passed)
	}
}

// FuzzImports: no operands, and nothing in the guest's memory, make an import panic but to stop the guest.
func FuzzImports(f *testing.F) {
	calls := make([]hostFunc, 0, 80)
	for _, fn := range abi.Imports() {
		calls = append(calls, functionOf(fn))
	}
	for _, fn := range wasiFunctions {
		calls = append(calls, fn.call)
	}
	for i := range calls {
		f.Add(uint8(i), uint64(0), uint64(8), uint64(16), uint64(64), uint64(1024), uint64(4), uint64(0), uint64(0), uint64(0), abi.AppendPair(nil, "k", "v"))
		f.Add(uint8(i), uint64(0), uint64(2*pageSize-4), uint64(1<<32-1), uint64(1<<31), uint64(8), uint64(0), uint64(1), uint64(1<<63), uint64(1<<31), []byte{1, 2, 3})
	}
	in := idle(f, newHost())
	f.Fuzz(func(t *testing.T, which uint8, a, b, c, d, e, g, h, i, j uint64, memory []byte) {
		in.begin(1 << 40) // each input is a call of its own
		in.phase, in.abuses, in.iters = phaseOutput, 0, [maxIterators]iterator{}
		view, _ := in.mem.Read(0, 2*pageSize)
		copy(view, memory)
		host := newHost()
		host.store["k"], host.store["k2"] = []byte("v"), make([]byte, 5000)
		in.host = host
		in.iters[0] = iterator{id: in.host.IterOpen(0, nil, nil, 0, 0), open: true}
		stack := [10]uint64{a, b, c, d, e, g, h, i, j}
		if s := invoke(calls[int(which)%len(calls)], in, stack[:]); s != nil && s.reason != ReasonExit {
			t.Fatalf("import %d: %v", int(which)%len(calls), s)
		}
	})
}
