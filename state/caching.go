package state

import "fmt"

// CachingKeyValueStore keeps the last value of hot keys in the thread's record cache, so that the layers below, the
// changelog and the nodes after see one change where there were many (Kafka's CachingKeyValueStore). Changes leave it
// at Flush and when the cache is over its budget, in the order in which their keys were last written; each is written
// to the layer below, under the context of its last write, and then given to the listener.
type CachingKeyValueStore struct {
	inner   layer
	format  ValueFormat
	context *RecordContext
	cache   *namedCache
	hidden  int // bytes at the front of a key that only the store has
	// seg is the time of the rows below, nil if they have none. Those that are too old are forwarded, as in Kafka, and not
	// written.
	seg *segments

	spare *cachingIterator

	listener FlushListener
	sendOld  bool
	old      []byte // what Delete lent
	closed   bool
}

// layer is what a layer needs of the one below.
type layer interface {
	KeyValueStore
	TransactionalStore
	// scan walks over spans, which it keeps. The iterator is used again after its close, which may be called only then.
	scan(spans []keySpan, reverse bool) (spanIterator, error)
}

// NewCaching puts a record cache over inner. id names the store in the cache; context is that of the task.
func NewCaching(inner layer, cache *ThreadCache, id StoreID, format ValueFormat, context *RecordContext) (*CachingKeyValueStore, error) {
	s := &CachingKeyValueStore{inner: inner, format: format, context: context}
	named, err := cache.open(id, s.apply)
	if err != nil {
		return nil, err
	}
	s.cache = named
	return s, nil
}

// Name is the store's name.
func (s *CachingKeyValueStore) Name() string { return s.inner.Name() }

// Persistent tells whether the store survives the process.
func (s *CachingKeyValueStore) Persistent() bool { return s.inner.Persistent() }

// Context is the task's.
func (s *CachingKeyValueStore) Context() *RecordContext { return s.context }

// SetFlushListener has changes forwarded by listener; it is true.
func (s *CachingKeyValueStore) SetFlushListener(listener FlushListener, sendOldValues bool) bool {
	s.listener, s.sendOld = listener, sendOldValues
	return true
}

func (s *CachingKeyValueStore) check(key []byte) error {
	switch {
	case s.closed:
		return ErrClosed
	case key == nil:
		return ErrNullKey
	}
	return nil
}

// Get returns nil for a key that is absent. A value found below stays in the cache. What makes room for it may be
// forwarded and write the key, or be the key itself: the value is that of the store afterwards.
func (s *CachingKeyValueStore) Get(key []byte) ([]byte, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	if e := s.cache.get(key); e != nil {
		return e.stored(), nil
	}
	value, err := s.inner.Get(key)
	if err != nil || value == nil {
		return nil, err
	}
	if err := s.cache.fill(key, value); err != nil {
		return nil, err
	}
	if e := s.cache.peek(key); e != nil {
		return e.stored(), nil
	}
	return s.inner.Get(key)
}

// held is the value in the cache itself, nil if there is none.
func (s *CachingKeyValueStore) held(key []byte) []byte {
	if e := s.cache.get(key); e != nil {
		return e.stored()
	}
	return nil
}

// Put sets key; a nil value deletes it.
func (s *CachingKeyValueStore) Put(key, value []byte) error {
	if err := s.check(key); err != nil {
		return err
	}
	return s.cache.put(key, value, s.context)
}

// PutIfAbsent sets key if it is absent and returns the value that was there, or nil.
func (s *CachingKeyValueStore) PutIfAbsent(key, value []byte) ([]byte, error) {
	before, err := s.Get(key)
	if err != nil || before != nil {
		return before, err
	}
	return nil, s.Put(key, value)
}

// Delete removes key and returns the value that was there, or nil.
func (s *CachingKeyValueStore) Delete(key []byte) ([]byte, error) {
	before, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if before == nil {
		return nil, s.Put(key, nil)
	}
	// Put may evict, and what that forwards may come back here: the copy is not the store's until it is lent.
	old := append(append(s.old[:0], before...), 0)[:len(before)]
	s.old = nil
	err = s.Put(key, nil)
	s.old = old
	return old, err
}

// Range iterates over from <= key < to as the store is now.
func (s *CachingKeyValueStore) Range(from, to []byte, reverse bool) (Iterator, error) {
	return newRange(s, from, to, reverse)
}

// cachingIterator is a walk over a cached store.
type cachingIterator struct {
	mergeIterator
	dirty cacheCursor
	store *CachingKeyValueStore
}

