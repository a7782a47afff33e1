//go:build !race && !invariants

package stream

import "testing"

// TestNoAllocationPerWrite is not for builds that check invariants: each of their iterators is written down.
func TestNoAllocationPerWrite(t *testing.T) {
	task, f := countTask(t, 0), wordFeeder()
	if err := f.round(task); err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(10, func() {
		if err := f.round(task); err != nil {
			t.Fatal(err)
		}
	})
	if perRecord := allocs / benchBatch; perRecord > 0.02 {
		t.Errorf("%.3f allocations per record", perRecord)
	}
}
