package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestCacheOnDisk: the code of a module is kept for the owner alone, with a note what it is, and used again.
func TestCacheOnDisk(t *testing.T) {
	for name, compiler := range map[string]Compiler{"here": {}, "in a child": {Command: compileCommand(t)}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			wasm := readFile(t, wordcountWasm)
			config := Config{CacheDir: dir, Compiler: compiler}
			compileModule(t, testEngine(t, config), "wordcount", wasm)
			after := codeFiles(t, dir, ".code")
			if len(after) != 1 {
				t.Fatalf("files: %q", after)
			}
			m := compileModule(t, testEngine(t, config), "wordcount", wasm)
			if d := cmp.Diff(after, codeFiles(t, dir, ".code")); d != "" {
				t.Error(d)
			}
			for _, path := range []string{dir, after[0]} {
				if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s: %v, %v", path, info.Mode(), err)
				}
			}
			if compiler.Command == nil {
				return
			}
			var note codeNote
			text := readFile(t, filepath.Join(codeDir(dir), m.Digest()[len("sha256:"):]+".json"))
			if err := json.Unmarshal(text, &note); err != nil || note.Digest != m.Digest() || note.Metering != meterVersion {
				t.Errorf("note: %+v, %v", note, err)
			}
		})
	}
}

func TestCacheThatOthersMayWriteIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there is no mode to see it by
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := NewEngine(t.Context(), Config{CacheDir: dir}); !errs.ModuleCache.Is(err) || !strings.Contains(err.Error(), "E-MODULE-CACHE") {
		t.Errorf("got %v, want %s", err, errs.ModuleCache.ID)
	}
}

// TestOneDigestIsCompiledOnce: however many ask at once, and the code is freed with the last module.
func TestOneDigestIsCompiledOnce(t *testing.T) {
	e := testEngine(t, Config{})
	wasm := readFile(t, wordcountWasm)
	modules := make([]*Module, 8)
	var wg sync.WaitGroup
	for i := range modules {
		wg.Go(func() {
			var err error
			if modules[i], err = e.Compile(context.Background(), "wordcount", wasm); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, m := range modules {
		if m == nil || m.compiled != modules[0].compiled {
			t.Fatal("compiled more than once")
		}
	}
	for i, m := range modules {
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		kept := len(e.mu.compiled)
		e.mu.Unlock()
		if want := min(len(modules)-1-i, 1); kept != want {
			t.Errorf("%d entries are kept after %d of %d modules were closed", kept, i+1, len(modules))
		}
	}
}

// TestInstancesAreIndependent: instances of one module on several goroutines do not see each other.
func TestInstancesAreIndependent(t *testing.T) {
	e := testEngine(t, Config{})
	m := compileModule(t, e, "wordcount", readFile(t, wordcountWasm))
	frame := inputFrame(nil, "a b c", "a")
	var wg sync.WaitGroup
	for range 4 {
		host := newHost()
		in := newInstance(t, m, host, Limits{})
		wg.Go(func() {
			h, err := in.Open(openFrame("count-words", "counts"))
			if err != nil {
				t.Error(err)
				return
			}
			for range 50 {
				if _, err := process(t, in, h, frame); err != nil {
					t.Error(err)
					return
				}
			}
			if n := host.store["a"]; len(n) != 8 || n[7] != 100 {
				t.Errorf("a was counted %v times", n)
			}
		})
	}
	wg.Wait()
}

// TestManyInstances: instances that die or are closed leave nothing behind in the engine.
func TestManyInstances(t *testing.T) {
	e := testEngine(t, Config{})
	w, f := guest()
	f[abi.ExportProcess].code = ops(opUnreachable)
	m := compileModule(t, e, "g", w.bytes())
	live := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	run := func(n int) {
		for range n {
			in, err := m.Instantiate(t.Context(), newHost(), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if err := ask(t, in, abi.ExportProcess); err == nil {
				t.Fatal("no trap")
			}
			in.Close()
		}
	}
	run(100)
	before := live()
	run(1000)
	if after := live(); after > before+8<<20 {
		t.Errorf("%d KiB of heap before 1000 instances, %d after", before>>10, after>>10)
	}
}

func TestCanceledCompile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := testEngine(t, Config{})
	m := compileModule(t, e, "wordcount", readFile(t, wordcountWasm))
	cancel()
	if _, err := m.Instantiate(ctx, newHost(), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConfigFaultsTogether(t *testing.T) {
	_, err := NewEngine(t.Context(), Config{Limits: Limits{MemoryBytes: 3 << 30, StackBytes: 1 << 40, Wall: -1}, Workers: -1})
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) || len(many.Unwrap()) != 3 {
		t.Errorf("got %v, want three faults", err)
	}
}

// BenchmarkInstantiate is the time and memory of one more instance.
func BenchmarkInstantiate(b *testing.B) {
	e := testEngine(b, Config{CacheDir: os.Getenv("WASMSTREAM_BENCH_CACHE")})
	for _, guest := range []string{wordcountWasm, "../../.cache/guests/wordcount-go.wasm"} {
		wasm, err := os.ReadFile(guest)
		if err != nil {
			b.Fatal(err)
		}
		m := compileModule(b, e, guest, wasm)
		b.Run(filepath.Base(guest), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				in, err := m.Instantiate(b.Context(), newHost(), Limits{})
				if err != nil {
					b.Fatal(err)
				}
				in.Close()
			}
		})
	}
}

// BenchmarkCollectionBesideALoop is how long a garbage collection takes while a guest loops on another goroutine.
func BenchmarkCollectionBesideALoop(b *testing.B) {
	e := testEngine(b, Config{Limits: Limits{FuelPerFrame: 1 << 60, FuelMax: 1 << 60, Wall: 1 << 60}})
	w, f := guest()
	f[abi.ExportProcess].code = loopForever
	in := newInstance(b, compileModule(b, e, "loop", w.bytes()), newHost(), Limits{})
	if _, err := in.Reserve(64); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := in.Process(0, 64); ended <- err }()
	for b.Loop() {
		runtime.GC()
	}
	in.Interrupt()
	<-ended
}
