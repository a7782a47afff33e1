//go:build !wasm

package wasmstream

import "slices"

// timesOf is the size of the times in a row's key.
func timesOf(kind int32) int {
	switch kind {
	case kindWindow, kindVersioned:
		return timeSize
	case kindSession:
		return 2 * timeSize
	}
	return 0
}

// versions are the rows of a key in a versioned store, by time.
func (s *TestStore) versions(key string) []string {
	return slices.DeleteFunc(s.Keys(), func(row string) bool {
		return len(row) != len(key)+timeSize || row[:len(key)] != key
	})
}

// validTo is where a version ends.
func (s *TestStore) validTo(row string) int64 {
	versions := s.versions(row[:len(row)-timeSize])
	if i := slices.Index(versions, row); i+1 < len(versions) {
		return timeBefore([]byte(versions[i+1]), len(row))
	}
	return forever
}

// version is a row of a versioned store as it crosses, nil if the key is absent from its time on.
func (s *TestStore) version(row string) []byte {
	value := s.entries[row]
	if value == nil {
		return nil
	}
	v := AppendLong(append([]byte{}, row[len(row)-timeSize:]...), s.validTo(row))
	return append(v, value...)
}

// asOf gives the version that holds at the time of row. Of a time before the history only the latest is known.
func (s *TestStore) asOf(row, buf []byte) int32 {
	var found []byte
	for _, v := range s.versions(string(row[:len(row)-timeSize])) {
		if v <= string(row) {
			found = s.version(v)
		}
	}
	if found == nil || s.late(string(row)) && timeBefore(found, 2*timeSize) != forever {
		return int32(ErrNotFound)
	}
	return fit(buf, found)
}

func (s *TestStore) putVersion(key, value []byte, timestamp int64) int64 {
	row := AppendLong(append([]byte{}, key...), timestamp)
	if s.late(string(row)) {
		return int64(ErrNotFound)
	}
	s.put(row, value)
	return s.validTo(string(row))
}

// span is an iterator over rows by key and time.
func (s *TestStore) span(keyFrom, keyTo []byte, from, to int64, flags, limit int32) *testIterator {
	size := timesOf(s.kind)
	found := &TestStore{name: s.name, entries: make(map[string][]byte)}
	for row, value := range s.entries {
		key, first, last := row[:len(row)-size], timeBefore([]byte(row), len(row)-size+timeSize), timeBefore([]byte(row), len(row))
		asked := from <= first && first <= to
		switch s.kind {
		case kindSession:
			asked = first >= from && last <= to
		case kindVersioned:
			held := s.validTo(row)
			asked = first <= to && held > from && value != nil && (held == forever || to >= s.oldest())
			value = s.version(row)
		}
		if asked && (keyFrom == nil || key >= string(keyFrom)) && (keyTo == nil || key <= string(keyTo)) {
			found.entries[row] = value
		}
	}
	return found.iterate(nil, nil, flags, limit)
}
