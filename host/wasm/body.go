package wasm

import "fmt"

// Charging. Fuel is taken at charge points, each for the instructions that run until the next one:
//
//   - at the entry of a function and at the header of a loop (a head), with a check whether fuel is left;
//   - at the start of a run, without a check. A run is straight code behind a branch or at a place that is branched to.
//
// A head pays for its first run, which always follows. Short runs under the same head are folded into it as long as
// they come to at most foldLimit together: a small loop then has one charge point, and what is charged for branches not
// taken stays below foldLimit for each pass. All other runs pay for themselves. So fuel is at least the instructions
// run and little more, also in Go's functions, whose whole body is one loop around a br_table. Code between two checks
// runs forwards only; where it may come to more than maxStraight, with the small leaf functions that it calls, a run is
// checked that would not be else.
const (
	foldLimit = 48
	// leafFuel is the size up to which a function without loops and calls is not checked at entry: its caller is.
	leafFuel    = 64
	maxStraight = 1 << 15
)

// patchKind says what the metering pass does at a place in a body.
type patchKind uint8

const (
	patchNone      patchKind = iota
	patchCharge              // insert a charge of value
	patchHead                // insert a charge of value and a check
	patchFunc                // a function index stands here
	patchReturn              // a return stands here; value is the depth of labels around it
	patchBulk                // insert a charge by the operand on top of the stack, shifted right by value, and a check
	patchFill                // the same of a memory.fill, which may be done in pieces
	patchCopy                // the same of a memory.copy
	patchGrow                // memory.grow stands here
	patchEndOfBody           // the end of the function stands here
	patchOpaque              // insert an or with 0, whose opcode is value
)

type patch struct {
	at, end uint32 // in the module's bytes; at == end inserts
	value   uint32
	kind    patchKind
}

// body is one function's code.
type body struct {
	at     span // locals and code
	groups int  // of locals
	code   int  // where the code begins; the groups begin where the count of groups ends
	decl   int
	locals int // parameters and locals

	entryFuel  uint32
	entryCheck bool
	frame      uint64 // bytes of native stack, estimated
	patches    [2]int // in bodyScan.patches
	calls      [2]int // in bodyScan.calls
	recursive  bool   // set by callGraph: counts its depth
	weight     uint64 // of its frame and the uncounted frames below it
}

// label is an open block, loop, if or function.
type label struct {
	op       byte
	dead     bool // it began in dead code
	targeted bool
	head     int // of the code around it
	height   int // of the stack below its parameters
	params   int
	results  int
	checked  uint64 // scanner.checked before it
}

// values is how many a branch to it takes along.
func (l *label) values() int {
	if l.op == opLoop {
		return l.params
	}
	return l.results
}

// head is a charge point with a check.
type head struct {
	patch  int // -1 for the function's entry
	fuel   uint32
	folded uint32
}

// callee is an edge of the call graph: a function, or with indirect set a type.
type callee struct {
	index    uint32
	indirect bool
}

// scanner reads the bodies of a module and keeps what the metering pass needs. Its slices are reused between bodies.
type scanner struct {
	m        *module
	index    uint32 // of the function being read
	typ      *funcType
	patches  []patch
	calls    []callee
	labels   []label
	heads    []head
	cur      *body
	head     int // current
	runSlot  int // patch kept free for the current run
	runFuel  uint32
	runFirst bool // the run directly behind its head
	runCheck bool // the run is checked, whatever its size
	straight bool // nothing but blocks so far
	dead     bool
	height   int
	deepest  int
	instrs   uint64
	simd     bool
	leaf     bool
	total    uint64
	// reach is the fuel of the code so far, with what leaf functions that it calls may use; checked is what it was at the
	// last check that every way to here has passed.
	reach, checked uint64
	// locals and work are of all bodies so far: work is how many values change hands at branches, blocks and calls.
	locals, work int
	recent       [2]instr // the last instructions, newest first
	// andLocal holds, for each local, 1 + the last function in which it was set to what may be the value of an and.
	andLocal [maxLocals]uint32
}

// instr is what is remembered of an instruction that was read.
type instr struct {
	op    byte
	at    int
	local uint32 // of local.get, local.set and local.tee
}

