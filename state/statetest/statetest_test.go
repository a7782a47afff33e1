package statetest

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/state"
)

const maxIterators = 8

// variant is one way to build a store.
type variant struct {
	name                      string
	inMemory, changelog       bool
	bytesOnly                 bool
	cacheBytes                int64
	format                    state.ValueFormat
	databaseInMemory, restart bool
	lru                       bool
}

func variants() []variant {
	var vs []variant
	for _, base := range []variant{
		{name: "pebble", restart: true},
		{name: "memory", inMemory: true},
		{name: "database in memory", databaseInMemory: true},
	} {
		for _, layers := range []variant{
			{name: "bytes", bytesOnly: true},
			{name: "changelog", changelog: true},
			{name: "cache", cacheBytes: 1 << 20},
			{name: "tight cache, changelog", cacheBytes: 300, changelog: true},
			{name: "timestamped, cache, changelog", cacheBytes: 2000, changelog: true, format: state.Timestamped},
		} {
			v := layers
			v.name = base.name + "/" + layers.name
			v.inMemory, v.databaseInMemory, v.restart = base.inMemory, base.databaseInMemory, base.restart
			vs = append(vs, v)
		}
	}
	for _, cache := range []int64{0, 300} { // with room for all keys
		vs = append(vs, variant{name: fmt.Sprintf("lru/cache %d", cache), lru: true, inMemory: true, changelog: true, cacheBytes: cache})
	}
	return vs
}

func TestStores(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { Run(t, v.factory()) })
	}
}

// files are the file systems of the subjects that can be opened again.
type files map[*Subject]vfs.FS

func (v variant) factory() Factory {
	disks := files{}
	f := Factory{Timestamped: v.format == state.Timestamped, MaxIterators: maxIterators}
	f.Open = func(t *rapid.T) *Subject { return v.open(t, disks, vfs.NewMem()) }
	f.Close = func(s *Subject) {
		delete(disks, s)
		if err := s.DB.Close(); err != nil {
			panic(err)
		}
	}
	if v.restart {
		f.Reopen = func(t *rapid.T, s *Subject) *Subject {
			disk := disks[s]
			delete(disks, s)
			must(t, s.Store.Close())
			must(t, s.DB.Close())
			return v.open(t, disks, disk)
		}
	}
	return f
}

func (v variant) open(t *rapid.T, disks files, disk vfs.FS) *Subject {
	db, err := state.OpenDB("db", state.Options{
		FS: disk, InMemory: v.databaseInMemory, MaxIterators: maxIterators, CacheBytes: 1 << 20, MemTableBytes: 256 << 10,
	})
	must(t, err)
	s := &Subject{DB: db, ID: state.StoreID{Task: "0_1", Store: "store"}}
	disks[s] = disk
	if v.bytesOnly {
		open := db.KeyValue
		if v.inMemory {
			open = db.MemoryKeyValue
		}
		s.Store, err = open(s.ID, v.format)
		must(t, err)
		return s
	}
	c := state.StoreConfig{ID: s.ID, InMemory: v.inMemory, Format: v.format}
	if v.changelog {
		s.Changelog = &Log{}
		c.Changelog = s.Changelog
	}
	if v.cacheBytes > 0 {
		c.Cache = state.NewThreadCache(v.cacheBytes)
	}
	if v.lru {
		c.Kind, c.MaxEntries = state.LRUKind, 1000
	}
	opened, err := db.NewStore(c)
	must(t, err)
	s.Store = opened.(Store)
	return s
}
