package main

import (
	"math"
	"runtime"
	"testing"
	"time"
)

func TestWorkerHeapGrowsToItsFloor(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 4 << 20: 400, 5 << 20: 300, 10 << 20: 100, 13 << 20: 53, 15 << 20: 50, 20 << 20: 50, 1 << 40: 50} {
		if got := workerGCPercent(heapSize{live: live}); got != want {
			t.Errorf("with %d bytes alive the heap grows by %d percent, want %d", live, got, want)
		}
	}
}

func TestAnApplicationsHeapGrowsByWhatIsWalkedOver(t *testing.T) {
	const mb = 1 << 20
	for h, want := range map[heapSize]int{
		{0, 0}:               400, // it has just begun
		{2 * mb, mb}:         400,
		{4 * mb, 2 * mb}:     200, // 8 MB
		{16 * mb, 4 * mb}:    50,
		{20 * mb, 4 * mb}:    40,
		{40 * mb, 8 * mb}:    29, // 12 MB: half as much again as is walked over
		{100 * mb, 10 * mb}:  14,
		{100 * mb, 80 * mb}:  49, // stores in memory: half of what is alive
		{1000 * mb, 10 * mb}: 10,
		{1 << 40, 1 << 40}:   49,
		{1 << 60, 1 << 60}:   49,
		{1 << 50, 0}:         10,
		{3 * mb / 2, 3 * mb}: 400,
		{30 * mb, 30 * mb}:   49,
		{12 * mb, 12 * mb}:   66,
		{30 * mb, 4 * mb}:    26,
		{60 * mb, 20 * mb}:   49,
		{60 * mb, 12 * mb}:   29,
		{math.MaxInt64, mb}:  10,
	} {
		if got := applicationGCPercent(h); got < want-1 || got > want+1 {
			t.Errorf("with %d bytes alive and %d walked over the heap grows by %d percent, want %d", h.live, h.scanned, got, want)
		}
	}
}

// TestWorkerGCFollowsTheHeap holds that the percentage is set anew after collections.
func TestWorkerGCFollowsTheHeap(t *testing.T) {
	percents := make(chan int, 100)
	const leastChange = 10
	g := &heapFollower{want: workerGCPercent, leastChange: leastChange, set: func(p int) int {
		select {
		case percents <- p:
		default:
		}
		return p
	}}
	g.percent = mostGCPercent + 2*leastChange // so that the first one is told
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
