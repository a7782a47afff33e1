package state

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// maxPairBytes bounds a pair. Pebble would take more, and then hold several copies of it in memory; no broker takes half
// as much in a record.
const maxPairBytes = 256 << 20

// KeyValueBytes is the innermost layer of a key-value store: committed pairs, and over them the writes of the running
// transaction. It implements KeyValueStore and TransactionalStore.
type KeyValueBytes struct {
	db     *DB
	id     StoreID
	format ValueFormat
	number uint32 // in the database; 0 in memory

	over     *overlay
	pairs    pairs
	onCommit func()    // called when a staged commit is done; nil for nothing
	seg      *segments // of windowed stores: their rows expire
	dirty    bool      // something was written since the last commit
	staged   bool

	// shared keeps the committed pairs of a store in memory, and closed, as they are while views read them. Reads and
	// writes of the task take it not; commits and restores of stores in memory do.
	shared sync.RWMutex
	viewed bool // this is a view

	volatile bool  // the offset is the store's own, not the database's
	offset   int64 // of volatile stores

	bulk                *bulk // restored and not in the database yet; nil if there is nothing
	spare               *storeIterator
	iters               map[*storeIterator]string // open ones, with the place that opened them under invariants
	head                []byte                    // scratch of Restore
	keyHead, row, index []byte                    // scratch of Restore
	closed              bool
}

var _ interface {
	KeyValueStore
	TransactionalStore
} = (*KeyValueBytes)(nil)

func newKeyValueBytes(db *DB, id StoreID, format ValueFormat, p pairs) *KeyValueBytes {
	return &KeyValueBytes{
		db: db, id: id, format: format, over: newOverlay(), pairs: p, iters: map[*storeIterator]string{},
	}
}

// Name is the store's name, without the task.
func (s *KeyValueBytes) Name() string { return s.id.Store }

// ID names the store in its database.
func (s *KeyValueBytes) ID() StoreID { return s.id }

// Format says what the values are.
func (s *KeyValueBytes) Format() ValueFormat { return s.format }

// Persistent tells whether the store survives the process.
func (s *KeyValueBytes) Persistent() bool { return !s.volatile }

func (s *KeyValueBytes) check(key []byte) error {
	switch {
	case s.closed:
		return ErrClosed
	case key == nil:
		return ErrNullKey
	}
	return nil
}

// Get returns nil for a key that is absent.
func (s *KeyValueBytes) Get(key []byte) ([]byte, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	if s.bulk != nil {
		if err := s.settle(); err != nil {
			return nil, err
		}
	}
	if e := s.over.get(key); e != nil {
		if e.deleted {
			return nil, nil
		}
		return e.value, nil
	}
	return s.pairs.get(key)
}

// Put sets key; a nil value deletes it.
func (s *KeyValueBytes) Put(key, value []byte) error {
	if err := s.check(key); err != nil {
		return err
	}
	if s.staged {
		return fmt.Errorf("writing store %q: it is staged for a commit", s.id)
	}
	if s.viewed {
		return fmt.Errorf("writing store %q: %w", s.id, errViewed)
	}
	if len(key)+len(value) > maxPairBytes {
		what := fmt.Sprintf("a pair of %d + %d bytes is too large for a store (at most %d)", len(key), len(value), maxPairBytes)
		return errs.StateValueSize.New(s.id.String(), what, "")
	}
	if s.bulk != nil {
		if err := s.settle(); err != nil {
			return err
		}
	}
	s.over.put(key, value)
	s.dirty = true
	return nil
}

// PutIfAbsent sets key if it is absent and returns the value that was there, or nil.
func (s *KeyValueBytes) PutIfAbsent(key, value []byte) ([]byte, error) {
	before, err := s.Get(key)
	if err != nil || before != nil {
		return before, err
	}
	return nil, s.Put(key, value)
}

// Delete removes key and returns the value that was there, or nil.
func (s *KeyValueBytes) Delete(key []byte) ([]byte, error) {
	before, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	return before, s.Put(key, nil) // the overlay keeps the bytes of a deleted entry
}

// Range iterates over from <= key < to as the store is now.
func (s *KeyValueBytes) Range(from, to []byte, reverse bool) (Iterator, error) {
	return newRange(s, from, to, reverse)
}

// storeIterator is a walk over a bytes store.
type storeIterator struct {
	mergeIterator
	over  overlayCursor
	store *KeyValueBytes
}

