package state

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testOptions keep a database small.
func testOptions(fs vfs.FS) Options {
	return Options{ApplicationID: "app", FS: fs, CacheBytes: 1 << 20, MemTableBytes: 256 << 10}
}

func openTestDB(t testing.TB, fs vfs.FS) *DB {
	t.Helper()
	db, err := OpenDB("db", testOptions(fs))
	noError(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newTestStore opens a store in a database of its own.
func newTestStore(t testing.TB, c StoreConfig) *MeteredKeyValueStore {
	t.Helper()
	c.ID = StoreID{Task: "0_0", Store: "store"}
	s, err := openTestDB(t, vfs.NewMem()).NewKeyValueStore(c)
	noError(t, err)
	return s
}

// commitAll stages and commits stores under one offset.
func commitAll(t testing.TB, db *DB, offset int64, stores ...*KeyValueBytes) {
	t.Helper()
	b := db.NewBatch()
	for _, s := range stores {
		noError(t, s.Stage(b))
		b.SetOffset(s.ID(), offset)
	}
	noError(t, b.Commit())
}

// contents reads all of a store.
func contents(t testing.TB, s KeyValueStore) map[string]string {
	t.Helper()
	it, err := s.Range(nil, nil, false)
	noError(t, err)
	pairs := map[string]string{}
	for it.Next() {
		pairs[string(it.Key())] = string(it.Value())
	}
	noError(t, it.Err())
	noError(t, it.Close())
	return pairs
}
