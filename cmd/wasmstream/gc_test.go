package main

import (
	"runtime"
	"testing"
	"time"
)

func TestWorkerHeapGrowsToItsFloor(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 4 << 20: 400, 5 << 20: 300, 10 << 20: 100, 13 << 20: 53, 15 << 20: 50, 20 << 20: 50, 1 << 40: 50} {
		if got := workerGCPercent(live); got != want {
			t.Errorf("with %d bytes alive the heap grows by %d percent, want %d", live, got, want)
		}
	}
}

// TestWorkerGCFollowsTheHeap holds that the percentage is set anew after collections.
func TestWorkerGCFollowsTheHeap(t *testing.T) {
	percents := make(chan int, 100)
	g := &workerGC{set: func(p int) int {
		select {
		case percents <- p:
		default:
		}
		return p
	}}
	g.percent = mostGCPercent + 2*leastGCChange // so that the first one is told
	g.collected()
	g = nil
	<-percents
	alive := make([]byte, 2*workerHeap) // not written to, so it costs nothing
	for p := 0; p != gcPercent; {
		runtime.GC()
		select {
		case p = <-percents:
		case <-time.After(10 * time.Millisecond):
		}
	}
	runtime.KeepAlive(alive)
}
