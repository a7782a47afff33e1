package dsl

import (
	"cmp"
	"slices"
)

// keyChange is an operator that changes keys, or a merge of streams whose keys were changed, with the repartitions below
// it that its output needs.
type keyChange struct {
	node         *graphNode
	repartitions []*graphNode
}

// mergeRepartitions puts one repartition right behind each change of keys in place of all that its output needs (Kafka's
// InternalStreamsBuilder.mergeRepartitionTopics). It takes the name and the serdes of the first. What lies between the
// change and a repartition then works on repartitioned records, so nothing between may change values: the serdes of the
// repartition are those behind it.
func (b *StreamsBuilder) mergeRepartitions() {
	for _, change := range b.keyChanges() {
		if len(change.repartitions) == 0 {
			continue
		}
		var r Repartitioned
		for _, n := range change.repartitions {
			r.Key, r.Value = cmp.Or(r.Key, n.repartition.key), cmp.Or(r.Value, n.repartition.value)
		}
		one := b.newRepartition(change.repartitions[0].repartition.topic, r).graphNode()
		one.priority = change.node.priority
		for _, n := range change.repartitions {
			b.replaceRepartition(n, change.node, one)
		}
		change.node.addChild(one)
	}
}

// replaceRepartition moves what lies between a change of keys and a repartition below one, and takes the repartition out.
func (b *StreamsBuilder) replaceRepartition(old, change, one *graphNode) {
	// What another repartition shares with this one has moved already; Kafka gives up there.
	if between := old.find(func(n *graphNode) bool { return slices.Contains(n.parents, change) }); between != nil {
		one.addChild(between)
		change.removeChild(between)
	}
	parents, children := slices.Clone(old.parents), slices.Clone(old.children)
	for _, child := range children {
		for _, parent := range parents {
			parent.addChild(child)
		}
		old.removeChild(child)
	}
	for _, parent := range parents {
		parent.removeChild(old)
	}
	for _, sources := range b.copartitioned {
		if i := slices.Index(sources, old.name); i >= 0 {
			sources[i] = one.name
		}
	}
}

// keyChanges are the changes of keys in the order of the operators, those of merges last.
func (b *StreamsBuilder) keyChanges() []*keyChange {
	var changes []*keyChange
	for _, n := range b.graph {
		switch {
		case n.keyChanging:
			changes = append(changes, &keyChange{node: n})
		case n.repartition != nil:
			parent := n.find(func(p *graphNode) bool { return p.keyChanging || p.valueChanging })
			if i := slices.IndexFunc(changes, func(c *keyChange) bool { return c.node == parent }); i >= 0 {
				changes[i].repartitions = append(changes[i].repartitions, n)
			}
		}
	}
	for _, n := range b.graph {
		if n.merges {
			changes = atMerge(n, changes)
		}
	}
	return changes
}

// atMerge gives a merge of streams what is needed by the changes of keys above it, if all of that lies below it.
func atMerge(merge *graphNode, changes []*keyChange) []*keyChange {
	all := &keyChange{node: merge}
	below := func(node *graphNode) func(n *graphNode) bool {
		return func(n *graphNode) bool {
			return n.find(func(p *graphNode) bool { return slices.Contains(p.parents, node) }) != nil
		}
	}
	var kept []*keyChange
	for _, c := range changes {
		if !below(c.node)(merge) || slices.ContainsFunc(c.repartitions, func(n *graphNode) bool { return !below(merge)(n) }) {
			kept = append(kept, c)
			continue
		}
		for _, n := range c.repartitions {
			if !slices.Contains(all.repartitions, n) {
				all.repartitions = append(all.repartitions, n)
			}
		}
	}
	return append(kept, all)
}

// find is the first of n and the nodes above it for which is says yes, or nil.
func (n *graphNode) find(is func(n *graphNode) bool) *graphNode {
	if is(n) {
		return n
	}
	var found *graphNode
	for _, p := range n.parents {
		if is(p) {
			return p
		}
		if above := p.find(is); above != nil {
			found = above
		}
	}
	return found
}
