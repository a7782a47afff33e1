// Package statetest is the suite that every store of package state passes: random operations, compared one by one with
// a plain map, over transactions that are committed or discarded, iterators that stay open over all of it, and restarts.
// It knows the contract of state and nothing of how a store keeps it.
package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/state"
)

// Store is what the suite needs of a store.
type Store interface {
	state.KeyValueStore
	state.TransactionalStore
}

// Subject is one store under test and the database it lives in.
type Subject struct {
	DB    *state.DB
	Store Store
	ID    state.StoreID
	// Changelog, if not nil, is what the store has logged since the subject was opened.
	Changelog *Log
}

// Log is a changelog in memory. It implements state.Changelog.
type Log struct{ Records []state.KV }

// Log appends a copy.
func (l *Log) Log(key, value []byte, timestamp int64) error {
	l.Records = append(l.Records, state.KV{Key: bytes.Clone(key), Value: bytes.Clone(value), Timestamp: timestamp})
	return nil
}

// Factory makes and remakes a subject. Reopen closes the subject's store and database, as after a clean stop, and opens
// them again; nil if the store does not outlive its process.
type Factory struct {
	Open   func(t *rapid.T) *Subject
	Reopen func(t *rapid.T, s *Subject) *Subject
	Close  func(s *Subject)
	// Timestamped: values must be those of state.AppendTimestamped.
	Timestamped bool
	// MaxIterators is the bound that the database was opened with.
	MaxIterators int
}

// Run runs the suite.
func Run(t *testing.T, f Factory) {
	t.Run("model", rapid.MakeCheck(func(t *rapid.T) { checkModel(t, f) }))
	t.Run("contract", rapid.MakeCheck(func(t *rapid.T) { checkContract(t, f) }))
}

// model is what the store should hold: committed is what Discard goes back to.
type model struct {
	f         Factory
	subject   *Subject
	committed map[string]string
	current   map[string]string
	offset    int64
	open      []*openIterator
	restored  map[string]string // the changelog, folded; nil without one
	folded    int               // records of the changelog folded
}

// openIterator is an iterator with the pairs that it must give.
type openIterator struct {
	iter state.Iterator
	want [][2]string
}

func checkModel(t *rapid.T, f Factory) {
	m := &model{f: f, committed: map[string]string{}, current: map[string]string{}, offset: -1}
	m.subject = f.Open(t)
	defer func() {
		m.closeIterators(t)
		f.Close(m.subject)
	}()
	t.Repeat(map[string]func(*rapid.T){
		"put":         m.put,
		"putAgain":    m.put,
		"putIfAbsent": m.putIfAbsent,
		"delete":      m.delete,
		"get":         m.get,
		"range":       m.rangeOnce,
		"openRange":   m.openRange,
		"stepRange":   m.stepRange,
		"closeRange":  m.closeRange,
		"commit":      m.commit,
		"discard":     m.discard,
		"flush":       m.flush,
		"restore":     m.restore,
		"reopen":      m.reopen,
		"":            m.invariants,
	})
}

// keys are few and near each other, so that operations meet; the empty key is one.
var keys = rapid.Custom(func(t *rapid.T) []byte {
	return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0xff}), 0, 3).Draw(t, "key")
})

func (m *model) value(t *rapid.T) []byte {
	v := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")
	if m.f.Timestamped {
		return state.AppendTimestamped(nil, rapid.Int64Range(0, 1<<40).Draw(t, "ts"), v)
	}
	return v
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) put(t *rapid.T) {
	key, value := keys.Draw(t, "key"), m.value(t)
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		value = nil
	}
	must(t, m.subject.Store.Put(key, value))
	m.set(key, value)
	scribble(key, value)
}

func (m *model) set(key, value []byte) {
	if value == nil {
		delete(m.current, string(key))
	} else {
		m.current[string(key)] = string(value)
	}
}

// scribble writes over arguments, which the store has only borrowed.
func scribble(bs ...[]byte) {
	for _, b := range bs {
		for i := range b {
			b[i] ^= 0x55
		}
	}
}

func (m *model) putIfAbsent(t *rapid.T) {
	key, value := keys.Draw(t, "key"), m.value(t)
	before, err := m.subject.Store.PutIfAbsent(key, value)
	must(t, err)
	m.compare(t, "PutIfAbsent", key, before)
	if before == nil {
		m.set(key, value)
	}
	scribble(key, value)
}

