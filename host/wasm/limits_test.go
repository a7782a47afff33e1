package wasm

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/abi"
)

// frameOfOne is an input frame with one record.
var frameOfOne = inputFrame(nil, "value")

// ask runs one export of an instance, by its name.
func ask(t *testing.T, in *Instance, export string) error {
	t.Helper()
	var err error
	switch export {
	case abi.ExportReserve:
		_, err = in.Reserve(100)
	case abi.ExportOpen:
		_, err = in.Open(openFrame("c"))
	case abi.ExportProcess:
		_, err = process(t, in, 0, frameOfOne)
	case abi.ExportPunctuate:
		_, err = in.Punctuate(0, 0, 0)
	case abi.ExportFlush:
		_, err = in.Flush(0, 0)
	case abi.ExportClose:
		err = in.CloseHandle(0, 0)
	}
	return err
}

// trapOf compiles w, starts it and runs export; the instance must die by it.
func trapOf(t *testing.T, e *Engine, w *wmodule, export string) *TrapError {
	t.Helper()
	m, err := e.Compile(t.Context(), "bad", w.bytes())
	if err == nil {
		defer m.Close()
		var in *Instance
		if in, err = m.Instantiate(t.Context(), newHost(), Limits{}); err == nil {
			defer in.Close()
			err = ask(t, in, export)
			if again := ask(t, in, abi.ExportProcess); err != nil && !errors.Is(again, err) {
				t.Errorf("a dead instance answered %v", again)
			}
		}
	}
	trap, ok := errors.AsType[*TrapError](err)
	if !ok {
		t.Fatalf("%s: got %v, want a TrapError", export, err)
	}
	return trap
}

// quick is over soon in fuel and never by the clock.
var quick = Limits{FuelPerFrame: 400_000, FuelPerRecord: 1, FuelPerByte: 1, FuelMax: 500_000, Wall: time.Hour}

// TestLoopsAreStopped: an endless loop ends at its budget, wherever it stands.
func TestLoopsAreStopped(t *testing.T) {
	for _, config := range []Config{{Limits: quick}, {Limits: quick, Interpreter: true}} {
		e := testEngine(t, config)
		for _, export := range []string{
			abi.ExportInitialize, abi.ExportReserve, abi.ExportOpen, abi.ExportProcess, abi.ExportPunctuate, abi.ExportFlush, abi.ExportClose,
		} {
			t.Run(fmt.Sprintf("%s interpreter=%v", export, config.Interpreter), func(t *testing.T) {
				w, f := guest()
				f[export].code = loopForever
				trap := trapOf(t, e, w, export)
				if trap.Reason != ReasonFuel || trap.Export != export {
					t.Errorf("got %s in %s, want %s in %s", trap.Reason, trap.Export, ReasonFuel, export)
				}
				if over := int64(trap.Fuel) - int64(trap.Budget); over <= 0 || over > 10 {
					t.Errorf("killed after %d of %d fuel", trap.Fuel, trap.Budget)
				}
			})
		}
	}
}

func TestStartFunctionIsStopped(t *testing.T) {
	e := testEngine(t, Config{Limits: quick})
	w, _ := guest()
	w.funcs = append(w.funcs, wfunc{code: loopForever})
	w.start = len(w.funcs)
	trap := trapOf(t, e, w, "")
	if trap.Reason != ReasonFuel || trap.Export != "start" {
		t.Errorf("got %s in %s", trap.Reason, trap.Export)
	}
}

func TestDescribeIsStopped(t *testing.T) {
	e := testEngine(t, Config{Limits: quick})
	w, _ := guest()
	w.customs = nil
	w.funcs = append(w.funcs, wfunc{params: "ii", results: "i", code: loopForever, exports: []string{abi.ExportDescribe}})
	trap := trapOf(t, e, w, "")
	if trap.Reason != ReasonFuel || trap.Export != abi.ExportDescribe {
		t.Errorf("got %s in %s", trap.Reason, trap.Export)
	}
}

