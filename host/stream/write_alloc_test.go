//go:build !race

package stream

import "testing"

// TestNoAllocationPerWrite is not for builds with the race detector, which makes values escape that otherwise do not.
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
