package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// QueryType says what a query asks for.
type QueryType string

// The types of queries, with the kinds of stores that answer them and Kafka's classes.
const (
	// KeyQuery gives the value of Key: key-value stores, and versioned ones their latest version (KeyQuery,
	// TimestampedKeyQuery).
	KeyQuery QueryType = "key"
	// RangeQuery gives the keys from KeyFrom to KeyTo, both inclusive, nil being open, that begin with Prefix: key-value
	// stores (RangeQuery, TimestampedRangeQuery).
	RangeQuery QueryType = "range"
	// WindowKeyQuery gives the windows of Key whose start lies in [From, To] (WindowKeyQuery).
	WindowKeyQuery QueryType = "windowKey"
	// WindowRangeQuery gives the windows of the keys from KeyFrom to KeyTo whose start lies in [From, To]
	// (WindowRangeQuery.withWindowStartRange).
	WindowRangeQuery QueryType = "windowRange"
	// SessionKeyQuery gives the sessions of Key that end at From or later and begin at To or earlier
	// (WindowRangeQuery.withKey).
	SessionKeyQuery QueryType = "sessionKey"
	// SessionRangeQuery gives those of the keys from KeyFrom to KeyTo.
	SessionRangeQuery QueryType = "sessionRange"
	// VersionedKeyQuery gives the version of Key that held at AsOf, the latest without (VersionedKeyQuery).
	VersionedKeyQuery QueryType = "versionedKey"
	// MultiVersionedKeyQuery gives the versions of Key that held at some time in [From, To] (MultiVersionedKeyQuery).
	MultiVersionedKeyQuery QueryType = "multiVersionedKey"
)

// Bounds of one answer. What is left is asked for with After.
const (
	queryRows  = 1000
	queryBytes = 1 << 20 // keys and values together; the last row may go beyond
)

// StoreQuery asks one partition of a store. Keys are serialised; an empty one is a key, nil is none. Times are in
// milliseconds; nil is open. Its names in JSON are a contract.
type StoreQuery struct {
	Store     string    `json:"store"`
	Partition int32     `json:"partition"`
	Type      QueryType `json:"type"`

	Key        []byte `json:"key,omitzero"`
	KeyFrom    []byte `json:"keyFrom,omitzero"`
	KeyTo      []byte `json:"keyTo,omitzero"`
	Prefix     []byte `json:"prefix,omitzero"`
	From       *int64 `json:"from,omitempty"`
	To         *int64 `json:"to,omitempty"`
	AsOf       *int64 `json:"asOf,omitempty"`
	Descending bool   `json:"descending,omitempty"`

	// Limit is the most rows of the answer; 0 and more than 1000 are 1000. After is the Next of an earlier answer.
	Limit int    `json:"limit,omitempty"`
	After []byte `json:"after,omitzero"`
	// Bound wants all input up to its offsets in the state that is read (KIP-796); nil wants nothing.
	Bound Position `json:"bound,omitempty"`
	// Stale allows the answer of a store that is being restored or of a standby (StoreQueryParameters.enableStaleStores).
	Stale bool `json:"stale,omitempty"`
}

// QueryRow is a row of an answer. Its bytes are the caller's. Its names in JSON are a contract.
type QueryRow struct {
	Partition int32  `json:"partition"`
	Key       []byte `json:"key"`
	Value     []byte `json:"value"`
	// Timestamp is that of timestamped values, and of versions the time from which they hold.
	Timestamp *int64 `json:"timestamp,omitempty"`
	// Start and End are those of windows and sessions; End of a window is exclusive, of a session inclusive.
	Start *int64 `json:"start,omitempty"`
	End   *int64 `json:"end,omitempty"`
	// ValidTo of a version is the time from which it holds no more; nil for the latest.
	ValidTo *int64 `json:"validTo,omitempty"`
}

