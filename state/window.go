package state

import "fmt"

// MeteredWindowStore is a window store with its layers: what processors and guests see.
type MeteredWindowStore struct {
	windowed
	duplicates bool
	recent     *recentRows // nil: of a store in memory, or one that keeps no duplicates
}

var _ interface {
	WindowStore
	TransactionalStore
	CachedStore
	ContextualStore
} = (*MeteredWindowStore)(nil)

// rowKey puts the physical key of a row into s.key.
func (s *MeteredWindowStore) rowKey(key []byte, start int64, seq int32) {
	s.key = AppendWindowKey(appendPrefix(s.key[:0], s.seg.number(start), false), key, start, seq)
}

// PutWindow sets the row of key and start, or adds one if duplicates are retained.
func (s *MeteredWindowStore) PutWindow(key, value []byte, start int64) error {
	if err := s.check(key); err != nil {
		return err
	}
	if start < 0 {
		return fmt.Errorf("putting into store %q: %w: %d", s.Name(), errNegativeTime, start)
	}
	if s.duplicates && value == nil {
		s.seg.observe(start)
		return nil
	}
	began := s.begin(&s.metrics.Puts)
	seq := int32(0)
	if s.duplicates {
		seq = s.seg.nextSeq()
	}
	s.rowKey(key, start, seq)
	kept, err := s.putAt(start, value)
	if kept && err == nil && s.recent != nil {
		s.recent.put(key, value, start, seq, s.recent.wanted(s.seg.oldest(), s.StreamTime()))
	}
	s.end(OpPut, began)
	return err
}

// FetchWindow returns nil for a row that is absent.
func (s *MeteredWindowStore) FetchWindow(key []byte, start int64) ([]byte, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	began := s.begin(&s.metrics.Gets)
	value, err := s.fetch(key, start)
	s.end(OpGet, began)
	return s.lend(value), err
}

func (s *MeteredWindowStore) fetch(key []byte, start int64) ([]byte, error) {
	if start < 0 {
		return nil, nil
	}
	if s.duplicates {
		return s.fetchLast(key, start)
	}
	s.rowKey(key, start, 0)
	return s.getAt(start)
}

// fetchLast returns a copy of the last of the duplicates.
func (s *MeteredWindowStore) fetchLast(key []byte, start int64) (value []byte, err error) {
	it, err := s.FetchWindows(key, start, start, true)
	if err != nil {
		return nil, err
	}
	if it.Next() {
		value = ownBound(it.Value())
	}
	if err := it.Err(); err != nil {
		_ = it.Close() // the error before is the one that matters
		return nil, err
	}
	return value, it.Close()
}

// FetchWindows iterates over the rows of key with from <= start <= to.
func (s *MeteredWindowStore) FetchWindows(key []byte, from, to int64, reverse bool) (WindowIterator, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	if s.recent != nil {
		if it := s.fetchRecent(key, from, to, reverse); it != nil {
			return it, nil
		}
	}
	return s.windows(rowRange{exact: key, from: from, to: to, reverse: reverse})
}

// fetchRecent is FetchWindows of rows that are in memory, and nil if they are to be found in the database only.
func (s *MeteredWindowStore) fetchRecent(key []byte, from, to int64, reverse bool) WindowIterator {
	from, to, ok := s.seg.span(from, to)
	if ok {
		s.recent.asked(from, s.StreamTime())
	}
	switch {
	case !ok || s.recent.nothing(key, from):
		s.end(OpRange, s.begin(&s.metrics.Ranges))
		return noWindows{}
	case from <= s.recent.rowsFrom:
		return nil
	}
	began := s.begin(&s.metrics.Ranges)
	w := s.recent.walk(key, from, to, reverse)
	w.metrics = s.metrics
	s.metrics.OpenIterators.Add(1)
	s.end(OpRange, began)
	return w
}

// Restore applies changelog records, whose keys are Kafka's.
func (s *MeteredWindowStore) Restore(records []KV, next int64) error {
	before := s.seg.current.streamTime
	err := s.windowed.Restore(records, next)
	s.forget(before)
	return err
}

// Discard forgets what was written since the last commit.
func (s *MeteredWindowStore) Discard() {
	s.windowed.Discard()
	s.forget(-1)
}

// forget drops the rows in memory. Those of the store start at time, or the stream time, or before.
func (s *MeteredWindowStore) forget(time int64) {
	if s.recent != nil {
		s.recent.reset(max(time, s.seg.current.streamTime))
	}
}

// Close releases the store. It can be called twice.
func (s *MeteredWindowStore) Close() error {
	s.forget(forever)
	return s.windowed.Close()
}

// FetchKeys iterates over the rows with keyFrom <= key <= keyTo and from <= start <= to.
func (s *MeteredWindowStore) FetchKeys(keyFrom, keyTo []byte, from, to int64, reverse bool) (WindowIterator, error) {
	return s.windows(rowRange{keyFrom: keyFrom, keyTo: keyTo, from: from, to: to, reverse: reverse, indexed: s.seg.indexed})
}

func (s *MeteredWindowStore) windows(r rowRange) (WindowIterator, error) {
	i := &windowIterator{rowRange: r}
	if _, err := s.walk(&i.rowRange); err != nil {
		return nil, err
	}
	return i, nil
}

// windowIterator is a walk over rows as a WindowIterator.
type windowIterator struct{ rowRange }

// Next moves to the next row.
func (i *windowIterator) Next() bool { return i.next() }

// Start is that of the current row.
func (i *windowIterator) Start() int64 { return i.times[0] }
