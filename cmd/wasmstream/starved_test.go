package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// starved is for how long the processes and the test, in which kfake is, were ready to run and did not: of each, its thread
// that waited longest. One thing after the other may have to be done by each of them.
func (f *fleet) starved() time.Duration {
	sum := starvedOf(os.Getpid())
	for _, one := range f.procs {
		sum += starvedOf(one.cmd.Process.Pid)
	}
	return sum
}

func starvedOf(pid int) (longest time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		longest = max(longest, runDelay(file))
	}
	return longest
}

// runDelay reads how long a thread has waited for a processor; 0 where it has ended or the kernel does not count.
func runDelay(schedstat string) time.Duration {
	text, _ := os.ReadFile(schedstat)
	var ran, waited int64
	_, _ = fmt.Sscan(string(text), &ran, &waited)
	return time.Duration(waited)
}