func (m *model) delete(t *rapid.T) {
	key := keys.Draw(t, "key")
	before, err := m.subject.Store.Delete(key)
	must(t, err)
	m.compare(t, "Delete", key, before)
	delete(m.current, string(key))
}

func (m *model) get(t *rapid.T) {
	key := keys.Draw(t, "key")
	value, err := m.subject.Store.Get(key)
	must(t, err)
	m.compare(t, "Get", key, value)
}

func (m *model) compare(t *rapid.T, op string, key, got []byte) {
	t.Helper()
	want, ok := m.current[string(key)]
	if ok != (got != nil) || want != string(got) {
		t.Fatalf("%s(%q) = %q (nil: %v), want %q (present: %v)", op, key, got, got == nil, want, ok)
	}
}

// bounds draws a range; nil ends are open.
func bounds(t *rapid.T) (from, to []byte, reverse bool) {
	if rapid.Bool().Draw(t, "bounded below") {
		from = keys.Draw(t, "from")
	}
	if rapid.Bool().Draw(t, "bounded above") {
		to = keys.Draw(t, "to")
	}
	return from, to, rapid.Bool().Draw(t, "reverse")
}

// within are the pairs of a range in its order.
func (m *model) within(from, to []byte, reverse bool) [][2]string {
	var want [][2]string
	for _, k := range slices.Sorted(maps.Keys(m.current)) {
		if (from == nil || k >= string(from)) && (to == nil || k < string(to)) {
			want = append(want, [2]string{k, m.current[k]})
		}
	}
	if reverse {
		slices.Reverse(want)
	}
	return want
}

func (m *model) start(t *rapid.T) *openIterator {
	from, to, reverse := bounds(t)
	o := &openIterator{want: m.within(from, to, reverse)}
	var err error
	o.iter, err = m.subject.Store.Range(from, to, reverse)
	must(t, err)
	scribble(from, to)
	return o
}

// step moves an iterator and checks it; it is false at the end.
func (o *openIterator) step(t *rapid.T) bool {
	ok := o.iter.Next()
	must(t, o.iter.Err())
	if ok != (len(o.want) > 0) {
		t.Fatalf("Next() = %v with %d pairs to come", ok, len(o.want))
	}
	if !ok {
		return false
	}
	got := [2]string{string(o.iter.Key()), string(o.iter.Value())}
	if got != o.want[0] || o.iter.Value() == nil {
		t.Fatalf("iterator gives %q, want %q", got, o.want[0])
	}
	o.want = o.want[1:]
	return true
}

func (m *model) rangeOnce(t *rapid.T) {
	o := m.start(t)
	for o.step(t) {
	}
	must(t, o.iter.Close())
	must(t, o.iter.Close())
}

func (m *model) openRange(t *rapid.T) {
	if len(m.open) >= m.f.MaxIterators-1 {
		t.Skip("enough iterators")
	}
	m.open = append(m.open, m.start(t))
}

func (m *model) pick(t *rapid.T) int {
	if len(m.open) == 0 {
		t.Skip("no iterator open")
	}
	return rapid.IntRange(0, len(m.open)-1).Draw(t, "iterator")
}

func (m *model) stepRange(t *rapid.T) { m.open[m.pick(t)].step(t) }

func (m *model) closeRange(t *rapid.T) {
	i := m.pick(t)
	must(t, m.open[i].iter.Close())
	m.open = slices.Delete(m.open, i, i+1)
}

func (m *model) closeIterators(t *rapid.T) {
	for _, o := range m.open {
		must(t, o.iter.Close())
	}
	m.open = nil
}

func (m *model) flush(t *rapid.T) { must(t, m.subject.Store.Flush()) }

func (m *model) commit(t *rapid.T) {
	must(t, m.subject.Store.Flush())
	b := m.subject.DB.NewBatch()
	must(t, m.subject.Store.Stage(b))
	m.offset++
	b.SetOffset(m.subject.ID, m.offset)
	b.SetCommitTime(m.subject.ID.Task, m.offset*1000)
	must(t, b.Commit())
	m.committed = maps.Clone(m.current)
	if m.subject.Changelog != nil {
		m.fold(t)
	}
	if n := m.subject.Store.UncommittedBytes(); n != 0 {
		t.Fatalf("%d uncommitted bytes after a commit", n)
	}
}

