package state

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
)

func keyValue(t testing.TB, db *DB, task, store string) *KeyValueBytes {
	t.Helper()
	s, err := db.KeyValue(StoreID{task, store}, Plain)
	noError(t, err)
	return s
}

func TestBatchIsFoundAgain(t *testing.T) {
	fs := vfs.NewMem()
	db := openTestDB(t, fs)
	a, b := keyValue(t, db, "0_0", "a"), keyValue(t, db, "0_1", "b")
	noError(t, a.Put([]byte("k"), []byte("1")))
	noError(t, b.Put([]byte("k"), []byte("2")))
	batch := db.NewBatch()
	noError(t, errors.Join(a.Stage(batch), b.Stage(batch)))
	batch.SetOffset(a.ID(), 10)
	batch.SetOffset(b.ID(), 20)
	inputs := map[TopicPartition]int64{{"in", 0}: 5, {"other", 12}: 1 << 40}
	batch.SetInputOffsets("0_0", inputs)
	batch.SetCommitTime("0_1", 1234)
	noError(t, batch.Commit())
	id := db.ID()
	noError(t, db.Close())

	db = openTestDB(t, fs)
	if db.ID() != id || id == "" {
		t.Errorf("database id %q became %q", id, db.ID())
	}
	if diff := cmp.Diff(inputs, db.InputOffsets("0_0")); diff != "" {
		t.Errorf("input offsets: %s", diff)
	}
	if at, ok := db.CommitTime("0_1"); at != 1234 || !ok {
		t.Errorf("commit time %d, %v", at, ok)
	}
	if _, ok := db.CommitTime("0_0"); ok {
		t.Error("a commit time that was not set")
	}
	if o, ok := db.Offset(StoreID{"0_1", "b"}); o != 20 || !ok {
		t.Errorf("offset %d, %v", o, ok)
	}
	if o, ok := db.Offset(StoreID{"0_1", "never"}); o != -1 || ok {
		t.Errorf("offset of an unknown store %d, %v", o, ok)
	}
	got := contents(t, keyValue(t, db, "0_1", "b"))
	if diff := cmp.Diff(map[string]string{"k": "2"}, got); diff != "" {
		t.Errorf("pairs: %s", diff)
	}
}

func TestRemove(t *testing.T) {
	fs := vfs.NewMem()
	db := openTestDB(t, fs)
	stores := []*KeyValueBytes{
		keyValue(t, db, "0_1", "a"), keyValue(t, db, "0_1", "b"), keyValue(t, db, "0_10", "a"), keyValue(t, db, "0_2", "a"),
	}
	for _, s := range stores {
		noError(t, s.Put([]byte("k"), []byte(s.ID().String())))
	}
	commitAll(t, db, 7, stores...)
	if err := db.RemoveTask("0_1"); err == nil || !strings.Contains(err.Error(), "is open") {
		t.Errorf("removing a task with open stores: %v", err)
	}
	for _, s := range stores {
		noError(t, s.Close())
	}
	noError(t, db.RemoveTask("0_1"))
	noError(t, db.RemoveStore(StoreID{"0_2", "a"}))
	for range 2 {
		if diff := cmp.Diff([]string{"0_10"}, db.Tasks()); diff != "" {
			t.Errorf("tasks: %s", diff)
		}
		if _, ok := db.Offset(StoreID{"0_1", "a"}); ok {
			t.Error("the offset of a removed store is still there")
		}
		for task, want := range map[string]int{"0_1": 0, "0_2": 0, "0_10": 1} {
			s := keyValue(t, db, task, "a")
			if got := contents(t, s); len(got) != want {
				t.Errorf("task %s holds %v", task, got)
			}
			noError(t, s.Close())
		}
		noError(t, errors.Join(db.RemoveTask("0_1"), db.RemoveTask("0_2"), db.Close()))
		db = openTestDB(t, fs)
	}
}

