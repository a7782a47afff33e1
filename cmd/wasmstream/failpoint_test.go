//go:build failpoints

package main_test

import (
	"fmt"
	"os"
	"testing"
	"time"

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
	c := newCrash(t, b, b.Addr, countApp)
	c.start("0")
	c.feedUntil(c.outputs(500))
	for range 3 {
		for _, at := range failpoints {
			c.dieAt("1", at, 1+c.rng.IntN(4))
		}
	}
	c.start("1")
	c.finish()
	c.t.Logf("%d records counted over %d deaths", c.checked, 3*len(failpoints))
}

// TestAProcessThatDiedAtAStepGoesOnAtOnce is for the moments that leave something to wait for: an open transaction, whose
// records hold up readers and whose offsets hold up the next owner, and tasks that were given up and that nobody has.
func TestAProcessThatDiedAtAStepGoesOnAtOnce(t *testing.T) {
	for _, at := range []string{"flushed", "offsets sent"} {
		t.Run(at, func(t *testing.T) {
			revived(t, func(c *crash) {
				c.stop(c.procs["0"])
				c.dieAt("0", at, 3)
				c.start("0")
			})
		})
	}
	t.Run("revoked", func(t *testing.T) {
		revived(t, func(c *crash) {
			c.stop(c.procs["0"])
			dying := c.start("0", "$WASMSTREAM_FAILPOINT=revoked:1")
			c.awaitRunning()
			c.start("1")
			c.feedUntil(dying.isDead)
			c.bury(dying, "died at revoked")
			c.start("0")
		})
	})
}

// awayFromStep is how long a process may not come to the step at which it is to die: it may have been given nothing that leads
// there. Then it is killed where it is.
const awayFromStep = 30 * time.Second

// dieAt runs a process until it comes to a failpoint for the n-th time.
func (c *crash) dieAt(name, at string, n int) {
	c.t.Helper()
	if at == "initialised" || at == "restoring" {
		n = 1
	}
	p := c.start(name, fmt.Sprintf("$WASMSTREAM_FAILPOINT=%s:%d", at, n))
	c.awaitDeath(p, at)
}

// awaitDeath feeds until a process has died at a failpoint.
func (c *crash) awaitDeath(p *process, at string) {
	c.t.Helper()
	late := time.Now().Add(awayFromStep)
	c.feedUntil(func() bool { return p.isDead() || time.Now().After(late) })
	if !p.isDead() {
		c.missed++
		c.kill(p)
		c.bury(p, "killed, for it does not come to "+at)
		return
	}
	c.kills++
	c.bury(p, "died at "+at)
}

// isDead tells whether the process has ended.
func (p *process) isDead() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
