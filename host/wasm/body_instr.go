package wasm

import "fmt"

// instruction reads one instruction.
func (s *scanner) instruction() error {
	at := s.m.r.pos
	op := s.m.r.byte()
	if op == opIf || op == opBrIf {
		s.guardCompare()
	}
	s.instrs++
	s.recent[1] = s.recent[0]
	s.recent[0] = instr{op: op, at: at}
	return s.decode(op, at)
}

// guardCompare works around a fault of wazero's compiler (1.12, amd64 and arm64): a branch on "0 < (a and b)" is
// compiled as one on "(a and b) < 0". The bits are tested at once, and that the operands were exchanged is forgotten.
// Go writes x&y > 0 like this. An or with 0 keeps the compiler from seeing the and. It is put where the right operand
// is or may be an and: written there, the result of a block, or taken from a local that was set to one.
func (s *scanner) guardCompare() {
	compare, right := s.recent[0], s.recent[1]
	or := uint32(opI32Or)
	switch {
	case compare.op >= opI32LtS && compare.op <= opI32GeU:
	case compare.op >= opI64LtS && compare.op <= opI64GeU:
		or = opI64Or
	default:
		return
	}
	if s.mayBeAnd(right) {
		s.insert(compare.at, patchOpaque, or)
	}
}

// mayBeAnd tells whether the value that an instruction leaves can be that of an and.
func (s *scanner) mayBeAnd(i instr) bool {
	switch i.op {
	case opI32And, opI64And, opEnd:
		return true
	case opLocalGet, opLocalTee:
		return s.andLocal[i.local] == s.index+1
	}
	return false
}

func (s *scanner) decode(op byte, at int) error {
	r := &s.m.r
	switch op {
	case opLocalGet, opLocalSet, opLocalTee:
		return s.local(op, at)
	case opI32Const:
		r.signed(32)
		s.push(1)
		return nil
	case opBlock, opLoop, opIf, opElse, opEnd, opBr, opBrIf, opBrTable, opReturn, opUnreachable, opCall, opCallIndirect:
		return s.control(op, at)
	case opI64Const:
		r.signed(64)
		s.push(1)
		return nil
	}
	switch {
	case op >= opFirstLoad && op <= opLastStore:
		if op >= opFirstStore {
			s.push(-2)
		}
		s.burn(1)
		return s.memArg(at)
	case op > opF64Const && op <= opLastPlain || op == opNop || op == opDrop || op == opSelect || op == opRefIsNull:
		s.push(int(plainDelta[op]))
		s.burn(uint32(plainFuel[op]))
		return nil
	}
	return s.rare(op, at)
}

func (s *scanner) local(op byte, at int) error {
	i := s.m.r.u32()
	if int64(i) >= int64(s.cur.locals) {
		if s.m.r.bad != "" {
			return nil
		}
		return s.malformed(at, fmt.Sprintf("there is no local %d", i))
	}
	s.recent[0].local = i
	if op != opLocalGet && s.mayBeAnd(s.recent[1]) {
		s.andLocal[i] = s.index + 1
	}
	switch op {
	case opLocalGet:
		s.push(1)
	case opLocalSet:
		s.push(-1)
	}
	return nil
}

func (s *scanner) control(op byte, at int) error {
	switch op {
	case opIf:
		s.burn(1)
		s.push(-1)
		return s.open(op)
	case opBlock, opLoop:
		return s.open(op)
	case opElse:
		return s.orElse(at)
	case opEnd:
		s.closeBlock(at)
		return nil
	case opCall:
		return s.call(at)
	case opCallIndirect:
		return s.callIndirect(at)
	}
	s.burn(1)
	return s.jump(op, at)
}

func (s *scanner) jump(op byte, at int) error {
	var err error
	switch op {
	case opBrIf:
		s.push(-1)
		if err = s.branch(); err == nil && !s.dead {
			s.newRun()
		}
		return err
	case opBr:
		err = s.branch()
	case opBrTable:
		s.push(-1)
		err = s.branchTable()
	case opReturn:
		s.patch(at, patchReturn, uint32(len(s.labels)-1))
	}
	if !s.dead {
		s.die()
	}
	return err
}

