package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// with returns a guest changed by change.
func with(change func(w *wmodule, f map[string]*wfunc)) []byte {
	w, f := guest()
	change(w, f)
	return w.bytes()
}

func withCode(code []byte) []byte {
	return with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportInitialize].code = code })
}

// raw is a module of the sections given.
func raw(sections ...[]byte) []byte {
	return cat(append([][]byte{[]byte("\x00asm\x01\x00\x00\x00")}, sections...)...)
}

// lying is a section with a vector that says it has n items, and none.
func lying(id byte, n uint32) []byte { return section_(id, appendU32(nil, n)) }

// oneFunction is a module with one function of the given body, locals included.
func oneFunction(body []byte) []byte {
	return raw(section_(secType, []byte{1, 0x60, 0, 0}), section_(secFunction, []byte{1, 0}), section_(secCode, vec(1, vec(len(body), body))))
}

func withManifest(text string) []byte {
	return with(func(w *wmodule, _ map[string]*wfunc) { w.customs[abi.ManifestSection] = text })
}

var badModules = []struct {
	name string
	wasm []byte
	code errs.Code
	says string
}{
	{"empty file", nil, errs.ModuleNotWasm, "empty"},
	{"text", []byte("(module (func))"), errs.ModuleNotWasm, "assemble"},
	{"text with a comment", []byte("\n  ;; adds\n(module)"), errs.ModuleNotWasm, "assemble"},
	{"a program", []byte("\x7fELF\x02\x01\x01\x00"), errs.ModuleNotWasm, "ELF"},
	{"objects", []byte("!<arch>\n/ 0"), errs.ModuleNotWasm, "link it"},
	{"something else", []byte("\x89PNG\r\n\x1a\n"), errs.ModuleNotWasm, "89 50 4e 47"},
	{"component", []byte("\x00asm\x0d\x00\x01\x00"), errs.ModuleNotWasm, "component model"},
	{"later version", []byte("\x00asm\x02\x00\x00\x00"), errs.ModuleNotWasm, "version 1"},
	{"header alone", raw(), errs.ModuleNoMarker, "exports nothing"},
	{"too large", make11MiB(), errs.ModuleTooLarge, "at most 10485760"},
	{"section beyond the end", raw([]byte{secType, 0xff, 0xff, 0xff, 0xff, 0x0f}), errs.ModuleMalformed, "longer than the module"},
	{"section number", raw(section_(20, nil)), errs.ModuleMalformed, "no section 20"},
	{"section twice", raw(section_(secType, []byte{0}), section_(secType, []byte{0})), errs.ModuleMalformed, "stands twice"},
	{"sections in wrong order", raw(section_(secFunction, []byte{0}), section_(secType, []byte{0})), errs.ModuleMalformed, "wrong place"},
	{"section with a rest", raw(section_(secType, []byte{0, 0})), errs.ModuleMalformed, "longer than its content"},
	{"overlong number", raw(section_(secType, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x00})), errs.ModuleMalformed, "more than 32 bits"},
	{"fake vector of types", raw(lying(secType, 0xffffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of imports", raw(lying(secImport, 1<<31)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of functions", raw(lying(secFunction, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of tables", raw(lying(secTable, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of globals", raw(lying(secGlobal, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of exports", raw(lying(secExport, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of elements", raw(lying(secElement, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of bodies", raw(lying(secCode, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake vector of data", raw(lying(secData, 0xfffffff)), errs.ModuleMalformed, "longer than what is left"},
	{"fake length of a name", raw(section_(secCustom, []byte{0xff, 0xff, 0xff, 0x7f})), errs.ModuleMalformed, "longer than what is left"},
	{"name that is not UTF-8", raw(section_(secCustom, []byte{2, 0xc3, 0x28})), errs.ModuleMalformed, "UTF-8"},
	{"50 million locals", oneFunction(append(appendU32([]byte{1}, 50_000_000), valI64, opEnd)), errs.ModuleTooLarge, "locals"},
	{"locals that overflow", oneFunction(cat([]byte{2}, appendU32(nil, 0xffffffff), []byte{valI64}, appendU32(nil, 2), []byte{valI64, opEnd})), errs.ModuleTooLarge, "locals"},
	{"5,000 blocks in one another", withCode(bytes.Repeat(ops(opBlock, typeNone), 5000)), errs.ModuleTooLarge, "nests more than 4096"},
	{"branch table too long", withCode(cat(i32c(0), ops(opBrTable), appendU32(nil, 20_000), make([]byte, 20_001), ops(opUnreachable))), errs.ModuleTooLarge, "branch table of 20000"},
	{"body too long", withCode(bytes.Repeat(ops(opNop), maxBodyBytes+1)), errs.ModuleTooLarge, "bytes of code"},
	{"too many functions", raw(section_(secType, []byte{1, 0x60, 0, 0}), section_(secFunction, vec(60_000, make([]byte, 60_000)))), errs.ModuleTooLarge, "too many functions"},
	{"table too large", raw(section_(secTable, appendU32([]byte{1, valFuncref, 0}, 1<<20))), errs.ModuleTooLarge, "1048576 entries"},
	{"memory beyond the limit", with(func(w *wmodule, _ map[string]*wfunc) { w.memory = [2]int{2000, 2000} }), errs.ModuleTooLarge, "128000 KiB"},
	{"two memories", raw(section_(secMemory, []byte{2, 0, 1, 0, 1})), errs.ModuleForbidden, "bad.wasm+0xb: the memory section uses more than one memory"},
	{"shared memory, told by its place", raw(section_(secMemory, []byte{1, 3, 1, 1})), errs.ModuleForbidden, "bad.wasm+0xc: the memory section uses shared memory"},
	{"64-bit memory, told by its place", raw(section_(secMemory, []byte{1, 4, 1})), errs.ModuleForbidden, "bad.wasm+0xc: the memory section uses 64-bit memory"},
	{"tags, told by their place", raw(section_(secTag, []byte{1, 0, 0})), errs.ModuleForbidden, "bad.wasm+0xa: the tag section uses exception handling"},
	{"a struct, told by its place", raw(section_(secType, []byte{1, 0x5f, 0})), errs.ModuleForbidden, "bad.wasm+0xc: the type section uses garbage-collected types"},
	{"too many imports, told by their place", raw(section_(secImport, vec(300, bytes.Repeat([]byte{0, 0, 0, 0}, 300)))), errs.ModuleTooLarge, "bad.wasm+0xd: the import section: too many imports (got 300, at most 200)"},
	{"too many data segments, told by their place", raw(section_(secData, vec(260_000, make([]byte, 800_000)))), errs.ModuleTooLarge, "data section: too many data segments"},
	{"a manifest of another version", withManifest(`{"abi":2,"name":"m","components":[{"name":"c","kind":"map"}]}`), errs.ModuleABIVersion, "abi: 2 is not the version this host speaks, 1"},
	{"a manifest with a key twice", withManifest(`{"abi":1,"abi":1,"name":"m","components":[{"name":"c","kind":"map"}]}`), errs.ModuleManifest, `the key "abi" stands twice`},
	{"an empty manifest", withManifest(""), errs.ModuleManifest, "the custom section ws.manifest is empty"},
	{"two manifests", append(withManifest(testManifest), section_(secCustom, append(appendName(nil, abi.ManifestSection), testManifest...))...), errs.ModuleManifest, "2 custom sections ws.manifest, and one behind the other they are no manifest"},
	{"two tables", raw(section_(secTable, []byte{2, valFuncref, 0, 1, valFuncref, 0, 1})), errs.ModuleForbidden, "more than one table"},
	{"shared memory", raw(section_(secMemory, []byte{1, 3, 1, 1})), errs.ModuleForbidden, "threads"},
	{"64-bit memory", raw(section_(secMemory, []byte{1, 4, 1})), errs.ModuleForbidden, "64-bit"},
	{"tags", raw(section_(secTag, []byte{0})), errs.ModuleForbidden, "exception handling"},
	{"struct types", raw(section_(secType, []byte{1, 0x5f, 0})), errs.ModuleForbidden, "garbage-collected"},
	{"try", withCode(ops(0x06, typeNone, opEnd)), errs.ModuleForbidden, "exception handling"},
	{"try_table", withCode(ops(0x1f, typeNone, 0, opEnd)), errs.ModuleForbidden, "-fno-exceptions"},
	{"tail call", withCode(ops(0x12, 0)), errs.ModuleForbidden, "-mno-tail-call"},
	{"atomic", withCode(ops(opPrefixAtomic, 3, 0)), errs.ModuleForbidden, "-pthread"},
	{"struct.new", withCode(ops(0xfb, 0, 0)), errs.ModuleForbidden, "garbage-collected"},
	{"call_ref", withCode(ops(0x14, 0)), errs.ModuleForbidden, "typed references"},
	{"relaxed SIMD", withCode(cat(ops(opPrefixSIMD), appendU32(nil, 0x101))), errs.ModuleForbidden, "-mno-relaxed-simd"},
	{"load from another memory", withCode(cat(i32c(0), ops(opFirstLoad, 0x42, 1, 0, opDrop))), errs.ModuleForbidden, "more than one memory"},
	{"unknown instruction", withCode(ops(0xf0)), errs.ModuleMalformed, "no instruction 0xf0"},
	{"unknown bulk instruction", withCode(ops(opPrefixMisc, 99)), errs.ModuleMalformed, "0xfc 99"},
	{"body without an end", oneFunction([]byte{0, opNop}), errs.ModuleMalformed, "ends too early"},
	{"code behind the end", oneFunction([]byte{0, opEnd, opNop}), errs.ModuleMalformed, "behind its end"},
	{"else without if", withCode(ops(opElse)), errs.ModuleMalformed, "else without if"},
	{"branch too far", withCode(ops(opBr, 5)), errs.ModuleMalformed, "a branch leaves 6 blocks"},
	// The injected global, function and local of the metering pass have the next free numbers: none may be named.
	{"the fuel global", withCode(ops(opGlobalGet, 0, opDrop)), errs.ModuleMalformed, "no global 0"},
	{"setting the fuel global", withCode(cat(i64c(1<<40), ops(opGlobalSet, 0))), errs.ModuleMalformed, "no global 0"},
	{"a function that is not there", withCode(ops(opCall, 8)), errs.ModuleMalformed, "calls function 8"},
	{"a local that is not there", withCode(ops(opLocalGet, 0, opDrop)), errs.ModuleMalformed, "no local 0"},
	{"a type that is not there", withCode(ops(opBlock, 40, opEnd)), errs.ModuleMalformed, "has type 40"},
	{"reference to a function made by code", withCode(ops(opRefFunc, 7, opDrop)), errs.ModuleForbidden, "-mno-reference-types"},
	{"export of the fuel global", with(func(w *wmodule, _ map[string]*wfunc) { w.rawExports = []exportEntry{{name: "f", kind: kindGlobal}} }), errs.ModuleMalformed, "does not exist"},
	{"reserved export", with(func(w *wmodule, _ map[string]*wfunc) {
		w.rawExports = []exportEntry{{name: exportFuel, kind: kindFunc}}
	}), errs.ModuleMalformed, "keeps for itself"},
	{"export twice", with(func(w *wmodule, _ map[string]*wfunc) {
		w.rawExports = []exportEntry{{name: "memory", kind: kindMemory}}
	}), errs.ModuleMalformed, "stands twice"},
	{"start that is not there", with(func(w *wmodule, _ map[string]*wfunc) { w.start = 100 }), errs.ModuleMalformed, "function 99, which does not exist"},
	{"start with a result", with(func(w *wmodule, f map[string]*wfunc) { w.start = 1 }), errs.ModuleMalformed, "the start function, function 0 (ws_abi_v1), has parameters or results () -> (i)"},
	{"data beyond the memory", cat(guestBytes(), section_(secData, vec(1, cat([]byte{0}, i32c(2*pageSize-3), []byte{opEnd}, vec(4, []byte("four")))))), errs.ModuleMalformed, "4 bytes at 0x1fffd, lies outside of the 128 KiB"},
	{"data at -1", cat(guestBytes(), section_(secData, vec(1, cat([]byte{0}, i32c(-1), []byte{opEnd}, vec(1, []byte("x")))))), errs.ModuleMalformed, "1 bytes at 0xffffffff"},
	{"elements beyond the table", raw(section_(secType, []byte{1, 0x60, 0, 0}), section_(secFunction, []byte{1, 0}), section_(secTable, []byte{1, valFuncref, 0, 2}),
		section_(secElement, vec(1, cat([]byte{0}, i32c(1), []byte{opEnd}, vec(2, []byte{0, 0})))), section_(secCode, vec(1, vec(2, []byte{0, opEnd})))), errs.ModuleMalformed, "2 entries at 1, lies outside of the table's 2"},
	{"types that do not agree", withCode(ops(opI32Add)), errs.ModuleMalformed, "does not validate"},
	{"import of the host's refuel", with(func(w *wmodule, _ map[string]*wfunc) {
		w.imports = []abi.Function{{Module: meterModule, Name: meterRefuel, Params: "ll", Results: "l"}}
	}), errs.ModuleUnknownImport, "no module of that name"},
	{"unknown import", with(func(w *wmodule, _ map[string]*wfunc) {
		w.imports = []abi.Function{{Module: abi.ImportCore, Name: "logg", Params: "iii", Results: "i"}}
	}), errs.ModuleUnknownImport, "ws1.core.logg"},
	{"import with another signature", with(func(w *wmodule, _ map[string]*wfunc) {
		w.imports = []abi.Function{{Module: abi.ImportCore, Name: abi.FnLog, Params: "ii", Results: "i"}}
	}), errs.ModuleUnknownImport, "(iii) -> (i) (got (ii) -> (i))"},
	{"import of a browser", with(func(w *wmodule, _ map[string]*wfunc) {
		w.imports = []abi.Function{{Module: "env", Name: "abort", Params: "iiii"}}
	}), errs.ModuleUnknownImport, "env.abort"},
	{"import of a memory", raw(section_(secImport, cat([]byte{1}, appendName(nil, "env"), appendName(nil, "memory"), []byte{kindMemory, 0, 1}))), errs.ModuleUnknownImport, "--import-memory"},
	{"no marker", with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportMarker].exports = []string{"_start"} }), errs.ModuleNoMarker, "main"},
	{"version 2", with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportMarker].exports = []string{"ws_abi_v2"} }), errs.ModuleABIVersion, "version 2"},
	{"a name like a version", with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportMarker].exports = []string{"ws_abi_version_1"} }), errs.ModuleNoMarker, "does not export"},
	{"no ws_open", with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportOpen].exports = nil }), errs.ModuleMissingExport, "ws_open"},
	{"ws_flush with another signature", with(func(_ *wmodule, f map[string]*wfunc) {
		*f[abi.ExportFlush] = wfunc{exports: []string{abi.ExportFlush}}
	}), errs.ModuleMissingExport, "ws_flush"},
	{"no memory", with(func(w *wmodule, _ map[string]*wfunc) { w.noMemory = true }), errs.ModuleMissingExport, `"memory"`},
	{"no manifest", with(func(w *wmodule, _ map[string]*wfunc) { w.customs = nil }), errs.ModuleManifest, "ws_describe"},
	{"manifest that is no JSON", with(func(w *wmodule, _ map[string]*wfunc) { w.customs[abi.ManifestSection] = "{" }), errs.ModuleManifest, "manifest"},
}

