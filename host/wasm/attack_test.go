package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// attack is what somebody might do to the host with a module. It runs in a process of its own, which must live, answer
// with the code within the limits, and then run an honest guest.
type attack struct {
	name   string
	module func() []byte
	// call is what is done with an instance of the module: an export's name, "" nothing.
	call string
	want string // the ID of a code, "" for a guest that is only held in bounds
	says string // a part of the message
	// limits of the engine; those of fastLimits where they are 0.
	limits Limits
	// memory is what the process and its compiler may hold at most, each, in MiB; attackMemory where it is 0.
	memory int64
	// cpu is what the compiler may use; a second where it is 0.
	cpu time.Duration
}

// fastLimits end a loop after some tens of milliseconds.
var fastLimits = Limits{FuelPerFrame: 40_000_000, FuelPerRecord: 1, FuelPerByte: 1, FuelMax: 40_000_000, Wall: 10 * time.Second}

// What one attack may use, loading and all: its process ends itself beyond attackCPU and attackMemory, and with the race
// detector it is slow and shadow times as much. The compiler's process has its own limits on top. attackTime is for machines
// that do other work.
const (
	attackCPU    = 3 * time.Second
	attackMemory = 256 // MiB
	attackTime   = 2 * time.Minute
)

// hold takes the limits of an attack upon this process.
func (a *attack) hold() {
	memory := uint64(max(a.memory, attackMemory)) << 20 * shadow
	limitProcess(max(attackCPU, a.cpu)*slow, memory) // the compiler inherits them
	go watch(attackCPU*slow, memory)
}

// inCode is a guest with one function more (index selfIndex), which ws_process calls with 0; code may use an i32
// parameter, two i64 locals and the imports given, which come before all functions.
func inCode(code []byte, imports ...abi.Function) func() []byte {
	return func() []byte {
		w, f := guest()
		w.memory, w.imports = [2]int{2, 4000}, imports
		w.funcs = append(w.funcs, wfunc{params: "i", locals: 2, code: code})
		for i := range w.funcs {
			if len(w.funcs[i].exports) > 0 && w.funcs[i].exports[0] == abi.ExportProcess {
				w.funcs[i].code = cat(i32c(0), ops(opCall, byte(selfIndex+len(imports))), i64c(0))
			}
		}
		_ = f
		return w.bytes()
	}
}

// forever repeats code without an end.
func forever(code ...[]byte) []byte {
	return cat(ops(opLoop, typeNone), cat(code...), ops(opBr, 0, opEnd, opUnreachable))
}

// imported is an import by its name.
func imported(module, name string) abi.Function {
	if module == wasiModule {
		for _, f := range wasiFunctions {
			if f.name == name {
				return abi.Function{Module: module, Name: name, Params: f.params, Results: f.results()}
			}
		}
	}
	for _, f := range abi.Imports() {
		if f.Module == module && f.Name == name {
			return f
		}
	}
	panic("there is no import " + name)
}

// storm calls an import (function 0) without an end, with operands of its types.
func storm(module, name string, operands ...int64) attack {
	f := imported(module, name)
	var code []byte
	for i, v := range operands {
		if f.Params[i] == 'l' {
			code = append(code, i64c(v)...)
		} else {
			code = append(code, i32c(v)...)
		}
	}
	code = append(code, opCall, 0)
	if f.Results != "" {
		code = append(code, opDrop)
	}
	return attack{name: "a storm of " + name, module: inCode(forever(code), f), call: abi.ExportProcess, want: errs.GuestBudget.ID}
}

// looping is a guest with a loop in an export.
func looping(export string) attack {
	return attack{
		name: "a loop in " + export, call: export, want: errs.GuestBudget.ID, says: export,
		module: func() []byte { return with(func(_ *wmodule, f map[string]*wfunc) { f[export].code = loopForever }) },
	}
}

// answering is a guest whose export gives back a number.
func answeringWith(name, export string, code []byte, says string) attack {
	return attack{
		name: name, call: export, want: errs.GuestContract.ID, says: says,
		module: func() []byte { return with(func(_ *wmodule, f map[string]*wfunc) { f[export].code = code }) },
	}
}

