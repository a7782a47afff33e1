package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// ledger knows how far the manifests and the finished logs of a database go. Pebble takes the first bytes of them that it
// cannot read for their end: a manifest that was cut off gives a database of some time ago, to which the logs add what
// is new, and among that the offsets of changelogs; it would miss what lies between, and not know. The ledger is a file
// of the database itself, and durable before Pebble goes on:
//
//	manifest:  written, synced -> in the ledger -> current
//	log:       closed, synced  -> in the ledger -> ... -> out of the ledger -> deleted or used again
//
// The log that is being written is not in it. What a crash takes of its end is the end of the last commits, which the
// changelogs have.
type ledger struct {
	fs  vfs.FS
	dir string
	// absent says that there was a database without a ledger.
	absent bool

	mu struct {
		sync.Mutex
		files map[string]extent
	}
}

// extent is how long a file is at least, and the sum of so many bytes.
type extent struct {
	Bytes int64  `json:"bytes"`
	Sum   uint32 `json:"crc32c"`
}

const (
	ledgerFile    = "FILES"
	manifestFiles = "MANIFEST-"
	logFiles      = ".log"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e *extent) add(p []byte) {
	e.Bytes += int64(len(p))
	e.Sum = crc32.Update(e.Sum, castagnoli, p)
}

// inLedger tells whether a file is one of those that the ledger is for.
func inLedger(name string) bool {
	return strings.HasPrefix(name, manifestFiles) || filepath.Ext(name) == logFiles
}

// openLedger reads the ledger of the database in dir and compares it with the files. The error is damage, or what the
// file system refuses.
func openLedger(fsys vfs.FS, dir string) (*ledger, error) {
	l := &ledger{fs: fsys, dir: dir}
	l.mu.files = make(map[string]extent)
	content, err := l.read(ledgerFile)
	switch {
	case isMissing(err):
		l.absent = true
	case err != nil:
		return nil, err
	case json.Unmarshal(content, &l.mu.files) != nil:
		return nil, damageError("the file " + ledgerFile + " is damaged")
	}
	return l, l.check()
}

// damageError is what is wrong with files, other than that they cannot be read.
type damageError string

func (e damageError) Error() string { return string(e) }

func (l *ledger) check() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	desc, err := pebble.Peek(l.dir, l.fs)
	switch {
	case err != nil:
		return nil // Pebble will say what is wrong
	case !desc.Exists && slices.ContainsFunc(names, inLedger):
		return damageError("there are logs or manifests, and none is the current one")
	case !desc.Exists:
		l.absent = false
		l.mu.files = make(map[string]extent)
		return nil
	case l.absent:
		return nil
	}
	current := filepath.Base(desc.ManifestFilename)
	if _, ok := l.mu.files[current]; !ok {
		return damageError(current + " is not in " + ledgerFile)
	}
	for _, name := range slices.Sorted(maps.Keys(l.mu.files)) {
		if strings.HasPrefix(name, manifestFiles) && name != current {
			continue // one of before, which nobody reads
		}
		if err := l.compare(name, l.mu.files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) compare(name string, want extent) error {
	content, err := l.read(name)
	if isMissing(err) {
		return damageError(name + " is missing")
	}
	if err != nil {
		return err
	}
	if int64(len(content)) < want.Bytes {
		return damageError(fmt.Sprintf("%s has %d bytes of %d", name, len(content), want.Bytes))
	}
	if crc32.Checksum(content[:want.Bytes], castagnoli) != want.Sum {
		return damageError(name + " has a wrong checksum")
	}
	return nil
}

func (l *ledger) read(name string) ([]byte, error) {
	f, err := l.fs.Open(filepath.Join(l.dir, name))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(f)
	return content, errors.Join(err, f.Close())
}

// set notes how far a file goes that is synced.
func (l *ledger) set(name string, e extent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.files[name] = e
	return l.writeLocked()
}

// remove forgets a file that will be deleted.
func (l *ledger) remove(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.mu.files[name]; !ok {
		return nil
	}
	delete(l.mu.files, name)
	return l.writeLocked()
}

// writeLocked replaces the ledger's file. The lock is held over the write, so that the files come in the order of what
// they tell; they are short, and written when Pebble has synced a file of its own.
func (l *ledger) writeLocked() error {
	content, err := json.Marshal(l.mu.files)
	if err != nil {
		return err
	}
	path := filepath.Join(l.dir, ledgerFile)
	if err := writeSynced(l.fs, path+".new", content); err != nil {
		return err
	}
	if err := l.fs.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := l.fs.OpenDir(l.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// errNoLedger is a database of ours without a ledger.
const errNoLedger = damageError("the file " + ledgerFile + " is missing")

// openLedger gives what is wrong its code.
func (db *DB) openLedger() (err error) {
	db.ledger, err = openLedger(db.opts.FS, db.dir)
	var damage damageError
	switch {
	case errors.As(err, &damage):
		return db.damaged(damage.Error())
	case err != nil:
		return errs.StateUnusable.New(db.dir, "cannot read the directory", "").WithCause(err)
	}
	return nil
}
