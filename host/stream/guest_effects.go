package stream

import (
	"fmt"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// callEffects is what a running call has brought about beside its answers. It waits until the call has succeeded: then
// settle makes it happen, in the order in which the guest asked for it; a call that fails leaves nothing behind.
type callEffects struct {
	written int     // memory for what is in the logs of the stores
	stores  []int32 // those with writes
	series  []int32 // metrics that were added to
	timers  int     // how many the handle had before
	cancels []int32 // timers to end
	commit  bool
	// rulings are about input records that the guest could not process.
	rulings []ruling
}

// ruling is what becomes of an input record that its guest could not process.
type ruling struct {
	index   int32
	action  ErrorAction // Skip or DeadLetter
	message string
}

func (h *guestHandle) beginEffects() {
	e := &h.call.effects
	e.written, e.commit, e.timers = 0, false, len(h.timers)
	e.stores, e.series, e.cancels, e.rulings = e.stores[:0], e.series[:0], e.cancels[:0], e.rulings[:0]
}

// settle makes the effects of a call that succeeded happen. Writes may reach other nodes, through the cache of a store
// that they read; guests of the same module may run there, since this one's call is over. An error is that of a store or
// of such a node and ends the task.
func (h *guestHandle) settle() error {
	e := &h.call.effects
	for _, i := range e.series {
		s := h.f.metrics.at(int(i))
		s.Value.Add(s.pending)
		s.pending = 0
	}
	for i := e.timers; i < len(h.timers); i++ {
		if h.opened && !h.timers[i].canceled {
			h.startTimer(i, nil)
		}
	}
	for _, i := range e.cancels {
		h.timers[i].cancel()
	}
	if e.commit {
		h.on.task.commitRequested = true
	}
	if err := h.carryOut(); err != nil {
		return err
	}
	if len(e.stores) == 0 {
		return nil
	}
	h.f.settling = true
	err := h.applyWrites()
	h.f.settling = false
	return err
}

// carryOut does what was decided about records that the guest could not process.
func (h *guestHandle) carryOut() error {
	c := &h.call
	for i := range c.effects.rulings {
		v := &c.effects.rulings[i]
		h.f.metrics.Errors.Add(1)
		e := h.reported(v.index, abi.ClassSkip, errs.GuestError, "the guest reports: "+v.message)
		if err := h.f.drop(&c.in[v.index], c.base+v.index, v.action, e); err != nil {
			return err
		}
	}
	return nil
}

// applyWrites hands the writes of the call to the stores.
func (h *guestHandle) applyWrites() error {
	e := &h.call.effects
	h.on.task.written += e.written
	for _, i := range e.stores {
		s := &h.stores[i]
		for j := range s.log.writes {
			w := &s.log.writes[j]
			if err := s.rows.apply(s.log.keyOf(w), s.log.valueOf(w)); err != nil {
				return fmt.Errorf("writing store %s: %w", s.name, err)
			}
		}
		s.forget()
	}
	e.stores = e.stores[:0]
	return nil
}

// discard forgets the effects of a call that failed.
func (h *guestHandle) discard() {
	e := &h.call.effects
	for _, i := range e.stores {
		h.stores[i].forget()
	}
	for _, i := range e.series {
		h.f.metrics.at(int(i)).pending = 0
	}
	for _, i := range e.cancels {
		h.timers[i].canceled = false
	}
	for i := e.timers; i < len(h.timers); i++ {
		h.timers[i].canceled = true // its number stays taken, since the guest may have kept it
	}
	e.stores, e.series, e.cancels, e.rulings, e.commit = e.stores[:0], e.series[:0], e.cancels[:0], e.rulings[:0], false
}

// note keeps a write for the end of the call; 0 is done.
func (h *guestHandle) note(store int32, key, value []byte) int32 {
	e, s := &h.call.effects, &h.stores[store]
	value, ok := s.inward(value, h.on.writeTime(h))
	if !ok {
		return int32(abi.InvalidArg)
	}
	if e.written += len(key) + len(value) + writeOverhead; e.written > maxCallWrites || h.on.task.written+e.written > maxFrameWrites {
		return int32(abi.Limit)
	}
	if len(s.log.writes) == 0 {
		e.stores = append(e.stores, store)
	}
	keys := s.log.keys
	s.rows.note(&s.log, key, value)
	e.written += (s.log.keys - keys) * keyOverhead
	return 0
}
