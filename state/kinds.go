package state

import "math"

// WindowStore keeps values by key and start of a window, as long as its retention. The window's length is not stored.
// Borrowing is as for KeyValueStore. A row whose start lies before what the retention allows (StoreConfig.Retention) is
// not there: it is not found, and a put of it does nothing.
type WindowStore interface {
	Store
	// PutWindow sets the row of key and start; a nil value deletes it. A store that retains duplicates adds a row
	// instead, and for nil only notes the time, as Kafka's store in memory does. start is not negative.
	PutWindow(key, value []byte, start int64) error
	// FetchWindow returns nil for a row that is absent. Of duplicates it returns the last.
	FetchWindow(key []byte, start int64) ([]byte, error)
	// FetchWindows iterates over the rows of key with from <= start <= to, in the order of start; of equal starts, in the
	// order in which they were put.
	FetchWindows(key []byte, from, to int64, reverse bool) (WindowIterator, error)
	// FetchKeys iterates over the rows with keyFrom <= key <= keyTo and from <= start <= to; nil leaves that end open.
	// The order is that of Kafka's persistent store: segment by segment, each in the order of key|start|seq; time-ordered
	// stores give them by start, then key.
	FetchKeys(keyFrom, keyTo []byte, from, to int64, reverse bool) (WindowIterator, error)
}

// WindowIterator walks over windows. It sees the store as it was when it was opened. Key and Value are borrowed until
// Next or Close.
type WindowIterator interface {
	Next() bool
	Key() []byte
	Start() int64
	Value() []byte
	Err() error
	Close() error
}

// SessionStore keeps values by key, start and end of a session, both inclusive, as long as its retention, which counts
// from the end.
type SessionStore interface {
	Store
	// PutSession sets a session; a nil value removes it. 0 <= start <= end.
	PutSession(key []byte, start, end int64, value []byte) error
	RemoveSession(key []byte, start, end int64) error
	// FetchSession returns nil for a session that is absent.
	FetchSession(key []byte, start, end int64) ([]byte, error)
	// FindSessions iterates over the sessions of key with end >= earliestEnd and start <= latestStart, in the order of
	// their ends, then starts.
	FindSessions(key []byte, earliestEnd, latestStart int64, reverse bool) (SessionIterator, error)
	// FindSessionsOfKeys does so for keyFrom <= key <= keyTo; nil leaves that end open. The order is that of Kafka's
	// persistent store: segment by segment, each in the order of key|end|start; time-ordered stores give them by end, then
	// start, then key.
	FindSessionsOfKeys(keyFrom, keyTo []byte, earliestEnd, latestStart int64, reverse bool) (SessionIterator, error)
}

// SessionIterator walks over sessions. It sees the store as it was when it was opened. Key and Value are borrowed until
// Next or Close.
type SessionIterator interface {
	Next() bool
	Key() []byte
	Start() int64
	End() int64
	Value() []byte
	Err() error
	Close() error
}

// What PutVersion returns where there is no time at which the version ends.
const (
	// VersionedLatest says that the version is the latest of its key (VersionedKeyValueStore.PUT_RETURN_CODE_VALID_TO_UNDEFINED).
	VersionedLatest int64 = -1
	// VersionedExpired says that nothing was put: the version is older than the history that is kept (PUT_RETURN_CODE_NOT_PUT).
	VersionedExpired int64 = math.MinInt64
)

// Version is a value of a key with the time from which it holds and the one from which it holds no more, in
// milliseconds; ValidTo of the latest is VersionedLatest.
type Version struct {
	Value              []byte
	Timestamp, ValidTo int64
}

// VersionedKeyValueStore keeps the versions of each key's value over time (KIP-889): the latest, and those that held at
// some moment of the history retention before the largest timestamp put.
type VersionedKeyValueStore interface {
	Store
	// PutVersion has key be value from timestamp on until the next version that is known; nil: be absent. It returns the
	// time of that next version, or VersionedLatest or VersionedExpired.
	PutVersion(key, value []byte, timestamp int64) (validTo int64, err error)
	// DeleteVersion has key be absent from timestamp on, and returns the version that held at timestamp.
	DeleteVersion(key []byte, timestamp int64) (Version, bool, error)
	// Latest is the version that holds now, if key is not absent.
	Latest(key []byte) (Version, bool, error)
	// AsOf is the version that held at asOf, if key was not absent then and asOf is not before the history.
	AsOf(key []byte, asOf int64) (Version, bool, error)
	// Versions iterates over the versions of key that held at some time in [from, to].
	Versions(key []byte, from, to int64, ascending bool) (VersionIterator, error)
}

// VersionIterator walks over versions. Version's bytes are borrowed until Next or Close.
type VersionIterator interface {
	Next() bool
	Version() Version
	Err() error
	Close() error
}
