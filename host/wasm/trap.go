package wasm

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Reasons why an instance died.
const (
	ReasonTrap        = "trap"        // unreachable, division by zero, an address outside its memory, ...
	ReasonFuel        = "fuel"        // the call's budget is used up
	ReasonWall        = "wall"        // the call took longer than Limits.Wall
	ReasonMemory      = "memory"      // it trapped after a growth of memory was refused
	ReasonDepth       = "depth"       // calls nested beyond Limits.StackBytes
	ReasonExit        = "exit"        // it ended itself (proc_exit)
	ReasonContract    = "contract"    // an answer that the ABI does not allow: a view outside its memory, ...
	ReasonAbuse       = "abuse"       // too many calls of imports with bad pointers
	ReasonInterrupted = "interrupted" // Interrupt was called
	ReasonHost        = "host"        // the Host or the engine itself panicked; Message has the stack in Go
)

// TrapError says why an instance died. Every later call of that instance returns the same error.
type TrapError struct {
	Module, Digest string
	// Component is that of the handle called, "" outside of handles.
	Component string
	// Export is the function that the host had called, "start" for the module's start function.
	Export string
	// Reason is one of the Reason constants.
	Reason string
	// Message is one line in words.
	Message string
	// Stack is the guest's call stack, innermost first, with the names of the module's name section.
	Stack []string
	// Fuel is what the call had used; Budget what it had.
	Fuel, Budget uint64
	// MemoryBytes is the size of the guest's memory when it died.
	MemoryBytes uint64
}

// Error is one line: component, function, reason.
func (e *TrapError) Error() string {
	where := e.Export
	if e.Component != "" {
		where = e.Component + " in " + where
	}
	at := ""
	if len(e.Stack) > 0 {
		at = " at " + e.Stack[0]
	}
	return fmt.Sprintf("guest %s (%s): %s: %s%s", e.Module, shortDigest(e.Digest), where, e.Message, at)
}

// Coded is the error for users: where names the record or frame ("topic-0@42").
func (e *TrapError) Coded(where string) *errs.Error {
	code := errs.GuestTrap
	switch e.Reason {
	case ReasonFuel, ReasonWall, ReasonDepth:
		code = errs.GuestBudget
	case ReasonMemory:
		code = errs.GuestMemory
	case ReasonContract, ReasonAbuse:
		code = errs.GuestContract
	}
	detail := fmt.Sprintf("fuel used: %d of %d, memory: %d KiB", e.Fuel, e.Budget, e.MemoryBytes>>10)
	for _, frame := range e.Stack {
		detail += "\n    at " + frame
	}
	return code.New(where, e.Error(), "").WithDetail(detail)
}

// CallError is the negative answer of an export: the call failed, its effects are to be thrown away, the instance lives.
// Text and class were given to Host.SetError before.
type CallError struct {
	Export string
	Errno  abi.Errno
}

// Error names the export and the number.
func (e *CallError) Error() string { return fmt.Sprintf("guest: %s answered %s", e.Export, e.Errno) }

// Unwrap makes errors.Is(err, abi.NotFound) and the like work.
func (e *CallError) Unwrap() error { return e.Errno }

// ErrReentered is returned when an instance is called from inside one of its own calls, which the engine below would
// answer with a wrong result.
var ErrReentered = errors.New("wasm: an instance was called while it was running")

// errClosed is what a closed instance answers.
var errClosed = errors.New("wasm: the instance is closed")

// stop is the panic by which the host ends a guest's call.
type stop struct{ reason, message string }

func (s *stop) Error() string { return s.message }

var (
	stopFuel        = &stop{ReasonFuel, "used up its budget of computing"}
	stopWall        = &stop{ReasonWall, "took longer than it may by the clock"}
	stopDepth       = &stop{ReasonDepth, "nested calls too deep"}
	stopInterrupted = &stop{ReasonInterrupted, "was interrupted"}
	stopAbuse       = &stop{ReasonAbuse, "called imports with bad pointers too often"}
)

// classify turns what wazero returned into reason, message and stack.
func classify(err error) (reason, message string, stack []string) {
	text, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:")
	if s, ok := errors.AsType[*stop](err); ok {
		return s.reason, s.message, parseStack(trace)
	}
	if _, ok := errors.AsType[runtime.Error](err); ok {
		return ReasonHost, "the host failed: " + err.Error(), parseStack(trace)
	}
	text = strings.TrimPrefix(text, "wasm error: ")
	if strings.HasPrefix(text, "stack overflow") {
		return ReasonDepth, stopDepth.message, parseStack(trace)
	}
	if text, ok := strings.CutSuffix(text, " (recovered by wazero)"); ok {
		return ReasonHost, "the host failed: " + text, parseStack(trace)
	}
	return ReasonTrap, text, parseStack(trace)
}

// signatureSuffix is what wazero writes behind a function's name: "(i32,i32) i64".
var signatureSuffix = regexp.MustCompile(`\([a-z0-9,]*\)( [a-z0-9]+| \([a-z0-9,]+\))?$`)

// parseStack takes the names out of wazero's trace. The metering pass has written a name for every function, free of
// control characters, so a line is a frame.
func parseStack(trace string) []string {
	var stack []string
	for line := range strings.SplitSeq(trace, "\n\t") {
		line, _, _ = strings.Cut(line, "\n")
		if line == "" || strings.HasPrefix(line, meterModule+".") {
			continue
		}
		name := signatureSuffix.ReplaceAllString(line, "")
		stack = append(stack, strings.TrimPrefix(name, "."))
	}
	return stack
}

func shortDigest(d string) string {
	const short = len("sha256:") + 12
	return d[:min(len(d), short)]
}
