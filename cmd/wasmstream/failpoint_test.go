//go:build failpoints

package main_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// failpoints are the moments of a thread's life at which it may die, in their order. Between "offsets sent" and "ended"
// the transaction is committed, and between "ended" and "stored" the local state.
var failpoints = []string{"initialised", "restoring", "processed", "prepared", "flushed", "offsets sent", "ended", "stored"}

// TestCountsSurviveDeathAtEachStep has a process die at each step of its way, several times, beside one that goes on.
func TestCountsSurviveDeathAtEachStep(t *testing.T) {
	b := startEmbedded(t)
	if addr := os.Getenv("WASMSTREAM_TEST_BROKERS"); addr != "" {
		b = brokertest.At(addr)
	}
	c := newCrash(t, b, b.Addr, countYAML)
	c.start("0")
	c.feedUntil(c.outputs(500))
	for range 3 {
		for _, at := range failpoints {
			c.dieAt(at, 1+c.rng.IntN(4))
		}
	}
	c.start("1")
	c.finish()
	c.t.Logf("%d records counted over %d deaths", c.checked, 3*len(failpoints))
}

// dieAt runs a process until it comes to a failpoint for the n-th time.
func (c *crash) dieAt(at string, n int) {
	c.t.Helper()
	if at == "initialised" || at == "restoring" {
		n = 1
	}
	p := c.start("1", fmt.Sprintf("$WASMSTREAM_FAILPOINT=%s:%d", at, n))
	c.feedUntil(p.isDead)
	c.bury(p, "died at "+at)
}
