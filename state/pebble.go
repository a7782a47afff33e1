package state

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// pairs are the committed pairs of a store.
type pairs interface {
	// get returns nil for an absent key; the value is borrowed until the next call.
	get(key []byte) ([]byte, error)
	// iterate walks over what is committed now. spans are kept.
	iterate(spans []keySpan, reverse bool) (spanIterator, error)
	// release lets go of what is kept for the next iterator.
	release()
	// write takes the newest version of every entry into the batch (Pebble), or does nothing.
	stage(b *pebble.Batch, o *overlay) error
	// committed is called when the batch is: memory takes the entries now.
	committed(o *overlay)
	// count is about how many there are.
	count() int64
	close()
}

// pebblePairs are the pairs under one number in the shared Pebble.
type pebblePairs struct {
	db     *DB
	reader pebbleReader // the database, or a snapshot of it
	prefix []byte       // number of the store
	end    []byte       // number of the next store
	key    []byte       // scratch: prefix|key
	value  []byte       // what get lent

	// idle is an iterator of Pebble over what is committed now, to be used again, or nil: making one costs more than most
	// walks. It goes with the next commit.
	idle  *pebble.Iterator
	spare *pebbleIterator
	epoch uint64 // grows with what is committed
}

func newPebblePairs(db *DB, number uint32) *pebblePairs {
	p := &pebblePairs{db: db, reader: db.pebble, prefix: binary.BigEndian.AppendUint32(nil, number)}
	p.end = binary.BigEndian.AppendUint32(nil, number+1)
	p.key = append(p.key, p.prefix...)
	return p
}

func (p *pebblePairs) get(key []byte) ([]byte, error) {
	if err := p.db.failure(); err != nil {
		return nil, err
	}
	p.key = append(p.key[:prefixSize], key...)
	if p.db.tombstones.inMemory() {
		return p.seek(p.key)
	}
	value, closer, err := p.reader.Get(p.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, p.db.wrap("reading a pair", err)
	}
	p.lend(value)
	if err := closer.Close(); err != nil {
		return nil, p.db.wrap("reading a pair", err)
	}
	return p.value, nil
}

// lend copies a value to where get lends from.
func (p *pebblePairs) lend(value []byte) {
	if p.value == nil {
		p.value = make([]byte, 0, max(64, len(value)))
	}
	p.value = append(p.value[:0], value...)
}

// seek is get by the kept iterator. Pebble's Get allocates for every table in memory that holds a deleted range, an
// iterator when it is made.
func (p *pebblePairs) seek(stored []byte) ([]byte, error) {
	iter, err := p.take()
	if err != nil {
		return nil, err
	}
	iter.SetBounds(p.prefix, p.end)
	var value []byte
	found := iter.SeekPrefixGE(stored)
	if found {
		value, err = iter.ValueAndErr()
	}
	if err = errors.Join(err, iter.Error()); err != nil {
		return nil, p.db.wrap("reading a pair", errors.Join(err, iter.Close()))
	}
	if found {
		p.lend(value)
	}
	if err := p.keep(iter); err != nil || !found {
		return nil, err
	}
	return p.value, nil
}

// take is the kept iterator, or a new one.
func (p *pebblePairs) take() (*pebble.Iterator, error) {
	if iter := p.idle; iter != nil {
		p.idle = nil
		return iter, nil
	}
	iter, err := p.reader.NewIter(&pebble.IterOptions{LowerBound: p.prefix, UpperBound: p.end})
	return iter, p.db.wrap("opening an iterator", err)
}

// keep keeps an iterator over what is committed now, or closes it if there is one.
func (p *pebblePairs) keep(iter *pebble.Iterator) error {
	if p.idle == nil {
		p.idle = iter
		return nil
	}
	return p.db.wrap("closing an iterator", iter.Close())
}

func (p *pebblePairs) iterate(spans []keySpan, reverse bool) (spanIterator, error) {
	if err := p.db.failure(); err != nil {
		return nil, err
	}
	iter, err := p.take()
	if err != nil {
		return nil, err
	}
	i := p.spare
	if i == nil {
		i = &pebbleIterator{}
	}
	p.spare = nil
	*i = pebbleIterator{
		pairs: p, iter: iter, epoch: p.epoch, spans: spans, reverse: reverse, lower: i.lower[:0], upper: i.upper[:0],
	}
	return i, nil
}

func (p *pebblePairs) release() {
	if p.idle != nil {
		_ = p.idle.Close() // its errors were those of the walks
		p.idle = nil
	}
}

