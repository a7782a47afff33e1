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
	// iterate walks over what is committed now. from and to are kept.
	iterate(from, to []byte, reverse bool) (Iterator, error)
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
	prefix []byte // number of the store
	key    []byte // scratch: prefix|key
	value  []byte // what get lent
}

func newPebblePairs(db *DB, number uint32) *pebblePairs {
	p := &pebblePairs{db: db, prefix: binary.BigEndian.AppendUint32(nil, number)}
	p.key = append(p.key, p.prefix...)
	return p
}

func (p *pebblePairs) get(key []byte) ([]byte, error) {
	if err := p.db.failure(); err != nil {
		return nil, err
	}
	p.key = append(p.key[:prefixSize], key...)
	value, closer, err := p.db.pebble.Get(p.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, p.db.wrap("reading a pair", err)
	}
	if p.value == nil {
		p.value = make([]byte, 0, max(64, len(value)))
	}
	p.value = append(p.value[:0], value...)
	if err := closer.Close(); err != nil {
		return nil, p.db.wrap("reading a pair", err)
	}
	return p.value, nil
}

func (p *pebblePairs) iterate(from, to []byte, reverse bool) (Iterator, error) {
	if err := p.db.failure(); err != nil {
		return nil, err
	}
	lower := append(append([]byte{}, p.prefix...), from...)
	upper := append(append([]byte{}, p.prefix...), to...)
	if to == nil {
		upper = binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(p.prefix)+1)
	}
	iter, err := p.db.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, p.db.wrap("opening an iterator", err)
	}
	return &pebbleIterator{db: p.db, iter: iter, reverse: reverse}, nil
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
	return b.DeleteRange(append(bytes.Clone(p.prefix), from...), append(bytes.Clone(p.prefix), to...), nil)
}

func (p *pebblePairs) committed(*overlay) {}

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

func (p *pebblePairs) close() { p.key, p.value = nil, nil }

// pebbleIterator walks over one store's pairs and hides the prefix.
type pebbleIterator struct {
	db      *DB
	iter    *pebble.Iterator
	reverse bool
	started bool
	value   []byte
	err     error
}

func (i *pebbleIterator) Next() bool {
	if i.err != nil || i.iter == nil {
		return false
	}
	if !i.step() {
		i.err = i.db.wrap("iterating", i.iter.Error())
		return false
	}
	if i.value, i.err = i.iter.ValueAndErr(); i.err != nil {
		i.err = i.db.wrap("iterating", i.err)
		return false
	}
	if i.value == nil {
		i.value = []byte{}
	}
	return true
}

func (i *pebbleIterator) step() bool {
	switch {
	case i.started && i.reverse:
		return i.iter.Prev()
	case i.started:
		return i.iter.Next()
	}
	i.started = true
	if i.reverse {
		return i.iter.Last()
	}
	return i.iter.First()
}

func (i *pebbleIterator) Key() []byte   { return i.iter.Key()[prefixSize:] }
func (i *pebbleIterator) Value() []byte { return i.value }
func (i *pebbleIterator) Err() error    { return i.err }

func (i *pebbleIterator) Close() error {
	if i.iter == nil {
		return nil
	}
	err := i.iter.Close()
	i.iter = nil
	return i.db.wrap("closing an iterator", err)
}
