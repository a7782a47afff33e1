package wasm

// Instructions that the decoder tells apart. The numbers are those of the WebAssembly specification.
const (
	opUnreachable  = 0x00
	opNop          = 0x01
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opFirstLoad    = 0x28
	opFirstStore   = 0x36
	opLastStore    = 0x3e
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32Ne        = 0x47
	opI32LtS       = 0x48
	opI32GtU       = 0x4b
	opI32GeU       = 0x4f
	opI64LtS       = 0x53
	opI64GtS       = 0x55
	opI64GtU       = 0x56
	opI64GeU       = 0x5a
	opI32Add       = 0x6a
	opI32And       = 0x71
	opI32Or        = 0x72
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64And       = 0x83
	opI64Or        = 0x84
	opI64Shl       = 0x86
	opI64ShrU      = 0x88
	opI64ExtendU   = 0xad
	opLastPlain    = 0xc4
	opRefNull      = 0xd0
	opRefIsNull    = 0xd1
	opRefFunc      = 0xd2
	opPrefixMisc   = 0xfc
	opPrefixSIMD   = 0xfd
	opPrefixAtomic = 0xfe

	typeNone = 0x40 // block type without parameters and results
)

// Instructions behind opPrefixMisc.
const (
	miscLastTruncate = 7
	miscMemoryInit   = 8
	miscDataDrop     = 9
	miscMemoryCopy   = 10
	miscMemoryFill   = 11
	miscTableInit    = 12
	miscElemDrop     = 13
	miscTableCopy    = 14
	miscTableGrow    = 15
	miscTableSize    = 16
	miscTableFill    = 17
)

// Instructions behind opPrefixSIMD with immediates.
const (
	simdLastLoad      = 10
	simdStore         = 11
	simdConst         = 12
	simdShuffle       = 13
	simdFirstLane     = 21
	simdLastLane      = 34
	simdFirstLoadLane = 84
	simdLastLoadLane  = 87
	simdLastStoreLane = 91
	simdLoad32Zero    = 92
	simdLoad64Zero    = 93
	simdLast          = 255
)

// Fuel of instructions. All others cost 1; those that become no code of their own cost 0: what gives structure, and
// what moves locals and constants to where they are used, half of all instructions in a Go guest. Bulk operations, calls
// of imports and growth of memory cost by size on top (meter.go, imports.go).
const (
	fuelDivide       = 4
	fuelCall         = 4
	fuelCallIndirect = 8
	fuelCallImport   = 64
	fuelBulk         = 8
	fuelGrow         = 200
)

// plainDelta is how many operands an instruction without a case of its own leaves more than it takes.
var plainDelta = makePlainDelta()

// plainFuel is the fuel of the same instructions.
var plainFuel = makePlainFuel()

func makePlainDelta() (d [256]int8) {
	set := func(from, to int, v int8) {
		for op := from; op <= to; op++ {
			d[op] = v
		}
	}
	d[opDrop], d[opSelect] = -1, -2
	set(0x46, 0x4f, -1) // i32 comparisons
	set(0x51, 0x66, -1) // i64, f32, f64 comparisons
	set(0x6a, 0x78, -1) // i32 arithmetic
	set(0x7c, 0x8a, -1) // i64 arithmetic
	set(0x92, 0x98, -1) // f32 arithmetic
	set(0xa0, 0xa6, -1) // f64 arithmetic
	return d
}

func makePlainFuel() (f [256]uint8) {
	for op := range f {
		f[op] = 1
	}
	for _, op := range []int{opNop, opBlock, opLoop, opElse, opEnd, opDrop, opLocalGet, opLocalSet, opLocalTee} {
		f[op] = 0
	}
	for op := opI32Const; op <= opF64Const; op++ {
		f[op] = 0
	}
	for _, op := range []int{0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3} { // div, rem, sqrt
		f[op] = fuelDivide
	}
	return f
}

// simdUnary are the instructions of opPrefixSIMD above 95 that take one operand; the others there take two.
var simdUnary = makeSIMDUnary()

func makeSIMDUnary() (u [256]bool) {
	for _, r := range [][2]int{
		{94, 100},
		{103, 106},
		{116, 117},
		{122, 122},
		{124, 129},
		{131, 132},
		{135, 138},
		{148, 148},
		{160, 161},
		{163, 164},
		{167, 170},
		{192, 193},
		{195, 196},
		{199, 202},
		{224, 225},
		{227, 227},
		{236, 237},
		{239, 239},
		{248, 255},
	} {
		for op := r[0]; op <= r[1]; op++ {
			u[op] = true
		}
	}
	return u
}
