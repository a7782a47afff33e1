package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"
)

// A log that another one follows can vanish, or end early, and Pebble opens what is left.
func TestALostLogIsNoticed(t *testing.T) {
	disk, first, commits := databaseOfTwoLogs(t)
	content := contentOf(t, disk, first)
	noError(t, disk.Remove(first))
	if err := openWhole(t, disk, commits); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the first log has vanished: %v", err)
	}
	for at := len(content) - 1; at >= 0; at -= 1 + len(content)/64 {
		w, err := disk.Create(first, vfs.WriteCategoryUnspecified)
		noError(t, err)
		_, err = w.Write(content[:at])
		noError(t, errors.Join(err, w.Close()))
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
	for first = lastLog(t, disk); first == lastLog(t, disk); commits++ {
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

func contentOf(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	noError(t, err)
	content, err := io.ReadAll(f)
	noError(t, errors.Join(err, f.Close()))
	return content
}

// In whatever order and grouping Pebble merges the links of a history, they come to one range if none is missing.
func TestLinksMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "commits")
		missing := rapid.IntRange(0, n-1).Draw(t, "missing") // 0 for none; the last is never known to be
		var all []links
		for i := 1; i <= n; i++ {
			if i != missing {
				all = append(all, links{{uint64(i), uint64(i)}})
			}
		}
		all = rapid.Permutation(all).Draw(t, "order")
		for len(all) > 1 {
			at := rapid.IntRange(0, len(all)-2).Draw(t, "pair")
			merge, err := linkMerger.Merge(nil, all[at].append(nil))
			noRapidError(t, err)
			if rapid.Bool().Draw(t, "older") {
				noRapidError(t, merge.MergeOlder(all[at+1].append(nil)))
			} else {
				noRapidError(t, merge.MergeNewer(all[at+1].append(nil)))
			}
			merged, _, err := merge.Finish(false)
			noRapidError(t, err)
			if all[at], err = decodeLinks(merged); err != nil {
				t.Fatal(err)
			}
			all = slices.Delete(all, at+1, at+2)
		}
		if got := all[0].unbroken(); got != (missing == 0) || all[0].last() != uint64(n) {
			t.Fatalf("%v of %d commits without %d: unbroken %t", all[0], n, missing, got)
		}
	})
}

func FuzzLinks(f *testing.F) {
	f.Add(links{{1, 4}, {6, 300}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := decodeLinks(b)
		if err != nil {
			return
		}
		again, err := decodeLinks(l.append(nil))
		if err != nil || !slices.Equal(l, again) || l == nil && !bytes.Equal(b, nil) {
			t.Errorf("%v became %v (%v)", l, again, err)
		}
	})
}
