package state

// entryOverhead is what an entry of an overlay takes beyond its bytes: the entry, its slot in the map, its pointer.
const entryOverhead = 160

// keptEntries is how many entries' memory a store keeps from one transaction to the next.
const keptEntries = 16 << 10

// overlay holds the writes of the running transaction: a map from keys to entries whose bytes lie in an arena, so that
// a put allocates nothing once the chunks are there, and an order over the keys from the first Range on.
//
// While iterators are open, the value that they may see is not overwritten: it becomes an older version of its entry.
type overlay struct {
	entries map[string]*overlayEntry
	slab    slab[overlayEntry] // the entries, in the order in which their keys were first written, and old versions
	order   *skiplist[*overlayEntry]
	mem     arena
	era     uint64 // grows with each iterator opened
	iters   int    // open ones
}

// overlayEntry is one version of a key's value.
type overlayEntry struct {
	key     []byte
	value   []byte
	deleted bool
	version bool          // an older version, reached by prev only
	era     uint64        // in which it was written; iterators opened in this era or later see it
	prev    *overlayEntry // the version before
}

func newOverlay() *overlay { return &overlay{entries: map[string]*overlayEntry{}} }

func (o *overlay) get(key []byte) *overlayEntry { return o.entries[string(key)] }

// put sets key to value; nil deletes it.
func (o *overlay) put(key, value []byte) {
	e := o.entries[string(key)]
	if e == nil {
		e = o.add(key)
	} else if o.iters > 0 && e.era < o.era {
		old := o.slab.take()
		*old = *e
		old.version = true
		e.prev, e.value = old, nil
	}
	e.era = o.era
	e.deleted = value == nil
	if e.deleted {
		return
	}
	if e.value == nil || cap(e.value) < len(value) {
		e.value = o.mem.alloc(len(value))
	}
	e.value = e.value[:len(value)]
	copy(e.value, value)
}

func (o *overlay) add(key []byte) *overlayEntry {
	e := o.slab.take()
	e.key = o.mem.copy(key)
	// The map's key is the arena's bytes, which no one writes to until reset has emptied the map.
	o.entries[stringOf(e.key)] = e
	if o.order != nil {
		o.order.insert(e.key, e)
	}
	return e
}

// bytes is the memory held.
func (o *overlay) bytes() int64 { return o.mem.size() + int64(o.slab.n)*entryOverhead }

// each calls f for every key written, in the order of their first write.
func (o *overlay) each(f func(e *overlayEntry) error) error {
	for i := range o.slab.n {
		if e := o.slab.at(i); !e.version {
			if err := f(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// reset returns an empty overlay: this one with its memory, unless open iterators still read it.
func (o *overlay) reset() *overlay {
	if o.iters > 0 {
		fresh := newOverlay()
		if o.order != nil {
			fresh.order = newSkiplist[*overlayEntry]()
		}
		return fresh
	}
	if o.slab.n > keptEntries {
		o.entries = map[string]*overlayEntry{}
	} else {
		clear(o.entries)
	}
	if o.order != nil {
		o.order.clear()
	}
	o.slab.reset(keptEntries)
	o.mem.reset()
	return o
}

// overlayCursor walks over what an overlay held when the cursor was made.
type overlayCursor struct {
	o       *overlay
	spans   []keySpan // still to come
	reverse bool
	walk    skipwalk[*overlayEntry]
	era     uint64
	at      *overlayEntry // the newest version of the current key; it may change while the cursor stands on it
}

// open starts a walk. The cursor keeps spans. It must be closed.
func (c *overlayCursor) open(o *overlay, spans []keySpan, reverse bool) {
	if o.order == nil {
		o.order = newSkiplist[*overlayEntry]()
		_ = o.each(func(e *overlayEntry) error { o.order.insert(e.key, e); return nil })
	}
	*c = overlayCursor{o: o, spans: spans, reverse: reverse, era: o.era}
	o.era++
	o.iters++
}

func (c *overlayCursor) next() bool {
	for {
		for n := c.walk.next(); n != nil; n = c.walk.next() {
			if c.visible(n.value) != nil {
				c.at = n.value
				return true
			}
		}
		if len(c.spans) == 0 {
			c.at = nil
			return false
		}
		var s keySpan
		s, c.spans = nextSpan(c.spans, c.reverse)
		c.walk = c.o.order.walk(s.from, s.to, c.reverse)
	}
}

// nextSpan takes the next span off spans.
func nextSpan(spans []keySpan, reverse bool) (keySpan, []keySpan) {
	if reverse {
		return spans[len(spans)-1], spans[:len(spans)-1]
	}
	return spans[0], spans[1:]
}

// visible is the version of e that was there when the cursor was made, or nil.
func (c *overlayCursor) visible(e *overlayEntry) *overlayEntry {
	for e != nil && e.era > c.era {
		e = e.prev
	}
	return e
}

func (c *overlayCursor) key() []byte { return c.at.key }

func (c *overlayCursor) value() []byte {
	e := c.visible(c.at)
	if e.deleted {
		return nil
	}
	return e.value
}

func (c *overlayCursor) close() {
	c.o.iters--
	*c = overlayCursor{}
}
