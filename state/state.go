// Package state holds what a task remembers: stores of bytes, in memory or in Pebble, with the layers that Kafka
// Streams puts on them (metered over caching over changelogging over bytes). It knows nothing of Kafka clients or
// topologies: where changes are logged to is an interface, Changelog, and who listens to a cache is a function.
//
// A store belongs to the goroutine of its task; DB is shared by all of them and safe for concurrent use. Writes go to
// an overlay first and reach the disk only when the task's transaction has ended, together with the changelog offset
// they correspond to:
//
//	Put -> cache -> (flush) -> changelog record + overlay
//	                                              | transaction committed            | transaction aborted
//	                                              v                                  v
//	                     Stage(batch), SetOffset, batch.Commit: one Pebble batch   Discard
//
// # Design
//
// db.go opens the one Pebble of a process and keeps its catalog; batch.go commits; keyvalue.go is the bytes store:
// overlay.go over committed pairs in pebble.go or memory.go; iterator.go merges the two; bulk.go is how it restores.
// cache.go and caching.go, changelogging.go and metered.go are the layers, store.go puts them on each other.
//
// kinds.go has the other kinds of stores. windowed.go is what window.go, session.go and versioned.go share: rows of a bytes
// store in segments of time (segments.go; segmented_memory.go in memory). lru.go is a layer, buffer.go stands on a bytes
// store alone. window_key.go, join_side.go, record_headers.go and buffer_value.go have Kafka's bytes. damage.go and
// essential_fs.go say what happens when the disk fails; directory.go owns the folder.
// view.go lets other goroutines read what is committed.
// DB.mu guards the catalog and is never held over I/O that can wait for a compaction. What views take, in this order, is
// KeyValueBytes.shared, DB.viewers, DB.mu.
package state

import "errors"

// ErrNotFound is returned where the absence of a key is an error to the caller. Get returns nil instead.
var ErrNotFound = errors.New("key not found")

// ErrNullKey is returned for a nil key. An empty key that is not nil is a key like others.
var ErrNullKey = errors.New("key is null")

// ErrOpen is returned where a store is opened that is open already. Another owner in the process has it; once that one
// has closed it, it can be opened.
var ErrOpen = errors.New("store is open already")

// ErrClosed is returned by the methods of a store after Close.
var ErrClosed = errors.New("store is closed")

// ErrTooManyIterators is returned by Range when the bound on open iterators of a store is reached.
var ErrTooManyIterators = errors.New("too many open iterators")

// ErrIteratorLeak is returned by Close of a store whose iterators were left open (builds with the tag invariants, or
// with the race detector). Other builds close them without a word.
var ErrIteratorLeak = errors.New("iterator left open")

// ErrCorrupt marks local state that cannot be used and can be rebuilt: damaged files, the database of another
// application, another format version. The error that wraps it has a code. The answer is DropDB and a restore.
var ErrCorrupt = errors.New("state is corrupt")

var errNoHeaders = errors.New("the changelog takes no headers")

// Header is one record header. Kafka allows a key to occur several times; order is kept.
type Header struct {
	Key   string
	Value []byte
}

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// RecordContext is the source record behind a write. The runtime and the operators of a task share one value for all
// stores of the task and set it before they write; layers read it (the changelog timestamp of plain values and
// deletes, what a flushed cache entry is forwarded with).
type RecordContext struct {
	Timestamp int64
	Offset    int64
	// Origin is nil in punctuators.
	Origin *TopicPartition
	// Headers and the bytes they point to are immutable.
	Headers []Header
}

// StoreID names a store of a task, e.g. {"0_1", "counts"}. Neither part may hold a zero byte.
type StoreID struct{ Task, Store string }

// String is "<task>/<store>".
func (id StoreID) String() string { return id.Task + "/" + id.Store }

// ValueFormat says what the bytes of a store's values are.
type ValueFormat int

// The formats of values.
const (
	// Plain values are stored and logged as they are.
	Plain ValueFormat = iota
	// Timestamped values are int64 timestamp|value in the store; the changelog carries the bare value, and the
	// timestamp as that of the record.
	Timestamped
	// TimestampedWithHeaders values are headers, timestamp and value (AppendTimestampedWithHeaders); the changelog carries
	// the bare value, and the headers and the timestamp as those of the record (KIP-1271).
	TimestampedWithHeaders
	// WithHeaders values are headers and value (AppendWithHeaders), as in session stores with headers; the changelog carries
	// the bare value, and the headers as those of the record.
	WithHeaders
)

// hasHeaders tells whether values begin with headers.
func (f ValueFormat) hasHeaders() bool { return f == TimestampedWithHeaders || f == WithHeaders }

// bare takes a stored value apart. timestamp is otherwise if the format has none; headers are those of DecodeHeaders.
func (f ValueFormat) bare(stored []byte, otherwise int64) (value []byte, timestamp int64, headers []byte) {
	switch {
	case stored == nil:
		return nil, otherwise, nil
	case f == Timestamped:
		value, timestamp = SplitTimestamped(stored)
		return value, timestamp, nil
	case f == TimestampedWithHeaders:
		headers, value, timestamp = SplitTimestampedWithHeaders(stored)
		return value, timestamp, headers
	case f == WithHeaders:
		headers, value = SplitWithHeaders(stored)
		return value, otherwise, headers
	}
	return stored, otherwise, nil
}

