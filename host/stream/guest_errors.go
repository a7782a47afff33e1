package stream

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// Reasons of failed calls beside those of traps (wasm.Reason...), as metrics name them.
const (
	reasonError  = "error"  // the guest reported it
	reasonAnswer = "answer" // the answer was not allowed
	reasonLimit  = "limit"  // the answer was too large
)

// failure makes the error of a call that failed; where the answer broke the ABI, the instance ends.
func (h *guestHandle) failure(err error) error {
	if guest, ok := errors.AsType[*GuestError](err); ok && guest.of == h.f {
		return guest
	}
	if trap, ok := errors.AsType[*wasm.TrapError](err); ok {
		e := h.guestError(0, len(h.call.in)-1)
		e.Trap, e.reason, e.dead = trap, trap.Reason, true
		coded, what := trap.Coded(""), trap.Message
		if len(trap.Stack) > 0 {
			what += " at " + trap.Stack[0]
		}
		detail := fmt.Sprintf("fuel used: %d of %d, memory: %d KiB", trap.Fuel, trap.Budget, trap.MemoryBytes>>10)
		for _, frame := range trap.Stack {
			detail += "\n    at " + frame
		}
		return e.say(errs.Code{ID: coded.Code, Remedy: coded.Fix}, what, detail)
	}
	if refused, ok := errors.AsType[*wasm.CallError](err); ok {
		return h.refusal(refused)
	}
	if broken, ok := errors.AsType[*abi.FrameError](err); ok {
		return h.broken(broken.Error())
	}
	if over, ok := errors.AsType[*limitError](err); ok {
		e := h.reported(-1, abi.ClassFail, errs.GuestLimit, over.what)
		e.reason = reasonLimit
		return e
	}
	if errors.Is(err, wasm.ErrReentered) {
		return h.f.reentered(h.call.in)
	}
	return err
}

// refusal is the error of a call that the guest answered with an error number, with the text it gave before.
func (h *guestHandle) refusal(refused *wasm.CallError) error {
	blame := &h.call.blame
	what := refused.Error()
	if blame.message != "" {
		what = "the guest reports: " + blame.message + " (" + refused.Errno.Error() + ")"
	}
	index, class := int32(-1), abi.ClassFail
	if blame.set {
		index, class = blame.index, blame.class
	}
	e := h.reported(index, class, errs.GuestError, what)
	e.Refused = refused
	return e
}

// broken is the error of an answer that breaks the ABI. The guest is not asked again.
func (h *guestHandle) broken(what string) error {
	h.on.instance.Close()
	e := h.guestError(0, len(h.call.in)-1)
	e.reason, e.dead = wasm.ReasonContract, true
	return e.say(errs.GuestContract, "it broke the ABI: "+what, "")
}

// reported is the error that a guest reports for record index, or for the whole frame if there is none.
func (h *guestHandle) reported(index int32, class abi.Class, code errs.Code, what string) *GuestError {
	first, last := 0, len(h.call.in)-1
	if index >= 0 && int(index) < len(h.call.in) {
		first, last = int(index), int(index)
	} else {
		index = -1
	}
	e := h.guestError(first, last)
	e.index, e.class, e.reason = index, class, reasonError
	if code.ID == errs.GuestAnswer.ID {
		e.reason = reasonAnswer
	}
	return e.say(code, what, "")
}

// guestError is the error of a call about the input records first to last.
func (h *guestHandle) guestError(first, last int) *GuestError {
	e := h.f.guestError(h.call.export, h.on.module.Digest())
	e.fuel = h.on.instance.Fuel()
	if in := h.call.in; last >= first && last < len(in) {
		e.Origin, e.First, e.Last = in[first].Origin, in[first].Offset, in[last].Offset
	}
	return e
}

func (f *guestFunction) guestError(export, digest string) *GuestError {
	t := f.node.task
	return &GuestError{
		ApplicationID: t.config.ApplicationID, Task: t.config.ID, Node: f.node.spec.Name, Module: f.ref.Module,
		Digest: digest, Component: f.ref.Component, Export: export, First: -1, Last: -1,
		of: f, index: -1, class: abi.ClassFail,
	}
}

// reentered is the error of records that reach a guest while it writes to a store whose cache forwards them to it.
func (f *guestFunction) reentered(in []topology.Record) error {
	e := f.guestError(abi.ExportProcess, f.module.current.module.Digest())
	if len(in) > 0 {
		e.Origin, e.First, e.Last = in[0].Origin, in[0].Offset, in[len(in)-1].Offset
	}
	e.final = true
	return e.say(errs.GuestUnsupported, "records reach the guest while it writes to a store whose cache forwards them to it", "")
}

// say gives e its words: the place, then application, node, component and version, then what happened; below it the
// fuel that was used and the guest's stack.
func (e *GuestError) say(code errs.Code, what, detail string) *GuestError {
	who := fmt.Sprintf("application %s, task %s, node %s, %s/%s (%s) in %s", e.ApplicationID, e.Task, e.Node, e.Module, e.Component, shortDigest(e.Digest), e.Export)
	if e.Trap == nil {
		detail = fmt.Sprintf("fuel used: %d", e.fuel)
	}
	e.Coded = code.New(placeOf(e.Origin, e.First, e.Last), who+": "+what, "").WithDetail("module: " + e.Digest + "\n" + detail)
	return e
}

// shortDigest is enough of a digest to tell versions apart.
func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	return digest[:min(len(digest), enough)]
}

// printable makes text of a guest fit for one line.
func printable(text []byte) string {
	const most = 1024
	clean := make([]rune, 0, len(text))
	for _, r := range string(text[:min(len(text), most)]) {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			r = ' '
		}
		clean = append(clean, r)
	}
	return string(clean)
}
