package wasmstream

// StoreError is a refusal of the host to do something with a store.
type StoreError struct {
	Store string
	Errno Errno
}

// Error names the store.
func (e *StoreError) Error() string { return "store " + e.Store + ": " + e.Errno.Error() }

// Unwrap returns the number.
func (e *StoreError) Unwrap() error { return e.Errno }

// KeyValueStore is a store of the task. Keys and values are bytes; keys are ordered byte by byte. What a record
// writes is seen at once by the same task, and becomes durable with the record's outputs.
//
// Slices that a store returns are valid until the next call on the same store.
type KeyValueStore struct {
	name string
	id   int32
	buf  []byte // the answer of the last call
	free *Iterator
}

// Name is the store's name.
func (s *KeyValueStore) Name() string { return s.name }

func (s *KeyValueStore) fail(code int32) error { return &StoreError{Store: s.name, Errno: Errno(code)} }

// grow makes room for an answer of need bytes. The host does nothing when an answer does not fit, so the call can be
// made again.
func (s *KeyValueStore) grow(need int32) {
	s.buf = make([]byte, max(2*len(s.buf), int(need)))
}

// Get returns the value of key, nil if there is none.
func (s *KeyValueStore) Get(key []byte) ([]byte, error) {
	n := hostStateGet(s.id, key, s.buf)
	if int(n) > len(s.buf) {
		s.grow(n)
		n = hostStateGet(s.id, key, s.buf)
	}
	return s.value(n)
}

// value is the answer of n bytes in buf, or what a negative n means.
func (s *KeyValueStore) value(n int32) ([]byte, error) {
	switch {
	case n >= 0:
		return s.buf[:n], nil
	case n == int32(ErrNotFound):
		return nil, nil
	}
	return nil, s.fail(n)
}

// Put sets the value of key; a nil value deletes it.
func (s *KeyValueStore) Put(key, value []byte) error {
	if code := hostStatePut(s.id, key, value); code < 0 {
		return s.fail(code)
	}
	return nil
}

// PutIfAbsent sets the value of key if it has none, and returns the value that it had: nil if it was set.
func (s *KeyValueStore) PutIfAbsent(key, value []byte) ([]byte, error) {
	n := hostStatePutIfAbsent(s.id, key, value, s.buf)
	if int(n) > len(s.buf) {
		s.grow(n)
		n = hostStatePutIfAbsent(s.id, key, value, s.buf)
	}
	return s.value(n)
}

// Delete removes key and returns the value that it had: nil if it had none.
func (s *KeyValueStore) Delete(key []byte) ([]byte, error) {
	n := hostStateDelete(s.id, key, s.buf)
	if int(n) > len(s.buf) {
		s.grow(n)
		n = hostStateDelete(s.id, key, s.buf)
	}
	return s.value(n)
}

// Batch is a list of writes, or of keys to get, that crosses to the host in one call. It can be used again after
// Reset.
type Batch struct {
	block []byte
	count int
}

// Reset empties the batch.
func (b *Batch) Reset() { b.block, b.count = b.block[:0], 0 }

// Len is the number of entries.
func (b *Batch) Len() int { return b.count }

// Put adds a write; a nil value deletes. Key and value are copied.
func (b *Batch) Put(key, value []byte) {
	b.block = appendPair(b.block, key, value)
	b.count++
}

// Key adds a key to get. It is copied.
func (b *Batch) Key(key []byte) { b.Put(key, nil) }

// WriteMany does all writes of the batch, in order.
func (s *KeyValueStore) WriteMany(b *Batch) error {
	if b.count == 0 {
		return nil
	}
	if code := hostStateWriteMany(s.id, b.block); code < 0 {
		return s.fail(code)
	}
	return nil
}

