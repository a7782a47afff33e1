package state

import "fmt"

// ThreadCache is the record cache of one stream thread (statestore.cache.max.bytes, divided by the number of threads):
// one budget in bytes over the caches of all its stores. It belongs to the thread's goroutine.
//
// A store that goes over the budget evicts its own least recently used entries, as in Kafka: those of other stores
// belong to other tasks, whose records cannot be forwarded in the middle of this one's.
type ThreadCache struct {
	max, size int64
	caches    map[StoreID]*namedCache
	order     []*namedCache // as opened, for Resize
	stats     CacheStats
}

// CacheStats is what a cache has done since it was made.
type CacheStats struct {
	Hits, Misses, Puts, Evictions, Flushes int64
}

// NewThreadCache returns a cache of maxBytes; with 0 every write is flushed at once.
func NewThreadCache(maxBytes int64) *ThreadCache {
	return &ThreadCache{max: maxBytes, caches: map[StoreID]*namedCache{}}
}

// MaxBytes is the budget.
func (c *ThreadCache) MaxBytes() int64 { return c.max }

// Bytes is what the entries take, by Kafka's count: keys, values, contexts and a fixed overhead for each.
func (c *ThreadCache) Bytes() int64 { return c.size }

// Stats counts over all stores.
func (c *ThreadCache) Stats() CacheStats { return c.stats }

// Resize sets the budget and evicts in turn from all caches until it is kept. It may not be called by a listener.
func (c *ThreadCache) Resize(maxBytes int64) error {
	c.max = maxBytes
	for _, n := range c.order {
		defer func() { n.free = nil }() // a smaller cache holds less memory
	}
	for c.size > c.max {
		before := c.size
		for _, n := range c.order {
			if c.size <= c.max {
				return nil
			}
			if err := n.evict(); err != nil {
				return err
			}
		}
		if c.size == before {
			return fmt.Errorf("resizing the record cache: %d bytes held and nothing to evict", c.size)
		}
	}
	return nil
}

// open makes the cache of a store. Its apply is called with what is flushed, in order.
func (c *ThreadCache) open(id StoreID, apply func(f *flushFrame) error) (*namedCache, error) {
	if c.caches[id] != nil {
		return nil, fmt.Errorf("opening the cache of store %q: it is open already", id)
	}
	n := &namedCache{thread: c, id: id, entries: map[string]*cacheEntry{}, apply: apply}
	n.lru.next, n.lru.prev = &n.lru, &n.lru
	n.dirty.dirtyNext, n.dirty.dirtyPrev = &n.dirty, &n.dirty
	c.caches[id] = n
	c.order = append(c.order, n)
	return n, nil
}

// Kafka's count of an entry: three references in the list (24), the dirty flag (1); of its context: timestamp, offset
// and partition (20), topic and headers.
const (
	cacheEntrySize   = 24 + 1
	cacheContextSize = 8 + 8 + 4
)

// cacheEntry is one pair of a cache. Its buffers are its own and are used again for the next value or the next entry.
type cacheEntry struct {
	key, value []byte
	deleted    bool
	isDirty    bool
	size       int64
	context    RecordContext // of the last write; zero if the entry was read from below

	next, prev           *cacheEntry // by use: lru.next is the latest
	dirtyNext, dirtyPrev *cacheEntry // dirty ones: dirty.dirtyNext was dirtied first
}

// stored is the value, nil if deleted.
func (e *cacheEntry) stored() []byte {
	if e.deleted {
		return nil
	}
	return e.value
}

func (e *cacheEntry) measure() int64 {
	size := int64(cacheEntrySize + cacheContextSize + len(e.key) + len(e.stored()))
	if e.context.Origin != nil {
		size += int64(len(e.context.Origin.Topic))
	}
	for i := range e.context.Headers {
		size += int64(len(e.context.Headers[i].Key) + len(e.context.Headers[i].Value))
	}
	return size
}

// namedCache is the part of a ThreadCache that belongs to one store.
type namedCache struct {
	thread  *ThreadCache
	id      StoreID
	entries map[string]*cacheEntry
	lru     cacheEntry // sentinel
	dirty   cacheEntry // sentinel
	ordered *skiplist[*cacheEntry]
	size    int64
	free    *cacheEntry // entries to use again, linked by next
	apply   func(f *flushFrame) error
	frame   flushFrame
	// flushing: apply is running. What it forwards may come back and write here. Those writes wait: were they flushed
	// inside the running flush, they would overtake older values of their keys that it has not applied yet. So nothing
	// is evicted then, and no buffer is used again.
	flushing bool
}

// flushFrame is one flush: the dirty entries as they were when it began.
type flushFrame struct {
	items []flushItem
	old   []byte // scratch of the layer that flushes
	event Flushed
}

type flushItem struct {
	key, value []byte
	context    RecordContext
}

// get returns the entry of key as the latest used, or nil.
func (n *namedCache) get(key []byte) *cacheEntry {
	e := n.entries[string(key)]
	if e == nil {
		n.thread.stats.Misses++
		return nil
	}
	n.thread.stats.Hits++
	n.touch(e)
	return e
}

