package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// The times of the stores below, in milliseconds.
const (
	rowRetention = 20
	rowSegment   = 7
)

// rowsModel is what a store of rows with times is for a guest, in plain maps.
type rowsModel interface {
	put(key string, times []int64, value []byte)
	get(key string, times []int64) []byte
	// span lists rows as text, in order.
	span(keyFrom, keyTo *string, from, to int64, reverse bool) []string
	clone() rowsModel
}

// timedModel is a window or a session store.
type timedModel struct {
	session, duplicates bool
	streamTime          int64
	rows                []timedRow // in the order of puts
}

type timedRow struct {
	key   string
	times []int64 // a window's start, or a session's end and start
	value []byte
}

func (m *timedModel) clone() rowsModel {
	c := *m
	c.rows = slices.Clone(m.rows)
	return &c
}

func (m *timedModel) oldest() int64 { return max(0, m.streamTime-rowRetention+1) }

func (m *timedModel) put(key string, times []int64, value []byte) {
	m.streamTime = max(m.streamTime, times[0])
	if times[0] < m.oldest() || m.duplicates && value == nil {
		return
	}
	if !m.duplicates {
		m.rows = slices.DeleteFunc(m.rows, func(r timedRow) bool { return r.key == key && slices.Equal(r.times, times) })
	}
	if value != nil {
		m.rows = append(m.rows, timedRow{key, times, value})
	}
}

func (m *timedModel) get(key string, times []int64) (value []byte) {
	for _, r := range m.rows {
		if r.key == key && slices.Equal(r.times, times) && times[0] >= m.oldest() {
			value = r.value
		}
	}
	return value
}

func (m *timedModel) span(keyFrom, keyTo *string, from, to int64, reverse bool) []string {
	var found []timedRow
	for _, r := range m.rows {
		asked := from <= r.times[0] && r.times[0] <= to
		if m.session {
			asked = r.times[0] >= from && r.times[1] <= to
		}
		if asked && r.times[0] >= m.oldest() && (keyFrom == nil || r.key >= *keyFrom) && (keyTo == nil || r.key <= *keyTo) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b timedRow) int {
		if by := a.times[0]/rowSegment - b.times[0]/rowSegment; by != 0 {
			return int(by)
		}
		return bytes.Compare(composed(a.key, a.times...), composed(b.key, b.times...))
	})
	if reverse {
		slices.Reverse(found)
	}
	var lines []string
	for _, r := range found {
		lines = append(lines, fmt.Sprintf("%q=%q", composed(r.key, r.times...), r.value))
	}
	return lines
}

// versionsModel is a versioned store.
type versionsModel struct {
	streamTime int64
	versions   map[string]map[int64][]byte
}

func (m *versionsModel) clone() rowsModel {
	c := &versionsModel{m.streamTime, map[string]map[int64][]byte{}}
	for k, v := range m.versions {
		c.versions[k] = maps.Clone(v)
	}
	return c
}

func (m *versionsModel) put(key string, times []int64, value []byte) {
	m.putVersion(key, times[0], value)
}

// putVersion returns where the version ends, or NOT_FOUND if it comes too late.
func (m *versionsModel) putVersion(key string, at int64, value []byte) int64 {
	if at < m.streamTime-rowRetention {
		return int64(abi.NotFound)
	}
	m.streamTime = max(m.streamTime, at)
	if m.versions[key] == nil {
		m.versions[key] = map[int64][]byte{}
	}
	h := m.versions[key]
	if value != nil || h[at] == nil || m.next(key, at) != abi.HoldsForever {
		h[at] = value
		return m.next(key, at)
	}
	// The latest version is deleted at its own time: Kafka forgets that time, unless another version ended there.
	delete(h, at)
	times := slices.Sorted(maps.Keys(h))
	switch {
	case at <= m.streamTime-rowRetention: // what ended then is out of the history
		clear(h)
	case len(times) > 0 && h[times[len(times)-1]] != nil:
		h[at] = nil
	}
	return abi.HoldsForever
}

