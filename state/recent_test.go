package state

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// joinStores are two window stores with duplicates that get the same rows; the first keeps rows in memory too.
type joinStores struct {
	t      *rapid.T
	dbs    [2]*DB
	stores [2]*MeteredWindowStore
	logged []KV // of the current transaction
	log    []KV
	time   int64
}

func (s *joinStores) open(i int) {
	store, err := s.dbs[i].NewStore(StoreConfig{
		ID: StoreID{"0_0", "w"}, Kind: WindowKind, Retention: 100, SegmentInterval: 30, RetainDuplicates: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.stores[i] = store.(*MeteredWindowStore)
	if i == 1 {
		s.stores[i].recent = nil
	}
}

func (s *joinStores) each(f func(i int, store *MeteredWindowStore) error) {
	for i, store := range s.stores {
		if err := f(i, store); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *joinStores) key() []byte {
	return fmt.Appendf(nil, "k%d", rapid.IntRange(0, 12).Draw(s.t, "key"))
}

func (s *joinStores) put() {
	s.time += int64(rapid.SampledFrom([]int{0, 0, 1, 3, 40}).Draw(s.t, "ahead"))
	start := max(0, s.time-int64(rapid.SampledFrom([]int{0, 0, 0, 5, 60, 150}).Draw(s.t, "late")))
	key := s.key()
	value := bytes.Repeat([]byte{byte(len(s.log) + len(s.logged))}, rapid.SampledFrom([]int{0, 3, 300, 40_000}).Draw(s.t, "size"))
	s.each(func(_ int, store *MeteredWindowStore) error { return store.PutWindow(key, value, start) })
	s.logged = append(s.logged, KV{Key: AppendWindowKey(nil, key, start, int32(s.stores[0].seg.current.seq)), Value: value})
}

func (s *joinStores) commit() {
	s.each(func(i int, store *MeteredWindowStore) error {
		b := s.dbs[i].NewBatch()
		if err := store.Stage(b); err != nil {
			return err
		}
		b.SetOffset(StoreID{"0_0", "w"}, int64(len(s.log)+len(s.logged)))
		return b.Commit()
	})
	s.log, s.logged = append(s.log, s.logged...), nil
}

func (s *joinStores) discard() {
	s.each(func(_ int, store *MeteredWindowStore) error { store.Discard(); return nil })
	s.logged = nil
	s.time = max(0, s.stores[0].StreamTime())
}

func (s *joinStores) reopen() {
	s.discard()
	s.each(func(i int, store *MeteredWindowStore) error {
		err := store.Close()
		if err == nil {
			s.open(i)
		}
		return err
	})
}

// restore gives both stores a row as a standby gets it.
func (s *joinStores) restore() {
	s.commit()
	s.time += 2
	record := []KV{{Key: AppendWindowKey(nil, s.key(), s.time, 1<<20+int32(len(s.log))), Value: []byte("restored")}}
	s.log = append(s.log, record...)
	s.each(func(_ int, store *MeteredWindowStore) error { return store.Restore(record, int64(len(s.log))) })
}

func (s *joinStores) fetch() {
	key, reverse := s.key(), rapid.Bool().Draw(s.t, "reverse")
	from := max(0, s.time-int64(rapid.IntRange(0, 130).Draw(s.t, "from")))
	to := from + int64(rapid.IntRange(0, 130).Draw(s.t, "to"))
	var got [2][]string
	s.each(func(i int, store *MeteredWindowStore) error {
		it, err := store.FetchWindows(key, from, to, reverse)
		if err != nil {
			return err
		}
		for it.Next() {
			got[i] = append(got[i], fmt.Sprintf("%s@%d=%x", it.Key(), it.Start(), it.Value()))
		}
		if err := it.Err(); err != nil {
			return err
		}
		return it.Close()
	})
	if diff := cmp.Diff(got[1], got[0]); diff != "" {
		s.t.Fatalf("%s from %d to %d, time %d (- without rows in memory):\n%s", key, from, to, s.time, diff)
	}
}

// TestRecentRowsChangeNothing holds that walks find the same rows, in the same order, whether rows are also kept in
// memory or not, whatever fits there.
func TestRecentRowsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &joinStores{t: t}
		for i := range s.dbs {
			db, err := OpenDB("db", Options{FS: vfs.NewMem(), RowBytes: rapid.SampledFrom([]int64{1, 2 << 10, 100 << 10, 1 << 20}).Draw(t, "budget")})
			if err != nil {
				t.Fatal(err)
			}
			s.dbs[i] = db
			s.open(i)
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 19).Draw(t, "step") {
			case 0:
				s.commit()
			case 1:
				s.discard()
			case 2:
				s.reopen()
			case 3:
				s.restore()
			case 4, 5, 6, 7, 8:
				s.fetch()
			default:
				s.put()
			}
		}
		s.each(func(i int, store *MeteredWindowStore) error {
			if err := store.Close(); err != nil {
				return err
			}
			if used := s.dbs[i].recent.used.Load(); used != 0 {
				t.Errorf("%d bytes of rows are counted when no store is open", used)
			}
			return s.dbs[i].Close()
		})
	})
}

// TestRecentWalkIsASnapshot holds that a walk neither sees rows that come later nor loses those that go.
func TestRecentWalkIsASnapshot(t *testing.T) {
	_, s := windowStore(t, StoreConfig{Retention: 100, RetainDuplicates: true})
	big := bytes.Repeat([]byte("x"), rowChunkBytes/2)
	noError(t, s.PutWindow([]byte("k"), []byte("a"), 10))
	noError(t, s.PutWindow([]byte("k"), []byte("b"), 5))
	it, err := s.FetchWindows([]byte("k"), 0, 1000, false)
	noError(t, err)
	if _, ok := it.(*recentWalk); !ok {
		t.Errorf("a walk over rows in memory is a %T", it)
	}
	for at := int64(20); at < 2000; at += 100 {
		noError(t, s.PutWindow([]byte("k"), big, at))
	}
	if got, want := rows(t, it, nil), []string{"k@5=b", "k@10=a"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := s.metrics.OpenIterators.Load(); n != 0 {
		t.Errorf("%d iterators are open", n)
	}
}

// TestRecentRowsThatNoWalkAsksFor holds that rows which are live, but further back than any walk has reached, take no memory, and are
// found all the same.
func TestRecentRowsThatNoWalkAsksFor(t *testing.T) {
	const retention, reach = 1_000_000, 1000
	db, s := windowStore(t, StoreConfig{Retention: retention, RetainDuplicates: true})
	value := bytes.Repeat([]byte("v"), 1000)
	most := int64(0)
	for at := int64(0); at < retention/2; at += 100 {
		noError(t, s.PutWindow(fmt.Appendf(nil, "%d", at), value, at))
		rowsOf(t, s, "none", at-reach, at, false)
		most = max(most, db.recent.used.Load())
	}
	if bound := int64(8 * rowChunkBytes); most > bound {
		t.Errorf("%d bytes of rows, want at most %d for the %d that are asked for", most, bound, reach/100)
	}
	if got := rowsOf(t, s, "100", 0, forever, false); !cmp.Equal(got, []string{"100@100=" + string(value)}) {
		t.Errorf("the second row: %d rows", len(got))
	}
}
