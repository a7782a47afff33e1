package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// DB is the state of one application in one process: every store of every task, in one Pebble. Each store has a number;
// its keys begin with the number's four bytes, so that a store or a task is removed by deleting a range. Number 0 is
// the catalog: names, changelog offsets, input offsets, commit times (catalog.go).
//
// A DB is safe for concurrent use; the stores and batches that it hands out are not.
type DB struct {
	dir       string
	opts      Options
	pebble    *pebble.DB // nil if InMemory
	id        string
	opened    atomic.Bool           // set once: from here on the failure of an essential file ends the database
	ledger    *ledger               // of the files of Pebble
	damage    atomic.Bool           // set once: damage was found
	failed    atomic.Pointer[error] // set once: nothing may touch Pebble any more
	ended     chan struct{}         // closed when failed is set
	tables    atomic.Int64          // tables written by restores
	restoring struct {              // stores with restored records that are not written, their size and memory
		stores, bytes atomic.Int64
		pool          bulkPool
	}
	tableOptions *pebble.Options // as Pebble has settled them
	recent       rowBudget       // of window stores that joins walk over
	tombstones   tombstones
	viewers      sync.RWMutex // views hold it to read, closing the database to write

	mu struct {
		sync.Mutex
		catalog *catalog
		open    map[StoreID]*KeyValueBytes
		closed  bool
	}
}

// OpenDB opens the database in dir, or makes a new one. State that is damaged, of another application or of another
// format gives an error that is ErrCorrupt and has a code (errs.StateCorrupt, StateForeign, StateFormat): DropDB and
// open again, then restore. Anything else that goes wrong is errs.StateUnusable.
func OpenDB(dir string, o Options) (*DB, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	db := &DB{dir: dir, opts: o.withDefaults(), ended: make(chan struct{})}
	db.mu.open = map[StoreID]*KeyValueBytes{}
	db.recent.limit = db.opts.RowBytes
	if o.InMemory {
		db.id, db.mu.catalog = newUUID(), newCatalog()
		return db, nil
	}
	if err := db.openPebble(); err != nil {
		return nil, err
	}
	if err := db.openCatalog(); err != nil {
		return nil, errors.Join(err, db.closePebble())
	}
	if db.ledger.absent {
		db.noteDamage(errNoLedger)
		return nil, errors.Join(db.damaged(errNoLedger.Error()), db.closePebble())
	}
	return db, nil
}

// DropDB deletes the database in dir. The DB must be closed. fs nil is the disk.
func DropDB(dir string, fs vfs.FS) error {
	if fs == nil {
		fs = vfs.Default
	}
	if err := fs.RemoveAll(dir); err != nil {
		return errs.StateUnusable.New(dir, "cannot delete the state database", "").WithCause(err)
	}
	return nil
}

func (db *DB) openPebble() (err error) {
	defer func() {
		// Pebble checks what it reads, but a file made up of other bytes may still reach an assertion of its own.
		if r := recover(); r != nil {
			err = errs.StateCorrupt.New(db.dir, fmt.Sprintf("cannot read the database (%v)", r), "").WithCause(ErrCorrupt)
		}
	}()
	if err := db.opts.FS.MkdirAll(db.dir, 0o700); err != nil {
		return errs.StateUnusable.New(db.dir, "cannot make the directory", "").WithCause(err)
	}
	cache := pebble.NewCache(db.opts.CacheBytes)
	defer cache.Unref() // Pebble holds a reference of its own
	if err := db.checkDamage(); err != nil {
		return err
	}
	if err := db.openLedger(); err != nil {
		return err
	}
	if err := db.removeTables(); err != nil {
		return errs.StateUnusable.New(db.dir, "cannot read the directory", "").WithCause(err)
	}
	opts := db.pebbleOptions(cache)
	var opened *pebble.DB
	failure := db.guard(func() (err error) {
		opened, err = pebble.Open(db.dir, opts)
		return err
	})
	if failure != nil {
		return db.openError(failure)
	}
	db.pebble, db.tableOptions = opened, opts
	db.opened.Store(true)
	return nil
}

