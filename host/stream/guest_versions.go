package stream

import (
	"encoding/binary"
	"math"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/state"
)

// versionStore is a versioned store that tells what it knows of a moment.
type versionStore interface {
	state.VersionedKeyValueStore
	At(key []byte, moment int64) (state.Moment, error)
	StreamTime() int64
	HistoryRetention() int64
}

// versionRows is a versioned store: rows of key|timestamp. What holds at a moment is what was put last before it, here or
// there; so what the running call has written is laid over what the store knows, moment by moment.
//
// In the log a value has a byte before it, one of those below.
type versionRows struct {
	store    versionStore
	observed int64 // the largest timestamp that the running call has written, -1 if it has not
	row      []byte
	value    []byte
	asked    []byte // scratch: a row to look for
	noted    []byte // scratch: a value with its byte
}

// What a write of the log says of its time.
const (
	keyAbsent  = 0 // the key is absent from then on
	keyPresent = 1 // it has the value that follows
	// timeForgotten: nothing begins then any more. Kafka's stores forget a version that is deleted at its own time, if it
	// is the latest and none ended there.
	timeForgotten = 2
)

func newVersionRows(s versionStore) *versionRows { return &versionRows{store: s, observed: -1} }

func (*versionRows) valid(row []byte) bool {
	n := len(row) - abi.TimeSize
	return n >= 0 && timeIn(row[n:]) >= 0
}

// oldest is the earliest moment that is still known.
func (r *versionRows) oldest() int64 {
	return max(r.observed, r.store.StreamTime()) - r.store.HistoryRetention()
}

func splitVersion(row []byte) (key []byte, timestamp int64) {
	n := len(row) - abi.TimeSize
	return row[:n:n], timeIn(row[n:])
}

// expired tells whether a put with this timestamp comes too late.
func (r *versionRows) expired(timestamp int64) bool { return timestamp < r.oldest() }

func (r *versionRows) note(l *writeLog, row, value []byte) {
	_, timestamp := splitVersion(row)
	r.noted = append(append(r.noted[:0], keyPresent), value...)
	if value == nil {
		r.noted[0] = keyAbsent
	}
	if r.expired(timestamp) {
		l.pass(row, r.noted) // the store counts it
		return
	}
	r.observed = max(r.observed, timestamp)
	if value == nil && r.forgets(l, row) {
		r.noted[0] = timeForgotten
	}
	l.put(row, r.noted)
}

// forgets tells whether to delete a key at the row's time takes back the version that begins then. A store that fails is
// found to by the next read, or by the write itself.
func (r *versionRows) forgets(l *writeLog, row []byte) bool {
	key, timestamp := splitVersion(row)
	m, err := r.at(l, row)
	if err != nil || m.Value == nil || m.Timestamp != timestamp || m.ValidTo != state.VersionedLatest {
		return false
	}
	if timestamp <= max(r.oldest(), 0) { // what ended then is not known any more
		return true
	}
	before := binary.BigEndian.AppendUint64(append([]byte{}, key...), uint64(timestamp-1))
	m, err = r.at(l, before)
	return err == nil && m.Value == nil
}

func (r *versionRows) apply(row, value []byte) error {
	key, timestamp := splitVersion(row)
	_, err := r.store.PutVersion(key, versionValue(value), timestamp)
	return err
}

// versionValue is the value of a write in the log, nil if it has none.
func versionValue(noted []byte) []byte {
	if noted[0] != keyPresent {
		return nil
	}
	return noted[1:]
}

// forgot tells whether the running call has made a time of key one at which nothing begins.
func (r *versionRows) forgot(l *writeLog, key []byte, timestamp int64) bool {
	if l.keys == 0 {
		return false
	}
	r.asked = binary.BigEndian.AppendUint64(append(r.asked[:0], key...), uint64(timestamp))
	noted, written := l.get(r.asked)
	return written && noted[0] == timeForgotten
}

// stored is what the store knows of a key at a moment, without the times that the running call has made it forget.
func (r *versionRows) stored(l *writeLog, key []byte, moment int64) (state.Moment, error) {
	m, err := r.store.At(key, moment)
	for err == nil && m.ValidTo != state.VersionedLatest && r.forgot(l, key, m.ValidTo) {
		var next state.Moment
		next, err = r.store.At(key, m.ValidTo)
		m.ValidTo = next.ValidTo
	}
	for err == nil && m.Known && r.forgot(l, key, m.Timestamp) {
		validTo := m.ValidTo
		if m.Timestamp == 0 {
			return state.Moment{Version: state.Version{ValidTo: validTo}}, nil
		}
		m, err = r.store.At(key, m.Timestamp-1)
		m.ValidTo = validTo
	}
	return m, err
}

func (r *versionRows) forget() { r.observed = -1 }

