package dsl

import (
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// graphNode is one operator before it is lowered: an operator may become several nodes (a repartition becomes four) and
// sources of the same topics become one. The graph is lowered as Kafka does it: by build priority, parents first.
type graphNode struct {
	// name is that of the topology node which children hang below.
	name              string
	priority          int
	parents, children []*graphNode
	source            *sourceGraph
	written           bool
	// keyChanging, valueChanging and merges say what becomes of records here, for mergeRepartitions.
	keyChanging, valueChanging, merges bool
	// repartition is that of a node which stands for one that an operator needs, nil for one that was asked for.
	repartition *repartition
	// takesNullKeys: a left or outer join, which takes records with a null key (KIP-962).
	takesNullKeys bool
	// join is that of a join of two streams.
	join *streamJoinBuilder
	// outputVersioned tells whether the operator gives a versioned table (KIP-889); nil takes that from what it reads.
	outputVersioned *bool
	// versionedFrom, of operators that work otherwise on versioned tables, is told which of the parents are.
	versionedFrom func(parent *graphNode)
	// suppresses: the operator cannot be below a versioned table.
	suppresses bool
	// grace of windows that the operator aggregates by, in ms.
	grace *int64
	// table is that of an operator which reads a topic as a table.
	table *sourceTable
	// lower adds the operator's nodes to t, below the nodes named parents.
	lower func(t *topology.Topology, parents []string) error
}

// sourceGraph is what is compared when sources of the same topics are merged.
type sourceGraph struct {
	topics  []string
	pattern string
	reset   string
}

func (n *graphNode) addChild(c *graphNode) {
	if !slices.Contains(n.children, c) {
		n.children = append(n.children, c)
	}
	if !slices.Contains(c.parents, n) {
		c.parents = append(c.parents, n)
	}
}

func (n *graphNode) removeChild(c *graphNode) {
	n.children = slices.DeleteFunc(n.children, func(x *graphNode) bool { return x == c })
	c.parents = slices.DeleteFunc(c.parents, func(x *graphNode) bool { return x == n })
}

// nullKeysBelow tells whether any operator below takes records with a null key.
func (n *graphNode) nullKeysBelow() bool {
	seen := map[*graphNode]bool{}
	var below func(n *graphNode) bool
	below = func(n *graphNode) bool {
		return slices.ContainsFunc(n.children, func(c *graphNode) bool {
			if seen[c] {
				return false
			}
			seen[c] = true
			return c.takesNullKeys || below(c)
		})
	}
	return below(n)
}

func (n *graphNode) parentsWritten() bool {
	return !slices.ContainsFunc(n.parents, func(p *graphNode) bool { return !p.written })
}

func (n *graphNode) parentNames() []string {
	var names []string
	for _, p := range n.parents {
		names = append(names, p.name)
	}
	return names
}

// standIn begins the topic of a source that stands where an operator was refused. No topic and no pattern has it.
const standIn = "\n"

// lowerGraph writes the graph below root into t and returns every fault. What was refused is stood in for, so that those
// who read from it are judged by what is wrong with themselves; such a t is never used.
func lowerGraph(root *graphNode, t *topology.Topology) []error {
	var faults []error
	queue := []*graphNode{root}
	for len(queue) > 0 {
		i := lowestPriority(queue)
		n := queue[i]
		queue = slices.Delete(queue, i, i+1)
		if n.parentsWritten() && !n.written {
			n.written = true
			if n != root {
				if err := n.lower(t, n.parentNames()); err != nil {
					faults = append(faults, err)
					if t.Node(n.name) == nil {
						_ = t.AddSource(n.name, topology.SourceOptions{}, standIn+n.name)
					}
				}
			}
		}
		for _, c := range n.children {
			if !c.written && !slices.Contains(queue, c) {
				queue = append(queue, c)
			}
		}
	}
	return faults
}

func lowestPriority(queue []*graphNode) int {
	best := 0
	for i, n := range queue {
		if n.priority < queue[best].priority {
			best = i
		}
	}
	return best
}

// mergeSources makes one source of those that read exactly the same topics or pattern, as Kafka does.
func mergeSources(root *graphNode) []error {
	var faults []error
	var kept []*graphNode
	for _, n := range slices.Clone(root.children) {
		if n.source == nil {
			continue
		}
		i := slices.IndexFunc(kept, func(k *graphNode) bool { return k.source.overlaps(n.source) })
		if i < 0 {
			kept = append(kept, n)
			continue
		}
		if err := kept[i].merge(n); err != nil {
			faults = append(faults, err)
		}
		root.removeChild(n)
	}
	return faults
}

func (s *sourceGraph) overlaps(o *sourceGraph) bool {
	if s.pattern != "" || o.pattern != "" {
		return s.pattern == o.pattern
	}
	return slices.ContainsFunc(s.topics, func(t string) bool { return slices.Contains(o.topics, t) })
}

func (n *graphNode) merge(o *graphNode) error {
	mine, theirs := slices.Sorted(slices.Values(n.source.topics)), slices.Sorted(slices.Values(o.source.topics))
	if !slices.Equal(mine, theirs) {
		return errs.TopologyTopicTaken.New(o.name, "Two source nodes are subscribed to overlapping but not equal input topics", "")
	}
	if n.source.reset != o.source.reset {
		return errs.TopologyTopicTaken.New(o.name,
			"Tried to merge source nodes "+n.name+" and "+o.name+" which are subscribed to the same topic/pattern, but the offset reset policies do not match",
			"give both the same offset reset")
	}
	for _, c := range slices.Clone(o.children) {
		at := slices.Index(c.parents, o)
		o.removeChild(c)
		if slices.Contains(c.parents, n) {
			continue // it reads both
		}
		n.children = append(n.children, c)
		c.parents = slices.Insert(c.parents, at, n)
	}
	return nil
}
