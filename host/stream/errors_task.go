package stream

import (
	"errors"
	"fmt"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// ProcessingError says which node failed, and on which source records.
type ProcessingError struct {
	Task topology.TaskID
	Node string
	// Origin is the partition of the source records, nil in punctuators and flushes. First and Last are the offsets of
	// the frame that the node was given: the failed record is one of them.
	Origin      *topology.TopicPartition
	First, Last int64
	Cause       error
}

// Error names the place and the cause.
func (e *ProcessingError) Error() string {
	return fmt.Sprintf("processing %s in node %s of task %s: %v", placeOf(e.Origin, e.First, e.Last), e.Node, e.Task, e.Cause)
}

// Unwrap returns the cause.
func (e *ProcessingError) Unwrap() error { return e.Cause }

// placeOf is the place of a frame in the form that errors use: "topic-0@42" or "topic-0@42..57".
func placeOf(origin *topology.TopicPartition, first, last int64) string {
	if origin == nil {
		return "no record"
	}
	where := fmt.Sprintf("%s-%d@%d", origin.Topic, origin.Partition, first)
	if last > first {
		where += fmt.Sprintf("..%d", last)
	}
	return where
}

// GuestError says which guest failed, in which version, and on which source records.
type GuestError struct {
	ApplicationID string
	Task          topology.TaskID
	Node          string
	Module        string
	Digest        string
	Component     string
	Export        string
	Origin        *topology.TopicPartition // nil in punctuators and flushes
	First, Last   int64
	// Trap is how the instance died; nil if it reported an error and lives.
	Trap *wasm.TrapError
	// Refused is the answer of a call that failed as a whole, else nil.
	Refused *wasm.CallError
	// Coded is the error for users: in one line code, place, application, node, component and version, what happened and
	// what can be done; below it the whole digest, the fuel and the stack.
	Coded *errs.Error

	of     *guestFunction
	index  int32 // position in the call's frame of the record that the guest blames, -1 if none
	class  abi.Class
	reason string // for metrics
	fuel   uint64
	dead   bool // the instance is
	final  bool // no part of the frame is to be tried again
}

// Error is the text for users on one line.
func (e *GuestError) Error() string { return e.Coded.Error() }

// Reason is why the call failed, as the metric guest_traps_total names it: that of the trap, or error, answer, limit.
func (e *GuestError) Reason() string { return e.reason }

// Unwrap returns the coded error.
func (e *GuestError) Unwrap() error { return e.Coded }

// isLocated tells whether err says already where it happened.
func isLocated(err error) bool {
	_, processing := errors.AsType[*ProcessingError](err)
	_, guest := errors.AsType[*GuestError](err)
	return processing || guest
}

// isFinal tells whether err ends the task whatever the exception handler says: it was decided on already, or has
// nothing to do with the record, or leaves nothing to go on with.
func isFinal(err error) bool {
	_, corrupted := errors.AsType[*TaskCorruptedError](err)
	_, processing := errors.AsType[*ProcessingError](err)
	_, guest := errors.AsType[*GuestError](err)
	return errors.Is(err, ErrTaskMigrated) || corrupted || processing || guest || isChangelogError(err)
}
