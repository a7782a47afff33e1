package wasm

func (w *rewriter) codeSection() {
	at, _ := w.original(secCode)
	w.codeAt, w.offs.code = len(w.out), at.start
	helpers := w.bulkHelpers()
	w.out = appendU32(w.out, uint32(len(w.m.bodies)+len(helpers)))
	for i := range w.m.bodies {
		size := w.reserve()
		w.rewriteBody(i)
		w.setSize(size)
	}
	for _, op := range helpers {
		size := w.reserve()
		w.bulkBody(op)
		w.setSize(size)
	}
}

func (w *rewriter) rewriteBody(i int) {
	w.body = &w.m.bodies[i]
	patches := w.m.patches[w.body.patches[0]:w.body.patches[1]]
	at := w.body.at.start
	if w.shift > 0 {
		w.locals(patches)
		w.entry(w.m.types[w.m.funcs[len(w.m.imports)+i]].results)
		at = w.body.code
	}
	for k := range patches {
		p := &patches[k]
		if !w.applies(p.kind) {
			continue
		}
		w.copyCode(span{at, int(p.at)})
		w.patch(p)
		at = int(p.end)
	}
	w.copyCode(span{at, w.body.at.end})
}

// copyCode copies code and notes where it was.
func (w *rewriter) copyCode(at span) {
	w.offs.add(len(w.out)-w.codeAt, at.start-w.offs.code)
	w.copy(at)
}

func (w *rewriter) applies(kind patchKind) bool {
	if w.shift == 0 {
		return kind == patchOpaque
	}
	switch kind {
	case patchNone:
		return false
	case patchReturn, patchEndOfBody:
		return w.body.recursive
	}
	return true
}

// locals declares those of the original and behind them what the patches need: i64 fuel, i64 depth, two i32.
func (w *rewriter) locals(patches []patch) {
	w.hasAny, w.bulk = w.body.entryCheck || w.body.recursive, false
	for k := range patches {
		switch patches[k].kind {
		case patchHead:
			w.hasAny = true
		case patchBulk, patchFill, patchCopy, patchGrow:
			w.hasAny, w.bulk = true, true
		}
	}
	w.local = uint32(w.body.locals)
	groups := uint32(w.body.groups)
	if w.hasAny {
		groups++
	}
	if w.bulk {
		groups++
	}
	w.out = appendU32(w.out, groups)
	w.copy(span{w.body.decl, w.body.code})
	if w.hasAny {
		w.out = append(w.out, 2, valI64)
	}
	if w.bulk {
		w.out = append(w.out, 2, valI32)
	}
}

func (w *rewriter) op(op byte, index uint32) {
	w.out = appendU32(append(w.out, op), index)
}

func (w *rewriter) i64Const(v int64) { w.out = appendS64(append(w.out, opI64Const), v) }

// entry charges for the call; the entry of a counted function also takes its weight, and one branch checks both.
func (w *rewriter) entry(results []byte) {
	b := w.body
	switch {
	case b.recursive:
		w.op(opGlobalGet, w.depth)
		w.i64Const(int64(b.weight))
		w.out = append(w.out, opI64Sub)
		w.op(opLocalTee, w.local+1)
		w.op(opGlobalSet, w.depth)
		w.chargeTee(b.entryFuel)
		w.op(opLocalGet, w.local+1)
		w.out = append(w.out, opI64Or)
		w.check(true)
		w.blockOf(results)
	case b.entryCheck:
		w.chargeTee(b.entryFuel)
		w.check(false)
	case b.entryFuel > 0:
		w.charge(b.entryFuel)
	}
}

// blockOf opens the block that stands for the body.
func (w *rewriter) blockOf(results []byte) {
	w.out = append(w.out, opBlock)
	switch len(results) {
	case 0:
		w.out = append(w.out, typeNone)
	case 1:
		w.out = append(w.out, results[0])
	default:
		w.out = appendS64(w.out, int64(w.blockTypes[string(results)]))
	}
}

// charge: fuel -= n.
func (w *rewriter) charge(n uint32) {
	w.op(opGlobalGet, w.fuel)
	w.i64Const(int64(n))
	w.out = append(w.out, opI64Sub)
	w.op(opGlobalSet, w.fuel)
}