// codeAttacks are bodies for ws_process (params handle, ptr, len; two i64 locals), each to be stopped for a reason.
// The function that they may call is the last of the module, self.
var codeAttacks = []struct {
	name   string
	reason string
	self   wfunc // ws_process calls it with 0
	table  bool  // self stands in the table
}{
	{"nested loops", ReasonFuel, wfunc{code: ops(opLoop, typeNone, opLoop, typeNone, opLocalGet, 0, opBrIf, 0, opBr, 1, opEnd, opEnd, opUnreachable)}, false},
	{"loop by br_table", ReasonFuel, wfunc{code: cat(ops(opLoop, typeNone, opLocalGet, 0), ops(opBrTable, 1, 0, 0, opEnd, opUnreachable))}, false},
	// Every call calls twice, to a depth of 40: 2^40 calls, no loop, no deep stack.
	{"exponential recursion", ReasonFuel, wfunc{code: cat(
		ops(opLocalGet, 0), i32c(40), ops(0x4e /* ge_s */, opIf, typeNone, opReturn, opEnd),
		ops(opLocalGet, 0), i32c(1), ops(opI32Add, opCall, selfIndex), ops(opLocalGet, 0), i32c(1), ops(opI32Add, opCall, selfIndex),
	)}, false},
	{"deep recursion", ReasonDepth, wfunc{code: ops(opLocalGet, 0, opCall, selfIndex)}, false},
	{"deep recursion through the table", ReasonDepth, wfunc{code: cat(ops(opLocalGet, 0), i32c(0), ops(opCallIndirect, selfIndex, 0))}, true},
	{"bulk fill in a loop", ReasonFuel, wfunc{code: cat(ops(opLoop, typeNone), i32c(0), i32c(1), i32c(1<<16), ops(opPrefixMisc, miscMemoryFill, 0, opBr, 0, opEnd, opUnreachable))}, false},
	{"bulk copy in a loop", ReasonFuel, wfunc{code: cat(ops(opLoop, typeNone), i32c(0), i32c(9), i32c(1<<15), ops(opPrefixMisc, miscMemoryCopy, 0, 0, opBr, 0, opEnd, opUnreachable))}, false},
	{"memory page by page, then gives up", ReasonMemory, wfunc{code: cat(ops(opLoop, typeNone), i32c(1), ops(opMemoryGrow, 0), i32c(-1), ops(opI32Ne, opBrIf, 0, opEnd, opUnreachable))}, false},
	{"unreachable", ReasonTrap, wfunc{code: ops(opUnreachable)}, false},
	{"division by zero", ReasonTrap, wfunc{code: cat(i32c(1), i32c(0), ops(0x6d, opDrop))}, false},
	{"load outside of memory", ReasonTrap, wfunc{code: cat(i32c(-8), ops(opFirstLoad, 2, 0, opDrop))}, false},
}

// selfIndex is the index of the function that guestWith adds.
const selfIndex = 8

// guestWith returns a guest whose ws_process calls self with 0.
func guestWith(self wfunc, table bool) *wmodule {
	w, _ := guest()
	w.memory = [2]int{1, 4000}
	self.params = "i"
	w.funcs = append(w.funcs, self)
	if table {
		w.table = []uint32{selfIndex}
	}
	for i := range w.funcs {
		if w.funcs[i].exports != nil && w.funcs[i].exports[0] == abi.ExportProcess {
			w.funcs[i].code = cat(i32c(0), ops(opCall, selfIndex), i64c(0))
		}
	}
	return w
}

// withLeaf puts a function that returns at once behind the others, in place 0 of the table.
func (w *wmodule) withLeaf() *wmodule {
	w.funcs = append(w.funcs, wfunc{params: "i"})
	w.table = []uint32{uint32(len(w.funcs) - 1)}
	return w
}

func TestCodeAttacks(t *testing.T) {
	limits := Limits{FuelPerFrame: 60_000_000, FuelMax: 60_000_000, MemoryBytes: 8 << 20, Wall: time.Hour}
	e := testEngine(t, Config{Limits: limits})
	for _, a := range codeAttacks {
		t.Run(a.name, func(t *testing.T) {
			trap := trapOf(t, e, guestWith(a.self, a.table), abi.ExportProcess)
			if trap.Reason != a.reason {
				t.Errorf("got %s (%s), want %s", trap.Reason, trap.Message, a.reason)
			}
			if len(trap.Stack) == 0 || !strings.HasPrefix(trap.Stack[0], "$8") {
				t.Errorf("stack: %q, want the function of the original, $8", trap.Stack)
			}
			if last := trap.Stack[len(trap.Stack)-1]; len(trap.Stack) < 25 && !strings.HasPrefix(last, abi.ExportProcess+" (0x") {
				t.Errorf("stack ends with %q, want %s", last, abi.ExportProcess)
			}
		})
	}
}