func make11MiB() []byte {
	b := make([]byte, 11<<20)
	copy(b, "\x00asm\x01\x00\x00\x00")
	return b
}

// TestBadModules: each is refused with its code and with words that say what to mend.
func TestBadModules(t *testing.T) {
	e := testEngine(t, Config{Interpreter: true})
	for _, c := range badModules {
		t.Run(c.name, func(t *testing.T) {
			m, err := e.Compile(context.Background(), "bad.wasm", c.wasm)
			if err == nil {
				m.Close()
				t.Fatal("it was accepted")
			}
			if !c.code.Is(err) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "bad.wasm") {
				t.Errorf("got %v\nwant %s with %q", err, c.code.ID, c.says)
			}
		})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.mu.compiled); n != 0 {
		t.Errorf("%d refused modules are kept", n)
	}
}

// TestTruncatedModules: every beginning of a module is refused.
func TestTruncatedModules(t *testing.T) {
	w, _ := guest()
	w.table, w.globals = []uint32{0}, []int64{1}
	whole := w.bytes()
	for n := range whole {
		if m, err := decode("cut", whole[:n]); err == nil {
			if _, err := checkContract(m); err == nil && len(m.customs) > 0 {
				t.Fatalf("%d of %d bytes were accepted", n, len(whole))
			}
		}
	}
}

