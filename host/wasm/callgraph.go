package wasm

// Stack. A guest that recurses without end would grow its native stack to 400 MB before wazero stops it. So the depth
// of calls is counted, in estimated bytes, but only where it can grow: on every cycle of the call graph at least one
// function counts, for itself and for the deepest chain of uncounted functions below it. Most functions count nothing.
// Indirect calls may reach every function of their type that stands in a table or is referred to.

// maxUncounted is the deepest chain of uncounted frames, in bytes. Short chains make the estimate good (a recursion is
// charged for chains that it may never enter), long ones make fewer functions count.
const maxUncounted = 4 << 10

// callGraph is walked depth first, with a stack of its own since a chain of calls can be as long as the module has
// functions. Every cycle has an edge that leads back to a node on the walk's path; one end of each such edge counts.
type callGraph struct {
	m       *module
	classes []int32 // of a type: the first type equal to it
	// members are, for each type that is the first of its class, the defined functions that can be called through it.
	members [][]int32
	// Nodes are the defined functions, then the types.
	state []nodeState
	depth []uint64 // deepest chain of uncounted frames that begins here; 0 for nodes that count
	walk  []walkStep
}

type nodeState uint8

const (
	nodeNew nodeState = iota
	nodeOnPath
	nodeDone
)

type walkStep struct {
	node, edge int32
}

// countRecursion sets recursive and weight of every body.
func countRecursion(m *module) {
	n := len(m.bodies) + len(m.types)
	g := &callGraph{m: m, state: make([]nodeState, n), depth: make([]uint64, n)}
	g.classify()
	for v := range m.bodies {
		if g.state[v] == nodeNew {
			g.visit(int32(v))
		}
	}
	for v := range m.bodies {
		b := &m.bodies[v]
		b.weight = b.frame + g.below(int32(v))
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

func (g *callGraph) isType(v int32) bool { return int(v) >= len(g.m.bodies) }

// edge returns the i-th successor of v, or -1.
func (g *callGraph) edge(v, i int32) int32 {
	if g.isType(v) {
		members := g.members[int(v)-len(g.m.bodies)]
		if int(i) >= len(members) {
			return -1
		}
		return members[i]
	}
	at := g.m.bodies[v].calls
	if at[0]+int(i) >= at[1] {
		return -1
	}
	c := g.m.calls[at[0]+int(i)]
	if c.indirect {
		return int32(len(g.m.bodies)) + g.classes[c.index]
	}
	return int32(c.index) - int32(len(g.m.imports))
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
			g.leave(v)
		case g.state[w] == nodeNew:
			g.enter(w)
		case g.state[w] == nodeOnPath:
			g.breakCycle(v, w)
		}
	}
}

func (g *callGraph) enter(v int32) {
	g.state[v] = nodeOnPath
	g.walk = append(g.walk, walkStep{node: v})
}

// breakCycle lets one end of an edge that closes a cycle count: the one that is called, unless that is a type.
func (g *callGraph) breakCycle(from, to int32) {
	switch {
	case g.counts(from) || g.counts(to):
	case g.isType(to):
		g.m.bodies[from].recursive = true
	default:
		g.m.bodies[to].recursive = true
	}
}

func (g *callGraph) counts(v int32) bool { return !g.isType(v) && g.m.bodies[v].recursive }

// leave ends the visit of v. All that it calls is done, but for nodes on the path, and those count unless v does.
func (g *callGraph) leave(v int32) {
	g.walk = g.walk[:len(g.walk)-1]
	g.state[v] = nodeDone
	chain := g.below(v)
	if !g.isType(v) {
		chain += g.m.bodies[v].frame
		if chain > maxUncounted {
			g.m.bodies[v].recursive = true
		}
	}
	if !g.counts(v) {
		g.depth[v] = chain
	}
}

// below is the deepest chain of uncounted frames among the callees of v.
func (g *callGraph) below(v int32) (deepest uint64) {
	for i := int32(0); ; i++ {
		w := g.edge(v, i)
		if w < 0 {
			return deepest
		}
		deepest = max(deepest, g.depth[w])
	}
}
