package diagram

import (
	"cmp"
	"math"
	"slices"
)

// box is something that has a place in a layered drawing. The layout gives it the centre x and the top y.
type box struct {
	w, h float64
	last bool // belongs into the last layer
	x, y float64

	layer int
	dummy bool // where an edge passes a layer
}

// edge goes from one box down to another. dx are where it leaves and arrives, from the boxes' centres.
type edge struct {
	from, to     int
	fromDx, toDx float64
	route        []point
}

type point struct{ x, y float64 }

// layered is a drawing in layers, after Sugiyama: every edge goes down, those of cycles excepted; boxes of one layer are
// ordered so that few edges cross, and lie as near to their neighbours as the order allows.
type layered struct {
	boxes      []box
	edges      []edge
	gapX, gapY float64
	low        bool // sources lie right above what they lead to, not at the top

	back   []bool  // of each edge: it closes a cycle and goes up
	hops   [][]int // of each edge: its dummies, from the top layer to the bottom one
	layers [][]int
	spans  [][2]float64  // of each layer: its upper and lower y
	near   [][]neighbour // of each box

	width, height float64
}

// neighbour is a box in the layer above or below, and where the line between them lies on both.
type neighbour struct {
	box          int
	down         bool
	ownDx, other float64
}

// place computes the places of all boxes, the routes of all edges, and the size of the whole.
func (l *layered) place() {
	l.findCycles()
	l.rank()
	l.addDummies()
	l.fill()
	l.order()
	l.columns()
	l.rows()
	for i := range l.edges {
		l.route(i)
	}
}

// findCycles marks the edges that lead back to a box that is being visited.
func (l *layered) findCycles() {
	l.back = make([]bool, len(l.edges))
	out := make([][]int, len(l.boxes))
	for i, e := range l.edges {
		out[e.from] = append(out[e.from], i)
	}
	const unseen, open, done = 0, 1, 2
	state := make([]int, len(l.boxes))
	var visit func(at int)
	visit = func(at int) {
		state[at] = open
		for _, i := range out[at] {
			switch to := l.edges[i].to; state[to] {
			case open:
				l.back[i] = true
			case unseen:
				visit(to)
			}
		}
		state[at] = done
	}
	for at := range l.boxes {
		if state[at] == unseen {
			visit(at)
		}
	}
}

// ends are the upper and the lower box of an edge.
func (l *layered) ends(i int) (upper, lower int) {
	if l.back[i] {
		return l.edges[i].to, l.edges[i].from
	}
	return l.edges[i].from, l.edges[i].to
}

// rank gives each box its layer: below everything that leads to it.
func (l *layered) rank() {
	waiting := make([]int, len(l.boxes))
	out := make([][]int, len(l.boxes))
	for i := range l.edges {
		upper, lower := l.ends(i)
		if upper != lower {
			waiting[lower]++
			out[upper] = append(out[upper], lower)
		}
	}
	var sorted []int
	for at := range l.boxes {
		if waiting[at] == 0 {
			sorted = append(sorted, at)
		}
	}
	last := 0
	for n := 0; n < len(sorted); n++ {
		at := sorted[n]
		last = max(last, l.boxes[at].layer)
		for _, to := range out[at] {
			l.boxes[to].layer = max(l.boxes[to].layer, l.boxes[at].layer+1)
			if waiting[to]--; waiting[to] == 0 {
				sorted = append(sorted, to)
			}
		}
	}
	for at := range l.boxes {
		if b := &l.boxes[at]; b.last {
			b.layer = last
		}
	}
	if l.low {
		l.pullDown(out)
	}
}

// pullDown moves boxes that nothing leads to right above the first that they lead to.
func (l *layered) pullDown(out [][]int) {
	led := make([]bool, len(l.boxes))
	for _, targets := range out {
		for _, to := range targets {
			led[to] = true
		}
	}
	for at := range l.boxes {
		if led[at] || len(out[at]) == 0 {
			continue
		}
		nearest := math.MaxInt
		for _, to := range out[at] {
			nearest = min(nearest, l.boxes[to].layer)
		}
		l.boxes[at].layer = nearest - 1
	}
}

