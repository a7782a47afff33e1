package topology

import "unicode/utf16"

// HashOrder returns names, of which no two are equal, in the order of a java.util.HashMap, where Kafka writes one as it is.
func HashOrder(names []string) []string { return hashOrder(names, 0) }

// hashOrder returns names in the order in which a java.util.HashMap yields them after they were put in one by one:
// by bucket, within a bucket in the order of insertion. capacity is the initial capacity asked for, 0 for the default.
// (A bucket of eight or more becomes a tree in Java; topologies do not get there.)
func hashOrder(names []string, capacity int) []string {
	size := 16
	for size < capacity {
		size *= 2
	}
	for len(names)*4 > size*3 {
		size *= 2
	}
	buckets := make([][]string, size)
	for _, name := range names {
		h := javaHash(name)
		h ^= h >> 16
		i := int(h) & (size - 1)
		buckets[i] = append(buckets[i], name)
	}
	ordered := make([]string, 0, len(names))
	for _, b := range buckets {
		ordered = append(ordered, b...)
	}
	return ordered
}

// javaHash is String.hashCode.
func javaHash(s string) uint32 {
	var h uint32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(u)
	}
	return h
}

// treeSet is a java.util.TreeSet of descriptions. Their sizes change while they are in it, which a set must not allow,
// so where an element lands depends on the shape of the red-black tree at that moment: hence the tree.
type treeSet struct {
	root *treeNode
}

type treeNode struct {
	item                *description
	left, right, parent *treeNode
	black               bool
}

// items are the elements from left to right.
func (s *treeSet) items() []*description {
	var out []*description
	var walk func(n *treeNode)
	walk = func(n *treeNode) {
		if n != nil {
			walk(n.left)
			out = append(out, n.item)
			walk(n.right)
		}
	}
	walk(s.root)
	return out
}

func (s *treeSet) add(d *description) {
	var parent *treeNode
	at := &s.root
	for *at != nil {
		parent = *at
		switch c := compareDescriptions(d, parent.item); {
		case c < 0:
			at = &parent.left
		case c > 0:
			at = &parent.right
		default:
			return
		}
	}
	n := &treeNode{item: d, parent: parent}
	*at = n
	s.rebalance(n)
}

// rebalance restores the colours above the new red node n, as in every textbook.
func (s *treeSet) rebalance(n *treeNode) {
	for n != s.root && !n.parent.black {
		grand := n.parent.parent
		uncle, near, far := grand.right, s.rotateLeft, s.rotateRight
		onLeft := n.parent == grand.left
		if !onLeft {
			uncle, near, far = grand.left, s.rotateRight, s.rotateLeft
		}
		if uncle != nil && !uncle.black {
			n.parent.black, uncle.black, grand.black = true, true, false
			n = grand
			continue
		}
		if inner := n.parent.right; onLeft && n == inner || !onLeft && n == n.parent.left {
			n = n.parent
			near(n)
		}
		n.parent.black, grand.black = true, false
		far(grand)
	}
	s.root.black = true
}

func (s *treeSet) rotateLeft(n *treeNode) {
	r := n.right
	n.right = r.left
	if r.left != nil {
		r.left.parent = n
	}
	s.replace(n, r)
	r.left, n.parent = n, r
}

func (s *treeSet) rotateRight(n *treeNode) {
	l := n.left
	n.left = l.right
	if l.right != nil {
		l.right.parent = n
	}
	s.replace(n, l)
	l.right, n.parent = n, l
}

// replace hangs by under the parent of n.
func (s *treeSet) replace(n, by *treeNode) {
	by.parent = n.parent
	switch {
	case n.parent == nil:
		s.root = by
	case n.parent.left == n:
		n.parent.left = by
	default:
		n.parent.right = by
	}
}
