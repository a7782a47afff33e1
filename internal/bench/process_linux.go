package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// clockTick is the unit of CPU time in /proc, which is the same on every Linux that Go runs on.
const clockTick = 0.01

// processCPU is the user and system time of a process in seconds, 0 if it is gone.
func processCPU(pid int) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything; user and system time are the 12th and 13th word behind it.
	words := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(string(words[11]), 10, 64)
	system, _ := strconv.ParseInt(string(words[12]), 10, 64)
	return float64(user+system) * clockTick
}

// processPeak is the largest resident set of a process in bytes, 0 if it is gone.
func processPeak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(words[0]), 10, 64)
	return kib << 10
}
