package wasm

import (
	"math/rand/v2"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
)

// generator makes modules that are valid, end, and use every kind of instruction that the metering pass treats in a way
// of its own. The same seed makes the same module.
type generator struct {
	r     *rand.Rand
	funcs int
	first int // index of the first generated function
	cur   int // function being made, from 0
	loops int // loops around
	code  []byte
	// labels that a branch without a value may go to; false stands for one with a value
	labels []bool
}

// Locals of a generated function: two parameters, four values, and a counter for each nesting of loops.
const (
	genValues   = 6
	genCounters = 4
	genLeaves   = 2 // the last functions call nothing; they stand in the table
)

// genImports are all functions of the host but emit, which ends what a record has.
func genImports() []abi.Function {
	return slices.DeleteFunc(abi.Imports(), func(f abi.Function) bool { return f.Name == abi.FnEmit })
}

// generate returns a guest whose ws_process runs generated code and answers with its memory.
func generate(seed uint64) []byte {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1))}
	g.funcs = 3 + g.r.IntN(5)
	w, f := guest()
	w.memory, w.globals, w.imports = [2]int{1, 3}, []int64{int64(seed), 7}, genImports()
	firstGen := len(w.imports) + len(w.funcs)
	g.first = firstGen
	f[abi.ExportProcess].code = cat(
		i32c(0), i64c(int64(seed)), i64c(3), ops(opCall, byte(firstGen)), ops(0x37, 3, 0), // i64.store
		i32c(8), ops(opGlobalGet, 0, 0x37, 3, 0), i32c(16), ops(opGlobalGet, 1, 0x37, 3, 0), i64c(pageSize),
	)
	for g.cur = 0; g.cur < g.funcs; g.cur++ {
		w.funcs = append(w.funcs, wfunc{params: "ll", results: "l", locals: genValues - 2 + genCounters, code: g.function()})
	}
	for i := g.funcs - genLeaves; i < g.funcs; i++ {
		w.table = append(w.table, uint32(firstGen+i))
	}
	return w.bytes()
}

func (g *generator) function() []byte {
	g.code, g.labels, g.loops = nil, []bool{false}, 0
	for range 1 + g.r.IntN(5) {
		g.statement(4)
	}
	g.value(3)
	return g.code
}

func (g *generator) op(b ...byte) { g.code = append(g.code, b...) }

func (g *generator) pick(choices ...func()) { choices[g.r.IntN(len(choices))]() }

// address pushes an i32 in the first page, below its last 64 bytes.
func (g *generator) address(depth int) {
	g.value(depth - 1)
	g.op(0xa7) // i32.wrap_i64
	g.code = append(g.code, i32c(0x7ff0)...)
	g.op(0x71) // i32.and
}

// condition pushes an i32.
func (g *generator) condition(depth int) {
	g.value(depth - 1)
	g.value(depth - 1)
	g.op(byte(0x51 + g.r.IntN(10))) // i64.eq ... i64.ge_u
}

func (g *generator) constant() {
	v := g.r.Int64N(100) - 10
	if g.r.IntN(4) == 0 {
		v = int64(g.r.Uint64())
	}
	g.code = append(g.code, i64c(v)...)
}

func (g *generator) local() { g.op(opLocalGet, byte(g.r.IntN(genValues))) }

// value pushes an i64.
func (g *generator) value(depth int) {
	if depth <= 0 {
		g.pick(g.constant, g.local, func() { g.op(opGlobalGet, byte(g.r.IntN(2))) })
		return
	}
	binary := func(ops ...byte) func() {
		return func() { g.value(depth - 1); g.value(depth - 1); g.op(ops[g.r.IntN(len(ops))]) }
	}
	arithmetic := binary(0x7c, 0x7d, 0x7e, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89)
	g.pick(g.constant, g.local, g.local, arithmetic, arithmetic, arithmetic,
		func() { g.divide(depth) },
		func() { g.address(depth); g.op(0x29, 3, 0) },
		func() { g.condition(depth); g.op(opI64ExtendU) },
		func() { g.value(depth - 1); g.value(depth - 1); g.condition(depth); g.op(opSelect) },
		func() { g.op(opMemorySize, 0, opI64ExtendU) },
		func() { g.ifValue(depth) }, func() { g.blockValue(depth) },
		func() { g.callValue(depth) }, func() { g.callValue(depth) }, func() { g.indirect(depth) },
		func() { g.hostCall(depth) }, func() { g.narrow(depth) }, func() { g.float(depth) },
	)
}

