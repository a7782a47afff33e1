package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// links are the numbers of a task's commits that are in the database, as ranges in ascending order: each commit adds one,
// the first is 1. Pebble replays the logs that it finds and does not miss one that has vanished, nor the end of one that
// another follows; what was committed in it then lacks between commits that are there. The hole shows in the links.
//
// A commit merges its number into what is there (pebble.Merger), so it reads nothing.
type links []linkRange

// linkRange are the numbers from first to last.
type linkRange struct{ first, last uint64 }

// unbroken tells whether no commit before the last is missing.
func (l links) unbroken() bool { return len(l) == 1 && l[0].first == 1 }

// last is the number of the last commit.
func (l links) last() uint64 {
	if len(l) == 0 {
		return 0
	}
	return l[len(l)-1].last
}

// join adds more links. Ranges that follow each other become one; those that overlap stay two, since no number is given
// twice in one history.
func (l links) join(more links) links {
	all := slices.Concat(l, more)
	slices.SortFunc(all, func(a, b linkRange) int { return cmp.Compare(a.first, b.first) })
	joined := all[:0]
	for _, r := range all {
		if n := len(joined) - 1; n >= 0 && joined[n].last+1 == r.first {
			joined[n].last = r.last
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// append appends the links as pairs of uvarints.
func (l links) append(dst []byte) []byte {
	for _, r := range l {
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, r.first), r.last)
	}
	return dst
}

var errLinks = errors.New("the numbers of a task's commits cannot be read")

// decodeLinks is the inverse of links.append. It takes any bytes.
func decodeLinks(b []byte) (links, error) {
	var l links
	for len(b) > 0 {
		first, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errLinks
		}
		last, m := binary.Uvarint(b[n:])
		if m <= 0 || last < first {
			return nil, errLinks
		}
		b = b[n+m:]
		l = append(l, linkRange{first, last})
	}
	return l, nil
}

// link is the number of one commit of a task.
type link struct {
	task   string
	number uint64
}

// link gives out the number of the next commit of task.
func (c *catalog) link(task string) link {
	t := c.addTask(task)
	t.commits++
	return link{task, t.commits}
}

// merge adds the link to a batch.
func (l link) merge(b *pebble.Batch) error {
	return b.Merge(metaKey(kindLinks, l.task), links{{l.number, l.number}}.append(nil), nil)
}

// linkMerger is how Pebble puts links together.
var linkMerger = &pebble.Merger{
	Name: "wasmstream.links",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		m := &linkMerge{}
		return m, m.MergeNewer(value)
	},
}

type linkMerge struct{ all links }

// MergeNewer implements pebble.ValueMerger.
func (m *linkMerge) MergeNewer(value []byte) error {
	l, err := decodeLinks(value)
	m.all = m.all.join(l)
	return err
}

// MergeOlder implements pebble.ValueMerger. The order of links lies in their numbers.
func (m *linkMerge) MergeOlder(value []byte) error { return m.MergeNewer(value) }

// Finish implements pebble.ValueMerger.
func (m *linkMerge) Finish(bool) ([]byte, io.Closer, error) { return m.all.append(nil), nil, nil }
