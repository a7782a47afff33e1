package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// restoredDB leaves a database with the pairs of a store in a table of their own, and returns the table's path.
func restoredDB(t *testing.T, fs vfs.FS) (table string) {
	t.Helper()
	o := testOptions(fs)
	o.RestoreBytes = 100 << 20
	db, err := OpenDB("db", o)
	noError(t, err)
	s := keyValue(t, db, "0_0", "s")
	for i := range 10 {
		var records []KV
		for n := range 1000 {
			records = append(records, KV{Key: fmt.Appendf(nil, "key-%06d", 1000*i+n), Value: make([]byte, 600)})
		}
		noError(t, s.Restore(records, int64(i)))
	}
	noError(t, db.Close())
	names, err := fs.List("db")
	noError(t, err)
	for _, name := range names {
		info, err := fs.Stat(filepath.Join("db", name))
		noError(t, err)
		if strings.HasSuffix(name, ".sst") && info.Size() > bulkIngest {
			table = filepath.Join("db", name)
		}
	}
	if table == "" {
		t.Fatalf("no table was ingested: %v", names)
	}
	return table
}

// expectDamage wants a coded error, the same state of affairs after a restart, and a new database after a drop.
func expectDamage(t *testing.T, fs vfs.FS, db *DB, err error) {
	t.Helper()
	if !errs.StateCorrupt.Is(err) || !errors.Is(err, ErrCorrupt) {
		t.Fatalf("the damage gives %v", err)
	}
	_ = db.Close() // what it finds is not what this is about
	_, err = OpenDB("db", testOptions(fs))
	if !errs.StateCorrupt.Is(err) || !errors.Is(err, ErrCorrupt) {
		t.Errorf("opened again: %v", err)
	}
	noError(t, DropDB("db", fs))
	again := openTestDB(t, fs)
	if offset, ok := again.Offset(StoreID{"0_0", "s"}); ok {
		t.Errorf("the new database has an offset: %d", offset)
	}
}

// A table that vanishes while the database is open is an error of the call that meets it, nothing worse.
func TestTableVanishes(t *testing.T) {
	for name, read := range map[string]func(s *KeyValueBytes) error{
		"get": func(s *KeyValueBytes) error { _, err := s.Get([]byte("key-000007")); return err },
		"iterator": func(s *KeyValueBytes) error {
			it, err := s.Range(nil, nil, false)
			if err != nil {
				return err
			}
			for it.Next() {
			}
			return errors.Join(it.Err(), it.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			var gone atomic.Pointer[string]
			fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if path := gone.Load(); path != nil && op.Kind == errorfs.OpOpen && op.Path == *path {
					return os.ErrNotExist
				}
				return nil
			}))
			path := restoredDB(t, fs)
			gone.Store(&path)
			db := openTestDB(t, fs)
			expectDamage(t, fs, db, read(keyValue(t, db, "0_0", "s")))
		})
	}
}

// A block with a wrong checksum is noticed when it is read, and not forgotten.
func TestBlockDamaged(t *testing.T) {
	fs := vfs.NewMem()
	f, err := fs.OpenReadWrite(restoredDB(t, fs), vfs.WriteCategoryUnspecified)
	noError(t, err)
	_, err = f.WriteAt([]byte("damage"), 3000)
	noError(t, errors.Join(err, f.Close()))
	db := openTestDB(t, fs)
	it, err := keyValue(t, db, "0_0", "s").Range(nil, nil, false)
	noError(t, err)
	for it.Next() {
	}
	err = it.Err()
	_ = it.Close() // it says the same once more
	expectDamage(t, fs, db, err)
}

func TestPairTooLarge(t *testing.T) {
	for _, memory := range []bool{false, true} {
		s := newTestStore(t, StoreConfig{InMemory: memory})
		err := s.Put([]byte("k"), make([]byte, maxPairBytes))
		if !errs.StateValueSize.Is(err) || !strings.Contains(err.Error(), "0_0/store") {
			t.Errorf("memory %v: %v", memory, err)
		}
		if got, err := s.Get([]byte("k")); got != nil || err != nil {
			t.Errorf("it is there: %d bytes, %v", len(got), err)
		}
	}
}

// What a restore that was cut off has left behind is deleted.
func TestRestoreLeftovers(t *testing.T) {
	fs := vfs.NewMem()
	noError(t, openTestDB(t, fs).Close())
	f, err := fs.Create(filepath.Join("db", bulkPrefix+"1.tmp"), vfs.WriteCategoryUnspecified)
	noError(t, err)
	noError(t, f.Close())
	openTestDB(t, fs)
	if _, err := fs.Stat(filepath.Join("db", bulkPrefix+"1.tmp")); err == nil {
		t.Error("it is still there")
	}
}

// Large restores go through tables, small ones do not, and the pairs are the same; deletions and later values count.
func TestRestoreByTables(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.RestoreBytes = 10 << 20
	db, err := OpenDB("db", o)
	noError(t, err)
	s := keyValue(t, db, "0_0", "s")
	other := keyValue(t, db, "0_1", "s")
	records := make([]KV, 0, 60_000)
	for i := range cap(records) {
		kv := KV{Key: fmt.Appendf(nil, "%d", (i*7919)%20_011), Value: fmt.Appendf(make([]byte, 600), "%d", i)}
		if i%5 == 0 {
			kv.Value = nil
		}
		records = append(records, kv)
	}
	want := map[string]string{}
	for i := 0; i < len(records); i += 100 {
		noError(t, s.Restore(records[i:i+100], int64(i+100)))
		noError(t, other.Restore(records[i:i+1], int64(i)))
	}
	for _, r := range records {
		if want[string(r.Key)] = string(r.Value); r.Value == nil {
			delete(want, string(r.Key))
		}
	}
	if o, ok := s.Offset(); !ok || o != int64(len(records)) {
		t.Errorf("offset %d, %v", o, ok)
	}
	noError(t, s.Close())
	noError(t, db.Close())
	db, err = OpenDB("db", o)
	noError(t, err)
	defer db.Close()
	s = keyValue(t, db, "0_0", "s")
	if got := contents(t, s); len(got) != len(want) {
		t.Errorf("%d pairs, want %d", len(got), len(want))
	} else {
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("%s is not the last value", k)
			}
		}
	}
	if o, ok := s.Offset(); !ok || o != int64(len(records)) {
		t.Errorf("offset %d, %v after a restart", o, ok)
	}
}
