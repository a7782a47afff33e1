package wasm

import (
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Names that the metering pass adds. An original that exports or imports anything beginning with reservedPrefix is
// refused, so a guest cannot name them.
const (
	meterModule    = "ws1.meter"
	meterRefuel    = "refuel"
	exportFuel     = "ws1.fuel"
	exportDepth    = "ws1.depth"
	exportMark     = "ws1.mark"
	reservedPrefix = "ws1."
)

// meterVersion names the code that meter writes; it is part of the key of cached code.
const meterVersion = 5

const (
	maxMemoryPages = MaxMemoryBytes / pageSize
	maxTableMax    = maxTableEntries
	pageFuelShift  = 13 // memory.grow: one unit for 8 bytes of each page
)

// meter rewrites a module so that it counts what it does. What is added stands behind what was there: three globals
// (fuel, depth, mark), three exports of them, one imported function and those of meter_bulk.go at the end, so that the only indexes
// that move are those of the module's own functions, by one. Custom sections are dropped but for the names of functions: nothing reads them later,
// and debug sections would point to the wrong places.
//
// At a charge point stands fuel -= n; a head goes on with "if fuel < 0, fuel = refuel(depth, fuel)". The host's refuel
// hands out the next slice of the budget or ends the call by a panic; it is also where the goroutine can be stopped for
// a garbage collection. A counted function takes its weight from depth at its entry and gives it back at its end; its
// body becomes a block, so that a return is a branch to that end. On the way back from a deep recursion nothing is charged,
// since the fuel was taken on the way down; so that end calls refuel, too, when depth comes back to beyond a mark, which
// refuel sets anew each time.
func meter(m *module, stackBytes uint64) ([]byte, offsets) {
	countRecursion(m)
	w := newRewriter(m)
	w.shift = 1
	w.stackBytes = stackBytes
	return w.module()
}

// plain rewrites a module as meter does, but adds no code.
func plain(m *module) ([]byte, offsets) { return newRewriter(m).module() }

// rewriter writes a module anew.
type rewriter struct {
	m          *module
	out        []byte
	shift      uint32 // of the module's own functions; 0 adds nothing
	stackBytes uint64
	blockTypes map[string]uint32 // added types () -> results, by results
	newTypes   []string
	fuel       uint32 // index of the global
	depth      uint32
	mark       uint32
	refuel     uint32 // index of the function

	body   *body
	local  uint32 // i64: fuel; the next ones: depth, size of a bulk operation, result of memory.grow
	hasAny bool   // the body needs locals
	bulk   bool

	codeAt int // where the content of the code section begins in out
	offs   offsets
}

func newRewriter(m *module) *rewriter {
	return &rewriter{
		m: m, out: make([]byte, 0, len(m.bytes)*5/4+1024), blockTypes: map[string]uint32{},
		fuel: uint32(len(m.globals)), depth: uint32(len(m.globals)) + 1,
		mark: uint32(len(m.globals)) + 2, refuel: uint32(len(m.imports)),
	}
}

// sectionSequence is the order of sections in a module.
var sectionSequence = [...]byte{
	secType, secImport, secFunction, secTable, secMemory, secGlobal, secExport, secStart, secElement, secDataCount,
	secCode, secData,
}

func (w *rewriter) module() ([]byte, offsets) {
	w.out = append(w.out, "\x00asm\x01\x00\x00\x00"...)
	w.planBlockTypes()
	for _, id := range sectionSequence {
		w.section(id)
	}
	w.names()
	w.debug()
	return w.out, w.offs
}

// original returns the bytes of a section, and whether there is one.
func (w *rewriter) original(id byte) (span, bool) {
	i := slices.IndexFunc(w.m.sections, func(s section) bool { return s.id == id })
	if i < 0 {
		return span{}, false
	}
	return w.m.sections[i].body, true
}

func (w *rewriter) section(id byte) {
	at, ok := w.original(id)
	adds := w.shift > 0 && (id == secType || id == secImport || id == secGlobal || id == secExport)
	if !ok && !adds {
		return
	}
	w.out = append(w.out, id)
	size := w.reserve()
	switch id {
	case secType:
		w.typeSection(at)
	case secImport:
		w.importSection(at)
	case secTable:
		w.tableSection()
	case secMemory:
		w.memorySection()
	case secGlobal:
		w.globalSection(at)
	case secExport:
		w.exportSection()
	case secFunction:
		w.functionSection(at)
	case secStart:
		w.index(w.m.start.index)
	case secElement:
		w.withRefs(at)
	case secCode:
		w.codeSection()
	default:
		w.copy(at)
	}
	w.setSize(size)
}

// reserve leaves room for a size, 5 bytes, and returns where.
func (w *rewriter) reserve() int {
	w.out = append(w.out, 0, 0, 0, 0, 0)
	return len(w.out)
}

// setSize writes the number of bytes since start before it, padded to 5 bytes.
func (w *rewriter) setSize(start int) {
	n := uint32(len(w.out) - start)
	b := w.out[start-5 : start]
	for i := range 4 {
		b[i] = byte(n)&0x7f | 0x80
		n >>= 7
	}
	b[4] = byte(n)
}

func (w *rewriter) copy(at span) { w.out = append(w.out, w.m.bytes[at.start:at.end]...) }

// index writes the index that a function of the original now has.
func (w *rewriter) index(f uint32) {
	if int(f) >= len(w.m.imports) {
		f += w.shift
	}
	w.out = appendU32(w.out, f)
}

// items copies the items of a section behind a new count; the old count is the first number in at.
func (w *rewriter) items(at span, count int) {
	w.out = appendU32(w.out, uint32(count))
	if at.end == at.start {
		return
	}
	r := reader{b: w.m.bytes, pos: at.start, end: at.end}
	r.u32()
	w.copy(span{r.pos, at.end})
}

// planBlockTypes finds the types that bodies of counted functions with several results need.
func (w *rewriter) planBlockTypes() {
	if w.shift == 0 {
		return
	}
	for i := range w.m.bodies {
		results := string(w.resultsOf(i))
		if _, known := w.blockTypes[results]; w.m.bodies[i].recursive && len(results) > 1 && !known {
			w.blockTypes[results] = uint32(len(w.m.types) + 1 + len(w.newTypes))
			w.newTypes = append(w.newTypes, results)
		}
	}
}

func (w *rewriter) resultsOf(body int) []byte {
	return w.m.types[w.m.funcs[len(w.m.imports)+body]].results
}

func (w *rewriter) typeSection(at span) {
	if w.shift == 0 {
		w.copy(at)
		return
	}
	helpers := len(w.bulkHelpers())
	w.items(at, len(w.m.types)+1+len(w.newTypes)+min(helpers, 1))
	w.out = append(w.out, 0x60, 2, valI64, valI64, 1, valI64)
	for _, results := range w.newTypes {
		w.out = append(w.out, 0x60, 0)
		w.out = appendName(w.out, results)
	}
	if helpers > 0 {
		w.out = append(w.out, 0x60, 3, valI32, valI32, valI32, 3, valI32, valI32, valI32)
	}
}

func (w *rewriter) functionSection(at span) {
	helpers := w.bulkHelpers()
	w.items(at, len(w.m.bodies)+len(helpers))
	for range helpers {
		w.out = appendU32(w.out, w.bulkType())
	}
}

func (w *rewriter) importSection(at span) {
	if w.shift == 0 {
		w.copy(at)
		return
	}
	w.items(at, len(w.m.imports)+1)
	w.out = appendName(w.out, meterModule)
	w.out = appendName(w.out, meterRefuel)
	w.out = append(w.out, kindFunc)
	w.out = appendU32(w.out, uint32(len(w.m.types)))
}

func (w *rewriter) tableSection() {
	w.out = appendU32(w.out, uint32(len(w.m.tables)))
	for _, t := range w.m.tables {
		limit := uint32(maxTableMax)
		if t.hasMax {
			limit = min(limit, t.max)
		}
		w.out = append(w.out, t.elem, 1)
		w.out = appendU32(appendU32(w.out, t.min), limit)
	}
}

func (w *rewriter) memorySection() {
	w.out = appendU32(w.out, uint32(len(w.m.memories)))
	for _, mem := range w.m.memories {
		limit := uint32(maxMemoryPages)
		if mem.hasMax {
			limit = min(limit, mem.max)
		}
		w.out = append(w.out, 1)
		w.out = appendU32(appendU32(w.out, min(mem.min, limit)), limit)
	}
}

func (w *rewriter) globalSection(at span) {
	if w.shift == 0 {
		w.copy(at)
		return
	}
	w.out = appendU32(w.out, uint32(len(w.m.globals)+3))
	if at.end > at.start {
		r := reader{b: w.m.bytes, pos: at.start, end: at.end}
		r.u32()
		w.withRefs(span{r.pos, at.end})
	}
	w.out = append(w.out, valI64, 1, opI64Const, 0, opEnd)
	for range 2 {
		w.out = append(w.out, valI64, 1, opI64Const)
		w.out = append(appendS64(w.out, int64(w.stackBytes)), opEnd)
	}
}

// withRefs copies bytes and moves the functions named in them.
func (w *rewriter) withRefs(at span) {
	first, _ := slices.BinarySearchFunc(w.m.funcRefs, at.start, func(r indexRef, pos int) int { return r.at.start - pos })
	for _, ref := range w.m.funcRefs[first:] {
		if ref.at.start >= at.end {
			break
		}
		w.copy(span{at.start, ref.at.start})
		w.index(ref.index)
		at.start = ref.at.end
	}
	w.copy(at)
}

func (w *rewriter) exportSection() {
	n := len(w.m.exports)
	if w.shift > 0 {
		n += 3
	}
	w.out = appendU32(w.out, uint32(n))
	for _, e := range w.m.exports {
		w.out = append(appendName(w.out, e.name), e.kind)
		if e.kind == kindFunc {
			w.index(e.index)
		} else {
			w.out = appendU32(w.out, e.index)
		}
	}
	if w.shift > 0 {
		w.out = appendU32(append(appendName(w.out, exportFuel), kindGlobal), w.fuel)
		w.out = appendU32(append(appendName(w.out, exportDepth), kindGlobal), w.depth)
		w.out = appendU32(append(appendName(w.out, exportMark), kindGlobal), w.mark)
	}
}

// names writes a name for every function, so that a trace shows the original's names and numbers.
func (w *rewriter) names() {
	w.out = append(w.out, secCustom)
	size := w.reserve()
	w.out = appendName(w.out, "name")
	w.out = append(w.out, namesOfFunctions)
	sub := w.reserve()
	helpers := len(w.bulkHelpers())
	w.out = appendU32(w.out, uint32(len(w.m.funcs)+helpers))
	for f := range w.m.funcs {
		w.index(uint32(f))
		w.out = appendName(w.out, w.m.funcName(uint32(f)))
	}
	for i := range helpers {
		w.index(uint32(len(w.m.funcs) + i))
		w.out = appendName(w.out, bulkName)
	}
	w.setSize(sub)
	w.setSize(size)
}

// debug writes what makes the engine tell offsets (offsets.go).
func (w *rewriter) debug() {
	abbrev, info, line := debugSections()
	w.custom(".debug_abbrev", abbrev)
	w.custom(".debug_info", info)
	w.custom(".debug_line", line)
}

func (w *rewriter) custom(name string, body []byte) {
	w.out = append(w.out, secCustom)
	size := w.reserve()
	w.out = append(appendName(w.out, name), body...)
	w.setSize(size)
}

// funcName is the name of a function for people.
func (m *module) funcName(f uint32) string {
	if name := m.names[f]; name != "" {
		return name
	}
	if int(f) < len(m.imports) {
		return shown(m.imports[f].module + "." + m.imports[f].name)
	}
	return fmt.Sprintf("$%d", f)
}

// checkReserved refuses the names that the metering pass uses.
func checkReserved(m *module) error {
	for _, e := range m.exports {
		if len(e.name) >= len(reservedPrefix) && e.name[:len(reservedPrefix)] == reservedPrefix {
			return errs.ModuleMalformed.New(m.name, fmt.Sprintf("the export %q has a name that the host keeps for itself", shown(e.name)), "rename the export")
		}
	}
	return nil
}
