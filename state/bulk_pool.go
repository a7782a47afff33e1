package state

import (
	"cmp"
	"slices"
	"sync"
)

// bulkPool is memory of restored records that were written, for those that come next, of whichever store: stores are
// restored one after the other, and what each would leave behind for the collector is as much as what is in use. It is empty
// while nothing is restored, and safe for concurrent use.
type bulkPool struct {
	mu struct {
		sync.Mutex
		chunks [][]byte     // empty, of chunkBytes
		arrays [][]bulkItem // empty, the smallest first
	}
}

const (
	pooledItems  = 4096 // of arrays that are worth keeping
	pooledArrays = 4
)

// chunk is an empty chunk of chunkBytes.
func (p *bulkPool) chunk() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.mu.chunks) - 1; last >= 0 {
		c := p.mu.chunks[last]
		p.mu.chunks = p.mu.chunks[:last]
		return c
	}
	return make([]byte, 0, chunkBytes)
}

// array is an empty array with room for n items, or nil if there is none.
func (p *bulkPool) array(n int) []bulkItem {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range p.mu.arrays {
		if cap(a) >= n {
			p.mu.arrays = slices.Delete(p.mu.arrays, i, i+1)
			return a
		}
	}
	return nil
}

// grow returns items with room for more.
func (p *bulkPool) grow(items []bulkItem) []bulkItem {
	if len(items) >= pooledItems {
		if larger := p.array(len(items) + 1); larger != nil {
			return append(larger, items...)
		}
	}
	return slices.Grow(items, 1)
}

// giveArray takes an array back, or gives up the smallest of those that are too many.
func (p *bulkPool) giveArray(items []bulkItem) {
	if cap(items) < pooledItems {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at, _ := slices.BinarySearchFunc(p.mu.arrays, cap(items), func(a []bulkItem, n int) int { return cmp.Compare(cap(a), n) })
	p.mu.arrays = slices.Insert(p.mu.arrays, at, items[:0])
	if len(p.mu.arrays) > pooledArrays {
		p.mu.arrays = slices.Delete(p.mu.arrays, 0, 1)
	}
}

// give takes the memory of b back.
func (p *bulkPool) give(b *bulk) {
	p.giveArray(b.items)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range b.chunks {
		if cap(c) == chunkBytes {
			p.mu.chunks = append(p.mu.chunks, c[:0])
		}
	}
}

// drop gives all of it to the collector.
func (p *bulkPool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.chunks, p.mu.arrays = nil, nil
}