// scan walks over spans, which it keeps. The iterator is used again after its close.
func (s *KeyValueBytes) scan(spans []keySpan, reverse bool) (spanIterator, error) {
	switch {
	case s.closed:
		return nil, ErrClosed
	case len(s.iters) >= s.db.opts.MaxIterators:
		return nil, fmt.Errorf("iterating over store %q: %w (%d)", s.id, ErrTooManyIterators, len(s.iters))
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	lower, err := s.pairs.iterate(spans, reverse)
	if err != nil {
		return nil, fmt.Errorf("iterating over store %q: %w", s.id, err)
	}
	i := s.spare
	if i == nil {
		i = &storeIterator{store: s}
	}
	s.spare = nil
	i.over.open(s.over, spans, reverse)
	i.begin(&i.over, lower, reverse)
	s.iters[i] = opener()
	return i, nil
}

func (i *storeIterator) close() error {
	if i.closed {
		return nil
	}
	delete(i.store.iters, i)
	err := i.mergeIterator.close()
	i.lower = emptyIterator{}
	i.store.spare = i
	return err
}

// opener is the call stack outside this package, under invariants.
func opener() string {
	if !invariants {
		return ""
	}
	buf := make([]byte, 4<<10)
	return string(buf[:runtime.Stack(buf, false)])
}

// OpenIterators is how many iterators are open.
func (s *KeyValueBytes) OpenIterators() int { return len(s.iters) }

// ApproximateNumEntries counts what is committed: exactly in memory, by the size of the files in Pebble.
func (s *KeyValueBytes) ApproximateNumEntries() int64 {
	if s.closed || s.settle() != nil {
		return 0
	}
	return s.pairs.count()
}

// Flush lets go of what is kept for the next iterator: there is no cache here.
func (s *KeyValueBytes) Flush() error {
	s.pairs.release()
	return s.settle()
}

// Stage adds the overlay to b. Until b is committed or reset the store cannot be written.
func (s *KeyValueBytes) Stage(b *Batch) error {
	switch {
	case s.closed:
		return ErrClosed
	case b.db != s.db:
		return fmt.Errorf("staging store %q: the batch is of another database", s.id)
	case s.bulk != nil:
		if err := s.settle(); err != nil {
			return err
		}
	}
	switch {
	case s.staged || !s.dirty && !s.timeChanged():
		return nil
	}
	if err := s.stage(b.pebbleBatch()); err != nil {
		return fmt.Errorf("staging store %q: %w", s.id, err)
	}
	s.staged = true
	b.staged = append(b.staged, s)
	return nil
}

func (s *KeyValueBytes) timeChanged() bool { return s.seg != nil && s.seg.changed() }

// stage adds the overlay to a batch, which is nil in memory, and what expires: after the overlay, which may hold rows of
// segments that were dropped later in the transaction.
func (s *KeyValueBytes) stage(b *pebble.Batch) error {
	if err := s.pairs.stage(b, s.over); err != nil || s.seg == nil || b == nil {
		return err
	}
	return s.stageTime(b)
}

func (s *KeyValueBytes) stageTime(b *pebble.Batch) error {
	p, ok := s.pairs.(*pebblePairs)
	if !ok || !s.seg.changed() {
		return nil
	}
	var state [segmentStateBytes]byte
	if err := p.set(b, nil, segmentMeta, nil, s.seg.appendState(state[:0])); err != nil {
		return err
	}
	if from, to := s.seg.expired(); from != nil {
		return p.deleteRange(b, from, to)
	}
	return nil
}

// committed is called by the batch.
func (s *KeyValueBytes) committed() {
	s.staged = false
	if s.volatile {
		s.shared.Lock()
	}
	s.pairs.committed(s.over)
	s.commitTime()
	if s.volatile {
		s.shared.Unlock()
	}
	s.clear()
	if s.onCommit != nil {
		s.onCommit()
	}
}

func (s *KeyValueBytes) commitTime() {
	if s.seg == nil {
		return
	}
	if m, ok := s.pairs.(*segmentedPairs); ok {
		if _, to := s.seg.expired(); to != nil {
			m.dropBelow(to)
		}
	}
	s.seg.commit()
}

func (s *KeyValueBytes) clear() {
	s.over = s.over.reset()
	s.dirty = false
	if s.seg != nil {
		s.seg.discard()
	}
}

// Discard forgets what was written since the last commit.
func (s *KeyValueBytes) Discard() {
	_ = s.settle() // a fault comes back: what was restored is restored again
	s.staged = false
	s.clear()
}

// UncommittedBytes is the memory held by the overlay.
func (s *KeyValueBytes) UncommittedBytes() int64 {
	if !s.dirty {
		return 0
	}
	return s.over.bytes()
}

// Offset is the changelog offset of the last commit or restore.
func (s *KeyValueBytes) Offset() (int64, bool) {
	if s.volatile {
		return s.offset, s.offset >= 0
	}
	if s.bulk != nil {
		return s.bulk.next, true
	}
	return s.db.Offset(s.id)
}

// Restore applies changelog records to the committed pairs, with next as the new offset. Values of a timestamped store
// get the record's timestamp before them. The records may be written to the database only with later ones, or when
// something else is asked of the store; that is not to be seen but in a crash, after which the offset is that of what was
// written.
func (s *KeyValueBytes) Restore(records []KV, next int64) error {
	switch {
	case s.closed:
		return ErrClosed
	case s.dirty:
		return fmt.Errorf("restoring store %q: it has uncommitted writes", s.id)
	}
	if err := s.restore(records, next); err != nil {
		if s.seg != nil && s.bulk == nil {
			s.seg.discard()
		}
		return fmt.Errorf("restoring store %q: %w", s.id, err)
	}
	return nil
}

func (s *KeyValueBytes) restore(records []KV, next int64) error {
	if err := s.observeRestored(records); err != nil {
		return err
	}
	if m, ok := s.pairs.(memory); ok {
		return s.restoreMemory(m, records, next)
	}
	if err := s.db.failure(); err != nil {
		return err
	}
	if s.bulk == nil {
		s.beginBulk()
	}
	before := s.bulk.bytes
	p := s.pairs.(*pebblePairs)
	err := s.each(records, func(keyHead, key []byte, r *KV) error {
		s.bulk.set(p.prefix, keyHead, key, s.restoredHead(r), r.Value)
		return nil
	})
	due := s.restored(s.bulk.bytes - before)
	if err != nil {
		s.dropBulk()
		return err
	}
	s.bulk.next = next
	if due {
		return s.settleBulk(s.bulk)
	}
	return nil
}

func (s *KeyValueBytes) restoreMemory(m memory, records []KV, next int64) error {
	if err := s.applyToMemory(m, records); err != nil {
		return err
	}
	b := s.db.NewBatch()
	b.SetOffset(s.id, next)
	return b.Commit()
}

func (s *KeyValueBytes) applyToMemory(m memory, records []KV) error {
	s.shared.Lock()
	defer s.shared.Unlock()
	m.unshare()
	err := s.each(records, func(keyHead, key []byte, r *KV) error {
		if r.Value == nil {
			m.delete(keyHead, key)
		} else {
			m.set(keyHead, key, s.restoredHead(r), r.Value)
		}
		return nil
	})
	if err == nil {
		s.commitTime()
	}
	return err
}

// restoreBy restores a store whose records say how it changes: apply writes what they come to, as a transaction of its
// own.
func (s *KeyValueBytes) restoreBy(records []KV, next int64, apply func(r *KV) error) error {
	switch {
	case s.closed:
		return ErrClosed
	case s.dirty:
		return fmt.Errorf("restoring store %q: it has uncommitted writes", s.id)
	}
	b := s.db.NewBatch()
	err := s.applyAll(records, apply)
	if err == nil {
		err = s.Stage(b)
	}
	if err == nil {
		b.SetOffset(s.id, next)
		err = b.Commit()
	}
	if err != nil {
		b.Close()
		s.Discard()
		return fmt.Errorf("restoring store %q: %w", s.id, err)
	}
	return nil
}

func (s *KeyValueBytes) applyAll(records []KV, apply func(r *KV) error) error {
	for i := range records {
		if records[i].Key == nil {
			return ErrNullKey
		}
		if err := apply(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

// observeRestored moves the time of a windowed store to the latest of the records, before any is written.
func (s *KeyValueBytes) observeRestored(records []KV) error {
	if s.seg == nil {
		return nil
	}
	for i := range records {
		at, ok := s.seg.timeOf(records[i].Key)
		if !ok {
			return fmt.Errorf("a record of the changelog has a key of %d bytes, which is no windowed key", len(records[i].Key))
		}
		s.seg.observe(at)
		s.seg.observeSeq(records[i].Key)
	}
	return nil
}

// each calls f for what the records come to, with the two parts of the key in the store.
func (s *KeyValueBytes) each(records []KV, f func(keyHead, key []byte, r *KV) error) error {
	for i := range records {
		r := &records[i]
		var err error
		switch {
		case r.Key == nil:
			err = ErrNullKey
		case s.seg == nil:
			err = f(nil, r.Key, r)
		default:
			err = s.eachRow(r, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eachRow is each for one record of a windowed store.
func (s *KeyValueBytes) eachRow(r *KV, f func(keyHead, key []byte, r *KV) error) error {
	at, _ := s.seg.timeOf(r.Key)
	if !s.seg.live(at) {
		return nil
	}
	s.keyHead = appendPrefix(s.keyHead[:0], s.seg.number(at), false)
	if err := f(s.keyHead, r.Key, r); err != nil || !s.seg.indexed {
		return err
	}
	s.row = append(append(s.row[:0], s.keyHead...), r.Key...)
	s.index = s.seg.appendIndexKey(s.index[:0], s.row)
	return f(nil, s.index, r)
}

// restoredHead is what stands before the value of a changelog record in the store.
func (s *KeyValueBytes) restoredHead(r *KV) []byte {
	s.head = s.format.appendHead(s.head[:0], r)
	return s.head
}

// Settle writes what Restore holds back.
func (s *KeyValueBytes) Settle() error {
	if s.closed {
		return ErrClosed
	}
	return s.settle()
}

// Close drops what is not committed and releases iterators. Those left open are an error under invariants.
func (s *KeyValueBytes) Close() error {
	if s.closed {
		return nil
	}
	faults := []error{s.settle()}
	s.shared.Lock()
	s.closed = true
	s.shared.Unlock()
	for m, place := range s.iters {
		if invariants {
			faults = append(faults, fmt.Errorf("closing store %q: %w, opened by\n%s", s.id, ErrIteratorLeak, place))
		}
		faults = append(faults, m.close())
	}
	s.Discard()
	s.pairs.close()
	s.db.unregister(s)
	return errors.Join(faults...)
}
