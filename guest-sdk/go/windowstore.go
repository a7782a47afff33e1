package wasmstream

// WindowStore keeps values by key and start of a window, in milliseconds, as long as its retention: older rows are not
// there, and a put of one does nothing. Slices that it returns are valid until the next call on the same store.
//
// A store with timestamps gives bare values and takes those of the records being processed, unless it was opened by
// TimestampedWindowStore.
type WindowStore struct{ rows rows }

// WindowStore opens a window store that the component declared (Stores). Open it once, in Init.
func (c *Context) WindowStore(name string) (*WindowStore, error) {
	r, err := c.open(name, kindWindow, 0)
	return &WindowStore{r}, err
}

// TimestampedWindowStore opens a window store whose values have timestamps.
func (c *Context) TimestampedWindowStore(name string) (*WindowStore, error) {
	r, err := c.open(name, kindWindow, storeTimestamps)
	return &WindowStore{r}, err
}

// Name is the store's name.
func (s *WindowStore) Name() string { return s.rows.name }

// Put sets the value of the window of key that begins at start; nil deletes it. A store that retains duplicates adds a
// row instead, and nil does nothing. Where the store was opened with timestamps, that of the value is start.
func (s *WindowStore) Put(key, value []byte, start int64) error {
	return s.PutTimestamped(key, value, start, start)
}

// PutTimestamped is Put with the value's timestamp, which only a store opened with timestamps keeps.
func (s *WindowStore) PutTimestamped(key, value []byte, start, timestamp int64) error {
	return s.rows.Put(s.rows.at(key, start), s.rows.withTime(value, timestamp))
}

// Fetch returns the value of the window of key that begins at start, nil if there is none.
func (s *WindowStore) Fetch(key []byte, start int64) ([]byte, error) {
	value, _, err := s.FetchTimestamped(key, start)
	return value, err
}

// FetchTimestamped is Fetch with the value's timestamp, -1 where the store was not opened with timestamps.
func (s *WindowStore) FetchTimestamped(key []byte, start int64) (value []byte, timestamp int64, err error) {
	value, err = s.rows.Get(s.rows.at(key, start))
	value, timestamp = s.rows.split(value)
	return value, timestamp, err
}

// FetchRange iterates over the windows of key that begin in [from, to], by their start.
func (s *WindowStore) FetchRange(key []byte, from, to int64) (*WindowIterator, error) {
	return s.FetchKeys(some(key), some(key), from, to)
}

// BackwardFetchRange is FetchRange from the latest to the earliest.
func (s *WindowStore) BackwardFetchRange(key []byte, from, to int64) (*WindowIterator, error) {
	return s.BackwardFetchKeys(some(key), some(key), from, to)
}

// FetchKeys iterates over the windows with keyFrom <= key <= keyTo that begin in [from, to]; nil is an open end.
func (s *WindowStore) FetchKeys(keyFrom, keyTo []byte, from, to int64) (*WindowIterator, error) {
	return s.windows(keyFrom, keyTo, from, to, 0)
}

// BackwardFetchKeys is FetchKeys in the reverse order.
func (s *WindowStore) BackwardFetchKeys(keyFrom, keyTo []byte, from, to int64) (*WindowIterator, error) {
	return s.windows(keyFrom, keyTo, from, to, iterReverse)
}

// FetchAll iterates over all windows that begin in [from, to].
func (s *WindowStore) FetchAll(from, to int64) (*WindowIterator, error) {
	return s.FetchKeys(nil, nil, from, to)
}

// BackwardFetchAll is FetchAll in the reverse order.
func (s *WindowStore) BackwardFetchAll(from, to int64) (*WindowIterator, error) {
	return s.BackwardFetchKeys(nil, nil, from, to)
}

// All iterates over all windows.
func (s *WindowStore) All() (*WindowIterator, error) { return s.FetchAll(0, forever) }

func (s *WindowStore) windows(keyFrom, keyTo []byte, from, to int64, flags int32) (*WindowIterator, error) {
	it, err := s.rows.span(keyFrom, keyTo, from, to, flags)
	if err != nil {
		return nil, err
	}
	return &WindowIterator{it: it, rows: &s.rows}, nil
}

// WindowIterator walks over windows; it is used as Iterator is.
type WindowIterator struct {
	it   *Iterator
	rows *rows
}

// Next goes on to the next window; false at the end and at an error (Err).
func (i *WindowIterator) Next() bool { return i.it.Next() }

// Key is the current window's key, valid until the next call of Next or Close.
func (i *WindowIterator) Key() []byte { return i.it.Key()[:len(i.it.Key())-timeSize] }

// Start is where the current window begins.
func (i *WindowIterator) Start() int64 { return timeBefore(i.it.Key(), len(i.it.Key())) }

// Value is the current value, valid until the next call of Next or Close.
func (i *WindowIterator) Value() []byte {
	value, _ := i.rows.split(i.it.Value())
	return value
}

// Timestamp is that of the current value, -1 where the store was not opened with timestamps.
func (i *WindowIterator) Timestamp() int64 {
	_, timestamp := i.rows.split(i.it.Value())
	return timestamp
}

// Err is what ended Next early.
func (i *WindowIterator) Err() error { return i.it.Err() }

// Close gives the iterator back. It can be called twice.
func (i *WindowIterator) Close() error { return i.it.Close() }
