package statetest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/state"
)

// RunVersioned runs the suite of versioned stores on a store made by c.
func RunVersioned(t *testing.T, c state.StoreConfig) {
	rapid.Check(t, func(t *rapid.T) {
		m := &versioned{trial: newTrial(t, c), now: versionedModel{keys: map[string]history{}, streamTime: -1}, foreign: map[string]bool{}}
		m.committed = m.now.clone()
		defer func() {
			m.open.closeAll(t)
			m.trial.close(t)
		}()
		t.Repeat(map[string]func(*rapid.T){
			"put":      m.put,
			"putAgain": m.put,
			"delete":   m.delete,
			"latest":   m.latest,
			"asOf":     m.asOf,
			"walk":     func(t *rapid.T) { m.walk(t).finish(t) },
			"openWalk": func(t *rapid.T) { m.open.add(t, m.walk(t)) },
			"step":     m.open.step,
			"commit":   func(t *rapid.T) { m.trial.commit(t); m.committed = m.now.clone() },
			"discard":  m.discard,
			"restore":  m.restore,
			"reopen":   m.reopen,
			"rebuild":  m.rebuild,
			"":         m.trial.check,
		})
	})
}

// history is all that was ever put for a key.
type history struct {
	values map[int64]*string // by the time from which they hold; nil where the key is absent
	ended  map[int64]bool    // the times at which a segment of Kafka's has an end, of a value or of an absence
}

func (h history) clone() history {
	return history{values: maps.Clone(h.values), ended: maps.Clone(h.ended)}
}

// next is the time of the first version after at; VersionedLatest if there is none.
func (h history) next(at int64) int64 {
	next := state.VersionedLatest
	for ts := range h.values {
		if ts > at && (next == state.VersionedLatest || ts < next) {
			next = ts
		}
	}
	return next
}

// at is the time of the version that held at asOf.
func (h history) at(asOf int64) (int64, bool) {
	found, ok := int64(0), false
	for ts := range h.values {
		if ts <= asOf && (!ok || ts > found) {
			found, ok = ts, true
		}
	}
	return found, ok
}

type versionedModel struct {
	keys       map[string]history
	streamTime int64
}

func (m versionedModel) clone() versionedModel {
	own := map[string]history{}
	for k, h := range m.keys {
		own[k] = h.clone()
	}
	m.keys = own
	return m
}

type versioned struct {
	trial          *trial
	now, committed versionedModel
	open           walkers
	foreign        map[string]bool // keys of restored records, whose order is not that of this package's changelogs
}

func (m *versioned) store() state.VersionedKeyValueStore {
	return m.trial.store.(state.VersionedKeyValueStore)
}

func (m *versioned) expired(at int64) bool {
	return at < m.now.streamTime-m.trial.config.HistoryRetention
}

func (m *versioned) time(t *rapid.T) int64 {
	h := m.trial.config.HistoryRetention
	return rapid.Int64Range(max(0, m.now.streamTime-h-5), max(0, m.now.streamTime)+h/3).Draw(t, "time")
}

// versionedKeys are very few, so that versions meet.
var versionedKeys = rapid.SampledFrom([]string{"", "a", "a\x00", "b"})

func (m *versioned) put(t *rapid.T) {
	key, at := versionedKeys.Draw(t, "key"), m.time(t)
	value := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "value")
	if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		value = nil
	}
	got, err := m.store().PutVersion([]byte(key), value, at)
	must(t, err)
	if want := m.now.put(m, key, value, at); got != want {
		t.Fatalf("put of %q at %d is valid to %d, want %d", key, at, got, want)
	}
	scribble(value)
}

func (n *versionedModel) put(m *versioned, key string, value []byte, at int64) int64 {
	if at < n.streamTime-m.trial.config.HistoryRetention {
		return state.VersionedExpired
	}
	n.streamTime = max(n.streamTime, at)
	h, ok := n.keys[key]
	if !ok {
		h = history{values: map[int64]*string{}, ended: map[int64]bool{}}
		n.keys[key] = h
	}
	if value == nil && h.values[at] != nil && h.next(at) == state.VersionedLatest {
		h.takeBack(at)
		return state.VersionedLatest
	}
	h.end(at, value)
	h.values[at] = nil
	if value != nil {
		own := string(value)
		h.values[at] = &own
	}
	return h.next(at)
}

// end notes what ends when value is put at the time at: the version itself if it comes late, the one before it if that
// has a value, and an absence that nothing follows ends where it begins.
func (h history) end(at int64, value []byte) {
	if next := h.next(at); next != state.VersionedLatest {
		h.ended[next] = true
		return
	}
	if before, ok := h.at(at - 1); value == nil || ok && h.values[before] != nil {
		h.ended[at] = true
	}
}

// takeBack deletes the latest version at the very time from which it holds: Kafka forgets that time then, unless something
// ended there.
func (h history) takeBack(at int64) {
	delete(h.values, at)
	if h.ended[at] {
		h.values[at] = nil
	}
}

