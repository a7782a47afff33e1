package wasm

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// nobody is a command that must not be run.
var nobody = []string{"/nonexistent/compiler"}

// works tells that the code of wordcount does what it should.
func works(t *testing.T, m *Module) {
	t.Helper()
	in := newInstance(t, m, newHost(), Limits{})
	h, err := in.Open(openFrame("split-words"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := process(t, in, h, inputFrame(nil, "a b"))
	if got := strings.Join(valuesOf(t, out, 1), ","); err != nil || got != "a,b" {
		t.Errorf("got %s, %v", got, err)
	}
}

// codeFiles are the files of the cache with the ending.
func codeFiles(t *testing.T, dir, ending string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) == ending {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCompileInAProcessOfItsOwn: the code comes from the child, once; with a cache the next engine needs no child.
func TestCompileInAProcessOfItsOwn(t *testing.T) {
	wasm, dir := readFile(t, wordcountWasm), filepath.Join(t.TempDir(), "cache")
	child := Compiler{Command: compileCommand(t)}
	works(t, compileModule(t, testEngine(t, Config{Compiler: child}), "wordcount", wasm))
	works(t, compileModule(t, testEngine(t, Config{Compiler: child, CacheDir: dir}), "wordcount", wasm))
	works(t, compileModule(t, testEngine(t, Config{Compiler: Compiler{Command: nobody}, CacheDir: dir}), "wordcount", wasm))
	if _, err := testEngine(t, Config{Compiler: Compiler{Command: nobody}}).Compile(t.Context(), "wordcount", wasm); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a child that is not there: %v", err)
	}
	if codes := codeFiles(t, dir, ".code"); len(codes) != 1 {
		t.Errorf("files of code: %q", codes)
	}
}

// TestChildSaysWhatIsWrong: the child's word on types that do not agree is that of the engine.
func TestChildSaysWhatIsWrong(t *testing.T) {
	wasm := withCode(ops(opI32Add))
	var texts []string
	for _, config := range []Config{{}, {Compiler: Compiler{Command: compileCommand(t)}}} {
		_, err := testEngine(t, config).Compile(t.Context(), "bad.wasm", wasm)
		if !errs.ModuleMalformed.Is(err) || !strings.Contains(err.Error(), "function 6 (_initialize)") {
			t.Errorf("got %v", err)
		}
		texts = append(texts, err.Error())
	}
	if texts[0] != texts[1] {
		t.Errorf("in this process: %s\nin the child:   %s", texts[0], texts[1])
	}
}

// TestParentSurvivesItsChild: however the child ends, the module is refused with words, and the next one is compiled.
func TestParentSurvivesItsChild(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no shell to play the child
	}
	shell := func(script string) []string { return []string{"/bin/sh", "-c", "cat >/dev/null; " + script} }
	wasm := readFile(t, wordcountWasm)
	_, _, foreign, err := (&Compiler{Command: compileCommand(t)}).compile(t.Context(), meteredOf(t, guestBytes()), 1)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "answer")
	answer := append([]byte{answerCode}, make([]byte, 32)...)
	if err := os.WriteFile(other, appendEntry(answer, codeKey{1}, foreign), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		command []string
		says    string
	}{
		{"killed", shell("kill -KILL $$"), "signal: killed"},
		{"segmentation fault", shell("kill -SEGV $$"), "segmentation fault"},
		{"aborted", shell("kill -ABRT $$"), "abort"},
		{"terminated", shell("kill -TERM $$"), "terminated"},
		{"out of CPU by the system", shell("kill -XCPU $$"), "CPU time"},
		{"out of memory by Go", shell("echo 'fatal error: runtime: out of memory' >&2; exit 2"), "of memory"},
		{"exits at once", []string{"/bin/sh", "-c", "exit 3"}, "exit status 3"},
		{"says nothing", shell("true"), "gave no answer"},
		{"hangs", []string{"/bin/sh", "-c", "while :; do :; done"}, "longer than"},
		{"floods", shell("cat /dev/zero"), "larger than it may be"},
		{"answers rubbish", shell("echo cxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "cut off"},
		{"answers for another module", shell("cat " + other), "belongs to another module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := testEngine(t, Config{Compiler: Compiler{Command: c.command, Wall: time.Minute}})
			if c.name == "hangs" {
				e.config.Compiler.Wall = 100 * time.Millisecond
			}
			_, err := e.Compile(t.Context(), "m.wasm", wasm)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want words with %q", err, c.says)
			}
			e.config.Compiler = Compiler{Command: compileCommand(t)}
			works(t, compileModule(t, e, "m.wasm", wasm))
		})
	}
}

// guestBytes is a module that does nothing.
func guestBytes() []byte {
	w, _ := guest()
	return w.bytes()
}

func meteredOf(t *testing.T, wasm []byte) []byte {
	t.Helper()
	m, err := decode("m", wasm)
	if err != nil {
		t.Fatal(err)
	}
	metered, _ := meter(m, 1<<20)
	return metered
}

// slowToCompile is a module whose functions are one expression each over thousands of values, which the compiler needs
// time and memory for.
func slowToCompile() []byte {
	w, _ := guest()
	const values, functions = 20_000, 16
	code := cat(i32c(0), bytes.Repeat(ops(opLocalGet, 0, opFirstLoad+1, 3, 0), values), bytes.Repeat(ops(opI64Add), values-1), ops(0x37, 3, 0))
	for range functions {
		w.funcs = append(w.funcs, wfunc{params: "i", code: code})
	}
	return w.bytes()
}

