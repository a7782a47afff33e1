package state

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// transactions commits every 1,000 operations.
type transactions struct {
	db     *DB
	store  TransactionalStore
	n      int
	offset int64
}

func (x *transactions) step(b *testing.B) {
	if x.n++; x.n%1000 != 0 {
		return
	}
	if err := x.store.Flush(); err != nil {
		b.Fatal(err)
	}
	batch := x.db.NewBatch()
	if err := x.store.Stage(batch); err != nil {
		b.Fatal(err)
	}
	x.offset++
	batch.SetOffset(StoreID{"0_0", "s"}, x.offset)
	if err := batch.Commit(); err != nil {
		b.Fatal(err)
	}
}

// step is one operation of a benchmark: i counts them, key is one of 10,000.
type step func(b *testing.B, i int64, key []byte)

// kindsOfStores are the operations of each kind.
func kindsOfStores() map[string]struct {
	config StoreConfig
	step   func(s TransactionalStore) step
} {
	value := make([]byte, 16)
	type kind = struct {
		config StoreConfig
		step   func(s TransactionalStore) step
	}
	return map[string]kind{
		"window": {StoreConfig{Kind: WindowKind, Retention: 600_000}, func(s TransactionalStore) step {
			w := s.(WindowStore)
			return func(b *testing.B, i int64, key []byte) {
				start := i / 100 / 10_000 * 10_000
				if _, err := w.FetchWindow(key, start); err != nil {
					b.Fatal(err)
				}
				if err := w.PutWindow(key, value, start); err != nil {
					b.Fatal(err)
				}
			}
		}},
		"join": {StoreConfig{Kind: WindowKind, Retention: 10_000, RetainDuplicates: true}, func(s TransactionalStore) step {
			w := s.(WindowStore)
			return func(b *testing.B, i int64, key []byte) {
				if err := w.PutWindow(key, value, i/10); err != nil {
					b.Fatal(err)
				}
				it, err := w.FetchWindows(key, i/10-5000, i/10, false)
				if err != nil {
					b.Fatal(err)
				}
				for it.Next() {
				}
				if err := it.Close(); err != nil {
					b.Fatal(err)
				}
			}
		}},
		"session": {StoreConfig{Kind: SessionKind, Retention: 100_000}, func(s TransactionalStore) step {
			w := s.(SessionStore)
			return func(b *testing.B, i int64, key []byte) {
				at := i / 10
				if _, err := w.FetchSession(key, at, at); err != nil {
					b.Fatal(err)
				}
				if err := w.PutSession(key, at, at, value); err != nil {
					b.Fatal(err)
				}
			}
		}},
		"versioned": {StoreConfig{Kind: VersionedKind, HistoryRetention: 100_000}, func(s TransactionalStore) step {
			v := s.(VersionedKeyValueStore)
			return func(b *testing.B, i int64, key []byte) {
				if _, _, err := v.Latest(key); err != nil {
					b.Fatal(err)
				}
				if _, err := v.PutVersion(key, value, i/10); err != nil {
					b.Fatal(err)
				}
			}
		}},
		"lru": {StoreConfig{Kind: LRUKind, MaxEntries: 5000}, func(s TransactionalStore) step {
			kv := s.(KeyValueStore)
			return func(b *testing.B, _ int64, key []byte) {
				if _, err := kv.Get(key); err != nil {
					b.Fatal(err)
				}
				if err := kv.Put(key, value); err != nil {
					b.Fatal(err)
				}
			}
		}},
	}
}

