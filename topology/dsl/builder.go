// Package dsl is the Kafka Streams DSL: StreamsBuilder, KStream, KGroupedStream, KTable, with Kafka's method names, node
// names, numbering and results, lowered to plain topology nodes.
//
// It knows how each operator works on records and stores. It does not know where records come from, how stores are made
// or how guests run: a processor finds those in its topology.Context. The suppliers (Filter, MapValues, Count, ...) are
// plain data, so that a topology can be written down and compared; user functions are Fn values.
//
// Errors are collected while a topology is described, and all of them come back from Build.
package dsl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// StreamsBuilder describes a topology. It is for one goroutine.
type StreamsBuilder struct {
	root     *graphNode
	index    int
	priority int
	names    []string
	faults   []error
	defaults Defaults
	// copartitioned are groups of source nodes whose topics must have equal partition counts.
	copartitioned [][]string
	optimizations []string
	explicitNames bool
	// storeNames are those that were generated, whether there is such a store or not.
	storeNames []string
	// graph are all nodes, in the order in which they were added.
	graph []*graphNode
}

// Defaults are the application's serdes and kind of store for places that name none. Given to the builder they let expressions be
// checked by Build; otherwise the processors read default.key.serde and default.value.serde when they start.
type Defaults struct {
	Key, Value topology.Serde
	// InMemory keeps the stores of tables, aggregations and joins in memory where no one says otherwise
	// (dsl.store.suppliers.class). Versioned stores are always on disk.
	InMemory bool
}

// NewStreamsBuilder returns an empty builder.
func NewStreamsBuilder(defaults ...Defaults) *StreamsBuilder {
	return &StreamsBuilder{root: &graphNode{name: "root"}, defaults: first(defaults)}
}

// Stream reads a topic.
func (b *StreamsBuilder) Stream(topic string, o ...Consumed) *KStream {
	return b.StreamTopics([]string{topic}, o...)
}

// StreamTopics reads several topics as one stream.
func (b *StreamsBuilder) StreamTopics(topics []string, o ...Consumed) *KStream {
	return b.stream(&sourceGraph{topics: slices.Clone(topics)}, first(o))
}

// StreamPattern reads every topic whose whole name matches the regular expression (RE2 syntax).
func (b *StreamsBuilder) StreamPattern(pattern string, o ...Consumed) *KStream {
	return b.stream(&sourceGraph{pattern: pattern}, first(o))
}

func (b *StreamsBuilder) stream(s *sourceGraph, c Consumed) *KStream {
	name := b.nodeName(Named(c.Name), sourceName)
	s.reset = c.OffsetReset
	options := b.sourceOptions(c, c.Key, c.Value)
	n := &graphNode{name: name, source: s, lower: func(t *topology.Topology, _ []string) error {
		if s.pattern != "" {
			return t.AddSourcePattern(name, options, s.pattern)
		}
		return t.AddSource(name, options, s.topics...)
	}}
	b.addGraphNode(n, b.root)
	return &KStream{b: b, node: n, key: c.Key, value: c.Value, sources: []string{name}}
}

// AddStateStore makes a store for processors (KStream.Process) to connect to.
func (b *StreamsBuilder) AddStateStore(spec topology.StoreSpec) *StreamsBuilder {
	if err := checkName(spec.Name); err != nil {
		b.fail(err)
	}
	invalid := errs.Flatten(spec.Validate())
	for _, err := range invalid {
		b.fail(err)
	}
	b.addGraphNode(&graphNode{name: spec.Name, lower: func(t *topology.Topology, _ []string) error {
		err := t.AddStateStore(&spec)
		if len(invalid) > 0 && !errs.TopologyStoreClash.Is(err) {
			return nil // told already
		}
		return err
	}}, b.root)
	return b
}

// Optimize sets topology.optimization: none, all, or names separated by commas.
func (b *StreamsBuilder) Optimize(setting string) *StreamsBuilder {
	names, err := readOptimizations(setting)
	if err != nil {
		b.fail(err)
	}
	b.optimizations = names
	return b
}

