package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// The catalog lies under store number 0, one byte of kind after it:
//
//	f                     -> "wasmstream-state\n" version "\n" database id "\n" application id
//	s task 00 store       -> uint32 number of the store
//	o uint32 number       -> int64 changelog offset of the store
//	t task                -> int64 commit time in milliseconds
//	i task                -> input offsets: repeated uvarint length, topic, uvarint partition, varint offset
const (
	kindFormat      = 'f'
	kindStore       = 's'
	kindOffset      = 'o'
	kindCommitTime  = 't'
	kindInputOffset = 'i'
)

// formatName and formatVersion open a database's format record. The version counts changes of the layout of keys and
// catalog that an older program would misread.
const (
	formatName    = "wasmstream-state"
	formatVersion = "2"
)

// prefixSize is the length of a store's number before its keys.
const prefixSize = 4

// catalog is the catalog in memory. It is guarded by DB.mu.
type catalog struct {
	stores map[StoreID]*catalogStore
	tasks  map[string]*catalogTask
	next   uint32 // number of the next new store
}

type catalogStore struct {
	number    uint32
	offset    int64
	hasOffset bool
}

type catalogTask struct {
	commitTime    int64
	hasCommitTime bool
	inputs        map[TopicPartition]int64
}

func newCatalog() *catalog {
	return &catalog{stores: map[StoreID]*catalogStore{}, tasks: map[string]*catalogTask{}, next: 1}
}

// task returns what is known of a task; the zero value if nothing is.
func (c *catalog) task(task string) catalogTask {
	if t := c.tasks[task]; t != nil {
		return *t
	}
	return catalogTask{}
}

func (c *catalog) addTask(task string) *catalogTask {
	t := c.tasks[task]
	if t == nil {
		t = &catalogTask{}
		c.tasks[task] = t
	}
	return t
}

func metaKey(kind byte, rest ...string) []byte {
	return append([]byte{0, 0, 0, 0, kind}, strings.Join(rest, "")...)
}

func storeKey(id StoreID) []byte { return metaKey(kindStore, id.Task, "\x00", id.Store) }

func offsetKey(number uint32) []byte {
	return binary.BigEndian.AppendUint32(metaKey(kindOffset), number)
}

func int64Bytes(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

// openCatalog reads the catalog, or writes the first one.
func (db *DB) openCatalog() error {
	c := newCatalog()
	iter, err := db.pebble.NewIter(&pebble.IterOptions{UpperBound: []byte{0, 0, 0, 1}})
	if err != nil {
		return db.wrap("reading the catalog", err)
	}
	defer iter.Close()
	offsets := map[uint32]int64{}
	for iter.First(); iter.Valid(); iter.Next() {
		if err := c.read(db, iter.Key(), iter.Value(), offsets); err != nil {
			return err
		}
	}
	if err := iter.Error(); err != nil {
		return db.wrap("reading the catalog", err)
	}
	for _, st := range c.stores {
		st.offset, st.hasOffset = offsets[st.number], false
		_, st.hasOffset = offsets[st.number]
	}
	db.mu.catalog = c
	if db.id != "" {
		return nil
	}
	return db.writeFormat()
}

// read takes in one entry of the catalog.
func (c *catalog) read(db *DB, key, value []byte, offsets map[uint32]int64) error {
	if len(key) <= prefixSize {
		return db.damaged("an entry of the catalog without a kind")
	}
	rest := key[prefixSize+1:]
	switch kind := key[prefixSize]; {
	case kind == kindFormat:
		return db.checkFormat(string(value))
	case kind == kindStore && len(value) == 4:
		task, store, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return db.damaged("a store without a name")
		}
		number := binary.BigEndian.Uint32(value)
		c.stores[StoreID{Task: string(task), Store: string(store)}] = &catalogStore{number: number}
		c.next = max(c.next, number+1)
	case kind == kindOffset && len(rest) == 4 && len(value) == 8:
		offsets[binary.BigEndian.Uint32(rest)] = int64(binary.BigEndian.Uint64(value))
	case kind == kindCommitTime && len(value) == 8:
		t := c.addTask(string(rest))
		t.commitTime, t.hasCommitTime = int64(binary.BigEndian.Uint64(value)), true
	case kind == kindInputOffset:
		inputs, err := decodeInputOffsets(value)
		if err != nil {
			return db.damaged(err.Error())
		}
		c.addTask(string(rest)).inputs = inputs
	default:
		return db.damaged(fmt.Sprintf("an entry of the catalog that cannot be read (kind %q)", kind))
	}
	return nil
}

func (db *DB) damaged(what string) error {
	return errs.StateCorrupt.New(db.dir, what, "").WithCause(ErrCorrupt)
}

