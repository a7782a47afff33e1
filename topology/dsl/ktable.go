package dsl

import "github.com/wasmstream/wasmstream/topology"

// KTable is a table: the latest value of each key, and the stream of its changes.
type KTable struct {
	b          *StreamsBuilder
	node       *graphNode
	key, value topology.Serde
	store      string
	// sources are the names of the source nodes whose partitions the rows are in.
	sources []string
}

// Name is the name of the node that the table comes from.
func (t *KTable) Name() string { return t.node.name }

// QueryableStoreName is the name given to the table's store, or "".
func (t *KTable) QueryableStoreName() string { return t.store }

// ToStream is the changes of the table as a stream.
func (t *KTable) ToStream(name ...Named) *KStream {
	n := t.b.addProcessor(t.b.nodeName(first(name), toStreamName), ToStream{}, t.node)
	return &KStream{b: t.b, node: n, key: t.key, value: t.value, sources: t.sources}
}
