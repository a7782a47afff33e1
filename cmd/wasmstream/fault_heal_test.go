//go:build failpoints && linux

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// healLimit is the promise: two sessions and five seconds after a fault has ended, all goes on.
const healLimit = 2*faultSession + 5*time.Second

// halfOpenLimit is the same for connections that are half open, where nobody is told: a member that waits in a join gives
// it up after max.poll.interval.ms and request.timeout.ms, and one that was given its assignment over a connection that
// was dead is missed after its session.
const halfOpenLimit = faultRebalance + faultRequest + faultSession + 5*time.Second

// heal is healWithin the promise.
func (p *programme) heal(after string) {
	p.t.Helper()
	p.healWithin(after, healLimit)
}

// healWithin wants every partition to give an output for input of after the call, within limit of the time for which the
// processors of the machine were there for us.
func (p *programme) healWithin(after string, limit time.Duration) {
	p.t.Helper()
	began, before := time.Now(), p.starved()
	done := p.everywhere()
	p.feedUntil(done)
	took := time.Since(began)
	p.slowestHealing = max(p.slowestHealing, took)
	if took <= limit {
		return
	}
	waited := p.starved() - before
	p.note("%s: went on after %.1f s, for %.1f s of which it had no processor", after, took.Seconds(), waited.Seconds())
	if took-max(0, waited) > limit {
		p.t.Errorf("no output for %.1f s after %s has ended, without the %.1f s in which other programs had the processors", (took - waited).Seconds(), after, waited.Seconds())
	}
}

// starved is for how long the processes were ready to run and did not: of each, its thread that waited longest. One
// thing after the other may have to be done by each of them.
func (p *programme) starved() (sum time.Duration) {
	for _, one := range p.procs {
		var longest time.Duration
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", one.cmd.Process.Pid))
		for _, file := range files {
			longest = max(longest, runDelay(file))
		}
		sum += longest
	}
	return sum
}

// runDelay reads how long a thread has waited for a processor; 0 where it has ended or the kernel does not count.
func runDelay(schedstat string) time.Duration {
	text, _ := os.ReadFile(schedstat)
	var ran, waited int64
	_, _ = fmt.Sscan(string(text), &ran, &waited)
	return time.Duration(waited)
}
