package wasm

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// MaxModuleBytes is the size of the largest module.
const MaxModuleBytes = 10 << 20

// What a module may be at most otherwise (abi/SPEC.md, section 10). An honest Go program with JSON, regular expressions and
// templates reaches 3 MB, 9,000 functions and a nesting of 549.
const (
	maxTypes        = 10_000
	maxTypeValues   = 100_000 // parameters and results of all types
	maxImports      = 200
	maxFunctions    = 50_000
	maxExports      = 1_000
	maxGlobals      = 10_000
	maxElements     = 10_000
	maxTableEntries = 65_536
	maxDataSegments = 250_000 // Go's linker leaves out every run of zeros: 83,413 in 7 MB
	maxCustoms      = 200
	maxBodyBytes    = 1 << 20
	maxLocals       = 5_000
	maxNesting      = 4_096
	maxBrTable      = 16_384
	maxPatches      = 1_000_000
	maxAllLocals    = 1_000_000
	maxWork         = 50_000_000
	maxParams       = 1_000
	maxResults      = 100
	maxNameBytes    = 100_000
	// What the metering pass makes of a module is at most six times as large for the worst there is.
	maxMeteredBytes = 64 << 20
)

// Sections by their number in the format.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
	secTag       = 13
)

var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data",
	"data count", "tag",
}

// sectionOrder is the place of a section in a module; custom sections stand anywhere.
var sectionOrder = [...]int{
	secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secTag: 6, secGlobal: 7, secExport: 8,
	secStart: 9, secElement: 10, secDataCount: 11, secCode: 12, secData: 13,
}

// Kinds of imports and exports.
const (
	kindFunc   = 0
	kindTable  = 1
	kindMemory = 2
	kindGlobal = 3
	kindTag    = 4
)

// span is a run of the module's bytes.
type span struct{ start, end int }

type section struct {
	id   byte
	body span // without id and size
}

type funcType struct {
	params, results []byte
}

// letters writes value types as package abi does: 'i' for i32, 'l' for i64; others are spelled out.
func letters(types []byte) string {
	var b strings.Builder
	for _, t := range types {
		switch t {
		case valI32:
			b.WriteByte('i')
		case valI64:
			b.WriteByte('l')
		default:
			b.WriteString("<" + valName(t) + ">")
		}
	}
	return b.String()
}

type importEntry struct {
	module, name string
	typ          uint32
}

type exportEntry struct {
	name  string
	kind  byte
	index uint32
	at    span // of the index
}

type global struct {
	typ     byte
	mutable bool
}

type memory struct {
	min, max uint32 // pages; max is maxMemoryPages if none is declared
	hasMax   bool
	at       span // of the limits
}

type table struct {
	min, max uint32
	hasMax   bool
	elem     byte
	at       span
}

type custom struct {
	name string
	body span
}

// indexRef is a place where the bytes name a function.
type indexRef struct {
	at    span
	index uint32
}

// module is what decode found. Indexes in it are those of the original bytes.
type module struct {
	name     string
	bytes    []byte
	sections []section
	types    []funcType
	imports  []importEntry // functions all of them
	funcs    []uint32      // type of every function, imported ones first
	tables   []table
	memories []memory
	globals  []global
	exports  []exportEntry
	start    *indexRef
	elements int
	// elementRefs are the entries of all element segments: wazero makes each one anew for every instance.
	elementRefs int
	// funcRefs are functions named outside of code, in the order of the bytes: by elements and globals.
	funcRefs []indexRef
	// taken tells which functions can be called through a table or are referred to.
	taken     []bool
	dataCount int // -1 without that section
	data      int
	bodies    []body
	customs   []custom
	names     map[uint32]string
	ownName   string // of the module, from its name section
	patches   []patch
	calls     []callee
	pieces    byte // which operations on memory there are that are done in pieces

	reading     string // name of the section being read, "" behind the last
	readingBody int    // index of the function being read, -1 before the first

	r reader
}

// decode reads a module strictly: what it accepts has every index within bounds and every limit kept. Types of operands
// are left to wazero.
func decode(name string, b []byte) (*module, error) {
	m := &module{name: name, bytes: b, dataCount: -1, readingBody: -1, r: reader{b: b, end: len(b)}}
	if err := m.preamble(); err != nil {
		return nil, err
	}
	if err := m.readSections(); err != nil {
		return nil, err
	}
	if err := m.finish(); err != nil {
		return nil, err
	}
	m.readNames()
	return m, nil
}

func (m *module) preamble() error {
	b := m.bytes
	if len(b) > MaxModuleBytes {
		return tooManyBytes(m.name, int64(len(b)))
	}
	switch {
	case len(b) == 0:
		return errs.ModuleNotWasm.New(m.name, "the file is empty", "")
	case len(b) < 8 || string(b[:4]) != "\x00asm":
		return errs.ModuleNotWasm.New(m.name, fmt.Sprintf("the file does not begin as a wasm module does (got %s)", firstBytes(b)), "")
	case b[4] == 0x0d || b[6] == 0x01:
		return errs.ModuleNotWasm.New(m.name, "this is a component of the component model; guests are core modules",
			"build for a core target (wasm32-unknown-unknown, wasm32-wasip1, GOOS=wasip1), without wasm-tools component new")
	case !bytes.Equal(b[4:8], []byte{1, 0, 0, 0}):
		return errs.ModuleNotWasm.New(m.name, fmt.Sprintf("the binary format is not version 1 (got % x)", b[4:8]), "")
	}
	m.r.pos = 8
	return nil
}

