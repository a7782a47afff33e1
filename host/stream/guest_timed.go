package stream

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/state"
)

// timedStore is what window and session stores have beside the methods of their kind.
type timedStore interface {
	// OldestAt is the earliest time that rows may have once the stream time is streamTime, if it is not behind.
	OldestAt(streamTime int64) int64
	// CompareRows orders rows, each its key and its times, as walks over several keys do.
	CompareRows(a, b []byte) int
}

type windowStore interface {
	state.WindowStore
	timedStore
}

type sessionStore interface {
	state.SessionStore
	timedStore
}

// timedRows is what guests' window and session stores share: rows are gone when they are too old for the stream time of
// the store, which the writes of the running call move on.
type timedRows struct {
	store timedStore
	size  int // of the times at the end of a row's key; the first decides when it is gone
	// duplicates: each write is a row of its own. In the log its key has its number, of 4 bytes, behind it.
	duplicates bool
	seq        uint32
	observed   int64 // the largest time that the running call has written, -1 if it has not
	key        []byte
}

func timeIn(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// valid tells whether key ends with times that a row can have: a start, or an end and a start that is not behind it.
func (r *timedRows) valid(key []byte) bool {
	n := len(key) - r.size
	if n < 0 || timeIn(key[n:]) < 0 {
		return false
	}
	if r.size == abi.TimeSize {
		return true
	}
	start := timeIn(key[n+abi.TimeSize:])
	return 0 <= start && start <= timeIn(key[n:])
}

// keyOf is the part of a row's key before the times.
func (r *timedRows) keyOf(row []byte) []byte { return row[: len(row)-r.size : len(row)-r.size] }

// when is a row's time.
func (r *timedRows) when(row []byte) int64 { return timeIn(row[len(row)-r.size:]) }

// oldest is the earliest time that rows may have.
func (r *timedRows) oldest() int64 { return r.store.OldestAt(r.observed) }

func (r *timedRows) note(l *writeLog, row, value []byte) {
	r.observed = max(r.observed, r.when(row))
	switch {
	case !r.duplicates:
		l.put(row, value)
	case value == nil:
		l.pass(row, nil) // it moves the time on, no more
	default:
		r.seq++
		r.key = binary.BigEndian.AppendUint32(append(r.key[:0], row...), r.seq)
		l.put(r.key, value)
	}
}

func (r *timedRows) forget() { r.observed, r.seq = -1, 0 }

// rowOf is the row of a write in the log.
func (r *timedRows) rowOf(key []byte) []byte {
	if r.duplicates {
		return key[:len(key)-seqSize]
	}
	return key
}

// seqSize is the size of the number behind the key of a duplicate in the log.
const seqSize = 4

// written are the writes of the log that belong to a span, in its order; asked decides by times.
func (r *timedRows) written(l *writeLog, s *rowSpan, asked func(row []byte) bool) []int32 {
	var end []byte
	if s.exact() { // times are not negative, so they begin with a byte below 0x80
		r.key = append(append(r.key[:0], s.keyTo...), 0x80)
		end = r.key
	}
	oldest := r.oldest()
	rowAt := func(p int32) []byte { return r.rowOf(l.keyOf(&l.writes[p])) }
	found := slices.DeleteFunc(l.between(s.keyFrom, end, false), func(p int32) bool {
		row := rowAt(p)
		return r.when(row) < oldest || !s.hasKey(r.keyOf(row)) || !asked(row)
	})
	slices.SortStableFunc(found, func(a, b int32) int { return r.store.CompareRows(rowAt(a), rowAt(b)) })
	if s.reverse {
		slices.Reverse(found)
	}
	return found
}

// merged walks over rows of the store that are not too old, and those of the log.
func (r *timedRows) merged(l *writeLog, s *rowSpan, it state.Iterator, asked func(row []byte) bool) mergedWalk {
	return mergedWalk{
		it: it, reverse: s.reverse, log: l, written: r.written(l, s, asked), compare: r.store.CompareRows, duplicates: r.duplicates,
	}
}

// windowRows is a window store: rows of key|start.
type windowRows struct {
	timedRows
	windows state.WindowStore
}

func newWindowRows(s windowStore, duplicates bool) *windowRows {
	return &windowRows{timedRows{store: s, size: abi.TimeSize, duplicates: duplicates, observed: -1}, s}
}

func (r *windowRows) get(l *writeLog, row []byte) ([]byte, error) {
	if r.when(row) < r.oldest() {
		return nil, nil
	}
	if r.duplicates {
		if value := r.lastDuplicate(l, row); value != nil {
			return value, nil
		}
	} else if value, written := l.get(row); written {
		return value, nil
	}
	return r.windows.FetchWindow(r.keyOf(row), r.when(row))
}

// lastDuplicate is the value that the running call wrote last to a row, nil if it wrote none.
func (r *windowRows) lastDuplicate(l *writeLog, row []byte) []byte {
	r.key = append(append(r.key[:0], row...), 0xff, 0xff, 0xff, 0xff, 0xff)
	for _, p := range l.between(row, r.key, true) {
		w := &l.writes[p]
		if bytes.Equal(r.rowOf(l.keyOf(w)), row) {
			return l.valueOf(w)
		}
	}
	return nil
}

func (r *windowRows) apply(key, value []byte) error {
	if value != nil {
		key = r.rowOf(key)
	}
	return r.windows.PutWindow(r.keyOf(key), value, r.when(key))
}

// span walks over windows with from <= start <= to.
func (r *windowRows) span(l *writeLog, s *rowSpan) (mergedWalk, error) {
	var rows state.WindowIterator
	var err error
	if s.exact() {
		rows, err = r.windows.FetchWindows(s.keyFrom, s.from, s.to, s.reverse)
	} else {
		rows, err = r.windows.FetchKeys(s.keyFrom, s.keyTo, s.from, s.to, s.reverse)
	}
	if err != nil {
		return mergedWalk{}, err
	}
	return r.merged(l, s, &windowWalk{WindowIterator: rows, oldest: r.oldest()}, func(row []byte) bool {
		start := r.when(row)
		return s.from <= start && start <= s.to
	}), nil
}

// windowWalk gives windows under the keys of guests.
type windowWalk struct {
	state.WindowIterator
	oldest int64
	row    []byte
}

// Next goes on to the next window that is not too old.
func (w *windowWalk) Next() bool {
	for w.WindowIterator.Next() {
		if w.Start() >= w.oldest {
			w.row = binary.BigEndian.AppendUint64(append(w.row[:0], w.WindowIterator.Key()...), uint64(w.Start()))
			return true
		}
	}
	return false
}

// Key is key|start.
func (w *windowWalk) Key() []byte { return w.row }

// sessionRows is a session store: rows of key|end|start.
type sessionRows struct {
	timedRows
	sessions state.SessionStore
}

func newSessionRows(s sessionStore) *sessionRows {
	return &sessionRows{timedRows{store: s, size: 2 * abi.TimeSize, observed: -1}, s}
}

// start is where a row's session begins.
func (r *sessionRows) start(row []byte) int64 { return timeIn(row[len(row)-abi.TimeSize:]) }

func (r *sessionRows) get(l *writeLog, row []byte) ([]byte, error) {
	if r.when(row) < r.oldest() {
		return nil, nil
	}
	if value, written := l.get(row); written {
		return value, nil
	}
	return r.sessions.FetchSession(r.keyOf(row), r.start(row), r.when(row))
}

func (r *sessionRows) apply(row, value []byte) error {
	return r.sessions.PutSession(r.keyOf(row), r.start(row), r.when(row), value)
}

// span walks over sessions with end >= from and start <= to.
func (r *sessionRows) span(l *writeLog, s *rowSpan) (mergedWalk, error) {
	var rows state.SessionIterator
	var err error
	if s.exact() {
		rows, err = r.sessions.FindSessions(s.keyFrom, s.from, s.to, s.reverse)
	} else {
		rows, err = r.sessions.FindSessionsOfKeys(s.keyFrom, s.keyTo, s.from, s.to, s.reverse)
	}
	if err != nil {
		return mergedWalk{}, err
	}
	return r.merged(l, s, &sessionWalk{SessionIterator: rows, oldest: r.oldest()}, func(row []byte) bool {
		return r.when(row) >= s.from && r.start(row) <= s.to
	}), nil
}

// sessionWalk gives sessions under the keys of guests.
type sessionWalk struct {
	state.SessionIterator
	oldest int64
	row    []byte
}

// Next goes on to the next session that is not too old.
func (w *sessionWalk) Next() bool {
	for w.SessionIterator.Next() {
		if w.End() >= w.oldest {
			w.row = binary.BigEndian.AppendUint64(append(w.row[:0], w.SessionIterator.Key()...), uint64(w.End()))
			w.row = binary.BigEndian.AppendUint64(w.row, uint64(w.Start()))
			return true
		}
	}
	return false
}

// Key is key|end|start.
func (w *sessionWalk) Key() []byte { return w.row }
