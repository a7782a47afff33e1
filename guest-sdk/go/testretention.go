//go:build !wasm

package wasmstream

import (
	"encoding/json"
	"time"
)

// keep sets how long the store keeps rows to what the module's own topology says, if it has one that names the store.
func (s *TestStore) keep() {
	if module.topology == nil {
		return
	}
	var document any
	if json.Unmarshal(module.topology(), &document) == nil {
		s.keepAsIn(document)
	}
}

// keepAsIn looks for the store in a document: stores stand in a list of their own, and in operators that make them.
func (s *TestStore) keepAsIn(document any) {
	switch part := document.(type) {
	case []any:
		for _, element := range part {
			s.keepAsIn(element)
		}
	case map[string]any:
		if part["name"] == s.name {
			s.Retention = max(s.Retention, milliseconds(part["retention"]))
			s.HistoryRetention = max(s.HistoryRetention, milliseconds(part["historyRetention"]))
		}
		for _, element := range part {
			s.keepAsIn(element)
		}
	}
}

func milliseconds(number any) time.Duration {
	ms, _ := number.(float64)
	return time.Duration(ms) * time.Millisecond
}

// observe moves the store's time on to a row's.
func (s *TestStore) observe(row string) { s.observed = max(s.observed, s.when(row)) }

// when is the time that decides whether a row is too old: a window's start, a session's end, a version's timestamp.
func (s *TestStore) when(row string) int64 {
	n := len(row) - timesOf(s.kind)
	return timeBefore([]byte(row), n+timeSize)
}

// oldest is the earliest time that rows may have, and the earliest moment of which versions are known.
func (s *TestStore) oldest() int64 {
	switch {
	case s.kind == kindVersioned && s.HistoryRetention > 0:
		return s.observed - s.HistoryRetention.Milliseconds()
	case s.kind != kindVersioned && s.Retention > 0:
		return s.observed - s.Retention.Milliseconds() + 1
	}
	return 0
}

// late tells whether a row is too old to be put, or to be there.
func (s *TestStore) late(row string) bool { return s.kind != kindKeyValue && s.when(row) < s.oldest() }

// expire forgets what is too old.
func (s *TestStore) expire() {
	if s.Retention <= 0 && s.HistoryRetention <= 0 {
		return
	}
	for row := range s.entries {
		if s.late(row) && (s.kind != kindVersioned || s.validTo(row) <= s.oldest()) {
			delete(s.entries, row)
		}
	}
}

// openAs makes it a store of a kind; its rows may have been put before.
func (s *TestStore) openAs(kind int32) {
	if s.kind == kind {
		return
	}
	s.kind = kind
	if kind == kindKeyValue {
		return
	}
	for row := range s.entries {
		s.observe(row)
	}
	s.expire()
}
