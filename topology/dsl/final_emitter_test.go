package dsl

import "testing"

// TestWhatWasPutOffIsDueWhenTheClockIsSetBack: an interval is waited for, not the time that the clock had shown before.
func TestWhatWasPutOffIsDueWhenTheClockIsSetBack(t *testing.T) {
	const next, interval = 10_000, 1000
	for now, want := range map[int64]bool{8999: false, 9000: true, 9999: true, 10_000: false, 90_000_000: false, -3_000_000: false} {
		if got := waits(now, next, interval); got != want {
			t.Errorf("at %d: %t", now, got)
		}
	}
}