// divide seldom divides by zero, which traps.
func (g *generator) divide(depth int) {
	g.value(depth - 1)
	g.value(depth - 1)
	if g.r.IntN(20) > 0 {
		g.code = append(g.code, i64c(1)...)
		g.op(opI64Or)
	}
	g.op(byte(0x7f + g.r.IntN(4)))
}

func (g *generator) nested(value bool, body func()) {
	g.labels = append(g.labels, !value)
	body()
	g.labels = g.labels[:len(g.labels)-1]
}

func (g *generator) ifValue(depth int) {
	g.condition(depth)
	g.op(opIf, valI64)
	g.nested(true, func() { g.value(depth - 1) })
	g.op(opElse)
	g.nested(true, func() { g.statement(depth - 1); g.value(depth - 1) })
	g.op(opEnd)
}

func (g *generator) blockValue(depth int) {
	g.op(opBlock, valI64)
	g.nested(true, func() {
		g.statement(depth - 1)
		g.value(depth - 1)
		g.condition(depth)
		g.op(opBrIf, 0)
	})
	g.op(opEnd)
}

func (g *generator) callValue(depth int) {
	if g.cur+1 >= g.funcs || g.cur >= g.funcs-genLeaves || g.loops > 1 {
		g.local()
		return
	}
	g.value(depth - 1)
	g.value(depth - 1)
	g.op(opCall, byte(g.first+g.cur+1+g.r.IntN(g.funcs-g.cur-1)))
}

func (g *generator) indirect(depth int) {
	if g.cur >= g.funcs-genLeaves {
		g.local()
		return
	}
	g.value(depth - 1)
	g.value(depth - 1)
	g.address(depth)
	g.code = append(g.code, i32c(genLeaves)...)
	g.op(0x70) // i32.rem_u
	g.op(opCallIndirect, byte(g.first), 0)
}

// hostCall pushes what the host answers, mostly to operands that make sense.
func (g *generator) hostCall(depth int) {
	imports := genImports()
	index := g.r.IntN(len(imports))
	for _, param := range imports[index].Params {
		switch kind := g.r.IntN(12); {
		case param == 'l':
			g.value(depth - 2)
		case kind == 0:
			g.value(depth - 2)
			g.op(0xa7) // i32.wrap_i64
		case kind < 4:
			g.address(depth - 1)
		default:
			g.code = append(g.code, i32c(int64(g.r.IntN(40)*(kind%3)))...)
		}
	}
	g.op(opCall, byte(index))
	switch imports[index].Results {
	case "i":
		g.op(0xac) // i64.extend_i32_s
	case "":
		g.local()
	}
}

// narrow calculates in 32 bits.
func (g *generator) narrow(depth int) {
	for range 2 {
		g.value(depth - 1)
		g.op(0xa7) // i32.wrap_i64
	}
	operations := []byte{0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x46, 0x48, 0x49, 0x4e}
	g.op(operations[g.r.IntN(len(operations))])
	g.op(byte(0xac + g.r.IntN(2))) // extended with its sign or without
}

// float compares two sums of floating-point numbers: all that is seen of them, since a NaN may have any bits.
func (g *generator) float(depth int) {
	for range 2 {
		for range 2 {
			g.value(depth - 2)
			g.op(byte(0xb9 + g.r.IntN(2))) // f64.convert_i64_s, _u
		}
		g.op(byte(0xa0 + g.r.IntN(4))) // f64.add, sub, mul, div
	}
	g.op(byte(0x61+g.r.IntN(6)), opI64ExtendU) // f64.eq ... f64.ge
}