func attacks() []attack {
	all := append(cpuAttacks(), memoryAttacks()...)
	all = append(all, byteAttacks()...)
	all = append(all, boundaryAttacks()...)
	all = append(all, lineAttacks()...)
	return append(all, logAttacks()...)
}

func cpuAttacks() []attack {
	all := []attack{
		{
			name: "a loop in the start function", want: errs.GuestBudget.ID, says: "start",
			module: func() []byte {
				w, _ := guest()
				w.funcs = append(w.funcs, wfunc{code: loopForever})
				w.start = len(w.funcs)
				return w.bytes()
			},
		},
		{
			name: "a storm of random_get in the start function", want: errs.GuestBudget.ID, says: "start: used up its budget of computing",
			module: func() []byte {
				w, _ := guest()
				w.memory, w.imports = [2]int{1000, 1000}, []abi.Function{imported(wasiModule, "random_get")}
				w.funcs = append(w.funcs, wfunc{code: forever(i32c(0), i32c(60<<20), ops(opCall, 0, opDrop))})
				w.start = len(w.imports) + len(w.funcs)
				return w.bytes()
			},
		},
		{
			name: "a loop in ws_describe", want: errs.GuestBudget.ID, says: abi.ExportDescribe,
			module: func() []byte {
				w, _ := guest()
				w.customs = nil
				w.funcs = append(w.funcs, wfunc{params: "ii", results: "i", code: loopForever, exports: []string{abi.ExportDescribe}})
				return w.bytes()
			},
		},
		{name: "memory.init without a segment", want: errs.ModuleMalformed.ID, module: inCode(forever(i32c(0), i32c(0), i32c(9), ops(opPrefixMisc, miscMemoryInit, 0, 0)))},
		{name: "memory.init in a loop", want: errs.GuestBudget.ID, says: "used up its budget of computing", call: abi.ExportProcess, module: func() []byte {
			const size = 64 << 10
			w := guestWith(wfunc{code: forever(i32c(0), i32c(0), i32c(size), ops(opPrefixMisc, miscMemoryInit, 0, 0))}, false)
			w.passive = make([]byte, size)
			return w.bytes()
		}},
		{name: "fills of 100 KB", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(forever(i32c(0), i32c(1), i32c(100<<10), ops(opPrefixMisc, miscMemoryFill, 0)))},
		{name: "copies of 60 KB over themselves", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(forever(i32c(1), i32c(0), i32c(60<<10), ops(opPrefixMisc, miscMemoryCopy, 0, 0)))},
		{name: "a loop by br_table", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(cat(ops(opLoop, typeNone, opLocalGet, 0, opBrTable, 1, 0, 0, opEnd, opUnreachable)))},
		{name: "nested loops", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(ops(opLoop, typeNone, opLoop, typeNone, opLocalGet, 0, opBrIf, 0, opBr, 1, opEnd, opEnd, opUnreachable))},
		{name: "a loop of divisions", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(forever(i64c(1<<62), i64c(3), ops(0x7f, opDrop)))},
		{name: "loads that miss the cache", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(cat(i32c(900), ops(opMemoryGrow, 0, opDrop),
			forever(ops(opLocalGet, 0), i32c(1<<20+64), ops(opI32Add), i32c(1<<25-1), ops(opI32And, 0x22, 0, opFirstLoad, 2, 0, opDrop))))},
		storm(abi.ImportCore, abi.FnFeatures), storm(abi.ImportCore, abi.FnTime, 0, 0), storm(abi.ImportCore, abi.FnLogEnabled, 1),
		storm(abi.ImportCore, abi.FnRandom, 0, 0, 64<<10), storm(abi.ImportCore, abi.FnMetricAdd, 0, 1), storm(abi.ImportCore, abi.FnRequestCommit),
		storm(abi.ImportState, abi.FnStateGet, 0, 0, 8, 0, 0), storm(abi.ImportState, abi.FnIterOpen, 0, 0, -1, 0, -1, 0, 0),
		storm(abi.ImportState, abi.FnStateOpenAs, 64, 1<<16, 1, 0), storm(abi.ImportState, abi.FnStatePutVersion, 0, 0, 8, 0, -1, 5),
		storm(abi.ImportState, abi.FnIterOpenSpan, 0, 0, -1, 0, -1, 0, 1<<62, 0, 0),
		storm(wasiModule, "clock_time_get", 0, 0, 0), storm(wasiModule, "random_get", 0, 100<<10), storm(wasiModule, "sched_yield"),
		storm(wasiModule, "poll_oneoff", 0, 64<<10, 1024, 8),
		{name: "scans of a store, again and again", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: scans()},
		{name: "a loop by call_indirect", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: func() []byte {
			return guestWith(wfunc{code: forever(i32c(1), i32c(0), ops(opCallIndirect, selfIndex+1, 0))}, true).withLeaf().bytes()
		}},
		{name: "a get of many that are large, into nothing", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: largeValues()},
	}
	for _, a := range codeAttacks {
		all = append(all, attack{name: a.name, call: abi.ExportProcess, want: codeOfReason(a.reason).ID, module: func() []byte { return guestWith(a.self, a.table).bytes() }, limits: Limits{MemoryBytes: 8 << 20}})
	}
	for _, export := range []string{abi.ExportInitialize, abi.ExportReserve, abi.ExportOpen, abi.ExportProcess, abi.ExportPunctuate, abi.ExportFlush, abi.ExportClose} {
		all = append(all, looping(export))
	}
	return all
}