// at is what is known of a row's key at its moment.
func (r *versionRows) at(l *writeLog, row []byte) (state.Moment, error) {
	key, moment := splitVersion(row)
	m, err := r.stored(l, key, moment)
	if err != nil {
		return m, err
	}
	before, after := l.neighbours(row, len(key), func(w *pendingWrite) bool { return l.valueOf(w)[0] != timeForgotten })
	if before != nil {
		if _, timestamp := splitVersion(l.keyOf(before)); !m.Known || timestamp >= m.Timestamp {
			m.Known, m.Timestamp, m.Value = true, timestamp, versionValue(l.valueOf(before))
		}
	}
	if after != nil {
		if _, timestamp := splitVersion(l.keyOf(after)); m.ValidTo == state.VersionedLatest || timestamp < m.ValidTo {
			m.ValidTo = timestamp
		}
	}
	return m, nil
}

// get is the version that holds at the row's moment.
func (r *versionRows) get(l *writeLog, row []byte) ([]byte, error) {
	m, err := r.at(l, row)
	if err != nil || m.Value == nil {
		return nil, err
	}
	if _, moment := splitVersion(row); m.ValidTo != state.VersionedLatest && moment < r.oldest() {
		return nil, nil
	}
	r.value = appendVersion(r.value[:0], &m.Version)
	return r.value, nil
}

// appendVersion appends a version as guests see it.
func appendVersion(dst []byte, v *state.Version) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.Timestamp))
	dst = binary.BigEndian.AppendUint64(dst, uint64(validTo(v.ValidTo)))
	return append(dst, v.Value...)
}

// validTo is where a version ends, for guests.
func validTo(to int64) int64 {
	if to == state.VersionedLatest {
		return abi.HoldsForever
	}
	return to
}

// next is the time from which something else is known than at the row's moment.
func (r *versionRows) next(l *writeLog, row []byte) (int64, error) {
	m, err := r.at(l, row)
	return validTo(m.ValidTo), err
}

// span walks over the versions of one key that held at some time in [from, to].
func (r *versionRows) span(l *writeLog, s *rowSpan) (mergedWalk, error) {
	if s.from > s.to {
		return mergedWalk{it: &momentWalk{ended: true}}, nil
	}
	if len(l.writes) == 0 {
		it, err := r.store.Versions(s.keyFrom, s.from, s.to, !s.reverse)
		if err != nil {
			return mergedWalk{}, err
		}
		return mergedWalk{it: &versionWalk{VersionIterator: it, key: append([]byte{}, s.keyFrom...)}}, nil
	}
	w := &momentWalk{rows: r, log: l, reverse: s.reverse, from: max(s.from, r.oldest(), 0), to: s.to}
	w.row = append(append(w.row, s.keyFrom...), make([]byte, abi.TimeSize)...)
	if w.moment = w.from; s.reverse && s.to > w.from {
		w.moment = s.to
	}
	return mergedWalk{it: w}, nil
}

// versionWalk gives the versions of a store under the keys of guests.
type versionWalk struct {
	state.VersionIterator
	key, row, value []byte
}

// Next goes on to the next version.
func (w *versionWalk) Next() bool {
	if !w.VersionIterator.Next() {
		return false
	}
	v := w.Version()
	w.row = binary.BigEndian.AppendUint64(append(w.row[:0], w.key...), uint64(v.Timestamp))
	w.value = appendVersion(w.value[:0], &v)
	return true
}

// Key is key|timestamp.
func (w *versionWalk) Key() []byte { return w.row }

// Value is the version as guests see it.
func (w *versionWalk) Value() []byte { return w.value }

// momentWalk gives the versions of a key that a store and a log know together, by going from moment to moment.
type momentWalk struct {
	rows     *versionRows
	log      *writeLog
	reverse  bool
	from, to int64 // from is after to where the history begins after to: only the latest version is asked for then
	moment   int64
	ended    bool
	row      []byte // key|moment, then that of the version
	value    []byte
	err      error
}

// Next goes on to the next version.
func (w *momentWalk) Next() bool {
	for !w.ended {
		n := len(w.row) - abi.TimeSize
		binary.BigEndian.PutUint64(w.row[n:], uint64(w.moment))
		m, err := w.rows.at(w.log, w.row)
		if err != nil {
			w.err, w.ended = err, true
			return false
		}
		latest := m.ValidTo == state.VersionedLatest
		asked := m.Value != nil && m.Timestamp <= w.to && (w.from <= w.to || latest)
		w.step(&m)
		if asked {
			binary.BigEndian.PutUint64(w.row[n:], uint64(m.Timestamp))
			w.value = appendVersion(w.value[:0], &m.Version)
			return true
		}
	}
	return false
}

// step finds the next moment to look at.
func (w *momentWalk) step(m *state.Moment) {
	if w.reverse {
		w.ended = !m.Known || m.Timestamp <= w.from
		w.moment = m.Timestamp - 1
		return
	}
	next := validTo(m.ValidTo)
	w.ended = next == math.MaxInt64 || next > w.to
	w.moment = next
}

// Key is key|timestamp.
func (w *momentWalk) Key() []byte { return w.row }

// Value is the version as guests see it.
func (w *momentWalk) Value() []byte { return w.value }

// Err is what ended the walk.
func (w *momentWalk) Err() error { return w.err }

// Close ends the walk.
func (w *momentWalk) Close() error {
	w.ended = true
	return nil
}
