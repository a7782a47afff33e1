package stream

import (
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/state"
)

// TestIdleThreadsCommitSooner: a thread without work commits after a quarter of the interval, unless its results are seen
// at once anyway or its record cache holds some back.
func TestIdleThreadsCommitSooner(t *testing.T) {
	cache := state.NewThreadCache(1 << 20)
	db, err := state.OpenDB("", state.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cached, err := db.NewKeyValueStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "s"}, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	interval := func(exactlyOnce, idle bool) time.Duration {
		s := &session{Thread: &Thread{cfg: &threadConfig{exactlyOnce: exactlyOnce, commitInterval: 100 * time.Millisecond}, cache: cache}}
		return s.commitInterval(idle) / time.Millisecond
	}
	check := func(what string, got, want time.Duration) {
		t.Helper()
		if got != want {
			t.Errorf("%s: after %d ms, want %d", what, got, want)
		}
	}
	check("idle", interval(true, true), 25)
	check("busy", interval(true, false), 100)
	check("idle, at least once", interval(false, true), 100)
	if err := cached.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	check("idle with a record in the cache", interval(true, true), 100)
}
