//go:build unix

package state

import (
	"syscall"
	"testing"
)

// cpuNanoseconds is what the process has used of its processors.
func cpuNanoseconds(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	noError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return u.Utime.Nano() + u.Stime.Nano()
}
