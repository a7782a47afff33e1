//go:build failpoints

package stream

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// failpointVariable is NAME:N, the process dies when it comes to the failpoint NAME for the N-th time, or NAME:N:stop, it
// stands still there until it gets a SIGCONT.
const failpointVariable = "WASMSTREAM_FAILPOINT"

var failpointHits atomic.Int64

// failpoint ends the process by SIGKILL at the moment that the environment names.
func failpoint(name string) {
	at, count, ok := strings.Cut(os.Getenv(failpointVariable), ":")
	if !ok || at != name {
		return
	}
	count, stop := strings.CutSuffix(count, ":stop")
	n, err := strconv.ParseInt(count, 10, 64)
	hits := int64(0)
	if err == nil {
		hits = failpointHits.Add(1)
	}
	switch {
	case err != nil, hits < n, stop && hits > n:
		return
	case stop:
		standStill()
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic("stream: failpoint " + name + ": " + err.Error())
	}
	select {} // until the signal arrives
}
