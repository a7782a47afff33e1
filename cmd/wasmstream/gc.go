package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// gcPercent is how much a heap may grow between two collections, in percent of what is alive. Records pass through an application
// without garbage of their own, so collections are few and memory is worth more than they cost.
const gcPercent = 50

// Most of what is alive in an application are bytes: fetched batches, tables in memory, frames. A collection does not look into
// them, and costs what it has to walk over. So the heap grows by a part of that, and not by half of the bytes.
const (
	scannedPercent = 150
	leastRoom      = 8 << 20 // in any case: a heap that is small while an application starts is all garbage
	leastGCPercent = 10      // of a heap that is all bytes: a collection also has to sweep them
)

// A Connect worker makes a value of each field, so its heap is small and full of garbage: at 50 percent of 5 MB it would be
// collected for each 3000 records. workerHeap is what a heap may grow to in any case.
const workerHeap = 20 << 20

const mostGCPercent = 400 // a heap that suddenly grows must not grow to a multiple of that

// heapSize is what the last collection found alive, and what it walked over, in bytes.
type heapSize struct{ live, scanned uint64 }

// tuneGC sets the collector of a process that runs an application, anew after each collection. GOGC of the environment wins.
func tuneGC() { followHeap(applicationGCPercent, 3) }

// tuneWorkerGC does so for a process that runs connectors.
func tuneWorkerGC() { followHeap(workerGCPercent, 10) }

func followHeap(percent func(heapSize) int, leastChange int) {
	if os.Getenv("GOGC") == "" {
		(&heapFollower{want: percent, leastChange: leastChange, set: debug.SetGCPercent}).collected()
	}
}

// heapFollower is an object that nothing refers to: its finalizer runs after each collection, and makes it such an object again.
type heapFollower struct {
	want        func(heapSize) int
	leastChange int // less is not worth stopping the world for
	percent     int
	set         func(percent int) int
}

func (f *heapFollower) collected() {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(s)
	p := f.want(heapSize{live: s[0].Value.Uint64(), scanned: s[1].Value.Uint64()})
	if p > f.percent+f.leastChange || p < f.percent-f.leastChange {
		f.percent = p
		f.set(p)
	}
	runtime.SetFinalizer(f, (*heapFollower).collected)
}

// applicationGCPercent lets a heap grow by scannedPercent of what is walked over, gcPercent at most of what is alive, and
// by leastRoom in any case.
func applicationGCPercent(h heapSize) int {
	room := max(min(h.scanned/100*scannedPercent, h.live/100*gcPercent), leastRoom)
	return int(min(max(room/max(h.live/100, 1), leastGCPercent), mostGCPercent))
}

// workerGCPercent lets a heap of which live bytes are alive grow to workerHeap, or by gcPercent.
func workerGCPercent(h heapSize) int {
	if h.live >= workerHeap {
		return gcPercent
	}
	return int(min(max((workerHeap-h.live)*100/max(h.live, 1), gcPercent), mostGCPercent))
}
