package wasm

// Stack. A guest that recurses without end would grow its native stack to 400 MB before wazero stops it. So the depth
// of calls is counted, in estimated bytes, but only where it can grow: a function on a cycle of the call graph counts
// its own frame and the deepest chain of uncounted functions below it. A function on no cycle counts nothing, which
// makes most small functions free. Indirect calls may reach every function of their type that stands in a table or is
// referred to.

// maxUncounted is the deepest chain of uncounted frames; a function beyond it is counted though it is on no cycle.
const maxUncounted = 64 << 10

// callGraph finds the cycles: Tarjan's algorithm with a stack of its own, since a chain of calls can be as long as the
// module has functions.
type callGraph struct {
	m       *module
	classes []int32 // of a type: the first type equal to it
	// members are, for each type that is the first of its class, the defined functions that can be called through it.
	members [][]int32
	// Nodes are the defined functions, then the types.
	order   []int32 // 0 not seen, else 1 + order of discovery
	low     []int32
	onStack []bool
	depth   []uint64 // deepest chain of uncounted frames from here
	stack   []int32
	walk    []walkStep
	next    int32
}

type walkStep struct {
	node int32
	edge int32
	self bool // an edge leads from the node to itself
}

// countRecursion sets recursive and weight of every body.
func countRecursion(m *module) {
	n := len(m.bodies) + len(m.types)
	g := &callGraph{m: m, order: make([]int32, n), low: make([]int32, n), onStack: make([]bool, n), depth: make([]uint64, n)}
	g.classify()
	for v := range m.bodies {
		if g.order[v] == 0 {
			g.visit(int32(v))
		}
	}
}

func (g *callGraph) classify() {
	first := map[string]int32{}
	g.classes = make([]int32, len(g.m.types))
	for i, t := range g.m.types {
		key := string(t.params) + "\x00" + string(t.results)
		if _, ok := first[key]; !ok {
			first[key] = int32(i)
		}
		g.classes[i] = first[key]
	}
	g.members = make([][]int32, len(g.m.types))
	imported := len(g.m.imports)
	for f, taken := range g.m.taken {
		if taken && f >= imported {
			c := g.classes[g.m.funcs[f]]
			g.members[c] = append(g.members[c], int32(f-imported))
		}
	}
}

// edge returns the i-th successor of v, or -1.
func (g *callGraph) edge(v, i int32) int32 {
	if int(v) >= len(g.m.bodies) {
		members := g.members[int(v)-len(g.m.bodies)]
		if int(i) >= len(members) {
			return -1
		}
		return members[i]
	}
	calls := g.callsOf(v)
	if int(i) >= len(calls) {
		return -1
	}
	if c := calls[i]; !c.indirect {
		return int32(c.index) - int32(len(g.m.imports))
	} else {
		return int32(len(g.m.bodies)) + g.classes[c.index]
	}
}

func (g *callGraph) callsOf(v int32) []callee {
	at := g.m.bodies[v].calls
	return g.m.calls[at[0]:at[1]]
}

func (g *callGraph) enter(v int32) {
	g.next++
	g.order[v], g.low[v] = g.next, g.next
	g.onStack[v] = true
	g.stack = append(g.stack, v)
	g.walk = append(g.walk, walkStep{node: v})
}

func (g *callGraph) visit(root int32) {
	g.enter(root)
	for len(g.walk) > 0 {
		step := &g.walk[len(g.walk)-1]
		v := step.node
		w := g.edge(v, step.edge)
		step.edge++
		switch {
		case w < 0:
			g.leave(v, step.self)
		case g.order[w] == 0:
			g.enter(w)
		case g.onStack[w]:
			step.self = step.self || w == v
			g.low[v] = min(g.low[v], g.order[w])
		}
	}
}

// leave ends the visit of v; if v is the root of a component, the component is complete.
func (g *callGraph) leave(v int32, self bool) {
	g.walk = g.walk[:len(g.walk)-1]
	if len(g.walk) > 0 {
		parent := g.walk[len(g.walk)-1].node
		g.low[parent] = min(g.low[parent], g.low[v])
	}
	if g.low[v] != g.order[v] {
		return
	}
	at := len(g.stack) - 1
	for g.stack[at] != v {
		at--
	}
	component := g.stack[at:]
	g.stack = g.stack[:at]
	g.weigh(component, self || len(component) > 1)
	for _, w := range component {
		g.onStack[w] = false
	}
}

// weigh counts the frames of a component. Its callees outside are done: they were left before.
func (g *callGraph) weigh(component []int32, cyclic bool) {
	for _, v := range component {
		below := uint64(0)
		for i := int32(0); ; i++ {
			w := g.edge(v, i)
			if w < 0 {
				break
			}
			below = max(below, g.depth[w]) // 0 for members of this component
		}
		if int(v) >= len(g.m.bodies) {
			g.setType(v, below, cyclic)
			continue
		}
		b := &g.m.bodies[v]
		b.weight = b.frame + below
		if b.recursive = cyclic || b.weight > maxUncounted; !b.recursive {
			g.depth[v] = b.weight
		}
	}
}

// setType passes on the depth of a type's functions; those of a cycle are counted, so it is then 0 but for what lies
// outside, which each member has counted already.
func (g *callGraph) setType(v int32, below uint64, cyclic bool) {
	if !cyclic {
		g.depth[v] = below
	}
}