// TestDepthIsGivenBack: calls that return, by whatever way, do not use up the stack.
func TestDepthIsGivenBack(t *testing.T) {
	// self(n): if n == 0 return; self(n-1); three ways out: return, br to the function's label, falling off its end.
	for name, exit := range map[string][]byte{
		"return":     ops(opReturn),
		"br":         ops(opBr, 1),
		"br in loop": ops(opLoop, typeNone, opBr, 2, opEnd),
		"br_table":   ops(opLocalGet, 0, opBrTable, 0, 1),
	} {
		t.Run(name, func(t *testing.T) {
			self := wfunc{code: cat(
				ops(opLocalGet, 0, 0x45 /* eqz */, opIf, typeNone), exit, ops(opEnd),
				ops(opLocalGet, 0), i32c(-1), ops(opI32Add, opCall, selfIndex),
			)}
			w := guestWith(self, false)
			for i := range w.funcs {
				if w.funcs[i].exports != nil && w.funcs[i].exports[0] == abi.ExportProcess {
					w.funcs[i].code = cat(i32c(20), ops(opCall, selfIndex), i64c(0))
				}
			}
			e := testEngine(t, Config{Limits: Limits{StackBytes: 4096}})
			in := newInstance(t, compileModule(t, e, "g", w.bytes()), newHost(), Limits{})
			for range 1000 {
				if err := ask(t, in, abi.ExportProcess); err != nil {
					t.Fatal(err)
				}
			}
			if got := in.budget.depth.Get(); got != 4096 {
				t.Errorf("%d bytes of stack are left of 4096", got)
			}
		})
	}
}

// maxStop is how long a garbage collection may wait for guests.
const maxStop = 15 * time.Millisecond

// TestCollectorRunsBesideLoops: a garbage collection, which stops every goroutine, waits less than maxStop while one guest
// or eight of them loop, and they are still looping when it is done. One of many has to get through in that time: the
// others show how long a thread of a guest waits for a processor. What a guest can do at most before it stops, whatever the
// machine does, is in TestNoSliceIsLong.
func TestCollectorRunsBesideLoops(t *testing.T) {
	e := testEngine(t, Config{Limits: Limits{FuelPerFrame: 1 << 60, FuelMax: 1 << 60, Wall: time.Hour}})
	w, f := guest()
	w.imports = []abi.Function{imported(abi.ImportCore, abi.FnLog)}
	f[abi.ExportProcess].code = cat(i32c(1), i32c(0), i32c(1), ops(opCall, 0, opDrop), loopForever)
	m := compileModule(t, e, "loop", w.bytes())
	for _, guests := range []int{1, 8} {
		t.Run(fmt.Sprint(guests), func(t *testing.T) {
			ended := make(chan error, guests)
			begun := make(chan struct{})
			ins := make([]*Instance, guests)
			for i := range ins {
				host := newHost()
				host.onLog = func() { begun <- struct{}{} }
				in := newInstance(t, m, host, Limits{})
				ins[i] = in
				if _, err := in.Reserve(len(frameOfOne)); err != nil {
					t.Fatal(err)
				}
				go func() {
					_, err := in.Process(0, 0)
					ended <- err
				}()
			}
			for range ins {
				<-begun
			}
			const most = 50
			quickest, rounds := time.Hour, 0
			for ; rounds < most && quickest > maxStop; rounds++ {
				before := stops(t)
				runtime.GC()
				quickest = min(quickest, longest(before, stops(t)))
			}
			select {
			case err := <-ended:
				t.Fatalf("a guest ended by itself: %v", err)
			default:
			}
			t.Logf("beside %d looping guests the world stopped after %v in collection %d", guests, quickest, rounds)
			if quickest > maxStop {
				t.Errorf("no collection of %d got through in %v", rounds, maxStop)
			}
			for _, in := range ins {
				in.Interrupt()
			}
			for range ins {
				if trap, ok := errors.AsType[*TrapError](<-ended); !ok || trap.Reason != ReasonInterrupted {
					t.Errorf("got %v, want %s", trap, ReasonInterrupted)
				}
			}
		})
	}
}