func TestRemoveObsolete(t *testing.T) {
	db := openTestDB(t, vfs.NewMem())
	now := time.UnixMilli(10_000_000)
	b := db.NewBatch()
	for task, age := range map[string]int64{"old": 700_000, "young": 500_000, "running": 900_000, "open": 900_000} {
		noError(t, keyValue(t, db, task, "s").Close())
		b.SetCommitTime(task, now.UnixMilli()-age)
	}
	noError(t, b.Commit())
	noError(t, keyValue(t, db, "never", "s").Close())
	keyValue(t, db, "open", "s")
	removed, err := db.RemoveObsolete(now, 10*time.Minute, func(task string) bool { return task == "running" })
	noError(t, err)
	if diff := cmp.Diff([]string{"never", "old"}, removed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"open", "running", "young"}, db.Tasks()); diff != "" {
		t.Error(diff)
	}
}

func TestDatabaseOfAnother(t *testing.T) {
	fs := vfs.NewMem()
	noError(t, openTestDB(t, fs).Close())
	o := testOptions(fs)
	o.ApplicationID = "other"
	_, err := OpenDB("db", o)
	wantCode(t, err, errs.StateForeign, `belongs to application "app", not to "other"`)

	other, err := pebble.Open("pebble", &pebble.Options{FS: fs, Logger: (*pebbleLogger)(openTestDB(t, vfs.NewMem()))})
	noError(t, err)
	noError(t, errors.Join(other.Set([]byte("k"), []byte("v"), nil), other.Close()))
	_, err = OpenDB("pebble", testOptions(fs))
	wantCode(t, err, errs.StateForeign, "not one of wasmstream")
}

func TestDatabaseOfAnotherFormat(t *testing.T) {
	fs := vfs.NewMem()
	db := openTestDB(t, fs)
	noError(t, db.pebble.Set(metaKey(kindFormat), []byte("wasmstream-state\n3\nid\napp"), nil))
	noError(t, db.Close())
	_, err := OpenDB("db", testOptions(fs))
	wantCode(t, err, errs.StateFormat, `format "3", this program reads "2"`)
}

func wantCode(t *testing.T, err error, code errs.Code, text string) {
	t.Helper()
	if !code.Is(err) || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s with %q", err, code.ID, text)
	}
}

func TestDropDB(t *testing.T) {
	fs := vfs.NewMem()
	db := openTestDB(t, fs)
	s := keyValue(t, db, "0_0", "s")
	noError(t, s.Put([]byte("k"), []byte("v")))
	commitAll(t, db, 1, s)
	noError(t, db.Close())
	noError(t, DropDB("db", fs))
	if tasks := openTestDB(t, fs).Tasks(); len(tasks) != 0 {
		t.Errorf("tasks after a drop: %v", tasks)
	}
}

// A directory that cannot be written is no reason to delete it.
func TestUnusableIsNotCorrupt(t *testing.T) {
	for _, cause := range []error{syscall.EACCES, syscall.ENOSPC, syscall.EMFILE} {
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate {
				return cause
			}
			return nil
		}))
		_, err := OpenDB("db", testOptions(fs))
		if !errs.StateUnusable.Is(err) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

// When the disk fails under a commit, the commit is an error, the process lives, and every later call says the same.
func TestDiskFailure(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	failures := make(chan error, 2)
	o := testOptions(fs)
	o.OnFailure = func(err error) { failures <- err }
	db, err := OpenDB("db", o)
	noError(t, err)
	s := keyValue(t, db, "0_0", "s")
	full.Store(true)
	if err := commitUntilError(t, db, s); !errs.StateUnusable.Is(err) {
		t.Errorf("commit on a full disk: %v", err)
	}
	_, err = s.Get([]byte("absent"))
	if !errs.StateUnusable.Is(err) {
		t.Errorf("get after the failure: %v", err)
	}
	if _, err := s.Range(nil, nil, false); !errs.StateUnusable.Is(err) {
		t.Errorf("range after the failure: %v", err)
	}
	if err := db.Flush(); !errs.StateUnusable.Is(err) {
		t.Errorf("flush after the failure: %v", err)
	}
	if err := <-failures; !errs.StateUnusable.Is(err) {
		t.Errorf("OnFailure got %v", err)
	}
	s.Discard()
	noError(t, db.Close())
	if len(failures) > 0 {
		t.Errorf("OnFailure was called again, with %v", <-failures)
	}
}

