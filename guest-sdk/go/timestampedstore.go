package wasmstream

// TimestampedKeyValueStore is a store of keys and values that have timestamps. Slices that it returns are valid until the
// next call on the same store.
type TimestampedKeyValueStore struct{ rows rows }

// TimestampedKeyValueStore opens a store with timestamps that the component declared (Stores). Open it once, in Init;
// Context.Store opens the same store without them.
func (c *Context) TimestampedKeyValueStore(name string) (*TimestampedKeyValueStore, error) {
	r, err := c.open(name, kindKeyValue, storeTimestamps)
	return &TimestampedKeyValueStore{r}, err
}

// Name is the store's name.
func (s *TimestampedKeyValueStore) Name() string { return s.rows.name }

// Put sets the value of key and its timestamp; nil deletes it.
func (s *TimestampedKeyValueStore) Put(key, value []byte, timestamp int64) error {
	return s.rows.Put(key, s.rows.withTime(value, timestamp))
}

// PutIfAbsent sets the value of key if it has none, and returns the value that it had: nil if it was set.
func (s *TimestampedKeyValueStore) PutIfAbsent(key, value []byte, timestamp int64) ([]byte, int64, error) {
	return s.taken(s.rows.PutIfAbsent(key, s.rows.withTime(value, timestamp)))
}

// Get returns the value of key and its timestamp, nil if there is none.
func (s *TimestampedKeyValueStore) Get(key []byte) (value []byte, timestamp int64, err error) {
	return s.taken(s.rows.Get(key))
}

// Delete removes key and returns the value that it had: nil if it had none.
func (s *TimestampedKeyValueStore) Delete(key []byte) (value []byte, timestamp int64, err error) {
	return s.taken(s.rows.Delete(key))
}

func (s *TimestampedKeyValueStore) taken(stored []byte, err error) ([]byte, int64, error) {
	value, timestamp := s.rows.split(stored)
	return value, timestamp, err
}

// Range iterates over the keys from from up to, but without, to; nil is an open end.
func (s *TimestampedKeyValueStore) Range(from, to []byte) (*TimestampedIterator, error) {
	return s.stamped(s.rows.Range(from, to))
}

// ReverseRange is Range in descending order.
func (s *TimestampedKeyValueStore) ReverseRange(from, to []byte) (*TimestampedIterator, error) {
	return s.stamped(s.rows.ReverseRange(from, to))
}

func (s *TimestampedKeyValueStore) stamped(it *Iterator, err error) (*TimestampedIterator, error) {
	if err != nil {
		return nil, err
	}
	return &TimestampedIterator{it: it, rows: &s.rows}, nil
}

// TimestampedIterator walks over entries with timestamps; it is used as Iterator is.
type TimestampedIterator struct {
	it   *Iterator
	rows *rows
}

// Next goes on to the next entry; false at the end and at an error (Err).
func (i *TimestampedIterator) Next() bool { return i.it.Next() }

// Key is the current key, valid until the next call of Next or Close.
func (i *TimestampedIterator) Key() []byte { return i.it.Key() }

// Value is the current value, valid until the next call of Next or Close.
func (i *TimestampedIterator) Value() []byte {
	value, _ := i.rows.split(i.it.Value())
	return value
}

// Timestamp is that of the current value.
func (i *TimestampedIterator) Timestamp() int64 {
	_, timestamp := i.rows.split(i.it.Value())
	return timestamp
}

// Err is what ended Next early.
func (i *TimestampedIterator) Err() error { return i.it.Err() }

// Close gives the iterator back. It can be called twice.
func (i *TimestampedIterator) Close() error { return i.it.Close() }