func (db *DB) checkFormat(format string) error {
	parts := strings.SplitN(format, "\n", 4)
	if len(parts) != 4 || parts[0] != formatName {
		return errs.StateForeign.New(db.dir, fmt.Sprintf("the database is not one of wasmstream (got %q)", format), "").WithCause(ErrCorrupt)
	}
	if parts[1] != formatVersion {
		what := fmt.Sprintf("the database has format %q, this program reads %q", parts[1], formatVersion)
		return errs.StateFormat.New(db.dir, what, "").WithCause(ErrCorrupt)
	}
	if db.opts.ApplicationID != parts[3] {
		what := fmt.Sprintf("the database belongs to application %q, not to %q", parts[3], db.opts.ApplicationID)
		return errs.StateForeign.New(db.dir, what, "").WithCause(ErrCorrupt)
	}
	db.id = parts[2]
	return nil
}

// writeFormat makes a new database ours. A database with entries but no format record is not ours.
func (db *DB) writeFormat() error {
	iter, err := db.pebble.NewIter(nil)
	if err != nil {
		return db.wrap("reading the catalog", err)
	}
	found := iter.First()
	if err := iter.Close(); err != nil {
		return db.wrap("reading the catalog", err)
	}
	if found {
		return errs.StateForeign.New(db.dir, "the database is not one of wasmstream (it has no format record)", "").WithCause(ErrCorrupt)
	}
	id := newUUID()
	format := strings.Join([]string{formatName, formatVersion, id, db.opts.ApplicationID}, "\n")
	err = db.guard(func() error { return db.pebble.Set(metaKey(kindFormat), []byte(format), pebble.Sync) })
	if err != nil {
		return db.wrap("writing the format", err)
	}
	db.id = id
	return nil
}

// storeNumber returns the number of a store and enters new ones.
func (db *DB) storeNumber(id StoreID) (uint32, error) {
	db.mu.Lock()
	st := db.mu.catalog.stores[id]
	if st != nil {
		db.mu.Unlock()
		return st.number, nil
	}
	number := db.mu.catalog.next
	db.mu.catalog.next++
	db.mu.catalog.stores[id] = &catalogStore{number: number}
	db.mu.Unlock()
	err := db.guard(func() error {
		return db.pebble.Set(storeKey(id), binary.BigEndian.AppendUint32(nil, number), pebble.NoSync)
	})
	return number, db.wrap("entering store "+id.String(), err)
}

// remove deletes stores, and what is known of task if it is not "".
func (db *DB) remove(ids []StoreID, task string) error {
	db.mu.Lock()
	var numbers []uint32
	for _, id := range ids {
		if db.mu.open[id] != nil {
			db.mu.Unlock()
			return fmt.Errorf("removing store %q: it is open", id)
		}
		if st := db.mu.catalog.stores[id]; st != nil {
			numbers = append(numbers, st.number)
		}
		delete(db.mu.catalog.stores, id)
	}
	delete(db.mu.catalog.tasks, task)
	db.mu.Unlock()
	if db.pebble == nil {
		return nil
	}
	return db.wrap("removing state", db.guard(func() error { return db.removeFromPebble(ids, numbers, task) }))
}

func (db *DB) removeFromPebble(ids []StoreID, numbers []uint32, task string) error {
	b := db.pebble.NewBatch()
	defer b.Close()
	for _, id := range ids {
		if err := b.Delete(storeKey(id), nil); err != nil {
			return err
		}
	}
	for _, n := range numbers {
		db.tombstones.add()
		from, to := binary.BigEndian.AppendUint32(nil, n), binary.BigEndian.AppendUint32(nil, n+1)
		if err := cmp.Or(b.Delete(offsetKey(n), nil), b.DeleteRange(from, to, nil)); err != nil {
			return err
		}
	}
	if task != "" {
		if err := cmp.Or(b.Delete(metaKey(kindCommitTime, task), nil), b.Delete(metaKey(kindInputOffset, task), nil)); err != nil {
			return err
		}
	}
	return b.Commit(pebble.NoSync)
}

// appendInputOffsets appends offsets in the order of topics and partitions.
func appendInputOffsets(dst []byte, offsets map[TopicPartition]int64) []byte {
	order := make([]TopicPartition, 0, len(offsets))
	for tp := range offsets {
		order = append(order, tp)
	}
	slices.SortFunc(order, func(a, b TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, tp := range order {
		dst = append(binary.AppendUvarint(dst, uint64(len(tp.Topic))), tp.Topic...)
		dst = binary.AppendUvarint(dst, uint64(uint32(tp.Partition)))
		dst = binary.AppendVarint(dst, offsets[tp])
	}
	return dst
}

// decodeInputOffsets is the inverse of appendInputOffsets. It takes any bytes.
func decodeInputOffsets(b []byte) (map[TopicPartition]int64, error) {
	offsets := map[TopicPartition]int64{}
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, fmt.Errorf("input offsets end inside a topic")
		}
		topic := string(b[size : size+int(n)])
		b = b[size+int(n):]
		partition, size := binary.Uvarint(b)
		if size <= 0 || partition > 1<<31-1 {
			return nil, fmt.Errorf("input offsets end inside a partition")
		}
		b = b[size:]
		offset, size := binary.Varint(b)
		if size <= 0 {
			return nil, fmt.Errorf("input offsets end inside an offset")
		}
		b = b[size:]
		offsets[TopicPartition{Topic: topic, Partition: int32(partition)}] = offset
	}
	return offsets, nil
}
