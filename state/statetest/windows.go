package statetest

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/state"
)

// RunWindowed runs the suite of window and session stores on a store made by c, whose Kind says which.
func RunWindowed(t *testing.T, c state.StoreConfig) {
	rapid.Check(t, func(t *rapid.T) {
		m := &windowed{trial: newTrial(t, c), now: newWindowedModel(), last: map[windowedRow]string{}}
		m.committed = m.now.clone()
		defer func() {
			m.open.closeAll(t)
			m.trial.close(t)
		}()
		t.Repeat(map[string]func(*rapid.T){
			"put":      m.put,
			"putAgain": m.put,
			"fetch":    m.fetch,
			"walk":     func(t *rapid.T) { m.walk(t).finish(t) },
			"openWalk": func(t *rapid.T) { m.open.add(t, m.walk(t)) },
			"step":     m.open.step,
			"flush":    func(t *rapid.T) { must(t, m.trial.store.Flush()) },
			"commit":   m.commit,
			"discard":  m.discard,
			"restore":  m.restore,
			"reopen":   m.reopen,
			"rebuild":  m.rebuild,
			"":         m.trial.check,
		})
	})
}

// windowedRow names a row: time is the start of a window or the end of a session, second the seq or the start.
type windowedRow struct {
	key          string
	time, second int64
}

type windowedModel struct {
	rows       map[windowedRow]string
	streamTime int64
	seq        int64
}

func newWindowedModel() windowedModel {
	return windowedModel{rows: map[windowedRow]string{}, streamTime: -1}
}

func (m windowedModel) clone() windowedModel {
	m.rows = maps.Clone(m.rows)
	return m
}

type windowed struct {
	trial          *trial
	now, committed windowedModel
	open           walkers
	// last has the last value of each row, of those too that were too old when it was put. A cache shows one that is too old as long
	// as it holds it, as Kafka's does; nothing else does.
	last map[windowedRow]string
}

func (m *windowed) session() bool { return m.trial.config.Kind == state.SessionKind }

// live tells whether a row of a time is to be seen.
func (m *windowed) live(at int64) bool {
	spare := int64(0)
	if m.trial.config.TimeOrdered {
		spare = 1
	}
	return at > m.now.streamTime-m.trial.config.Retention-spare
}

func (m *windowed) bytesOf(r windowedRow) []byte {
	if m.session() {
		return state.AppendSessionKey(nil, []byte(r.key), r.second, r.time)
	}
	return state.AppendWindowKey(nil, []byte(r.key), r.time, int32(r.second))
}

// row draws a row near the stream time.
func (m *windowed) row(t *rapid.T) windowedRow {
	retention := m.trial.config.Retention
	at := rapid.Int64Range(max(0, m.now.streamTime-retention-20), max(0, m.now.streamTime)+retention/3).Draw(t, "time")
	r := windowedRow{key: string(keys.Draw(t, "key")), time: at}
	if m.session() {
		r.second = max(0, at-rapid.Int64Range(0, 30).Draw(t, "length"))
	}
	return r
}

func (m *windowed) value(t *rapid.T) []byte {
	v := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "value")
	if m.trial.config.Format == state.Timestamped {
		return state.AppendTimestamped(nil, rapid.Int64Range(0, 1<<40).Draw(t, "ts"), v)
	}
	return v
}

func (m *windowed) put(t *rapid.T) {
	r, value := m.row(t), m.value(t)
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		value = nil
	}
	key := []byte(r.key)
	if m.session() {
		must(t, m.trial.store.(state.SessionStore).PutSession(key, r.second, r.time, value))
	} else {
		must(t, m.trial.store.(state.WindowStore).PutWindow(key, value, r.time))
	}
	defer scribble(key, value)
	m.note(r, value)
	m.now.streamTime = max(m.now.streamTime, r.time)
	if m.trial.config.RetainDuplicates {
		if value == nil {
			return
		}
		m.now.seq++
		r.second = m.now.seq
	}
	m.set(r, value)
}

// cached tells whether the store has a caching layer.
func (m *windowed) cached() bool {
	c := &m.trial.config
	return c.Cache != nil && !c.RetainDuplicates && !c.TimeOrdered
}