// stops are the times that it took to stop the world for a collection, as far as this process has lived.
func stops(t *testing.T) metrics.Float64Histogram {
	t.Helper()
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	h := *sample[0].Value.Float64Histogram()
	h.Counts = slices.Clone(h.Counts)
	return h
}

// longest is the upper end of the highest bucket that grew.
func longest(before, after metrics.Float64Histogram) time.Duration {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			return time.Duration(after.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}

func TestWallTime(t *testing.T) {
	e := testEngine(t, Config{Limits: Limits{FuelPerFrame: 1 << 60, FuelMax: 1 << 60, Wall: 20 * time.Millisecond}})
	w, f := guest()
	f[abi.ExportProcess].code = loopForever
	if trap := trapOf(t, e, w, abi.ExportProcess); trap.Reason != ReasonWall {
		t.Errorf("got %s, want %s", trap.Reason, ReasonWall)
	}
}

// TestLimitsOnlyTighten: an instance cannot get more than its engine allows.
func TestLimitsOnlyTighten(t *testing.T) {
	outer := DefaultLimits()
	if got := (Limits{FuelMax: 1 << 62, MemoryBytes: 1 << 40, Wall: time.Hour}).within(outer); got != outer {
		t.Errorf("got %+v, want the outer limits", got)
	}
	if got := (Limits{FuelMax: 7}).within(outer); got.FuelMax != 7 || got.Wall != outer.Wall {
		t.Errorf("got %+v", got)
	}
}

func TestMemoryLimitOfOneInstance(t *testing.T) {
	e := testEngine(t, DefaultConfig())
	grow := wfunc{code: cat(i32c(4), ops(opMemoryGrow, 0), i32c(-1), ops(opI32Ne, opIf, typeNone, opElse, opUnreachable, opEnd))}
	m := compileModule(t, e, "grow", guestWith(grow, false).bytes())
	wide := newInstance(t, m, newHost(), Limits{})
	narrow := newInstance(t, m, newHost(), Limits{MemoryBytes: 4 * pageSize})
	if err := ask(t, wide, abi.ExportProcess); err != nil {
		t.Errorf("64 MiB: %v", err)
	}
	err := ask(t, narrow, abi.ExportProcess)
	if trap, ok := errors.AsType[*TrapError](err); !ok || trap.Reason != ReasonMemory {
		t.Errorf("4 pages: %v, want %s", err, ReasonMemory)
	}
	if got := wide.Stats().MemoryBytes; got != 5*pageSize {
		t.Errorf("the other has %d bytes", got)
	}
}

// TestHostileAnswers: what an export gives back is checked before it is used.
func TestHostileAnswers(t *testing.T) {
	pack := func(ptr, n uint32) []byte { return i64c(int64(uint64(ptr)<<32 | uint64(n))) }
	for _, c := range []struct {
		name, export string
		code         []byte
	}{
		{"reserve gives 0", abi.ExportReserve, i32c(0)},
		{"reserve gives an odd address", abi.ExportReserve, i32c(1025)},
		{"reserve near the end", abi.ExportReserve, i32c(2*pageSize - 8)},
		{"reserve near 4 GiB", abi.ExportReserve, i32c(-8)},
		{"answer outside of memory", abi.ExportProcess, pack(2*pageSize-8, 64)},
		{"answer overflows", abi.ExportProcess, pack(0x7ffffff8, 0xffffffff)},
		{"flush outside of memory", abi.ExportFlush, pack(0x7fffffff, 1)},
		{"punctuate outside of memory", abi.ExportPunctuate, pack(0x100000, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := testEngine(t, Config{Interpreter: true})
			w, f := guest()
			f[c.export].code = c.code
			if trap := trapOf(t, e, w, c.export); trap.Reason != ReasonContract {
				t.Errorf("got %s (%s), want %s", trap.Reason, trap.Message, ReasonContract)
			}
		})
	}
}

// TestCallErrorsLetTheInstanceLive: a negative answer is an answer.
func TestCallErrorsLetTheInstanceLive(t *testing.T) {
	e := testEngine(t, Config{Interpreter: true})
	w, f := guest()
	f[abi.ExportProcess].code = i64c(-12)
	in := newInstance(t, compileModule(t, e, "g", w.bytes()), newHost(), Limits{})
	for range 2 {
		if err := ask(t, in, abi.ExportProcess); !errors.Is(err, abi.Fenced) {
			t.Fatalf("got %v, want FENCED", err)
		}
	}
	if in.Err() != nil {
		t.Errorf("the instance died: %v", in.Err())
	}
}

// TestReentryIsRefused: a host that calls the guest from inside a call gets an error, and the call goes on.
func TestReentryIsRefused(t *testing.T) {
	e := testEngine(t, DefaultConfig())
	w, f := guest()
	w.imports = []abi.Function{{Module: abi.ImportCore, Name: abi.FnLog, Params: "iii", Results: "i"}}
	f[abi.ExportProcess].code = cat(i32c(1), i32c(0), i32c(4), ops(opCall, 0, opDrop), i64c(0))
	host := newHost()
	in := newInstance(t, compileModule(t, e, "g", w.bytes()), host, Limits{})
	var inside error
	host.onLog = func() { _, inside = in.Process(0, 8) }
	if err := ask(t, in, abi.ExportProcess); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inside, ErrReentered) {
		t.Errorf("inside the call: %v, want ErrReentered", inside)
	}
}

