package state

import (
	"sync/atomic"
	"time"
)

// StoreMetrics counts what a store is asked for. It may be read from any goroutine while the store works.
type StoreMetrics struct {
	Gets, Puts, PutsIfAbsent, Deletes, Ranges, Flushes, Restored atomic.Int64
	OpenIterators                                                atomic.Int64
	// Expired counts rows that were put too late to be kept.
	Expired atomic.Int64
	// OnLatency, if not nil, gets how long each operation took; reading the clock twice costs more than a hit in the
	// cache. It is called on the store's goroutine. Set it before the store is used.
	OnLatency func(op StoreOp, d time.Duration)
}

// StoreOp names the operations that are timed, as Kafka's metrics name them.
type StoreOp string

// The operations with a latency.
const (
	OpGet         StoreOp = "get"
	OpPut         StoreOp = "put"
	OpPutIfAbsent StoreOp = "put-if-absent"
	OpDelete      StoreOp = "delete"
	OpRange       StoreOp = "range"
	OpFlush       StoreOp = "flush"
	OpRestore     StoreOp = "restore"
)

// meter counts the operations of one store.
type meter struct {
	metrics *StoreMetrics
	lent    []byte // under invariants: what the last call lent, to be overwritten by the next
}

func newMeter(metrics *StoreMetrics) meter {
	if metrics == nil {
		metrics = &StoreMetrics{}
	}
	return meter{metrics: metrics}
}

// MeteredKeyValueStore is the outermost layer: what processors and guests see. It counts, and forwards what it is asked
// for that only a layer below can do.
type MeteredKeyValueStore struct {
	meter
	inner   layer
	bytes   *KeyValueBytes // the innermost layer
	context *RecordContext
}

var _ interface {
	KeyValueStore
	TransactionalStore
	CachedStore
	ContextualStore
} = (*MeteredKeyValueStore)(nil)

// NewMetered counts in metrics what inner is asked for; nil counts for no one.
func NewMetered(inner layer, context *RecordContext, metrics *StoreMetrics) *MeteredKeyValueStore {
	return &MeteredKeyValueStore{meter: newMeter(metrics), inner: inner, context: context}
}

// Name is the store's name.
func (s *MeteredKeyValueStore) Name() string { return s.inner.Name() }

// Persistent tells whether the store survives the process.
func (s *MeteredKeyValueStore) Persistent() bool { return s.inner.Persistent() }

// Context is the task's.
func (s *MeteredKeyValueStore) Context() *RecordContext { return s.context }

// Metrics is where the store counts.
func (s *meter) Metrics() *StoreMetrics { return s.metrics }

// SetFlushListener has changes forwarded by listener if there is a caching layer below, and tells whether.
func (s *MeteredKeyValueStore) SetFlushListener(listener FlushListener, sendOldValues bool) bool {
	cached, ok := s.inner.(CachedStore)
	return ok && cached.SetFlushListener(listener, sendOldValues)
}

// begin counts an operation, ends loans, and returns when it began if anyone wants to know.
func (s *meter) begin(n *atomic.Int64) time.Time {
	n.Add(1)
	if invariants {
		for i := range s.lent {
			s.lent[i] = 0xdb
		}
		s.lent = nil
	}
	if s.metrics.OnLatency == nil {
		return time.Time{}
	}
	return time.Now()
}

func (s *meter) end(op StoreOp, began time.Time) {
	if s.metrics.OnLatency != nil {
		s.metrics.OnLatency(op, time.Since(began))
	}
}

// lend gives b to the caller, under invariants as a copy that is overwritten when the loan ends.
func (s *meter) lend(b []byte) []byte {
	if !invariants || b == nil {
		return b
	}
	s.lent = append(make([]byte, 0, len(b)), b...)
	return s.lent
}

// Get returns nil for a key that is absent.
func (s *MeteredKeyValueStore) Get(key []byte) ([]byte, error) {
	began := s.begin(&s.metrics.Gets)
	value, err := s.inner.Get(key)
	s.end(OpGet, began)
	return s.lend(value), err
}

// Put sets key; a nil value deletes it.
func (s *MeteredKeyValueStore) Put(key, value []byte) error {
	began := s.begin(&s.metrics.Puts)
	err := s.inner.Put(key, value)
	s.end(OpPut, began)
	return err
}

// PutIfAbsent sets key if it is absent and returns the value that was there, or nil.
func (s *MeteredKeyValueStore) PutIfAbsent(key, value []byte) ([]byte, error) {
	began := s.begin(&s.metrics.PutsIfAbsent)
	before, err := s.inner.PutIfAbsent(key, value)
	s.end(OpPutIfAbsent, began)
	return s.lend(before), err
}

// Delete removes key and returns the value that was there, or nil.
func (s *MeteredKeyValueStore) Delete(key []byte) ([]byte, error) {
	began := s.begin(&s.metrics.Deletes)
	before, err := s.inner.Delete(key)
	s.end(OpDelete, began)
	return s.lend(before), err
}

// Range iterates over from <= key < to as the store is now.
func (s *MeteredKeyValueStore) Range(from, to []byte, reverse bool) (Iterator, error) {
	began := s.begin(&s.metrics.Ranges)
	iter, err := s.inner.Range(from, to, reverse)
	s.end(OpRange, began)
	if err != nil {
		return nil, err
	}
	s.metrics.OpenIterators.Add(1)
	return &meteredIterator{Iterator: iter, open: &s.metrics.OpenIterators}, nil
}

// meteredIterator counts itself out when it is closed.
type meteredIterator struct {
	Iterator
	open   *atomic.Int64
	closed bool
}

func (i *meteredIterator) Close() error {
	if !i.closed {
		i.closed = true
		i.open.Add(-1)
	}
	return i.Iterator.Close()
}

// ApproximateNumEntries may be far off.
func (s *MeteredKeyValueStore) ApproximateNumEntries() int64 { return s.inner.ApproximateNumEntries() }

// Flush pushes what caching layers hold down and to the listener.
func (s *MeteredKeyValueStore) Flush() error {
	began := s.begin(&s.metrics.Flushes)
	err := s.inner.Flush()
	s.end(OpFlush, began)
	return err
}

// Unflushed tells whether a caching layer holds changes that the layers below do not have.
func (s *MeteredKeyValueStore) Unflushed() bool {
	cached, ok := s.inner.(*CachingKeyValueStore)
	return ok && cached.Unflushed()
}

// Stage adds what was written since the last commit to b.
func (s *MeteredKeyValueStore) Stage(b *Batch) error { return s.inner.Stage(b) }

// Discard forgets what was written since the last commit.
func (s *MeteredKeyValueStore) Discard() { s.inner.Discard() }

// UncommittedBytes is the memory held by what was written since the last commit.
func (s *MeteredKeyValueStore) UncommittedBytes() int64 { return s.inner.UncommittedBytes() }

// Offset is the changelog offset of the last commit or restore.
func (s *MeteredKeyValueStore) Offset() (int64, bool) { return s.inner.Offset() }

// Restore applies changelog records.
func (s *MeteredKeyValueStore) Restore(records []KV, next int64) error {
	var began time.Time
	if s.metrics.OnLatency != nil {
		began = time.Now()
	}
	err := s.inner.Restore(records, next)
	s.metrics.Restored.Add(int64(len(records)))
	s.end(OpRestore, began)
	return err
}

// Settle writes what Restore holds back.
func (s *MeteredKeyValueStore) Settle() error { return s.inner.Settle() }

// Close releases the store. It can be called twice.
func (s *MeteredKeyValueStore) Close() error { return s.inner.Close() }
