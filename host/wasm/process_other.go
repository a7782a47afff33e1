//go:build !linux && !darwin

package wasm

import "runtime/debug"

// limitProcess has no limits of the system to set here; the parent's clock ends a compilation that takes too long.
func limitProcess(_, memoryBytes uint64) { debug.SetMemoryLimit(int64(memoryBytes)) }
