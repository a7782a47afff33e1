package wasm

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// Slices. The guest's fuel is handed out in slices; between two of them the goroutine is in Go code, where a garbage
// collection can stop it. Fuel is a nanosecond at most, but a guest that misses the cache with every load needs a hundred
// times as long. So the largest slice is short enough for the worst that there is (TestNoSliceIsLong), and smaller ones
// follow the clock: they aim at sliceTime. Their size does not change where a call is killed: the last slice ends exactly
// where the budget does.
const (
	minSlice   = 1 << 13
	maxSlice   = 1 << 16
	firstSlice = maxSlice
	sliceTime  = 500 * time.Microsecond
)

// hostFuelStep is how much fuel of host calls is gathered before it is taken from the guest's slice.
const hostFuelStep = 1 << 18

// budget is what the running call may use.
type budget struct {
	fuel  api.MutableGlobal // nil without metering, and until a start function first calls the host
	depth api.MutableGlobal
	mark  api.MutableGlobal

	total   uint64 // of the call
	granted uint64 // of total, so far
	slice   uint64
	// hostFuel is used by host calls and not yet taken from fuel.
	hostFuel uint64
	wall     time.Duration
	begun    time.Time
	refueled time.Time
	// timed: the clock was read in this call. Most calls end within their first slice and never ask for the time.
	timed       bool
	stopped     func() // told of each stop of the guest, in tests; nil is nobody
	interrupted atomic.Bool
}

// begin starts a call with total fuel.
func (b *budget) begin(total uint64) {
	if b.slice == 0 {
		b.slice = firstSlice
	}
	b.total, b.hostFuel, b.timed = total, 0, false
	b.granted = min(b.slice, total)
	if b.fuel != nil {
		b.fuel.Set(b.granted)
	} else {
		b.granted = 0 // a start function begins before the globals can be reached: with no fuel, and asks
	}
}

// used is what the call has used so far.
func (b *budget) used() uint64 {
	if b.fuel == nil {
		return b.granted + b.hostFuel
	}
	return uint64(int64(b.granted)-int64(b.fuel.Get())) + b.hostFuel
}

// markStep is how much of the stack, in bytes, a guest gives back between two stops. A frame's bytes are as many as its
// instructions at least.
const markStep = 4 << 10

// refuel is called by the guest when fuel is below 0, or depth is, or when it comes back beyond the mark. It answers the
// fuel to go on with.
func (b *budget) refuel(depth, fuel int64) int64 {
	switch {
	case depth < 0:
		panic(stopDepth)
	case b.interrupted.Load():
		panic(stopInterrupted)
	}
	if b.stopped != nil {
		b.stopped()
	}
	if b.mark != nil {
		b.mark.Set(b.depth.Get() + markStep)
	}
	b.pace()
	return b.grant(fuel)
}

// grant takes what host calls used and hands out as much as brings fuel to a slice.
func (b *budget) grant(fuel int64) int64 {
	fuel -= int64(b.hostFuel)
	b.hostFuel = 0
	if fuel >= 0 {
		return fuel
	}
	left := b.total - b.granted
	more := min(left, b.slice+uint64(-fuel))
	b.granted += more
	if fuel += int64(more); fuel < 0 {
		if b.fuel != nil {
			b.fuel.Set(uint64(fuel)) // so that used tells all of it
		}
		panic(stopFuel)
	}
	return fuel
}

// pace reads the clock: it ends a call that takes too long and fits the slice to the guest's speed.
func (b *budget) pace() {
	now := time.Now()
	if !b.timed {
		b.timed, b.begun, b.refueled = true, now, now
		return
	}
	if now.Sub(b.begun) > b.wall {
		panic(stopWall)
	}
	switch took := now.Sub(b.refueled); {
	case took > sliceTime:
		b.slice = max(b.slice/2, minSlice)
	case took < sliceTime/4:
		b.slice = min(b.slice*2, maxSlice)
	}
	b.refueled = now
}

// waited takes time that the guest spent waiting for the host out of its account.
func (b *budget) waited(d time.Duration) {
	if b.timed {
		b.begun, b.refueled = b.begun.Add(d), b.refueled.Add(d)
	}
}

// charge counts fuel that a host call used. It may end the guest's call.
func (b *budget) charge(n uint64) {
	b.hostFuel += n
	if b.hostFuel < hostFuelStep || b.fuel == nil {
		return
	}
	fuel := int64(b.fuel.Get())
	if fuel -= int64(b.hostFuel); fuel >= 0 {
		b.hostFuel = 0
	} else {
		fuel = b.refuel(0, int64(b.fuel.Get()))
	}
	b.fuel.Set(uint64(fuel))
}

// forCall is the fuel of one ws_process. Limits may be as large as numbers are.
func (l *Limits) forCall(records, bytes int) uint64 {
	fuel := min(l.FuelPerFrame, l.FuelMax)
	for _, part := range [...]struct{ each, n uint64 }{{l.FuelPerRecord, uint64(records)}, {l.FuelPerByte, uint64(bytes)}} {
		high, more := bits.Mul64(part.each, part.n)
		if high > 0 || more > l.FuelMax-fuel {
			return l.FuelMax
		}
		fuel += more
	}
	return fuel
}
