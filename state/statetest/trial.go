package statetest

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/state"
)

// trial is one store under test, of a kind that its suite knows, with all that it needs around it.
type trial struct {
	config state.StoreConfig
	fs     vfs.FS
	db     *state.DB
	store  state.TransactionalStore
	log    *Log
	offset int64
	kept   int // records of the log that belong to committed transactions
}

// memoryDB is the name of the trials' databases.
const memoryDB = "db"

func newTrial(t *rapid.T, c state.StoreConfig) *trial {
	c.ID = state.StoreID{Task: "0_0", Store: "store"}
	r := &trial{config: c, fs: vfs.NewMem(), log: &Log{}, offset: -1}
	r.open(t)
	return r
}

func (r *trial) open(t *rapid.T) {
	var err error
	r.db, err = state.OpenDB(memoryDB, state.Options{FS: r.fs, CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
	must(t, err)
	c := r.config
	c.Changelog, c.Context = r.log, &state.RecordContext{Timestamp: 77}
	if c.Cache != nil {
		c.Cache = state.NewThreadCache(c.Cache.MaxBytes())
	}
	r.store, err = r.db.NewStore(c)
	must(t, err)
}

func (r *trial) close(t *rapid.T) {
	must(t, r.store.Close())
	must(t, r.db.Close())
}

// reopen is a clean stop and a start; it is false if the store does not outlive that.
func (r *trial) reopen(t *rapid.T) bool {
	if !r.store.Persistent() {
		return false
	}
	r.close(t)
	r.log.Records = r.log.Records[:r.kept]
	r.open(t)
	return true
}

func (r *trial) commit(t *rapid.T) {
	must(t, r.store.Flush())
	b := r.db.NewBatch()
	must(t, r.store.Stage(b))
	r.offset++
	b.SetOffset(r.config.ID, r.offset)
	must(t, b.Commit())
	r.kept = len(r.log.Records)
	if n := r.store.UncommittedBytes(); n != 0 {
		t.Fatalf("%d uncommitted bytes after a commit", n)
	}
}

func (r *trial) discard() {
	r.store.Discard()
	r.log.Records = r.log.Records[:r.kept]
}

// restore applies records to a store without uncommitted writes, and to its changelog.
func (r *trial) restore(t *rapid.T, records []state.KV) {
	r.offset += 10
	must(t, r.store.Restore(records, r.offset))
	for _, kv := range records {
		must(t, r.log.LogWithHeaders(kv.Key, kv.Value, kv.Timestamp, kv.Headers))
	}
	r.kept = len(r.log.Records)
}

// rebuilt is a new store of the same kind, restored from the changelog of the committed transactions in batches of n.
func (r *trial) rebuilt(t *rapid.T, n int) *trial {
	other := newTrial(t, r.config)
	for records := range slices.Chunk(r.log.Records[:r.kept], n) {
		other.restore(t, records)
	}
	return other
}

// check holds after every operation.
func (r *trial) check(t *rapid.T) {
	offset, ok := r.store.Offset()
	if offset != r.offset || ok != (r.offset >= 0) {
		t.Fatalf("Offset() = %d, %v, want %d", offset, ok, r.offset)
	}
}

// walker is an iterator of any kind whose rows are written down; it is done when next is false.
type walker struct {
	next  func() (row string, ok bool)
	err   func() error
	close func() error
	want  []string
}

// step moves an iterator and checks it; it is false at the end.
func (w *walker) step(t *rapid.T) bool {
	row, ok := w.next()
	must(t, w.err())
	if ok != (len(w.want) > 0) {
		t.Fatalf("Next() = %v (%s) with %d rows to come: %v", ok, row, len(w.want), w.want)
	}
	if !ok {
		return false
	}
	if row != w.want[0] {
		t.Fatalf("iterator gives %s, want %s", row, w.want[0])
	}
	w.want = w.want[1:]
	return true
}

// walkers are the iterators that are open while the store goes on.
type walkers []*walker

const maxWalkers = 5

func (ws *walkers) add(t *rapid.T, w *walker) {
	if len(*ws) == maxWalkers {
		(*ws)[0].finish(t)
		*ws = (*ws)[1:]
	}
	*ws = append(*ws, w)
}

// finish walks to the end and closes twice.
func (w *walker) finish(t *rapid.T) {
	for w.step(t) {
	}
	must(t, w.close())
	must(t, w.close())
}

func (ws *walkers) step(t *rapid.T) {
	if len(*ws) == 0 {
		t.Skip("no iterator open")
	}
	(*ws)[rapid.IntRange(0, len(*ws)-1).Draw(t, "iterator")].step(t)
}

func (ws *walkers) closeAll(t *rapid.T) {
	for _, w := range *ws {
		must(t, w.close())
	}
	*ws = nil
}

// LogWithHeaders appends a copy.
func (l *Log) LogWithHeaders(key, value []byte, timestamp int64, headers []state.Header) error {
	own := slices.Clone(headers)
	for i := range own {
		own[i].Value = bytes.Clone(own[i].Value)
	}
	l.Records = append(l.Records, state.KV{Key: bytes.Clone(key), Value: bytes.Clone(value), Timestamp: timestamp, Headers: own})
	return nil
}