// addDummies gives edges a place in every layer that they pass; those that go up also in the layers where they begin and
// end, so that they pass beside the boxes there.
func (l *layered) addDummies() {
	l.hops = make([][]int, len(l.edges))
	for i := range l.edges {
		upper, lower := l.ends(i)
		first, end := l.boxes[upper].layer+1, l.boxes[lower].layer-1
		if l.back[i] {
			first, end = first-1, end+1
		}
		for layer := first; layer <= end; layer++ {
			l.boxes = append(l.boxes, box{w: 8, layer: layer, dummy: true})
			l.hops[i] = append(l.hops[i], len(l.boxes)-1)
		}
	}
	l.near = make([][]neighbour, len(l.boxes))
	for i, e := range l.edges {
		upper, lower := l.ends(i)
		chain := l.hops[i]
		upperDx, lowerDx := e.fromDx, e.toDx
		if !l.back[i] {
			chain = slices.Concat([]int{upper}, chain, []int{lower})
		} else {
			upperDx, lowerDx = 0, 0
		}
		for n := 1; n < len(chain); n++ {
			dx, below := 0.0, 0.0
			if n == 1 {
				dx = upperDx
			}
			if n == len(chain)-1 {
				below = lowerDx
			}
			a, b := chain[n-1], chain[n]
			l.near[a] = append(l.near[a], neighbour{b, true, dx, below})
			l.near[b] = append(l.near[b], neighbour{a, false, below, dx})
		}
	}
}

// fill puts the boxes into their layers, those that belong together beside each other.
func (l *layered) fill() {
	seen := make([]bool, len(l.boxes))
	beside := make([][]int, len(l.boxes)) // what passes beside a box on its way up
	for i, e := range l.edges {
		if l.back[i] {
			beside[e.to] = append(beside[e.to], l.hops[i]...)
		}
	}
	waiting := []int{}
	for first := range l.boxes {
		for waiting = append(waiting, first); len(waiting) > 0; {
			at := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			if seen[at] {
				continue
			}
			seen[at] = true
			layer := l.boxes[at].layer
			for len(l.layers) <= layer {
				l.layers = append(l.layers, nil)
			}
			l.layers[layer] = append(l.layers[layer], at)
			for _, nb := range slices.Backward(l.near[at]) {
				waiting = append(waiting, nb.box)
			}
			waiting = append(waiting, beside[at]...)
		}
	}
}

// order sorts each layer by the mean place of the neighbours above and below in turn, and keeps the order with the fewest
// crossings.
func (l *layered) order() {
	place := make([]float64, len(l.boxes))
	number := func() {
		for _, layer := range l.layers {
			for n, at := range layer {
				place[at] = float64(n)
			}
		}
	}
	number()
	best, fewest := l.copyLayers(), l.crossings(place)
	for sweep := 0; sweep < 8 && fewest > 0; sweep++ {
		down := sweep%2 == 1 // whether the neighbours below decide
		for n := range l.layers {
			if down {
				n = len(l.layers) - 1 - n
			}
			l.sortLayer(n, down, place)
		}
		number()
		if c := l.crossings(place); c < fewest {
			best, fewest = l.copyLayers(), c
		}
	}
	l.layers = best
}

func (l *layered) copyLayers() [][]int {
	all := make([][]int, len(l.layers))
	for i, layer := range l.layers {
		all[i] = slices.Clone(layer)
	}
	return all
}

func (l *layered) sortLayer(n int, down bool, place []float64) {
	layer := l.layers[n]
	wish := map[int]float64{}
	for _, at := range layer {
		sum, count := 0.0, 0.0
		for _, nb := range l.near[at] {
			if nb.down == down {
				sum, count = sum+place[nb.box]+nb.other/1e6, count+1
			}
		}
		if wish[at] = place[at]; count > 0 {
			wish[at] = sum / count
		}
	}
	slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(wish[a], wish[b]) })
	for i, at := range layer {
		place[at] = float64(i)
	}
}

// crossings counts the pairs of edges between adjacent layers that cross, by where they lie on their boxes.
func (l *layered) crossings(place []float64) int {
	total := 0
	for _, layer := range l.layers[:max(len(l.layers)-1, 0)] {
		var ends []float64
		for _, at := range layer {
			below := slices.DeleteFunc(slices.Clone(l.near[at]), func(nb neighbour) bool { return !nb.down })
			end := func(nb neighbour) float64 { return place[nb.box] + nb.other/1e6 }
			slices.SortFunc(below, func(a, b neighbour) int {
				return cmp.Or(cmp.Compare(a.ownDx, b.ownDx), cmp.Compare(end(a), end(b)))
			})
			for _, nb := range below {
				ends = append(ends, end(nb))
			}
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(ends)))
		ranks := make([]int, len(ends))
		for i, e := range ends {
			ranks[i], _ = slices.BinarySearch(distinct, e)
		}
		total += inversions(ranks, len(distinct))
	}
	return total
}