func (m *versioned) delete(t *rapid.T) {
	key, at := versionedKeys.Draw(t, "key"), m.time(t)
	want := m.want(key, at)
	v, ok, err := m.store().DeleteVersion([]byte(key), at)
	must(t, err)
	if got := describe(v, ok); got != want {
		t.Fatalf("delete of %q at %d gives %s, want %s", key, at, got, want)
	}
	m.now.put(m, key, nil, at)
}

func describe(v state.Version, ok bool) string {
	if !ok {
		return "nothing"
	}
	return fmt.Sprintf("%q [%d %d)", v.Value, v.Timestamp, v.ValidTo)
}

// want is the version of key at asOf.
func (m *versioned) want(key string, asOf int64) string {
	h := m.now.keys[key]
	at, ok := h.at(asOf)
	if !ok || h.values[at] == nil || h.next(at) != state.VersionedLatest && m.expired(asOf) {
		return "nothing"
	}
	return describe(state.Version{Value: []byte(*h.values[at]), Timestamp: at, ValidTo: h.next(at)}, true)
}

func (m *versioned) latest(t *rapid.T) {
	key := versionedKeys.Draw(t, "key")
	v, ok, err := m.store().Latest([]byte(key))
	must(t, err)
	if got, want := describe(v, ok), m.want(key, math.MaxInt64); got != want {
		t.Fatalf("latest of %q is %s, want %s", key, got, want)
	}
}

func (m *versioned) asOf(t *rapid.T) {
	key, at := versionedKeys.Draw(t, "key"), m.time(t)
	v, ok, err := m.store().AsOf([]byte(key), at)
	must(t, err)
	if got, want := describe(v, ok), m.want(key, at); got != want {
		t.Fatalf("%q as of %d is %s, want %s", key, at, got, want)
	}
}

func (m *versioned) walk(t *rapid.T) *walker {
	key, from, to := versionedKeys.Draw(t, "key"), m.time(t), m.time(t)
	ascending := rapid.Bool().Draw(t, "ascending")
	var want []string
	h := m.now.keys[key]
	for _, at := range slices.Sorted(maps.Keys(h.values)) {
		next := h.next(at)
		over := next != state.VersionedLatest && (next <= from || m.expired(next-1) || m.expired(to))
		if h.values[at] != nil && at <= to && !over {
			want = append(want, describe(state.Version{Value: []byte(*h.values[at]), Timestamp: at, ValidTo: next}, true))
		}
	}
	if !ascending {
		slices.Reverse(want)
	}
	it, err := m.store().Versions([]byte(key), from, to, ascending)
	must(t, err)
	return &walker{err: it.Err, close: it.Close, want: want, next: func() (string, bool) {
		if !it.Next() {
			return "", false
		}
		return describe(it.Version(), true), true
	}}
}

func (m *versioned) discard(*rapid.T) {
	m.trial.discard()
	m.now = m.committed.clone()
}

func (m *versioned) restore(t *rapid.T) {
	m.discard(t)
	var records []state.KV
	for range rapid.IntRange(0, 4).Draw(t, "records") {
		kv := state.KV{Key: []byte(versionedKeys.Draw(t, "key")), Timestamp: m.time(t)}
		if rapid.IntRange(0, 3).Draw(t, "null") != 0 {
			kv.Value = rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "value")
		}
		records = append(records, kv)
		m.foreign[string(kv.Key)] = true
		m.now.put(m, string(kv.Key), kv.Value, kv.Timestamp)
	}
	m.trial.restore(t, records)
	m.committed = m.now.clone()
}

func (m *versioned) reopen(t *rapid.T) {
	m.open.closeAll(t)
	if !m.trial.reopen(t) {
		t.Skip("does not outlive its process")
	}
	m.now = m.committed.clone()
}

// rebuild checks that the changelog alone gives the committed versions, also after a compaction that keeps the last
// record of each key.
func (m *versioned) rebuild(t *rapid.T) {
	other := &versioned{trial: m.trial.rebuilt(t, 3), now: m.committed}
	for key := range m.committed.keys {
		for at := max(0, m.committed.streamTime-m.trial.config.HistoryRetention); at <= m.committed.streamTime; at++ {
			v, ok, err := other.store().AsOf([]byte(key), at)
			must(t, err)
			if got, want := describe(v, ok), other.want(key, at); got != want {
				t.Fatalf("rebuilt, %q as of %d is %s, want %s", key, at, got, want)
			}
		}
	}
	other.trial.close(t)
	m.compacted(t)
}

func (m *versioned) compacted(t *rapid.T) {
	last := map[string]state.KV{}
	for _, r := range m.trial.log.Records[:m.trial.kept] {
		last[string(r.Key)] = r
	}
	for key, r := range last {
		h := m.committed.keys[key]
		at, ok := h.at(math.MaxInt64)
		if !ok || h.values[at] == nil || m.foreign[key] {
			continue
		}
		if r.Timestamp != at || string(r.Value) != *h.values[at] {
			t.Fatalf("compaction of %q leaves %q at %d, not %q at %d", key, r.Value, r.Timestamp, *h.values[at], at)
		}
	}
}
