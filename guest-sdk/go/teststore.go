//go:build !wasm

package wasmstream

import (
	"slices"
	"strings"
	"time"
)

// TestStore is a store of a TestHost. Its keys are those of rows: of a window store key and start, of a session store key,
// end and start, of a versioned store key and timestamp, times as AppendLong writes them. A version whose value is nil is
// one that says that its key is absent.
type TestStore struct {
	// Retention is how long windows and sessions are kept, by the largest start of a window and end of a session that was
	// put: older rows are not there, and a put of one does nothing. HistoryRetention is how far back versions are known.
	// If the module has a topology that makes the store, both begin as that says; 0 keeps everything.
	Retention, HistoryRetention time.Duration

	name     string
	kind     int32 // as it was opened
	entries  map[string][]byte
	observed int64 // the largest time of a row
}

// Get returns the value of key, nil if there is none.
func (s *TestStore) Get(key string) []byte { return s.entries[key] }

// Put sets the value of key; nil deletes it. A row that is too old is not put.
func (s *TestStore) Put(key string, value []byte) { s.put([]byte(key), value) }

// Keys lists the keys in order.
func (s *TestStore) Keys() []string {
	keys := make([]string, 0, len(s.entries))
	for k := range s.entries {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// fit is the rule of all answers: the length, and the bytes if they fit.
func fit(buf, answer []byte) int32 {
	if len(answer) <= len(buf) {
		copy(buf, answer)
	}
	return int32(len(answer))
}

func (s *TestStore) get(key, buf []byte) int32 {
	if s.kind == kindVersioned {
		return s.asOf(key, buf)
	}
	v, ok := s.entries[string(key)]
	if !ok {
		return int32(ErrNotFound)
	}
	return fit(buf, v)
}

func (s *TestStore) put(key, value []byte) int32 {
	if s.kind == kindKeyValue {
		return s.set(key, value)
	}
	if row := string(key); !s.late(row) {
		s.observe(row)
		s.set(key, value)
		s.expire()
	}
	return 0
}

func (s *TestStore) set(key, value []byte) int32 {
	if value == nil {
		if s.kind == kindVersioned {
			s.entries[string(key)] = nil
		} else {
			delete(s.entries, string(key))
		}
		return 0
	}
	// Room of the same length is used again, so that counting in place allocates nothing.
	if old := s.entries[string(key)]; old != nil && len(old) == len(value) {
		copy(old, value)
		return 0
	}
	s.entries[string(key)] = append([]byte{}, value...)
	return 0
}

func (s *TestStore) putIfAbsent(key, value, buf []byte) int32 {
	n := s.get(key, buf)
	if n == int32(ErrNotFound) {
		s.put(key, value)
	}
	return n
}

func (s *TestStore) delete(key, buf []byte) int32 {
	n := s.get(key, buf)
	if n >= 0 && int(n) <= len(buf) {
		s.put(key, nil)
	}
	return n
}

func (s *TestStore) getMany(block, buf []byte) int32 {
	var answer []byte
	for len(block) > 0 {
		var k []byte
		k, _, block = nextPair(block)
		answer = appendPair(answer, nil, s.entries[string(k)])
	}
	return fit(buf, answer)
}

func (s *TestStore) writeMany(block []byte) int32 {
	for len(block) > 0 {
		var k, v []byte
		k, v, block = nextPair(block)
		s.put(k, v)
	}
	return 0
}

// testIterator is an iterator over the keys as they were when it was opened.
type testIterator struct {
	store *TestStore
	keys  []string
}

func (s *TestStore) iterate(from, to []byte, flags, limit int32) *testIterator {
	keys := slices.DeleteFunc(s.Keys(), func(k string) bool {
		return from != nil && strings.Compare(k, string(from)) < 0 || to != nil && strings.Compare(k, string(to)) >= 0
	})
	if flags&1 != 0 {
		slices.Reverse(keys)
	}
	if limit > 0 && int(limit) < len(keys) {
		keys = keys[:limit]
	}
	return &testIterator{store: s, keys: keys}
}

// next fills buf with as many entries as fit; if not even one fits it returns the room that this one needs.
func (it *testIterator) next(buf []byte) int32 {
	var block []byte
	for len(it.keys) > 0 {
		k := it.keys[0]
		longer := appendPair(block, []byte(k), it.store.entries[k])
		if len(longer) > len(buf) {
			if block == nil {
				return int32(len(longer))
			}
			break
		}
		block, it.keys = longer, it.keys[1:]
	}
	return fit(buf, block)
}
