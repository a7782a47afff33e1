package wasm

import "encoding/binary"

// Offsets. The engine tells for each frame of a trace where in the code section it stands, but only of modules that
// have debug information, and it means the metered code. So a metered module carries the smallest debug information
// that makes the engine keep its map (one unit, one line), and offsets lead from there to the original.

// offsets maps the metered code to the original. Both are counted from the content of the code section, as addresses
// in DWARF are. Runs of bytes that were copied are noted as two numbers each, by how much the metered and the original
// position went on since the run before.
type offsets struct {
	code             int // where the content of the code section begins in the original's bytes
	runs             []byte
	metered, origins int // of the last run
}

// add notes that a run of the original at origin was copied to metered. Both only grow.
func (o *offsets) add(metered, origin int) {
	o.runs = binary.AppendUvarint(o.runs, uint64(metered-o.metered))
	o.runs = binary.AppendUvarint(o.runs, uint64(origin-o.origins))
	o.metered, o.origins = metered, origin
}

// original is the position in the original's code section for one in the metered: for an instruction that the metering
// pass put in, that of the instruction behind it.
func (o *offsets) original(at int) (origin int, ok bool) {
	metered, from := 0, 0
	for rest := o.runs; len(rest) > 0; ok = true {
		dm, n := binary.Uvarint(rest)
		do, k := binary.Uvarint(rest[n:])
		rest = rest[n+k:]
		if metered+int(dm) > at {
			return min(from+at-metered, from+int(do)), ok
		}
		metered, from = metered+int(dm), from+int(do)
	}
	return from + at - metered, ok
}

// Addresses of the one unit of debug information. The engine takes 0 and the largest numbers for holes.
const (
	firstAddress = 1
	lastAddress  = 1 << 30
)

// debugSections are the sections .debug_abbrev, .debug_info and .debug_line of one compile unit from firstAddress to
// lastAddress with one line, in DWARF 4.
func debugSections() (abbrev, info, line []byte) {
	const (
		tagCompileUnit, noChildren         = 0x11, 0
		attrLowPC, attrHighPC, attrLines   = 0x11, 0x12, 0x10
		formAddr, formData4, formSecOffset = 0x01, 0x06, 0x17
		version, addressSize               = 4, 4
		headLine                           = 10 // from the header_length on to the end of the lengths of opcodes
		extended, endSequence, setAddress  = 0, 1, 2
		copyRow                            = 1
	)
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	abbrev = []byte{1, tagCompileUnit, noChildren, attrLines, formSecOffset, attrLowPC, formAddr, attrHighPC, formData4, 0, 0, 0}

	unit := u32(u16(nil, version), 0)
	unit = u32(append(unit, addressSize, 1), 0)
	unit = u32(u32(unit, firstAddress), lastAddress-firstAddress)
	info = append(u32(nil, uint32(len(unit))), unit...)

	// min instruction length 1, 1 operation, statements, line base 0, line range 1, opcode base 10, the lengths of the
	// nine standard opcodes, no directories, one file "@".
	head := []byte{1, 1, 1, 0, 1, headLine, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, '@', 0, 0, 0, 0, 0}
	program := append(u32([]byte{extended, 1 + addressSize, setAddress}, firstAddress), copyRow)
	program = append(u32(append(program, extended, 1+addressSize, setAddress), lastAddress), extended, 1, endSequence)
	unit = u32(u16(nil, version), uint32(len(head)))
	unit = append(append(unit, head...), program...)
	line = append(u32(nil, uint32(len(unit))), unit...)
	return abbrev, info, line
}
