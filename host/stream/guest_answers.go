package stream

import (
	"bytes"
	"fmt"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// answerRule is what a kind allows (abi/SPEC.md, 3). It is checked while the answers of a call come in, before anything
// of them counts, so that a record that is answered wrongly is handled like one that the guest failed on.
type answerRule struct {
	keep    uint8 // Keep flags of the parts that must stay as they are
	once    bool  // each record has exactly one answer, or an error
	none    bool  // no record has an answer
	counted bool  // once or none
}

func ruleOf(kind abi.Kind) answerRule {
	const rest = abi.KeepHeaders | abi.KeepTimestamp
	switch kind {
	case abi.Map:
		return answerRule{keep: rest, once: true, counted: true}
	case abi.MapValues:
		return answerRule{keep: rest | abi.KeepKey, once: true, counted: true}
	case abi.SelectKey:
		return answerRule{keep: rest | abi.KeepValue, once: true, counted: true}
	case abi.FlatMap:
		return answerRule{keep: rest}
	case abi.FlatMapValues:
		return answerRule{keep: rest | abi.KeepKey}
	case abi.Foreach:
		return answerRule{none: true, counted: true}
	}
	return answerRule{}
}

// allowed holds an answer to the rule. A part that is not kept by reference may still be the same bytes.
func (h *guestHandle) allowed(a *topology.Record, r *abi.Record) error {
	c := &h.call
	if r.Index == abi.NoIndex {
		return h.wrong(-1, "an answer must belong to a record")
	}
	in := &c.in[r.Index]
	switch changed := h.rule.keep &^ r.Flags; {
	case h.rule.none:
		return h.wrong(int32(r.Index), "the function must not answer anything")
	case h.rule.once && r.Index != c.due:
		return h.wrong(int32(min(c.due, r.Index)), "the function must answer each record exactly once")
	case changed&abi.KeepKey != 0 && !sameBytes(a.Key, in.Key):
		return h.wrong(int32(r.Index), "the function must not change the key")
	case changed&abi.KeepValue != 0 && !sameBytes(a.Value, in.Value):
		return h.wrong(int32(r.Index), "the function must not change the value")
	case changed&abi.KeepTimestamp != 0 && a.Timestamp != in.Timestamp:
		return h.wrong(int32(r.Index), fmt.Sprintf("the function must not change the timestamp (got %d, had %d)", a.Timestamp, in.Timestamp))
	case changed&abi.KeepHeaders != 0 && !sameHeaders(a.Headers, in.Headers):
		return h.wrong(int32(r.Index), "the function must not change the headers")
	}
	c.due++
	return nil
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func sameHeaders(a, b []topology.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || !sameBytes(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

// complete checks what can be told only of all answers of a call together.
func (h *guestHandle) complete() error {
	c := &h.call
	switch {
	case c.export == abi.ExportFlush && c.count > 0 && !h.component.Buffers:
		return &abi.FrameError{Clause: "LIFE-6", Record: -1, What: "ws_flush gave records, but the manifest does not say that the component buffers"}
	case h.rule.once && int(c.due) != len(c.in):
		return h.wrong(int32(c.due), "the function must answer each record exactly once (got none for this one)")
	}
	return nil
}

// wrong is the error of an answer that the kind of the component does not allow.
func (h *guestHandle) wrong(index int32, what string) error {
	return h.reported(index, abi.ClassFail, errs.GuestAnswer, string(h.component.Kind)+": "+what)
}

// limitError is the error of an answer beyond the limits of the component.
type limitError struct{ what string }

func (e *limitError) Error() string { return e.what }

// errorRecord does what the guest says is to be done with an input record that it could not process. Where the record is
// to be tried again, or ends the task, the whole call fails: the record is found to be alone then.
func (h *guestHandle) errorRecord(r *abi.Record) error {
	class, message := abi.Class(r.Dest), printable(r.Value)
	if h.rule.once && h.call.due == r.Index {
		h.call.due++
	}
	action := Skip
	switch policy := &h.f.policy; {
	case class == abi.ClassDeadLetter:
		action = DeadLetter
	case class == abi.ClassRetry, class == abi.ClassFail && (policy.Action == Fail || policy.Retries > 0):
		return h.reported(int32(r.Index), class, errs.GuestError, "the guest reports: "+message)
	case class == abi.ClassFail:
		action = policy.Action
	}
	if action == DeadLetter && h.on.task.config.DeadLetterTopic == "" {
		return h.reported(int32(r.Index), abi.ClassFail, errs.DeadLetterUnset, "the guest wants a record in the dead-letter topic, and there is none: "+message)
	}
	h.call.effects.rulings = append(h.call.effects.rulings, ruling{int32(r.Index), action, message})
	return nil
}
