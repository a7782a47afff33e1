package wasm

import _ "unsafe" // for linkname

// A fault of wazero's compiler (1.12, amd64): a select of floats or vectors is a move of its second operand and a
// conditional move of its first over it, and the register allocator is not told that the second instruction also reads
// what the first one wrote. Under pressure on registers the second operand may be lost, and the select gives its first.
// The allocation decides whether it does, so no rewriting of the guest's code is sure to avoid it. What the allocator
// is told stands in a table, and init corrects the entry, but only where the whole table is that of 1.12.
// TestGuestsAgree (mapvalues-rust, enrich) fails without it, TestWazeroTable where the table is another.
//
//go:linkname wazeroReads github.com/tetratelabs/wazero/internal/engine/wazevo/backend/isa/amd64.useKinds
var wazeroReads [len(wazeroReads112)]byte

const (
	wazeroReads112       = "\x00\x01\x03\x02\x00\x02\x00\x00\x00\x01\x02\x02\x02\x02\x02\x04\x03\x03\x03\x01\x03\x00\x00\x03\x02\x02\x04\x00\x02\x02\x00\x00\x00\x00\x03\x03\b\t\x01\x02\x02\x01\x02\x01\x04\x05\x01\x01\x01\v\f\x02\x06\a\x01\x04\x02\b\n"
	wazeroXmmCMov        = 51 // xmmCMov, the conditional move
	wazeroReadsBoth byte = 3  // useKindOp1Op2Reg, as of cmove, the same of integers
)

func init() {
	if string(wazeroReads[:]) == wazeroReads112 {
		wazeroReads[wazeroXmmCMov] = wazeroReadsBoth
	}
}
