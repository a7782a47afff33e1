//go:build failpoints && linux

package main_test

import "time"

// healLimit is the promise: two sessions and five seconds after a fault has ended, all goes on.
const healLimit = 2*faultSession + 5*time.Second

// halfOpenLimit is the same for connections that are half open, where nobody is told: a member that waits in a join gives
// it up after max.poll.interval.ms and request.timeout.ms, and one that was given its assignment over a connection that
// was dead is missed after its session.
const halfOpenLimit = faultRebalance + faultRequest + faultSession + 5*time.Second

// lostLimit is the same where the identity of a process is lost with its state: what its last life has left open ends by
// transaction.timeout.ms (10 s) only, and for such transactions a broker looks every 10 s.
const lostLimit = 10*time.Second + 10*time.Second + 5*time.Second

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
	waited := p.starved() - before
	p.note("%s: went on after %.1f s, for %.1f s of which it had no processor", after, took.Seconds(), waited.Seconds())
	if took > p.slowestHealing {
		p.slowestHealing, p.healed = took, after
	}
	if took-max(0, waited) > limit {
		p.t.Errorf("no output for %.1f s after %s has ended, without the %.1f s in which other programs had the processors", (took - waited).Seconds(), after, waited.Seconds())
	}
}
