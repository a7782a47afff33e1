package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Describe is the text of Kafka's Topology#describe, to the byte.
//
// Kafka's order of nodes is by the size of what hangs below a node, largest first, then by name. It sums the sizes up
// while it fills its sets, in the order in which a Java HashMap yields the names, and the sets that name a node's
// successors and predecessors are never sorted again. So the order there depends on that of the HashMap, and a faithful
// text needs both of Java's structures: see java_sets.go.
func (t *Topology) Describe() string {
	var b strings.Builder
	b.WriteString("Topologies:\n ")
	for id, nodes := range t.groups() {
		global := isGlobal(nodes)
		fmt.Fprintf(&b, "  Sub-topology: %d", id)
		if global {
			b.WriteString(" for global store (will not generate tasks)")
		}
		b.WriteByte('\n')
		for _, d := range t.describeGroup(nodes) {
			b.WriteString("    ")
			d.write(&b)
			b.WriteByte('\n')
		}
		if !global {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// description is a node on its way into the text.
type description struct {
	node                     *Node
	size                     int // of the sub-topology below, itself included; shared descendants count several times
	successors, predecessors treeSet
}

func (t *Topology) describeGroup(nodes []*Node) []*description {
	names := make([]string, len(nodes))
	byName := map[string]*description{}
	for i, n := range nodes {
		names[i] = n.Name
		byName[n.Name] = &description{node: n, size: 1}
	}
	// The names pass through a HashSet and then a HashMap.
	for _, name := range hashOrder(hashOrder(names, 0), 0) {
		d := byName[name]
		for _, p := range d.node.Parents {
			up := byName[p.Name]
			d.predecessors.add(up)
			up.successors.add(d)
			grow(up, d.size)
		}
	}
	var all []*description
	for _, n := range nodes {
		all = append(all, byName[n.Name])
	}
	slices.SortFunc(all, compareDescriptions)
	return all
}

// grow adds delta to d and to everything above it that is linked by now.
func grow(d *description, delta int) {
	d.size += delta
	for _, up := range d.predecessors.items() {
		grow(up, delta)
	}
}

func compareDescriptions(a, b *description) int {
	if a == b {
		return 0
	}
	if a.size != b.size {
		return b.size - a.size
	}
	return strings.Compare(a.node.Name, b.node.Name)
}

func (d *description) write(b *strings.Builder) {
	n := d.node
	switch n.Kind {
	case SourceNode:
		fmt.Fprintf(b, "Source: %s (topics: %s)\n      --> %s", n.Name, sourceTopics(n), nodeNames(&d.successors))
	case SinkNode:
		fmt.Fprintf(b, "Sink: %s (%s)\n      <-- %s", n.Name, sinkTopic(n), nodeNames(&d.predecessors))
	default:
		fmt.Fprintf(b, "Processor: %s (stores: %s)\n      --> %s\n      <-- %s",
			n.Name, javaSet(n.Stores), nodeNames(&d.successors), nodeNames(&d.predecessors))
	}
}

func sinkTopic(n *Node) string {
	if n.TopicExtractor != nil {
		return fmt.Sprintf("extractor class: %v", n.TopicExtractor)
	}
	return "topic: " + n.Topics[0]
}

func sourceTopics(n *Node) string {
	if n.Pattern != "" {
		return n.Pattern
	}
	return javaSet(n.Topics)
}

// javaSet is the text of a HashSet that was made from a collection of names.
func javaSet(names []string) string {
	return "[" + strings.Join(hashOrder(names, len(names)*4/3+1), ", ") + "]"
}

func nodeNames(s *treeSet) string {
	var names []string
	for _, d := range s.items() {
		names = append(names, d.node.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
