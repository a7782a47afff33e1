package state

import (
	"encoding/binary"
	"math"
)

// segments is the time of a windowed store. Its rows lie in segments of time: a row's key begins with the number of the
// segment that its time falls in, so that what is too old is one range, dropped at once whatever it holds.
//
//	uint64 2*number   | key of a row in Kafka's layout          -> value
//	uint64 2*number+1 | time | rest of that key in other order  -> value, in time-ordered stores
//	0xff                                                        -> int64 stream time | uint32 seq | int64 interval
//
// A store keeps the interval that it was begun with, whatever it is opened with later: its rows are filed by it.
type segments struct {
	retention, interval int64
	// spare is how much longer than Kafka's in-memory stores a row is there, in milliseconds: 1 in the stores of
	// operators that emit a window when it closes, which is just when it would be gone.
	spare int64
	// indexed: time-ordered, so each row is also stored in the other order.
	indexed bool
	tail    int // length of what follows the key in a row's key; it begins with the row's time

	current, committed segmentState
	// flushed is the largest time of a row that a cache has flushed, at least that of the last commit.
	flushed int64
}

// segmentState is what the transaction changes.
type segmentState struct {
	streamTime int64 // the largest time put; -1 before
	seq        uint32
}

const segmentPrefix = 8

// segmentMeta is the key under which the state of the segments is stored.
var segmentMeta = []byte{0xff}

func newSegments(retention, interval int64, tail int) *segments {
	s := &segments{retention: retention, interval: interval, tail: tail}
	s.current.streamTime, s.committed.streamTime, s.flushed = -1, -1, -1
	return s
}

// observe moves the stream time on.
func (s *segments) observe(at int64) { s.current.streamTime = max(s.current.streamTime, at) }

// observeSeq keeps the seq ahead of that of a window's key.
func (s *segments) observeSeq(key []byte) {
	if s.tail == windowTail {
		s.current.seq = max(s.current.seq, binary.BigEndian.Uint32(key[len(key)-4:])&math.MaxInt32)
	}
}

// oldest is the earliest time that rows may have.
func (s *segments) oldest() int64 { return s.oldestAt(s.current.streamTime) }

func (s *segments) oldestAt(streamTime int64) int64 {
	return max(0, streamTime-s.retention+1-s.spare)
}

func (s *segments) live(at int64) bool { return at >= s.oldest() }

func (s *segments) number(at int64) int64 { return at / s.interval }

// appendPrefix appends the prefix of the rows in a segment; index selects the other order.
func appendPrefix(dst []byte, number int64, index bool) []byte {
	n := uint64(number) << 1
	if index {
		n |= 1
	}
	return binary.BigEndian.AppendUint64(dst, n)
}

// timeOf is the time in a row's key as Kafka lays it out.
func (s *segments) timeOf(key []byte) (int64, bool) {
	n := len(key) - s.tail
	if n < 0 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(key[n:])), true
}

// before tells whether what a cache has flushed so far leaves the row of a physical key in the store.
func (s *segments) before(key []byte) bool {
	at, ok := s.timeOf(key)
	return ok && at >= s.oldestAt(s.flushed)
}

// flush notes that a cache flushes the row of a physical key, and tells whether the store keeps it.
func (s *segments) flush(key []byte) bool {
	at, ok := s.timeOf(key)
	if ok {
		s.flushed = max(s.flushed, at)
	}
	return ok && s.live(at)
}

// expired is the range of physical keys that the running transaction makes obsolete; nil if there is none.
func (s *segments) expired() (from, to []byte) {
	a, b := s.number(s.oldestAt(s.committed.streamTime)), s.number(s.oldest())
	if a >= b {
		return nil, nil
	}
	return appendPrefix(nil, a, false), appendPrefix(nil, b, false)
}

// changed tells whether there is a state to commit.
func (s *segments) changed() bool { return s.current != s.committed }

func (s *segments) appendState(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.current.streamTime))
	dst = binary.BigEndian.AppendUint32(dst, s.current.seq)
	return binary.BigEndian.AppendUint64(dst, uint64(s.interval))
}

const segmentStateBytes = 20

// load takes in the stored state; false if it is none.
func (s *segments) load(stored []byte) bool {
	if len(stored) != segmentStateBytes {
		return false
	}
	interval := int64(binary.BigEndian.Uint64(stored[12:]))
	if interval <= 0 {
		return false
	}
	s.interval = interval
	s.committed = segmentState{int64(binary.BigEndian.Uint64(stored)), binary.BigEndian.Uint32(stored[8:])}
	s.discard()
	return true
}

func (s *segments) commit() {
	s.committed = s.current
	s.flushed = s.current.streamTime
}

func (s *segments) discard() {
	s.current = s.committed
	s.flushed = s.current.streamTime
}

// nextSeq numbers the next duplicate; it never is the sign bit's, as in Kafka.
func (s *segments) nextSeq() int32 {
	s.current.seq = (s.current.seq + 1) & math.MaxInt32
	return int32(s.current.seq)
}