// fold applies the changelog to an empty map: what a restore elsewhere would build.
func (m *model) fold(t *rapid.T) {
	for _, r := range m.subject.Changelog.Records[m.folded:] {
		value := r.Value
		if m.f.Timestamped && value != nil {
			value = state.AppendTimestamped(nil, r.Timestamp, value)
		}
		if m.restored == nil {
			m.restored = map[string]string{}
		}
		if value == nil {
			delete(m.restored, string(r.Key))
		} else {
			m.restored[string(r.Key)] = string(value)
		}
	}
	m.folded = len(m.subject.Changelog.Records)
	if !maps.Equal(m.restored, m.committed) {
		t.Fatalf("changelog gives %q, the store holds %q", m.restored, m.committed)
	}
}

func (m *model) discard(*rapid.T) {
	m.subject.Store.Discard()
	m.current = maps.Clone(m.committed)
	if m.subject.Changelog != nil {
		m.subject.Changelog.Records = m.subject.Changelog.Records[:m.folded] // the transaction was aborted
	}
}

func (m *model) restore(t *rapid.T) {
	m.discard(t)
	var records []state.KV
	for range rapid.IntRange(0, 5).Draw(t, "records") {
		key, value := keys.Draw(t, "key"), m.value(t)
		r := state.KV{Key: key, Value: value}
		if m.f.Timestamped {
			r.Value, r.Timestamp = state.SplitTimestamped(value)
		}
		if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
			r.Value, value = nil, nil
		}
		records = append(records, r)
		m.set(key, value)
	}
	m.offset += 10
	must(t, m.subject.Store.Restore(records, m.offset))
	m.committed = maps.Clone(m.current)
	if m.subject.Changelog != nil {
		for _, r := range records {
			must(t, m.subject.Changelog.Log(r.Key, r.Value, r.Timestamp))
		}
		m.fold(t)
	}
}

func (m *model) reopen(t *rapid.T) {
	if m.f.Reopen == nil {
		t.Skip("does not outlive its process")
	}
	m.closeIterators(t)
	m.subject = m.f.Reopen(t, m.subject)
	m.current = maps.Clone(m.committed)
	m.folded = 0
}

// invariants holds after every operation.
func (m *model) invariants(t *rapid.T) {
	offset, ok := m.subject.Store.Offset()
	if offset != m.offset || ok != (m.offset >= 0) {
		t.Fatalf("Offset() = %d, %v, want %d", offset, ok, m.offset)
	}
}

// checkContract holds the rules that no sequence of good calls shows.
func checkContract(t *rapid.T, f Factory) {
	s := f.Open(t)
	defer f.Close(s)
	for name, err := range map[string]error{
		"Get":         errOf(s.Store.Get(nil)),
		"Put":         s.Store.Put(nil, []byte("v")),
		"PutIfAbsent": errOf(s.Store.PutIfAbsent(nil, []byte("v"))),
		"Delete":      errOf(s.Store.Delete(nil)),
	} {
		if !errors.Is(err, state.ErrNullKey) {
			t.Fatalf("%s of a nil key: %v", name, err)
		}
	}
	must(t, checkIterators(s, f.MaxIterators))
	must(t, s.Store.Close())
	must(t, s.Store.Close())
	if _, err := s.Store.Get([]byte("k")); !errors.Is(err, state.ErrClosed) {
		t.Fatalf("Get after Close: %v", err)
	}
	if err := s.Store.Put([]byte("k"), nil); !errors.Is(err, state.ErrClosed) {
		t.Fatalf("Put after Close: %v", err)
	}
	if _, err := s.Store.Range(nil, nil, false); !errors.Is(err, state.ErrClosed) {
		t.Fatalf("Range after Close: %v", err)
	}
}

func errOf(_ []byte, err error) error { return err }

// checkIterators opens as many iterators as there may be, one more, and one again after a close.
func checkIterators(s *Subject, limit int) error {
	var open []state.Iterator
	for range limit {
		it, err := s.Store.Range(nil, nil, false)
		if err != nil {
			return err
		}
		open = append(open, it)
	}
	if _, err := s.Store.Range(nil, nil, false); !errors.Is(err, state.ErrTooManyIterators) {
		return fmt.Errorf("iterator %d: %v, want ErrTooManyIterators", limit+1, err)
	}
	if err := open[0].Close(); err != nil {
		return err
	}
	it, err := s.Store.Range(nil, nil, true)
	if err != nil {
		return err
	}
	open[0] = it
	for _, it := range open {
		if err := it.Close(); err != nil {
			return err
		}
	}
	return nil
}
