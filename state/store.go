package state

// KeyValueConfig says what a key-value store is made of.
type KeyValueConfig struct {
	ID StoreID
	// InMemory: committed pairs live in memory, and the offset with them.
	InMemory bool
	Format   ValueFormat
	// Changelog gets every write; nil is a store without logging.
	Changelog Changelog
	// Cache is the thread's record cache; nil is a store without caching. One without a budget is as none, as in Kafka:
	// writes are forwarded by the processor, not by the cache.
	Cache *ThreadCache
	// Context is shared by all stores of a task; nil makes one.
	Context *RecordContext
	// Metrics counts; nil counts for no one.
	Metrics *StoreMetrics
}

// NewKeyValueStore opens a store with its layers in Kafka's order: metered, caching, changelogging, bytes.
func (db *DB) NewKeyValueStore(c KeyValueConfig) (*MeteredKeyValueStore, error) {
	open := db.KeyValue
	if c.InMemory {
		open = db.MemoryKeyValue
	}
	if c.Context == nil {
		c.Context = &RecordContext{Timestamp: TimestampUnknown}
	}
	bytes, err := open(c.ID, c.Format)
	if err != nil {
		return nil, err
	}
	var top layer = bytes
	if c.Changelog != nil {
		top = NewChangelogging(top, c.Changelog, c.Format, c.Context)
	}
	if c.Cache != nil && c.Cache.MaxBytes() > 0 {
		if top, err = NewCaching(top, c.Cache, c.ID, c.Format, c.Context); err != nil {
			_ = bytes.Close() // nothing was opened on it
			return nil, err
		}
	}
	return NewMetered(top, c.Context, c.Metrics), nil
}

// FlushAll flushes stores in their order, which should be that of the topology, until none of them holds anything back:
// what one forwards may be written to one before it.
func FlushAll[S Store](stores []S) error {
	for again := true; again; {
		again = false
		for _, s := range stores {
			if err := s.Flush(); err != nil {
				return err
			}
		}
		for _, s := range stores {
			u, ok := Store(s).(interface{ Unflushed() bool })
			again = again || ok && u.Unflushed()
		}
	}
	return nil
}
