package wasmstream

// What VersionedKeyValueStore.Put returns beside times, and where the latest version ends
// (VersionedKeyValueStore.PUT_RETURN_CODE_VALID_TO_UNDEFINED and _NOT_PUT).
const (
	ValidToUndefined int64 = -1
	NotPut           int64 = -1 << 63
)

// Version is a value with the time from which it holds and the one from which it holds no more, in milliseconds;
// ValidTo of the latest is ValidToUndefined (VersionedRecord).
type Version struct {
	Value              []byte
	Timestamp, ValidTo int64
}

// versionOf reads a version as it crosses.
func versionOf(b []byte) Version {
	v := Version{Value: b[2*timeSize:], Timestamp: timeBefore(b, timeSize), ValidTo: timeBefore(b, 2*timeSize)}
	if v.ValidTo == forever {
		v.ValidTo = ValidToUndefined
	}
	return v
}

// VersionedKeyValueStore keeps the versions of each key's value over time: the latest, and those that held at some moment
// of its history. Slices that it returns are valid until the next call on the same store.
type VersionedKeyValueStore struct{ rows rows }

// VersionedKeyValueStore opens a versioned store that the component declared (Stores). Open it once, in Init.
func (c *Context) VersionedKeyValueStore(name string) (*VersionedKeyValueStore, error) {
	r, err := c.open(name, kindVersioned, 0)
	return &VersionedKeyValueStore{r}, err
}

// Name is the store's name.
func (s *VersionedKeyValueStore) Name() string { return s.rows.name }

// Put has key be value from timestamp on until the next version that is known; nil: be absent. It returns the time of
// that next version, ValidToUndefined if there is none, or NotPut for what is older than the history.
func (s *VersionedKeyValueStore) Put(key, value []byte, timestamp int64) (validTo int64, err error) {
	switch to := hostStatePutVersion(s.rows.id, key, value, timestamp); {
	case to == forever:
		return ValidToUndefined, nil
	case to >= 0:
		return to, nil
	case to == int64(ErrNotFound):
		return NotPut, nil
	default:
		return 0, s.rows.fail(int32(to))
	}
}

// Delete has key be absent from timestamp on, and returns the version that held then, if there was one.
func (s *VersionedKeyValueStore) Delete(key []byte, timestamp int64) (Version, bool, error) {
	v, ok, err := s.GetAsOf(key, timestamp)
	if err != nil {
		return Version{}, false, err
	}
	return v, ok, s.rows.Put(s.rows.at(key, timestamp), nil)
}

// Get returns the latest version, if the key is not absent.
func (s *VersionedKeyValueStore) Get(key []byte) (Version, bool, error) {
	return s.GetAsOf(key, forever)
}

// GetAsOf returns the version that held at asOf, if the key was not absent then and asOf is not before the history.
func (s *VersionedKeyValueStore) GetAsOf(key []byte, asOf int64) (Version, bool, error) {
	b, err := s.rows.Get(s.rows.at(key, asOf))
	if err != nil || b == nil {
		return Version{}, false, err
	}
	return versionOf(b), true, nil
}

// Range iterates over the versions of key that held at some time in [from, to], the oldest first.
func (s *VersionedKeyValueStore) Range(key []byte, from, to int64) (*VersionIterator, error) {
	return s.versions(key, from, to, 0)
}

// ReverseRange is Range with the latest first.
func (s *VersionedKeyValueStore) ReverseRange(key []byte, from, to int64) (*VersionIterator, error) {
	return s.versions(key, from, to, iterReverse)
}

func (s *VersionedKeyValueStore) versions(key []byte, from, to int64, flags int32) (*VersionIterator, error) {
	it, err := s.rows.span(some(key), some(key), from, to, flags)
	if err != nil {
		return nil, err
	}
	return &VersionIterator{it}, nil
}

// VersionIterator walks over versions; it is used as Iterator is.
type VersionIterator struct{ it *Iterator }

// Next goes on to the next version; false at the end and at an error (Err).
func (i *VersionIterator) Next() bool { return i.it.Next() }

// Version is the current version; its value is valid until the next call of Next or Close.
func (i *VersionIterator) Version() Version { return versionOf(i.it.Value()) }

// Err is what ended Next early.
func (i *VersionIterator) Err() error { return i.it.Err() }

// Close gives the iterator back. It can be called twice.
func (i *VersionIterator) Close() error { return i.it.Close() }
