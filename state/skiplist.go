package state

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
)

// maxHeight suffices for 4^12 entries.
const maxHeight = 12

// skiplist keeps values in the order of their keys. Nothing is ever removed from it, so a walk over it stays valid
// while entries are added: the walk meets those that lie ahead of it.
type skiplist[T any] struct {
	head   skipnode[T]
	height int
	n      int
	nodes  slab[skipnode[T]]
	towers [][]*skipnode[T] // chunks of links, handed out from the front
	chunk  int              // the one in use
	used   int              // links of it that are
}

// towerChunk is how many links are allocated at once.
const towerChunk = 1024

type skipnode[T any] struct {
	key   []byte
	value T
	next  []*skipnode[T]
	prev  *skipnode[T] // the head before the first
}

func newSkiplist[T any]() *skiplist[T] {
	l := &skiplist[T]{height: 1}
	l.head.next = make([]*skipnode[T], maxHeight)
	return l
}

// seek returns the last node before key, the head if there is none, and fills path, if not nil, with the last node
// before key on every level.
func (l *skiplist[T]) seek(key []byte, path *[maxHeight]*skipnode[T]) *skipnode[T] {
	n := &l.head
	for level := l.height - 1; level >= 0; level-- {
		for n.next[level] != nil && bytes.Compare(n.next[level].key, key) < 0 {
			n = n.next[level]
		}
		if path != nil {
			path[level] = n
		}
	}
	return n
}

// insert adds key, which must not be in the list. The list keeps key.
func (l *skiplist[T]) insert(key []byte, value T) {
	var path [maxHeight]*skipnode[T]
	l.seek(key, &path)
	height := min(maxHeight, 1+bits.TrailingZeros64(rand.Uint64()|1<<62)/2)
	for ; l.height < height; l.height++ {
		path[l.height] = &l.head
	}
	n := l.nodes.take()
	n.key, n.value, n.next, n.prev = key, value, l.tower(height), path[0]
	for level := range n.next {
		n.next[level], path[level].next[level] = path[level].next[level], n
	}
	if n.next[0] != nil {
		n.next[0].prev = n
	}
	l.n++
}

// tower returns links that are nil.
func (l *skiplist[T]) tower(height int) []*skipnode[T] {
	if len(l.towers) > 0 && l.used+height > towerChunk {
		l.chunk++
		l.used = 0
	}
	if l.chunk == len(l.towers) {
		l.towers = append(l.towers, make([]*skipnode[T], towerChunk))
	}
	t := l.towers[l.chunk][l.used : l.used+height : l.used+height]
	l.used += height
	return t
}

// last returns the last node, the head if the list is empty.
func (l *skiplist[T]) last() *skipnode[T] {
	n := &l.head
	for level := l.height - 1; level >= 0; level-- {
		for n.next[level] != nil {
			n = n.next[level]
		}
	}
	return n
}

// clear empties the list and keeps the memory of keptEntries of it. No walk may be under way.
func (l *skiplist[T]) clear() {
	clear(l.head.next)
	l.height, l.n = 1, 0
	l.nodes.reset(keptEntries)
	if kept := 2 * keptEntries / towerChunk; len(l.towers) > kept {
		clear(l.towers[kept:])
		l.towers = l.towers[:kept]
	}
	for i := 0; i <= l.chunk && i < len(l.towers); i++ {
		clear(l.towers[i])
	}
	l.chunk, l.used = 0, 0
}

// skipwalk walks over a part of a skiplist in either direction.
type skipwalk[T any] struct {
	list     *skiplist[T]
	at       *skipnode[T] // the node before the next one; nil at the end
	from, to []byte       // nil: open
	reverse  bool
}

// walk starts a walk over from <= key < to. The walk keeps from and to.
func (l *skiplist[T]) walk(from, to []byte, reverse bool) skipwalk[T] {
	w := skipwalk[T]{list: l, from: from, to: to, reverse: reverse}
	switch {
	case !reverse && from == nil:
		w.at = &l.head
	case !reverse:
		w.at = l.seek(from, nil)
	case to == nil:
		w.at = l.last()
	default:
		w.at = l.seek(to, nil)
	}
	return w
}

// next returns the next node, or nil.
func (w *skipwalk[T]) next() *skipnode[T] {
	if w.at == nil {
		return nil
	}
	if w.reverse {
		n := w.at
		if n == &w.list.head || w.from != nil && bytes.Compare(n.key, w.from) < 0 {
			w.at = nil
			return nil
		}
		w.at = n.prev
		return n
	}
	n := w.at.next[0]
	if n != nil && w.to != nil && bytes.Compare(n.key, w.to) >= 0 {
		n = nil
	}
	w.at = n
	return n
}
