package wasm

// Fills and copies of memory run in the processor's own loops, where no goroutine can be stopped. So one of more than
// bulkPiece bytes goes through a function that the metering pass puts behind the module's own: it does the operation
// piece by piece, each charged and checked, and leaves a rest of at most a piece to the instruction itself. One that
// would trap is left to the instruction as a whole, so that it traps where it stands, and before anything is written.

// bulkPiece is the most that is filled or copied between two checks.
const bulkPiece = 1 << 20

// bulkName is the name of these functions in traces; no function of a guest can have it, since names are made printable.
const bulkName = "\x01bulk"

// Bits of module.pieces.
const (
	piecesFill = 1 << iota
	piecesCopy
)

// bulkHelpers are the instructions that need a function of their own, in the order of these functions.
func (w *rewriter) bulkHelpers() []byte {
	var all []byte
	if w.shift > 0 && w.m.pieces&piecesFill != 0 {
		all = append(all, miscMemoryFill)
	}
	if w.shift > 0 && w.m.pieces&piecesCopy != 0 {
		all = append(all, miscMemoryCopy)
	}
	return all
}

// bulkType is the index of the type (i32, i32, i32) -> (i32, i32, i32), behind all other types.
func (w *rewriter) bulkType() uint32 { return uint32(len(w.m.types) + 1 + len(w.newTypes)) }

// inPieces calls the function for an operation whose operands are on the stack, if its size, in a local, is too large.
// The function leaves operands for the rest.
func (w *rewriter) inPieces(op byte, size uint32) {
	index := uint32(len(w.m.funcs)) + w.shift
	if op == miscMemoryCopy && w.m.pieces&piecesFill != 0 {
		index++
	}
	w.op(opLocalGet, size)
	w.i32Const(bulkPiece)
	w.out = append(w.out, opI32GtU, opIf)
	w.out = appendS64(w.out, int64(w.bulkType()))
	w.op(opCall, index)
	w.out = append(w.out, opEnd)
	w.op(opLocalTee, size)
}

func (w *rewriter) i32Const(v int64) { w.out = appendS64(append(w.out, opI32Const), v) }

// Locals of the functions: the operands, and fuel.
const (
	bulkTo = iota
	bulkFrom
	bulkSize
	bulkFuel
)

// bulkBody writes the function for an operation. A copy to above goes from the end, as the instruction does.
func (w *rewriter) bulkBody(op byte) {
	w.local = bulkFuel
	w.out = append(w.out, 1, 1, valI64)
	w.unlessInside(bulkTo)
	if op == miscMemoryCopy {
		w.unlessInside(bulkFrom)
	}
	w.out = append(w.out, opLoop, typeNone)
	w.chargeTee(bulkPiece >> bulkFuelShift)
	w.check(false)
	if op == miscMemoryCopy {
		w.op(opLocalGet, bulkTo)
		w.op(opLocalGet, bulkFrom)
		w.out = append(w.out, opI32GtU, opIf, typeNone)
		w.fromEnd(bulkTo)
		w.fromEnd(bulkFrom)
		w.piece(op)
		w.out = append(w.out, opElse)
		w.firstPiece(op)
		w.move(bulkFrom, bulkPiece)
		w.out = append(w.out, opEnd)
	} else {
		w.firstPiece(op)
	}
	w.move(bulkSize, -bulkPiece)
	w.op(opLocalGet, bulkSize)
	w.i32Const(bulkPiece)
	w.out = append(w.out, opI32GtU, opBrIf, 0, opEnd)
	w.operands()
	w.out = append(w.out, opEnd)
}

// unlessInside returns the operands as they came if the range from a local on does not lie in memory.
func (w *rewriter) unlessInside(local uint32) {
	const pageShift = 16
	w.op(opLocalGet, local)
	w.out = append(w.out, opI64ExtendU)
	w.op(opLocalGet, bulkSize)
	w.out = append(w.out, opI64ExtendU, opI64Add, opMemorySize, 0, opI64ExtendU)
	w.i64Const(pageShift)
	w.out = append(w.out, opI64Shl, opI64GtU, opIf, typeNone)
	w.operands()
	w.out = append(w.out, opReturn, opEnd)
}

func (w *rewriter) operands() {
	for _, local := range []uint32{bulkTo, bulkFrom, bulkSize} {
		w.op(opLocalGet, local)
	}
}

// firstPiece does the operation on the first piece and moves on.
func (w *rewriter) firstPiece(op byte) {
	w.op(opLocalGet, bulkTo)
	w.op(opLocalGet, bulkFrom)
	w.piece(op)
	w.move(bulkTo, bulkPiece)
}

func (w *rewriter) piece(op byte) {
	w.i32Const(bulkPiece)
	w.out = append(w.out, opPrefixMisc, op, 0)
	if op == miscMemoryCopy {
		w.out = append(w.out, 0)
	}
}

// fromEnd leaves where the last piece of a range begins.
func (w *rewriter) fromEnd(local uint32) {
	w.op(opLocalGet, local)
	w.op(opLocalGet, bulkSize)
	w.out = append(w.out, opI32Add)
	w.i32Const(-bulkPiece)
	w.out = append(w.out, opI32Add)
}

func (w *rewriter) move(local uint32, by int64) {
	w.op(opLocalGet, local)
	w.i32Const(by)
	w.out = append(w.out, opI32Add)
	w.op(opLocalSet, local)
}