// inversions counts the pairs in the wrong order, by a Fenwick tree over the values below limit.
func inversions(values []int, limit int) int {
	tree := make([]int, limit+1)
	count := 0
	for seen, v := range values {
		atMost := 0
		for i := v + 1; i > 0; i -= i & -i {
			atMost += tree[i]
		}
		count += seen - atMost
		for i := v + 1; i <= limit; i += i & -i {
			tree[i]++
		}
	}
	return count
}

// columns gives every box its x: again and again each layer lies as near to its neighbours as its order allows.
func (l *layered) columns() {
	for _, layer := range l.layers {
		x := 0.0
		for _, at := range layer {
			b := &l.boxes[at]
			b.x = x + b.w/2
			x += b.w + l.gapX
		}
	}
	for sweep := range 12 {
		down := sweep%2 == 1
		for n := range l.layers {
			if down {
				n = len(l.layers) - 1 - n
			}
			l.settle(l.layers[n], down, sweep >= 8)
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, b := range l.boxes {
		left, right = min(left, b.x-b.w/2), max(right, b.x+b.w/2)
	}
	if len(l.boxes) == 0 {
		return
	}
	for i := range l.boxes {
		l.boxes[i].x -= left
	}
	l.width = right - left
}

// settle moves the boxes of a layer to where their neighbours want them: the places that differ least from the wishes, in
// squares, and keep order and gaps. That is isotonic regression, solved by pooling adjacent violators.
func (l *layered) settle(layer []int, down, both bool) {
	type pool struct {
		sum, weight float64
		n           int
	}
	var pools []pool
	offsets := make([]float64, len(layer))
	for i, at := range layer {
		if i > 0 {
			offsets[i] = offsets[i-1] + (l.boxes[layer[i-1]].w+l.boxes[at].w)/2 + l.gapX
		}
		wish, weight := l.wish(at, down, both)
		p := pool{(wish - offsets[i]) * weight, weight, 1}
		for len(pools) > 0 && pools[len(pools)-1].sum/pools[len(pools)-1].weight >= p.sum/p.weight {
			q := pools[len(pools)-1]
			p = pool{p.sum + q.sum, p.weight + q.weight, p.n + q.n}
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	i := 0
	for _, p := range pools {
		for range p.n {
			l.boxes[layer[i]].x = p.sum/p.weight + offsets[i]
			i++
		}
	}
}

// wish is where the neighbours want a box, and how much it matters: long edges are to be straight.
func (l *layered) wish(at int, down, both bool) (x, weight float64) {
	sum, count := 0.0, 0.0
	for _, nb := range l.near[at] {
		if both || nb.down == down {
			w := 1.0
			if l.boxes[at].dummy && l.boxes[nb.box].dummy {
				w = 4
			}
			sum, count = sum+w*(l.boxes[nb.box].x+nb.other-nb.ownDx), count+w
		}
	}
	if count == 0 {
		return l.boxes[at].x, 0.25
	}
	return sum / count, count
}

// rows gives every box its y; in its layer it lies in the middle.
func (l *layered) rows() {
	y := 0.0
	for n, layer := range l.layers {
		height := 0.0
		for _, at := range layer {
			height = max(height, l.boxes[at].h)
		}
		for _, at := range layer {
			b := &l.boxes[at]
			if b.dummy {
				b.h = height
			}
			b.y = y + (height-b.h)/2
		}
		l.spans = append(l.spans, [2]float64{y, y + height})
		y += height
		if n < len(l.layers)-1 {
			y += l.gapY
		}
	}
	l.height = y
}

// route is the way of an edge: pairs of points, straight and upright within a pair, bent between pairs.
func (l *layered) route(i int) {
	e := &l.edges[i]
	from, to := l.boxes[e.from], l.boxes[e.to]
	fromX, toX := from.x+e.fromDx, to.x+e.toDx
	e.route = []point{{fromX, from.y + from.h}, {fromX, l.spans[from.layer][1]}}
	hops := slices.Clone(l.hops[i])
	if l.back[i] {
		slices.Reverse(hops)
	}
	for _, at := range hops {
		b := l.boxes[at]
		entry, exit := point{b.x, b.y}, point{b.x, b.y + b.h}
		if l.back[i] {
			entry, exit = exit, entry
		}
		e.route = append(e.route, entry, exit)
	}
	e.route = append(e.route, point{toX, l.spans[to.layer][0]}, point{toX, to.y})
}