// TestChildKeepsItsLimits: CPU and memory of the child are bounded by the system, and the message says which.
func TestChildKeepsItsLimits(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // no such limits
	}
	wasm := slowToCompile()
	for _, c := range []struct {
		name  string
		limit Compiler
		says  string
	}{
		{"memory", Compiler{MemoryBytes: 1 << 20}, "of memory"},
		{"time", Compiler{Wall: 10 * time.Millisecond}, "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.limit.Command = compileCommand(t)
			_, err := testEngine(t, Config{Compiler: c.limit}).Compile(t.Context(), "slow.wasm", wasm)
			if !errs.ModuleCompile.Is(err) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "slow.wasm") {
				t.Errorf("got %v, want words with %q", err, c.says)
			}
		})
	}
}

// TestDamagedCodeIsNotRun: an entry that is cut off, has one bit changed anywhere, or is another module's is compiled
// again, and what runs is right.
func TestDamagedCodeIsNotRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	wasm := readFile(t, wordcountWasm)
	config := Config{CacheDir: dir, Compiler: Compiler{Command: compileCommand(t)}}
	compileModule(t, testEngine(t, config), "wordcount", wasm)
	compileModule(t, testEngine(t, config), "other", guestBytes())
	files := codeFiles(t, dir, ".code")
	if len(files) != 2 {
		t.Fatalf("files of code: %q", files)
	}
	path, other := files[0], files[1]
	if len(readFile(t, path)) < len(readFile(t, other)) {
		path, other = other, path
	}
	whole := readFile(t, path)
	damaged := map[string][]byte{"cut off": whole[:len(whole)/2], "empty": {}, "another module's": readFile(t, other), "longer": append(bytes.Clone(whole), 0)}
	for i := range 16 {
		at := i * (len(whole) - 1) / 15
		b := bytes.Clone(whole)
		b[at] ^= 1 << (i % 8)
		damaged["bit of byte "+strconv.Itoa(at)] = b
	}
	for name, b := range damaged {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			works(t, compileModule(t, testEngine(t, config), "wordcount", wasm))
			if !bytes.Equal(readFile(t, path), whole) {
				t.Error("it was not made again")
			}
		})
	}
	for _, note := range codeFiles(t, dir, ".json") {
		if err := os.WriteFile(note, []byte(`{"key":"00","metered":"x"`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	works(t, compileModule(t, testEngine(t, config), "wordcount", wasm))
}

// TestEveryBitOfAnEntryCounts: there is no byte that may change.
func TestEveryBitOfAnEntryCounts(t *testing.T) {
	key := codeKey{1, 2, 3}
	entry := appendEntry(nil, key, []byte("machine code"))
	if code, err := readEntry(key, entry); err != nil || string(code) != "machine code" {
		t.Fatalf("%q, %v", code, err)
	}
	for i := range entry {
		for bit := range 8 {
			b := bytes.Clone(entry)
			b[i] ^= 1 << bit
			if _, err := readEntry(key, b); err == nil {
				t.Errorf("byte %d, bit %d", i, bit)
			}
		}
		if _, err := readEntry(key, entry[:i]); err == nil {
			t.Errorf("%d of %d bytes", i, len(entry))
		}
	}
	if _, err := readEntry(codeKey{9}, entry); err == nil {
		t.Error("the entry of another key")
	}
}

// TestChildGetsNoSecrets: neither the environment nor open files reach the child.
func TestChildGetsNoSecrets(t *testing.T) {
	t.Setenv("SECRET_OF_THE_HOST", "x")
	for _, v := range childEnv() {
		if strings.Contains(v, "SECRET") {
			t.Errorf("the child gets %s", v)
		}
	}
	if n := CompileChild(strings.NewReader("no order"), &bytes.Buffer{}); n == 0 {
		t.Error("a child without an order was content")
	}
}

func TestCanceledCompilation(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e := testEngine(t, Config{Compiler: Compiler{Command: []string{"/bin/sh", "-c", "while :; do :; done"}}})
	if _, err := e.Compile(ctx, "m", guestBytes()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestCompilationsAreBounded: what a compilation may take does not grow beyond a ceiling with the module, and nothing
// small takes seconds.
func TestCompilationsAreBounded(t *testing.T) {
	for _, c := range []struct {
		size            int
		least, most     time.Duration
		leastWall, wall time.Duration
	}{
		{0, 0, 700 * time.Millisecond, time.Second, 6 * time.Second},
		{100 << 10, 0, time.Second, time.Second, 7 * time.Second},
		{3 << 20, 6 * time.Second, 10 * time.Second, 20 * time.Second, 45 * time.Second},
		{maxMeteredBytes, 30 * time.Second, 30 * time.Second, time.Minute, time.Minute},
	} {
		if cpu, wall := DefaultCompile(c.size); cpu < c.least || cpu > c.most || wall < c.leastWall || wall > c.wall {
			t.Errorf("%d bytes: %v of CPU, %v by the clock", c.size, cpu, wall)
		}
	}
	o, wall := (&Compiler{}).order(maxMeteredBytes, 64)
	if o.cpu() != maxCompileCPU || wall != maxCompileWall || o.MemoryBytes >= 256<<20 || o.Workers != compileWorkers {
		t.Errorf("%+v, %v by the clock", o, wall)
	}
}