func (m *module) codeSection() error {
	n := m.r.count(maxFunctions, "bodies")
	if m.r.bad != "" {
		return nil
	}
	if n != len(m.funcs)-len(m.imports) {
		return m.malformed(m.r.pos, fmt.Sprintf("%d functions are declared, %d have code", len(m.funcs)-len(m.imports), n))
	}
	s := &scanner{m: m}
	m.bodies = make([]body, n)
	sectionEnd := m.r.end
	for i := range m.bodies {
		size := m.r.count(MaxModuleBytes, "bytes of code")
		if err := m.fault("the code section"); err != nil {
			return err
		}
		s.index = uint32(len(m.imports) + i)
		m.readingBody = int(s.index)
		if size > maxBodyBytes {
			return m.tooLarge(fmt.Sprintf("%s has %d bytes of code, at most %d are allowed", s.where(), size, maxBodyBytes))
		}
		m.bodies[i].at = span{m.r.pos, m.r.pos + size}
		m.r.end = m.r.pos + size
		if err := s.body(&m.bodies[i]); err != nil {
			return err
		}
		m.r.end = sectionEnd
	}
	m.patches, m.calls = s.patches, s.calls
	return nil
}

// where names the function being read. The name section stands behind the code, so it is looked for only now.
func (s *scanner) where() string { return s.m.functionAt(s.index) }

func (s *scanner) malformed(at int, what string) error {
	return s.m.malformed(at, s.where()+": "+what)
}

func (s *scanner) forbidden(feature, flag string) error {
	return s.m.forbidden(feature, flag)
}

func (s *scanner) body(b *body) error {
	s.typ = &s.m.types[s.m.funcs[s.index]]
	if err := s.localsOf(b); err != nil {
		return err
	}
	s.begin(b)
	for len(s.labels) > 0 {
		if err := s.instruction(); err != nil {
			return err
		}
		s.check()
		if s.m.r.bad != "" {
			return s.m.fault(s.where())
		}
	}
	if s.m.r.pos != b.at.end {
		return s.malformed(s.m.r.pos, "there is code behind its end")
	}
	s.finish(b)
	return s.bounded()
}

// bounded holds what the whole module may cost whoever reads it after us.
func (s *scanner) bounded() error {
	switch {
	case len(s.patches) > maxPatches || len(s.calls) > maxPatches:
		return s.m.tooLarge(fmt.Sprintf("the module has more than %d branches, loops and calls", maxPatches))
	case s.locals > maxAllLocals:
		return s.m.tooLarge(fmt.Sprintf("the module's functions have more than %d locals together", maxAllLocals))
	case s.work > maxWork:
		return s.m.tooLarge(fmt.Sprintf("the module's branches, blocks and calls move more than %d values (at %s)", maxWork, s.where()))
	}
	return nil
}

func (s *scanner) localsOf(b *body) error {
	r := &s.m.r
	b.groups = r.count(maxLocals, "groups of locals")
	b.decl = r.pos
	n := uint64(len(s.typ.params))
	for range b.groups {
		n += uint64(r.u32())
		if _, err := s.m.valType(); err != nil {
			return err
		}
		if n > maxLocals {
			return s.m.tooLarge(fmt.Sprintf("%s has more than %d locals", s.where(), maxLocals))
		}
	}
	if r.bad != "" {
		return s.m.fault(s.where())
	}
	b.code, b.locals = r.pos, int(n)
	s.locals += int(n)
	return nil
}

func (s *scanner) begin(b *body) {
	s.cur = b
	b.patches[0], b.calls[0] = len(s.patches), len(s.calls)
	s.labels = append(s.labels[:0], label{op: opBlock, results: len(s.typ.results)})
	s.heads = append(s.heads[:0], head{patch: -1})
	s.head, s.runFuel, s.runSlot, s.runFirst, s.straight, s.dead = 0, 0, -1, true, true, false
	s.height, s.deepest, s.instrs, s.simd, s.leaf, s.total = 0, 0, 0, false, true, 0
	s.reach, s.checked, s.runCheck = 0, 0, false
	s.recent = [2]instr{}
	b.entryCheck = true
}