func codeOfReason(reason string) errs.Code {
	switch reason {
	case ReasonFuel, ReasonDepth:
		return errs.GuestBudget
	case ReasonMemory:
		return errs.GuestMemory
	}
	return errs.GuestTrap
}

// largeValues puts a value of 1 MiB and asks for it 32 times in each call, with no room for the answer: the host would
// copy 32 MiB for the price of a few lookups.
func largeValues() func() []byte {
	const keys, keyAt = 32, 64
	block := abi.AppendPair(nil, "k", "")
	code := cat(i32c(16), ops(opMemoryGrow, 0, opDrop), i32c(0), i32c(keyAt+8), i32c(1), i32c(128<<10), i32c(1<<20), ops(opCall, 0, opDrop))
	fill := func(at int) []byte {
		return cat(i32c(int64(at)), i64c(int64(binary.LittleEndian.Uint64(block))), ops(0x37, 3, 0), i32c(int64(at+8)), i64c(int64(binary.LittleEndian.Uint64(block[8:]))), ops(0x37, 3, 0))
	}
	var fills []byte
	for i := range keys {
		fills = append(fills, fill(keyAt+i*len(block))...)
	}
	code = cat(fills, code, forever(i32c(0), i32c(keyAt), i32c(int64(keys*len(block))), i32c(0), i32c(0), ops(opCall, 1, opDrop)))
	return inCode(code, imported(abi.ImportState, abi.FnStatePut), imported(abi.ImportState, abi.FnStateGetMany))
}

// scans puts one pair and then opens, reads and closes an iterator over all there is, without an end.
func scans() func() []byte {
	put := cat(i32c(0), i32c(64), i32c(8), i32c(128), i32c(8<<10), ops(opCall, 0, opDrop))
	open := cat(i32c(0), i32c(0), i32c(-1), i32c(0), i32c(-1), i32c(0), i32c(0), ops(opCall, 1))
	next := cat(ops(opLocalGet, 0), i32c(32<<10), i32c(64<<10), ops(opCall, 2, opDrop))
	shut := cat(ops(opLocalGet, 0), ops(opCall, 3, opDrop))
	return inCode(cat(put, forever(open, ops(opLocalSet, 0), next, shut)), imported(abi.ImportState, abi.FnStatePut),
		imported(abi.ImportState, abi.FnIterOpen), imported(abi.ImportState, abi.FnIterNextMany), imported(abi.ImportState, abi.FnIterClose))
}

