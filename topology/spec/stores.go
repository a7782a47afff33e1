package spec

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// storeEntry is a store of the document.
type storeEntry struct {
	spec topology.StoreSpec
	at   entry
	used bool
}

// storeFields describe a store (Kafka's Stores and StoreBuilder).
var storeFields = []field{
	{name: "name", form: aText, required: true, doc: "The store's name, that of its changelog too."},
	{name: "type", form: aStoreKind, doc: "What the store holds; keyValue if not given."},
	{name: "inMemory", form: aBool, doc: "The store is in memory; its changelog still is not."},
	{name: "caching", form: aBool, doc: "A record cache before the store."},
	{name: "logging", form: aBool, doc: "A changelog topic; true if not given."},
	keySerde, valueSerde,
	{name: "changelog", form: aMap, doc: "Settings of the changelog topic."},
	{name: "retention", form: aDuration, doc: "Of windows and sessions: how long they are kept."},
	{name: "windowSize", form: aDuration, doc: "Of windows: their length."},
	{name: "segmentInterval", form: aDuration, doc: "Of windows and sessions: what is dropped at once when it is too old."},
	{name: "retainDuplicates", form: aBool, doc: "Of windows: every put is a row of its own."},
	{name: "historyRetention", form: aDuration, doc: "Of versioned stores: how far back versions are kept."},
	{name: "maxEntries", form: aNumber, doc: "Of lru: how many keys are kept."},
}

var storeKinds = map[string]topology.StoreKind{
	"keyValue": topology.KeyValue, "timestampedKeyValue": topology.TimestampedKeyValue,
	"versionedKeyValue": topology.VersionedKeyValue, "window": topology.Window, "timestampedWindow": topology.TimestampedWindow,
	"session": topology.Session, "lru": topology.LRU,
}

func storeKindNames() []string { return slices.Sorted(maps.Keys(storeKinds)) }

// onlyOf says for which types of stores a field is.
var onlyOf = map[string][]topology.StoreKind{
	"retention":        {topology.Window, topology.TimestampedWindow, topology.Session},
	"windowSize":       {topology.Window, topology.TimestampedWindow},
	"segmentInterval":  {topology.Window, topology.TimestampedWindow, topology.Session},
	"retainDuplicates": {topology.Window},
	"historyRetention": {topology.VersionedKeyValue},
	"maxEntries":       {topology.LRU},
}

// neededBy are the fields that a type of store cannot be without.
var neededBy = map[topology.StoreKind][]string{
	topology.Window: {"retention", "windowSize"}, topology.TimestampedWindow: {"retention", "windowSize"},
	topology.Session: {"retention"}, topology.VersionedKeyValue: {"historyRetention"}, topology.LRU: {"maxEntries"},
}

func (d *document) readStores(v *value) {
	if v == nil || v.kind == null {
		return
	}
	if v.kind != sequence {
		d.faultAt(errs.YAMLInvalid, v, "stores is a list (got "+v.kindName()+")", "begin each store with a dash")
		return
	}
	for _, item := range v.items {
		faults := len(d.faults)
		if s, ok := d.storeSpec(item, "a store"); ok {
			d.addStore(item, &storeEntry{at: entry{line: item.line, col: item.col}, spec: s}, len(d.faults) > faults)
		}
	}
}

// storeSpec reads the description of a store. ok is false if it has no name.
func (d *document) storeSpec(v *value, what string) (s topology.StoreSpec, ok bool) {
	if !d.isMapping(v, what) {
		return s, false
	}
	known := names(storeFields)
	d.unknown(v, known, what)
	s = topology.StoreSpec{
		Name: d.required(v, "name", what, known), Kind: topology.KeyValue,
		InMemory: d.boolean(v, "inMemory", false), CachingEnabled: d.boolean(v, "caching", false),
		LoggingDisabled: !d.boolean(v, "logging", true),
		KeySerde:        d.serde(v.get("key")), ValueSerde: d.serde(v.get("value")),
		ChangelogConfigs: d.stringMap(v.get("changelog"), "changelog"),
		Retention:        d.retention(v, "retention", 1).Milliseconds(), WindowSize: d.duration(v, "windowSize").Milliseconds(),
		SegmentInterval: d.duration(v, "segmentInterval").Milliseconds(), RetainDuplicates: d.boolean(v, "retainDuplicates", false),
		HistoryRetention: d.retention(v, "historyRetention", 0).Milliseconds(), MaxEntries: int64(d.count(v, "maxEntries")),
	}
	if t := v.get("type"); t != nil {
		name := d.text(t, "type")
		kind, found := storeKinds[name]
		if !found && name != "" {
			d.faultAt(errs.YAMLInvalid, t, fmt.Sprintf("unknown type of store %q", name), errs.DidYouMean(name, storeKindNames()))
		}
		if !found {
			return s, s.Name != ""
		}
		s.Kind = kind
	}
	d.fitKind(v, s.Kind)
	return s, s.Name != ""
}

// fitKind holds the fields of a store to those that its type has.
func (d *document) fitKind(v *value, kind topology.StoreKind) {
	for _, f := range storeFields {
		if kinds := onlyOf[f.name]; v.get(f.name) != nil && kinds != nil && !slices.Contains(kinds, kind) {
			d.faultAt(errs.YAMLInvalid, v.get(f.name), fmt.Sprintf("a store of the type %s has no %s", kind, f.name), "remove it, or give another type")
		}
	}
	for _, name := range neededBy[kind] {
		if v.get(name) == nil && !d.misspelt(v, name, names(storeFields)) {
			d.faultAt(errs.YAMLInvalid, v, fmt.Sprintf("a store of the type %s needs %s", kind, name), "add "+name+": ...")
		}
	}
}

