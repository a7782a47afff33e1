//go:build !linux && !darwin

package wasm

import (
	"runtime/debug"
	"time"
)

// limitProcess has no limits of the system to set here; the parent's clock ends a compilation that takes too long.
func limitProcess(_ time.Duration, memoryBytes uint64) {
	debug.SetMemoryLimit(int64(memoryBytes / 8 * heapEighths))
}

// used is what this process has used; its CPU is not known here.
func used() (cpu time.Duration, memoryBytes uint64) { return 0, goMemory() }
