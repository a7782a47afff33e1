package topology

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/state"
)

// TaskID names a task: the sub-topology and the partition it works on. Its order is numeric (1_2 < 1_10).
type TaskID struct {
	Subtopology int
	Partition   int32
}

// String is Kafka's form, "<subtopology>_<partition>".
func (id TaskID) String() string {
	return strconv.Itoa(id.Subtopology) + "_" + strconv.Itoa(int(id.Partition))
}

// Less orders tasks by sub-topology, then partition.
func (id TaskID) Less(o TaskID) bool {
	if id.Subtopology != o.Subtopology {
		return id.Subtopology < o.Subtopology
	}
	return id.Partition < o.Partition
}

// Processor is the running form of one processor node in one task. It belongs to the goroutine of its task.
//
// A frame is a run of records in order. The results must equal those of frames of one record: the runtime decides how
// long frames are (and hands out frames of one where branches meet again or nodes share a store).
type Processor interface {
	// Init is called once before the first record.
	Init(ctx Context) error
	// Process handles the records of frame in order and forwards what comes of them. The slice frame (not the bytes
	// its records point to) is borrowed for the call and may be overwritten by its owner afterwards; Process must not
	// write to it, since siblings read the same frame.
	Process(frame []Record) error
	// Close releases what Init took. It can be called twice.
	Close() error
}

// Flusher is a Processor that may hold records back until a commit. Flush forwards them; the runtime calls it before
// the outputs of a commit are sent.
type Flusher interface {
	Flush() error
}

// ProcessorSupplier makes the processors of a node, one for each task. The suppliers of the DSL are plain data, so
// that a topology can be written down, compared and sent; a native Go program may bring its own.
type ProcessorSupplier interface {
	New() (Processor, error)
}

// PunctuationType says which time a punctuator follows.
type PunctuationType int

// Kafka's PunctuationType.
const (
	StreamTime PunctuationType = iota
	WallClockTime
)

// Punctuator is called at its scheduled time, in milliseconds. It may forward.
type Punctuator func(timestamp int64) error

// Cancellable ends a schedule.
type Cancellable interface {
	Cancel()
}

// Function is a user function over a frame: a guest component, an expression or native Go code.
type Function interface {
	// Call appends what the function answers for the records of in to out and returns it. Each answer carries in
	// Index the position in in of the record it came from; answers are in the order of their Index. in is read only.
	Call(in, out []Record) ([]Record, error)
}

// Skipper is a Function that may leave records out because it could not process them, and was told to go on. That is
// not the answer "nothing": the record is dropped whatever the operator does with records that have no answer.
type Skipper interface {
	// Skipped are the positions in the last frame asked, ascending; borrowed until the next Call.
	Skipped() []int32
}

// GuestRef names a component of a wasm module, as modules are named in the application.
type GuestRef struct {
	Module    string `json:"module" yaml:"module"`
	Component string `json:"component" yaml:"component"`
}

// String is "module/component".
func (r GuestRef) String() string { return r.Module + "/" + r.Component }

// Context is what a processor knows of the task it runs in. It is valid until Close and only on the task's goroutine.
type Context interface {
	ApplicationID() string
	TaskID() TaskID
	NodeName() string
	// Children are the names of the node's successors, in the order in which they were added.
	Children() []string
	// Forward hands frame to every child, one child after another, each with its whole subtree.
	Forward(frame []Record) error
	// ForwardTo hands frame to the n-th child, counted from 0.
	ForwardTo(child int, frame []Record) error
	// Store returns a store connected to this node, or an error that names the node and the stores it has.
	Store(name string) (state.Store, error)
	// Guest opens a component for this node. The wasm instance belongs to the task; the function is closed with it.
	Guest(ref GuestRef) (Function, error)
	// Schedule calls p every interval, on Kafka's grid (PunctuationSchedule): missed intervals collapse into one call.
	Schedule(interval time.Duration, typ PunctuationType, p Punctuator) (Cancellable, error)
	// Commit asks for a commit after the current round.
	Commit()
	// StreamTime is the task's stream time now; inside Process, Record.StreamTime is the exact one of a record.
	StreamTime() int64
	// SystemTime is the wall clock as the runtime's loop last read it, in milliseconds.
	SystemTime() int64
	// Shared returns what the nodes of this task hold in common under name: what make returned to the first that asked.
	Shared(name string, make func() any) any
	// ProcessorMetadata is what was kept under key in the metadata of the committed offsets, and whether there is any.
	ProcessorMetadata(key string) (int64, bool)
	// SetProcessorMetadata has value kept under key with the next commit.
	SetProcessorMetadata(key string, value int64)
	// AppConfig is the value of an application setting as it was given, and whether it was.
	AppConfig(key string) (string, bool)
	Arena() *Arena
	// Dropped counts records that the operator skipped (dropped-records-total) and says why in the log, bounded.
	Dropped(n int, reason string)
	Logger() *slog.Logger
}
