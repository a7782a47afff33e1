package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// gcPercent is how much a heap grows between two collections, in percent of what is alive. Records pass through an application
// without garbage of their own, so collections are few and memory is worth more than they cost.
const gcPercent = 50

// tuneGC sets the collector of a process that runs an application. GOGC of the environment wins.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// A Connect worker makes a value of each field, so its heap is small and full of garbage: at 50 percent of 5 MB it would be
// collected for each 3000 records. workerHeap is what a heap may grow to in any case.
const (
	workerHeap     = 20 << 20
	mostGCPercent  = 400 // a heap that suddenly grows must not grow to a multiple of that
	leastGCChange  = 10
	liveHeapMetric = "/gc/heap/live:bytes"
)

// tuneWorkerGC sets the collector of a process that runs connectors, anew after each collection. GOGC of the environment wins.
func tuneWorkerGC() {
	if os.Getenv("GOGC") == "" {
		(&workerGC{set: debug.SetGCPercent}).collected()
	}
}

// workerGC is an object that nothing refers to: its finalizer runs after each collection, and makes it such an object again.
type workerGC struct {
	percent int
	set     func(percent int) int
}

func (g *workerGC) collected() {
	live := []metrics.Sample{{Name: liveHeapMetric}}
	metrics.Read(live)
	if p := workerGCPercent(live[0].Value.Uint64()); p > g.percent+leastGCChange || p < g.percent-leastGCChange {
		g.percent = p
		g.set(p)
	}
	runtime.SetFinalizer(g, (*workerGC).collected)
}

// workerGCPercent lets a heap of which live bytes are alive grow to workerHeap, or by gcPercent.
func workerGCPercent(live uint64) int {
	if live >= workerHeap {
		return gcPercent
	}
	return int(min(max((workerHeap-live)*100/max(live, 1), gcPercent), mostGCPercent))
}
