package state

import (
	"encoding/binary"
	"fmt"
)

// MeteredVersionedStore is a versioned store with its layers: what processors and guests see. Kafka caches none.
//
// Of each key it keeps the latest version, in a row that does not expire, or the time from which the key is absent; and
// the versions before, each with the time at which it ended, in the segment of that time. So a version is dropped when it
// has been over for longer than the history is kept.
//
//	1<<63       | key            -> int64 timestamp|value       the latest, if the key is not absent
//	2*segment+1 | key            -> int64 timestamp             since when the key is absent
//	2*segment   | key | validTo  -> int64 timestamp|0 or 1|value  a version before; 0: the key was absent
type MeteredVersionedStore struct {
	windowed
	changelog Changelog
	history   int64
	value     []byte // scratch
	deleted   []byte // what DeleteVersion lent
}

var _ interface {
	VersionedKeyValueStore
	TransactionalStore
	CachedStore
	ContextualStore
} = (*MeteredVersionedStore)(nil)

// latestPrefix is where the latest versions lie, after all segments.
const latestPrefix = 1 << 63

// The flags of a version before the latest: that a key was absent follows from a delete before, or was put when a later
// version was there already.
const (
	versionAbsent    = 0
	versionPresent   = 1
	versionPutAbsent = 2
)

// versionTail is what follows the key in the key of a version: the time it ended.
const versionTail = 8

// newest is what a store knows of a key's latest version.
type newest struct {
	known     bool
	timestamp int64
	value     []byte // nil: the key is absent since timestamp
}

func (s *MeteredVersionedStore) latestKey(key []byte) []byte {
	s.key = append(binary.BigEndian.AppendUint64(s.key[:0], latestPrefix), key...)
	return s.key
}

func (s *MeteredVersionedStore) absentKey(key []byte, segment int64) []byte {
	s.key = append(appendPrefix(s.key[:0], segment, true), key...)
	return s.key
}

func (s *MeteredVersionedStore) beforeKey(key []byte, validTo int64) []byte {
	s.key = append(appendPrefix(s.key[:0], s.seg.number(validTo), false), key...)
	s.key = binary.BigEndian.AppendUint64(s.key, uint64(validTo))
	return s.key
}

// newest reads the latest version of key.
func (s *MeteredVersionedStore) newest(key []byte) (newest, error) {
	stored, err := s.bytes.Get(s.latestKey(key))
	if err != nil {
		return newest{}, err
	}
	if stored != nil {
		value, at := SplitTimestamped(stored)
		return newest{true, at, value}, nil
	}
	for n, last := s.seg.number(max(s.StreamTime(), 0)), s.seg.number(s.seg.oldest()); n >= last; n-- {
		stored, err := s.bytes.Get(s.absentKey(key, n))
		if err != nil {
			return newest{}, err
		}
		if len(stored) == timestampSize {
			return newest{known: true, timestamp: int64(binary.BigEndian.Uint64(stored))}, nil
		}
	}
	return newest{}, nil
}

// PutVersion has key be value from timestamp on.
func (s *MeteredVersionedStore) PutVersion(key, value []byte, timestamp int64) (int64, error) {
	if err := s.check(key); err != nil {
		return 0, err
	}
	if timestamp < 0 {
		return 0, fmt.Errorf("putting into store %q: %w: %d", s.Name(), errNegativeTime, timestamp)
	}
	began := s.begin(&s.metrics.Puts)
	validTo, err := s.put(key, value, timestamp)
	if err == nil {
		err = s.log(key, value, timestamp, validTo)
	}
	s.end(OpPut, began)
	return validTo, err
}

func (s *MeteredVersionedStore) put(key, value []byte, timestamp int64) (int64, error) {
	if timestamp < s.StreamTime()-s.history {
		s.metrics.Expired.Add(1)
		return VersionedExpired, nil
	}
	s.seg.observe(timestamp)
	last, err := s.newest(key)
	switch {
	case err != nil:
		return 0, err
	case last.known && timestamp < last.timestamp:
		return s.putBefore(key, value, timestamp, last.timestamp)
	case last.known && timestamp > last.timestamp:
		absent := byte(versionAbsent)
		if value == nil {
			absent = versionPutAbsent
		}
		if err := s.setBefore(key, last.value, last.timestamp, timestamp, absent); err != nil {
			return 0, err
		}
	case last.known && last.value == nil && value != nil:
		if err := s.markEnd(key, timestamp); err != nil {
			return 0, err
		}
	case last.value != nil && value == nil:
		return VersionedLatest, s.takeBack(key, timestamp)
	}
	return VersionedLatest, s.setNewest(key, value, timestamp, last)
}