// scan walks over spans. Only what was changed and not flushed comes from the cache.
func (s *CachingKeyValueStore) scan(spans []keySpan, reverse bool) (spanIterator, error) {
	if s.closed {
		return nil, ErrClosed
	}
	lower, err := s.inner.scan(spans, reverse)
	if err != nil {
		return nil, err
	}
	i := s.spare
	if i == nil {
		i = &cachingIterator{store: s}
	}
	s.spare = nil
	s.cache.dirtyRange(&i.dirty, spans, reverse)
	i.begin(&i.dirty, lower, reverse)
	return i, nil
}

func (i *cachingIterator) close() error {
	if i.closed {
		return nil
	}
	err := i.mergeIterator.close()
	i.lower = emptyIterator{}
	i.store.spare = i
	return err
}

// ApproximateNumEntries is that of the layer below.
func (s *CachingKeyValueStore) ApproximateNumEntries() int64 { return s.inner.ApproximateNumEntries() }

// Flush writes all changes to the layer below and tells the listener, until there are none. Called by the listener, it
// does nothing: the flush that is running goes on afterwards.
func (s *CachingKeyValueStore) Flush() error {
	if s.closed {
		return ErrClosed
	}
	if err := s.cache.flushAll(); err != nil {
		return err
	}
	return s.inner.Flush()
}

// apply writes and forwards what the cache flushes.
func (s *CachingKeyValueStore) apply(f *flushFrame) error {
	current := *s.context
	defer func() { *s.context = current }()
	for i := range f.items {
		if err := s.applyItem(f, &f.items[i]); err != nil {
			return fmt.Errorf("flushing store %q: %w", s.Name(), err)
		}
	}
	return nil
}

func (s *CachingKeyValueStore) applyItem(f *flushFrame, item *flushItem) error {
	*s.context = item.context
	if s.listener == nil {
		return s.write(item)
	}
	old, err := s.oldValue(f, item)
	if err != nil {
		return err
	}
	if item.value == nil && old == nil {
		return nil // neither the layer below nor the nodes after have heard of the key
	}
	if err := s.write(item); err != nil {
		return err
	}
	f.event = Flushed{Key: item.key[s.hidden:], Context: item.context}
	if s.sendOld {
		f.event.Old = old
	}
	f.event.Old, _, _ = s.format.bare(f.event.Old, 0)
	f.event.New, f.event.Timestamp, _ = s.format.bare(item.value, item.context.Timestamp)
	return s.listener(&f.event)
}

// write gives the layer below a row that it still keeps.
func (s *CachingKeyValueStore) write(item *flushItem) error {
	if s.seg != nil && !s.seg.flush(item.key) {
		return nil
	}
	return s.inner.Put(item.key, item.value)
}

// oldValue reads what the layer below has if someone wants to know, and keeps a copy for the flush.
func (s *CachingKeyValueStore) oldValue(f *flushFrame, item *flushItem) ([]byte, error) {
	if item.value != nil && !s.sendOld || s.seg != nil && !s.seg.before(item.key) {
		return nil, nil
	}
	old, err := s.inner.Get(item.key)
	if err != nil || old == nil {
		return nil, err
	}
	f.old = append(append(f.old[:0], old...), 0)[:len(old)]
	return f.old, nil
}

// Unflushed tells whether there are changes that the layer below does not have.
func (s *CachingKeyValueStore) Unflushed() bool { return s.cache.isDirty() }

// Stage stages the layer below. Changes that were not flushed are an error: their changelog records are not in the
// transaction.
func (s *CachingKeyValueStore) Stage(b *Batch) error {
	if s.cache.isDirty() {
		return fmt.Errorf("staging store %q: its cache is not flushed", s.Name())
	}
	return s.inner.Stage(b)
}

// Discard empties the cache and discards the layer below.
func (s *CachingKeyValueStore) Discard() {
	s.cache.discard()
	s.inner.Discard()
}

// UncommittedBytes is that of the layer below; what is in the cache has a bound of its own.
func (s *CachingKeyValueStore) UncommittedBytes() int64 { return s.inner.UncommittedBytes() }

// Offset is the changelog offset of the last commit or restore.
func (s *CachingKeyValueStore) Offset() (int64, bool) { return s.inner.Offset() }

// Restore restores the layer below and empties the cache. An empty cache is not touched: it is part of one that the whole
// thread uses, and stores are restored by another goroutine.
func (s *CachingKeyValueStore) Restore(records []KV, next int64) error {
	if len(s.cache.entries) > 0 {
		s.cache.discard()
	}
	return s.inner.Restore(records, next)
}

// Settle writes what Restore of the layer below holds back.
func (s *CachingKeyValueStore) Settle() error { return s.inner.Settle() }

// Close drops the cache, without flushing it, and closes the layer below.
func (s *CachingKeyValueStore) Close() error {
	if !s.closed {
		s.closed = true
		s.cache.close()
	}
	return s.inner.Close()
}
