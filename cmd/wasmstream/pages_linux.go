package main

import (
	"os"
	"syscall"
)

// dropStartPages gives up the pages of the program's file that the process has in memory. Reading settings and compiling
// modules touch a third of them that a running application never needs again; those that it does need are still in
// the system's cache, and come back by the dozen at the first touch.
func dropStartPages() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // without /proc there is nothing to do, and nothing is lost
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range untouchedMappings(smaps, program) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED) // advice: refused, it changes nothing
	}
}
