package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// errVanished is a table that was there when the database was opened.
var errVanished = errors.New("a file of the database has vanished")

// isDamage tells whether an error of a running database says that its files are not what was written: a checksum that
// is wrong, or a file that is missing.
func isDamage(err error) bool {
	return pebble.IsCorruptionError(err) || isMissing(err) || errors.Is(err, errVanished)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// damageFile says that the database was found damaged while it was open. Opening checks that the files are there, not
// what is in them: without it, a restart would go on with a database that is known to be damaged.
const damageFile = "DAMAGED"

// noteDamage has the next OpenDB refuse the database, so that it is dropped and built again.
func (db *DB) noteDamage(err error) {
	if !db.damage.CompareAndSwap(false, true) {
		return
	}
	if db.opts.OnDamage != nil && db.opened.Load() {
		db.opts.OnDamage(err)
	}
	db.opts.Logger.Error("local state is damaged", "code", errs.StateCorrupt.ID, "dir", db.dir, "error", err)
	if failure := writeSynced(db.opts.FS, filepath.Join(db.dir, damageFile), []byte(err.Error()+"\n")); failure != nil {
		db.opts.Logger.Error("cannot note that local state is damaged", "code", errs.StateUnusable.ID, "dir", db.dir, "error", failure)
	}
}

// unreadable is damage that no checksum has shown: what was written cannot be read.
func (db *DB) unreadable(what string) error {
	err := db.damaged(what)
	db.noteDamage(err)
	return err
}

// writeSynced writes a small file and waits until it is on disk.
func writeSynced(fsys vfs.FS, path string, content []byte) error {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// checkDamage refuses a database in which damage was found before.
func (db *DB) checkDamage() error {
	f, err := db.opts.FS.Open(filepath.Join(db.dir, damageFile))
	if err != nil {
		return nil // Pebble will say what else there is to say of the directory
	}
	note, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err := errors.Join(err, f.Close()); err != nil {
		return errs.StateUnusable.New(db.dir, "cannot read the directory", "").WithCause(err)
	}
	return db.damaged("damage was found while it was in use: " + strings.TrimSpace(string(note)))
}

// openError gives an error of opening Pebble its code. What the environment refuses is not damage; everything else is,
// since the files of a database that was closed in any way at all can be opened.
func (db *DB) openError(err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return err
	}
	if isEnvironment(err) {
		return errs.StateUnusable.New(db.dir, "cannot open the state database", "").WithCause(err)
	}
	return errs.StateCorrupt.New(db.dir, "cannot read the state database: "+err.Error(), "").WithCause(ErrCorrupt)
}

func isEnvironment(err error) bool {
	for _, e := range []error{
		fs.ErrPermission, syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.EROFS, syscall.EAGAIN, syscall.ENOTDIR,
		syscall.EIO, syscall.ENOMEM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.Contains(err.Error(), "lock held by current process")
}

// pebbleLogger is the DB as Pebble's logger. Pebble's own chatter is not for users.
type pebbleLogger DB

// Infof is dropped.
func (l *pebbleLogger) Infof(string, ...any) {}

// Errorf is logged as a debugging aid: what matters comes back as an error or as an event.
func (l *pebbleLogger) Errorf(format string, args ...any) {
	l.opts.Logger.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

// Fatalf must not return. A database beyond repair ends the goroutine (see DB.guard); a broken invariant of Pebble's iterators
// is a bug that must be seen.
func (l *pebbleLogger) Fatalf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if strings.HasPrefix(message, "mergingIter") {
		panic(message)
	}
	(*DB)(l).fail(errors.New(message))
	runtime.Goexit()
}