func memoryAttacks() []attack {
	growing := func(pages int64) []byte {
		return cat(ops(opLoop, typeNone), i32c(pages), ops(opMemoryGrow, 0), i32c(-1), ops(opI32Ne, opBrIf, 0, opEnd, opUnreachable))
	}
	return []attack{
		{name: "growth page by page", want: errs.GuestMemory.ID, call: abi.ExportProcess, module: inCode(growing(1)), says: "65536 KiB are allowed"},
		{name: "growth by all at once", want: errs.GuestMemory.ID, call: abi.ExportProcess, module: inCode(growing(3_000))},
		{name: "growth refused in a loop", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(forever(i32c(-1), ops(opMemoryGrow, 0, opDrop)))},
		{name: "a minimum beyond the limit", want: errs.ModuleTooLarge.ID, module: func() []byte {
			return with(func(w *wmodule, _ map[string]*wfunc) { w.memory = [2]int{40_000, 40_000} })
		}},
		{name: "a table of 4 billion", want: errs.ModuleTooLarge.ID, module: func() []byte {
			return raw(section_(secTable, appendU32([]byte{1, valFuncref, 0}, 1<<32-1)))
		}},
		{name: "two hundred tables", want: errs.ModuleForbidden.ID, module: func() []byte {
			return raw(section_(secTable, vec(200, bytes.Repeat([]byte{valFuncref, 0, 1}, 200))))
		}},
		{name: "table.init in a loop", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: tables(cat(i32c(0), i32c(0), i32c(tableSize), ops(opPrefixMisc, miscTableInit, 0, 0)))},
		{name: "table.copy in a loop", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: tables(cat(i32c(0), i32c(0), i32c(tableSize), ops(opPrefixMisc, miscTableCopy, 0, 0)))},
		{name: "table.copy over itself in a loop", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: tables(cat(i32c(1), i32c(0), i32c(tableSize-1), ops(opPrefixMisc, miscTableCopy, 0, 0)))},
		{name: "table.fill in a loop", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: tables(cat(i32c(0), ops(opRefNull, valFuncref), i32c(tableSize), ops(opPrefixMisc, miscTableFill, 0)))},
		{name: "table.init outside of its segment", want: errs.GuestTrap.ID, call: abi.ExportProcess, module: tables(cat(i32c(0), i32c(1), i32c(tableSize), ops(opPrefixMisc, miscTableInit, 0, 0)))},
		{name: "table.copy of 4 billion entries", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: tables(cat(i32c(0), i32c(0), i32c(-1), ops(opPrefixMisc, miscTableCopy, 0, 0)))},
		{name: "fills of 60 MiB", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(cat(i32c(960), ops(opMemoryGrow, 0, opDrop), forever(i32c(0), i32c(1), i32c(60<<20), ops(opPrefixMisc, miscMemoryFill, 0))))},
		{name: "copies of 60 MiB", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(cat(i32c(960), ops(opMemoryGrow, 0, opDrop), forever(i32c(0), i32c(8), i32c(60<<20), ops(opPrefixMisc, miscMemoryCopy, 0, 0))))},
		{name: "table.grow in a loop", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: func() []byte {
			w := guestWith(wfunc{code: forever(ops(opRefNull, valFuncref), i32c(1000), ops(opPrefixMisc, miscTableGrow, 0, opDrop))}, true)
			return w.bytes()
		}},
	}
}

// tableSize is the largest table.
const tableSize = maxTableEntries

// tables is a guest with the largest table and a passive segment as large, which does code again and again.
func tables(code []byte) func() []byte {
	return func() []byte {
		w := guestWith(wfunc{code: forever(code)}, true)
		w.table = slices.Repeat([]uint32{selfIndex}, tableSize)
		w.passiveTable = true
		return w.bytes()
	}
}

