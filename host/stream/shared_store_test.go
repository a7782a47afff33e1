package stream

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// TestTasksReadAGlobalStoreAtOnce: each reader gets the row that it asks for, whatever the others ask for meanwhile.
func TestTasksReadAGlobalStoreAtOnce(t *testing.T) {
	const readers, keys = 4, 100
	db, err := state.OpenDB("db", state.Options{FS: vfs.NewMem()})
	check(t, err)
	defer func() { check(t, db.Close()) }()
	var mu sync.Mutex
	store, err := db.NewStore(state.StoreConfig{ID: state.StoreID{Task: globalTask, Store: "rows"}})
	check(t, err)
	for i := range keys {
		key := fmt.Appendf(nil, "row-%d", i)
		check(t, store.(state.KeyValueStore).Put(key, key))
	}
	batch := db.NewBatch()
	check(t, store.Stage(batch))
	check(t, batch.Commit())
	shared, err := NewSharedStore(store, topology.KeyValue, &mu)
	check(t, err)
	var all sync.WaitGroup
	for n := range readers {
		all.Go(func() {
			reader := shared.Reader()
			for i := range 20_000 {
				key := fmt.Appendf(nil, "row-%d", (i*(n+1))%keys)
				if got, err := reader.Get(key); err != nil || string(got) != string(key) {
					t.Errorf("the row of %s is %q, %v", key, got, err)
					return
				}
			}
		})
	}
	all.Wait()
	check(t, store.Close())
}
