package wasm

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// exportStart is what a module's start function is called in a TrapError.
const exportStart = "start"

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
	// Stack is the guest's call stack, innermost first: a function's name in the module's name section, and in brackets
	// where it stands in the module's file, with source file, line and column if the module was compiled with -g:
	// "parse (0x1a2b, words.c:12:3)".
	Stack []string
	// Fuel is what the call had used; Budget what it had.
	Fuel, Budget uint64
	// MemoryBytes is the size of the guest's memory when it died.
	MemoryBytes uint64
}

// Error is one line: component, function, reason, place, fuel.
func (e *TrapError) Error() string {
	where := e.Export
	if e.Component != "" {
		where = e.Component + " in " + where
	}
	at := ""
	if len(e.Stack) > 0 {
		at = " at " + e.Stack[0]
	}
	return fmt.Sprintf("guest %s (%s): %s: %s%s, fuel used: %d of %d", e.Module, shortDigest(e.Digest), where, e.Message, at, e.Fuel, e.Budget)
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
	detail := fmt.Sprintf("memory: %d KiB", e.MemoryBytes>>10)
	for _, frame := range e.Stack {
		detail += "\n    at " + frame
	}
	return code.New(where, e.Error(), e.fix()).WithDetail(detail)
}

// fix is what helps against what the instance died of; "" leaves it to the page of the code.
func (e *TrapError) fix() string {
	early := slices.Contains([]string{exportStart, abi.ExportInitialize, abi.ExportDescribe}, e.Export)
	switch e.Reason {
	case ReasonFuel:
		if early {
			return "look for a loop that does not end in the function named first; little can be done before the first record"
		}
		return "look for a loop that does not end in the function named first; for honest work raise wasm.fuel.per.record or wasm.fuel.max"
	case ReasonWall:
		return "look for a loop in the function named first that goes through much memory; for honest work, or on a busy machine, raise wasm.call.timeout.ms"
	case ReasonDepth:
		return "look for a recursion that does not end in the functions below; for honest depth raise wasm.stack.max.bytes"
	case ReasonMemory:
		return "release what is kept between records, or raise wasm.memory.max.bytes"
	case ReasonExit:
		return "return from the function instead of ending the program"
	case ReasonTrap:
		if early {
			return "correct what the module does before its first record, in the function named first"
		}
	}
	return ""
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
	stopWall        = &stop{ReasonWall, "took too long by the clock"}
	stopDepth       = &stop{ReasonDepth, "nested calls too deep"}
	stopInterrupted = &stop{ReasonInterrupted, "was interrupted"}
	stopAbuse       = &stop{ReasonAbuse, "called imports with bad pointers too often"}
)

// classify turns what wazero returned into reason, message and stack.
func (c *compiled) classify(err error) (reason, message string, stack []string) {
	text, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:")
	if s, ok := errors.AsType[*stop](err); ok {
		return s.reason, s.message, c.parseStack(trace)
	}
	if _, ok := errors.AsType[runtime.Error](err); ok {
		return ReasonHost, "the host failed: " + err.Error(), c.parseStack(trace)
	}
	text = strings.TrimPrefix(text, "wasm error: ")
	if strings.HasPrefix(text, "stack overflow") {
		return ReasonDepth, stopDepth.message, c.parseStack(trace)
	}
	if text, ok := strings.CutSuffix(text, " (recovered by wazero)"); ok {
		return ReasonHost, "the host failed: " + text, c.parseStack(trace)
	}
	return ReasonTrap, text, c.parseStack(trace)
}

// signatureSuffix is what wazero writes behind a function's name: "(i32,i32) i64".
var signatureSuffix = regexp.MustCompile(`\([a-z0-9,]*\)( [a-z0-9]+| \([a-z0-9,]+\))?$`)

// sourceLine is how wazero tells where in the metered code section a frame stands (offsets.go).
var sourceLine = regexp.MustCompile(`^\t0x([0-9a-f]+): @:1$`)

// parseStack takes names and places out of wazero's trace. The metering pass has written a name for every function, free
// of control characters, so a line is a frame, or the place of the frame before it.
func (c *compiled) parseStack(trace string) []string {
	var stack []string
	own := false // the last frame is the guest's
	steps := lineSteps
	for line := range strings.SplitSeq(trace, "\n\t") {
		line, _, _ = strings.Cut(line, "\n")
		if at := sourceLine.FindStringSubmatch(line); at != nil {
			if own {
				stack[len(stack)-1] += c.place(at[1], &steps)
			}
			continue
		}
		own = line != "" && !strings.HasPrefix(line, meterModule+".") && !strings.HasPrefix(line, "."+bulkName)
		if own {
			name := signatureSuffix.ReplaceAllString(line, "")
			stack = append(stack, strings.TrimPrefix(name, "."))
		}
	}
	return stack
}

// place is " (0x1a2b, words.c:12:3)" for a place in the metered code section: where it is in the module's file, and
// where it came from, if the module tells and steps are left to read it.
func (c *compiled) place(metered string, steps *int) string {
	at, err := strconv.ParseUint(metered, 16, 31)
	if err != nil {
		return ""
	}
	origin, ok := c.offsets.original(int(at))
	if !ok {
		return ""
	}
	if line := c.lines.find(uint64(origin), steps); line != "" {
		return fmt.Sprintf(" (0x%x, %s)", c.offsets.code+origin, line)
	}
	return fmt.Sprintf(" (0x%x)", c.offsets.code+origin)
}

func shortDigest(d string) string {
	const short = len("sha256:") + 12
	return d[:min(len(d), short)]
}
