package state

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// history is what every commit of a run left behind; index 0 is the empty database.
type history []map[string]map[string]string

var crashStores = []StoreID{{"0_0", "a"}, {"0_0", "b"}, {"0_1", "a"}}

// writeHistory commits random writes to all stores, each commit in one batch with its number as offset and commit time.
func writeHistory(t *rapid.T, db *DB, commits int) history {
	h := history{emptyState()}
	var stores []*KeyValueBytes
	for _, id := range crashStores {
		s, err := db.KeyValue(id, Plain)
		noRapidError(t, err)
		stores = append(stores, s)
	}
	for n := 1; n <= commits; n++ {
		now := emptyState()
		b := db.NewBatch()
		for i, s := range stores {
			for k, v := range h[n-1][s.ID().String()] {
				now[s.ID().String()][k] = v
			}
			writeSome(t, s, now[crashStores[i].String()])
			noRapidError(t, s.Stage(b))
			b.SetOffset(s.ID(), int64(n))
			b.SetCommitTime(s.ID().Task, int64(n))
		}
		noRapidError(t, b.Commit())
		h = append(h, now)
		if rapid.IntRange(0, 9).Draw(t, "flush") == 0 {
			noRapidError(t, db.Flush())
		}
	}
	return h
}

func writeSome(t *rapid.T, s *KeyValueBytes, model map[string]string) {
	for range rapid.IntRange(0, 6).Draw(t, "writes") {
		key := fmt.Sprintf("k%d", rapid.IntRange(0, 20).Draw(t, "key"))
		if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
			noRapidError(t, s.Put([]byte(key), nil))
			delete(model, key)
			continue
		}
		value := strings.Repeat("v", rapid.SampledFrom([]int{0, 10, 3000, 40_000}).Draw(t, "size")) + fmt.Sprint(rapid.Int().Draw(t, "value"))
		noRapidError(t, s.Put([]byte(key), []byte(value)))
		model[key] = value
	}
}

func emptyState() map[string]map[string]string {
	m := map[string]map[string]string{}
	for _, id := range crashStores {
		m[id.String()] = map[string]string{}
	}
	return m
}

func noRapidError(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkPrefix opens what is left and finds one state of the history in it, whole. An error must be ErrCorrupt.
func checkPrefix(t *rapid.T, fs vfs.FS, h history, mayBeCorrupt bool) {
	err := comparePrefix(t, fs, h)
	if err != nil && !(mayBeCorrupt && errors.Is(err, ErrCorrupt)) {
		t.Fatal(err)
	}
}

func comparePrefix(t *rapid.T, fs vfs.FS, h history) (err error) {
	db, err := OpenDB("db", testOptions(fs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	offset, ok := db.Offset(crashStores[0])
	if !ok {
		offset = 0
	}
	if offset < 0 || offset >= int64(len(h)) {
		t.Fatalf("offset %d of %d commits", offset, len(h)-1)
	}
	got := map[string]map[string]string{}
	for _, id := range crashStores {
		if o, ok := db.Offset(id); ok != (offset > 0) || ok && o != offset {
			t.Fatalf("offsets %d and %d in one database", offset, o)
		}
		if at, ok := db.CommitTime(id.Task); ok != (offset > 0) || ok && at != offset {
			t.Fatalf("offset %d with commit time %d", offset, at)
		}
		if got[id.String()], err = readAll(db, id); err != nil {
			return err
		}
	}
	if diff := cmp.Diff(h[offset], got); diff != "" {
		t.Fatalf("after commit %d of %d: -want +got\n%s", offset, len(h)-1, diff)
	}
	return nil
}

func readAll(db *DB, id StoreID) (map[string]string, error) {
	s, err := db.KeyValue(id, Plain)
	if err != nil {
		return nil, err
	}
	it, err := s.Range(nil, nil, false)
	if err != nil {
		return nil, err
	}
	pairs := map[string]string{}
	for it.Next() {
		pairs[string(it.Key())] = string(it.Value())
	}
	return pairs, errors.Join(it.Err(), it.Close(), s.Close())
}

// After a crash, with any part of what was not synced lost, the stores are as after one of the commits.
func TestCrashLeavesAPrefixOfCommits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewCrashableMem()
		db, err := OpenDB("db", testOptions(fs))
		noRapidError(t, err)
		h := writeHistory(t, db, rapid.IntRange(0, 25).Draw(t, "commits"))
		seed := rapid.Uint64().Draw(t, "seed")
		kept := rapid.SampledFrom([]int{0, 30, 70, 100}).Draw(t, "percent kept")
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(seed, 0))})
		noRapidError(t, db.Close())
		// A block that was never written before one that was is damage that Pebble may notice; it must not be missed.
		checkPrefix(t, crashed, h, kept != 0 && kept != 100)
	})
}