// pebbleFormat of the files is pinned: a database is not upgraded by a new release of the library behind the
// back of one who wants to go back to the release before.
const pebbleFormat = pebble.FormatWALSyncChunks

func (db *DB) pebbleOptions(cache *pebble.Cache) *pebble.Options {
	o := &pebble.Options{
		Cache:                       cache,
		FS:                          &essentialFS{FS: db.opts.FS, db: db},
		FormatMajorVersion:          pebbleFormat,
		MemTableSize:                uint64(db.opts.MemTableBytes),
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                500,
		L0CompactionThreshold:       4,
		// Tables of a restore overlap: as long as all of them fit into one level, they are merged once.
		LBaseMaxBytes:              max(128<<20, 4*db.opts.MemTableBytes),
		CompactionConcurrencyRange: func() (int, int) { return 1, 1 },
		BytesPerSync:               1 << 20,
		EventListener:              db.events(),
	}
	o.Logger = (*pebbleLogger)(db)
	o.LoggerAndTracer = nil
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = tableBytes
	}
	for i := range o.Levels {
		// 10 bits a key: a get of an absent key (the first count of a word) reads a file once in a hundred times.
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 4 << 10
		// As Kafka's RocksDB: processors are scarcer than disk.
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	return o
}

func (db *DB) events() *pebble.EventListener {
	l := &pebble.EventListener{
		BackgroundError: func(err error) {
			db.opts.Logger.Error("state database cannot work in the background", "code", errs.StateUnusable.ID, "dir", db.dir, "error", err)
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			db.noteDamage(fmt.Errorf("%s: %w", i.Path, i.Details))
		},
	}
	db.tombstones.watch(l)
	return l
}

// ID is the database's own identity, made when it was new.
func (db *DB) ID() string { return db.id }

// Dir is where the database lies, "" if it is in memory.
func (db *DB) Dir() string { return db.dir }

// Persistent tells whether stores of KeyValue outlive the process.
func (db *DB) Persistent() bool { return db.pebble != nil }

// KeyValue opens the persistent bytes store id (in memory if the DB is). A store can be open once at a time.
func (db *DB) KeyValue(id StoreID, format ValueFormat) (*KeyValueBytes, error) {
	if db.pebble == nil {
		return db.MemoryKeyValue(id, format)
	}
	if err := db.checkOpen(id); err != nil {
		return nil, err
	}
	number, err := db.storeNumber(id)
	if err != nil {
		return nil, err
	}
	s := newKeyValueBytes(db, id, format, newPebblePairs(db, number))
	s.number = number
	return s, db.register(s)
}

// MemoryKeyValue makes an empty bytes store in memory. It can be staged in this DB's batches like others; its
// offset lives as long as the store.
func (db *DB) MemoryKeyValue(id StoreID, format ValueFormat) (*KeyValueBytes, error) {
	if err := db.checkOpen(id); err != nil {
		return nil, err
	}
	s := newKeyValueBytes(db, id, format, newMemoryPairs())
	s.offset, s.volatile = -1, true
	return s, db.register(s)
}

