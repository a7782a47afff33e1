package state

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// isDamage tells whether an error of a running database says that its files are not what was written: a checksum that
// is wrong, or a file that is missing.
func isDamage(err error) bool {
	return pebble.IsCorruptionError(err) || isMissing(err)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

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
