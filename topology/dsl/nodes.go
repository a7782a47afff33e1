package dsl

import (
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// SourceOptions are c as Topology.AddSource takes it, for nodes that are added to what Build gives.
func (b *StreamsBuilder) SourceOptions(c Consumed) topology.SourceOptions {
	return b.sourceOptions(c, c.Key, c.Value)
}

// SinkOptions are p as Topology.AddSink takes it.
func (b *StreamsBuilder) SinkOptions(p Produced) topology.SinkOptions {
	return b.written(p).sinkOptions(p)
}

// TopicNameExtractor is fn as Topology.AddDynamicSink takes it, for a sink that writes as p says.
func (b *StreamsBuilder) TopicNameExtractor(fn Fn, p Produced) topology.FunctionSupplier {
	c, _ := b.written(p).call(expr.TopicNameExtractor, fn)
	return c
}

// written is a stream of the serdes that a sink writes by.
func (b *StreamsBuilder) written(p Produced) *KStream {
	return &KStream{b: b, key: p.Key, value: p.Value}
}