// commitUntilError commits until the log cannot be written, at the latest when the table in memory is full.
func commitUntilError(t *testing.T, db *DB, s *KeyValueBytes) error {
	for i := range 10_000 {
		noError(t, s.Put(fmt.Appendf(nil, "%d", i), make([]byte, 1000)))
		b := db.NewBatch()
		noError(t, s.Stage(b))
		if err := b.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func TestBatchRefusals(t *testing.T) {
	db := openTestDB(t, vfs.NewMem())
	s := keyValue(t, db, "0_0", "s")
	b := db.NewBatch()
	b.SetOffset(StoreID{"0_0", "other"}, 1)
	if err := b.Commit(); err == nil || !strings.Contains(err.Error(), "not open") {
		t.Errorf("an offset of a store that is not open: %v", err)
	}
	noError(t, s.Put([]byte("k"), []byte("v")))
	noError(t, s.Stage(b))
	if err := s.Put([]byte("k"), nil); err == nil {
		t.Error("a staged store was written")
	}
	b.Close()
	noError(t, s.Put([]byte("k"), []byte("w")))
	commitAll(t, db, 1, s)
	if got := contents(t, s)["k"]; got != "w" {
		t.Errorf("got %q", got)
	}
	if _, err := db.KeyValue(s.ID(), Plain); err == nil {
		t.Error("a store was opened twice")
	}
	if err := s.Put([]byte("k"), nil); err != nil {
		t.Error(err)
	}
	if err := s.Restore(nil, 1); err == nil {
		t.Error("a store with uncommitted writes was restored")
	}
	if err := s.Stage(openTestDB(t, vfs.NewMem()).NewBatch()); err == nil {
		t.Error("a store was staged in a batch of another database")
	}
}

// Threads commit their own batches at the same time.
func TestThreadsCommitTogether(t *testing.T) {
	fs := vfs.NewMem()
	db := openTestDB(t, fs)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			s, err := db.KeyValue(StoreID{fmt.Sprintf("0_%d", n), "s"}, Plain)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 200 {
				if err := s.Put(fmt.Appendf(nil, "%d", i%17), fmt.Appendf(nil, "%d", i)); err != nil {
					t.Error(err)
				}
				b := db.NewBatch()
				b.SetOffset(s.ID(), int64(i))
				if err := errors.Join(s.Stage(b), b.Commit()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	noError(t, db.Close())
	db = openTestDB(t, fs)
	for _, task := range db.Tasks() {
		s := keyValue(t, db, task, "s")
		if o, _ := s.Offset(); o != 199 || len(contents(t, s)) != 17 {
			t.Errorf("task %s: offset %d, %d pairs", task, o, len(contents(t, s)))
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	_, err := OpenDB("db", Options{CacheBytes: -1, MemTableBytes: 5, MaxIterators: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"CacheBytes", "MemTableBytes", "MaxIterators"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

// An iterator that was left open is closed with its store, and named by builds that look for such things.
func TestIteratorLeftOpen(t *testing.T) {
	for _, memory := range []bool{false, true} {
		db := openTestDB(t, vfs.NewMem())
		open := db.KeyValue
		if memory {
			open = db.MemoryKeyValue
		}
		s, err := open(StoreID{"0_0", "s"}, Plain)
		noError(t, err)
		it, err := s.Range(nil, nil, false)
		noError(t, err)
		err = s.Close()
		if invariants != errors.Is(err, ErrIteratorLeak) {
			t.Errorf("invariants %v: %v", invariants, err)
		}
		if invariants && !strings.Contains(err.Error(), "TestIteratorLeftOpen") {
			t.Errorf("the place is not named: %v", err)
		}
		if it.Next() {
			t.Error("an iterator of a closed store goes on")
		}
		noError(t, it.Close())
	}
}
