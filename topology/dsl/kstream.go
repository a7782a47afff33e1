package dsl

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// KStream is a stream of records on its way through the topology. Each method adds an operator and returns the stream
// behind it; a stream may be used by several operators, which see its records in the order in which they were added.
type KStream struct {
	b    *StreamsBuilder
	node *graphNode
	// key and value are the serdes as far as they are known; nil is the application's default.
	key, value topology.Serde
	// rekeyed streams are repartitioned before the next operator that groups or joins.
	rekeyed bool
	// sources are the names of the source nodes whose partitions the records are in.
	sources []string
	// repartitioned is the repartition before joins, shared by all joins of this stream.
	repartitioned *graphNode
	// beside are the nodes of streams that And has put to this one.
	beside []*graphNode
}

// And is this stream and others for one operator that is the child of all of them, as a Topology's addProcessor and
// addSink take several parents: there is no node between, unlike with Merge. Process, ProcessValues, To and ToExtracted
// take it so.
func (s *KStream) And(others ...*KStream) *KStream {
	r := *s
	r.beside = slices.Clone(s.beside)
	for _, o := range others {
		r.beside = append(append(r.beside, o.node), o.beside...)
		r.rekeyed, r.sources = r.rekeyed || o.rekeyed, union(r.sources, o.sources)
		if r.key != o.key {
			r.key = nil
		}
		if r.value != o.value {
			r.value = nil
		}
	}
	return &r
}

// parents are the nodes that the stream comes from.
func (s *KStream) parents() []*graphNode { return append([]*graphNode{s.node}, s.beside...) }

// Name is the name of the node that the stream comes from.
func (s *KStream) Name() string { return s.node.name }

// KeySerde and ValueSerde are those of the stream's records as far as they are known, else nil.
func (s *KStream) KeySerde() topology.Serde { return s.key }

// ValueSerde is that of the values; see KeySerde.
func (s *KStream) ValueSerde() topology.Serde { return s.value }

// Filter keeps the records that fn answers.
func (s *KStream) Filter(fn Fn, name ...Named) *KStream { return s.filter(fn, false, name) }

// FilterNot drops the records that fn answers.
func (s *KStream) FilterNot(fn Fn, name ...Named) *KStream { return s.filter(fn, true, name) }

func (s *KStream) filter(fn Fn, not bool, name []Named) *KStream {
	c, _ := s.call(expr.Filter, fn)
	return s.then(s.processor(first(name), filterName, Filter{Call: c, Not: not}))
}

// MapValues replaces each value by the one that fn answers.
func (s *KStream) MapValues(fn Fn, name ...Named) *KStream {
	c, out := s.call(expr.MapValues, fn)
	r := s.then(s.processor(first(name), mapValuesName, MapValues{Call: c}))
	r.node.valueChanging = true
	r.value = out.Value
	return r
}

// FlatMapValues replaces each value by any number of values.
func (s *KStream) FlatMapValues(fn Fn, name ...Named) *KStream {
	c, out := s.call(expr.FlatMapValues, fn)
	r := s.then(s.processor(first(name), flatMapValuesName, FlatMapValues{Call: c}))
	r.node.valueChanging = true
	r.value = out.Value
	return r
}

// Map replaces key and value. Grouping afterwards repartitions.
func (s *KStream) Map(fn Fn, name ...Named) *KStream {
	c, out := s.call(expr.Map, fn)
	return s.rekey(s.processor(first(name), mapName, Map{Call: c}), out.Key, out.Value)
}

// FlatMap replaces each record by any number of records. Grouping afterwards repartitions.
func (s *KStream) FlatMap(fn Fn, name ...Named) *KStream {
	c, out := s.call(expr.FlatMap, fn)
	return s.rekey(s.processor(first(name), flatMapName, FlatMap{Call: c}), out.Key, out.Value)
}

// SelectKey gives each record the key that fn answers. Grouping afterwards repartitions.
func (s *KStream) SelectKey(fn Fn, name ...Named) *KStream {
	c, out := s.call(expr.SelectKey, fn)
	return s.rekey(s.processor(first(name), keySelectName, SelectKey{Call: c}), out.Key, s.value)
}

// Peek shows each record to fn and passes it on.
func (s *KStream) Peek(fn Fn, name ...Named) *KStream {
	c, _ := s.call(expr.Foreach, fn)
	return s.then(s.processor(first(name), peekName, Peek{Call: c}))
}

// Foreach shows each record to fn; nothing comes after it.
func (s *KStream) Foreach(fn Fn, name ...Named) {
	c, _ := s.call(expr.Foreach, fn)
	s.processor(first(name), foreachName, Foreach{Call: c})
}

// Merge is the records of both streams, in no order between them.
func (s *KStream) Merge(other *KStream, name ...Named) *KStream {
	n := s.b.addProcessor(s.b.nodeName(first(name), mergeName), PassThrough{}, s.node, other.node)
	n.merges = true
	r := &KStream{b: s.b, node: n, rekeyed: s.rekeyed || other.rekeyed, sources: union(s.sources, other.sources)}
	if s.key == other.key {
		r.key = s.key
	}
	if s.value == other.value {
		r.value = s.value
	}
	return r
}

