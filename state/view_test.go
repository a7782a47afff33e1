package state_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/state"
)

func viewDB(t *testing.T) *state.DB {
	t.Helper()
	opts := state.DefaultOptions()
	opts.FS, opts.ApplicationID = vfs.NewMem(), "views"
	db, err := state.OpenDB("db", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func commitStore(t *testing.T, db *state.DB, s state.TransactionalStore) {
	t.Helper()
	b := db.NewBatch()
	for _, err := range []error{s.Flush(), s.Stage(b), b.Commit()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// eachPlace runs f with a store on disk and one in memory.
func eachPlace(t *testing.T, c state.StoreConfig, f func(t *testing.T, db *state.DB, s state.TransactionalStore)) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory=%v", memory), func(t *testing.T) {
			db := viewDB(t)
			c.ID, c.InMemory = state.StoreID{Task: "0_0", Store: "s"}, memory
			c.Cache = state.NewThreadCache(1 << 20)
			s, err := db.NewStore(c)
			if err != nil {
				t.Fatal(err)
			}
			f(t, db, s)
		})
	}
}

func look(t *testing.T, s state.Store) *state.View {
	t.Helper()
	v, err := s.(state.ViewableStore).View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestViewSeesWhatIsCommittedOnly(t *testing.T) {
	eachPlace(t, state.StoreConfig{Format: state.Timestamped}, func(t *testing.T, db *state.DB, s state.TransactionalStore) {
		kv := s.(state.KeyValueStore)
		put := func(value string) {
			if err := kv.Put([]byte("k"), state.AppendTimestamped(nil, 7, []byte(value))); err != nil {
				t.Fatal(err)
			}
		}
		want := func(value string) {
			t.Helper()
			v := look(t, s)
			defer v.Close()
			stored, err := v.Store.(state.KeyValueStore).Get([]byte("k"))
			if err != nil {
				t.Fatal(err)
			}
			got, _ := state.SplitTimestamped(stored)
			if string(got) != value {
				t.Errorf("the view has %q, want %q", got, value)
			}
		}
		want("")
		put("one")
		want("")
		commitStore(t, db, s)
		want("one")
		put("two")
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		want("one")
		s.Discard()
		want("one")
		v := look(t, s)
		if err := v.Store.(state.KeyValueStore).Put([]byte("k"), []byte("x")); err == nil {
			t.Error("a view takes writes")
		}
		for range 2 {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.(state.ViewableStore).View(); !errors.Is(err, state.ErrClosed) {
			t.Errorf("looking at a closed store gave %v", err)
		}
	})
}

func TestViewOfWindows(t *testing.T) {
	eachPlace(t, state.StoreConfig{Kind: state.WindowKind, Retention: 1000}, func(t *testing.T, db *state.DB, s state.TransactionalStore) {
		w := s.(state.WindowStore)
		for at := int64(0); at < 3000; at += 100 {
			if err := w.PutWindow([]byte("k"), binary.BigEndian.AppendUint64(nil, uint64(at)), at); err != nil {
				t.Fatal(err)
			}
		}
		commitStore(t, db, s)
		if err := w.PutWindow([]byte("k"), []byte("later"), 9000); err != nil { // not committed: the time stays
			t.Fatal(err)
		}
		v := look(t, s)
		defer v.Close()
		it, err := v.Store.(state.WindowStore).FetchWindows([]byte("k"), 0, 1<<40, false)
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		var starts []int64
		for it.Next() {
			starts = append(starts, it.Start())
		}
		if diff := cmp.Diff([]int64{2000, 2100, 2200, 2300, 2400, 2500, 2600, 2700, 2800, 2900}, starts); diff != "" {
			t.Error(diff)
		}
	})
}

// TestViewGoesOnBehindARow reads windows in pages, in both directions.
func TestViewGoesOnBehindARow(t *testing.T) {
	eachPlace(t, state.StoreConfig{Kind: state.WindowKind, Retention: 1 << 20, SegmentInterval: 100}, func(t *testing.T, db *state.DB, s state.TransactionalStore) {
		var want []string
		for at := int64(0); at < 1000; at += 50 {
			for _, key := range []string{"a", "bb", "c"} {
				if err := s.(state.WindowStore).PutWindow([]byte(key), []byte("v"), at); err != nil {
					t.Fatal(err)
				}
			}
		}
		commitStore(t, db, s)
		page := func(row []byte, n int, reverse bool) (keys []string, last []byte) {
			v := look(t, s)
			defer v.Close()
			v.ResumeAfter(row)
			it, err := v.Store.(state.WindowStore).FetchKeys(nil, nil, 0, 1<<40, reverse)
			if err != nil {
				t.Fatal(err)
			}
			defer it.Close()
			for len(keys) < n && it.Next() {
				keys = append(keys, fmt.Sprintf("%s@%d", it.Key(), it.Start()))
				last = append([]byte{}, it.(interface{ Row() []byte }).Row()...)
			}
			return keys, last
		}
		for _, reverse := range []bool{false, true} {
			want, _ = page(nil, 1000, reverse)
			var got []string
			for keys, row := page(nil, 7, reverse); len(keys) > 0; keys, row = page(row, 7, reverse) {
				got = append(got, keys...)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got) != 60 {
				t.Errorf("reverse %v: %d rows\n%s", reverse, len(got), diff)
			}
		}
	})
}

func TestViewOfSessionsAndVersions(t *testing.T) {
	eachPlace(t, state.StoreConfig{Kind: state.SessionKind, Retention: 1000}, func(t *testing.T, db *state.DB, s state.TransactionalStore) {
		if err := s.(state.SessionStore).PutSession([]byte("k"), 1, 2, []byte("v")); err != nil {
			t.Fatal(err)
		}
		commitStore(t, db, s)
		v := look(t, s)
		defer v.Close()
		if got, err := v.Store.(state.SessionStore).FetchSession([]byte("k"), 1, 2); string(got) != "v" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	eachPlace(t, state.StoreConfig{Kind: state.VersionedKind, HistoryRetention: 1000}, func(t *testing.T, db *state.DB, s state.TransactionalStore) {
		for at, value := range map[int64]string{10: "a", 20: "b"} {
			if _, err := s.(state.VersionedKeyValueStore).PutVersion([]byte("k"), []byte(value), at); err != nil {
				t.Fatal(err)
			}
		}
		commitStore(t, db, s)
		v := look(t, s)
		defer v.Close()
		got, ok, err := v.Store.(state.VersionedKeyValueStore).AsOf([]byte("k"), 15)
		if diff := cmp.Diff(state.Version{Value: []byte("a"), Timestamp: 10, ValidTo: 20}, got); diff != "" || !ok || err != nil {
			t.Errorf("%v %v\n%s", ok, err, diff)
		}
	})
}

// TestViewsBesideATask has a task move amounts between keys while others add them up: each commit, and so each view,
// holds the same sum.
func TestViewsBesideATask(t *testing.T) {
	eachPlace(t, state.StoreConfig{}, func(t *testing.T, db *state.DB, s state.TransactionalStore) {
		const keys, sum = 8, 8000
		kv := s.(state.KeyValueStore)
		set := func(k int, n uint64) {
			if err := kv.Put([]byte{byte(k)}, binary.BigEndian.AppendUint64(nil, n)); err != nil {
				t.Error(err)
			}
		}
		for k := range keys {
			set(k, sum/keys)
		}
		commitStore(t, db, s)
		var readers sync.WaitGroup
		done := make(chan struct{})
		for range 3 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if n, err := sumOf(s); n != sum || err != nil {
						t.Errorf("the sum is %d, %v", n, err)
						return
					}
				}
			})
		}
		for i := range 300 {
			from, to := i%keys, (i*3+1)%keys
			if from != to {
				a, _ := kv.Get([]byte{byte(from)})
				n := binary.BigEndian.Uint64(a)
				b, _ := kv.Get([]byte{byte(to)})
				m := binary.BigEndian.Uint64(b)
				set(from, n/2)
				set(to, m+n-n/2)
			}
			if i%3 == 2 {
				s.Discard()
				continue
			}
			commitStore(t, db, s)
		}
		close(done)
		readers.Wait()
	})
}

func sumOf(s state.Store) (n uint64, err error) {
	v, err := s.(state.ViewableStore).View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	it, err := v.Store.(state.KeyValueStore).Range(nil, nil, false)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for it.Next() {
		n += binary.BigEndian.Uint64(it.Value())
	}
	return n, it.Err()
}
