package state

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
)

func TestWindowedKeys(t *testing.T) {
	if got := hex.EncodeToString(AppendWindowKey(nil, []byte("key"), 10, 7)); got != "6b6579000000000000000a00000007" {
		t.Errorf("window key %s", got)
	}
	if key, start, seq, ok := SplitWindowKey(AppendWindowKey(nil, []byte("key"), 10, 7)); string(key) != "key" || start != 10 || seq != 7 || !ok {
		t.Errorf("split into %q %d %d %v", key, start, seq, ok)
	}
	session := AppendSessionKey(nil, []byte("key"), 1500000000000, 1500000060000)
	if got := hex.EncodeToString(session); got != "6b65790000015d3ef882600000015d3ef79800" {
		t.Errorf("session key %s", got)
	}
	if key, start, end, ok := SplitSessionKey(session); string(key) != "key" || start != 1500000000000 || end != 1500000060000 || !ok {
		t.Errorf("split into %q %d %d %v", key, start, end, ok)
	}
	if _, _, _, ok := SplitWindowKey([]byte("elevenbytes")); ok {
		t.Error("a window key without a key")
	}
}

// rows reads an iterator to its end.
func rows(t *testing.T, it WindowIterator, err error) (got []string) {
	t.Helper()
	noError(t, err)
	for it.Next() {
		got = append(got, fmt.Sprintf("%s@%d=%s", it.Key(), it.Start(), it.Value()))
	}
	noError(t, it.Err())
	noError(t, it.Close())
	return got
}

func windowStore(t *testing.T, c StoreConfig) (*DB, *MeteredWindowStore) {
	t.Helper()
	db := openTestDB(t, vfs.NewMem())
	c.ID, c.Kind = StoreID{"0_0", "w"}, WindowKind
	s, err := db.NewStore(c)
	noError(t, err)
	return db, s.(*MeteredWindowStore)
}

func everyWindowStore(t *testing.T, c StoreConfig, f func(t *testing.T, db *DB, s *MeteredWindowStore)) {
	for _, memory := range []bool{false, true} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("memory=%v/cached=%v", memory, cached), func(t *testing.T) {
				c := c
				c.InMemory = memory
				if cached {
					c.Cache = NewThreadCache(1 << 20)
				}
				db, s := windowStore(t, c)
				f(t, db, s)
			})
		}
	}
}

func commitStore(t testing.TB, db *DB, s TransactionalStore) {
	t.Helper()
	noError(t, s.Flush())
	b := db.NewBatch()
	noError(t, s.Stage(b))
	noError(t, b.Commit())
}

func TestWindowFetch(t *testing.T) {
	everyWindowStore(t, StoreConfig{Retention: 1000, SegmentInterval: 100}, func(t *testing.T, db *DB, s *MeteredWindowStore) {
		for i, key := range []string{"a", "ab", "b"} {
			for _, start := range []int64{0, 250, 500} {
				noError(t, s.PutWindow([]byte(key), fmt.Append(nil, i), start))
			}
			if i == 1 {
				commitStore(t, db, s)
			}
		}
		if diff := cmp.Diff([]string{"a@0=0", "a@250=0"}, rowsOf(t, s, "a", 0, 499, false)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"a@500=0", "a@250=0", "a@0=0"}, rowsOf(t, s, "a", 0, forever, true)); diff != "" {
			t.Error(diff)
		}
		it, err := s.FetchKeys([]byte("ab"), nil, 1, 500, false)
		if diff := cmp.Diff([]string{"ab@250=1", "b@250=2", "ab@500=1", "b@500=2"}, rows(t, it, err)); diff != "" {
			t.Error(diff)
		}
		noError(t, s.PutWindow([]byte("z"), []byte("z"), 1250))
		if got := rowsOf(t, s, "a", 0, forever, false); !slices.Equal(got, []string{"a@500=0"}) {
			t.Errorf("after the retention of 0 and 250: %v", got)
		}
		s.Discard()
		if got := rowsOf(t, s, "a", 0, forever, false); !slices.Equal(got, []string{"a@0=0", "a@250=0", "a@500=0"}) {
			t.Errorf("after a discard: %v", got)
		}
		if got := rowsOf(t, s, "b", 0, forever, false); got != nil {
			t.Errorf("not committed, and found after a discard: %v", got)
		}
	})
}

