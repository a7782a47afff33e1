package connectors

import (
	"context"
	"log/slog"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// SinkTask writes to a system. One goroutine calls it: Start, then Put in turn with Flush, then Stop.
type SinkTask interface {
	// Start begins with the settings of one task.
	Start(ctx SinkTaskContext, props config.Props) error
	// Put takes records. What they refer to stays as it is and may be kept; the slice itself is borrowed for the call.
	// A fault.Retriable error has the same records put again after the timeout asked for; any other fails the task.
	Put(ctx context.Context, records []SinkRecord) error
	// Flush returns when everything put so far, up to the offsets given (next to be read), is safe.
	Flush(ctx context.Context, offsets map[TopicPartition]int64) error
	// Stop frees what Start took. It is called once, also after Start failed.
	Stop() error
}

// SinkTaskContext is what a sink's task may ask of the runtime, from its own goroutine only.
type SinkTaskContext interface {
	// Configs are the newest settings of the task, with variables resolved.
	Configs() config.Props
	// Assignment are the partitions that the task has at the moment.
	Assignment() []TopicPartition
	// SetOffsets has the consumer go on at these offsets, before the next Put.
	SetOffsets(offsets map[TopicPartition]int64)
	// SetTimeout is how long to wait before the next Put after a Retriable error, once.
	SetTimeout(d time.Duration)
	// Pause and Resume stop and start the reading of partitions of the assignment.
	Pause(partitions ...TopicPartition) error
	Resume(partitions ...TopicPartition) error
	// RequestCommit has offsets committed soon.
	RequestCommit()
	// Errant reports records that could not be delivered; nil where error tolerance is none and no dead letter queue is set.
	Errant() ErrantReporter
	// Log carries names of connector and task.
	Log() *slog.Logger
}

// ErrantReporter takes records that a sink cannot deliver: to the log and the dead letter queue (KIP-610).
type ErrantReporter interface {
	// Report hands the record over; wait returns when it is safe, or the error that fails the task. Offsets are committed only
	// after that, with or without the task waiting.
	Report(record *SinkRecord, cause error) (wait func(context.Context) error)
}

// PreCommitter is a SinkTask that says itself which offsets (next to be read) may be committed. Partitions left out are not
// committed. Without it, Flush is called and everything put is committed.
type PreCommitter interface {
	PreCommit(ctx context.Context, offsets map[TopicPartition]int64) (map[TopicPartition]int64, error)
}

// PartitionListener is a SinkTask that keeps something for each partition.
type PartitionListener interface {
	// Open comes before the first Put of the partitions; Close after the last one, when offsets were committed.
	Open(partitions []TopicPartition) error
	Close(partitions []TopicPartition) error
}
