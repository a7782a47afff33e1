package wasmstream

// SessionStore keeps values by key, start and end of a session, both inclusive and in milliseconds, as long as its
// retention, which counts from the end. Slices that it returns are valid until the next call on the same store.
type SessionStore struct{ rows rows }

// SessionStore opens a session store that the component declared (Stores). Open it once, in Init.
func (c *Context) SessionStore(name string) (*SessionStore, error) {
	r, err := c.open(name, kindSession, 0)
	return &SessionStore{r}, err
}

// Name is the store's name.
func (s *SessionStore) Name() string { return s.rows.name }

// Put sets the aggregate of the session of key from start to end; nil removes the session.
func (s *SessionStore) Put(key []byte, start, end int64, aggregate []byte) error {
	return s.rows.Put(s.rows.within(key, start, end), aggregate)
}

// Remove removes a session.
func (s *SessionStore) Remove(key []byte, start, end int64) error { return s.Put(key, start, end, nil) }

// FetchSession returns the aggregate of a session, nil if there is none.
func (s *SessionStore) FetchSession(key []byte, start, end int64) ([]byte, error) {
	return s.rows.Get(s.rows.within(key, start, end))
}

// Fetch iterates over all sessions of key.
func (s *SessionStore) Fetch(key []byte) (*SessionIterator, error) {
	return s.FindSessions(key, 0, forever)
}

// FindSessions iterates over the sessions of key that end at earliestEnd or later and start at latestStart or earlier, by
// their end.
func (s *SessionStore) FindSessions(key []byte, earliestEnd, latestStart int64) (*SessionIterator, error) {
	return s.FindSessionsOfKeys(some(key), some(key), earliestEnd, latestStart)
}

// BackwardFindSessions is FindSessions from the latest to the earliest.
func (s *SessionStore) BackwardFindSessions(key []byte, earliestEnd, latestStart int64) (*SessionIterator, error) {
	return s.BackwardFindSessionsOfKeys(some(key), some(key), earliestEnd, latestStart)
}

// FindSessionsOfKeys is FindSessions for keyFrom <= key <= keyTo; nil is an open end.
func (s *SessionStore) FindSessionsOfKeys(keyFrom, keyTo []byte, earliestEnd, latestStart int64) (*SessionIterator, error) {
	return s.sessions(keyFrom, keyTo, earliestEnd, latestStart, 0)
}

// BackwardFindSessionsOfKeys is FindSessionsOfKeys in the reverse order.
func (s *SessionStore) BackwardFindSessionsOfKeys(keyFrom, keyTo []byte, earliestEnd, latestStart int64) (*SessionIterator, error) {
	return s.sessions(keyFrom, keyTo, earliestEnd, latestStart, iterReverse)
}

func (s *SessionStore) sessions(keyFrom, keyTo []byte, earliestEnd, latestStart int64, flags int32) (*SessionIterator, error) {
	it, err := s.rows.span(keyFrom, keyTo, earliestEnd, latestStart, flags)
	if err != nil {
		return nil, err
	}
	return &SessionIterator{it}, nil
}

// SessionIterator walks over sessions; it is used as Iterator is.
type SessionIterator struct{ it *Iterator }

// Next goes on to the next session; false at the end and at an error (Err).
func (i *SessionIterator) Next() bool { return i.it.Next() }

// Key is the current session's key, valid until the next call of Next or Close.
func (i *SessionIterator) Key() []byte { return i.it.Key()[:len(i.it.Key())-2*timeSize] }

// Start is where the current session begins.
func (i *SessionIterator) Start() int64 { return timeBefore(i.it.Key(), len(i.it.Key())) }

// End is where the current session ends.
func (i *SessionIterator) End() int64 { return timeBefore(i.it.Key(), len(i.it.Key())-timeSize) }

// Value is the current aggregate, valid until the next call of Next or Close.
func (i *SessionIterator) Value() []byte { return i.it.Value() }

// Err is what ended Next early.
func (i *SessionIterator) Err() error { return i.it.Err() }

// Close gives the iterator back. It can be called twice.
func (i *SessionIterator) Close() error { return i.it.Close() }