// chargeTee: fuel -= n, and leaves what is left on the stack.
func (w *rewriter) chargeTee(n uint32) {
	w.op(opGlobalGet, w.fuel)
	w.i64Const(int64(n))
	w.out = append(w.out, opI64Sub)
	w.settle()
}

// settle sets fuel to the top of the stack and leaves it there.
func (w *rewriter) settle() {
	w.op(opLocalTee, w.local)
	w.op(opGlobalSet, w.fuel)
	w.op(opLocalGet, w.local)
}

// check: if the top of the stack is below 0, fuel = refuel(depth, fuel).
func (w *rewriter) check(depth bool) {
	w.i64Const(0)
	w.out = append(w.out, opI64LtS, opIf, typeNone)
	if depth {
		w.op(opLocalGet, w.local+1)
	} else {
		w.i64Const(0)
	}
	w.op(opLocalGet, w.local)
	w.op(opCall, w.refuel)
	w.op(opGlobalSet, w.fuel)
	w.out = append(w.out, opEnd)
}

func (w *rewriter) patch(p *patch) {
	switch p.kind {
	case patchCharge:
		w.charge(p.value)
	case patchHead:
		w.chargeTee(p.value)
		w.check(false)
	case patchFunc:
		w.index(p.value)
	case patchReturn:
		w.op(opBr, p.value)
	case patchBulk:
		w.bulkCharge(p.value, 0)
	case patchFill:
		w.bulkCharge(p.value, miscMemoryFill)
	case patchCopy:
		w.bulkCharge(p.value, miscMemoryCopy)
	case patchGrow:
		w.growCharge()
	case patchEndOfBody:
		w.endOfBody()
	case patchOpaque:
		w.out = append(w.out, opI32Const, 0)
		if p.value == opI64Or {
			w.out[len(w.out)-2] = opI64Const
		}
		w.out = append(w.out, byte(p.value))
	}
}

// endOfBody closes the block that stands for the body, and gives its weight back; beyond the mark it calls refuel.
func (w *rewriter) endOfBody() {
	w.out = append(w.out, opEnd)
	w.op(opGlobalGet, w.depth)
	w.i64Const(int64(w.body.weight))
	w.out = append(w.out, opI64Add)
	w.op(opLocalTee, w.local+1)
	w.op(opGlobalSet, w.depth)
	w.op(opLocalGet, w.local+1)
	w.op(opGlobalGet, w.mark)
	w.out = append(w.out, opI64GtS, opIf, typeNone)
	w.i64Const(0)
	w.op(opGlobalGet, w.fuel)
	w.op(opCall, w.refuel)
	w.op(opGlobalSet, w.fuel)
	w.out = append(w.out, opEnd, opEnd)
}

// bulkCharge: fuel -= size >> shift, where size is the operand on top of the stack, which stays. An operation that may
// be large is done in pieces first; 0 is none of these.
func (w *rewriter) bulkCharge(shift uint32, op byte) {
	size := w.local + 2
	w.op(opLocalTee, size)
	if op != 0 {
		w.inPieces(op, size)
	}
	w.op(opGlobalGet, w.fuel)
	w.op(opLocalGet, size)
	w.out = append(w.out, opI64ExtendU)
	if shift > 0 {
		w.i64Const(int64(shift))
		w.out = append(w.out, opI64ShrU)
	}
	w.out = append(w.out, opI64Sub)
	w.settle()
	w.check(false)
}

// growCharge stands for memory.grow: what was granted is charged by its pages, a refusal is not.
func (w *rewriter) growCharge() {
	pages, old := w.local+2, w.local+3
	w.op(opLocalTee, pages)
	w.out = append(w.out, opMemoryGrow, 0)
	w.op(opLocalSet, old)
	w.op(opGlobalGet, w.fuel)
	w.op(opLocalGet, old)
	w.out = append(w.out, opI32Const, 0x7f, opI32Ne, opI64ExtendU)
	w.op(opLocalGet, pages)
	w.out = append(w.out, opI64ExtendU, opI64Mul)
	w.i64Const(pageFuelShift)
	w.out = append(w.out, opI64Shl, opI64Sub)
	w.settle()
	w.check(false)
	w.op(opLocalGet, old)
}