// TestFuelOfACallHasACeiling: also where the parts are as large as numbers are.
func TestFuelOfACallHasACeiling(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		limits         Limits
		records, bytes int
		want           uint64
	}{
		{Limits{FuelPerFrame: 5, FuelPerRecord: 3, FuelPerByte: 2, FuelMax: 100}, 4, 10, 37},
		{Limits{FuelPerFrame: 5, FuelPerRecord: 3, FuelPerByte: 2, FuelMax: 36}, 4, 10, 36},
		{Limits{FuelPerFrame: most, FuelPerRecord: 1, FuelPerByte: 1, FuelMax: 1000}, 1, 1, 1000},
		{Limits{FuelPerFrame: 1, FuelPerRecord: 1, FuelPerByte: most, FuelMax: 1000}, 1, 1 << 20, 1000},
		{Limits{FuelPerFrame: 1, FuelPerRecord: most, FuelPerByte: most, FuelMax: most}, 500, 1 << 20, most},
	} {
		if got := c.limits.forCall(c.records, c.bytes); got != c.want {
			t.Errorf("%+v, %d records, %d bytes: %d, want %d", c.limits, c.records, c.bytes, got, c.want)
		}
	}
}

// TestWhatHelpsFitsWhatHappened: each end names its limit and what can be done about it.
func TestWhatHelpsFitsWhatHappened(t *testing.T) {
	code := map[string][]byte{}
	for _, a := range codeAttacks {
		code[a.name] = guestWith(a.self, a.table).bytes()
	}
	loop := with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportProcess].code = loopForever })
	early := with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportInitialize].code = loopForever })
	fuel := Limits{FuelPerFrame: 60_000_000, FuelMax: 60_000_000, MemoryBytes: 8 << 20, Wall: time.Hour}
	wall := Limits{FuelPerFrame: 1 << 60, FuelMax: 1 << 60, Wall: 20 * time.Millisecond}
	for _, c := range []struct {
		name   string
		module []byte
		limits Limits
		says   []string
	}{
		{"a loop", loop, fuel, []string{" of 60000000", "look for a loop", "wasm.fuel.per.record"}},
		{"a loop before the first record", early, fuel, []string{"_initialize", "look for a loop", "before the first record"}},
		{"a long call", loop, wall, []string{"(20ms are allowed)", "wasm.call.timeout.ms"}},
		{"recursion", code["deep recursion"], fuel, []string{"(16384 KiB of stack are allowed)", "look for a recursion", "wasm.stack.max.bytes"}},
		{"memory", code["memory page by page, then gives up"], fuel, []string{"(8192 KiB are allowed)", "wasm.memory.max.bytes"}},
	} {
		e := testEngine(t, Config{Limits: c.limits})
		m, err := e.Compile(t.Context(), "bad", c.module)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		in, err := m.Instantiate(t.Context(), newHost(), Limits{})
		if err == nil {
			defer in.Close()
			err = ask(t, in, abi.ExportProcess)
		}
		text := fmt.Sprint(Coded("topic-0@0", err))
		for _, part := range c.says {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is not in: %s", c.name, part, text)
			}
		}
	}
}