// segmented opens the bytes store of a windowed store.
func (db *DB) segmented(id StoreID, format ValueFormat, inMemory bool, seg *segments) (*KeyValueBytes, error) {
	open := db.KeyValue
	if inMemory {
		open = db.MemoryKeyValue
	}
	s, err := open(id, format)
	if err != nil {
		return nil, err
	}
	s.seg = seg
	if s.volatile {
		s.pairs = &segmentedPairs{}
		return s, nil
	}
	stored, err := s.pairs.get(segmentMeta)
	if err == nil && stored != nil && !seg.load(stored) {
		err = db.unreadable("the time of a windowed store cannot be read")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (db *DB) checkOpen(id StoreID) error {
	if id.Task == "" || id.Store == "" || strings.ContainsRune(id.Task+id.Store, 0) {
		return fmt.Errorf("opening store %q: the name is empty or holds a zero byte", id)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	switch {
	case db.mu.closed:
		return fmt.Errorf("opening store %q: %w", id, ErrClosed)
	case db.mu.open[id] != nil:
		return fmt.Errorf("opening store %q: %w", id, ErrOpen)
	}
	return nil
}

func (db *DB) register(s *KeyValueBytes) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.open[s.id] != nil {
		return fmt.Errorf("opening store %q: %w", s.id, ErrOpen)
	}
	db.mu.open[s.id] = s
	return nil
}

func (db *DB) unregister(s *KeyValueBytes) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.open[s.id] == s {
		delete(db.mu.open, s.id)
	}
}

// Offset is the committed changelog offset of a persistent store (the next record to restore), and whether there is
// one; -1 without. It does not need the store to be open. Of a store in memory it is that of the open one.
func (db *DB) Offset(id StoreID) (int64, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if s := db.mu.open[id]; s != nil && s.volatile {
		return s.offset, s.offset >= 0
	}
	st := db.mu.catalog.stores[id]
	if st == nil || !st.hasOffset {
		return -1, false
	}
	return st.offset, true
}

// Positions are how far each task has come: the sum of the changelog offsets of its stores, of those in memory as long as
// they are open. The map is the caller's.
func (db *DB) Positions() map[string]int64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	sums := map[string]int64{}
	for id, st := range db.mu.catalog.stores {
		if st.hasOffset {
			sums[id.Task] += st.offset
		}
	}
	for id, s := range db.mu.open {
		if s.volatile && s.offset >= 0 {
			sums[id.Task] += s.offset
		}
	}
	return sums
}

// InputOffsets are the input offsets committed with the last batch that had them for task, for stores without a
// changelog: where they differ from the group's committed offsets, the store does not belong to them and must be
// dropped. nil if there are none. The map is the caller's.
func (db *DB) InputOffsets(task string) map[TopicPartition]int64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return maps.Clone(db.mu.catalog.task(task).inputs)
}

// CommitTime is when task last committed, in milliseconds, and whether it is known. State older than the changelog's
// delete.retention.ms must be rebuilt: tombstones that it missed may be gone from the changelog.
func (db *DB) CommitTime(task string) (int64, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	t := db.mu.catalog.task(task)
	return t.commitTime, t.hasCommitTime
}

// Tasks are the tasks that have state here, sorted.
func (db *DB) Tasks() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	tasks := map[string]bool{}
	for id := range db.mu.catalog.stores {
		tasks[id.Task] = true
	}
	for task := range db.mu.catalog.tasks {
		tasks[task] = true
	}
	return slices.Sorted(maps.Keys(tasks))
}

// Stores are the persistent stores of task that have state here, sorted by name.
func (db *DB) Stores(task string) []StoreID {
	db.mu.Lock()
	defer db.mu.Unlock()
	var ids []StoreID
	for id := range db.mu.catalog.stores {
		if id.Task == task {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b StoreID) int { return cmp.Compare(a.Store, b.Store) })
	return ids
}

// RemoveStore deletes all of a store, its offset included, by one range deletion. The store must be closed.
func (db *DB) RemoveStore(id StoreID) error { return db.remove([]StoreID{id}, "") }

// RemoveTask deletes all state of a task. Its stores must be closed.
func (db *DB) RemoveTask(task string) error { return db.remove(db.Stores(task), task) }

// RemoveObsolete deletes the tasks that live does not name and that last committed before now minus delay
// (state.cleanup.delay.ms), and returns them. A task that never committed has nothing worth keeping.
func (db *DB) RemoveObsolete(now time.Time, delay time.Duration, live func(task string) bool) ([]string, error) {
	var removed []string
	for _, task := range db.Tasks() {
		if at, ok := db.CommitTime(task); live(task) || ok && at > now.Add(-delay).UnixMilli() || db.hasOpen(task) {
			continue
		}
		if err := db.RemoveTask(task); err != nil {
			return removed, err
		}
		removed = append(removed, task)
	}
	return removed, nil
}

func (db *DB) hasOpen(task string) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	for id := range db.mu.open {
		if id.Task == task {
			return true
		}
	}
	return false
}

// Flush writes the tables in memory to files and waits for it, so that a restart has no log to read.
func (db *DB) Flush() error {
	if db.pebble == nil {
		return nil
	}
	return db.wrap("flushing state", db.guard(db.pebble.Flush))
}