// mistaken are the first bytes of files that people take for modules, or that hold one.
var mistaken = map[string]string{
	"\x1f\x8b": "gzip; unpack it first", "\x28\xb5\x2f\xfd": "zstd; unpack it first", "PK\x03\x04": "a zip archive; unpack it first",
	"\xfd7zXZ\x00": "xz; unpack it first", "BZh": "bzip2; unpack it first",
	"\x7fELF": "an ELF file, code for a machine; compile for a wasm32 target", "!<arch>\n": "an archive of object files; link it to a module",
	"BC\xc0\xde": "LLVM bitcode; link it to a module",
	"(module":    "WebAssembly text; assemble it first, as with wat2wasm", "(component": "WebAssembly text; assemble it first, as with wat2wasm",
	";;": "WebAssembly text; assemble it first, as with wat2wasm", "(;": "WebAssembly text; assemble it first, as with wat2wasm",
}

func firstBytes(b []byte) string {
	head := b[:min(len(b), 8)]
	text := bytes.TrimLeft(b[:min(len(b), 1<<10)], " \t\r\n")
	for magic, what := range mistaken {
		if bytes.HasPrefix(text, []byte(magic)) {
			return what
		}
	}
	return fmt.Sprintf("% x", head)
}

func (m *module) readSections() error {
	r := &m.r
	last := 0
	for r.pos < len(m.bytes) {
		id := r.byte()
		size := int(r.u32())
		if r.bad == "" && size > len(m.bytes)-r.pos {
			r.fail("a section is longer than the module")
		}
		if err := m.fault("a section header"); err != nil {
			return err
		}
		m.reading = fmt.Sprintf("unknown (%d)", id)
		if int(id) < len(sectionNames) {
			m.reading = sectionNames[id]
		}
		if err := m.order(id, &last); err != nil {
			return err
		}
		body := span{r.pos, r.pos + size}
		m.sections = append(m.sections, section{id, body})
		r.end = body.end
		if err := m.section(id, body); err != nil {
			return err
		}
		r.end = len(m.bytes)
	}
	m.reading = ""
	return nil
}

func (m *module) order(id byte, last *int) error {
	if id == secCustom {
		return nil
	}
	if int(id) >= len(sectionNames) {
		return m.malformed(m.r.pos, fmt.Sprintf("there is no section %d", id))
	}
	if id == secTag {
		return m.forbidden("exception handling (tags)", flagEH)
	}
	place := sectionOrder[id]
	if place <= *last {
		return m.malformed(m.r.pos, fmt.Sprintf("the %s section stands twice or in the wrong place", sectionNames[id]))
	}
	*last = place
	return nil
}

func (m *module) section(id byte, body span) error {
	var err error
	switch id {
	case secCustom:
		err = m.customSection(body)
	case secType:
		err = m.typeSection()
	case secImport:
		err = m.importSection()
	case secFunction:
		err = m.functionSection()
	case secTable:
		err = m.tableSection()
	case secMemory:
		err = m.memorySection()
	case secGlobal:
		err = m.globalSection()
	case secExport:
		err = m.exportSection()
	case secStart:
		err = m.startSection()
	case secElement:
		err = m.elementSection()
	case secDataCount:
		m.dataCount = m.count32(maxDataSegments, "data segments")
	case secCode:
		err = m.codeSection()
	case secData:
		err = m.dataSection()
	}
	if err != nil {
		return err
	}
	if err := m.fault("the " + sectionNames[id] + " section"); err != nil {
		return err
	}
	if m.r.pos != body.end {
		return m.malformed(m.r.pos, fmt.Sprintf("the %s section is longer than its content", sectionNames[id]))
	}
	return nil
}

// count32 reads a number that is not the length of a vector in this section.
func (m *module) count32(limit int, what string) int {
	n := m.r.u32()
	if int64(n) > int64(limit) {
		m.r.fail(tooMany(what, n, limit))
		return 0
	}
	return int(n)
}

// finish checks what only the whole module shows.
func (m *module) finish() error {
	defined := len(m.funcs) - len(m.imports)
	if defined != len(m.bodies) {
		return m.malformed(len(m.bytes), fmt.Sprintf("%d functions are declared, %d have code", defined, len(m.bodies)))
	}
	if m.dataCount >= 0 && m.dataCount != m.data {
		return m.malformed(len(m.bytes), fmt.Sprintf("%d data segments are announced, there are %d", m.dataCount, m.data))
	}
	return nil
}

// fault turns the reader's first fault, if any, into an error.
func (m *module) fault(where string) error {
	if m.r.bad == "" {
		return nil
	}
	what := where + ": " + m.r.bad
	if strings.HasPrefix(m.r.bad, "too many ") {
		return m.tooLarge(what)
	}
	return m.malformed(m.r.badA, what)
}

func (m *module) malformed(at int, what string) *errs.Error {
	where := m.name
	if at > 0 {
		where = fmt.Sprintf("%s+0x%x", m.name, at)
	}
	return errs.ModuleMalformed.New(where, what, "")
}

// tooLarge tells where the limit was passed, and in which section unless what begins with that or with a function.
func (m *module) tooLarge(what string) error {
	if m.reading == "" {
		return errs.ModuleTooLarge.New(m.name, what, "")
	}
	if in := "the " + m.reading + " section: "; !strings.HasPrefix(what, in) && !strings.HasPrefix(what, "function ") {
		what = in + what
	}
	return errs.ModuleTooLarge.New(fmt.Sprintf("%s+0x%x", m.name, m.r.pos), what, "")
}

func (m *module) forbidden(feature, flag string) error {
	return errs.ModuleForbidden.New(fmt.Sprintf("%s+0x%x", m.name, m.r.pos), m.user()+" uses "+feature+", which guests may not", "compile with "+flag)
}

// user is what is being read.
func (m *module) user() string {
	if m.reading == sectionNames[secCode] && m.readingBody >= 0 {
		return m.functionAt(uint32(m.readingBody))
	}
	return "the " + m.reading + " section"
}
