package wasm

import "github.com/wasmstream/wasmstream/abi"

// Host is what a guest may ask of its surroundings, one for each instance. It is called on the goroutine that called
// the instance, and must not call that instance again. Bytes given are borrowed for the call; bytes returned are copied
// into the guest before anything else runs.
//
// An int32 result below 0 is an abi.Errno. The instance has checked pointers and lengths before a method is called.
// Methods are called while the guest may still trap: what they do must be thrown away by the caller then.
type Host interface {
	// Features are the bits granted (abi.Feature...).
	Features() int64
	// Emit takes an additional output frame of the running call. It is not validated.
	Emit(frame []byte) int32
	// SetError notes that input record index could not be processed; 0xFFFFFFFF (-1) means the call as a whole.
	SetError(index, class int32, message []byte) int32
	// LogEnabled tells whether a line of this level (abi.LogDebug...) would be kept.
	LogEnabled(level int32) bool
	// Log takes one line: printable, bounded and within the rate. Lines on stdout come as INFO, on stderr as WARN.
	Log(level int32, line []byte)
	// LogRate is what counts the lines of this instance, the same for all that take its place. It is asked once, before
	// the guest begins; nil is one of its own.
	LogRate() *LogRate
	// Metric makes or finds a metric and returns its handle.
	Metric(kind int32, name []byte) int32
	// MetricAdd adds to a metric.
	MetricAdd(handle int32, delta int64) int32
	// Time is the time for record index in milliseconds, by clock (abi.TimeWall, abi.TimeStream).
	Time(clock, index int32) int64
	// Random fills dst with bytes that a replay gives again.
	Random(index int32, dst []byte) int32
	// ConfigGet is a setting of the component that the running call belongs to.
	ConfigGet(key []byte) ([]byte, bool)
	// Child is the dest of a child by name.
	Child(name []byte) int32
	// Schedule returns a timer.
	Schedule(intervalMs int64, typ int32, startMs int64) int32
	// Cancel ends a timer.
	Cancel(timer int32) int32
	// RequestCommit asks for a commit after the current round.
	RequestCommit() int32

	// StateOpen returns the number of a store granted to the component.
	StateOpen(name []byte) int32
	// StateGet returns a value with code 0, or abi.NotFound.
	StateGet(store int32, key []byte) (value []byte, code int32)
	// StatePut sets a value; a nil value deletes.
	StatePut(store int32, key, value []byte) int32
	// StatePutIfAbsent sets a value where there is none; else it returns the one there is, with code 0. abi.NotFound
	// says that there was none and that value was put.
	StatePutIfAbsent(store int32, key, value []byte) (old []byte, code int32)
	// IterOpen opens an iterator over from <= key < to in the order of bytes; nil is an open end, limit 0 is none,
	// flags abi.IterReverse. The instance closes what a call leaves open, and allows 16 at a time.
	IterOpen(store int32, from, to []byte, flags, limit int32) int32
	// StateOpenAs returns the number of a store granted to the component, which must be of this kind (abi.KeyValueStore,
	// ...); flags abi.StoreTimestamps.
	StateOpenAs(name []byte, kind abi.StoreKind, flags int32) int32
	// StatePutVersion has key be value from timestamp on, and returns where that ends: abi.HoldsForever if the version is
	// the latest, abi.NotFound if it is older than the history and nothing was put. A nil value is the absence of key.
	StatePutVersion(store int32, key, value []byte, timestamp int64) int64
	// IterOpenSpan opens an iterator over the rows with keyFrom <= key <= keyTo, nil being an open end, and times that
	// from and to say in the way of the store's kind. Flags and limit are those of IterOpen.
	IterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32
	// IterNext returns the next pair with code 0, or abi.NotFound at the end. The bytes stay until the next IterNext or
	// IterClose of this iterator.
	IterNext(iter int32) (key, value []byte, code int32)
	// IterClose closes an iterator.
	IterClose(iter int32) int32
}
