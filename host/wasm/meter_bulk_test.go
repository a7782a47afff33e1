package wasm

import (
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
)

// TestLargeFillsAndCopies: what is done in pieces leaves the memory as the instruction does, traps where it does, and
// uses the same fuel in compiler and interpreter; up to a piece, just beyond it, many pieces, overlapping either way,
// over the end of memory and past 4 GiB.
func TestLargeFillsAndCopies(t *testing.T) {
	e := newEngines(t)
	const pages, size, step = 48, 48 * pageSize, 1024
	for _, c := range [][3]int64{
		{0, 7, bulkPiece},
		{0, 7, bulkPiece + 1},
		{1, 0, 2*bulkPiece + 5},
		{0, 1, 2*bulkPiece + 5},
		{bulkPiece / 2, 0, 2 * bulkPiece},
		{0, 0, size},
		{size - 2*bulkPiece + 1, 0, 2 * bulkPiece},
		{0, size - 2*bulkPiece + 1, 2 * bulkPiece},
		{-8, 0, 2 * bulkPiece},
		{-1, -1, -1},
	} {
		for name, op := range map[string][]byte{"fill": ops(opPrefixMisc, miscMemoryFill, 0), "copy": ops(opPrefixMisc, miscMemoryCopy, 0, 0)} {
			w, f := guest()
			w.memory = [2]int{pages, pages}
			// for a = 0; a != size; a += step { mem[a] = a * 2654435761 }
			pattern := cat(ops(opLoop, typeNone, opLocalGet, 0, opLocalGet, 0), i32c(-1640531535), ops(0x6c /* mul */, opFirstStore, 2, 0),
				ops(opLocalGet, 0), i32c(step), ops(opI32Add, opLocalTee, 0), i32c(size), ops(opI32Ne, opBrIf, 0, opEnd))
			f[abi.ExportProcess].code = cat(pattern, i32c(c[0]), i32c(c[1]), i32c(c[2]), op, i64c(size))
			if err := compare(e, w.bytes()); err != nil {
				t.Errorf("%s of %d: %v", name, c, err)
			}
		}
	}
}

// TestTrapsBesidePieces: a trace shows no function that the metering pass added.
func TestTrapsBesidePieces(t *testing.T) {
	for name, reason := range map[string]string{"killed in a piece": ReasonFuel, "outside of memory": ReasonTrap} {
		size := int64(2 * pageSize)
		limits := Limits{FuelPerFrame: 1000, FuelMax: 1000}
		if reason == ReasonFuel {
			size = 0
		}
		w := guestWith(wfunc{code: cat(i32c(size), i32c(0), i32c(3*bulkPiece), ops(opPrefixMisc, miscMemoryFill, 0))}, false)
		w.memory = [2]int{64, 64}
		if reason == ReasonTrap {
			w.memory, limits = [2]int{1, 1}, Limits{}
		}
		trap := trapOf(t, testEngine(t, Config{Limits: limits}), w, abi.ExportProcess)
		if trap.Reason != reason || len(trap.Stack) != 2 || trap.Stack[0][:2] != "$8" {
			t.Errorf("%s: %s %s", name, trap.Reason, fmt.Sprintf("%q", trap.Stack))
		}
	}
}