func rowsOf(t *testing.T, s WindowStore, key string, from, to int64, reverse bool) []string {
	t.Helper()
	it, err := s.FetchWindows([]byte(key), from, to, reverse)
	return rows(t, it, err)
}

func TestWindowDuplicates(t *testing.T) {
	everyWindowStore(t, StoreConfig{Retention: 1000, RetainDuplicates: true}, func(t *testing.T, db *DB, s *MeteredWindowStore) {
		for i := range 3 {
			noError(t, s.PutWindow([]byte("k"), fmt.Append(nil, i), 7))
			commitStore(t, db, s)
		}
		noError(t, s.PutWindow([]byte("k"), nil, 7))
		if got := rowsOf(t, s, "k", 0, 7, false); !slices.Equal(got, []string{"k@7=0", "k@7=1", "k@7=2"}) {
			t.Error(got)
		}
		if v, err := s.FetchWindow([]byte("k"), 7); err != nil || string(v) != "2" {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// TestSegmentsOfAnotherRetention holds that rows are found, and expire, in a store that is opened with another retention than before.
func TestSegmentsOfAnotherRetention(t *testing.T) {
	fs := vfs.NewMem()
	open := func(retention int64) (*DB, *MeteredWindowStore) {
		db, err := OpenDB("db", testOptions(fs))
		noError(t, err)
		s, err := db.NewStore(StoreConfig{ID: StoreID{Task: "0_0", Store: "w"}, Kind: WindowKind, Retention: retention})
		noError(t, err)
		return db, s.(*MeteredWindowStore)
	}
	db, s := open(60_000)
	noError(t, s.PutWindow([]byte("k"), []byte("a"), 100_000))
	commitStore(t, db, s)
	noError(t, db.Close())
	for _, retention := range []int64{600_000, 90_000} {
		db, s = open(retention)
		if got := rowsOf(t, s, "k", 0, forever, false); !slices.Equal(got, []string{"k@100000=a"}) {
			t.Errorf("retention %d: %q", retention, got)
		}
		v, err := s.View()
		noError(t, err)
		if got := rowsOf(t, v.Store.(WindowStore), "k", 0, forever, false); !slices.Equal(got, []string{"k@100000=a"}) {
			t.Errorf("a view, retention %d: %q", retention, got)
		}
		noError(t, v.Close())
		noError(t, db.Close())
	}
	db, s = open(90_000)
	noError(t, s.PutWindow([]byte("z"), []byte("z"), 300_000))
	commitStore(t, db, s)
	if n := len(contents(t, s.bytes)); n != 2 { // the time, and the row put last
		t.Errorf("%d pairs are left", n)
	}
	noError(t, db.Close())
}

func TestRetentionRefused(t *testing.T) {
	db := openTestDB(t, vfs.NewMem())
	for _, kind := range []Kind{WindowKind, SessionKind} {
		for _, retention := range []int64{-2, -1} {
			if s, err := db.NewStore(StoreConfig{ID: StoreID{"0_0", "s"}, Kind: kind, Retention: retention}); !errs.StateRetention.Is(err) || s != nil {
				t.Errorf("retention %d: %v", retention, err)
			}
		}
	}
}

func TestSessions(t *testing.T) {
	for _, memory := range []bool{false, true} {
		db := openTestDB(t, vfs.NewMem())
		opened, err := db.NewStore(StoreConfig{ID: StoreID{"0_0", "s"}, Kind: SessionKind, InMemory: memory, Retention: 1000})
		noError(t, err)
		s := opened.(SessionStore)
		for _, at := range [][2]int64{{10, 20}, {30, 30}, {5, 40}, {50, 60}} {
			noError(t, s.PutSession([]byte("k"), at[0], at[1], []byte("v")))
		}
		commitStore(t, db, opened)
		noError(t, s.RemoveSession([]byte("k"), 30, 30))
		it, err := s.FindSessions([]byte("k"), 15, 45, false)
		noError(t, err)
		var got [][2]int64
		for it.Next() {
			got = append(got, [2]int64{it.Start(), it.End()})
		}
		noError(t, it.Close())
		if diff := cmp.Diff([][2]int64{{10, 20}, {5, 40}}, got); diff != "" {
			t.Errorf("memory %v: %s", memory, diff)
		}
	}
}

func TestEntriesRefused(t *testing.T) {
	db := openTestDB(t, vfs.NewMem())
	for _, n := range []int64{0, -1, 1 << 40} {
		if s, err := db.NewStore(StoreConfig{ID: StoreID{"0_0", "s"}, Kind: LRUKind, MaxEntries: n}); !errs.StateEntries.Is(err) || s != nil {
			t.Errorf("%d entries: %v", n, err)
		}
	}
}

// TestRowsTooOldAreForwarded: the flush of a cache tells of a row that the store keeps no more, as Kafka's does, and the
// store does not get it.
func TestRowsTooOldAreForwarded(t *testing.T) {
	db, s := windowStore(t, StoreConfig{Retention: 100, Cache: NewThreadCache(1 << 20), Context: &RecordContext{}})
	var told []string
	s.SetFlushListener(func(e *Flushed) error {
		_, start, _, _ := SplitWindowKey(e.Key)
		told = append(told, fmt.Sprintf("%d: %s to %s", start, e.Old, e.New))
		return nil
	}, true)
	noError(t, s.PutWindow([]byte("a"), []byte("one"), 1000))
	noError(t, s.PutWindow([]byte("a"), []byte("late"), 900))
	if got, err := s.FetchWindow([]byte("a"), 900); err != nil || string(got) != "late" {
		t.Errorf("in the cache: %q, %v", got, err)
	}
	commitStore(t, db, s)
	noError(t, s.PutWindow([]byte("a"), []byte("two"), 1200))
	noError(t, s.PutWindow([]byte("a"), nil, 1000)) // gone for the store only with what came before it in the cache
	commitStore(t, db, s)
	if diff := cmp.Diff([]string{"1000:  to one", "900:  to late", "1200:  to two"}, told); diff != "" {
		t.Error(diff)
	}
	if got := rowsOf(t, s, "a", 0, forever, false); !slices.Equal(got, []string{"a@1200=two"}) {
		t.Errorf("in the store: %v", got)
	}
}

// TestASessionIsTakenBack: a session that a longer one replaces is deleted for the nodes after, also when the longer one
// is what makes it too old for the store.
func TestASessionIsTakenBack(t *testing.T) {
	db := openTestDB(t, vfs.NewMem())
	store, err := db.NewStore(StoreConfig{
		ID: StoreID{"0_0", "s"}, Kind: SessionKind, Retention: 5, Cache: NewThreadCache(1 << 20), Context: &RecordContext{},
	})
	noError(t, err)
	s := store.(*MeteredSessionStore)
	var told []string
	s.SetFlushListener(func(e *Flushed) error {
		_, start, end, _ := SplitSessionKey(e.Key)
		told = append(told, fmt.Sprintf("[%d,%d] %s", start, end, e.New))
		return nil
	}, false)
	noError(t, s.PutSession([]byte("a"), 20, 20, []byte("one")))
	commitStore(t, db, s)
	noError(t, s.RemoveSession([]byte("a"), 20, 20))
	noError(t, s.PutSession([]byte("a"), 20, 25, []byte("both")))
	commitStore(t, db, s)
	if diff := cmp.Diff([]string{"[20,20] one", "[20,20] ", "[20,25] both"}, told); diff != "" {
		t.Error(diff)
	}
}