// Stats is what the database takes.
type Stats struct {
	DiskBytes, MemTableBytes, BlockCacheBytes int64
	BlockCacheHits, BlockCacheMisses          int64
	OpenStores                                int
	// Compactions are those that are going on.
	Compactions int64
}

// Stats measures the database. It costs microseconds, not nanoseconds.
func (db *DB) Stats() Stats {
	db.mu.Lock()
	s := Stats{OpenStores: len(db.mu.open)}
	closed := db.mu.closed
	db.mu.Unlock()
	if db.pebble == nil || closed || db.failure() != nil {
		return s
	}
	m := db.pebble.Metrics()
	s.DiskBytes, s.MemTableBytes, s.Compactions = int64(m.DiskSpaceUsage()), int64(m.MemTable.Size), m.Compact.NumInProgress
	s.BlockCacheBytes, s.BlockCacheHits, s.BlockCacheMisses = m.BlockCache.Size, m.BlockCache.Hits, m.BlockCache.Misses
	return s
}

// Close closes the stores that are still open, and the database, when the last view is closed. It can be called twice. No
// store may be in use.
func (db *DB) Close() error {
	db.mu.Lock()
	stores := slices.Collect(maps.Values(db.mu.open))
	closed := db.mu.closed
	db.mu.closed = true
	db.mu.Unlock()
	if closed {
		return nil
	}
	var faults []error
	for _, s := range stores {
		faults = append(faults, s.Close())
	}
	db.viewers.Lock()
	defer db.viewers.Unlock()
	return errors.Join(append(faults, db.closePebble())...)
}

func (db *DB) closePebble() error {
	if db.pebble == nil || db.failure() != nil {
		return nil // what Pebble holds after a failure cannot be released; it ends with the process
	}
	return db.wrap("closing state", db.guard(db.pebble.Close))
}

// failure is the error that ended the database, or nil.
func (db *DB) failure() error {
	if p := db.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// guard runs f, a call into Pebble that may find the database beyond repair, and returns the failure then. Pebble says
// so in two ways, a panic with the error or Logger.Fatalf, and counts on neither coming back; what it could not survive
// does not reach it (essentialFS). So f runs on a goroutine of its own, where the panic is caught, which Fatalf ends, and
// which is left behind when the database fails under it: what Pebble holds then it holds for good, the arguments of f
// included. Pebble's background goroutines end the same way, and none takes the process down.
func (db *DB) guard(f func() error) error {
	if err := db.failure(); err != nil {
		return err
	}
	var bug any
	var stack []byte
	done := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() {
			if r := recover(); r != nil {
				if failed, ok := r.(error); ok && !errors.As(failed, new(runtime.Error)) {
					db.fail(failed)
				} else {
					bug, stack = r, debug.Stack()
				}
			}
			done <- err
		}()
		err = f()
	}()
	var err error
	select {
	case err = <-done:
	case <-db.ended:
		return db.failure()
	}
	if bug != nil {
		panic(fmt.Sprintf("pebble: %v\n%s", bug, stack))
	}
	if errors.Is(err, errEnded) {
		return db.failure()
	}
	return err
}

// errEnded is the result of a call that did not return.
var errEnded = errors.New("the call ended its goroutine")

// fail records that nothing can be written any more.
func (db *DB) fail(cause error) {
	var err error = errs.StateUnusable.New(db.dir, "the state database cannot be written any more", "").WithCause(cause)
	if db.failed.CompareAndSwap(nil, &err) {
		close(db.ended)
		db.opts.Logger.Error("state database failed", "code", errs.StateUnusable.ID, "dir", db.dir, "error", cause)
		if db.opts.OnFailure != nil {
			db.opts.OnFailure(err)
		}
	}
}

// wrap gives an error of Pebble its code.
func (db *DB) wrap(doing string, err error) error {
	var coded *errs.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded):
		return fmt.Errorf("%s: %w", doing, err)
	case isDamage(err):
		db.noteDamage(err)
		return errs.StateCorrupt.New(filepath.Clean(db.dir), doing+": "+err.Error(), "").WithCause(ErrCorrupt)
	}
	return errs.StateUnusable.New(filepath.Clean(db.dir), doing, "").WithCause(err)
}