// takeBack deletes the latest version at the very time from which it holds. As in Kafka that is as if it had not been
// put, except that a version which it had ended stays ended: so a key may be unknown again, and older versions of it
// become the latest.
func (s *MeteredVersionedStore) takeBack(key []byte, timestamp int64) error {
	if err := s.bytes.Put(s.latestKey(key), nil); err != nil {
		return err
	}
	before, ok, err := s.before(key, timestamp-1)
	if err != nil || !ok || before.ValidTo != timestamp {
		return err
	}
	follows, err := s.followsDelete(key, timestamp)
	if err != nil {
		return err
	}
	absentSince := timestamp
	if follows {
		absentSince = before.Timestamp
		if err := s.bytes.Put(s.beforeKey(key, timestamp), nil); err != nil || absentSince < s.seg.oldest() {
			return err
		}
	}
	s.value = binary.BigEndian.AppendUint64(s.value[:0], uint64(absentSince))
	return s.bytes.Put(s.absentKey(key, s.seg.number(absentSince)), s.value)
}

// followsDelete tells whether key was absent up to validTo because of a delete that was the latest version.
func (s *MeteredVersionedStore) followsDelete(key []byte, validTo int64) (bool, error) {
	stored, err := s.bytes.Get(s.beforeKey(key, validTo))
	return len(stored) > timestampSize && stored[timestampSize] == versionAbsent, err
}

// markEnd has a delete be remembered that a version replaces at its very time, as Kafka does: by a version of no length,
// unless one ended there.
func (s *MeteredVersionedStore) markEnd(key []byte, timestamp int64) error {
	stored, err := s.bytes.Get(s.beforeKey(key, timestamp))
	if err != nil || stored != nil {
		return err
	}
	return s.setBefore(key, nil, timestamp, timestamp, versionAbsent)
}

// setNewest makes value, or the absence of key, the latest version.
func (s *MeteredVersionedStore) setNewest(key, value []byte, timestamp int64, last newest) error {
	if value != nil {
		s.value = AppendTimestamped(s.value[:0], timestamp, value)
		if err := s.bytes.Put(s.latestKey(key), s.value); err != nil {
			return err
		}
	} else if last.value != nil {
		if err := s.bytes.Put(s.latestKey(key), nil); err != nil {
			return err
		}
	}
	if last.known && last.value == nil {
		if err := s.bytes.Put(s.absentKey(key, s.seg.number(last.timestamp)), nil); err != nil {
			return err
		}
	}
	if value != nil {
		return nil
	}
	s.value = binary.BigEndian.AppendUint64(s.value[:0], uint64(timestamp))
	return s.bytes.Put(s.absentKey(key, s.seg.number(timestamp)), s.value)
}

// setBefore stores a version that was over at validTo; absent is the flag of one without a value.
func (s *MeteredVersionedStore) setBefore(key, value []byte, timestamp, validTo int64, absent byte) error {
	s.value = binary.BigEndian.AppendUint64(s.value[:0], uint64(timestamp))
	if value == nil {
		s.value = append(s.value, absent)
	} else {
		s.value = append(append(s.value, versionPresent), value...)
	}
	return s.bytes.Put(s.beforeKey(key, validTo), s.value)
}

// putBefore puts a version that is older than the latest, which holds since latest: it splits the version that held at
// timestamp.
func (s *MeteredVersionedStore) putBefore(key, value []byte, timestamp, latest int64) (int64, error) {
	before, ok, err := s.before(key, timestamp)
	switch {
	case err != nil:
		return 0, err
	case !ok: // nothing is known of the time between
		return latest, s.setBefore(key, value, timestamp, latest, versionPutAbsent)
	case before.Timestamp > timestamp: // it is the oldest that is known
		return before.Timestamp, s.setBefore(key, value, timestamp, before.Timestamp, versionPutAbsent)
	case before.Timestamp < timestamp:
		if err := s.setBefore(key, before.Value, before.Timestamp, timestamp, versionPutAbsent); err != nil {
			return 0, err
		}
	}
	return before.ValidTo, s.setBefore(key, value, timestamp, before.ValidTo, versionPutAbsent)
}