// Build lowers what was described. The error joins all faults. A builder builds once.
func (b *StreamsBuilder) Build() (*topology.Topology, error) {
	t, faults := b.Draft()
	if len(faults) == 0 {
		faults = append(faults, t.Validate())
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return t, nil
}

// Draft is Build for who adds nodes to the topology and has Validate judge the whole then. Beside faults the topology is
// there too, with stand-ins for what was refused, so that what is added can be judged by itself; it must not be used.
func (b *StreamsBuilder) Draft() (*topology.Topology, []error) {
	t := topology.New()
	if b.root.written {
		return t, []error{errors.New("this StreamsBuilder was built already")}
	}
	merged := mergeSources(b.root)
	b.optimize()
	merged = append(merged, enableVersioned(b.root)...)
	faults := slices.Concat(b.faults, merged, lowerGraph(b.root, t))
	for _, sources := range b.copartitioned {
		t.CopartitionSources(sources...)
	}
	if b.explicitNames {
		faults = append(faults, b.unnamedResources(t)...)
	}
	return t, faults
}

// Faults are the errors so far, in the order of the calls that caused them. Build finds more.
func (b *StreamsBuilder) Faults() []error { return b.faults }

// NodeNames are the names of nodes given and generated so far, in order. Generated names that Kafka burns when a name
// is given are not among them.
func (b *StreamsBuilder) NodeNames() []string { return b.names }

// copartition demands equal partition counts of the topics of all these sources.
func (b *StreamsBuilder) copartition(sources ...[]string) {
	b.copartitioned = append(b.copartitioned, union(sources...))
}

// union is the names of all lists, each once, in the order of their first places.
func union(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, name := range list {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (b *StreamsBuilder) fail(err error) { b.faults = append(b.faults, err) }

// Prefixes of generated names.
const (
	sourceName        = "KSTREAM-SOURCE-"
	sinkName          = "KSTREAM-SINK-"
	filterName        = "KSTREAM-FILTER-"
	mapName           = "KSTREAM-MAP-"
	mapValuesName     = "KSTREAM-MAPVALUES-"
	flatMapName       = "KSTREAM-FLATMAP-"
	flatMapValuesName = "KSTREAM-FLATMAPVALUES-"
	keySelectName     = "KSTREAM-KEY-SELECT-"
	peekName          = "KSTREAM-PEEK-"
	foreachName       = "KSTREAM-FOREACH-"
	branchName        = "KSTREAM-BRANCH-"
	mergeName         = "KSTREAM-MERGE-"
	processorName     = "KSTREAM-PROCESSOR-"
	processValuesName = "KSTREAM-PROCESSVALUES-"
	repartitionName   = "KSTREAM-REPARTITION-"
	aggregateName     = "KSTREAM-AGGREGATE-"
	toStreamName      = "KTABLE-TOSTREAM-"
)

// generate takes the next index. Kafka takes one also where a given name makes it unnecessary.
func (b *StreamsBuilder) generate(prefix string) string {
	name := fmt.Sprintf("%s%010d", prefix, b.index)
	b.index++
	return name
}

// nodeName is the given name or a generated one; either way an index is gone.
func (b *StreamsBuilder) nodeName(given Named, prefix string) string {
	name := b.generate(prefix)
	if given != "" {
		name = string(given)
		if err := checkName(name); err != nil {
			b.fail(err)
		}
	}
	b.names = append(b.names, name)
	return name
}

func (b *StreamsBuilder) storeName(prefix string) string {
	name := b.generate(prefix + "STATE-STORE-")
	b.storeNames = append(b.storeNames, name)
	return name
}

func (b *StreamsBuilder) addGraphNode(n *graphNode, parents ...*graphNode) {
	for _, p := range parents {
		p.addChild(n)
	}
	b.priority++
	n.priority = b.priority
	b.graph = append(b.graph, n)
}

// addProcessor adds an operator that becomes one processor node.
func (b *StreamsBuilder) addProcessor(name string, s topology.ProcessorSupplier, parents ...*graphNode) *graphNode {
	n := &graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		return t.AddProcessor(name, s, up...)
	}}
	b.addGraphNode(n, parents...)
	return n
}