// GroupBy gives each record the key that fn answers and groups by it. An aggregation afterwards repartitions.
func (s *KStream) GroupBy(fn Fn, o ...Grouped) *KGroupedStream {
	g := first(o)
	if fn.OutKey == "" {
		fn.OutKey = serdeName(g.Key)
	}
	c, out := s.call(expr.SelectKey, fn)
	n := s.processor(Named(g.Name), keySelectName, SelectKey{Call: c})
	n.keyChanging = true
	g.Key, g.Value = cmp.Or(g.Key, out.Key), cmp.Or(g.Value, s.value)
	return &KGroupedStream{b: s.b, node: n, grouped: g, rekeyed: true, sources: s.sources}
}

// GroupByKey groups by the key as it is. An aggregation afterwards repartitions only if the key was changed before.
func (s *KStream) GroupByKey(o ...Grouped) *KGroupedStream {
	g := first(o)
	if err := checkName(g.Name); err != nil {
		s.b.fail(err)
	}
	g.Key, g.Value = cmp.Or(g.Key, s.key), cmp.Or(g.Value, s.value)
	return &KGroupedStream{b: s.b, node: s.node, grouped: g, rekeyed: s.rekeyed, sources: s.sources}
}

// Repartition writes the stream to a topic of its own, by key, and reads it from there.
func (s *KStream) Repartition(o ...Repartitioned) *KStream {
	r := first(o)
	if err := checkName(r.Name); err != nil {
		s.b.fail(err)
	}
	name := r.Name
	if name == "" {
		name = s.b.generate(repartitionName)
	}
	r.Key, r.Value = cmp.Or(r.Key, s.key), cmp.Or(r.Value, s.value)
	p := s.b.newRepartition(name, r)
	p.partitioner = s.partitioner(r.Partitioner)
	n := p.graphNode()
	n.repartition = nil // this one was asked for
	s.b.addGraphNode(n, s.node)
	return &KStream{b: s.b, node: n, key: r.Key, value: r.Value, sources: []string{p.source}}
}

// Process hands the records to a processor of the user, with the stores that it may use. The key counts as changed,
// but a stateful processor afterwards is not repartitioned: say Repartition.
func (s *KStream) Process(supplier topology.ProcessorSupplier, name Named, stores ...string) *KStream {
	return s.rekey(s.process(supplier, name, processorName, stores), nil, nil)
}

// ProcessValues is Process for a processor that leaves keys alone.
func (s *KStream) ProcessValues(supplier topology.ProcessorSupplier, name Named, stores ...string) *KStream {
	r := s.then(s.process(supplier, name, processValuesName, stores))
	r.node.valueChanging = true
	r.value = nil
	return r
}

func (s *KStream) process(supplier topology.ProcessorSupplier, given Named, prefix string, stores []string) *graphNode {
	name := string(given)
	if name == "" {
		name = s.b.generate(prefix) // a given name takes no index here, unlike elsewhere
	}
	if err := checkName(name); err != nil {
		s.b.fail(err)
	}
	s.b.names = append(s.b.names, name)
	n := &graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		if err := t.AddProcessor(name, supplier, up...); err != nil || len(stores) == 0 {
			return err
		}
		return t.ConnectProcessorAndStateStores(name, stores...)
	}}
	s.b.addGraphNode(n, s.parents()...)
	return n
}

// To writes the stream to a topic that exists.
func (s *KStream) To(topic string, o ...Produced) {
	p := first(o)
	name := s.b.nodeName(Named(p.Name), sinkName)
	s.checkProduced(name, p)
	options := s.sinkOptions(p)
	s.b.addGraphNode(&graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		return t.AddSink(name, topic, options, up...)
	}}, s.parents()...)
}

// ToExtracted writes each record to the topic that extractor answers for it (Kafka's to with a TopicNameExtractor). The
// topics must exist.
func (s *KStream) ToExtracted(extractor Fn, o ...Produced) {
	p := first(o)
	name := s.b.nodeName(Named(p.Name), sinkName)
	s.checkProduced(name, p)
	c, _ := s.call(expr.TopicNameExtractor, extractor)
	options := s.sinkOptions(p)
	s.b.addGraphNode(&graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		return t.AddDynamicSink(name, c, options, up...)
	}}, s.parents()...)
}

func (s *KStream) sinkOptions(p Produced) topology.SinkOptions {
	key, value := cmp.Or(p.Key, s.key), cmp.Or(p.Value, s.value)
	return topology.SinkOptions{
		KeySerde: key, ValueSerde: value, Partitioner: s.partitioner(p.Partitioner),
		KeySerializer: s.b.form(expr.Serializer, p.KeySerializer, key, true), ValueSerializer: s.b.form(expr.Serializer, p.ValueSerializer, value, false),
	}
}

