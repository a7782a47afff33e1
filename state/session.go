package state

import "fmt"

// MeteredSessionStore is a session store with its layers: what processors and guests see.
type MeteredSessionStore struct{ windowed }

var _ interface {
	SessionStore
	TransactionalStore
	CachedStore
	ContextualStore
} = (*MeteredSessionStore)(nil)

// rowKey puts the physical key of a session into s.key.
func (s *MeteredSessionStore) rowKey(key []byte, start, end int64) {
	s.key = AppendSessionKey(appendPrefix(s.key[:0], s.seg.number(end), false), key, start, end)
}

// PutSession sets a session; a nil value removes it.
func (s *MeteredSessionStore) PutSession(key []byte, start, end int64, value []byte) error {
	if err := s.check(key); err != nil {
		return err
	}
	if start < 0 || end < start {
		return fmt.Errorf("putting into store %q: %w, or the session ends before it begins: [%d, %d]", s.Name(), errNegativeTime, start, end)
	}
	began := s.begin(&s.metrics.Puts)
	s.rowKey(key, start, end)
	_, err := s.putAt(end, value)
	s.end(OpPut, began)
	return err
}

// RemoveSession removes a session.
func (s *MeteredSessionStore) RemoveSession(key []byte, start, end int64) error {
	return s.PutSession(key, start, end, nil)
}

// FetchSession returns nil for a session that is absent.
func (s *MeteredSessionStore) FetchSession(key []byte, start, end int64) ([]byte, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	began := s.begin(&s.metrics.Gets)
	var value []byte
	var err error
	if end >= 0 {
		s.rowKey(key, start, end)
		value, err = s.getAt(end)
	}
	s.end(OpGet, began)
	return s.lend(value), err
}

// FindSessions iterates over the sessions of key with end >= earliestEnd and start <= latestStart.
func (s *MeteredSessionStore) FindSessions(key []byte, earliestEnd, latestStart int64, reverse bool) (SessionIterator, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	return s.sessions(rowRange{exact: key, from: earliestEnd, to: forever, reverse: reverse}, latestStart)
}

// FindSessionsOfKeys does so for keyFrom <= key <= keyTo.
func (s *MeteredSessionStore) FindSessionsOfKeys(keyFrom, keyTo []byte, earliestEnd, latestStart int64, reverse bool) (SessionIterator, error) {
	r := rowRange{keyFrom: keyFrom, keyTo: keyTo, from: earliestEnd, to: forever, reverse: reverse, indexed: s.seg.indexed}
	return s.sessions(r, latestStart)
}

func (s *MeteredSessionStore) sessions(r rowRange, latestStart int64) (SessionIterator, error) {
	i := &sessionIterator{rowRange: r, latestStart: latestStart}
	if _, err := s.walk(&i.rowRange); err != nil {
		return nil, err
	}
	return i, nil
}

// sessionIterator is a walk over rows as a SessionIterator.
type sessionIterator struct {
	rowRange
	latestStart int64
}

// Next moves to the next session.
func (i *sessionIterator) Next() bool {
	for i.next() {
		if i.Start() <= i.latestStart {
			return true
		}
	}
	return false
}

// End is that of the current session.
func (i *sessionIterator) End() int64 { return i.times[0] }

// Start is that of the current session.
func (i *sessionIterator) Start() int64 { return i.times[1] }
