// Package state holds what a task remembers: stores of bytes, in memory or in Pebble, with the layers that Kafka
// Streams puts on them (caching over changelogging over bytes). It knows nothing of Kafka clients or topologies: where
// changes are logged to is an interface, Changelog, and who listens to a cache is a function.
//
// A store belongs to the goroutine of its task. Writes go to an overlay first and reach the disk only when the task's
// transaction has ended (see DB and Batch), together with the changelog offset they correspond to.
package state

import "errors"

// ErrNotFound is returned where the absence of a key is an error to the caller. Get returns nil instead.
var ErrNotFound = errors.New("key not found")

// Store is what every kind of store has. Callers assert the kind they need, e.g. KeyValueStore.
type Store interface {
	Name() string
	// Persistent tells whether the store survives the process.
	Persistent() bool
	// Flush pushes what caching layers hold down to the layer below (and to the cache's listener).
	Flush() error
	// Close releases memory and iterators. It can be called twice.
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
	// facades that carry Kafka's names convert.
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

// Changelog is where a store's changes are logged. The runtime implements it with the task's record collector.
type Changelog interface {
	// Log records that key now has value (nil: deleted) as of timestamp. The bytes are borrowed for the call.
	Log(key, value []byte, timestamp int64) error
}

// TimestampUnknown is the timestamp of a change that has none.
const TimestampUnknown int64 = -1