// placeInStack is what stands behind the name in a frame of a stack.
var placeInStack = regexp.MustCompile(` \(0x[0-9a-f]+[^()|]*\)`)

// TestNamesInTraces: names of the original, made fit to print, at the numbers of the original.
func TestNamesInTraces(t *testing.T) {
	w, f := guest()
	f[abi.ExportProcess].code = ops(opCall, 8, opUnreachable)
	w.funcs = append(w.funcs, wfunc{code: ops(opCall, 9)}, wfunc{code: ops(opUnreachable)})
	names := appendName(appendU32(appendU32(nil, 1), 9), "std::evil(int)\x1b[2J\n.forged(i32) i32")
	w.customs["name"] = string(append([]byte{namesOfFunctions, byte(len(names))}, names...))
	e := testEngine(t, DefaultConfig())
	trap := trapOf(t, e, w, abi.ExportProcess)
	got := placeInStack.ReplaceAllString(strings.Join(trap.Stack, "|"), "")
	if want := "std::evil(int)?[2J?.forged(i32) i32|$8|ws_process"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInspect(t *testing.T) {
	info, err := Inspect("wordcount.wasm", readFile(t, wordcountWasm))
	if err != nil {
		t.Fatal(err)
	}
	if info.Manifest.Name != "wordcount" || len(info.Manifest.Components) != 2 || info.ManifestFrom != fromSection {
		t.Errorf("manifest: %+v from %s", info.Manifest, info.ManifestFrom)
	}
	if !strings.HasPrefix(info.Digest, "sha256:") || info.CodeBytes == 0 || info.MemoryMinBytes == 0 || len(info.Exports) < 5 {
		t.Errorf("%+v", info)
	}
	if len(info.Producers) == 0 || !strings.Contains(strings.Join(info.Producers, " "), "clang") {
		t.Errorf("producers: %q", info.Producers)
	}
	if info, err := Inspect("x", raw()); info == nil || !errs.ModuleNoMarker.Is(err) {
		t.Errorf("a module that is no guest: %v, %v", info, err)
	}
}

// FuzzCompile: no bytes make the decoder, the metering pass, the engine or the start of an instance panic; what the
// decoder accepts the metering pass does not break: wazero judges both forms alike; and what starts ends.
func FuzzCompile(f *testing.F) {
	for _, c := range badModules {
		if len(c.wasm) < 1<<16 {
			f.Add(c.wasm)
		}
	}
	for seed := range uint64(4) {
		f.Add(generate(seed))
	}
	for _, a := range attacks() {
		if b := a.module(); len(b) < 1<<12 {
			f.Add(b)
		}
	}
	paths, _ := filepath.Glob("../../examples/*/*.wasm")
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil {
			f.Add(b)
		}
	}
	e := testEngine(f, Config{Interpreter: true, Limits: Limits{FuelPerFrame: 100_000, FuelMax: 100_000, MemoryBytes: 4 << 20}})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode("fuzz", b)
		if err != nil || checkReserved(m) != nil {
			return
		}
		same, _ := plain(m)
		if _, err := decode("fuzz", same); err != nil {
			t.Fatalf("the plain form of %d bytes is refused: %v", len(same), err)
		}
		_, plainErr := e.compileCode(t.Context(), m, Digest(b), same)
		metered, _ := meter(m, 1<<20)
		code, err := e.compileCode(t.Context(), m, Digest(b), metered)
		if (err == nil) != (plainErr == nil) {
			t.Fatalf("plain: %v, metered: %v", plainErr, err)
		}
		if err == nil {
			_ = code.Close(t.Context())
			startAny(t, e, b)
		}
	})
}