// After a clean stop nothing is missing.
func TestCleanStopLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		db, err := OpenDB("db", testOptions(fs))
		noRapidError(t, err)
		h := writeHistory(t, db, rapid.IntRange(1, 10).Draw(t, "commits"))
		noRapidError(t, db.Close())
		last := int64(len(h) - 1)
		db, err = OpenDB("db", testOptions(fs))
		noRapidError(t, err)
		if offset, _ := db.Offset(crashStores[0]); offset != last {
			t.Fatalf("offset %d after %d commits", offset, last)
		}
		noRapidError(t, db.Close())
		checkPrefix(t, fs, h, false)
	})
}

// Any damage of any file is noticed, or costs the last commits: never a wrong answer.
func TestDamageIsNoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		db, err := OpenDB("db", testOptions(fs))
		noRapidError(t, err)
		h := writeHistory(t, db, rapid.IntRange(1, 15).Draw(t, "commits"))
		noRapidError(t, db.Close())
		damage(t, fs)
		checkPrefix(t, fs, h, true)
	})
}

// damage changes, cuts or deletes one file of the database.
func damage(t *rapid.T, fs vfs.FS) {
	names, err := fs.List("db")
	noRapidError(t, err)
	slices.Sort(names)
	path := filepath.Join("db", rapid.SampledFrom(names).Draw(t, "file"))
	content := readFile(t, fs, path)
	how := rapid.SampledFrom([]string{"flip", "cut", "delete"}).Draw(t, "damage")
	if how == "delete" {
		noRapidError(t, fs.Remove(path))
		return
	}
	if len(content) == 0 {
		return
	}
	at := rapid.IntRange(0, len(content)-1).Draw(t, "at")
	if how == "cut" {
		content = content[:at]
	} else {
		content[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	}
	writeFile(t, fs, path, content)
}

// After a crash in a restore, the records from the offset on give what all records give.
func TestCrashInARestore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const batches, size = 12, 40
		var records []KV
		for i := range batches * size {
			kv := KV{Key: fmt.Appendf(nil, "k%d", rapid.IntRange(0, 200).Draw(t, "key")), Value: make([]byte, 12_000)}
			if i%7 == 0 {
				kv.Value = nil
			} else {
				kv.Value[0], kv.Value[1] = byte(i), byte(i>>8)
			}
			records = append(records, kv)
		}
		o := testOptions(nil)
		o.RestoreBytes = rapid.SampledFrom([]int{1, 3 << 20, 5 << 20}).Draw(t, "chunk")
		fs := vfs.NewCrashableMem()
		o.FS = fs
		db, err := OpenDB("db", o)
		noRapidError(t, err)
		s, err := db.KeyValue(crashStores[0], Plain)
		noRapidError(t, err)
		for i := range rapid.IntRange(0, batches).Draw(t, "batches") {
			noRapidError(t, s.Restore(records[i*size:(i+1)*size], int64((i+1)*size)))
		}
		seed := rapid.Uint64().Draw(t, "seed")
		kept := rapid.SampledFrom([]int{0, 100}).Draw(t, "percent kept")
		o.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(seed, 0))})
		noRapidError(t, db.Close())
		checkRestored(t, o, records)
	})
}

func checkRestored(t *rapid.T, o Options, records []KV) {
	want := map[string]string{}
	for _, r := range records {
		if want[string(r.Key)] = string(r.Value); r.Value == nil {
			delete(want, string(r.Key))
		}
	}
	db, err := OpenDB("db", o)
	noRapidError(t, err)
	s, err := db.KeyValue(crashStores[0], Plain)
	noRapidError(t, err)
	offset, _ := s.Offset()
	noRapidError(t, s.Restore(records[max(0, offset):], int64(len(records))))
	noRapidError(t, s.Close())
	got, err := readAll(db, crashStores[0])
	noRapidError(t, err)
	if !maps.Equal(got, want) {
		t.Fatalf("%d pairs after a restore from %d, want %d, or others", len(got), offset, len(want))
	}
	noRapidError(t, db.Close())
}
