package state

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options says how a DB is opened. The zero value of a field is its default.
type Options struct {
	// ApplicationID is written into a new database and must equal that of an existing one.
	ApplicationID string
	// InMemory makes a DB without files: KeyValue gives stores in memory and nothing outlives the DB.
	InMemory bool
	// FS is the file system; nil is the disk. Tests use vfs.NewMem and errorfs.
	FS vfs.FS
	// CacheBytes bounds the cache of blocks of all stores together. The default, 24 MiB, is filled as
	// needed and keeps the process in tens of MiB; the operating system's page cache stands behind it.
	CacheBytes int64
	// RowBytes bounds the rows that window stores of stream-stream joins keep in memory beside the database, of all stores
	// together; default 16 MiB. What does not fit is read from the database.
	RowBytes int64
	// MemTableBytes is the size of one table in memory, of which there are at most three; default 8 MiB. Larger ones
	// absorb more overwrites of hot keys before they are written to files, and make the log that a restart reads longer.
	MemTableBytes int64
	// RestoreBytes is how much of their changelogs the stores under restoration together may hold in memory, to sort it and
	// write it as tables; default 32 MiB. Tables whose keys overlap must be merged, so that less costs processor time. What
	// sorting takes comes on top: 48 bytes a record.
	RestoreBytes int
	// MaxIterators bounds the open iterators of one store; default 100. An open iterator keeps files and tables alive.
	MaxIterators int
	// Logger gets changes of state (INFO), and damage and failures (ERROR); nil is silent.
	Logger *slog.Logger
	// OnFailure is called once, from any goroutine, when the database can no longer be written (disk full, damaged
	// log), perhaps after a call has returned the failure. It gets the coded error that every later call returns. nil is
	// allowed.
	OnFailure func(error)
	// OnDamage is called once, from any goroutine, when files are found damaged while the database is open, and must not
	// block. What was read before is right; the database is to be closed, dropped (DropDB) and built again. nil is allowed.
	OnDamage func(error)
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options {
	return Options{CacheBytes: 24 << 20, RowBytes: 16 << 20, MemTableBytes: 8 << 20, RestoreBytes: 32 << 20, MaxIterators: 100}
}

// SetMemory divides the memory that the state of a process may take (state.memory.max.bytes): three sixteenths are
// for blocks of files, three for tables in memory, an eighth for rows of joins, and a quarter for the records of restores, which is
// empty while none goes on; sorting and fetching them takes the rest. 0 changes nothing.
func (o *Options) SetMemory(total int64) {
	if total <= 0 {
		return
	}
	o.CacheBytes, o.RowBytes, o.RestoreBytes = total/16*3, total/8, int(min(total/4, 1<<30))
	o.MemTableBytes = min(max(total/16, minMemTableBytes), 1<<30)
}

// minMemTableBytes is what Pebble needs for a table to hold anything.
const minMemTableBytes = 64 << 10

// Validate reports every fault of o.
func (o *Options) Validate() error {
	var faults []error
	if o.CacheBytes < 0 {
		faults = append(faults, fmt.Errorf("CacheBytes is negative: %d", o.CacheBytes))
	}
	if o.RowBytes < 0 {
		faults = append(faults, fmt.Errorf("RowBytes is negative: %d", o.RowBytes))
	}
	if o.MemTableBytes != 0 && (o.MemTableBytes < minMemTableBytes || o.MemTableBytes > 1<<30) {
		faults = append(faults, fmt.Errorf("MemTableBytes is not in [%d, 1 GiB]: %d", minMemTableBytes, o.MemTableBytes))
	}
	if o.RestoreBytes < 0 {
		faults = append(faults, fmt.Errorf("RestoreBytes is negative: %d", o.RestoreBytes))
	}
	if o.MaxIterators < 0 {
		faults = append(faults, fmt.Errorf("MaxIterators is negative: %d", o.MaxIterators))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	if o.CacheBytes == 0 {
		o.CacheBytes = d.CacheBytes
	}
	if o.RowBytes == 0 {
		o.RowBytes = d.RowBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = d.MemTableBytes
	}
	if o.RestoreBytes == 0 {
		o.RestoreBytes = d.RestoreBytes
	}
	if o.MaxIterators == 0 {
		o.MaxIterators = d.MaxIterators
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