// BenchmarkKinds is a get (of joins a walk over the windows of a key) and a put of each kind of store, committed every
// 1,000 of them.
func BenchmarkKinds(b *testing.B) {
	for name, kind := range kindsOfStores() {
		for _, place := range []string{"pebble", "cache", "memory"} {
			b.Run(name+"/"+place, func(b *testing.B) {
				c := kind.config
				c.ID, c.Changelog, c.InMemory = StoreID{"0_0", "s"}, discardLog{}, place == "memory"
				if place == "cache" {
					c.Cache = NewThreadCache(10 << 20)
				}
				db, keys := benchDB(b), benchKeys(10_000)
				s, err := db.NewStore(c)
				noError(b, err)
				do, x := kind.step(s), transactions{db: db, store: s}
				i := int64(0)
				one := func() {
					do(b, i, keys[int(i)%len(keys)])
					x.step(b)
					i++
				}
				for range 30_000 {
					one()
				}
				b.ReportAllocs()
				for b.Loop() {
					one()
				}
			})
		}
	}
}

// BenchmarkRetention writes a window store for 40 times its retention, in memory and in Pebble, 50,000 rows each time, and
// reports what the 5th and the last ten took, in time for a row and in space. An operation is all of it.
func BenchmarkRetention(b *testing.B) {
	const periods, rows, retention = 40, 50_000, 100_000
	for _, memory := range []bool{false, true} {
		b.Run(fmt.Sprintf("memory=%v", memory), func(b *testing.B) {
			db, keys, value := benchDB(b), benchKeys(1000), make([]byte, 100)
			s, err := db.NewStore(StoreConfig{ID: StoreID{"0_0", "s"}, Kind: WindowKind, InMemory: memory, Retention: retention, SegmentInterval: retention / 4})
			noError(b, err)
			x := transactions{db: db, store: s}
			took, space, held := make([]float64, periods), make([]float64, periods), make([]float64, periods)
			for p := range int64(periods) {
				began := time.Now()
				for i := range int64(rows) {
					if err := s.(WindowStore).PutWindow(keys[i%1000], value, p*retention+i*retention/rows); err != nil {
						b.Fatal(err)
					}
					x.step(b)
				}
				took[p] = float64(time.Since(began).Nanoseconds()) / rows
				space[p] = float64(db.Stats().DiskBytes) / 1e6
				held[p] = float64(s.(*MeteredWindowStore).ApproximateNumEntries())
			}
			for at, name := range map[int]string{0: "5th", periods - 15: "last"} {
				b.ReportMetric(median(took[at+5:at+15]), name+"-ns/row")
				b.ReportMetric(slices.Max(space[at+5:at+15]), name+"-MB")
				b.ReportMetric(slices.Max(held[at+5:at+15]), name+"-rows")
			}
		})
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkLatency is a get and a put of random keys, of which there are many, committed every 1,000; it reports
// percentiles of the latency.
func BenchmarkLatency(b *testing.B) {
	for _, n := range []uint64{100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			db := benchDB(b)
			s, err := db.NewStore(StoreConfig{ID: StoreID{"0_0", "s"}})
			noError(b, err)
			kv := s.(KeyValueStore)
			records := make([]KV, 1000)
			for i := uint64(0); i < n; i += uint64(len(records)) {
				for j := range records {
					records[j] = KV{Key: mixedKey(nil, i+uint64(j)), Value: make([]byte, 100)}
				}
				noError(b, s.Restore(records, int64(i)))
			}
			noError(b, s.Flush())
			noError(b, db.pebble.Compact(b.Context(), []byte{0}, []byte{0xff}, false))
			x, took := transactions{db: db, store: s}, make([]time.Duration, 0, 1<<20)
			var key, value [100]byte
			i := uint64(0)
			for b.Loop() {
				k := mixedKey(key[:0], (i*2_654_435_761)%n)
				began := time.Now()
				if _, err := kv.Get(k); err != nil {
					b.Fatal(err)
				}
				if err := kv.Put(k, value[:]); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
				x.step(b)
				i++
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
		})
	}
}

// mixedKey appends a key of 16 bytes for i, at random in the order of keys.
func mixedKey(dst []byte, i uint64) []byte {
	return fmt.Appendf(dst, "%016x", i*0x9e3779b97f4a7c15)
}