// addStore gives the store to the builder. What that finds is not told where something is told of the store already: a
// value that cannot be understood stands there as 0.
func (d *document) addStore(item *value, s *storeEntry, told bool) {
	if d.store(s.spec.Name) != nil {
		d.faultAt(errs.TopologyStoreClash, item.get("name"), fmt.Sprintf("the store %q is described twice", s.spec.Name), "")
		return
	}
	d.stores = append(d.stores, s)
	before := len(d.builder.Faults())
	d.builder.AddStateStore(s.spec)
	if !told {
		d.adopt(before, item, nil)
	}
}

func (d *document) store(name string) *storeEntry {
	i := slices.IndexFunc(d.stores, func(s *storeEntry) bool { return s.spec.Name == name })
	if i < 0 {
		return nil
	}
	return d.stores[i]
}

// materializedFields describe the store of a table (Kafka's Materialized).
var materializedFields = []field{
	{name: "name", form: aText, doc: "The store's name, that of its changelog too; generated if not given."},
	keySerde, valueSerde,
	{name: "storeType", form: aStoreType, doc: "Where the store is; dsl.store.suppliers.class if not given."},
	{name: "inMemory", form: aBool, doc: "The same as storeType: IN_MEMORY."},
	{name: "caching", form: aBool, doc: "A record cache before the store; true if not given."},
	{name: "logging", form: aBool, doc: "A changelog topic; true if not given."},
	{name: "changelog", form: aMap, doc: "Settings of the changelog topic."},
	{name: "retention", form: aDuration, doc: "How long windows or sessions are kept."},
	{name: "historyRetention", form: aDuration, doc: "The store is versioned and keeps versions that long."},
}

// storeTypes are Kafka's Materialized.StoreType.
var storeTypes = []string{"ROCKS_DB", "IN_MEMORY"}

// materialized is a store's name, or a mapping.
func (d *document) materialized(v *value) dsl.Materialized {
	switch {
	case v == nil:
		return dsl.Materialized{}
	case v.kind == scalar:
		return dsl.Materialized{Name: d.text(v, "materialized")}
	case !d.isMapping(v, "materialized"):
		return dsl.Materialized{}
	}
	d.unknown(v, names(materializedFields), "materialized")
	storeType := d.oneOf(v.get("storeType"), "store type", storeTypes)
	m := dsl.Materialized{
		Name: d.text(v.get("name"), "name"), Key: d.serde(v.get("key")), Value: d.serde(v.get("value")),
		InMemory: d.boolean(v, "inMemory", false) || storeType == "IN_MEMORY", CachingDisabled: !d.boolean(v, "caching", true),
		LoggingDisabled:  !d.boolean(v, "logging", true),
		ChangelogConfigs: d.stringMap(v.get("changelog"), "changelog"), Retention: d.retention(v, "retention", 1),
		Versioned: v.get("historyRetention") != nil, HistoryRetention: d.retention(v, "historyRetention", 0),
		Persistent: storeType == "ROCKS_DB",
	}
	if m.Persistent && m.InMemory {
		d.faultAt(errs.YAMLInvalid, v.get("inMemory"), "the store is to be in memory and in ROCKS_DB", "remove one of the two")
	}
	if caching := v.get("caching"); m.Versioned && caching != nil && !m.CachingDisabled {
		d.faultAt(errs.TopologyInvalid, caching, "versioned stores have no cache", "remove it")
	}
	return m
}

// retention is how long a store keeps something, at least so long.
func (d *document) retention(v *value, key string, least time.Duration) time.Duration {
	t := d.duration(v, key)
	if v.get(key) == nil || t >= least {
		return t
	}
	if _, ok := parseDuration(v.get(key).text); !ok {
		return 0 // told already
	}
	if least == 0 {
		d.faultAt(errs.StateRetention, v.get(key), fmt.Sprintf("%s must not be negative (got %s)", key, t), "give 0 or more")
	} else {
		d.faultAt(errs.StateRetention, v.get(key), fmt.Sprintf("%s must be positive (got %s)", key, t), "give the time, or leave it out to keep what the windows need")
	}
	return 0
}

// joinStoreFields describe a store that a join of streams is given (Kafka's WindowBytesStoreSupplier).
var joinStoreFields = []field{
	{name: "name", form: aText, required: true, doc: "The store's name, that of its changelog too."},
	{name: "retention", form: aDuration, required: true, doc: "How long records are kept: that of the join's windows and grace."},
	{name: "windowSize", form: aDuration, required: true, doc: "The length of the join's windows."},
	{name: "retainDuplicates", form: aBool, doc: "Must be true, which it is if not given."},
	{name: "inMemory", form: aBool, doc: "The store is in memory."},
}

// joinStore is the store of a side of a join; nil for a missing one.
func (d *document) joinStore(op *operation, key string) *dsl.JoinStore {
	v := op.body.get(key)
	if v == nil || !d.fieldsOf(v, key, joinStoreFields) {
		return nil
	}
	return &dsl.JoinStore{
		Name: d.text(v.get("name"), "name"), Retention: d.duration(v, "retention"), WindowSize: d.duration(v, "windowSize"),
		RetainDuplicates: d.boolean(v, "retainDuplicates", true), InMemory: d.boolean(v, "inMemory", false),
	}
}