func byteAttacks() []attack {
	empty := func(n int) []byte { // n functions of a type without operands
		return cat(section_(secType, []byte{1, 0x60, 0, 0}), section_(secFunction, vec(n, make([]byte, n))))
	}
	bodies := func(n int, body []byte) []byte {
		return section_(secCode, vec(n, bytes.Repeat(vec(len(body), body), n)))
	}
	large := func(code errs.Code, says string, sections ...func() []byte) attack {
		return attack{want: code.ID, says: says, module: func() []byte {
			var all []byte
			for _, s := range sections {
				all = append(all, s()...)
			}
			return raw(all)
		}}
	}
	holding := func(memory int64, a attack) attack { a.memory = memory; return a } // the module alone is larger than it may be
	named := func(name string, a attack) attack { a.name = name; return a }
	filled := func(unit []byte, functions int) func() []byte { // 10 MB of code made of one unit
		return func() []byte {
			body := append(cat([]byte{0}, bytes.Repeat(unit, (9<<20)/functions/len(unit))), opEnd)
			return cat(empty(functions), bodies(functions, body))
		}
	}
	all := []attack{
		named("9 million entries in passive element segments", large(errs.ModuleTooLarge, "element segments hold more than 65536", func() []byte {
			segment := cat([]byte{1, 0}, vec(maxTableEntries, make([]byte, maxTableEntries)))
			return cat(empty(1), section_(secElement, vec(140, bytes.Repeat(segment, 140))))
		})),
		named("9,000 types of 990 values", large(errs.ModuleTooLarge, "the types have more than 100000", func() []byte {
			wide := cat([]byte{0x60}, vec(900, bytes.Repeat([]byte{valI64}, 900)), vec(90, bytes.Repeat([]byte{valI64}, 90)))
			return section_(secType, vec(9000, bytes.Repeat(wide, 9000)))
		})),
		named("references to functions in a loop", attack{want: errs.ModuleForbidden.ID, says: "ref.func", module: inCode(forever(ops(opRefFunc, 0, opDrop)))}),
		named("300,000 functions", large(errs.ModuleTooLarge, "too many functions (got 300000, at most 50000)", func() []byte { return empty(300_000) })),
		named("50,000 functions of 5,000 locals", large(errs.ModuleTooLarge, "locals together", func() []byte {
			return cat(empty(50_000), bodies(50_000, append(append(appendU32([]byte{1}, 5000), valI64), opEnd)))
		})),
		named("10 MB of empty loops", large(errs.ModuleTooLarge, "branches, loops and calls", filled(ops(opLoop, typeNone, opEnd), 16))),
		named("10 MB of blocks that are left", large(errs.ModuleTooLarge, "branches, loops and calls", filled(cat(ops(opBlock, typeNone), i32c(0), ops(opBrIf, 0, opEnd)), 16))),
		named("10 MB of calls", large(errs.ModuleTooLarge, "branches, loops and calls", filled(ops(opCall, 0), 16))),
		named("10 MB of nothing", large(errs.ModuleNoMarker, "", filled(ops(opNop), 16))),
		named("a custom section of 100 MB", holding(512, large(errs.ModuleTooLarge, "larger than a module may be", func() []byte {
			return section_(secCustom, append(appendName(nil, "x"), make([]byte, 100<<20)...))
		}))),
		named("branch tables over blocks of 100 values", large(errs.ModuleTooLarge, "move more than", func() []byte { return wideTables() })),
		named("a manifest that is nested deep", attack{want: errs.ModuleManifest.ID, module: func() []byte {
			return with(func(w *wmodule, _ map[string]*wfunc) {
				w.customs[abi.ManifestSection] = strings.Repeat(`{"a":[`, 100_000)
			})
		}}),
		named("a manifest of 9 MB", attack{want: errs.ModuleManifest.ID, module: func() []byte {
			return with(func(w *wmodule, _ map[string]*wfunc) {
				w.customs[abi.ManifestSection] = `{"abi":1,"name":"` + strings.Repeat("n", 9<<20) + `"}`
			})
		}}),
		named("a name section that lies", attack{module: func() []byte {
			return with(func(w *wmodule, _ map[string]*wfunc) { w.customs["name"] = "\x01\xff\xff\xff\xff\x0f\x00" })
		}}),
		named("compressed", attack{want: errs.ModuleNotWasm.ID, says: "gzip; unpack it first", module: func() []byte { return append([]byte{0x1f, 0x8b, 8, 0}, make([]byte, 100)...) }}),
		named("a start function with a parameter", attack{want: errs.ModuleMalformed.ID, says: "the start function, function 8, has parameters", module: func() []byte {
			w, _ := guest()
			w.funcs = append(w.funcs, wfunc{params: "i", code: ops(opNop)})
			w.start = len(w.funcs)
			return w.bytes()
		}}),
		named("9 functions of 1 MB of divisions", attack{want: errs.ModuleCompile.ID, says: "MiB of memory", cpu: 20 * time.Second, module: func() []byte {
			w, _ := guest()
			for range 9 {
				w.funcs = append(w.funcs, wfunc{params: "i", code: bytes.Repeat(ops(opLocalGet, 0, opLocalGet, 0, 0x6d, opLocalSet, 0), (1<<20-1000)/7)})
			}
			return w.bytes()
		}}),
		named("slow to compile", attack{want: errs.ModuleCompile.ID, says: "of CPU", module: phiBomb}),
	}
	for _, c := range badModules {
		all = append(all, attack{name: c.name, want: c.code.ID, says: c.says, module: func() []byte { return c.wasm }})
	}
	return all
}

