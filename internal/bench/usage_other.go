//go:build !unix

package bench

import "runtime/metrics"

// cpuSeconds is the CPU time of this process as the Go runtime estimates it.
func cpuSeconds() float64 { return runtimeMetric("/cpu/classes/user:cpu-seconds") }

// peakRSS is the memory that the Go runtime holds, in bytes: the nearest to a peak that is known here.
func peakRSS() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// runtimeMetric is one number of the Go runtime.
func runtimeMetric(name string) float64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Float64()
}
