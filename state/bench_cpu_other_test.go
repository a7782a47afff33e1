//go:build !unix

package state

import "testing"

// cpuNanoseconds is not known here.
func cpuNanoseconds(*testing.B) int64 { return 0 }
