package wasm

import "testing"

// TestWazeroTable: the allocator's table is known and corrected. With a new wazero, see whether TestGuestsAgree passes
// without the correction, and drop it or note the new table.
func TestWazeroTable(t *testing.T) {
	if got := wazeroReads[wazeroXmmCMov]; got != wazeroReadsBoth {
		t.Errorf("a conditional move of floats reads %d, want %d; the table is %q", got, wazeroReadsBoth, wazeroReads[:])
	}
}