// wideTables has branch tables of 16,000 entries, each of which takes 100 values along.
func wideTables() []byte {
	const values, entries, tables = 100, 16_000, 60
	code := []byte{0, opUnreachable}
	for range tables {
		code = append(code, opBlock, 1, opUnreachable, opBrTable)
		code = append(append(appendU32(code, entries), make([]byte, entries+1)...), opEnd)
		code = append(code, bytes.Repeat(ops(opDrop), values)...)
	}
	code = append(code, opEnd)
	types := cat([]byte{2, 0x60, 0, 0, 0x60, 0}, vec(values, bytes.Repeat([]byte{valI32}, values)))
	return cat(section_(secType, types), section_(secFunction, []byte{1, 0}), section_(secCode, vec(1, vec(len(code), code))))
}

// phiBomb is one function with 4,000 locals that are all changed in 1,000 loops: each loop has a value of its own for
// each local, 4 million in all.
func phiBomb() []byte {
	const locals, loops = 4000, 1000
	w, _ := guest()
	var code []byte
	for i := range loops {
		code = append(code, opLoop, typeNone)
		code = append(appendU32(append(code, opLocalGet), uint32(i%locals)), opI64Const, 1, opI64Add)
		code = appendU32(append(code, opLocalSet), uint32((i*37)%locals))
	}
	for i := range loops {
		code = appendU32(append(code, opLocalGet), uint32(i%locals))
		code = append(code, 0x50 /* eqz */, opBrIf, 0, opEnd)
	}
	for i := range locals {
		code = appendU32(append(appendS64(append(code, opI32Const), int64(i*8)), opLocalGet), uint32(i))
		code = append(code, 0x37, 3, 0)
	}
	w.funcs = append(w.funcs, wfunc{locals: locals, code: code})
	return w.bytes()
}

// lineAttacks trap in modules with hostile line tables, a hundred calls deep.
func lineAttacks() []attack {
	var all []attack
	for name, tables := range hostileLines() {
		all = append(all, attack{name: "a trap with line tables: " + name, want: errs.GuestTrap.ID, says: "unreachable", call: abi.ExportProcess, module: func() []byte {
			const deep = 100
			l := tables()
			w := guestWith(wfunc{code: cat(ops(opLocalGet, 0), i32c(deep), ops(0x46 /* eq */, opIf, typeNone, opUnreachable, opEnd),
				ops(opLocalGet, 0), i32c(1), ops(opI32Add, opCall, selfIndex))}, false)
			w.customs[".debug_line"], w.customs[".debug_str"] = string(l.table), string(l.strings)
			return w.bytes()
		}})
	}
	return all
}

