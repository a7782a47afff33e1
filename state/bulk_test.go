package state

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMemoryOfRestores holds that stores which are restored one after the other take the memory of those before them, and
// that all of it is given up with the last.
func TestMemoryOfRestores(t *testing.T) {
	const budget, chunksOfAll = 8 << 20, 8 + 2 // one of each store is not full
	o := testOptions(vfs.NewMem())
	o.RestoreBytes = budget
	db, err := OpenDB("db", o)
	noError(t, err)
	defer db.Close()
	pool := &db.restoring.pool
	kept := func() int { return len(pool.mu.chunks) }
	small := keyValue(t, db, "0_0", "s")
	noError(t, small.Restore([]KV{{Key: []byte("k"), Value: []byte("v")}}, 1))
	for task := range 5 {
		s := keyValue(t, db, fmt.Sprintf("1_%d", task), "s")
		for i := range 120 {
			var records []KV
			for n := range 100 {
				records = append(records, KV{Key: fmt.Appendf(nil, "%d-%d", i, n), Value: make([]byte, 1000)})
			}
			noError(t, s.Restore(records, int64(i)))
			if n := kept() + len(s.bulk.chunks); n > chunksOfAll {
				t.Fatalf("the %d-th store takes %d chunks, want at most %d", task+1, n, chunksOfAll)
			}
		}
		noError(t, s.settle())
		if kept() == 0 || len(pool.mu.arrays) == 0 {
			t.Errorf("nothing is kept for the store after the %d-th", task+1)
		}
	}
	noError(t, small.settle())
	if kept() != 0 || len(pool.mu.arrays) != 0 {
		t.Errorf("%d chunks and %d arrays are kept when nothing is restored", kept(), len(pool.mu.arrays))
	}
}