func (s *scanner) finish(b *body) {
	b.patches[1], b.calls[1] = len(s.patches), len(s.calls)
	b.entryFuel = s.heads[0].fuel
	for _, h := range s.heads[1:] {
		s.patches[h.patch].value = h.fuel
	}
	if s.leaf && s.total <= leafFuel {
		b.entryCheck = false
	}
	slot := uint64(8)
	if s.simd {
		slot = 16
	}
	// The compiler gives each spilled value a slot of its own, so long functions have larger frames than they need.
	b.frame = 64 + slot*uint64(b.locals+s.deepest) + s.instrs
}

// push notes that an instruction leaves n operands more than it takes.
func (s *scanner) push(n int) {
	if s.dead {
		return
	}
	s.height += n
	s.deepest = max(s.deepest, s.height)
}

// burn adds to the fuel of the current run.
func (s *scanner) burn(fuel uint32) {
	if !s.dead {
		s.runFuel += fuel
		s.total += uint64(fuel)
		s.reach += uint64(fuel)
	}
}

// endRun gives the current run's fuel to its head or to a charge point of its own.
func (s *scanner) endRun() {
	h := &s.heads[s.head]
	switch {
	case s.runCheck:
		s.patches[s.runSlot].kind = patchHead
		s.patches[s.runSlot].value = s.runFuel
		s.runCheck = false
	case s.runFuel == 0:
	case s.runFirst:
		h.fuel += s.runFuel
	case h.folded+s.runFuel <= foldLimit:
		h.folded += s.runFuel
		h.fuel += s.runFuel
	default:
		s.patches[s.runSlot].kind = patchCharge
		s.patches[s.runSlot].value = s.runFuel
	}
	s.runFuel = 0
}

// newRun begins a run at the reader's position.
func (s *scanner) newRun() {
	s.endRun()
	s.straight, s.runFirst = false, false
	s.runSlot = len(s.patches)
	s.insert(s.m.r.pos, patchNone, 0)
}

// check begins a run that is checked if the code since the last check may come to too much.
func (s *scanner) check() {
	if s.dead || s.reach-s.checked <= maxStraight || len(s.labels) == 0 {
		return
	}
	s.newRun()
	s.runCheck, s.checked = true, s.reach
}

// die notes that what follows is not reached.
func (s *scanner) die() {
	s.endRun()
	s.dead = true
}

// patch notes what is done with the bytes from at to the reader's position.
func (s *scanner) patch(at int, kind patchKind, value uint32) {
	s.patches = append(s.patches, patch{at: uint32(at), end: uint32(s.m.r.pos), value: value, kind: kind})
}

// insert notes what is put before the byte at.
func (s *scanner) insert(at int, kind patchKind, value uint32) {
	s.patches = append(s.patches, patch{at: uint32(at), end: uint32(at), value: value, kind: kind})
}

func (s *scanner) open(op byte) error {
	at := s.m.r.pos
	params, results, err := s.blockType()
	if err != nil || s.m.r.bad != "" {
		return err
	}
	if len(s.labels) > maxNesting {
		return s.m.tooLarge(fmt.Sprintf("%s nests more than %d blocks (at 0x%x)", s.where(), maxNesting, at))
	}
	s.work += params + results
	s.labels = append(s.labels, label{
		op: op, dead: s.dead, head: s.head, height: s.height - params, params: params, results: results,
		checked: s.checked,
	})
	switch {
	case s.dead:
	case op == opLoop:
		s.openLoop()
	case op == opIf:
		s.newRun()
	}
	return nil
}

// openLoop begins a head. A loop that every call of the function runs into does the checking for the entry too.
func (s *scanner) openLoop() {
	if s.straight {
		s.cur.entryCheck = false
	}
	s.endRun()
	s.straight, s.runFirst, s.leaf = false, true, false
	s.head, s.checked = len(s.heads), s.reach
	s.heads = append(s.heads, head{patch: len(s.patches)})
	s.patch(s.m.r.pos, patchHead, 0)
}

