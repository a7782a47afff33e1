package stream

import (
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// framing says how a node gets its records and hands them on, so that frames give the results of one record after the
// other, each with its whole subtree.
//
// Whole frames reorder effects in two places only. A node that forwards a frame to one child and then to the next runs
// the first child's subtree for all records before the second's: that shows if the subtrees meet again, in a node, a
// topic or a store. And a node that touches a store for a whole frame is ahead of what its descendants do to that store
// for the first record. Everything else keeps its order, because a frame is in order and every node works in order.
type framing struct {
	// single: the node gets frames of one record.
	single bool
	// split: Forward runs through all children for one record before the next.
	split bool
	// byTime: the node gets runs of records of equal timestamps, because its stores note the time of the record behind a
	// write, and only the node knows which one that is.
	byTime bool
}

// analyzeFrames decides the framing of each node of a sub-topology. nodes are in topological order.
func analyzeFrames(nodes []*topology.Node, stores []*topology.StoreSpec) map[*topology.Node]framing {
	reach := reachOf(nodes)
	framings := make(map[*topology.Node]framing, len(nodes))
	for _, n := range nodes {
		meets := childrenMeet(n, reach)
		framings[n] = framing{
			single: meets && n.Kind == topology.ProcessorNode || sharesBelow(n, reach),
			split:  meets,
			byTime: notesTime(n, stores),
		}
	}
	return framings
}

// place is where the effects of records are seen, in order: a node, a topic or a store.
type place struct{ kind, name string }

func nodePlace(n *topology.Node) place { return place{"node", n.Name} }

// places are those that a node itself touches.
func places(n *topology.Node) []place {
	own := []place{nodePlace(n)}
	if n.Kind == topology.SinkNode {
		own = append(own, place{"topic", topicOf(n)})
	}
	for _, s := range n.Stores {
		own = append(own, place{"store", s})
	}
	return own
}

// reachOf finds for each node the places that it and its descendants touch.
func reachOf(nodes []*topology.Node) map[*topology.Node]map[place]bool {
	reach := make(map[*topology.Node]map[place]bool, len(nodes))
	for _, n := range slices.Backward(nodes) {
		set := make(map[place]bool)
		for _, p := range places(n) {
			set[p] = true
		}
		for _, c := range n.Children {
			for p := range reach[c] {
				set[p] = true
			}
		}
		reach[n] = set
	}
	return reach
}

// childrenMeet tells whether the subtrees of two children of n touch one place.
func childrenMeet(n *topology.Node, reach map[*topology.Node]map[place]bool) bool {
	seen := make(map[place]bool)
	for _, c := range n.Children {
		for p := range reach[c] {
			if seen[p] {
				return true
			}
			seen[p] = true
		}
	}
	return false
}

// sharesBelow tells whether a descendant of n touches a store that n touches.
func sharesBelow(n *topology.Node, reach map[*topology.Node]map[place]bool) bool {
	for _, s := range n.Stores {
		for _, c := range n.Children {
			if reach[c][place{"store", s}] {
				return true
			}
		}
	}
	return false
}

// notesTime tells whether the bytes or the changelog of a store of n depend on the record behind a write. Stores of
// plain values log with the record's time; a guest's writes to a timestamped store carry it too. The native operators
// say themselves which time a timestamped value has.
func notesTime(n *topology.Node, stores []*topology.StoreSpec) bool {
	for _, spec := range stores {
		if slices.Contains(n.Stores, spec.Name) && (spec.Kind == topology.KeyValue || len(n.Guests) > 0) {
			return true
		}
	}
	return false
}

// topicOf is the topic of a sink; those whose topics a function chooses may all write to the same.
func topicOf(n *topology.Node) string {
	if n.TopicExtractor != nil {
		return ""
	}
	return n.Topics[0]
}