// StoreAnswer is what a store answered: committed state. Its names in JSON are a contract.
type StoreAnswer struct {
	Rows []QueryRow `json:"rows"`
	// Next goes on behind the last row; nil after the last of all.
	Next []byte `json:"next,omitzero"`
	// Position holds the offsets up to which the input is in the state at least; nil if it is not known.
	Position Position `json:"position,omitempty"`
	// Stale tells that the store was being restored, or is a standby's.
	Stale bool `json:"stale,omitempty"`
}

// Query reads a store of this process; no other process is asked. What it reads was committed: neither caches nor the
// running transaction show. It may be called from any goroutine and does not wait for the threads.
func (a *App) Query(q *StoreQuery) (*StoreAnswer, error) {
	spec, err := a.queriedStore(q.Store)
	if err != nil {
		return nil, err
	}
	if err := q.check(spec); err != nil {
		return nil, err
	}
	if a.IsGlobalStore(q.Store) {
		return a.queryGlobal(q, spec)
	}
	id, err := a.taskOf(q.Store, q.Partition)
	if err != nil {
		return nil, err
	}
	return a.queries.ask(id, q, spec)
}

// queriedStore finds a store of the topology, global ones included.
func (a *App) queriedStore(name string) (*topology.StoreSpec, error) {
	var names []string
	for _, s := range a.stores() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, errs.QueryStore.New(name, fmt.Sprintf("the application has no store %q", name), errs.DidYouMean(name, names))
}

// stores are all stores of the topology.
func (a *App) stores() []*topology.StoreSpec {
	all := append([]*topology.StoreSpec{}, a.cfg.Topology.Stores()...)
	for _, g := range a.cfg.Topology.GlobalStores() {
		all = append(all, g.Store)
	}
	return all
}

// family is what kinds of stores have in common in what they answer.
func family(kind topology.StoreKind) topology.StoreKind {
	switch kind {
	case topology.TimestampedKeyValue, topology.LRU, "":
		return topology.KeyValue
	case topology.TimestampedWindow:
		return topology.Window
	}
	return kind
}

// answered are the types that a family of stores answers.
func answered(kind topology.StoreKind) []QueryType {
	switch family(kind) {
	case topology.KeyValue:
		return []QueryType{KeyQuery, RangeQuery}
	case topology.Window:
		return []QueryType{WindowKeyQuery, WindowRangeQuery}
	case topology.Session:
		return []QueryType{SessionKeyQuery, SessionRangeQuery}
	case topology.VersionedKeyValue:
		return []QueryType{KeyQuery, VersionedKeyQuery, MultiVersionedKeyQuery}
	}
	return nil
}

// check finds what is wrong with a query of a store.
func (q *StoreQuery) check(spec *topology.StoreSpec) error {
	types := answered(spec.Kind)
	fits := false
	for _, t := range types {
		fits = fits || t == q.Type
	}
	from, to := q.times()
	switch {
	case len(types) == 0:
		return errs.QueryKind.New(q.Store, fmt.Sprintf("a store of the kind %s answers no queries", spec.Kind), "ask another store")
	case !fits:
		return errs.QueryKind.New(q.Store, fmt.Sprintf("a store of the kind %s does not answer %q", family(spec.Kind), q.Type), fmt.Sprintf("it answers %q", types))
	case q.needsKey() && q.Key == nil:
		return errs.QueryInvalid.New(q.Store, "the key is missing", "")
	case from > to && family(spec.Kind) != topology.Session:
		return errs.QueryInvalid.New(q.Store, fmt.Sprintf("the span of time from %d to %d is empty", from, to), "")
	case q.Type == MultiVersionedKeyQuery && q.After != nil && len(q.After) != timeCursor:
		return errs.QueryInvalid.New(q.Store, "after is not what an answer gave as next", "")
	case q.Partition < 0 || q.Limit < 0:
		return errs.QueryInvalid.New(q.Store, fmt.Sprintf("partition and limit must not be negative (got %d and %d)", q.Partition, q.Limit), "")
	}
	return nil
}

func (q *StoreQuery) needsKey() bool {
	return q.Type != RangeQuery && q.Type != WindowRangeQuery && q.Type != SessionRangeQuery
}

