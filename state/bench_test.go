package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// discardLog is a changelog that costs nothing.
type discardLog struct{}

func (discardLog) Log([]byte, []byte, int64) error { return nil }

// benchKeys are n keys of 20 bytes in random order.
func benchKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "word-%015d", i)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

func benchDB(b *testing.B) *DB {
	b.Helper()
	db, err := OpenDB(b.TempDir(), Options{})
	noError(b, err)
	b.Cleanup(func() { noError(b, db.Close()) })
	return db
}

// count does to a store what the operator count does to it.
func count(b *testing.B, s *TimestampedKeyValueStore, key []byte) {
	value, ts, err := s.GetTimestamped(key)
	if err != nil { // not noError: Helper costs more than the store
		b.Fatal(err)
	}
	var n [8]byte
	if value != nil {
		binary.BigEndian.PutUint64(n[:], binary.BigEndian.Uint64(value)+1)
	}
	if err := s.PutTimestamped(key, n[:], max(ts, 1)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCount is get and put of one key after another, 10,000 keys, as a count does it.
func BenchmarkCount(b *testing.B) {
	for name, config := range map[string]StoreConfig{
		"cache":   {Cache: NewThreadCache(64 << 20), Changelog: discardLog{}},
		"overlay": {Changelog: discardLog{}},
		"memory":  {InMemory: true, Changelog: discardLog{}},
	} {
		b.Run(name, func(b *testing.B) {
			config.ID, config.Format = StoreID{"0_0", "s"}, Timestamped
			store, err := benchDB(b).NewKeyValueStore(config)
			noError(b, err)
			s, keys := NewTimestamped(store), benchKeys(10_000)
			for _, k := range keys {
				count(b, s, k)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				count(b, s, keys[i])
				if i++; i == len(keys) {
					i = 0
				}
			}
		})
	}
}

// BenchmarkCommitted is a get of what was committed, in files that have been compacted.
func BenchmarkCommitted(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		for _, absent := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/absent=%v", n, absent), func(b *testing.B) {
				db := benchDB(b)
				s := keyValue(b, db, "0_0", "s")
				keys := benchKeys(n)
				restoreAll(b, s, keys, 100)
				noError(b, db.pebble.Compact(b.Context(), []byte{0}, []byte{0xff}, false))
				if absent {
					for _, k := range keys {
						k[0] = 'x'
					}
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if _, err := s.Get(keys[i]); err != nil {
						b.Fatal(err)
					}
					if i++; i == len(keys) {
						i = 0
					}
				}
			})
		}
	}
}

func restoreAll(b *testing.B, s *KeyValueBytes, keys [][]byte, valueSize int) {
	value := make([]byte, valueSize)
	records := make([]KV, 0, 1000)
	for i, k := range keys {
		if records = append(records, KV{Key: k, Value: value}); len(records) == cap(records) || i == len(keys)-1 {
			noError(b, s.Restore(records, int64(i)))
			records = records[:0]
		}
	}
}

// BenchmarkCommit writes 10,000 keys of 20 bytes with values of 16 and commits them; an operation is a transaction.
func BenchmarkCommit(b *testing.B) {
	for _, memory := range []bool{false, true} {
		b.Run(fmt.Sprintf("memory=%v", memory), func(b *testing.B) {
			db := benchDB(b)
			open := db.KeyValue
			if memory {
				open = db.MemoryKeyValue
			}
			s, err := open(StoreID{"0_0", "s"}, Plain)
			noError(b, err)
			keys, value := benchKeys(10_000), make([]byte, 16)
			batch := db.NewBatch()
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				for _, k := range keys {
					if err := s.Put(k, value); err != nil {
						b.Fatal(err)
					}
				}
				noError(b, s.Stage(batch))
				n++
				batch.SetOffset(s.ID(), n)
				noError(b, batch.Commit())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/write")
		})
	}
}

// BenchmarkRestore applies changelog records of 20 + 100 bytes, whose keys come in random order or sorted, in batches; an
// operation is a record.
func BenchmarkRestore(b *testing.B) {
	for _, order := range []string{"random", "sorted"} {
		for _, chunk := range []int{1, DefaultOptions().RestoreBytes} { // 1: record by record, in batches of 1,000
			b.Run(fmt.Sprintf("%s/chunk=%d", order, chunk), func(b *testing.B) {
				const size = 1000
				db, err := OpenDB(b.TempDir(), Options{RestoreBytes: chunk})
				noError(b, err)
				defer db.Close()
				s := keyValue(b, db, "0_0", "s")
				keys := benchKeys(2_000_000)
				if order == "sorted" {
					slices.SortFunc(keys, bytes.Compare)
				}
				records := make([]KV, size)
				value := make([]byte, 100)
				b.ReportAllocs()
				b.ResetTimer()
				before := cpuNanoseconds(b)
				for i := 0; i < b.N; i += len(records) {
					for j := range records {
						records[j] = KV{Key: keys[(i+j)%len(keys)], Value: value, Timestamp: 1}
					}
					noError(b, s.Restore(records, int64(i)))
				}
				noError(b, s.settle())
				b.ReportMetric(float64(cpuNanoseconds(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkRange opens a range over a store with writes in the overlay and reads ten pairs.
func BenchmarkRange(b *testing.B) {
	s := keyValue(b, benchDB(b), "0_0", "s")
	keys := benchKeys(100_000)
	restoreAll(b, s, keys, 100)
	for _, k := range keys[:10_000] {
		noError(b, s.Put(k, k))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		noError(b, s.Put(keys[i%len(keys)], keys[i%len(keys)]))
		it, err := s.Range(keys[i%len(keys)], nil, false)
		noError(b, err)
		for range 10 {
			it.Next()
		}
		noError(b, it.Close())
		i++
	}
}

// BenchmarkDatabases commits a thread of 16 tasks with 100 writes each: into one database, and into one for each task.
func BenchmarkDatabases(b *testing.B) {
	const tasks, writes = 16, 100
	for _, each := range []bool{false, true} {
		b.Run(fmt.Sprintf("per-task=%v", each), func(b *testing.B) {
			dbs, keys, value := make([]*pebble.DB, tasks), benchKeys(tasks*writes), make([]byte, 16)
			for i := range dbs {
				if i > 0 && !each {
					dbs[i] = dbs[0]
					continue
				}
				o := (&DB{opts: Options{FS: vfs.Default, MemTableBytes: 8 << 20}.withDefaults()}).pebbleOptions(nil)
				var err error
				dbs[i], err = pebble.Open(b.TempDir(), o)
				noError(b, err)
				defer dbs[i].Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				commitTasks(b, dbs, keys, value, each)
			}
		})
	}
}

func commitTasks(b *testing.B, dbs []*pebble.DB, keys [][]byte, value []byte, each bool) {
	batch := dbs[0].NewBatch()
	for i, k := range keys {
		_ = batch.Set(k, value, nil)
		if each && i%100 == 99 {
			noError(b, batch.Commit(pebble.NoSync))
			if i < len(keys)-1 {
				batch = dbs[(i+1)/100].NewBatch()
			}
		}
	}
	if !each {
		noError(b, batch.Commit(pebble.NoSync))
	}
}
