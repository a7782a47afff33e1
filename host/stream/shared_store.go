package stream

import (
	"errors"
	"fmt"
	"sync"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// SharedStore is a global store: one goroutine writes it, the tasks of all others read it. The writer holds the lock
// that all global stores of an application share while it works on them; readers take it for each call. It is no
// RWMutex: a store builds the keys that it looks for in a buffer of its own, so that two reads are in each other's way.
type SharedStore struct {
	mu          *sync.Mutex
	store       state.KeyValueStore
	timestamped bool
}

// NewSharedStore shares store, which must be a key-value store, of a kind. mu guards it.
func NewSharedStore(store state.Store, kind topology.StoreKind, mu *sync.Mutex) (*SharedStore, error) {
	kv, ok := store.(state.KeyValueStore)
	if !ok {
		return nil, fmt.Errorf("sharing store %q: a global store is a key-value store", store.Name())
	}
	return &SharedStore{mu: mu, store: kv, timestamped: kind == topology.TimestampedKeyValue}, nil
}

// Reader returns a view for one task. What it returns is the task's until its next call on the view.
func (s *SharedStore) Reader() state.KeyValueStore { return &sharedReader{shared: s} }

var errReadOnly = errors.New("a global store is written by its own processor only")

// sharedReader is the view of one task. It does not write.
type sharedReader struct {
	shared *SharedStore
	buf    []byte
}

var _ state.KeyValueStore = (*sharedReader)(nil)

// Name is the store's.
func (r *sharedReader) Name() string { return r.shared.store.Name() }

// Persistent is the store's.
func (r *sharedReader) Persistent() bool { return r.shared.store.Persistent() }

// Get copies the value, since the writer goes on.
func (r *sharedReader) Get(key []byte) ([]byte, error) {
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	value, err := r.shared.store.Get(key)
	if err != nil || value == nil {
		return nil, err
	}
	r.buf = append(append(r.buf[:0], value...), 0)[:len(value)]
	return r.buf, nil
}

// Put is refused.
func (r *sharedReader) Put(_, _ []byte) error { return r.refuse() }

// PutIfAbsent is refused.
func (r *sharedReader) PutIfAbsent(_, _ []byte) ([]byte, error) { return nil, r.refuse() }

// Delete is refused.
func (r *sharedReader) Delete(_ []byte) ([]byte, error) { return nil, r.refuse() }

func (r *sharedReader) refuse() error {
	return fmt.Errorf("writing store %q: %w", r.Name(), errReadOnly)
}

// ApproximateNumEntries is the store's.
func (r *sharedReader) ApproximateNumEntries() int64 {
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	return r.shared.store.ApproximateNumEntries()
}

// Flush has nothing to do.
func (r *sharedReader) Flush() error { return nil }

// Close leaves the store to its writer.
func (r *sharedReader) Close() error { return nil }

// sharedChunk is how many pairs an iterator copies at a time.
const sharedChunk = 256

// Range iterates in chunks; writes between two of them are seen.
func (r *sharedReader) Range(from, to []byte, reverse bool) (state.Iterator, error) {
	it := &sharedIterator{shared: r.shared, from: cloneKey(from), to: cloneKey(to), reverse: reverse}
	return it, it.load()
}

func cloneKey(key []byte) []byte {
	if key == nil {
		return nil
	}
	return append([]byte{}, key...)
}

type sharedIterator struct {
	shared   *SharedStore
	from, to []byte // what is left
	reverse  bool
	pairs    []state.KV
	at       int // of the current pair, from 1
	last     bool
	err      error
}

// load copies the next pairs.
func (it *sharedIterator) load() error {
	it.pairs, it.at = it.pairs[:0], 0
	it.shared.mu.Lock()
	defer it.shared.mu.Unlock()
	rows, err := it.shared.store.Range(it.from, it.to, it.reverse)
	if err != nil {
		return err
	}
	for len(it.pairs) < sharedChunk && rows.Next() {
		it.pairs = append(it.pairs, state.KV{Key: cloneKey(rows.Key()), Value: cloneKey(rows.Value())})
	}
	it.last = len(it.pairs) < sharedChunk
	if n := len(it.pairs); n > 0 {
		it.narrow(it.pairs[n-1].Key)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// narrow leaves what comes after key.
func (it *sharedIterator) narrow(key []byte) {
	if it.reverse {
		it.to = key
		return
	}
	it.from = append(cloneKey(key), 0)
}

// Next implements state.Iterator.
func (it *sharedIterator) Next() bool {
	if it.at == len(it.pairs) && !it.last && it.err == nil {
		it.err = it.load()
	}
	if it.err != nil || it.at == len(it.pairs) {
		return false
	}
	it.at++
	return true
}

// Key implements state.Iterator.
func (it *sharedIterator) Key() []byte { return it.pairs[it.at-1].Key }

// Value implements state.Iterator.
func (it *sharedIterator) Value() []byte { return it.pairs[it.at-1].Value }

// Err implements state.Iterator.
func (it *sharedIterator) Err() error { return it.err }

// Close implements state.Iterator.
func (it *sharedIterator) Close() error {
	it.pairs, it.at, it.last = nil, 0, true
	return nil
}