func (p *pebblePairs) stage(b *pebble.Batch, o *overlay) error {
	return o.each(func(e *overlayEntry) error {
		if e.deleted {
			return p.delete(b, nil, e.key)
		}
		return p.set(b, nil, e.key, nil, e.value)
	})
}

// set adds keyHead|key -> head|tail to b.
func (p *pebblePairs) set(b *pebble.Batch, keyHead, key, head, tail []byte) error {
	op := b.SetDeferred(prefixSize+len(keyHead)+len(key), len(head)+len(tail))
	p.fillKey(op.Key, keyHead, key)
	copy(op.Value[copy(op.Value, head):], tail)
	return op.Finish()
}

// delete adds the deletion of keyHead|key to b.
func (p *pebblePairs) delete(b *pebble.Batch, keyHead, key []byte) error {
	op := b.DeleteDeferred(prefixSize + len(keyHead) + len(key))
	p.fillKey(op.Key, keyHead, key)
	return op.Finish()
}

func (p *pebblePairs) fillKey(dst, keyHead, key []byte) {
	n := copy(dst, p.prefix)
	n += copy(dst[n:], keyHead)
	copy(dst[n:], key)
}

// deleteRange adds the deletion of from <= key < to to b.
func (p *pebblePairs) deleteRange(b *pebble.Batch, from, to []byte) error {
	p.db.tombstones.add()
	return b.DeleteRange(append(bytes.Clone(p.prefix), from...), append(bytes.Clone(p.prefix), to...), nil)
}

func (p *pebblePairs) committed(*overlay) { p.changed() }

// changed is called when something else is committed than before.
func (p *pebblePairs) changed() {
	p.epoch++
	p.release()
}

// count estimates from the size on disk, at 64 bytes a pair; what is still in memory does not count.
func (p *pebblePairs) count() int64 {
	if p.db.failure() != nil {
		return 0
	}
	n := binary.BigEndian.Uint32(p.prefix)
	size, err := p.db.pebble.EstimateDiskUsage(p.prefix, binary.BigEndian.AppendUint32(nil, n+1))
	if err != nil {
		return 0
	}
	return int64(size / 64)
}

func (p *pebblePairs) close() {
	p.release()
	p.key, p.value = nil, nil
}

// pebbleIterator walks over one store's pairs and hides the prefix.
type pebbleIterator struct {
	pairs        *pebblePairs
	iter         *pebble.Iterator
	epoch        uint64
	spans        []keySpan // still to come
	reverse      bool
	inside       bool // the iterator stands in a span
	value        []byte
	err          error
	lower, upper []byte // scratch
}

func (i *pebbleIterator) Next() bool {
	if i.err != nil || i.iter == nil {
		return false
	}
	for !i.step() {
		if err := i.iter.Error(); err != nil {
			i.err = i.pairs.db.wrap("iterating", err)
			return false
		}
		if len(i.spans) == 0 {
			return false
		}
		i.enter()
	}
	if i.value, i.err = i.iter.ValueAndErr(); i.err != nil {
		i.err = i.pairs.db.wrap("iterating", i.err)
		return false
	}
	if i.value == nil {
		i.value = []byte{}
	}
	return true
}

// enter goes to the next span, before its first pair.
func (i *pebbleIterator) enter() {
	var s keySpan
	s, i.spans = nextSpan(i.spans, i.reverse)
	i.lower = append(append(i.lower[:0], i.pairs.prefix...), s.from...)
	if s.to == nil {
		i.upper = append(i.upper[:0], i.pairs.end...)
	} else {
		i.upper = append(append(i.upper[:0], i.pairs.prefix...), s.to...)
	}
	i.iter.SetBounds(i.lower, i.upper)
	i.inside = false
}

// step moves inside the current span.
func (i *pebbleIterator) step() bool {
	switch {
	case len(i.lower) == 0:
		return false // not in a span yet
	case i.inside && i.reverse:
		return i.iter.Prev()
	case i.inside:
		return i.iter.Next()
	}
	i.inside = true
	if i.reverse {
		return i.iter.Last()
	}
	return i.iter.First()
}

func (i *pebbleIterator) Key() []byte   { return i.iter.Key()[prefixSize:] }
func (i *pebbleIterator) Value() []byte { return i.value }
func (i *pebbleIterator) Err() error    { return i.err }

func (i *pebbleIterator) close() error {
	p, iter := i.pairs, i.iter
	if iter == nil {
		return nil
	}
	i.iter, i.value, i.spans = nil, nil, nil
	p.spare = i
	if i.epoch == p.epoch && i.err == nil && p.key != nil {
		return p.keep(iter)
	}
	return p.db.wrap("closing an iterator", iter.Close())
}
