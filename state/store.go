package state

import (
	"errors"
	"fmt"
	"math"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Kind names the kinds of stores.
type Kind int

// The kinds of stores.
const (
	// KeyValueKind gives a KeyValueStore.
	KeyValueKind Kind = iota
	// WindowKind gives a WindowStore.
	WindowKind
	// SessionKind gives a SessionStore.
	SessionKind
	// VersionedKind gives a VersionedKeyValueStore. It is not cached.
	VersionedKind
	// LRUKind gives a KeyValueStore in memory that keeps the MaxEntries keys that were used last.
	LRUKind
	// BufferKind gives a *TimeOrderedBuffer. It is not cached.
	BufferKind
)

// StoreConfig says what a store is made of. Times are in milliseconds.
type StoreConfig struct {
	ID   StoreID
	Kind Kind
	// InMemory: committed pairs live in memory, and the offset with them.
	InMemory bool
	Format   ValueFormat
	// Changelog gets every write; nil is a store without logging.
	Changelog Changelog
	// Cache is the thread's record cache; nil is a store without caching. One without a budget is as none, as in Kafka:
	// writes are forwarded by the processor, not by the cache. Time-ordered stores are not cached.
	Cache *ThreadCache
	// Context is shared by all stores of a task; nil makes one.
	Context *RecordContext
	// Metrics counts; nil counts for no one.
	Metrics *StoreMetrics

	// Retention of window and session stores: a row is there as long as its time (the start of a window, the end of a
	// session) is later than the largest time put less Retention; in time-ordered stores, not earlier.
	Retention int64
	// SegmentInterval is the length of the ranges in which rows expire; 0 is Kafka's, the larger of Retention/2 and 60 s.
	// It is never less than Retention/64. A store keeps the interval with which it was begun.
	SegmentInterval int64
	// RetainDuplicates of window stores: every put is a row of its own.
	RetainDuplicates bool
	// TimeOrdered window and session stores give the rows of several keys in the order of time (Kafka's stores for
	// EmitStrategy.onWindowClose).
	TimeOrdered bool
	// HistoryRetention of versioned stores: versions can be asked for that held at most so long before the largest
	// timestamp put, and put that far back.
	HistoryRetention int64
	// MaxEntries of LRU stores.
	MaxEntries int64
}

// NewStore opens a store with its layers in Kafka's order: metered, caching, changelogging, bytes. Callers assert the
// interface of the kind.
func (db *DB) NewStore(c StoreConfig) (TransactionalStore, error) {
	switch c.Kind {
	case KeyValueKind:
		s, err := db.NewKeyValueStore(c)
		if err != nil {
			return nil, err
		}
		return s, nil
	case WindowKind:
		w, err := db.newWindowed(c, windowTail)
		if err != nil {
			return nil, err
		}
		s := &MeteredWindowStore{windowed: w, duplicates: c.RetainDuplicates}
		if s.duplicates && !s.bytes.volatile {
			s.recent = newRecentRows(&db.recent, s.StreamTime())
		}
		return s, nil
	case SessionKind:
		w, err := db.newWindowed(c, sessionTail)
		if err != nil {
			return nil, err
		}
		return &MeteredSessionStore{windowed: w}, nil
	case VersionedKind:
		return db.newVersioned(c)
	case LRUKind:
		return db.newLRUStore(c)
	case BufferKind:
		b, err := db.newBuffer(c)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	return nil, fmt.Errorf("opening store %q: there is no kind %d", c.ID, c.Kind)
}

// NewKeyValueStore is NewStore for KeyValueKind.
func (db *DB) NewKeyValueStore(c StoreConfig) (*MeteredKeyValueStore, error) {
	c.settle()
	open := db.KeyValue
	if c.InMemory {
		open = db.MemoryKeyValue
	}
	bytes, err := open(c.ID, c.Format)
	if err != nil {
		return nil, err
	}
	top, err := c.layers(bytes)
	if err != nil {
		return nil, err
	}
	m := NewMetered(top, c.Context, c.Metrics)
	m.bytes = bytes
	return m, nil
}

func (c *StoreConfig) settle() {
	if c.Context == nil {
		c.Context = &RecordContext{Timestamp: TimestampUnknown}
	}
	if c.SegmentInterval == 0 {
		c.SegmentInterval = max(c.Retention/2, minSegmentInterval)
	}
	if c.SegmentInterval > 0 {
		c.SegmentInterval = max(c.SegmentInterval, c.Retention/maxSegments)
	}
}

const (
	// minSegmentInterval is Kafka's.
	minSegmentInterval = 60_000
	// maxSegments bounds how many segments a walk over all times visits.
	maxSegments = 64
)

// layers puts changelogging and caching over bytes.
func (c *StoreConfig) layers(bytes *KeyValueBytes) (top layer, err error) {
	top = bytes
	if c.Changelog != nil {
		l := NewChangelogging(top, c.Changelog, c.Format, c.Context)
		if bytes.seg != nil {
			l.hidden = segmentPrefix
		}
		top = l
	}
	return c.cached(top, bytes)
}

// cached puts caching over top if it is wanted.
func (c *StoreConfig) cached(top layer, bytes *KeyValueBytes) (layer, error) {
	if c.Cache == nil || c.Cache.MaxBytes() <= 0 || c.TimeOrdered {
		return top, nil
	}
	cached, err := NewCaching(top, c.Cache, c.ID, c.Format, c.Context)
	if err != nil {
		return nil, errors.Join(err, bytes.Close())
	}
	if bytes.seg != nil {
		cached.hidden, cached.seg = segmentPrefix, bytes.seg
	}
	return cached, nil
}

// newWindowed opens what a window or session store is made of.
func (db *DB) newWindowed(c StoreConfig, tail int) (windowed, error) {
	c.settle()
	if c.Retention < 0 || c.SegmentInterval < 0 {
		return windowed{}, errs.StateRetention.New(c.ID.String(),
			fmt.Sprintf("retention and segment interval must not be negative (got %d ms and %d ms)", c.Retention, c.SegmentInterval), "")
	}
	seg := newSegments(c.Retention, c.SegmentInterval, tail)
	if c.TimeOrdered {
		seg.indexed, seg.spare = true, 1
	}
	bytes, err := db.segmented(c.ID, c.Format, c.InMemory, seg)
	if err != nil {
		return windowed{}, err
	}
	top, err := c.layers(bytes)
	if err != nil {
		return windowed{}, err
	}
	return windowed{
		meter: newMeter(c.Metrics), inner: top, bytes: bytes, seg: bytes.seg, context: c.Context,
	}, nil
}

func (db *DB) newVersioned(c StoreConfig) (TransactionalStore, error) {
	changelog := c.Changelog
	c.Retention, c.Cache, c.Changelog, c.Format = c.HistoryRetention, nil, nil, Plain
	w, err := db.newWindowed(c, versionTail)
	if err != nil {
		return nil, err
	}
	return &MeteredVersionedStore{windowed: w, changelog: changelog, history: c.HistoryRetention}, nil
}

func (db *DB) newLRUStore(c StoreConfig) (TransactionalStore, error) {
	c.settle()
	if c.MaxEntries <= 0 || c.MaxEntries > math.MaxInt32 {
		return nil, errs.StateEntries.New(c.ID.String(), fmt.Sprintf("the number of entries to keep must be positive (got %d)", c.MaxEntries), "")
	}
	bytes, err := db.MemoryKeyValue(c.ID, c.Format)
	if err != nil {
		return nil, err
	}
	var top layer = bytes
	if c.Changelog != nil {
		top = NewChangelogging(top, c.Changelog, c.Format, c.Context)
	}
	if top, err = c.cached(newLRU(top, int(c.MaxEntries)), bytes); err != nil {
		return nil, err
	}
	m := NewMetered(top, c.Context, c.Metrics)
	m.bytes = bytes
	return m, nil
}

// FlushAll flushes stores in their order, which should be that of the topology, until none of them holds anything back:
// what one forwards may be written to one before it.
func FlushAll[S Store](stores []S) error {
	for again := true; again; {
		again = false
		for _, s := range stores {
			if err := s.Flush(); err != nil {
				return err
			}
		}
		for _, s := range stores {
			u, ok := Store(s).(interface{ Unflushed() bool })
			again = again || ok && u.Unflushed()
		}
	}
	return nil
}
