package dsl

import (
	"strconv"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// BranchedKStream splits a stream: each record goes to the first branch whose predicate holds.
type BranchedKStream struct {
	s        *KStream
	node     *graphNode
	split    *Branch
	branches map[string]*KStream
}

// Split begins a split; see BranchedKStream. name is the prefix of the branches' names.
func (s *KStream) Split(name ...Named) *BranchedKStream {
	split := &Branch{}
	nodeName := s.b.nodeName(first(name), branchName)
	n := &graphNode{name: nodeName, lower: func(t *topology.Topology, up []string) error {
		return t.AddProcessor(nodeName, *split, up...)
	}}
	s.b.addGraphNode(n, s.node)
	return &BranchedKStream{s: s, node: n, split: split, branches: map[string]*KStream{}}
}

// Branch adds a branch for the records that fn answers and that no branch before took.
func (k *BranchedKStream) Branch(fn Fn, o ...Branched) *BranchedKStream {
	c, _ := k.s.call(expr.Filter, fn)
	k.split.Predicates = append(k.split.Predicates, c)
	k.add(first(o), len(k.split.Predicates))
	return k
}

// DefaultBranch adds a branch for the records that no predicate took, and ends the split. The result maps the names of
// the branches to their streams.
func (k *BranchedKStream) DefaultBranch(o ...Branched) map[string]*KStream {
	k.split.Default = true
	k.add(first(o), 0)
	return k.branches
}

// NoDefaultBranch ends the split; records that no predicate took are dropped.
func (k *BranchedKStream) NoDefaultBranch() map[string]*KStream { return k.branches }

func (k *BranchedKStream) add(o Branched, number int) {
	name := k.node.name + o.Name
	if o.Name == "" {
		name += strconv.Itoa(number)
	}
	k.s.b.generate(name) // taken, not used
	if err := checkName(name); err != nil {
		k.s.b.fail(err)
	}
	k.s.b.names = append(k.s.b.names, name)
	branch := k.s.then(k.s.b.addProcessor(name, PassThrough{}, k.node))
	if o.Chain != nil {
		branch = o.Chain(branch)
	}
	if branch != nil {
		k.branches[name] = branch
	}
}