// appendHead appends what stands before the value of a changelog record in the store.
func (f ValueFormat) appendHead(dst []byte, r *KV) []byte {
	if f.hasHeaders() {
		dst = appendHeadersHead(dst, r.Headers)
	}
	if f == Timestamped || f == TimestampedWithHeaders {
		dst = AppendTimestamped(dst, r.Timestamp, []byte{})
	}
	return dst
}

// Store is what every kind of store has. Callers assert the kind they need, e.g. KeyValueStore.
type Store interface {
	Name() string
	// Persistent tells whether the store survives the process.
	Persistent() bool
	// Flush pushes what caching layers hold down to the layer below (and to the cache's listener).
	Flush() error
	// Close releases memory and iterators; what was not committed is gone. It can be called twice.
	Close() error
}

// KeyValueStore is a map of bytes to bytes in the lexicographic (unsigned) order of the keys.
// Returned bytes are borrowed until the next call on the store; arguments are borrowed for the call.
type KeyValueStore interface {
	Store
	// Get returns nil for a key that is absent.
	Get(key []byte) ([]byte, error)
	// Put sets key; a nil value deletes it.
	Put(key, value []byte) error
	// PutIfAbsent sets key if it is absent and returns the value that was there, or nil.
	PutIfAbsent(key, value []byte) ([]byte, error)
	// Delete removes key and returns the value that was there, or nil.
	Delete(key []byte) ([]byte, error)
	// Range iterates over from <= key < to; nil leaves that end open. Unlike Kafka's, to is exclusive here; the
	// facades that carry Kafka's names convert. The iterator sees the store as it is now, whatever is written,
	// committed or discarded while it is open.
	Range(from, to []byte, reverse bool) (Iterator, error)
	// ApproximateNumEntries may be far off.
	ApproximateNumEntries() int64
}

// Iterator walks over key-value pairs. The number of open iterators of a store is bounded (ErrTooManyIterators).
type Iterator interface {
	// Next moves to the next pair and tells whether there is one.
	Next() bool
	// Key and Value are borrowed until Next or Close.
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// TransactionalStore is a store whose writes become final with the transaction of its task. All stores of this
// package are.
type TransactionalStore interface {
	Store
	// Stage adds what was written since the last commit to b; it is final when b.Commit returns. The store must be
	// flushed, and not be written between Stage and Commit.
	Stage(b *Batch) error
	// Discard forgets what was written since the last commit, in the caches above too.
	Discard()
	// UncommittedBytes is the memory held by what was written since the last commit.
	UncommittedBytes() int64
	// Offset is the changelog offset to restore from, and whether there is one; -1 without.
	Offset() (int64, bool)
	// Restore applies changelog records in their order, straight to the committed pairs, with next as the offset to
	// go on from. They may be written together with later ones, at the latest when anything else is asked of the store; a
	// crash before has them restored once more. Nothing may be uncommitted. records and their bytes are borrowed for the call.
	Restore(records []KV, next int64) error
	// Settle writes what Restore holds back.
	Settle() error
}

// KV is a changelog record. A nil value deletes the key.
type KV struct {
	Key, Value []byte
	Timestamp  int64
	// Headers are nil for most kinds of stores, which have no use for them.
	Headers []Header
}

// Flushed is a changed pair that leaves a cache. All of it, bytes included, is borrowed for the call; Context.Headers
// are immutable and may be kept.
type Flushed struct {
	Key []byte
	// New is nil for a delete. Old is what the layer below had, nil if it had nothing or old values were not asked
	// for. Both are bare values whatever the format of the store.
	New, Old []byte
	// Timestamp is that of a timestamped value, else that of Context.
	Timestamp int64
	// Context is that of the last write to the key.
	Context RecordContext
}

// FlushListener is told of each pair that a cache flushes, after the layer below has it. It may write to stores, also
// to the one that flushes.
type FlushListener func(e *Flushed) error

// CachedStore is a store that may have a caching layer: every store of this package; a processor finds it by assertion
// on what its context's Store returns.
type CachedStore interface {
	// SetFlushListener has changes forwarded by listener when they leave the cache and returns true, or returns false
	// if there is no caching layer, so that the caller must forward itself. Old values cost a read each.
	SetFlushListener(listener FlushListener, sendOldValues bool) bool
}

// ContextualStore is a store whose writes are noted with the record behind them: every store of this package.
type ContextualStore interface {
	// Context is the value shared by the stores of a task. Set it before writing.
	Context() *RecordContext
}

// Changelog is where a store's changes are logged. The runtime implements it with the task's record collector.
type Changelog interface {
	// Log records that key now has value (nil: deleted) as of timestamp. The bytes are borrowed for the call.
	Log(key, value []byte, timestamp int64) error
}

// HeaderChangelog is a Changelog that takes headers: what stores with headers and buffers need.
type HeaderChangelog interface {
	Changelog
	// LogWithHeaders is Log of a record with headers, which are borrowed too.
	LogWithHeaders(key, value []byte, timestamp int64, headers []Header) error
}

func logWithHeaders(c Changelog, key, value []byte, timestamp int64, headers []Header) error {
	if len(headers) == 0 {
		return c.Log(key, value, timestamp)
	}
	h, ok := c.(HeaderChangelog)
	if !ok {
		return errNoHeaders
	}
	return h.LogWithHeaders(key, value, timestamp, headers)
}

// TimestampUnknown is the timestamp of a change that has none.
const TimestampUnknown int64 = -1