// GetMany gets all keys of the batch and calls visit with the number of each, counted from 0, and its value, nil if
// there is none, in order. visit must not use the store.
func (s *KeyValueStore) GetMany(b *Batch, visit func(i int, value []byte)) error {
	if b.count == 0 {
		return nil
	}
	n := hostStateGetMany(s.id, b.block, s.buf)
	if int(n) > len(s.buf) {
		s.grow(n)
		n = hostStateGetMany(s.id, b.block, s.buf)
	}
	if n < 0 {
		return s.fail(n)
	}
	block := s.buf[:n]
	for i := 0; len(block) > 0; i++ {
		var v []byte
		_, v, block = nextPair(block)
		visit(i, v)
	}
	return nil
}

// Iterator walks over entries of a store in the order of their keys. Use it so:
//
//	it, err := store.Range(from, to)
//	if err != nil {
//		return err
//	}
//	defer it.Close()
//	for it.Next() {
//		use(it.Key(), it.Value())
//	}
//	return it.Err()
type Iterator struct {
	store      *KeyValueStore
	id         int32
	buf, block []byte
	key, value []byte
	code       int32
	open       bool
	next       *Iterator // in the store's list of closed iterators
}

// Range iterates over the keys from from up to, but without, to; nil is an open end.
func (s *KeyValueStore) Range(from, to []byte) (*Iterator, error) { return s.iterate(from, to, 0) }

// ReverseRange is Range in descending order.
func (s *KeyValueStore) ReverseRange(from, to []byte) (*Iterator, error) {
	return s.iterate(from, to, 1)
}

// All iterates over all keys.
func (s *KeyValueStore) All() (*Iterator, error) { return s.iterate(nil, nil, 0) }

func (s *KeyValueStore) iterate(from, to []byte, flags int32) (*Iterator, error) {
	return s.iterator(hostIterOpen(s.id, from, to, flags, 0))
}

// iterator is the one that the host opened, or its refusal.
func (s *KeyValueStore) iterator(id int32) (*Iterator, error) {
	if id < 0 {
		return nil, s.fail(id)
	}
	it := s.free
	if it == nil {
		it = &Iterator{store: s, buf: make([]byte, 8<<10)}
	} else {
		s.free = it.next
	}
	it.id, it.block, it.code, it.open, it.next = id, nil, 0, true, nil
	return it, nil
}

// Next goes on to the next entry; false at the end and at an error (Err).
func (it *Iterator) Next() bool {
	if len(it.block) == 0 && !it.fetch() {
		return false
	}
	it.key, it.value, it.block = nextPair(it.block)
	return true
}

// fetch asks the host for the next entries.
func (it *Iterator) fetch() bool {
	if !it.open || it.code < 0 {
		return false
	}
	n := hostIterNextMany(it.id, it.buf)
	if int(n) > len(it.buf) {
		it.buf = make([]byte, n)
		n = hostIterNextMany(it.id, it.buf)
	}
	if n <= 0 {
		it.code = n
		return false
	}
	it.block = it.buf[:n]
	return true
}

// Key is the current key, valid until the next call of Next or Close.
func (it *Iterator) Key() []byte { return it.key }

// Value is the current value, valid until the next call of Next or Close.
func (it *Iterator) Value() []byte { return it.value }

// Err is what ended Next early.
func (it *Iterator) Err() error {
	if it.code < 0 {
		return it.store.fail(it.code)
	}
	return nil
}

// Close gives the iterator back to its store. It can be called twice.
func (it *Iterator) Close() error {
	if !it.open {
		return nil
	}
	it.open, it.block, it.key, it.value = false, nil, nil, nil
	it.next, it.store.free = it.store.free, it
	if code := hostIterClose(it.id); code < 0 {
		return it.store.fail(code)
	}
	return nil
}

// Long reads a value as Kafka's LongSerializer writes it: 8 bytes, the highest first. ok is false for other lengths.
func Long(value []byte) (n int64, ok bool) {
	if len(value) != 8 {
		return 0, false
	}
	_ = value[7]
	return int64(value[0])<<56 | int64(value[1])<<48 | int64(value[2])<<40 | int64(value[3])<<32 |
		int64(value[4])<<24 | int64(value[5])<<16 | int64(value[6])<<8 | int64(value[7]), true
}

// AppendLong appends n as Kafka's LongSerializer writes it.
func AppendLong(dst []byte, n int64) []byte {
	return append(dst, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
