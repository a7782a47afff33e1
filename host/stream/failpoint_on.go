//go:build failpoints

package stream

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// failpointVariable is NAME:N, the process dies when it comes to the failpoint NAME for the N-th time.
const failpointVariable = "WASMSTREAM_FAILPOINT"

var failpointHits atomic.Int64

// failpoint ends the process by SIGKILL at the moment that the environment names.
func failpoint(name string) {
	at, count, ok := strings.Cut(os.Getenv(failpointVariable), ":")
	if !ok || at != name {
		return
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || failpointHits.Add(1) < n {
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
