package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// essentialFS is the file system of a database. Once the database is open, it lets no failed write of the log, of the
// manifest or of the directory come back to Pebble, which answers by a panic: on the goroutine of a flush, where no one
// can recover it, or between two locks, where its deferred unlock of what is not locked ends the process, whoever
// recovers. Instead the database is declared failed, and the goroutine that met the failure stays where it is. What it
// has locked stays locked, and nothing calls Pebble again (DB.guard).
//
// Tables are left alone: Pebble drops one that it cannot write and tries again. So is deleting, which it does when it can.
// What manifests and logs are made of goes into the ledger.
type essentialFS struct {
	vfs.FS
	db *DB
}

// isTable tells whether the file is one that Pebble can do without.
func isTable(name string) bool { return filepath.Ext(name) == ".sst" || filepath.Ext(name) == ".blob" }

// Open implements vfs.FS. Pebble takes a table that has vanished for the end of the process, wherever it meets it, be it
// in a get; as damage it is an error like others.
func (f *essentialFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil && isTable(name) && isMissing(err) {
		return nil, fmt.Errorf("%w: %s", errVanished, filepath.Base(name))
	}
	return file, err
}

// Create implements vfs.FS.
func (f *essentialFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.guard(name, file, err)
}

// ReuseForWrite implements vfs.FS.
func (f *essentialFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.db.stopAt(f.db.ledger.remove(filepath.Base(old))); err != nil {
		return nil, err
	}
	file, err := f.FS.ReuseForWrite(old, name, category)
	return f.guard(name, file, err)
}

// Remove implements vfs.FS.
func (f *essentialFS) Remove(name string) error {
	if err := f.db.stopAt(f.db.ledger.remove(filepath.Base(name))); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// OpenDir implements vfs.FS. A directory is opened to be synced.
func (f *essentialFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.guard(name, file, err)
}

// Unwrap implements vfs.FS.
func (f *essentialFS) Unwrap() vfs.FS { return f.FS }

func (f *essentialFS) guard(name string, file vfs.File, err error) (vfs.File, error) {
	if isTable(name) {
		return file, err
	}
	if err := f.db.stopAt(err); err != nil {
		return nil, err
	}
	return &essentialFile{File: file, db: f.db, name: filepath.Base(name)}, nil
}

// essentialFile is a file or directory that the database cannot go on without. It is written by one goroutine at a time.
type essentialFile struct {
	vfs.File
	db   *DB
	name string
	// written is what went into a manifest or a log.
	written extent
}

// Write implements vfs.File. The bytes are summed up before, since the file may change p.
func (e *essentialFile) Write(p []byte) (int, error) {
	written := e.written
	written.add(p)
	n, err := e.File.Write(p)
	if err == nil {
		e.written = written
	}
	return n, e.db.stopAt(err)
}

// WriteAt implements vfs.File.
func (e *essentialFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := e.File.WriteAt(p, at)
	return n, e.db.stopAt(err)
}

// Stat implements vfs.File. Pebble asks for the size of a log that it uses again.
func (e *essentialFile) Stat() (vfs.FileInfo, error) {
	info, err := e.File.Stat()
	return info, e.db.stopAt(err)
}

// Sync implements vfs.File.
func (e *essentialFile) Sync() error { return e.synced(e.File.Sync()) }

// synced puts what a manifest has on disk into the ledger.
func (e *essentialFile) synced(err error) error {
	if err == nil && strings.HasPrefix(e.name, manifestFiles) {
		err = e.db.ledger.set(e.name, e.written)
	}
	return e.db.stopAt(err)
}

// SyncTo implements vfs.File.
func (e *essentialFile) SyncTo(length int64) (bool, error) {
	full, err := e.File.SyncTo(length)
	return full, e.db.stopAt(err)
}

// SyncData implements vfs.File.
func (e *essentialFile) SyncData() error { return e.synced(e.File.SyncData()) }

// Close implements vfs.File.
func (e *essentialFile) Close() error {
	if filepath.Ext(e.name) != logFiles {
		return e.db.stopAt(e.File.Close())
	}
	err := errors.Join(e.File.SyncData(), e.File.Close())
	if err == nil {
		err = e.db.ledger.set(e.name, e.written)
	}
	return e.db.stopAt(err)
}

// stopAt returns nil for nil. While the database is being opened it returns err, which Pebble then returns; afterwards
// it ends the database and does not return.
func (db *DB) stopAt(err error) error {
	if err == nil || !db.opened.Load() {
		return err
	}
	db.fail(err)
	select {}
}