func boundaryAttacks() []attack {
	pack := func(ptr, n uint32) []byte { return i64c(int64(uint64(ptr)<<32 | uint64(n))) }
	const reserve, process = abi.ExportReserve, abi.ExportProcess
	return []attack{
		answeringWith("a region at 0", reserve, i32c(0), "at a multiple of 8"),
		answeringWith("a region at an odd address", reserve, i32c(1025), "at a multiple of 8"),
		answeringWith("a region at the end", reserve, i32c(2*pageSize-8), "KiB of memory"),
		answeringWith("a region near 4 GiB", reserve, i32c(-8), "KiB of memory"),
		answeringWith("an answer outside of memory", process, pack(2*pageSize-8, 64), "RES-1"),
		answeringWith("an answer of 4 GiB", process, pack(8, 1<<32-1), "RES-1"),
		answeringWith("an answer at 2 GiB", process, pack(1<<31-1, 16), "RES-1"),
		answeringWith("an answer of a flush outside of memory", abi.ExportFlush, pack(1<<31-1, 1), "RES-1"),
		answeringWith("an answer of a punctuation outside of memory", abi.ExportPunctuate, pack(1<<20, 1), "RES-1"),
		{name: "bad pointers without an end", want: errs.GuestContract.ID, call: process, says: "bad pointers", module: inCode(forever(i32c(1), i32c(-8), i32c(100), ops(opCall, 0, opDrop)), imported(abi.ImportCore, abi.FnLog))},
		{name: "an iterator that is closed", call: process, module: inCode(cat(i32c(7), ops(opCall, 0, opDrop)), imported(abi.ImportState, abi.FnIterClose))},
		{name: "an iterator of another call", call: process, module: inCode(cat(i32c(1), i32c(0), i32c(64), ops(opCall, 0), i32c(int64(abi.InvalidArg)), ops(opI32Ne, opIf, typeNone, opUnreachable, opEnd)), imported(abi.ImportState, abi.FnIterNextMany))},
		{name: "spans with bad keys without an end", want: errs.GuestContract.ID, call: process, says: "bad pointers", module: inCode(forever(i32c(0), i32c(-8), i32c(100), i32c(-8), i32c(100), i64c(0), i64c(-1), i32c(0), i32c(0), ops(opCall, 0, opDrop)), imported(abi.ImportState, abi.FnIterOpenSpan))},
		{name: "versions with bad values without an end", want: errs.GuestContract.ID, call: process, says: "bad pointers", module: inCode(forever(i32c(0), i32c(0), i32c(8), i32c(-8), i32c(100), i64c(-1), ops(opCall, 0, opDrop)), imported(abi.ImportState, abi.FnStatePutVersion))},
		{name: "proc_exit", want: errs.GuestTrap.ID, call: process, says: "exit code 3", module: inCode(cat(i32c(3), ops(opCall, 0)), imported(wasiModule, "proc_exit"))},
		{name: "a file", call: process, module: inCode(cat(bytes.Repeat(i32c(3), 5), i64c(0), i64c(0), i32c(0), i32c(0), ops(opCall, 0), i32c(wasiNotSup), ops(opI32Ne, opIf, typeNone, opUnreachable, opEnd)), imported(wasiModule, "path_open"))},
	}
}

func logAttacks() []attack {
	lines := bytes.Repeat([]byte("\n"), 4)
	store := cat(i32c(64), i32c(int64(binary.LittleEndian.Uint32(lines))), i32c(100<<10), ops(opPrefixMisc, miscMemoryFill, 0))
	vectors := cat(i32c(0), i32c(64), ops(0x36, 2, 0), i32c(4), i32c(100<<10), ops(0x36, 2, 0))
	return []attack{
		storm(abi.ImportCore, abi.FnLog, 1, 0, 4096), storm(abi.ImportCore, abi.FnLog, 1, 0, 100<<10),
		storm(abi.ImportCore, abi.FnMetric, 0, 8, 4), storm(abi.ImportCore, abi.FnSetError, 0, 2, 0, 100<<10),
		{name: "lines on standard output", want: errs.GuestBudget.ID, call: abi.ExportProcess, module: inCode(cat(store, vectors, forever(i32c(1), i32c(0), i32c(1), i32c(8), ops(opCall, 0, opDrop))), imported(wasiModule, "fd_write"))},
	}
}

// attackArg makes the test binary the process of one attack, whose name follows.
const attackArg = "attack"

// runAttack is that process: it prints the code and the message of what the module brought about, or "held".
func runAttack(name string) int {
	for _, a := range append(attacks(), unbounded()...) {
		if a.name != name {
			continue
		}
		a.hold()
		err := a.run()
		switch coded, ok := errors.AsType[*errs.Error](err); {
		case err == nil:
			fmt.Println("held")
		case ok:
			fmt.Println(coded.Code, coded)
		default:
			fmt.Println("no-code", err)
		}
		return 0
	}
	return 1
}

func (a *attack) run() error {
	ctx := context.Background()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	limits := a.limits.within(fastLimits)
	limits.MemoryBytes, limits.StackBytes = a.limits.MemoryBytes, 0
	e, err := NewEngine(ctx, Config{Limits: limits, Compiler: Compiler{Command: []string{self, childArg}, CPU: max(a.cpu, time.Second), Wall: 40 * time.Second}})
	if err != nil {
		return err
	}
	defer e.Close(ctx)
	fault := a.attack(ctx, e)
	if err := honest(ctx, e); err != nil {
		return fmt.Errorf("an honest guest after the attack: %w", err)
	}
	return fault
}