func (s *scanner) blockType() (params, results int, err error) {
	r := &s.m.r
	if r.left() > 0 {
		switch b := s.m.bytes[r.pos]; {
		case b == typeNone:
			r.pos++
			return 0, 0, nil
		case b >= 0x41 && b < 0x80:
			_, err := s.m.valType()
			return 0, 1, err
		}
	}
	at := r.pos
	i := r.signed(33)
	if r.bad != "" {
		return 0, 0, nil
	}
	if i < 0 || i >= int64(len(s.m.types)) {
		return 0, 0, s.malformed(at, fmt.Sprintf("a block has type %d, which does not exist", i))
	}
	t := &s.m.types[i]
	return len(t.params), len(t.results), nil
}

func (s *scanner) orElse(at int) error {
	l := &s.labels[len(s.labels)-1]
	if l.op != opIf {
		return s.malformed(at, "else without if")
	}
	l.op = opElse
	if l.dead {
		return nil
	}
	s.endRun()
	s.dead, s.height, s.checked = false, l.height+l.params, l.checked
	s.newRun()
	return nil
}

func (s *scanner) closeBlock(at int) {
	l := s.labels[len(s.labels)-1]
	s.labels = s.labels[:len(s.labels)-1]
	if len(s.labels) == 0 {
		s.endRun()
		s.patch(at, patchEndOfBody, 0)
		return
	}
	if l.dead {
		return
	}
	s.height = l.height + l.results
	s.deepest = max(s.deepest, s.height)
	switch {
	case l.op == opLoop:
		s.endRun()
		s.head = l.head
		if !s.dead { // nothing branches to the end of a loop
			s.newRun()
		}
	case l.targeted || l.op == opIf || l.op == opElse:
		s.endRun()
		s.dead, s.checked = false, l.checked
		s.newRun()
	}
}

// branch reads a label and notes that it is a target.
func (s *scanner) branch() error {
	at := s.m.r.pos
	d := s.m.r.u32()
	if s.m.r.bad != "" {
		return nil
	}
	if int64(d) >= int64(len(s.labels)) {
		return s.malformed(at, fmt.Sprintf("a branch leaves %d blocks, %d are open", d+1, len(s.labels)))
	}
	l := &s.labels[len(s.labels)-1-int(d)]
	s.work += l.values()
	if !s.dead {
		l.targeted = true
	}
	return nil
}

func (s *scanner) branchTable() error {
	n := s.m.r.count(MaxModuleBytes, "targets")
	if n > maxBrTable {
		return s.m.tooLarge(fmt.Sprintf("%s has a branch table of %d entries, at most %d are allowed", s.where(), n, maxBrTable))
	}
	for range n + 1 {
		if err := s.branch(); err != nil || s.m.r.bad != "" {
			return err
		}
	}
	return nil
}

func (s *scanner) call(at int) error {
	f := s.m.r.u32()
	if s.m.r.bad != "" {
		return nil
	}
	if int64(f) >= int64(len(s.m.funcs)) {
		return s.malformed(at, fmt.Sprintf("it calls function %d, which does not exist", f))
	}
	s.patch(at+1, patchFunc, f)
	t := &s.m.types[s.m.funcs[f]]
	s.calling(t)
	if int(f) < len(s.m.imports) {
		s.burn(fuelCallImport)
		return nil
	}
	s.burn(fuelCall)
	if !s.dead {
		s.calls = append(s.calls, callee{index: f})
	}
	return nil
}

func (s *scanner) callIndirect(at int) error {
	t, tab := s.m.r.u32(), s.m.r.u32()
	if s.m.r.bad != "" {
		return nil
	}
	if int64(t) >= int64(len(s.m.types)) || int64(tab) >= int64(len(s.m.tables)) {
		return s.malformed(at, "an indirect call has a type or table that does not exist")
	}
	s.push(-1)
	s.calling(&s.m.types[t])
	s.burn(fuelCallIndirect)
	if !s.dead {
		s.calls = append(s.calls, callee{index: t, indirect: true})
	}
	return nil
}

func (s *scanner) calling(t *funcType) {
	s.leaf, s.straight = false, false
	s.reach += leafFuel
	s.work += len(t.params) + len(t.results)
	s.push(-len(t.params))
	s.push(len(t.results))
}
