package wasm

import (
	"encoding/binary"
	"fmt"
)

// Layout of poll_oneoff.
const (
	subscriptionSize = 48
	eventSize        = 32
	maxSubscriptions = 1024

	tagClock = 0
	tagRead  = 1
	tagWrite = 2
)

// wasiPoll waits for nothing: what is ready is told at once, else the clock moves to the first time asked for.
func (in *Instance) wasiPoll(s []uint64) {
	count := uint32(s[2])
	if count == 0 || count > maxSubscriptions {
		s[0] = wasiInval
		return
	}
	subs, ok := in.bytes(s[0], uint64(count)*subscriptionSize)
	if !ok {
		s[0] = wasiFault
		return
	}
	events, ok := in.bytes(s[1], uint64(count)*eventSize)
	if !ok {
		s[0] = wasiFault
		return
	}
	in.budget.charge(uint64(count))
	n := pollStreams(subs, events)
	if n == 0 {
		n = in.pollClocks(subs, events)
	}
	s[0] = faultUnless(in.put32(s[3], n))
}

// pollStreams: standard streams are always ready, all other descriptors are bad.
func pollStreams(subs, events []byte) (n uint32) {
	for ; len(subs) > 0; subs = subs[subscriptionSize:] {
		tag := subs[8]
		if tag == tagClock {
			continue
		}
		errno := uint16(wasiSuccess)
		if fd := binary.LittleEndian.Uint32(subs[16:]); tag > tagWrite {
			errno = wasiInval
		} else if !isStream(uint64(fd)) {
			errno = wasiBadF
		}
		putEvent(events[n*eventSize:], subs, errno)
		n++
	}
	return n
}

// pollClocks moves the clock to the earliest time and tells all that are due then.
func (in *Instance) pollClocks(subs, events []byte) (n uint32) {
	now := in.readClock()
	first := ^uint64(0)
	for rest := subs; len(rest) > 0; rest = rest[subscriptionSize:] {
		first = min(first, in.due(rest, now))
	}
	// A guest that waits for ever cannot make its clock overflow.
	const century = 100 * 365 * 24 * 3600 * 1_000_000_000
	in.clock.now = max(now, min(first, now+century))
	for rest := subs; len(rest) > 0; rest = rest[subscriptionSize:] {
		if in.due(rest, now) <= first {
			putEvent(events[n*eventSize:], rest, wasiSuccess)
			n++
		}
	}
	return n
}

// due is when a subscription to a clock ends, in the time of readClock.
func (in *Instance) due(sub []byte, now uint64) uint64 {
	id, timeout := binary.LittleEndian.Uint32(sub[16:]), binary.LittleEndian.Uint64(sub[24:])
	const absolute = 1
	base := now
	if sub[40]&absolute != 0 {
		base = 0
		if id != clockRealtime {
			base = in.clock.began
		}
	}
	if timeout > ^uint64(0)-base {
		return ^uint64(0)
	}
	return base + timeout
}

func putEvent(event, sub []byte, errno uint16) {
	clear(event[:eventSize])
	copy(event, sub[:8]) // userdata
	binary.LittleEndian.PutUint16(event[8:], errno)
	event[10] = sub[8]
}

func exitMessage(code uint32) string {
	return fmt.Sprintf("ended itself with exit code %d", code)
}
