//go:build unix

package bench

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// cpuSeconds is the user and system time of this process.
func cpuSeconds() float64 {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// peakRSS is the largest resident set of this process, in bytes. What getrusage tells begins with that of the process that
// started this one, on Linux, so it is asked where nothing better is.
func peakRSS() int64 {
	if peak := processPeak(os.Getpid()); peak > 0 {
		return peak
	}
	peak := int64(usage().Maxrss)
	if runtime.GOOS != "darwin" {
		peak *= 1024 // KiB there, bytes on darwin
	}
	return peak
}

func usage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u
}
