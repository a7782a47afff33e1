package state

import (
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Whatever Pebble cannot go on without may fail in any way: a commit or a flush says so, and so does every call after
// it, once. The process lives, though Pebble by itself would end it in most of these cases.
func TestEssentialFilesFail(t *testing.T) {
	for _, c := range []struct {
		name, file string // file: what its name begins or ends with
		kinds      []errorfs.OpKind
		commits    int // that go well before
	}{
		{"create log", ".log", []errorfs.OpKind{errorfs.OpCreate}, 0},
		{"reuse log", ".log", []errorfs.OpKind{errorfs.OpReuseForWrite}, 5},
		{"write log", ".log", []errorfs.OpKind{errorfs.OpFileWrite}, 0},
		{"sync log", ".log", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}, 0},
		{"create manifest", "MANIFEST-", []errorfs.OpKind{errorfs.OpCreate}, 5},
		{"write manifest", "MANIFEST-", []errorfs.OpKind{errorfs.OpFileWrite}, 5},
		{"sync manifest", "MANIFEST-", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}, 5},
		{"create marker", "marker.manifest.", []errorfs.OpKind{errorfs.OpCreate}, 5},
		{"sync directory", "db", []errorfs.OpKind{errorfs.OpFileSync}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var broken atomic.Bool
			fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				name := filepath.Base(op.Path)
				fits := strings.HasPrefix(name, c.file) || strings.HasSuffix(name, c.file)
				if broken.Load() && fits && slices.Contains(c.kinds, op.Kind) {
					return syscall.EIO
				}
				return nil
			}))
			testEssentialFailure(t, fs, c.commits, &broken)
		})
	}
}

func testEssentialFailure(t *testing.T, fs vfs.FS, commits int, broken *atomic.Bool) {
	failures := make(chan error, 2)
	o := testOptions(fs)
	o.OnFailure = func(err error) { failures <- err }
	db, err := OpenDB("db", o)
	noError(t, err)
	rotateManifests(t, db)
	s := keyValue(t, db, "0_0", "s")
	work := func() error {
		noError(t, s.Put([]byte("k"), make([]byte, 1000)))
		b := db.NewBatch()
		noError(t, s.Stage(b))
		if err := b.Commit(); err != nil {
			return err
		}
		return db.Flush()
	}
	for range commits { // until there are logs to use again
		noError(t, work())
	}
	broken.Store(true)
	for i := 0; err == nil; i++ {
		if err = work(); i == 100 {
			t.Fatal("nothing failed")
		}
	}
	for _, err := range []error{err, work(), db.Flush(), <-failures} {
		if !errs.StateUnusable.Is(err) || !strings.Contains(err.Error(), "cannot be written any more") {
			t.Errorf("got %v", err)
		}
	}
	s.Discard()
	noError(t, db.Close())
	if len(failures) > 0 {
		t.Errorf("OnFailure was called again, with %v", <-failures)
	}
}

// rotateManifests opens Pebble again, with manifests so small that every few flushes begin a new one.
func rotateManifests(t *testing.T, db *DB) {
	noError(t, db.pebble.Close())
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	o := db.pebbleOptions(cache)
	o.MaxManifestFileSize = 1
	var err error
	db.pebble, err = pebble.Open(db.dir, o)
	noError(t, err)
}

// A table that cannot be written is written again when the disk has recovered.
func TestTablesAreTriedAgain(t *testing.T) {
	var faults atomic.Int32
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst") && faults.Add(-1) >= 0 {
			return syscall.ENOSPC
		}
		return nil
	}))
	db := openTestDB(t, fs)
	s := keyValue(t, db, "0_0", "s")
	noError(t, s.Put([]byte("k"), []byte("v")))
	commitAll(t, db, 1, s)
	faults.Store(3)
	noError(t, db.Flush())
	if faults.Load() >= 0 {
		t.Error("no table failed")
	}
}
