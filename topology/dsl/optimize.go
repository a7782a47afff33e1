package dsl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// TopologyOptimization is the setting that Optimize is given.
const TopologyOptimization = "topology.optimization"

// Values of topology.optimization.
const (
	noOptimization          = "none"
	allOptimizations        = "all"
	reuseKTableSourceTopics = "reuse.ktable.source.topics"
	mergeRepartitionTopics  = "merge.repartition.topics"
	singleStoreSelfJoin     = "single.store.self.join"
)

var optimizationNames = []string{reuseKTableSourceTopics, mergeRepartitionTopics, singleStoreSelfJoin}

// readOptimizations reads the setting: none, all, or names separated by commas.
func readOptimizations(setting string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(setting, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	alone := len(names) == 1
	for _, name := range names {
		switch {
		case alone && name == noOptimization:
			return nil, nil
		case alone && name == allOptimizations:
			return optimizationNames, nil
		case name == noOptimization || name == allOptimizations:
			return nil, errs.ConfigInvalid.New(TopologyOptimization, fmt.Sprintf("%q is not a valid optimization config beside others", name), "name it alone")
		case !slices.Contains(optimizationNames, name):
			return nil, errs.ConfigInvalid.New(TopologyOptimization, fmt.Sprintf("Unrecognized config %q", name),
				"it is none, all, or some of "+strings.Join(optimizationNames, ", "))
		}
	}
	return names, nil
}

// optimize rewrites the graph as the setting says, in Kafka's order.
func (b *StreamsBuilder) optimize() {
	if slices.Contains(b.optimizations, reuseKTableSourceTopics) {
		for _, n := range b.graph {
			if n.table != nil {
				n.table.reuse = true
			}
		}
	}
	if slices.Contains(b.optimizations, mergeRepartitionTopics) {
		b.mergeRepartitions()
	}
	if slices.Contains(b.optimizations, singleStoreSelfJoin) {
		rewriteSelfJoins(b.root)
	}
}

// rewriteSelfJoins makes joins of a stream with itself use one store: a join whose two sides come from one node keeps
// the records once.
func rewriteSelfJoins(root *graphNode) {
	seen := map[*graphNode]bool{}
	var visit func(n *graphNode)
	visit = func(n *graphNode) {
		seen[n] = true
		if n.join != nil && len(n.parents) == 1 {
			n.join.useOneStore(n.parents[0])
		}
		for _, c := range slices.Clone(n.children) {
			if !seen[c] {
				visit(c)
			}
		}
	}
	visit(root)
}

// useOneStore takes the node that keeps the right side's records out of the graph.
func (j *streamJoinBuilder) useOneStore(parent *graphNode) {
	i := slices.IndexFunc(parent.children, func(c *graphNode) bool { return c.name == j.otherWindowed })
	if i < 0 {
		return
	}
	parent.removeChild(parent.children[i])
	j.selfJoin = true
}
