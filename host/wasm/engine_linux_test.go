package wasm

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
)

// resident is how much memory of this process is in use, in bytes, after a collection.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	fields := strings.Fields(string(readFile(t, "/proc/self/statm")))
	pages, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestCrashLoop: ten thousand instances that trap, one after the other, leave neither memory nor descriptors behind;
// neither do modules that are compiled, used and dropped.
func TestCrashLoop(t *testing.T) {
	loops, digests := 10_000, 200
	if testing.Short() {
		loops, digests = 1000, 20
	}
	e := testEngine(t, Config{})
	w, f := guest()
	f[abi.ExportProcess].code = ops(opUnreachable)
	m := compileModule(t, e, "g", w.bytes())
	crash := func(m *Module) {
		in, err := m.Instantiate(t.Context(), newHost(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if _, ok := errors.AsType[*TrapError](askFor(in, abi.ExportProcess)); !ok {
			t.Fatal("no trap")
		}
	}
	drop := func(i int) {
		w.customs["digest"] = strconv.Itoa(i)
		other, err := e.Compile(t.Context(), "g", w.bytes())
		if err != nil {
			t.Fatal(err)
		}
		crash(other)
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		crash(m)
		drop(-i - 1)
	}
	memory, files := resident(t), descriptors(t)
	for range loops {
		crash(m)
	}
	for i := range digests {
		drop(i)
	}
	const slack = 24 << 20 // what Go's runtime has not given back yet
	if now := resident(t); now > memory+slack {
		t.Errorf("%d KiB are in use after %d crashes, %d before", now>>10, loops, memory>>10)
	}
	if now := descriptors(t); now > files {
		t.Errorf("%d descriptors are open after %d crashes, %d before", now, loops, files)
	}
}