// memArg reads alignment and offset of an access to memory.
func (s *scanner) memArg(at int) error {
	align := s.m.r.u32()
	s.m.r.u32()
	switch {
	case s.m.r.bad != "":
		return nil
	case align&0x40 != 0:
		return s.forbidden("more than one memory", "-mno-multimemory")
	case align > 4:
		return s.malformed(at, "an access to memory is aligned to more than 16 bytes")
	}
	return s.needMemory(at)
}

func (s *scanner) needMemory(at int) error {
	if len(s.m.memories) == 0 {
		return s.malformed(at, "it uses a memory, the module has none")
	}
	return nil
}

// zero reads the index of a memory.
func (s *scanner) zero(at int) error {
	if b := s.m.r.byte(); b != 0 && s.m.r.bad == "" {
		return s.forbidden("more than one memory", "-mno-multimemory")
	}
	return s.needMemory(at)
}

func (s *scanner) rare(op byte, at int) error {
	r := &s.m.r
	s.burn(1)
	switch op {
	case opF32Const:
		r.skip(4)
		s.push(1)
		return nil
	case opF64Const:
		r.skip(8)
		s.push(1)
		return nil
	case opGlobalGet, opGlobalSet:
		return s.globalAccess(op, at)
	case opTableGet:
		return s.tableIndex(at)
	case opTableSet:
		s.push(-2)
		return s.tableIndex(at)
	case opMemorySize:
		s.push(1)
		return s.zero(at)
	case opMemoryGrow:
		s.burn(fuelGrow)
		err := s.zero(at)
		if err == nil && !s.dead {
			s.patch(at, patchGrow, 0)
		}
		return err
	case opSelectTyped:
		s.push(-2)
		return s.selectTypes(at)
	case opRefNull:
		s.push(1)
		_, err := s.m.refType()
		return err
	case opRefFunc: // wazero keeps an object of the host's for each time that it is executed, as long as the instance lives
		return s.forbidden("references to functions made by code (ref.func)", "-mno-reference-types; tables and call_indirect are welcome")
	case opPrefixMisc:
		return s.misc(at)
	case opPrefixSIMD:
		return s.vector(at)
	}
	return s.unknown(op, at)
}

func (s *scanner) globalAccess(op byte, at int) error {
	g := s.m.r.u32()
	if s.m.r.bad != "" {
		return nil
	}
	if int64(g) >= int64(len(s.m.globals)) {
		return s.malformed(at, fmt.Sprintf("there is no global %d", g))
	}
	if op == opGlobalGet {
		s.push(1)
		return nil
	}
	if !s.m.globals[g].mutable {
		return s.malformed(at, fmt.Sprintf("global %d is set, but constant", g))
	}
	s.push(-1)
	return nil
}

func (s *scanner) tableIndex(at int) error {
	if t := s.m.r.u32(); s.m.r.bad == "" && int64(t) >= int64(len(s.m.tables)) {
		return s.malformed(at, fmt.Sprintf("there is no table %d", t))
	}
	return nil
}

func (s *scanner) selectTypes(at int) error {
	n := s.m.r.u32()
	if s.m.r.bad == "" && n != 1 {
		return s.malformed(at, "a select is not of one type")
	}
	_, err := s.m.valType()
	return err
}

func (s *scanner) misc(at int) error {
	r := &s.m.r
	sub := r.u32()
	if r.bad != "" {
		return nil
	}
	switch {
	case sub <= miscLastTruncate:
		return nil
	case sub == miscMemoryCopy || sub == miscMemoryFill || sub == miscMemoryInit:
		return s.bulkMemory(sub, at)
	case sub == miscDataDrop:
		return s.dataIndex(at)
	case sub == miscElemDrop:
		return s.elemIndex(at)
	case sub == miscTableInit || sub == miscTableCopy || sub == miscTableFill || sub == miscTableGrow:
		return s.bulkTable(sub, at)
	case sub == miscTableSize:
		s.push(1)
		return s.tableIndex(at)
	}
	return s.malformed(at, fmt.Sprintf("there is no instruction 0xfc %d", sub))
}

// bulk notes a charge by size before the instruction that began at.
func (s *scanner) bulk(at int, kind patchKind, shift uint32) {
	s.burn(fuelBulk)
	if !s.dead {
		s.insert(at, kind, shift)
	}
}