// partitioner is the function as a sink asks it, nil for none.
func (s *KStream) partitioner(fn Fn) topology.FunctionSupplier {
	if !fn.isSet() {
		return nil
	}
	c, _ := s.call(expr.Partitioner, fn)
	return Partitioner{c}
}

// checkProduced finds what would be a ClassCastException in Java.
func (s *KStream) checkProduced(node string, p Produced) {
	check := func(what string, have, want topology.Serde) {
		if have == nil || want == nil || have == want || have == topology.Bytes || want == topology.Bytes {
			return
		}
		s.b.fail(errs.TopologyInvalid.New(node, "the "+what+" is "+have.Name()+" here but is written as "+want.Name(),
			"write it as "+have.Name()+", or convert it by mapValues before"))
	}
	check("key", s.key, p.Key)
	check("value", s.value, p.Value)
}

// then is the stream behind n with the serdes as they were.
func (s *KStream) then(n *graphNode) *KStream {
	return &KStream{b: s.b, node: n, key: s.key, value: s.value, rekeyed: s.rekeyed, sources: s.sources}
}

func (s *KStream) rekey(n *graphNode, key, value topology.Serde) *KStream {
	n.keyChanging = true
	return &KStream{b: s.b, node: n, key: key, value: value, rekeyed: true, sources: s.sources}
}

func (s *KStream) processor(given Named, prefix string, supplier topology.ProcessorSupplier) *graphNode {
	return s.b.addProcessor(s.b.nodeName(given, prefix), supplier, s.node)
}

// call places fn here, checks it, and says which serdes its results have as far as that can be known now.
func (s *KStream) call(kind expr.Kind, fn Fn) (Call, expr.Types) {
	c := Call{
		Fn: fn, Kind: kind,
		KeySerde:   serdeName(cmp.Or(s.key, s.b.defaults.Key)),
		ValueSerde: serdeName(cmp.Or(s.value, s.b.defaults.Value)),
	}
	out, err := fn.outTypes()
	switch {
	case err != nil:
		s.b.fail(err)
	case !fn.isSet():
		s.b.fail(errs.TopologyInvalid.New(s.b.next(), string(kind)+" needs a function", "give a guest component or an expression"))
	case fn.isExpr() && c.KeySerde != "" && c.ValueSerde != "":
		p, err := fn.compile(kind, expr.Types{Key: cmp.Or(s.key, s.b.defaults.Key), Value: cmp.Or(s.value, s.b.defaults.Value)})
		if err != nil {
			s.b.fail(located(err, s.b.next()))
			break
		}
		out = p.Out()
	}
	return c, out
}

// next is how messages name an operator that has no node yet.
func (b *StreamsBuilder) next() string {
	if len(b.names) == 0 {
		return "the first operator"
	}
	return "the operator after " + b.names[len(b.names)-1]
}

// repartition is a repartition topic with the nodes around it.
type repartition struct {
	topic, filter, sink, source string
	partitions                  int
	key, value                  topology.Serde
	partitioner                 topology.FunctionSupplier
}

var generatedName = regexp.MustCompile(`^KSTREAM.*-[0-9]{10}$`)

// newRepartition names the nodes as Kafka does: after the topic if its name was given, else by three new indices, which
// are taken in any case.
func (b *StreamsBuilder) newRepartition(name string, r Repartitioned) repartition {
	topic := strings.TrimSuffix(name, topology.RepartitionSuffix) + topology.RepartitionSuffix
	p := repartition{topic: topic, partitions: r.Partitions, key: r.Key, value: r.Value}
	p.sink, p.filter, p.source = b.generate(sinkName), b.generate(filterName), b.generate(sourceName)
	if !generatedName.MatchString(name) {
		p.sink, p.filter, p.source = topic+"-sink", topic+"-filter", topic+"-source"
	}
	b.names = append(b.names, p.filter, p.sink, p.source)
	return p
}

// graphNode drops null keys before the topic, unless a left or outer join comes after it, which takes them (KIP-962).
func (p repartition) graphNode() *graphNode {
	n := &graphNode{name: p.source, repartition: &p}
	n.lower = func(t *topology.Topology, up []string) error {
		if err := t.AddInternalTopic(p.topic, p.partitions); err != nil {
			return err
		}
		var filter topology.ProcessorSupplier = NotNullKey{}
		if n.nullKeysBelow() {
			filter = PassThrough{}
		}
		if err := t.AddProcessor(p.filter, filter, up...); err != nil {
			return err
		}
		if err := t.AddSink(p.sink, p.topic, topology.SinkOptions{KeySerde: p.key, ValueSerde: p.value, Partitioner: p.partitioner}, p.filter); err != nil {
			return err
		}
		// Kafka reads its own topics with FailOnInvalidTimestamp whatever the default is.
		return t.AddSource(p.source, topology.SourceOptions{
			KeySerde: p.key, ValueSerde: p.value, TimestampExtractor: "FailOnInvalidTimestamp",
		}, p.topic)
	}
	return n
}