func (a *attack) attack(ctx context.Context, e *Engine) error {
	m, err := e.Compile(ctx, "bad.wasm", a.module())
	if err != nil {
		return Coded("bad.wasm", err)
	}
	defer m.Close()
	in, err := m.Instantiate(ctx, newHost(), Limits{})
	if err != nil {
		return Coded("bad.wasm", err)
	}
	defer in.Close()
	err = askFor(in, a.call)
	if again := askFor(in, abi.ExportProcess); err != nil && !errors.Is(again, err) {
		return fmt.Errorf("a dead instance answered %w", again)
	}
	return Coded("topic-0@0", err)
}

// askFor runs one export.
func askFor(in *Instance, export string) (err error) {
	switch export {
	case abi.ExportReserve:
		_, err = in.Reserve(100)
	case abi.ExportOpen:
		_, err = in.Open(openFrame("c"))
	case abi.ExportProcess:
		var view []byte
		if view, err = in.Reserve(len(frameOfOne)); err == nil {
			copy(view, frameOfOne)
			_, err = in.Process(0, len(frameOfOne))
		}
	case abi.ExportPunctuate:
		_, err = in.Punctuate(0, 0, 0)
	case abi.ExportFlush:
		_, err = in.Flush(0, 0)
	case abi.ExportClose:
		err = in.CloseHandle(0, 0)
	}
	return err
}

func honest(ctx context.Context, e *Engine) error {
	m, err := e.Compile(ctx, "honest.wasm", guestBytes())
	if err != nil {
		return err
	}
	defer m.Close()
	in, err := m.Instantiate(ctx, newHost(), Limits{})
	if err != nil {
		return err
	}
	defer in.Close()
	return askFor(in, abi.ExportProcess)
}

// unbounded are processes that go beyond what an attack may use, by themselves.
func unbounded() []attack {
	return []attack{
		{name: "takes memory", module: func() []byte {
			var all [][]byte
			for len(all) < 1000 {
				all = append(all, bytes.Repeat([]byte{1}, 16<<20))
			}
			return all[0]
		}},
		{name: "takes time", module: func() []byte {
			for n := uint64(1); n != 0; { // a generator that comes to 0 after years
				n = n*6364136223846793005 + 1
			}
			return nil
		}},
	}
}

// TestAttacksAreHeld: a process that goes beyond what an attack may use is ended, for that reason.
func TestAttacksAreHeld(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, status := range []int{exitMemory, exitCPU} {
		a := unbounded()[i]
		ctx, cancel := context.WithTimeout(t.Context(), attackTime)
		defer cancel()
		out, err := exec.CommandContext(ctx, self, attackArg, a.name).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != status {
			t.Errorf("%s: %v, want status %d\n%.500s", a.name, err, status, out)
		}
	}
}

// TestAttacks holds every attack in a process of its own to its code, to a time and to a memory.
func TestAttacks(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), attackTime)
			defer cancel()
			cmd := exec.CommandContext(ctx, self, attackArg, a.name)
			cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // a process of a build with the race detector waits else
			var said bytes.Buffer
			cmd.Stderr = &said
			start := time.Now()
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("the process ended with %v after %v (%d is for CPU, %d for memory):\n%.2000s", err, time.Since(start), exitCPU, exitMemory, said.String())
			}
			code, message, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
			want := a.want
			if want == "" {
				want = "held"
			}
			if code != want || !strings.Contains(message, a.says) {
				t.Errorf("got %s %.500s\nwant %s with %q", code, message, want, a.says)
			}
			memory, most := touched(cmd.ProcessState), max(a.memory, attackMemory)*shadow
			if memory>>20 > most {
				t.Errorf("the process touched %d MiB, at most %d are allowed", memory>>20, most)
			}
			used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			if allowed := (attackCPU + a.cpu) * slow; used > allowed {
				t.Errorf("the process and its compiler used %v of CPU, at most %v are allowed", used, allowed)
			}
			t.Logf("%d MiB, %v, %v of CPU, %.300s", memory>>20, time.Since(start).Round(time.Millisecond), used.Round(time.Millisecond), message)
		})
	}
}