// before is the first version of key that ended after timestamp and is not the latest: the one that held then, if it
// does not begin later. The value is a copy.
func (s *MeteredVersionedStore) before(key []byte, timestamp int64) (v Version, ok bool, err error) {
	r, err := s.walk(&rowRange{exact: key, from: timestamp + 1, to: forever})
	if err != nil {
		return v, false, err
	}
	if ok = r.next(); ok {
		v, ok = s.decode(r)
		v.Value = ownBound(v.Value)
		if !ok {
			err = fmt.Errorf("reading store %q: a version of %d bytes", s.Name(), len(r.Value()))
		}
	}
	if err == nil {
		err = r.Err()
	}
	if closing := r.Close(); err == nil {
		err = closing
	}
	return v, ok && err == nil, err
}

// decode reads the version that r stands on; the value is nil if the key was absent.
func (s *MeteredVersionedStore) decode(r *rowRange) (Version, bool) {
	stored := r.Value()
	if len(stored) < 9 {
		return Version{}, false
	}
	v := Version{Timestamp: int64(binary.BigEndian.Uint64(stored)), ValidTo: r.times[0]}
	if stored[8] == versionPresent {
		v.Value = stored[9:]
	}
	return v, true
}

// log notes a put in the changelog. Compaction keeps the record that came last for a key, which must be the latest
// version: so an older one is followed by it.
func (s *MeteredVersionedStore) log(key, value []byte, timestamp, validTo int64) error {
	if s.changelog == nil || validTo == VersionedExpired {
		return nil
	}
	err := s.changelog.Log(key, value, timestamp)
	if err == nil && validTo != VersionedLatest {
		var last newest
		if last, err = s.newest(key); err == nil && last.known {
			err = s.changelog.Log(key, last.value, last.timestamp)
		}
	}
	if err != nil {
		return fmt.Errorf("logging a change of store %q: %w", s.Name(), err)
	}
	return nil
}

// DeleteVersion has key be absent from timestamp on, and returns the version that held at timestamp.
func (s *MeteredVersionedStore) DeleteVersion(key []byte, timestamp int64) (Version, bool, error) {
	v, ok, err := s.AsOf(key, timestamp)
	if err != nil {
		return Version{}, false, err
	}
	s.deleted = append(s.deleted[:0], v.Value...)
	if ok {
		v.Value = append(s.deleted, 0)[:len(s.deleted)] // not nil
	}
	_, err = s.PutVersion(key, nil, timestamp)
	return v, ok, err
}

// Latest is the version that holds now.
func (s *MeteredVersionedStore) Latest(key []byte) (Version, bool, error) {
	return s.get(key, forever)
}

// AsOf is the version that held at asOf.
func (s *MeteredVersionedStore) AsOf(key []byte, asOf int64) (Version, bool, error) {
	return s.get(key, asOf)
}

func (s *MeteredVersionedStore) get(key []byte, asOf int64) (Version, bool, error) {
	if err := s.check(key); err != nil {
		return Version{}, false, err
	}
	began := s.begin(&s.metrics.Gets)
	v, err := s.find(key, asOf)
	s.end(OpGet, began)
	v.Value = s.lend(v.Value)
	return v, v.Value != nil, err
}

// find is the version of key at asOf; its value is nil if there is none. The latest version is found however old asOf
// is.
func (s *MeteredVersionedStore) find(key []byte, asOf int64) (Version, error) {
	stored, err := s.bytes.Get(s.latestKey(key))
	if err != nil {
		return Version{}, err
	}
	if value, at := SplitTimestamped(stored); value != nil && at <= asOf {
		return Version{Value: value, Timestamp: at, ValidTo: VersionedLatest}, nil
	}
	if asOf == forever || asOf < s.StreamTime()-s.history {
		return Version{}, nil
	}
	v, ok, err := s.before(key, asOf)
	if err != nil || !ok || v.Timestamp > asOf {
		return Version{}, err
	}
	return v, nil
}

