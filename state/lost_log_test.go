package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// A log that another one follows can vanish, or end early, and Pebble opens what is left.
func TestALostLogIsNoticed(t *testing.T) {
	disk, first, commits := databaseOfTwoLogs(t)
	content := readFile(t, disk, first)
	noError(t, disk.Remove(first))
	if err := openWhole(t, disk, commits); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the first log has vanished: %v", err)
	}
	for at := len(content) - 1; at >= 0; at -= 1 + len(content)/64 {
		writeFile(t, disk, first, content[:at])
		if err := openWhole(t, disk, commits); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("the first log ends at %d of %d: %v", at, len(content), err)
		}
	}
}

// databaseOfTwoLogs is a disk with a database that could not write a table, so that its commits lie in two logs.
func databaseOfTwoLogs(t *testing.T) (disk *vfs.MemFS, first string, commits int) {
	disk = vfs.NewMem()
	var full atomic.Bool
	db, err := OpenDB("db", testOptions(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && isTable(op.Path) {
			return syscall.ENOSPC
		}
		return nil
	}))))
	noError(t, err)
	s := keyValue(t, db, "0_0", "s")
	noError(t, db.Flush()) // the format and the name of the store are safe
	full.Store(true)
	first = lastLog(t, disk)
	for ; lastLog(t, disk) == first; commits++ {
		noError(t, s.Put([]byte{byte(commits)}, make([]byte, 10_000)))
		commitAll(t, db, int64(commits+1), s)
	}
	noError(t, db.pebble.LogData(nil, pebble.Sync))
	copied := copyOf(t, disk)
	full.Store(false)
	noError(t, db.Close())
	return copied, first, commits
}

// lastLog is the path of the newest log.
func lastLog(t *testing.T, disk *vfs.MemFS) string {
	t.Helper()
	names, err := disk.List("db")
	noError(t, err)
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".log") })
	return filepath.Join("db", slices.Max(names))
}

func copyOf(t *testing.T, disk *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	_, err := vfs.Clone(disk, to, "db", "db")
	noError(t, err)
	return to
}

// openWhole opens a copy of the database, since opening writes, and reads all commits in it.
func openWhole(t *testing.T, disk *vfs.MemFS, commits int) error {
	t.Helper()
	db, err := OpenDB("db", testOptions(copyOf(t, disk)))
	if err != nil {
		return err
	}
	if got := len(contents(t, keyValue(t, db, "0_0", "s"))); got != commits {
		err = fmt.Errorf("%d of %d commits are there", got, commits)
	}
	return errors.Join(err, db.Close())
}
