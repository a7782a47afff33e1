//go:build failpoints && linux

package main_test

import "time"

// slowPace is what 16 KiB wait for on a slow network: 1.6 MB/s for each connection, and a round trip of 20 ms.
const slowPace = 10 * time.Millisecond

// networkFaults are those of the connections.
func (p *programme) networkFaults() []fault {
	return []fault{
		{name: "connections cut", do: p.cut},
		{name: "connections half open", do: p.halfOpen, limit: halfOpenLimit},
		{name: "slow network", do: p.slow},
	}
}

// cut ends all connections at a random moment, several times.
func (p *programme) cut() {
	p.t.Helper()
	for range 3 {
		moment := time.Now().Add(time.Duration(p.rng.IntN(200)) * time.Millisecond)
		p.feedUntil(func() bool { return time.Now().After(moment) })
		p.cutBy(p.proxy.Cut)
		p.feedUntil(p.outputs(1))
	}
}

// halfOpen leaves all connections without an answer until they are given up.
func (p *programme) halfOpen() {
	p.t.Helper()
	p.cutBy(p.proxy.HalfOpen)
}

func (p *programme) cutBy(cut func() int) {
	p.t.Helper()
	n := cut()
	if n == 0 {
		p.t.Error("vacuous: there were no connections")
	}
	p.note("%d connections", n)
	p.cuts += n
}

// slow has everything take its time while a process dies and comes again.
func (p *programme) slow() {
	p.t.Helper()
	p.proxy.Slow(slowPace)
	defer p.proxy.Slow(0)
	p.feedUntil(p.outputs(faultRecords))
	p.revive(p.one())
	p.feedUntil(p.outputs(faultRecords))
}
