package state

// lruStore keeps the keys that were used last, up to a number of them (Kafka's MemoryLRUCache): what is put beyond it has
// the key that was used longest ago deleted, and logged as deleted.
type lruStore struct {
	layer
	max   int
	keys  map[string]*lruKey
	used  lruKey // sentinel: next was used last
	spare *lruKey
}

type lruKey struct {
	key        []byte
	next, prev *lruKey
}

func newLRU(inner layer, maxEntries int) *lruStore {
	s := &lruStore{layer: inner, max: maxEntries, keys: map[string]*lruKey{}}
	s.used.next, s.used.prev = &s.used, &s.used
	return s
}

// SetFlushListener returns false: there is no cache below.
func (s *lruStore) SetFlushListener(FlushListener, bool) bool { return false }

func (s *lruStore) touch(k *lruKey) {
	k.unlink()
	k.link(&s.used)
}

func (k *lruKey) unlink() { k.prev.next, k.next.prev = k.next, k.prev }

// link puts k behind at.
func (k *lruKey) link(at *lruKey) {
	k.prev, k.next = at, at.next
	k.prev.next, k.next.prev = k, k
}

// enter takes in key behind at.
func (s *lruStore) enter(key []byte, at *lruKey) {
	k := s.spare
	if k == nil {
		k = &lruKey{}
	}
	s.spare = nil
	k.key = append(k.key[:0], key...)
	s.keys[stringOf(k.key)] = k
	k.link(at)
}

func (s *lruStore) forget(k *lruKey) {
	delete(s.keys, stringOf(k.key))
	k.unlink()
	s.spare = k
}

// Get returns nil for a key that is absent.
func (s *lruStore) Get(key []byte) ([]byte, error) {
	value, err := s.layer.Get(key)
	if value != nil {
		if k := s.keys[string(key)]; k != nil {
			s.touch(k)
		}
	}
	return value, err
}

// Put sets key; a nil value deletes it.
func (s *lruStore) Put(key, value []byte) error {
	if err := s.layer.Put(key, value); err != nil {
		return err
	}
	k := s.keys[string(key)]
	switch {
	case value == nil && k != nil:
		s.forget(k)
		return nil
	case value == nil:
		return nil
	case k != nil:
		s.touch(k)
		return nil
	}
	s.enter(key, &s.used)
	return s.evict()
}

// evict deletes what there is too much.
func (s *lruStore) evict() error {
	for len(s.keys) > s.max {
		oldest := s.used.prev
		if err := s.layer.Put(oldest.key, nil); err != nil {
			return err
		}
		s.forget(oldest)
	}
	return nil
}

// PutIfAbsent sets key if it is absent and returns the value that was there, or nil.
func (s *lruStore) PutIfAbsent(key, value []byte) ([]byte, error) {
	before, err := s.Get(key)
	if err != nil || before != nil {
		return before, err
	}
	return nil, s.Put(key, value)
}

// Delete removes key and returns the value that was there, or nil.
func (s *lruStore) Delete(key []byte) ([]byte, error) {
	before, err := s.layer.Delete(key)
	if k := s.keys[string(key)]; err == nil && k != nil {
		s.forget(k)
	}
	return before, err
}

// Discard forgets what was written since the last commit. What comes back counts as used longest ago.
func (s *lruStore) Discard() {
	s.layer.Discard()
	_ = s.reconcile() // in memory, reading does not fail
}

// reconcile makes the keys those of the layer below.
func (s *lruStore) reconcile() error {
	it, err := s.layer.Range(nil, nil, false)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for it.Next() {
		there[string(it.Key())] = true
		if s.keys[string(it.Key())] == nil {
			s.enter(it.Key(), s.used.prev)
		}
	}
	if err := it.Close(); err != nil {
		return err
	}
	for k := s.used.next; k != &s.used; {
		next := k.next
		if !there[string(k.key)] {
			s.forget(k)
		}
		k = next
	}
	return nil
}

// Restore applies changelog records in their order, the last of them being used last, and drops what there is too much.
func (s *lruStore) Restore(records []KV, next int64) error {
	if err := s.layer.Restore(records, next); err != nil {
		return err
	}
	if err := s.reconcile(); err != nil {
		return err
	}
	for i := range records {
		if k := s.keys[string(records[i].Key)]; k != nil {
			s.touch(k)
		}
	}
	var excess []KV
	for len(s.keys) > s.max {
		oldest := s.used.prev
		excess = append(excess, KV{Key: append([]byte{}, oldest.key...)})
		s.forget(oldest)
	}
	if excess == nil {
		return nil
	}
	return s.layer.Restore(excess, next)
}