// note keeps what a cache may show of a row.
func (m *windowed) note(r windowedRow, value []byte) {
	if value == nil {
		delete(m.last, r)
		return
	}
	m.last[r] = string(value)
}

func (m *windowed) set(r windowedRow, value []byte) {
	switch {
	case !m.live(r.time):
	case value == nil:
		delete(m.now.rows, r)
	default:
		m.now.rows[r] = string(value)
	}
}

func (m *windowed) fetch(t *rapid.T) {
	r := m.row(t)
	var got []byte
	var err error
	if m.session() {
		got, err = m.trial.store.(state.SessionStore).FetchSession([]byte(r.key), r.second, r.time)
	} else {
		got, err = m.trial.store.(state.WindowStore).FetchWindow([]byte(r.key), r.time)
		for other := range m.now.rows {
			if other.key == r.key && other.time == r.time {
				r.second = max(r.second, other.second)
			}
		}
	}
	must(t, err)
	if last, held := m.last[r]; m.cached() && held && got != nil && !m.live(r.time) && last == string(got) {
		return
	}
	want, ok := m.now.rows[r]
	ok = ok && m.live(r.time)
	if ok != (got != nil) || ok && want != string(got) {
		t.Fatalf("fetch of %v = %q (nil: %v), want %q (present: %v)", r, got, got == nil, want, ok)
	}
}

// question is what a walk asks for.
type question struct {
	exact            []byte
	keyFrom, keyTo   []byte
	from, to, latest int64
	reverse          bool
}

func (m *windowed) question(t *rapid.T) question {
	q := question{to: math.MaxInt64, latest: math.MaxInt64, reverse: rapid.Bool().Draw(t, "reverse")}
	if rapid.Bool().Draw(t, "from") {
		q.from = m.row(t).time
	}
	if rapid.Bool().Draw(t, "to") {
		q.to = m.row(t).time
	}
	if m.session() {
		q.latest, q.to = q.to, math.MaxInt64
	}
	switch rapid.IntRange(0, 3).Draw(t, "keys") {
	case 0, 1:
		q.exact = keys.Draw(t, "exact")
	case 2:
		q.keyFrom, q.keyTo = keys.Draw(t, "key from"), keys.Draw(t, "key to")
	}
	return q
}

func (m *windowed) asks(q *question, r windowedRow) bool {
	key := []byte(r.key)
	switch {
	case r.time < q.from || r.time > q.to || m.session() && r.second > q.latest || !m.live(r.time):
		return false
	case q.exact != nil:
		return bytes.Equal(key, q.exact)
	}
	return (q.keyFrom == nil || bytes.Compare(key, q.keyFrom) >= 0) && (q.keyTo == nil || bytes.Compare(key, q.keyTo) <= 0)
}

// order is where a row comes in a walk.
func (m *windowed) order(q *question, r windowedRow) []byte {
	if m.trial.config.TimeOrdered && q.exact == nil {
		if m.session() {
			return append(state.AppendSessionKey(nil, nil, r.second, r.time), r.key...)
		}
		return state.AppendWindowKey(state.AppendSessionKey(nil, nil, 0, r.time)[:8], []byte(r.key), 0, int32(r.second))
	}
	segment := r.time / m.trial.config.SegmentInterval
	return append(state.AppendSessionKey(nil, nil, 0, segment)[:8], m.bytesOf(r)...)
}

func (m *windowed) want(q *question) []string {
	var found []windowedRow
	for r := range m.now.rows {
		if m.asks(q, r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b windowedRow) int { return bytes.Compare(m.order(q, a), m.order(q, b)) })
	if q.reverse {
		slices.Reverse(found)
	}
	var want []string
	for _, r := range found {
		start := r.time
		if m.session() {
			start = r.second
		}
		want = append(want, fmt.Sprintf("%q [%d %d) %q", r.key, start, r.time, m.now.rows[r]))
	}
	return want
}

func (m *windowed) walk(t *rapid.T) *walker {
	q := m.question(t)
	want := m.want(&q)
	w := m.ask(t, &q)
	w.want = want
	scribble(q.exact, q.keyFrom, q.keyTo)
	return w
}