// statement leaves the stack as it is.
func (g *generator) statement(depth int) {
	if depth <= 0 {
		g.assign(0)
		return
	}
	assign := func() { g.assign(depth) }
	g.pick(assign, assign, assign,
		func() { g.value(depth - 1); g.op(opGlobalSet, byte(g.r.IntN(2))) },
		func() { g.address(depth); g.value(depth - 1); g.op(0x37, 3, 0) },
		func() { g.ifStatement(depth) }, func() { g.loop(depth) }, func() { g.loop(depth) },
		func() { g.block(depth) }, func() { g.block(depth) }, func() { g.bulk(depth) },
		func() { g.op(opNop); g.value(depth - 1); g.op(opDrop) },
		func() { g.condition(depth); g.op(opIf, typeNone); g.value(1); g.op(opReturn, opEnd) },
		func() { g.code = append(g.code, i32c(int64(g.r.IntN(3)))...); g.op(opMemoryGrow, 0, opDrop) },
	)
}

func (g *generator) assign(depth int) {
	g.value(depth - 1)
	g.op(opLocalSet, byte(g.r.IntN(genValues)))
}

func (g *generator) ifStatement(depth int) {
	g.condition(depth)
	g.op(opIf, typeNone)
	g.nested(false, func() { g.statement(depth - 1) })
	if g.r.IntN(2) == 0 {
		g.op(opElse)
		g.nested(false, func() { g.statement(depth - 1) })
	}
	g.op(opEnd)
}

// loop counts down a local of its own, so it ends.
func (g *generator) loop(depth int) {
	if g.loops >= genCounters {
		g.assign(0)
		return
	}
	counter := byte(genValues + g.loops)
	g.code = append(g.code, i64c(int64(1+g.r.IntN(5)))...)
	g.op(opLocalSet, counter, opLoop, typeNone)
	g.loops++
	// The loop's own label is no target for others: a branch there would skip the countdown.
	g.nested(true, func() {
		for range 1 + g.r.IntN(2) {
			g.statement(depth - 1)
		}
	})
	g.loops--
	g.op(opLocalGet, counter)
	g.code = append(g.code, i64c(1)...)
	g.op(opI64Sub, opLocalTee, counter)
	g.code = append(g.code, i64c(0)...)
	g.op(0x55 /* gt_s */, opBrIf, 0, opEnd)
}

// target is a label that may be branched to from inside the block that is open.
func (g *generator) target() (byte, bool) {
	var ok []byte
	for d := range len(g.labels) {
		if g.labels[len(g.labels)-1-d] {
			ok = append(ok, byte(d))
		}
	}
	if len(ok) == 0 {
		return 0, false
	}
	return ok[g.r.IntN(len(ok))], true
}

func (g *generator) block(depth int) {
	g.op(opBlock, typeNone)
	g.nested(false, func() {
		g.statement(depth - 1)
		a, _ := g.target()
		b, _ := g.target()
		switch g.r.IntN(4) {
		case 0:
			g.op(opBr, a)
			g.op(opNop)
		case 1:
			g.condition(depth)
			g.op(opBrIf, a)
			g.statement(depth - 1)
		case 2:
			g.address(depth)
			g.op(opBrTable, 2, a, b, 0)
		default:
			g.statement(depth - 1)
		}
	})
	g.op(opEnd)
}

func (g *generator) bulk(depth int) {
	g.address(depth)
	g.address(depth)
	g.code = append(g.code, i32c(int64(g.r.IntN(64)))...)
	if g.r.IntN(2) == 0 {
		g.op(opPrefixMisc, miscMemoryFill, 0)
	} else {
		g.op(opPrefixMisc, miscMemoryCopy, 0, 0)
	}
}
