package state

import "bytes"

// upper is the side of a merge that hides the other: sorted pairs, a nil value being a delete.
type upper interface {
	next() bool
	key() []byte
	value() []byte
	close()
}

// keySpan is a range from <= key < to; nil leaves that end open.
type keySpan struct{ from, to []byte }

// spanIterator walks over the pairs of several spans, which are ascending and apart, in the order of keys or in the
// opposite one.
type spanIterator interface {
	Next() bool
	Key() []byte
	Value() []byte
	Err() error
	close() error
}

// mergeIterator walks over upper and lower as one: where both have a key, upper's value counts.
type mergeIterator struct {
	upper            upper
	lower            spanIterator
	reverse          bool
	started          bool
	upperOK, lowerOK bool
	onUpper, onLower bool // which of them stand on the current key
	closed           bool
}

// begin makes m a walk over two sides.
func (m *mergeIterator) begin(upper upper, lower spanIterator, reverse bool) {
	*m = mergeIterator{upper: upper, lower: lower, reverse: reverse}
}

// Next moves to the next pair.
func (m *mergeIterator) Next() bool {
	if m.closed {
		return false
	}
	m.advance()
	for m.upperOK || m.lowerOK {
		order := m.compare()
		m.onUpper, m.onLower = order <= 0, order >= 0
		if m.onUpper && m.upper.value() == nil {
			m.advance()
			continue
		}
		return m.lower.Err() == nil
	}
	m.onUpper, m.onLower = false, false
	return false
}

// advance moves the sides that stand on the current key.
func (m *mergeIterator) advance() {
	if !m.started || m.onUpper {
		m.upperOK = m.upper.next()
	}
	if !m.started || m.onLower {
		m.lowerOK = m.lower.Next()
	}
	m.started = true
}

// compare tells which side comes first: < 0 upper, > 0 lower, 0 both.
func (m *mergeIterator) compare() int {
	switch {
	case !m.lowerOK:
		return -1
	case !m.upperOK:
		return 1
	case m.reverse:
		return -bytes.Compare(m.upper.key(), m.lower.Key())
	}
	return bytes.Compare(m.upper.key(), m.lower.Key())
}

// Key is the current key.
func (m *mergeIterator) Key() []byte {
	switch {
	case m.closed || !m.onUpper && !m.onLower:
		return nil
	case m.onUpper:
		return m.upper.key()
	}
	return m.lower.Key()
}

// Value is the current value.
func (m *mergeIterator) Value() []byte {
	switch {
	case m.closed || !m.onUpper && !m.onLower:
		return nil
	case m.onUpper:
		return m.upper.value()
	}
	return m.lower.Value()
}

// Err is the error that ended the walk.
func (m *mergeIterator) Err() error { return m.lower.Err() }

// close releases both sides. It can be called twice.
func (m *mergeIterator) close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	m.upper.close()
	return m.lower.close()
}

// rangeIterator is a walk as it is given away. Its inner parts are used again after Close.
type rangeIterator struct {
	walk   spanIterator
	span   [1]keySpan
	buffer [192]byte // for the bounds, if they are short
}

// newRange is the walk of a layer over one span, as it is given away.
func newRange(l layer, from, to []byte, reverse bool) (Iterator, error) {
	if emptyRange(from, to) {
		return emptyIterator{}, nil
	}
	i := &rangeIterator{}
	bounds := i.buffer[:0]
	i.span[0].from, bounds = keepBound(bounds, from)
	i.span[0].to, _ = keepBound(bounds, to)
	var err error
	if i.walk, err = l.scan(i.span[:], reverse); err != nil {
		return nil, err
	}
	return i, nil
}

// keepBound returns a copy of a bound at the end of dst, nil for nil, and dst with it.
func keepBound(dst, bound []byte) (kept, bounds []byte) {
	if bound == nil {
		return nil, dst
	}
	bounds = append(dst, bound...)
	return bounds[len(dst):len(bounds):len(bounds)], bounds
}

// Next moves to the next pair.
func (i *rangeIterator) Next() bool { return i.walk.Next() }

// Key is the current key.
func (i *rangeIterator) Key() []byte { return i.walk.Key() }

// Value is the current value.
func (i *rangeIterator) Value() []byte { return i.walk.Value() }

// Err is the error that ended the walk.
func (i *rangeIterator) Err() error { return i.walk.Err() }

// Close releases the walk. It can be called twice.
func (i *rangeIterator) Close() error {
	walk := i.walk
	i.walk = emptyIterator{}
	return walk.close()
}

// emptyIterator has nothing.
type emptyIterator struct{}

func (emptyIterator) Next() bool    { return false }
func (emptyIterator) Key() []byte   { return nil }
func (emptyIterator) Value() []byte { return nil }
func (emptyIterator) Err() error    { return nil }
func (emptyIterator) Close() error  { return nil }
func (emptyIterator) close() error  { return nil }

// emptyRange tells whether from <= key < to holds for no key.
func emptyRange(from, to []byte) bool { return to != nil && bytes.Compare(from, to) >= 0 }

// ownBound copies a bound and keeps nil nil.
func ownBound(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
