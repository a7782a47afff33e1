package stream

import (
	"bytes"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// guestStore is a store that a handle has opened, and what the running call has written to it.
type guestStore struct {
	name  string
	kind  abi.StoreKind
	flags int32
	rows  guestRows
	// stamped: the store's values begin with timestamps; shown: the guest sees them. Where it does not, what it writes has
	// the time of the record behind the write.
	stamped, shown bool
	readOnly       bool // another processor's global store
	log            writeLog
	value          []byte // scratch: a value with its timestamp
}

// guestRows is a store of one kind under the keys that guests have for its rows (abi/SPEC.md, 7). Reads answer as the
// store will once it has what the running call has written, which is in the log. Values are as the store has them.
type guestRows interface {
	// valid tells whether a row can have this key.
	valid(key []byte) bool
	// get returns nil for a row that is absent.
	get(l *writeLog, key []byte) ([]byte, error)
	// note adds a write to the log; nil deletes.
	note(l *writeLog, key, value []byte)
	// apply does a write of the log.
	apply(key, value []byte) error
	// forget is told that the log is empty again.
	forget()
}

// spanned are rows that have times.
type spanned interface {
	// span walks over rows, merged with those of the log.
	span(l *writeLog, s *rowSpan) (mergedWalk, error)
}

// rowSpan is what a guest asks for: rows with keyFrom <= key <= keyTo, nil being an open end, and times that from and to
// limit in the way of the kind.
type rowSpan struct {
	keyFrom, keyTo []byte
	from, to       int64
	reverse        bool
}

// exact tells whether one key is asked for.
func (s *rowSpan) exact() bool {
	return s.keyFrom != nil && s.keyTo != nil && bytes.Equal(s.keyFrom, s.keyTo)
}

func (s *rowSpan) hasKey(key []byte) bool {
	return (s.keyFrom == nil || bytes.Compare(key, s.keyFrom) >= 0) && (s.keyTo == nil || bytes.Compare(key, s.keyTo) <= 0)
}

// StateOpen implements wasm.Host: a store of keys and values, which the guest sees without timestamps.
func (g *guestInstance) StateOpen(name []byte) int32 {
	id := g.StateOpenAs(name, abi.KeyValueStore, 0)
	if id == int32(abi.Unsupported) {
		return int32(abi.NotFound) // as before there were other kinds
	}
	return id
}

// StateOpenAs implements wasm.Host.
func (g *guestInstance) StateOpenAs(name []byte, kind abi.StoreKind, flags int32) int32 {
	h := g.running
	if h == nil || !slices.Contains(h.component.Stores, string(name)) {
		return int32(abi.Denied)
	}
	for i := range h.stores {
		if s := &h.stores[i]; s.name == string(name) {
			if s.kind != kind || s.flags != flags {
				return int32(abi.Unsupported) // writes of a call are kept once for a store
			}
			return int32(i)
		}
	}
	n, global := h.f.node, h.f.node.global(string(name))
	store, spec := n.stores[string(name)], n.storeSpec(string(name))
	s := guestStore{name: string(name), kind: kind, flags: flags, shown: flags&abi.StoreTimestamps != 0, readOnly: global != nil}
	s.stamped = spec.Kind == topology.TimestampedKeyValue || spec.Kind == topology.TimestampedWindow
	switch {
	case global != nil:
		store, s.stamped = global.Reader(), global.timestamped
	case store == nil:
		return int32(abi.NotFound)
	}
	s.rows = rowsOf(store, kind, spec)
	switch {
	case s.rows == nil, s.shown && !s.stamped:
		return int32(abi.Unsupported)
	case len(h.stores) >= maxStoreHandles:
		return int32(abi.Limit)
	}
	h.stores = append(h.stores, s)
	return int32(len(h.stores) - 1)
}

// global is the global store of a name, if the node reads it as any other may; nil for stores that are the node's own.
func (n *node) global(store string) *SharedStore {
	if n.stores[store] != nil {
		return nil
	}
	return n.task.config.GlobalStores[store]
}

// storeSpec describes a store of the node.
func (n *node) storeSpec(name string) topology.StoreSpec {
	for _, spec := range n.task.config.Subtopology.Stores {
		if spec.Name == name {
			return *spec
		}
	}
	return topology.StoreSpec{}
}

// rowsOf is store for guests that use it as one of kind, nil if it is of another.
func rowsOf(store state.Store, kind abi.StoreKind, spec topology.StoreSpec) guestRows {
	switch kind {
	case abi.KeyValueStore:
		if kv, ok := store.(state.KeyValueStore); ok {
			return &keyValueRows{kv}
		}
	case abi.WindowStore:
		if s, ok := store.(windowStore); ok {
			return newWindowRows(s, spec.RetainDuplicates)
		}
	case abi.SessionStore:
		if s, ok := store.(sessionStore); ok {
			return newSessionRows(s)
		}
	case abi.VersionedStore:
		if s, ok := store.(versionStore); ok {
			return newVersionRows(s)
		}
	}
	return nil
}

// forget empties the log.
func (s *guestStore) forget() {
	s.log.reset()
	s.rows.forget()
}

// get is the guest's view of a row, nil if it is absent.
func (s *guestStore) get(key []byte) ([]byte, error) {
	stored, err := s.rows.get(&s.log, key)
	return s.outward(stored), err
}

// outward is what the guest sees of a stored value.
func (s *guestStore) outward(stored []byte) []byte {
	if s.stamped && !s.shown {
		stored, _ = state.SplitTimestamped(stored)
	}
	return stored
}

// inward is the stored form of what the guest gives, as of at unless it says itself. ok is false for what has no
// timestamp where it must have one.
func (s *guestStore) inward(value []byte, at int64) (stored []byte, ok bool) {
	switch {
	case value == nil || !s.stamped:
		return value, true
	case s.shown:
		_, timestamp := state.SplitTimestamped(value)
		return value, timestamp >= 0
	}
	s.value = state.AppendTimestamped(s.value[:0], at, value)
	return s.value, true
}

// keyValueRows is a key-value store.
type keyValueRows struct{ kv state.KeyValueStore }

func (*keyValueRows) valid(key []byte) bool { return key != nil }

func (r *keyValueRows) get(l *writeLog, key []byte) ([]byte, error) {
	if value, written := l.get(key); written {
		return value, nil
	}
	return r.kv.Get(key)
}

func (*keyValueRows) note(l *writeLog, key, value []byte) { l.put(key, value) }

func (r *keyValueRows) apply(key, value []byte) error { return r.kv.Put(key, value) }

func (*keyValueRows) forget() {}

// between walks over the pairs with from <= key < to.
func (r *keyValueRows) between(l *writeLog, from, to []byte, reverse bool) (mergedWalk, error) {
	it, err := r.kv.Range(from, to, reverse)
	if err != nil {
		return mergedWalk{}, err
	}
	return mergedWalk{it: it, reverse: reverse, log: l, written: l.between(from, to, reverse), compare: bytes.Compare}, nil
}