// times are From and To with their defaults.
func (q *StoreQuery) times() (from, to int64) {
	from, to = 0, math.MaxInt64
	if q.From != nil {
		from = *q.From
	}
	if q.To != nil {
		to = *q.To
	}
	return from, to
}

// look answers q by a view of the store.
func look(store state.Store, q *StoreQuery, spec *topology.StoreSpec) (*StoreAnswer, error) {
	viewable, ok := store.(state.ViewableStore)
	if !ok {
		return nil, errs.QueryKind.New(q.Store, fmt.Sprintf("a store of the kind %s answers no queries", spec.Kind), "ask another store")
	}
	view, err := viewable.View()
	if err != nil {
		return nil, err
	}
	r := &queryReader{q: q, spec: spec, format: view.Format, answer: &StoreAnswer{Rows: []QueryRow{}}}
	if q.After != nil {
		view.ResumeAfter(q.After)
	}
	return r.answer, errors.Join(r.read(view.Store), view.Close())
}

// queryReader gathers the rows of an answer.
type queryReader struct {
	q      *StoreQuery
	spec   *topology.StoreSpec
	format state.ValueFormat
	answer *StoreAnswer
	bytes  int
}

func (r *queryReader) read(store state.Store) error {
	switch s := store.(type) {
	case state.KeyValueStore:
		if r.q.Type == KeyQuery {
			return r.key(s)
		}
		return r.keys(s)
	case state.WindowStore:
		return r.windows(s)
	case state.SessionStore:
		return r.sessions(s)
	case state.VersionedKeyValueStore:
		return r.versions(s)
	}
	return fmt.Errorf("reading store %q: it is a %T", store.Name(), store)
}

// full tells whether the answer has as many rows as it may.
func (r *queryReader) full() bool {
	limit := r.q.Limit
	if limit <= 0 || limit > queryRows {
		limit = queryRows
	}
	return len(r.answer.Rows) >= limit || r.bytes >= queryBytes
}

// add takes a row with a copy of its bytes.
func (r *queryReader) add(key, stored []byte, row QueryRow) {
	value := stored
	switch r.format {
	case state.Timestamped:
		var at int64
		value, at = state.SplitTimestamped(stored)
		row.Timestamp = &at
	case state.TimestampedWithHeaders:
		var at int64
		_, value, at = state.SplitTimestampedWithHeaders(stored)
		row.Timestamp = &at
	case state.WithHeaders:
		_, value = state.SplitWithHeaders(stored)
	}
	row.Partition, row.Key, row.Value = r.q.Partition, append([]byte{}, key...), append([]byte{}, value...)
	r.bytes += len(row.Key) + len(row.Value)
	r.answer.Rows = append(r.answer.Rows, row)
}

func (r *queryReader) key(s state.KeyValueStore) error {
	value, err := s.Get(r.q.Key)
	if err == nil && value != nil {
		r.add(r.q.Key, value, QueryRow{})
	}
	return err
}

func (r *queryReader) keys(s state.KeyValueStore) error {
	from, to := keyBounds(r.q)
	if to != nil && bytes.Compare(from, to) >= 0 {
		return nil
	}
	it, err := s.Range(from, to, r.q.Descending)
	if err != nil {
		return err
	}
	for it.Next() {
		if r.full() {
			r.answer.Next = r.answer.Rows[len(r.answer.Rows)-1].Key
			break
		}
		r.add(it.Key(), it.Value(), QueryRow{})
	}
	return errors.Join(it.Err(), it.Close())
}

// keyBounds are the keys of a range query as from <= key < to.
func keyBounds(q *StoreQuery) (from, to []byte) {
	from = q.KeyFrom
	if q.KeyTo != nil {
		to = append(append([]byte{}, q.KeyTo...), 0)
	}
	if len(q.Prefix) > 0 {
		if bytes.Compare(q.Prefix, from) > 0 {
			from = q.Prefix
		}
		if end := prefixEnd(q.Prefix); to == nil || end != nil && bytes.Compare(end, to) < 0 {
			to = end
		}
	}
	switch {
	case q.After != nil && q.Descending && (to == nil || bytes.Compare(q.After, to) < 0):
		to = q.After
	case q.After != nil && !q.Descending && bytes.Compare(q.After, from) >= 0:
		from = append(append([]byte{}, q.After...), 0)
	}
	return from, to
}