func (m *windowed) ask(t *rapid.T, q *question) *walker {
	if m.session() {
		return m.askSessions(t, q)
	}
	s := m.trial.store.(state.WindowStore)
	it, err := s.FetchWindows(q.exact, q.from, q.to, q.reverse)
	if q.exact == nil {
		it, err = s.FetchKeys(q.keyFrom, q.keyTo, q.from, q.to, q.reverse)
	}
	must(t, err)
	return &walker{err: it.Err, close: it.Close, next: func() (string, bool) {
		if !it.Next() {
			return "", false
		}
		return fmt.Sprintf("%q [%d %d) %q", it.Key(), it.Start(), it.Start(), it.Value()), true
	}}
}

func (m *windowed) askSessions(t *rapid.T, q *question) *walker {
	s := m.trial.store.(state.SessionStore)
	it, err := s.FindSessions(q.exact, q.from, q.latest, q.reverse)
	if q.exact == nil {
		it, err = s.FindSessionsOfKeys(q.keyFrom, q.keyTo, q.from, q.latest, q.reverse)
	}
	must(t, err)
	return &walker{err: it.Err, close: it.Close, next: func() (string, bool) {
		if !it.Next() {
			return "", false
		}
		return fmt.Sprintf("%q [%d %d) %q", it.Key(), it.Start(), it.End(), it.Value()), true
	}}
}

func (m *windowed) commit(t *rapid.T) {
	m.trial.commit(t)
	m.committed = m.now.clone()
}

func (m *windowed) discard(*rapid.T) {
	m.trial.discard()
	m.now = m.committed.clone()
	m.last = maps.Clone(m.now.rows)
}

func (m *windowed) restore(t *rapid.T) {
	m.discard(t)
	var records []state.KV
	var rows []windowedRow
	for range rapid.IntRange(0, 4).Draw(t, "records") {
		r, value := m.row(t), m.value(t)
		if m.trial.config.RetainDuplicates {
			r.second = rapid.Int64Range(1, m.now.seq+2).Draw(t, "seq")
		}
		kv := state.KV{Key: m.bytesOf(r), Value: value}
		if m.trial.config.Format == state.Timestamped {
			kv.Value, kv.Timestamp = state.SplitTimestamped(value)
		}
		if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
			kv.Value = nil
		}
		records, rows = append(records, kv), append(rows, r)
	}
	m.trial.restore(t, records)
	for _, r := range rows {
		m.now.streamTime = max(m.now.streamTime, r.time)
		if m.trial.config.RetainDuplicates {
			m.now.seq = max(m.now.seq, r.second)
		}
	}
	for i, kv := range records {
		if m.trial.config.Format == state.Timestamped {
			kv.Value = state.AppendTimestamped(nil, kv.Timestamp, kv.Value)
		}
		m.set(rows[i], kv.Value)
	}
	m.committed = m.now.clone()
	m.last = maps.Clone(m.now.rows)
}

func (m *windowed) reopen(t *rapid.T) {
	m.open.closeAll(t)
	if !m.trial.reopen(t) {
		t.Skip("does not outlive its process")
	}
	m.now = m.committed.clone()
	m.last = maps.Clone(m.now.rows)
}

// rebuild checks that the changelog alone gives the committed rows.
func (m *windowed) rebuild(t *rapid.T) {
	n := rapid.IntRange(1, 10).Draw(t, "batch")
	other := &windowed{trial: m.trial.rebuilt(t, n), now: m.committed.clone()}
	if m.trial.config.RetainDuplicates {
		other.forgetUnlogged(m.trial.log.Records[:m.trial.kept])
	}
	q := question{to: math.MaxInt64, latest: math.MaxInt64}
	w := other.ask(t, &q)
	w.want = other.want(&q)
	w.finish(t)
	other.trial.close(t)
}

// forgetUnlogged takes back what puts of nil did to the time of a store that keeps duplicates: they are not logged, so a store
// that is rebuilt is earlier, and shows rows that came too late for its original.
func (m *windowed) forgetUnlogged(log []state.KV) {
	late := map[windowedRow][]byte{}
	original := *m
	m.now.streamTime = -1
	for _, record := range log {
		key, start, seq, _ := state.SplitWindowKey(record.Key)
		m.now.streamTime = max(m.now.streamTime, start)
		if !original.live(start) {
			late[windowedRow{key: string(key), time: start, second: int64(seq)}] = record.Value
		}
	}
	for r, value := range late {
		m.set(r, value)
	}
}
