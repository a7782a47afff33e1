package connectors

import (
	"context"
	"log/slog"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// SourceTask reads from a source. One goroutine calls it: Start, then Poll in turn with Commit and CommitRecord, then Stop.
type SourceTask interface {
	// Start begins with the settings of one task. It reads ctx.Offsets to go on where its predecessor ended.
	Start(ctx *SourceTaskContext, props config.Props) error
	// Poll returns records, which belong to the caller from then on. It may wait for data until ctx is done; nothing to read is
	// nil, nil. A fault.Retriable error has Poll called again; any other fails the task.
	Poll(ctx context.Context) ([]SourceRecord, error)
	// Stop frees what Start took. It is called once, also after Start failed, and not while Poll runs.
	Stop() error
}

// SourceTaskContext is what a task may ask of the runtime.
type SourceTaskContext struct {
	// Offsets reads what was committed; never nil.
	Offsets OffsetReader
	// Transaction is set when transaction.boundary is connector, else nil.
	Transaction TransactionContext
	// Configs are the newest settings of the task, with variables resolved.
	Configs func() config.Props
	// Log carries names of connector and task.
	Log *slog.Logger
}

// OffsetReader reads committed offsets of source partitions: nil where there is none.
type OffsetReader interface {
	Offset(partition *data.Map) (*data.Map, error)
	// Offsets are those of partitions, in the same order.
	Offsets(partitions []*data.Map) ([]*data.Map, error)
}

// TransactionContext lets a task define transactions (transaction.boundary=connector). A record is one that the task has
// returned or is about to return from the same Poll, by its index there; -1 is the whole batch.
type TransactionContext interface {
	// CommitAfter commits when the record is written; AbortAfter drops the transaction with the record as its last.
	CommitAfter(record int)
	AbortAfter(record int)
}

// WholeBatch stands for all records of the next Poll in a TransactionContext.
const WholeBatch = -1

// RecordMetadata says where a record came to lie in Kafka.
type RecordMetadata struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64
}

// SourceCommitter is a SourceTask that wants to know when offsets were committed. It must not assume that all records of the
// last Poll are among them.
type SourceCommitter interface {
	Commit() error
}

// RecordCommitter is a SourceTask that wants to know of each record: written (meta is set), or filtered or dropped by error
// tolerance (meta is nil). It is called in the order of acknowledgement, from the task's goroutine.
type RecordCommitter interface {
	CommitRecord(r *SourceRecord, meta *RecordMetadata) error
}
