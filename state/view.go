package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// View is a picture of what a store had committed at one moment: neither what a cache holds nor what the running
// transaction wrote is in it. It belongs to the goroutine that opened it, and it is to be closed soon: a store in memory
// waits with its next commit, a database with its end.
type View struct {
	// Store has the interface of the kind and refuses writes.
	Store Store
	// Format of its values.
	Format ValueFormat

	bytes   *KeyValueBytes
	release func()
}

// ViewableStore can be looked at by other goroutines than that of its task: every store of this package but buffers.
// View takes no lock that a read or a write of the task would wait for.
type ViewableStore interface {
	View() (*View, error)
}

// errViewed is returned by writes to a view.
var errViewed = errors.New("a view is read only")

// Close releases the view. It can be called twice.
func (v *View) Close() error {
	if v.release == nil {
		return nil
	}
	err := v.bytes.Close()
	v.release()
	v.release = nil
	return err
}

// View looks at a key-value store.
func (s *MeteredKeyValueStore) View() (*View, error) {
	v, err := s.bytes.view()
	if err == nil {
		v.Store = NewMetered(v.bytes, &RecordContext{Timestamp: TimestampUnknown}, nil)
	}
	return v, err
}

// View looks at a window store.
func (s *MeteredWindowStore) View() (*View, error) {
	v, err := s.bytes.view()
	if err == nil {
		v.Store = &MeteredWindowStore{windowed: v.windowed(), duplicates: s.duplicates}
	}
	return v, err
}

// View looks at a session store.
func (s *MeteredSessionStore) View() (*View, error) {
	v, err := s.bytes.view()
	if err == nil {
		v.Store = &MeteredSessionStore{windowed: v.windowed()}
	}
	return v, err
}

// View looks at a versioned store.
func (s *MeteredVersionedStore) View() (*View, error) {
	v, err := s.bytes.view()
	if err == nil {
		v.Store = &MeteredVersionedStore{windowed: v.windowed(), history: s.history}
	}
	return v, err
}

// ResumeAfter has the next walk over a window or session store go on behind a row of an earlier walk of the same kind
// and direction: what Row() of that one's iterator gave. row is kept.
func (v *View) ResumeAfter(row []byte) {
	switch s := v.Store.(type) {
	case *MeteredWindowStore:
		s.resume = row
	case *MeteredSessionStore:
		s.resume = row
	}
}

// resumeAfter leaves what comes behind a row.
func resumeAfter(spans []keySpan, row []byte, reverse bool) []keySpan {
	for len(spans) > 0 && reverse {
		s := &spans[len(spans)-1]
		if bytes.Compare(s.from, row) < 0 {
			if s.to == nil || bytes.Compare(s.to, row) > 0 {
				s.to = row
			}
			break
		}
		spans = spans[:len(spans)-1]
	}
	for len(spans) > 0 && !reverse {
		s := &spans[0]
		if s.to == nil || bytes.Compare(s.to, row) > 0 {
			if bytes.Compare(s.from, row) <= 0 {
				s.from = append(bytes.Clone(row), 0)
			}
			break
		}
		spans = spans[1:]
	}
	return spans
}

func (v *View) windowed() windowed {
	return windowed{meter: newMeter(nil), inner: v.bytes, bytes: v.bytes, seg: v.bytes.seg, context: &RecordContext{Timestamp: TimestampUnknown}}
}

// view opens a bytes store of its own over what is committed.
func (s *KeyValueBytes) view() (*View, error) {
	s.shared.RLock()
	if s.closed {
		s.shared.RUnlock()
		return nil, fmt.Errorf("looking at store %q: %w", s.id, ErrClosed)
	}
	bytes := newKeyValueBytes(s.db, s.id, s.format, nil)
	bytes.number, bytes.volatile, bytes.viewed = s.number, s.volatile, true
	v := &View{Format: s.format, bytes: bytes}
	if m, ok := s.pairs.(memory); ok {
		bytes.pairs, v.release = m.view(), s.shared.RUnlock
		if s.seg != nil {
			bytes.seg = s.seg.view()
			bytes.seg.committed = s.seg.committed
			bytes.seg.discard()
		}
		return v, nil
	}
	err := v.snapshot(s)
	s.shared.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("looking at store %q: %w", s.id, err)
	}
	return v, nil
}

// snapshot has v read what the database holds now of store s.
func (v *View) snapshot(s *KeyValueBytes) error {
	db := s.db
	db.viewers.RLock()
	if err := errors.Join(db.closedError(), db.failure()); err != nil {
		db.viewers.RUnlock()
		return err
	}
	snapshot := db.pebble.NewSnapshot()
	v.release = sync.OnceFunc(func() {
		_ = snapshot.Close() // which fails only if it was closed before
		db.viewers.RUnlock()
	})
	p := newPebblePairs(db, s.number)
	p.reader, v.bytes.pairs = snapshot, p
	if s.seg == nil {
		return nil
	}
	v.bytes.seg = s.seg.view()
	stored, err := p.get(segmentMeta)
	if err == nil && stored != nil && !v.bytes.seg.load(stored) {
		err = db.unreadable("the time of a windowed store cannot be read")
	}
	if err != nil {
		v.release()
	}
	return err
}

// view is the same segmentation before any time.
func (s *segments) view() *segments {
	v := newSegments(s.retention, s.interval, s.tail)
	v.spare, v.indexed = s.spare, s.indexed
	return v
}

// pebbleReader is what a database and a snapshot of it have in common.
type pebbleReader interface {
	Get(key []byte) ([]byte, io.Closer, error)
	NewIter(o *pebble.IterOptions) (*pebble.Iterator, error)
}

func (db *DB) closedError() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return ErrClosed
	}
	return nil
}

// view reads the same tree with scratch of its own. The tree must not change meanwhile.
func (m *memoryPairs) view() memory { return &memoryPairs{tree: m.tree} }

// view reads the same trees with scratch of its own. They must not change meanwhile.
func (m *segmentedPairs) view() memory {
	v := &segmentedPairs{parts: make([]memorySegment, 0, len(m.parts))}
	for _, p := range m.parts {
		v.parts = append(v.parts, memorySegment{p.prefix, &memoryPairs{tree: p.pairs.tree}})
	}
	return v
}
