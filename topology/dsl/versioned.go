package dsl

import "github.com/wasmstream/wasmstream/internal/errs"

// enableVersioned tells the operators that work otherwise on versioned tables which of the tables before them are
// versioned, and reports those that cannot work on one (KIP-914).
func enableVersioned(root *graphNode) []error {
	var faults []error
	for _, n := range allBelow(root) {
		if n.versionedFrom != nil {
			for _, p := range n.parents {
				if p.isVersioned() {
					n.versionedFrom(p)
				}
			}
		}
		if n.suppresses && n.isVersionedUpstream() {
			faults = append(faults, errs.TopologyInvalid.New(n.name,
				"suppress() is only supported for non-versioned KTables (note that version semantics might be inherited from upstream)", "materialize the table before suppress without a history").InKafka("TopologyException"))
		}
	}
	return faults
}

// isVersioned tells whether the operator gives a versioned table: it says so itself, or all that it reads are.
func (n *graphNode) isVersioned() bool {
	if n.outputVersioned != nil {
		return *n.outputVersioned
	}
	return n.isVersionedUpstream()
}

func (n *graphNode) isVersionedUpstream() bool {
	for _, p := range n.parents {
		if !p.isVersioned() {
			return false
		}
	}
	return len(n.parents) > 0
}

// allBelow is every node below root, each once.
func allBelow(root *graphNode) []*graphNode {
	seen := map[*graphNode]bool{root: true}
	var all []*graphNode
	for queue := []*graphNode{root}; len(queue) > 0; queue = queue[1:] {
		for _, c := range queue[0].children {
			if !seen[c] {
				seen[c] = true
				all, queue = append(all, c), append(queue, c)
			}
		}
	}
	return all
}
