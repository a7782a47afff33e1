package wasm

import (
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Value types.
const (
	valI32       = 0x7f
	valI64       = 0x7e
	valF32       = 0x7d
	valF64       = 0x7c
	valV128      = 0x7b
	valFuncref   = 0x70
	valExternref = 0x6f
)

var valNames = map[byte]string{
	valI32: "i32", valI64: "i64", valF32: "f32", valF64: "f64", valV128: "v128", valFuncref: "funcref", valExternref: "externref",
}

func valName(t byte) string {
	if n, ok := valNames[t]; ok {
		return n
	}
	return fmt.Sprintf("type 0x%02x", t)
}

const (
	flagGC      = "another target: garbage-collected types are needed by Kotlin, Dart and Java toolchains for browsers"
	flagThreads = "-mno-atomics, without -pthread"
	flagMem64   = "--target=wasm32 instead of wasm64, without -sMEMORY64"
	flagEH      = "-fno-exceptions (C++), panic=abort (Rust), -mno-exception-handling"
)

// valType reads a value type and refuses those of later proposals by name.
func (m *module) valType() (byte, error) {
	at := m.r.pos
	t := m.r.byte()
	switch t {
	case valI32, valI64, valF32, valF64, valV128, valFuncref, valExternref, 0:
		if t == 0 && m.r.bad == "" {
			return 0, m.malformed(at, "there is no value type 0x00")
		}
		return t, nil
	case 0x69, 0x74:
		return 0, m.forbidden("exception handling (exception references)", flagEH)
	case 0x63, 0x64, 0x65, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x75, 0x78, 0x77:
		return 0, m.forbidden("garbage-collected or typed references", flagGC)
	}
	return 0, m.malformed(at, fmt.Sprintf("there is no value type 0x%02x", t))
}

func (m *module) refType() (byte, error) {
	at := m.r.pos
	t, err := m.valType()
	if err == nil && m.r.bad == "" && t != valFuncref && t != valExternref {
		err = m.malformed(at, "a reference type is needed")
	}
	return t, err
}

func (m *module) valTypes(limit int, what string) ([]byte, error) {
	n := m.r.count(limit, what)
	start := m.r.pos
	for range n {
		if _, err := m.valType(); err != nil {
			return nil, err
		}
	}
	if m.r.bad != "" {
		return nil, nil
	}
	return m.bytes[start : start+n : start+n], nil
}

func (m *module) typeSection() error {
	n := m.r.count(maxTypes, "types")
	m.types = make([]funcType, 0, n)
	values := 0
	for range n {
		at := m.r.pos
		switch form := m.r.byte(); {
		case m.r.bad != "":
			return nil
		case form == 0x4e || form == 0x4f || form == 0x50 || form == 0x5e || form == 0x5f:
			return m.forbidden("garbage-collected types", flagGC)
		case form != 0x60:
			return m.malformed(at, "a type is not that of a function")
		}
		params, err := m.valTypes(maxParams, "parameters")
		if err != nil {
			return err
		}
		results, err := m.valTypes(maxResults, "results")
		if err != nil {
			return err
		}
		m.types = append(m.types, funcType{params, results})
		if values += len(params) + len(results); values > maxTypeValues {
			return m.tooLarge(fmt.Sprintf("the types have more than %d parameters and results together", maxTypeValues))
		}
	}
	return nil
}

func (m *module) importSection() error {
	n := m.r.count(maxImports, "imports")
	for range n {
		imp := importEntry{module: m.r.name(), name: m.r.name()}
		kind := m.r.byte()
		if m.r.bad != "" {
			return nil
		}
		if kind != kindFunc {
			return m.importOfOther(imp, kind)
		}
		at := m.r.pos
		imp.typ = m.r.u32()
		if m.r.bad == "" && int(imp.typ) >= len(m.types) {
			return m.malformed(at, fmt.Sprintf("the import %s.%s has a type that does not exist", imp.module, imp.name))
		}
		m.imports = append(m.imports, imp)
		m.funcs = append(m.funcs, imp.typ)
	}
	return nil
}

func (m *module) importOfOther(imp importEntry, kind byte) error {
	what, fix := "something unknown", ""
	switch kind {
	case kindTable:
		what, fix = "a table", "link without --import-table"
	case kindMemory:
		what, fix = "a memory", "link without --import-memory; a guest owns its memory and exports it"
	case kindGlobal:
		what, fix = "a global", "link as a whole (no -shared, -fPIC or side module)"
	case kindTag:
		return m.forbidden("exception handling (an imported tag)", flagEH)
	}
	return errs.ModuleUnknownImport.New(m.name, fmt.Sprintf("the module imports %s, %q %q; the host gives functions only", what, imp.module, imp.name), fix)
}

func (m *module) functionSection() error {
	n := m.r.count(maxFunctions, "functions")
	for range n {
		at := m.r.pos
		t := m.r.u32()
		if m.r.bad != "" {
			return nil
		}
		if int(t) >= len(m.types) {
			return m.malformed(at, fmt.Sprintf("function %d has a type that does not exist", len(m.funcs)))
		}
		m.funcs = append(m.funcs, t)
	}
	return nil
}

// limits reads the limits of a memory or a table.
func (m *module) limits(isMemory bool) (minimum, maximum uint32, hasMax bool, err error) {
	flags := m.r.byte()
	switch {
	case m.r.bad != "":
		return
	case flags&4 != 0:
		return 0, 0, false, m.forbidden("64-bit memory or tables", flagMem64)
	case flags&2 != 0:
		return 0, 0, false, m.forbidden("shared memory (threads)", flagThreads)
	case flags&8 != 0 && isMemory:
		return 0, 0, false, m.forbidden("custom page sizes", "the default page size (no --page-size for the linker)")
	case flags > 1:
		return 0, 0, false, m.malformed(m.r.pos-1, "limits have unknown flags")
	}
	minimum = m.r.u32()
	if hasMax = flags == 1; hasMax {
		maximum = m.r.u32()
		if m.r.bad == "" && maximum < minimum {
			err = m.malformed(m.r.pos, "the maximum is below the minimum")
		}
	}
	return minimum, maximum, hasMax, err
}

func (m *module) tableSection() error {
	n := m.r.count(maxImports, "tables")
	if n > 1 {
		return m.forbidden("more than one table", "-mno-reference-types, which is what makes linkers write a second table")
	}
	for range n {
		if m.r.left() > 0 && m.bytes[m.r.pos] == 0x40 {
			return m.forbidden("tables with initial values (typed references)", flagGC)
		}
		elem, err := m.refType()
		if err != nil {
			return err
		}
		t := table{elem: elem}
		t.at.start = m.r.pos
		if t.min, t.max, t.hasMax, err = m.limits(false); err != nil {
			return err
		}
		t.at.end = m.r.pos
		if t.min > maxTableEntries {
			return m.tooLarge(fmt.Sprintf("the table has %d entries, at most %d are allowed", t.min, maxTableEntries))
		}
		m.tables = append(m.tables, t)
	}
	return nil
}

func (m *module) memorySection() error {
	n := m.r.count(maxImports, "memories")
	if n > 1 {
		return m.forbidden("more than one memory", "-mno-multimemory")
	}
	for range n {
		mem := memory{at: span{start: m.r.pos}}
		var err error
		if mem.min, mem.max, mem.hasMax, err = m.limits(true); err != nil {
			return err
		}
		mem.at.end = m.r.pos
		if mem.min > 65536 || mem.hasMax && mem.max > 65536 {
			return m.malformed(mem.at.start, "a memory has more than 65536 pages")
		}
		m.memories = append(m.memories, mem)
	}
	return nil
}

func (m *module) globalSection() error {
	n := m.r.count(maxGlobals, "globals")
	for range n {
		t, err := m.valType()
		if err != nil {
			return err
		}
		at := m.r.pos
		mut := m.r.byte()
		if m.r.bad == "" && mut > 1 {
			if mut&2 != 0 {
				return m.forbidden("shared globals (threads)", flagThreads)
			}
			return m.malformed(at, "a global is neither constant nor mutable")
		}
		if err := m.constExpr(); err != nil {
			return err
		}
		m.globals = append(m.globals, global{t, mut == 1})
	}
	return nil
}

// constExpr reads a constant expression of WebAssembly 2.0: one instruction and its end.
func (m *module) constExpr() error {
	at := m.r.pos
	switch op := m.r.byte(); op {
	case opI32Const:
		m.r.signed(32)
	case opI64Const:
		m.r.signed(64)
	case opF32Const:
		m.r.skip(4)
	case opF64Const:
		m.r.skip(8)
	case opGlobalGet:
		if g := m.r.u32(); m.r.bad == "" && int(g) >= len(m.globals) {
			return m.malformed(at, fmt.Sprintf("there is no global %d here", g))
		}
	case opRefNull:
		if _, err := m.refType(); err != nil {
			return err
		}
	case opRefFunc:
		return m.constRefFunc()
	case opPrefixSIMD:
		if sub := m.r.u32(); m.r.bad == "" && sub != simdConst {
			return m.malformed(at, "a constant expression computes")
		}
		m.r.skip(16)
	default:
		if m.r.bad == "" {
			return m.malformed(at, fmt.Sprintf("a constant expression has the instruction 0x%02x", op))
		}
	}
	return m.constEnd()
}

func (m *module) constRefFunc() error {
	if err := m.funcRef(); err != nil {
		return err
	}
	return m.constEnd()
}

func (m *module) constEnd() error {
	at := m.r.pos
	op := m.r.byte()
	switch {
	case m.r.bad != "" || op == opEnd:
		return nil
	case op == 0x6a || op == 0x6b || op == 0x6c || op == 0x7c || op == 0x7d || op == 0x7e || op == opI32Const || op == opGlobalGet:
		return m.forbidden("extended constant expressions", "-mno-extended-const")
	}
	return m.malformed(at, "a constant expression does not end")
}

// funcRef reads the index of a function outside of code and notes where it stands.
func (m *module) funcRef() error {
	at := m.r.pos
	f := m.r.u32()
	if m.r.bad != "" {
		return nil
	}
	if int(f) >= len(m.funcs) {
		return m.malformed(at, fmt.Sprintf("there is no function %d", f))
	}
	m.funcRefs = append(m.funcRefs, indexRef{span{at, m.r.pos}, f})
	m.take(f)
	return nil
}

// take notes that a function can be reached other than by a direct call.
func (m *module) take(f uint32) {
	if m.taken == nil {
		m.taken = make([]bool, len(m.funcs))
	}
	m.taken[f] = true
}

func (m *module) exportSection() error {
	n := m.r.count(maxExports, "exports")
	seen := make(map[string]bool, n)
	for range n {
		e := exportEntry{name: m.r.name(), kind: m.r.byte()}
		at := m.r.pos
		e.index = m.r.u32()
		e.at = span{at, m.r.pos}
		if m.r.bad != "" {
			return nil
		}
		if seen[e.name] {
			return m.malformed(at, fmt.Sprintf("the export %q stands twice", e.name))
		}
		seen[e.name] = true
		if err := m.exportIndex(e); err != nil {
			return err
		}
		m.exports = append(m.exports, e)
	}
	return nil
}

func (m *module) exportIndex(e exportEntry) error {
	var n int
	switch e.kind {
	case kindFunc:
		n = len(m.funcs)
	case kindTable:
		n = len(m.tables)
	case kindMemory:
		n = len(m.memories)
	case kindGlobal:
		n = len(m.globals)
	case kindTag:
		return m.forbidden("exception handling (an exported tag)", flagEH)
	default:
		return m.malformed(e.at.start, fmt.Sprintf("the export %q is of no known kind", e.name))
	}
	if int64(e.index) >= int64(n) {
		return m.malformed(e.at.start, fmt.Sprintf("the export %q has an index that does not exist", e.name))
	}
	return nil
}

func (m *module) startSection() error {
	at := m.r.pos
	f := m.r.u32()
	if m.r.bad != "" {
		return nil
	}
	if int(f) >= len(m.funcs) {
		return m.malformed(at, fmt.Sprintf("the start function is function %d, which does not exist", f))
	}
	if t := &m.types[m.funcs[f]]; len(t.params)+len(t.results) > 0 {
		return m.malformed(at, fmt.Sprintf("the start function, %s, has parameters or results (%s) -> (%s)", m.functionAt(f), letters(t.params), letters(t.results)))
	}
	m.start = &indexRef{span{at, m.r.pos}, f}
	return nil
}

func (m *module) elementSection() error {
	m.elements = m.r.count(maxElements, "element segments")
	for range m.elements {
		if err := m.element(); err != nil {
			return err
		}
		if m.r.bad != "" {
			return nil
		}
	}
	return nil
}

// element reads one segment. Its flags: 1 passive or declared, 2 a table index (or, with 1, declared), 4 expressions.
func (m *module) element() error {
	at := m.r.pos
	flags := m.r.u32()
	if m.r.bad == "" && flags > 7 {
		return m.malformed(at, "an element segment is of no known kind")
	}
	active, exprs := flags&1 == 0, flags&4 != 0
	var place segmentPlace
	if active {
		var err error
		if place, err = m.elementTable(flags&2 != 0); err != nil {
			return err
		}
	}
	if flags&3 != 0 {
		if err := m.elementKind(exprs); err != nil {
			return err
		}
	}
	n := m.r.count(maxTableEntries, "elements of a segment")
	if m.elementRefs += n; m.elementRefs > maxTableEntries {
		return m.tooLarge(fmt.Sprintf("the element segments hold more than %d entries together", maxTableEntries))
	}
	if place.misses(n) {
		return m.malformed(at, fmt.Sprintf("an element segment, %d entries at %d, lies outside of the table's %d", n, place.at, place.of))
	}
	for range n {
		var err error
		if exprs {
			err = m.constExpr()
		} else {
			err = m.funcRef()
		}
		if err != nil || m.r.bad != "" {
			return err
		}
	}
	return nil
}

func (m *module) elementTable(explicit bool) (segmentPlace, error) {
	at := m.r.pos
	t := uint32(0)
	if explicit {
		t = m.r.u32()
	}
	if m.r.bad != "" {
		return segmentPlace{}, nil
	}
	if int(t) >= len(m.tables) {
		return segmentPlace{}, m.malformed(at, fmt.Sprintf("an element segment is for table %d, which does not exist", t))
	}
	return m.segmentPlace(uint64(m.tables[t].min))
}

// segmentPlace is where an active segment goes when an instance begins, in what has room for of; known if it is a
// constant.
type segmentPlace struct {
	known  bool
	at, of uint64
}

// misses tells whether n entries there are known to lie outside: every instance would trap before it begins.
func (p segmentPlace) misses(n int) bool { return p.known && p.at+uint64(n) > p.of }

func (m *module) segmentPlace(of uint64) (segmentPlace, error) {
	start := m.r.pos
	if err := m.constExpr(); err != nil || m.r.bad != "" || m.bytes[start] != opI32Const {
		return segmentPlace{}, err
	}
	r := reader{b: m.bytes, pos: start + 1, end: m.r.pos}
	return segmentPlace{known: true, at: uint64(uint32(r.signed(32))), of: of}, nil
}

func (m *module) elementKind(exprs bool) error {
	if exprs {
		_, err := m.refType()
		return err
	}
	if k := m.r.byte(); m.r.bad == "" && k != 0 {
		return m.malformed(m.r.pos, "an element segment holds something other than functions")
	}
	return nil
}

func (m *module) dataSection() error {
	m.data = m.r.count(maxDataSegments, "data segments")
	for range m.data {
		if err := m.dataSegment(); err != nil {
			return err
		}
		if m.r.bad != "" {
			return nil
		}
	}
	return nil
}

func (m *module) dataSegment() error {
	at := m.r.pos
	flags := m.r.u32()
	if m.r.bad == "" && flags > 2 {
		return m.malformed(at, "a data segment is of no known kind")
	}
	mem := uint32(0)
	if flags == 2 {
		mem = m.r.u32()
	}
	var place segmentPlace
	if flags != 1 && m.r.bad == "" {
		if int(mem) >= len(m.memories) {
			return m.malformed(at, fmt.Sprintf("a data segment is for memory %d, which does not exist", mem))
		}
		var err error
		if place, err = m.segmentPlace(uint64(m.memories[mem].min) * pageSize); err != nil {
			return err
		}
	}
	n := m.r.count(MaxModuleBytes, "bytes of data")
	if m.r.bad == "" && place.misses(n) {
		return m.malformed(at, fmt.Sprintf("a data segment, %d bytes at 0x%x, lies outside of the %d KiB of memory that an instance begins with", n, place.at, place.of>>10))
	}
	m.r.skip(n)
	return nil
}

func (m *module) customSection(body span) error {
	if len(m.customs) >= maxCustoms {
		return m.tooLarge(fmt.Sprintf("the module has more than %d custom sections", maxCustoms))
	}
	name := m.r.name()
	if m.r.bad != "" {
		return nil
	}
	m.customs = append(m.customs, custom{name, span{m.r.pos, body.end}})
	m.r.pos = body.end
	return nil
}