func (m *versionsModel) next(key string, at int64) int64 {
	for _, t := range slices.Sorted(maps.Keys(m.versions[key])) {
		if t > at {
			return t
		}
	}
	return abi.HoldsForever
}

// all are the versions that can still be read, by time, as guests see them: those that ended in the history, and the latest.
func (m *versionsModel) all(key string) map[int64][]byte {
	all := map[int64][]byte{}
	for t, v := range m.versions[key] {
		to := m.next(key, t)
		if v != nil && (to == abi.HoldsForever || to > m.streamTime-rowRetention) {
			all[t] = append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(t)), uint64(to)), v...)
		}
	}
	return all
}

func (m *versionsModel) get(key string, times []int64) (found []byte) {
	for t, v := range m.all(key) {
		to := timeIn(v[8:])
		late := times[0] < m.streamTime-rowRetention && to != abi.HoldsForever
		if t <= times[0] && times[0] < to || t <= times[0] && to == abi.HoldsForever {
			if !late {
				found = v
			}
		}
	}
	return found
}

func (m *versionsModel) span(keyFrom, _ *string, from, to int64, reverse bool) []string {
	var lines []string
	all := m.all(*keyFrom)
	for _, t := range slices.Sorted(maps.Keys(all)) {
		end := timeIn(all[t][8:])
		inHistory := to >= m.streamTime-rowRetention || end == abi.HoldsForever
		if from <= to && t <= to && end > from && inHistory {
			lines = append(lines, fmt.Sprintf("%q=%q", composed(*keyFrom, t), all[t]))
		}
	}
	if reverse {
		slices.Reverse(lines)
	}
	return lines
}

// composed is a row's key for guests.
func composed(key string, times ...int64) []byte {
	b := []byte(key)
	for _, t := range times {
		b = binary.BigEndian.AppendUint64(b, uint64(t))
	}
	return b
}

// rowKind is a kind of store under test.
type rowKind struct {
	name       string
	kind       abi.StoreKind
	spec       topology.StoreSpec
	flags      int32
	newModel   func() rowsModel
	timesOfKey int
}

func rowKinds() []rowKind {
	window := func() rowsModel { return &timedModel{streamTime: -1} }
	spec := func(kind topology.StoreKind) topology.StoreSpec {
		return topology.StoreSpec{Kind: kind, Retention: rowRetention, WindowSize: 5, SegmentInterval: rowSegment}
	}
	duplicates := spec(topology.Window)
	duplicates.RetainDuplicates = true
	inMemory := spec(topology.Window)
	inMemory.InMemory = true
	cached := spec(topology.Session)
	cached.CachingEnabled = true
	return []rowKind{
		{name: "window", kind: abi.WindowStore, spec: spec(topology.Window), newModel: window, timesOfKey: 1},
		{name: "window in memory", kind: abi.WindowStore, spec: inMemory, newModel: window, timesOfKey: 1},
		{name: "timestamped window", kind: abi.WindowStore, spec: spec(topology.TimestampedWindow), newModel: window, timesOfKey: 1},
		{name: "timestamped window, timestamps shown", kind: abi.WindowStore, spec: spec(topology.TimestampedWindow), flags: abi.StoreTimestamps, newModel: window, timesOfKey: 1},
		{name: "window with duplicates", kind: abi.WindowStore, spec: duplicates, newModel: func() rowsModel { return &timedModel{streamTime: -1, duplicates: true} }, timesOfKey: 1},
		{name: "session", kind: abi.SessionStore, spec: spec(topology.Session), newModel: func() rowsModel { return &timedModel{streamTime: -1, session: true} }, timesOfKey: 2},
		{name: "session, cached", kind: abi.SessionStore, spec: cached, newModel: func() rowsModel { return &timedModel{streamTime: -1, session: true} }, timesOfKey: 2},
		{name: "versioned", kind: abi.VersionedStore, spec: topology.StoreSpec{Kind: topology.VersionedKeyValue, HistoryRetention: rowRetention, SegmentInterval: rowSegment}, newModel: func() rowsModel {
			return &versionsModel{streamTime: -1, versions: map[string]map[int64][]byte{}}
		}, timesOfKey: 1},
	}
}

