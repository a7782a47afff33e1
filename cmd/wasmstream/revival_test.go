package main_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// reviveLimit is how long a partition may wait after a process that was killed has been started again, not counting the time
// without a processor. It is far below the session timeout of 45 s and the transaction timeout of these tests: who waits for
// those has waited for his own dead life. The promise is 5 s; the rest is for a machine that is busy with other tests.
const reviveLimit = 20 * time.Second

// TestAProcessThatWasKilledGoesOnAtOnce kills and starts again in each way that could make the group wait for a member,
// or readers for a transaction, that nobody stands behind any more.
func TestAProcessThatWasKilledGoesOnAtOnce(t *testing.T) {
	cases := map[string]func(c *crash){
		"alone": func(c *crash) {
			c.kill(c.procs["0"])
			c.start("0")
		},
		"beside another": func(c *crash) {
			c.start("1")
			c.awaitRunning()
			c.kill(c.procs["1"])
			c.start("1")
		},
		"both": func(c *crash) {
			c.start("1")
			c.awaitRunning()
			c.kill(c.procs["0"])
			c.kill(c.procs["1"])
			c.start("1")
			c.start("0")
		},
		"with fewer threads": func(c *crash) {
			c.stop(c.procs["0"])
			c.start("0", "num.stream.threads=4")
			c.awaitRunning()
			c.kill(c.procs["0"])
			c.start("0", "num.stream.threads=1")
		},
		"after a clean stop of the other": func(c *crash) {
			c.start("1")
			c.awaitRunning()
			c.stop(c.procs["0"])
		},
		"the other after an interrupt while it joins": func(c *crash) {
			c.start("1")
			c.awaitRunning()
			c.kill(c.procs["1"])
			c.stop(c.procs["0"])
			c.start("0")
			c.start("1")
		},
	}
	for name, revive := range cases {
		t.Run(name, func(t *testing.T) { revived(t, revive) })
	}
}

// failOverSession is short, so that a process that is gone for good is missed soon.
const failOverSession = 6 * time.Second

// TestAStandbyTakesOverWithoutRestoring kills one of two processes for good. The other one has copies of its stores: it
// goes on within two sessions and five seconds, and restores what was logged since, not the state.
func TestAStandbyTakesOverWithoutRestoring(t *testing.T) {
	restored, of := failOver(t, standbyApp, func(other *process) bool {
		return strings.Count(other.out.String(), "standby task assigned") >= crashPartitions/2
	})
	if restored > of/4 {
		t.Errorf("%d records were restored of %d, though there were copies", restored, of)
	}
}

// TestTheOtherProcessTakesOverByRestoring is the same without copies: within the same time, with what is in the changelogs.
func TestTheOtherProcessTakesOverByRestoring(t *testing.T) {
	if restored, of := failOver(t, countApp, func(*process) bool { return true }); restored == 0 {
		t.Errorf("nothing was restored of %d", of)
	}
}

// failOver kills one of two processes for good once the other is ready, and returns how many records that one has restored
// then, of how many.
func failOver(t *testing.T, app subject, ready func(other *process) bool) (restored, of int) {
	t.Helper()
	b := startEmbedded(t)
	c := newCrash(t, b, b.Addr, app)
	c.logs = "info"
	c.settings = append(c.settings, fmt.Sprintf("session.timeout.ms=%d", failOverSession.Milliseconds()), "heartbeat.interval.ms=500")
	c.start("0")
	c.feedUntil(c.outputs(500))
	other := c.start("1")
	c.awaitRunning()
	c.feedUntil(func() bool { return ready(other) })
	c.feedUntil(c.outputs(4 * c.backlog))
	before := len(other.out.String())
	c.kill(c.procs["0"])
	c.bury(c.procs["0"], "killed")
	took := c.outputsEverywhere()
	for _, line := range regexp.MustCompile(`msg="store restored".* records=(\d+)`).FindAllStringSubmatch(other.out.String()[before:], -1) {
		n, _ := strconv.Atoi(line[1])
		restored += n
	}
	t.Logf("every partition went on after %.1f s, of which %.0f s are the session; %d records were restored of %d", took.Seconds(), failOverSession.Seconds(), restored, c.checked)
	if limit := 2*failOverSession + reviveLimit; took > limit {
		t.Errorf("a partition waited for %.1f s", took.Seconds())
	}
	of = c.checked
	c.drain()
	c.stopAll()
	c.checkGroup()
	return restored, of
}

// revived runs one process, does what revive does, and wants outputs of every partition for input of after it.
func revived(t *testing.T, revive func(c *crash)) {
	t.Helper()
	b := startEmbedded(t)
	c := newCrash(t, b, b.Addr, countApp)
	c.settings = append(c.settings, "transaction.timeout.ms=60000")
	c.start("0")
	c.feedUntil(c.outputs(500))
	c.awaitRunning()
	revive(c)
	took := c.outputsEverywhere()
	t.Logf("every partition went on after %.1f s", took.Seconds())
	if took > reviveLimit {
		t.Errorf("a partition waited for %.1f s", took.Seconds())
	}
	c.drain()
	c.stopAll()
	c.checkGroup()
}

// awaitRunning waits until all processes run.
func (c *crash) awaitRunning() {
	c.t.Helper()
	c.feedUntil(func() bool {
		for _, p := range c.procs {
			if !p.isRunning() {
				return false
			}
		}
		return true
	})
	c.feedUntil(c.outputs(2 * c.backlog))
}

// outputsEverywhere writes more input and waits until each partition has given an output for it. It returns how long that
// took, without the time for which the processors of the machine were not there for us.
func (c *crash) outputsEverywhere() time.Duration {
	c.t.Helper()
	began, before := time.Now(), c.starved()
	done := c.everywhere()
	c.feed(crashBatch)
	for c.progress = time.Now(); !done(); {
		c.check()
	}
	return time.Since(began) - max(0, c.starved()-before)
}

// everywhere is true when each partition has given an output for input of after the call or, where one cannot tell, when
// there were more outputs than were due at the call.
func (c *crash) everywhere() func() bool {
	if !c.subject.inPlace {
		return c.outputs(c.written - c.checked + 1)
	}
	goals := c.done
	for p := range goals {
		goals[p] += c.oracle.owed(int32(p)) + 1
	}
	return func() bool {
		for p := range goals {
			if c.done[p] < goals[p] {
				return false
			}
		}
		return true
	}
}