// startAny prepares a module and calls it; every failure must have a code or be the guest's.
func startAny(t *testing.T, e *Engine, b []byte) {
	m, err := e.Compile(t.Context(), "fuzz", b)
	if err != nil {
		if _, ok := errors.AsType[*errs.Error](Coded("fuzz", err)); !ok {
			t.Fatalf("an error without a code: %v", err)
		}
		return
	}
	defer m.Close()
	in, err := m.Instantiate(t.Context(), newHost(), Limits{})
	if err == nil {
		defer in.Close()
		err = askFor(in, abi.ExportProcess)
	}
	if trap, ok := errors.AsType[*TrapError](err); ok && trap.Reason == ReasonHost {
		t.Fatalf("the host failed: %v", err)
	}
}

// BenchmarkMeterPass is the cost of judging and rewriting a module, without compiling it.
func BenchmarkMeterPass(b *testing.B) {
	for _, path := range []string{wordcountWasm, "../../.cache/guests/wordcount-go.wasm"} {
		wasm, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		b.Run(fmt.Sprintf("%s-%dK", filepath.Base(path), len(wasm)>>10), func(b *testing.B) {
			b.SetBytes(int64(len(wasm)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := decode("m", wasm)
				if err != nil {
					b.Fatal(err)
				}
				meter(m, 1<<20)
			}
		})
	}
}