// bulkFuelShift: one unit for 8 bytes.
const bulkFuelShift = 3

func (s *scanner) bulkMemory(sub uint32, at int) error {
	kind := patchBulk
	switch {
	case sub == miscMemoryFill:
		kind = patchFill
		s.m.pieces |= piecesFill
	case sub == miscMemoryCopy:
		kind = patchCopy
		s.m.pieces |= piecesCopy
	}
	s.bulk(at, kind, bulkFuelShift)
	s.push(-3)
	if sub == miscMemoryInit {
		if err := s.dataIndex(at); err != nil {
			return err
		}
	}
	if sub == miscMemoryCopy {
		if err := s.zero(at); err != nil {
			return err
		}
	}
	return s.zero(at)
}

func (s *scanner) bulkTable(sub uint32, at int) error {
	s.bulk(at, patchBulk, 0)
	s.push(-3)
	if sub == miscTableGrow {
		s.push(2)
	}
	var err error
	switch sub {
	case miscTableInit:
		err = s.elemIndex(at)
	case miscTableCopy:
		err = s.tableIndex(at)
	}
	if err != nil {
		return err
	}
	return s.tableIndex(at)
}

func (s *scanner) dataIndex(at int) error {
	d := s.m.r.u32()
	if s.m.r.bad == "" && int64(d) >= int64(s.m.dataCount) {
		return s.malformed(at, fmt.Sprintf("there is no data segment %d", d))
	}
	return nil
}

func (s *scanner) elemIndex(at int) error {
	e := s.m.r.u32()
	if s.m.r.bad == "" && int64(e) >= int64(s.m.elements) {
		return s.malformed(at, fmt.Sprintf("there is no element segment %d", e))
	}
	return nil
}

func (s *scanner) vector(at int) error {
	r := &s.m.r
	sub := r.u32()
	s.simd = true
	switch {
	case r.bad != "":
		return nil
	case sub > simdLast:
		return s.forbidden("relaxed SIMD", "-mno-relaxed-simd")
	case sub <= simdStore || sub == simdLoad32Zero || sub == simdLoad64Zero:
		if sub == simdStore {
			s.push(-2)
		}
		return s.memArg(at)
	case sub == simdConst:
		r.skip(16)
		s.push(1)
	case sub == simdShuffle:
		r.skip(16)
		s.push(-1)
	case sub >= simdFirstLane && sub <= simdLastLane:
		r.skip(1)
		s.push(laneDelta(sub))
	case sub >= simdFirstLoadLane && sub <= simdLastStoreLane:
		s.push(-1)
		if sub > simdLastLoadLane {
			s.push(-1)
		}
		err := s.memArg(at)
		r.skip(1)
		return err
	default:
		s.push(vectorDelta(sub))
	}
	return nil
}

// laneDelta: extracting a lane takes one operand, replacing it two.
func laneDelta(sub uint32) int {
	switch sub {
	case 23, 26, 28, 30, 32, 34:
		return -1
	}
	return 0
}

func vectorDelta(sub uint32) int {
	switch {
	case sub >= 15 && sub <= 20, sub == 77, sub == 83, simdUnary[sub]: // splat, not, any_true
		return 0
	case sub == 82: // bitselect
		return -2
	}
	return -1
}

// unknown refuses an instruction by the name of the proposal that it belongs to.
func (s *scanner) unknown(op byte, at int) error {
	switch {
	case s.m.r.bad != "":
		return nil
	case op >= 0x06 && op <= 0x0a || op == 0x18 || op == 0x19 || op == 0x1f:
		return s.forbidden("exception handling", flagEH)
	case op == 0x12 || op == 0x13:
		return s.forbidden("tail calls", "-mno-tail-call")
	case op == 0x14 || op == 0x15 || op >= 0xd3 && op <= 0xd6 || op == 0xfb:
		return s.forbidden("garbage-collected or typed references", flagGC)
	case op == opPrefixAtomic:
		return s.forbidden("threads (atomic instructions)", flagThreads)
	}
	return s.malformed(at, fmt.Sprintf("there is no instruction 0x%02x", op))
}
