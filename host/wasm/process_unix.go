//go:build linux || darwin

package wasm

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// limitProcess bounds what this process may use from here on, somewhat above what watch allows.
func limitProcess(cpu time.Duration, memoryBytes uint64) {
	debug.SetMemoryLimit(int64(memoryBytes / 8 * heapEighths))
	// A limit that cannot be set leaves the others, and the parent's clock.
	set := func(resource int, soft, hard uint64) {
		_ = syscall.Setrlimit(resource, &syscall.Rlimit{Cur: soft, Max: hard})
	}
	set(syscall.RLIMIT_CORE, 0, 0)
	set(syscall.RLIMIT_FSIZE, 0, 0)
	seconds := uint64(cpu/time.Second) + 2
	set(syscall.RLIMIT_CPU, seconds, seconds) // beyond it the system kills
	// Go takes address space in pieces of 64 MiB and leaves some of each untouched.
	if space, _ := memoryOfProcess(); space > 0 {
		set(syscall.RLIMIT_AS, space+3*memoryBytes, space+3*memoryBytes)
	}
}

// used is what this process has used.
func used() (cpu time.Duration, memoryBytes uint64) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	if _, memoryBytes = memoryOfProcess(); memoryBytes == 0 {
		memoryBytes = goMemory()
	}
	return cpu, memoryBytes
}

// memoryOfProcess is how much address space this process has taken and how much of it is in memory, in bytes; 0 if that
// is not known.
func memoryOfProcess() (space, resident uint64) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(text)
	for i, n := range []*uint64{&space, &resident} {
		if i < len(fields) {
			pages, err := strconv.ParseUint(string(fields[i]), 10, 64)
			if err == nil {
				*n = pages * uint64(os.Getpagesize())
			}
		}
	}
	return space, resident
}