// prefixEnd is the first key behind all that begin with prefix, nil if there is none.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// rowIterator is what walks over windows and sessions have in common.
type rowIterator interface {
	Next() bool
	Key() []byte
	Start() int64
	Value() []byte
	Err() error
	Close() error
}

func (r *queryReader) windows(s state.WindowStore) (err error) {
	from, to := r.q.times()
	var it state.WindowIterator
	if r.q.Type == WindowKeyQuery {
		it, err = s.FetchWindows(r.q.Key, from, to, r.q.Descending)
	} else {
		it, err = s.FetchKeys(r.q.KeyFrom, r.q.KeyTo, from, to, r.q.Descending)
	}
	if err != nil {
		return err
	}
	return r.rows(it, func() int64 { return it.Start() + r.spec.WindowSize })
}

func (r *queryReader) sessions(s state.SessionStore) (err error) {
	from, to := r.q.times()
	var it state.SessionIterator
	if r.q.Type == SessionKeyQuery {
		it, err = s.FindSessions(r.q.Key, from, to, r.q.Descending)
	} else {
		it, err = s.FindSessionsOfKeys(r.q.KeyFrom, r.q.KeyTo, from, to, r.q.Descending)
	}
	if err != nil {
		return err
	}
	return r.rows(it, it.End)
}

// rows takes windows or sessions; end is that of the current one.
func (r *queryReader) rows(it rowIterator, end func() int64) error {
	var last []byte
	for it.Next() {
		if r.full() {
			r.answer.Next = last
			break
		}
		start, end := it.Start(), end()
		r.add(it.Key(), it.Value(), QueryRow{Start: &start, End: &end})
		last = append(last[:0], it.(interface{ Row() []byte }).Row()...)
	}
	return errors.Join(it.Err(), it.Close())
}

func (r *queryReader) versions(s state.VersionedKeyValueStore) error {
	if r.q.Type != MultiVersionedKeyQuery {
		find := s.Latest
		if r.q.Type == VersionedKeyQuery && r.q.AsOf != nil {
			find = func(key []byte) (state.Version, bool, error) { return s.AsOf(key, *r.q.AsOf) }
		}
		v, ok, err := find(r.q.Key)
		if ok {
			r.version(v)
		}
		return err
	}
	from, to := r.q.times()
	switch {
	case r.q.After == nil:
	case r.q.Descending:
		to = min(to, timeIn(r.q.After)-1)
	default:
		from = max(from, timeIn(r.q.After))
	}
	if from > to {
		return nil
	}
	it, err := s.Versions(r.q.Key, from, to, !r.q.Descending)
	if err != nil {
		return err
	}
	var next []byte
	for it.Next() {
		if r.full() {
			r.answer.Next = next
			break
		}
		v := it.Version()
		r.version(v)
		next = appendVersionCursor(next[:0], &v, r.q.Descending)
	}
	return errors.Join(it.Err(), it.Close())
}

// timeCursor is the size of a Next of versions.
const timeCursor = 8

// appendVersionCursor appends what goes on behind a version: the time where it ends, downwards the one where it begins.
func appendVersionCursor(dst []byte, v *state.Version, descending bool) []byte {
	if descending {
		return binary.BigEndian.AppendUint64(dst, uint64(v.Timestamp))
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v.ValidTo))
}

func (r *queryReader) version(v state.Version) {
	row := QueryRow{Timestamp: &v.Timestamp}
	if v.ValidTo != state.VersionedLatest {
		row.ValidTo = &v.ValidTo
	}
	r.add(r.q.Key, v.Value, row)
}
