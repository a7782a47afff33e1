package wasm

import "github.com/wasmstream/wasmstream/abi"

// A builder of small modules, so that tests can say what is in them byte by byte.

// wfunc is a function: its type as letters of package abi, locals that are all i64, and its code without the last end.
type wfunc struct {
	params, results string
	locals          int
	code            []byte
	exports         []string
}

// wmodule is a module in the making. Sections in raw replace those that would be written; after names what follows the
// last section.
type wmodule struct {
	imports []abi.Function
	funcs   []wfunc
	memory  [2]int // pages: minimum, maximum (-1 for none); no memory with {0, 0}
	table   []uint32
	globals []int64 // mutable i64
	passive []byte  // a data segment for memory.init, none if nil
	// passiveTable makes the element segment one for table.init.
	passiveTable bool
	start        int // index, -1 for none
	customs      map[string]string
	rawExports   []exportEntry
	noMemory     bool
}

func section_(id byte, body []byte) []byte {
	return append(appendU32([]byte{id}, uint32(len(body))), body...)
}

func vec(n int, items []byte) []byte { return append(appendU32(nil, uint32(n)), items...) }

func valTypesOf(letters string) []byte {
	var b []byte
	for _, l := range letters {
		b = append(b, map[rune]byte{'i': valI32, 'l': valI64, 'f': valF32, 'd': valF64}[l])
	}
	return vec(len(letters), b)
}

// bytes assembles the module.
func (w *wmodule) bytes() []byte {
	var types, imports, decls, code, exports []byte
	nexports := 0
	export := func(name string, kind byte, index int) {
		exports = appendU32(append(appendName(exports, name), kind), uint32(index))
		nexports++
	}
	ntypes := 0
	typ := func(params, results string) uint32 {
		types = append(append(append(types, 0x60), valTypesOf(params)...), valTypesOf(results)...)
		ntypes++
		return uint32(ntypes - 1)
	}
	for _, f := range w.imports {
		imports = append(appendName(appendName(imports, f.Module), f.Name), kindFunc)
		imports = appendU32(imports, typ(f.Params, f.Results))
	}
	for i, f := range w.funcs {
		decls = appendU32(decls, typ(f.params, f.results))
		var body []byte
		if f.locals > 0 {
			body = append(vec(1, appendU32(nil, uint32(f.locals))), valI64)
		} else {
			body = vec(0, nil)
		}
		body = append(append(body, f.code...), opEnd)
		code = append(code, vec(len(body), body)...)
		for _, name := range f.exports {
			export(name, kindFunc, len(w.imports)+i)
		}
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section_(secType, vec(ntypes, types))...)
	if len(w.imports) > 0 {
		out = append(out, section_(secImport, vec(len(w.imports), imports))...)
	}
	out = append(out, section_(secFunction, vec(len(w.funcs), decls))...)
	if len(w.table) > 0 {
		out = append(out, section_(secTable, appendU32([]byte{1, valFuncref, 0}, uint32(len(w.table))))...)
	}
	if !w.noMemory {
		limits := appendU32([]byte{1, 1}, uint32(max(w.memory[0], 1)))
		limits = appendU32(limits, uint32(max(w.memory[1], w.memory[0], 1)))
		out = append(out, section_(secMemory, limits)...)
		export("memory", kindMemory, 0)
	}
	if len(w.globals) > 0 {
		var g []byte
		for _, v := range w.globals {
			g = append(appendS64(append(g, valI64, 1, opI64Const), v), opEnd)
		}
		out = append(out, section_(secGlobal, vec(len(w.globals), g))...)
	}
	for _, e := range w.rawExports {
		export(e.name, e.kind, int(e.index))
	}
	out = append(out, section_(secExport, vec(nexports, exports))...)
	if w.start > 0 {
		out = append(out, section_(secStart, appendU32(nil, uint32(w.start-1)))...)
	}
	if len(w.table) > 0 {
		elem := []byte{0, opI32Const, 0, opEnd}
		if w.passiveTable {
			elem = []byte{1, 0}
		}
		elem = appendU32(elem, uint32(len(w.table)))
		for _, f := range w.table {
			elem = appendU32(elem, f)
		}
		out = append(out, section_(secElement, vec(1, elem))...)
	}
	if w.passive != nil {
		out = append(out, section_(secDataCount, []byte{1})...)
	}
	out = append(out, section_(secCode, vec(len(w.funcs), code))...)
	if w.passive != nil {
		out = append(out, section_(secData, vec(1, append([]byte{1}, vec(len(w.passive), w.passive)...)))...)
	}
	for name, body := range w.customs {
		out = append(out, section_(secCustom, append(appendName(nil, name), body...))...)
	}
	return out
}

const testManifest = `{"abi":1,"name":"test","components":[{"name":"c","kind":"process","stores":["s"]}]}`

// guest returns a module that keeps the contract and does nothing; each function by its export, to be changed.
func guest() (*wmodule, map[string]*wfunc) {
	w := &wmodule{
		memory:  [2]int{2, 16},
		customs: map[string]string{abi.ManifestSection: testManifest},
		funcs: []wfunc{
			{results: "i", code: i32c(1), exports: []string{abi.ExportMarker}},
			{params: "i", results: "i", code: i32c(1024), exports: []string{abi.ExportReserve}},
			{params: "ii", results: "i", code: i32c(0), exports: []string{abi.ExportOpen}},
			{params: "iil", results: "l", code: i64c(0), exports: []string{abi.ExportPunctuate}},
			{params: "il", results: "l", code: i64c(0), exports: []string{abi.ExportFlush}},
			{params: "ii", results: "i", code: i32c(0), exports: []string{abi.ExportClose}},
			{code: nil, exports: []string{abi.ExportInitialize}},
			{params: "iii", results: "l", code: i64c(0), locals: 2, exports: []string{abi.ExportProcess}},
		},
	}
	byExport := map[string]*wfunc{}
	for i := range w.funcs {
		byExport[w.funcs[i].exports[0]] = &w.funcs[i]
	}
	return w, byExport
}

func i32c(v int64) []byte { return appendS64([]byte{opI32Const}, v) }
func i64c(v int64) []byte { return appendS64([]byte{opI64Const}, v) }

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func ops(b ...byte) []byte { return b }

// loopForever: loop br 0 end, and then unreachable.
var loopForever = ops(opLoop, typeNone, opBr, 0, opEnd, opUnreachable)
