package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// rowReader finds the row of a table by its key. Values are immutable copies; nil is no row, whose timestamp is
// state.TimestampUnknown.
type rowReader interface {
	row(key []byte) (value []byte, timestamp int64, err error)
	// rowAsOf is the row as it was at a time; only versioned tables have it.
	rowAsOf(key []byte, asOf int64) (value []byte, timestamp int64, err error)
	versioned() bool
}

// tableStore is the store of a table in a task: rows with timestamps, or versions of rows, and what is forwarded of
// their changes.
type tableStore struct {
	name     string
	ctx      topology.Context
	rows     state.KeyValueStore // of format Timestamped, unless versions is set
	versions state.VersionedKeyValueStore
	results  resultForwarder
	buf      []byte
}

// openTableStore connects the store to read from.
func openTableStore(ctx topology.Context, name string) (*tableStore, error) {
	s, err := ctx.Store(name)
	if err != nil {
		return nil, err
	}
	t := &tableStore{name: name, ctx: ctx}
	switch s := s.(type) {
	case state.VersionedKeyValueStore:
		t.versions = s
	case state.KeyValueStore:
		t.rows = s
	default:
		return nil, fmt.Errorf("opening table store %q: it holds no table", name)
	}
	return t, nil
}

// openTable connects the store to write to. Changes are forwarded to the node's children, with old values if sendOld.
func openTable(ctx topology.Context, name string, sendOld bool) (*tableStore, error) {
	t, err := openTableStore(ctx, name)
	if err != nil {
		return nil, err
	}
	var s state.Store = t.rows
	if t.versions != nil {
		s = t.versions
	}
	t.results.init(ctx, s, sendOld, true, keyIsKey)
	return t, nil
}

func (s *tableStore) versioned() bool { return s.versions != nil }

// row implements rowReader.
func (s *tableStore) row(key []byte) (value []byte, timestamp int64, err error) {
	if s.versions != nil {
		v, ok, err := s.versions.Latest(key)
		return s.version(v, ok, err)
	}
	stored, err := s.rows.Get(key)
	if err != nil || stored == nil {
		return nil, state.TimestampUnknown, s.failed("reading", err)
	}
	value, timestamp = state.SplitTimestamped(stored)
	if value == nil {
		return nil, timestamp, s.failed("reading", state.ErrCorrupt)
	}
	return s.ctx.Arena().Copy(value), timestamp, nil
}

// rowAsOf implements rowReader.
func (s *tableStore) rowAsOf(key []byte, asOf int64) (value []byte, timestamp int64, err error) {
	v, ok, err := s.versions.AsOf(key, asOf)
	return s.version(v, ok, err)
}

func (s *tableStore) version(v state.Version, ok bool, err error) ([]byte, int64, error) {
	if err != nil || !ok {
		return nil, state.TimestampUnknown, s.failed("reading", err)
	}
	return s.ctx.Arena().Copy(v.Value), v.Timestamp, nil
}

// old is the value of key if changes are to carry it and no cache finds it itself.
func (s *tableStore) old(key []byte) ([]byte, error) {
	if !s.results.sendOld || s.results.cached {
		return nil, nil
	}
	value, _, err := s.row(key)
	return value, err
}

// change writes a row because of r and adds the change to what end forwards. value and old are immutable. A version that
// is older than the history is neither written nor forwarded.
func (s *tableStore) change(r *topology.Record, value, old []byte, timestamp int64) error {
	*s.results.written = r.Context()
	if s.versions == nil {
		if err := s.write(r.Key, value, timestamp); err != nil {
			return s.failed("writing", err)
		}
		s.results.change(r, value, old, timestamp, true)
		return nil
	}
	validTo, err := s.versions.PutVersion(r.Key, value, timestamp)
	if err != nil {
		return s.failed("writing", err)
	}
	if validTo != state.VersionedExpired {
		s.results.change(r, value, old, timestamp, validTo == state.VersionedLatest)
	}
	return nil
}

func (s *tableStore) write(key, value []byte, timestamp int64) error {
	if value == nil {
		return s.rows.Put(key, nil)
	}
	s.buf = state.AppendTimestamped(s.buf[:0], timestamp, value)
	return s.rows.Put(key, s.buf)
}

func (s *tableStore) begin() { s.results.begin() }

func (s *tableStore) end() error { return s.results.end() }

func (s *tableStore) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s store %q: %w", doing, s.name, err)
}

// windowRows reads a table of windows: the keys are those of windows.
type windowRows struct {
	name  string
	store state.WindowStore
	arena *topology.Arena
}

func (w *windowRows) row(key []byte) (value []byte, timestamp int64, err error) {
	inner, start, ok := topology.SplitTimeWindowedKey(key)
	if !ok {
		return nil, state.TimestampUnknown, nil
	}
	stored, err := w.store.FetchWindow(inner, start)
	if err != nil {
		return nil, state.TimestampUnknown, fmt.Errorf("reading store %q: %w", w.name, err)
	}
	value, timestamp = state.SplitTimestamped(stored)
	return copyOf(w.arena, value), timestamp, nil
}

func (w *windowRows) rowAsOf(key []byte, _ int64) ([]byte, int64, error) { return w.row(key) }

func (w *windowRows) versioned() bool { return false }

// sessionRows reads a table of sessions, whose timestamps are their ends.
type sessionRows struct {
	name  string
	store state.SessionStore
	arena *topology.Arena
}

func (w *sessionRows) row(key []byte) (value []byte, timestamp int64, err error) {
	inner, start, end, ok := state.SplitSessionKey(key)
	if !ok {
		return nil, state.TimestampUnknown, nil
	}
	stored, err := w.store.FetchSession(inner, start, end)
	if err != nil || stored == nil {
		return nil, state.TimestampUnknown, err
	}
	return w.arena.Copy(stored), end, nil
}

func (w *sessionRows) rowAsOf(key []byte, _ int64) ([]byte, int64, error) { return w.row(key) }

func (w *sessionRows) versioned() bool { return false }