// Moment is what a versioned store knows of a key at a moment: the version that held, ValidTo being the time from which
// something else is known, VersionedLatest if there is no such time.
type Moment struct {
	Version // Value is nil if the key was absent
	// Known: Timestamp says since when the version held, or the key was absent. Else nothing is known.
	Known bool
}

// At tells what is known of key at a moment, however long ago; what is older than the history is known by chance. The
// value is borrowed as that of AsOf.
func (s *MeteredVersionedStore) At(key []byte, moment int64) (Moment, error) {
	if err := s.check(key); err != nil {
		return Moment{}, err
	}
	nothing := Moment{Version: Version{ValidTo: VersionedLatest}}
	last, err := s.newest(key)
	switch {
	case err != nil || !last.known:
		return nothing, err
	case last.timestamp <= moment:
		return Moment{Version{s.lend(last.value), last.timestamp, VersionedLatest}, true}, nil
	}
	before, ok, err := s.before(key, moment)
	switch {
	case err != nil || !ok:
		nothing.ValidTo = last.timestamp
		return nothing, err
	case before.Timestamp > moment:
		nothing.ValidTo = before.Timestamp
		return nothing, nil
	}
	return Moment{before, true}, nil
}

// HistoryRetention is how long versions are kept that hold no more, in milliseconds.
func (s *MeteredVersionedStore) HistoryRetention() int64 { return s.history }

// Versions iterates over the versions of key that held at some time in [from, to].
func (s *MeteredVersionedStore) Versions(key []byte, from, to int64, ascending bool) (VersionIterator, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	stored, err := s.bytes.Get(s.latestKey(key))
	if err != nil {
		return nil, err
	}
	i := &versionIterator{store: s, to: to, ascending: ascending}
	if value, at := SplitTimestamped(stored); value != nil && at <= to {
		i.latest = Version{Value: ownBound(value), Timestamp: at, ValidTo: VersionedLatest}
	}
	i.rows = rowRange{exact: key, from: max(from, s.StreamTime()-s.history) + 1, to: forever, reverse: !ascending}
	if to < s.StreamTime()-s.history {
		i.rows.from = forever
	}
	if _, err := s.walk(&i.rows); err != nil {
		return nil, err
	}
	return i, nil
}

// versionIterator walks over the versions before the latest, and the latest after or before them.
type versionIterator struct {
	store     *MeteredVersionedStore
	rows      rowRange
	latest    Version // its value is nil once it was given, or if it is not asked for
	to        int64
	ascending bool
	at        Version
}

// Next moves to the next version.
func (i *versionIterator) Next() bool {
	if i.rows.closed {
		return false
	}
	if !i.ascending && i.takeLatest() {
		return true
	}
	for i.rows.next() {
		v, ok := i.store.decode(&i.rows)
		if !ok {
			i.rows.err = fmt.Errorf("reading store %q: a version of %d bytes", i.store.Name(), len(i.rows.Value()))
			break
		}
		if v.Value != nil && v.Timestamp <= i.to {
			i.at = v
			return true
		}
	}
	if i.rows.err == nil && i.takeLatest() {
		return true
	}
	i.at = Version{}
	return false
}

func (i *versionIterator) takeLatest() bool {
	if i.latest.Value == nil {
		return false
	}
	i.at, i.latest = i.latest, Version{}
	return true
}

// Version is the current version.
func (i *versionIterator) Version() Version { return i.at }

// Err is the error that ended the walk.
func (i *versionIterator) Err() error { return i.rows.Err() }

// Close releases the walk. It can be called twice.
func (i *versionIterator) Close() error {
	i.at = Version{}
	return i.rows.Close()
}

// Restore applies changelog records: versions in the order in which they were put.
func (s *MeteredVersionedStore) Restore(records []KV, next int64) error {
	s.metrics.Restored.Add(int64(len(records)))
	return s.bytes.restoreBy(records, next, func(r *KV) error {
		_, err := s.put(r.Key, r.Value, max(r.Timestamp, 0))
		return err
	})
}