func (n *namedCache) touch(e *cacheEntry) {
	if n.lru.next == e {
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	n.linkLatest(e)
}

func (n *namedCache) linkLatest(e *cacheEntry) {
	e.prev, e.next = &n.lru, n.lru.next
	e.prev.next, e.next.prev = e, e
}

// put makes value (nil: deleted) the dirty value of key and evicts if the thread's budget is passed.
func (n *namedCache) put(key, value []byte, context *RecordContext) error {
	n.thread.stats.Puts++
	e := n.entries[string(key)]
	if e == nil {
		e = n.add(n.take(key))
	} else {
		n.touch(e)
	}
	n.set(e, value)
	e.context = *context
	e.context.Headers = ownHeaders(context.Headers)
	n.resize(e)
	n.markDirty(e)
	return n.shrink()
}

// set copies value into the entry's buffer, into a new one while a flush may be reading the old.
func (n *namedCache) set(e *cacheEntry, value []byte) {
	e.deleted = value == nil
	if n.flushing || e.value == nil {
		e.value = make([]byte, 0, len(value))
	}
	if !e.deleted {
		e.value = append(e.value[:0], value...)
	}
}

// fill takes in a clean pair read from below and evicts if the thread's budget is passed. The pair is entered before
// that, so that a listener who writes its key meets it; a pair held aside and entered afterwards would hide such a write
// that was evicted in turn.
func (n *namedCache) fill(key, value []byte) error {
	e := n.add(n.take(key))
	n.set(e, value)
	e.context = RecordContext{}
	n.resize(e)
	return n.shrink()
}

// peek returns the entry of key, or nil. It is no use of the entry.
func (n *namedCache) peek(key []byte) *cacheEntry { return n.entries[string(key)] }

// take returns an unlinked entry for key.
func (n *namedCache) take(key []byte) *cacheEntry {
	e := n.free
	if e == nil || n.flushing {
		e = &cacheEntry{}
	} else {
		n.free = e.next
	}
	e.key = append(e.key[:0], key...)
	if e.key == nil {
		e.key = []byte{}
	}
	return e
}

// add enters e with size 0.
func (n *namedCache) add(e *cacheEntry) *cacheEntry {
	n.entries[stringOf(e.key)] = e
	n.linkLatest(e)
	return e
}

func (n *namedCache) grow(by int64) {
	n.size += by
	n.thread.size += by
}

func (n *namedCache) resize(e *cacheEntry) {
	size := e.measure()
	n.grow(size - e.size)
	e.size = size
}

// markDirty makes e the last of the dirty.
func (n *namedCache) markDirty(e *cacheEntry) {
	if e.isDirty {
		e.dirtyPrev.dirtyNext, e.dirtyNext.dirtyPrev = e.dirtyNext, e.dirtyPrev
	} else if n.ordered != nil {
		n.ordered.insert(e.key, e)
	}
	e.isDirty = true
	e.dirtyNext, e.dirtyPrev = &n.dirty, n.dirty.dirtyPrev
	e.dirtyPrev.dirtyNext, e.dirtyNext.dirtyPrev = e, e
}

// shrink evicts until the thread's budget is kept or nothing of this store is left.
func (n *namedCache) shrink() error {
	for !n.flushing && n.thread.size > n.thread.max && len(n.entries) > 0 {
		if err := n.evict(); err != nil {
			return err
		}
	}
	return nil
}

// evict drops the least recently used entry. If it is dirty, all that is dirty is flushed, it first.
func (n *namedCache) evict() error {
	e := n.lru.prev
	if e == &n.lru || n.flushing {
		return nil
	}
	n.thread.stats.Evictions++
	if !e.isDirty {
		n.remove(e)
		return nil
	}
	n.markFirst(e)
	return n.flush(e)
}

// markFirst makes a dirty entry the first of the dirty.
func (n *namedCache) markFirst(e *cacheEntry) {
	e.dirtyPrev.dirtyNext, e.dirtyNext.dirtyPrev = e.dirtyNext, e.dirtyPrev
	e.dirtyPrev, e.dirtyNext = &n.dirty, n.dirty.dirtyNext
	e.dirtyPrev.dirtyNext, e.dirtyNext.dirtyPrev = e, e
}

// remove drops a clean entry.
func (n *namedCache) remove(e *cacheEntry) {
	delete(n.entries, stringOf(e.key))
	e.prev.next, e.next.prev = e.next, e.prev
	n.grow(-e.size)
	e.size, e.context, e.prev, e.next = 0, RecordContext{}, nil, nil
	if !n.flushing {
		n.recycle(e)
	}
}

// recycle keeps the memory of an entry that is linked nowhere.
func (n *namedCache) recycle(e *cacheEntry) { e.next, n.free = n.free, e }

// isDirty tells whether there is something to flush.
func (n *namedCache) isDirty() bool { return n.dirty.dirtyNext != &n.dirty }

// flushAll flushes until nothing is dirty, what the flush itself wrote included.
func (n *namedCache) flushAll() error {
	for !n.flushing && n.isDirty() {
		if err := n.flush(nil); err != nil {
			return err
		}
	}
	return n.shrink()
}

// flush hands all dirty entries to apply, in the order in which they were last dirtied. They are clean before it is
// called, since what it forwards may write to this store again. evicted, if not nil, is removed; so are deletes.
func (n *namedCache) flush(evicted *cacheEntry) error {
	n.thread.stats.Flushes++
	n.flushing = true
	f := &n.frame
	for e := n.dirty.dirtyNext; e != &n.dirty; {
		next := e.dirtyNext
		f.items = append(f.items, flushItem{e.key, e.stored(), e.context})
		// The headers are not needed any more. They count until the next write, as in Kafka, so that evictions agree.
		e.isDirty, e.dirtyNext, e.dirtyPrev, e.context.Headers = false, nil, nil, nil
		e = next
	}
	n.dirty.dirtyNext, n.dirty.dirtyPrev = &n.dirty, &n.dirty
	if n.ordered != nil {
		n.ordered.clear()
	}
	if evicted != nil {
		n.remove(evicted)
	}
	err := n.apply(f)
	n.dropDeleted(f)
	n.flushing = false
	clear(f.items)
	f.items = f.items[:0]
	if evicted != nil {
		n.recycle(evicted)
	}
	return err
}

// dropDeleted removes the entries of deletes, which the layer below has now.
func (n *namedCache) dropDeleted(f *flushFrame) {
	for i := range f.items {
		if f.items[i].value != nil {
			continue
		}
		if e := n.entries[string(f.items[i].key)]; e != nil && e.deleted && !e.isDirty {
			n.remove(e)
		}
	}
}

// discard empties the cache without flushing: clean entries too, since they may hold what was flushed to a layer below
// that forgets it now.
func (n *namedCache) discard() {
	for e := n.lru.next; e != &n.lru; {
		next := e.next
		e.isDirty, e.dirtyNext, e.dirtyPrev = false, nil, nil
		n.remove(e)
		e = next
	}
	n.dirty.dirtyNext, n.dirty.dirtyPrev = &n.dirty, &n.dirty
	if n.ordered != nil {
		n.ordered.clear()
	}
}

func (n *namedCache) close() {
	n.discard()
	delete(n.thread.caches, n.id)
	for i, o := range n.thread.order {
		if o == n {
			n.thread.order = append(n.thread.order[:i], n.thread.order[i+1:]...)
			break
		}
	}
}

// dirtyRange gives c the dirty entries of spans as they are now.
func (n *namedCache) dirtyRange(c *cacheCursor, spans []keySpan, reverse bool) {
	if n.ordered == nil {
		n.ordered = newSkiplist[*cacheEntry]()
		for e := n.dirty.dirtyNext; e != &n.dirty; e = e.dirtyNext {
			n.ordered.insert(e.key, e)
		}
	}
	if c.bytes == nil {
		c.bytes = []byte{} // an empty value is not nil
	}
	c.bytes, c.items, c.n = c.bytes[:0], c.items[:0], 0
	for len(spans) > 0 {
		var s keySpan
		s, spans = nextSpan(spans, reverse)
		w := n.ordered.walk(s.from, s.to, reverse)
		for e := w.next(); e != nil; e = w.next() {
			start := len(c.bytes)
			c.bytes = append(append(c.bytes, e.key...), e.value.stored()...)
			c.items = append(c.items, cacheCursorItem{start, start + len(e.key), len(c.bytes), e.value.deleted})
		}
	}
}

// cacheCursor walks over copies, since a cache writes its entries in place.
type cacheCursor struct {
	bytes []byte
	items []cacheCursorItem
	n     int
}

type cacheCursorItem struct {
	start, middle, end int
	deleted            bool
}

func (c *cacheCursor) next() bool {
	c.n++
	return c.n <= len(c.items)
}

func (c *cacheCursor) key() []byte {
	i := c.items[c.n-1]
	return c.bytes[i.start:i.middle]
}

func (c *cacheCursor) value() []byte {
	i := c.items[c.n-1]
	if i.deleted {
		return nil
	}
	return c.bytes[i.middle:i.end]
}

func (c *cacheCursor) close() {}

// ownHeaders copies headers, since the slices of a record pin the chunk it lies in. Most records have none.
func ownHeaders(headers []Header) []Header {
	if len(headers) == 0 {
		return nil
	}
	size := 0
	for i := range headers {
		size += len(headers[i].Value)
	}
	own, bytes := make([]Header, len(headers)), make([]byte, 0, size)
	for i, h := range headers {
		own[i].Key = h.Key
		if h.Value != nil {
			start := len(bytes)
			bytes = append(bytes, h.Value...)
			own[i].Value = bytes[start:len(bytes):len(bytes)]
		}
	}
	return own
}
