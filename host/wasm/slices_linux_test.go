//go:build !race

package wasm

import (
	"bytes"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/abi"
)

// threadTime is the CPU that this thread has used: what other processes do does not count.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	const thread = 1
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// chain appends loads, each from the address that the one before gave.
func chain(code []byte, loads int) []byte {
	for range loads {
		code = append(code, opFirstLoad, 2, 0)
	}
	return code
}

// farApart fills 60 MiB with a chain of addresses, no two in a page.
func farApart() []byte {
	const stride, mask = 37*4096 + 5*64, 1<<26 - 1 - 1<<22 - 63
	return cat(ops(opLoop, typeNone, opLocalGet, 0, opLocalGet, 0), i32c(stride), ops(opI32Add), i32c(mask),
		ops(opI32And, opLocalTee, 0, opFirstStore, 2, 0, opLocalGet, 0, opBrIf, 0, opEnd))
}

// slowGuests do what costs most for the fuel that it takes, again and again.
func slowGuests() map[string]*wmodule {
	const most = 60 << 20
	wide := cat(i32c(1000), ops(opMemoryGrow, 0, opDrop))
	chased := cat(wide, farApart())
	leaf := wfunc{params: "i", results: "i", code: chain(ops(opLocalGet, 0), leafFuel-2)}
	guestOf := func(self wfunc, more ...wfunc) *wmodule {
		w := guestWith(self, false)
		w.funcs = append(w.funcs, more...)
		return w
	}
	var leaves []byte
	for range 20_000 {
		leaves = append(leaves, opCall, selfIndex+1)
	}
	return map[string]*wmodule{
		"an empty loop":       guestOf(wfunc{code: loopForever}),
		"divisions":           guestOf(wfunc{code: forever(i64c(1<<62), i64c(3), ops(0x7f, opDrop))}),
		"loads far apart":     guestOf(wfunc{code: cat(chased, ops(opLoop, typeNone), chain(ops(opLocalGet, 0), 1000), ops(opLocalSet, 0, opBr, 0, opEnd, opUnreachable))}),
		"a function of loads": guestOf(wfunc{code: cat(chased, ops(opLoop, typeNone), chain(ops(opLocalGet, 0), 40_000), ops(opLocalSet, 0, opBr, 0, opEnd, opUnreachable))}),
		"calls of many small": guestOf(wfunc{code: cat(chased, ops(opLoop, typeNone, opLocalGet, 0), leaves, ops(opLocalSet, 0, opBr, 0, opEnd, opUnreachable))}, leaf),
		"fills of 60 MiB":     guestOf(wfunc{code: cat(wide, forever(i32c(0), i32c(1), i32c(most), ops(opPrefixMisc, miscMemoryFill, 0)))}),
		"copies of 60 MiB":    guestOf(wfunc{code: cat(wide, forever(i32c(0), i32c(8), i32c(most), ops(opPrefixMisc, miscMemoryCopy, 0, 0)))}),
		"copies from the end": guestOf(wfunc{code: cat(wide, forever(i32c(8), i32c(0), i32c(most), ops(opPrefixMisc, miscMemoryCopy, 0, 0)))}),
	}
}

// TestNoSliceIsLong: what a guest does between two stops takes less than maxStop of CPU, whatever it does: by the fuel of
// the largest slice and of what comes until the next check, and by the number of its stops. It is CPU that is measured,
// and the least of three runs, so that the load of the machine does not decide.
func TestNoSliceIsLong(t *testing.T) {
	const fuel = 12_000_000
	e := testEngine(t, Config{Limits: Limits{FuelPerFrame: fuel, FuelMax: fuel, Wall: time.Hour}})
	for name, w := range slowGuests() {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread() // a subtest is a goroutine of its own
			m := compileModule(t, e, name, w.bytes())
			perUnit, perStop := 1e9, time.Hour
			for range 3 {
				in := newInstance(t, m, newHost(), Limits{})
				if _, err := in.Reserve(8); err != nil {
					t.Fatal(err)
				}
				stops := 0
				in.budget.stopped = func() { stops++ }
				begun := threadTime(t)
				if _, err := in.Process(0, 8); err == nil || in.Err().(*TrapError).Reason != ReasonFuel {
					t.Fatalf("got %v, want %s", err, ReasonFuel)
				}
				took := threadTime(t) - begun
				perUnit = min(perUnit, float64(took)/float64(in.Fuel()))
				perStop = min(perStop, took/time.Duration(max(stops, 1)))
				in.Close()
			}
			slice := time.Duration(perUnit * (maxSlice + maxStraight))
			t.Logf(name+": %.2f ns a unit, %v a slice at most, %v on average", perUnit, slice, perStop)
			if slice > maxStop || perStop > maxStop {
				t.Errorf("a slice takes %v at most, %v on average; %v are allowed", slice, perStop, maxStop)
			}
		})
	}
}

// TestTheWayBackIsStopped: a recursion pays on its way down for what it does on its way back; it is stopped there all the
// same, once for each markStep of the stack.
func TestTheWayBackIsStopped(t *testing.T) {
	const levels = 1000
	// self(n): if n == 0, tell the host; else self(n-1) and a little more.
	w := guestWith(wfunc{}, false)
	w.imports = []abi.Function{imported(abi.ImportCore, abi.FnFeatures)}
	const self = selfIndex + 1
	more := bytes.Repeat(ops(opLocalGet, 0, 0x45 /* eqz */, opDrop), 300)
	w.funcs[selfIndex].code = cat(
		ops(opLocalGet, 0, 0x45 /* eqz */, opIf, typeNone, opCall, 0, opDrop, opReturn, opEnd),
		ops(opLocalGet, 0), i32c(-1), ops(opI32Add, opCall, self), more,
	)
	for i := range w.funcs {
		if len(w.funcs[i].exports) > 0 && w.funcs[i].exports[0] == abi.ExportProcess {
			w.funcs[i].code = cat(i32c(levels), ops(opCall, self), i64c(0))
		}
	}
	for _, interpreter := range []bool{false, true} {
		m := compileModule(t, testEngine(t, Config{Interpreter: interpreter}), "deep", w.bytes())
		host := &tellingHost{memoryHost: newHost()}
		in := newInstance(t, m, host, Limits{})
		down, back := 0, 0
		in.budget.stopped = func() {
			if host.told {
				back++
			} else {
				down++
			}
		}
		if err := ask(t, in, abi.ExportProcess); err != nil {
			t.Fatal(err)
		}
		least := levels * 900 / (2 * markStep) // a frame has a byte for each instruction, and a stop comes up to a frame late
		if back < least || back > levels {
			t.Errorf("interpreter %v: %d stops on the way down, %d on the way back, want %d to %d there", interpreter, down, back, least, levels)
		}
	}
}

// tellingHost notes that it was asked for features.
type tellingHost struct {
	*memoryHost
	told bool
}

// Features implements Host.
func (h *tellingHost) Features() int64 {
	h.told = true
	return h.memoryHost.Features()
}
