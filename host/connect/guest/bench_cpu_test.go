//go:build linux || darwin

package guest

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU adds the CPU time of this process for one iteration, which tells more than the clock on a machine that does other
// work. It is called before the loop and ends with the benchmark.
func reportCPU(b *testing.B) {
	used := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	b.Cleanup(func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") })
}
