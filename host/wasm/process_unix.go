//go:build linux || darwin

package wasm

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
)

// limitProcess bounds what this process may use from here on: CPU altogether, memory beyond what it has.
func limitProcess(cpuSeconds, memoryBytes uint64) {
	const softLimitShare = 3 // quarters: the collector works harder before the end
	debug.SetMemoryLimit(int64(memoryBytes / 4 * softLimitShare))
	// A limit that cannot be set leaves the others, and the parent's clock.
	set := func(resource int, soft, hard uint64) {
		_ = syscall.Setrlimit(resource, &syscall.Rlimit{Cur: soft, Max: hard})
	}
	set(syscall.RLIMIT_CORE, 0, 0)
	set(syscall.RLIMIT_FSIZE, 0, 0)
	set(syscall.RLIMIT_CPU, cpuSeconds, cpuSeconds) // beyond it the system kills
	if has := addressSpace(); has > 0 {
		set(syscall.RLIMIT_AS, has+memoryBytes, has+memoryBytes)
	}
}

// addressSpace is how much of it this process has taken, 0 if that is not known. Go's runtime takes more than a
// gigabyte that it never touches.
func addressSpace() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _, _ := bytes.Cut(text, []byte{' '})
	n, err := strconv.ParseUint(string(pages), 10, 64)
	if err != nil {
		return 0
	}
	return n * uint64(os.Getpagesize())
}
