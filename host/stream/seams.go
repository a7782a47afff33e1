package stream

import (
	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/topology"
)

// The interfaces below are all that a Task needs of the world. A Task makes no client calls, reads no clock and starts
// no goroutine: records, the time and limits come as arguments, and what is to be done is returned.

// Collector is where the sinks and changelogs of a task send.
type Collector interface {
	// Send writes rec to a partition of topic; -1 leaves the choice to the key (murmur2), or without one to the
	// collector. rec is borrowed for the call, its bytes are immutable and may be kept.
	Send(topic string, partition int32, rec *topology.Record) error
}

// Modules are the wasm modules of an application by the names that it gives them. A module stays open at least until
// the task that asked for it is closed or has been upgraded to another one of that name.
type Modules interface {
	Module(name string) (*wasm.Module, error)
}

// OffsetAndMetadata is what is committed for a source partition.
type OffsetAndMetadata struct {
	// Offset is that of the next record to process.
	Offset int64
	// LeaderEpoch is that of the record behind it, -1 if unknown.
	LeaderEpoch int32
	// Metadata is a TopicPartitionMetadata in its text form.
	Metadata string
}

// CloseReason says why a task ends; its guests are told.
type CloseReason int32

// Reasons of Task.Close.
const (
	CloseShutdown = CloseReason(abi.CloseStop)   // the application stops
	CloseMigrated = CloseReason(abi.CloseMoved)  // another member takes over
	CloseDirty    = CloseReason(abi.CloseFailed) // the task failed: what it did since the last commit is given up
)
