package topology

import "github.com/wasmstream/wasmstream/state"

// Header is one record header. Kafka allows a key to occur several times; order is kept. It is an alias because
// record caches keep the headers of what they hold.
type Header = state.Header

// TopicPartition names one partition of a topic.
type TopicPartition = state.TopicPartition

// AllChildren is the Dest of a record that goes to every child of the node that forwards it.
const AllChildren int32 = 0

// Record is one record on its way through a topology.
//
// All byte slices of a record are immutable from the moment it is handed on: whoever makes new bytes takes them
// from an Arena (or the heap) and never writes to them again. So a record may be kept, forwarded to several children
// and given to the producer without a copy. A part that keeps a few bytes of many records for long (a cache, a store)
// copies them, because a slice pins the chunk it lies in.
type Record struct {
	// Key and Value are the serialised bytes; nil is Kafka's null, an empty non-nil slice is an empty value.
	Key, Value []byte
	Headers    []Header
	// Timestamp is in milliseconds since the epoch.
	Timestamp int64
	// StreamTime is the task's stream time when the source record behind this one was taken: the largest timestamp
	// seen until then, that record's own included.
	StreamTime int64
	// Offset and Origin are the coordinates of the source record behind this one. Origin is nil in punctuators.
	Offset int64
	Origin *TopicPartition
	// Index is, in the answer of a Function, the position in the asked frame of the record that this one came from.
	// Operators may use it freely inside one frame; it means nothing across nodes.
	Index int32
	// Dest is, in the answer of a guest processor, the child it goes to: AllChildren, or 1 for the first child.
	Dest int32
	// Extra is nil for nearly all records; see Extra.
	Extra *Extra
}

// Context is what stores note of the record behind a write (see state.ContextualStore).
func (r *Record) Context() state.RecordContext {
	return state.RecordContext{Timestamp: r.Timestamp, Offset: r.Offset, Origin: r.Origin, Headers: r.Headers}
}