// rowsUnderTest is a store as a guest has it, beside its model.
type rowsUnderTest struct {
	t     *rapid.T
	g     *guestInstance
	kind  rowKind
	id    int32
	model rowsModel // with what the running call has written
	begun rowsModel // without
	keys  []string
}

// TestGuestRowsAgreeWithModel: whatever a guest puts into and asks of stores of rows with times, in calls of any length,
// some of which fail, the answers are those of one operation after the other.
func TestGuestRowsAgreeWithModel(t *testing.T) {
	g := hosted(t)
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	cache := state.NewThreadCache(1 << 20)
	made := 0
	for _, kind := range rowKinds() {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				made++
				r := &rowsUnderTest{t: rt, g: g, kind: kind, model: kind.newModel(), begun: kind.newModel()}
				closing := r.open(db, cache, fmt.Sprintf("rows%d", made))
				defer closing()
				rt.Repeat(map[string]func(*rapid.T){
					"": func(*rapid.T) {}, "put": r.put, "get": r.get, "span": r.span, "finish": r.finish, "many": r.many, "many more": r.many,
				})
			})
		})
	}
}

// open makes the store and opens it for the guest.
func (r *rowsUnderTest) open(db *state.DB, cache *state.ThreadCache, name string) func() {
	r.keys = []string{"", "a", "ab", "b"}
	if !r.kind.spec.RetainDuplicates {
		r.keys = append(r.keys, "a\x00\x00\x00\x00\x00\x00\x00\x07", "a\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x09")
	}
	spec := r.kind.spec
	spec.Name = name
	config, err := StoreConfig(&spec)
	if err != nil {
		r.t.Fatal(err)
	}
	config.ID = state.StoreID{Task: "0_0", Store: name}
	if spec.CachingEnabled {
		config.Cache = cache
	}
	store, err := db.NewStore(config)
	if err != nil {
		r.t.Fatal(err)
	}
	h := r.g.running
	component := *h.component
	component.Stores = []string{name}
	h.component, h.stores = &component, nil
	h.f.node.stores[name] = store
	h.f.node.task.config.Subtopology.Stores = append(h.f.node.task.config.Subtopology.Stores, &spec)
	r.g.running.begin(abi.ExportProcess, []topology.Record{{Timestamp: 10, StreamTime: 10}}, 0, nil)
	if r.id = r.g.StateOpenAs([]byte(name), r.kind.kind, r.kind.flags); r.id < 0 {
		r.t.Fatalf("state_open_as: %v", abi.Errno(r.id))
	}
	return func() {
		h.discard()
		delete(h.f.node.stores, name)
		if err := store.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rowsUnderTest) aKey() string { return rapid.SampledFrom(r.keys).Draw(r.t, "key") }

func (r *rowsUnderTest) aTime() int64 { return rapid.Int64Range(0, 60).Draw(r.t, "time") }

// times are those of a row.
func (r *rowsUnderTest) times() []int64 {
	first := r.aTime()
	if r.kind.timesOfKey == 1 {
		return []int64{first}
	}
	return []int64{first, rapid.Int64Range(0, first).Draw(r.t, "start")}
}

// aValue is one to put; nil deletes.
func (r *rowsUnderTest) aValue() []byte {
	if rapid.IntRange(0, 3).Draw(r.t, "delete") == 0 {
		return nil
	}
	value := []byte(rapid.StringN(0, 3, 3).Draw(r.t, "value"))
	if r.kind.flags&abi.StoreTimestamps != 0 {
		value = state.AppendTimestamped(nil, r.aTime(), value)
	}
	return value
}

func (r *rowsUnderTest) put(*rapid.T) {
	key, times, value := r.aKey(), r.times(), r.aValue()
	if m, ok := r.model.(*versionsModel); ok {
		if got, want := r.g.StatePutVersion(r.id, []byte(key), value, times[0]), m.putVersion(key, times[0], value); got != want {
			r.t.Fatalf("put of version %q at %d: %d, want %d", key, times[0], got, want)
		}
		return
	}
	r.model.put(key, times, value)
	if code := r.g.StatePut(r.id, composed(key, times...), value); code != 0 {
		r.t.Fatalf("put: %v", abi.Errno(code))
	}
}

// many puts without asking.
func (r *rowsUnderTest) many(*rapid.T) {
	for range rapid.IntRange(1, 10).Draw(r.t, "puts") {
		key, times, value := r.aKey(), r.times(), r.aValue()
		r.model.put(key, times, value)
		if code := r.g.StatePut(r.id, composed(key, times...), value); code != 0 {
			r.t.Fatalf("put: %v", abi.Errno(code))
		}
	}
}

func (r *rowsUnderTest) get(*rapid.T) {
	key, times := r.aKey(), r.times()
	got, code := r.g.StateGet(r.id, composed(key, times...))
	want := r.model.get(key, times)
	if !bytes.Equal(got, want) || (code == 0) != (want != nil) {
		r.t.Fatalf("get of %q %d: %q (%d), want %q", key, times, got, code, want)
	}
}

func (r *rowsUnderTest) span(*rapid.T) {
	keyFrom, keyTo := r.bound(), r.bound()
	if r.kind.kind == abi.VersionedStore || rapid.Bool().Draw(r.t, "one key") {
		key := r.aKey()
		keyFrom, keyTo = &key, &key
	}
	from, to, reverse := r.aTime(), r.aTime(), rapid.Bool().Draw(r.t, "reverse")
	if rapid.Bool().Draw(r.t, "all times") {
		from, to = 0, abi.HoldsForever
	}
	want := r.model.span(keyFrom, keyTo, from, to, reverse)
	flags := int32(0)
	if reverse {
		flags = abi.IterReverse
	}
	limit := rapid.Int32Range(0, 5).Draw(r.t, "limit")
	if limit > 0 {
		want = want[:min(len(want), int(limit))]
	}
	it := r.g.IterOpenSpan(r.id, orNil(keyFrom), orNil(keyTo), from, to, flags, limit)
	if it < 0 {
		r.t.Fatalf("iter_open_span: %v", abi.Errno(it))
	}
	var got []string
	for {
		key, value, code := r.g.IterNext(it)
		if code == int32(abi.NotFound) {
			break
		}
		if code != 0 {
			r.t.Fatalf("iter_next: %v", abi.Errno(code))
		}
		got = append(got, fmt.Sprintf("%q=%q", key, value))
	}
	r.g.IterClose(it)
	if d := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); d != "" {
		r.t.Fatalf("span of %q to %q, %d to %d, reverse %v: %s", orNil(keyFrom), orNil(keyTo), from, to, reverse, d)
	}
}

func (r *rowsUnderTest) bound() *string {
	if rapid.IntRange(0, 3).Draw(r.t, "open") == 0 {
		return nil
	}
	key := r.aKey()
	return &key
}

func orNil(s *string) []byte {
	if s == nil {
		return nil
	}
	return append([]byte{}, *s...)
}

// finish ends the call, well or not, and begins the next.
func (r *rowsUnderTest) finish(*rapid.T) {
	h := r.g.running
	if rapid.IntRange(0, 3).Draw(r.t, "fails") == 0 {
		h.discard()
		r.model = r.begun.clone()
	} else if err := h.settle(); err != nil {
		r.t.Fatal(err)
	}
	r.begun = r.model.clone()
	h.begin(abi.ExportProcess, []topology.Record{{Timestamp: 10, StreamTime: 10}}, 0, nil)
}
