package streams

// Topology is Kafka's low-level API: nodes with names of one's own, on top of what a StreamsBuilder's operators make or
// without any. Parents are named and stand before their children; a store may be added before or after those that use it.
type Topology struct{ b *StreamsBuilder }

// NewTopology is a Topology without operators, that of the module. applicationID is that of NewStreamsBuilder.
func NewTopology(applicationID string) *Topology { return NewStreamsBuilder(applicationID).Build() }

// Build is the Topology of what the builder describes, also of what it is told afterwards.
func (b *StreamsBuilder) Build() *Topology { return &Topology{b} }

// AddSource adds a node that reads topics. The Name of a Consumed is of no use here.
func (t *Topology) AddSource(name string, c Consumed, topics ...string) *Topology {
	var body object
	body.text("name", name)
	body.texts("topics", topics)
	c.write(&body)
	return t.call("addSource", body)
}

// AddSourcePattern adds a node that reads every topic whose whole name matches the regular expression (RE2 syntax).
func (t *Topology) AddSourcePattern(name string, c Consumed, pattern string) *Topology {
	var body object
	body.text("name", name)
	body.text("pattern", pattern)
	c.write(&body)
	return t.call("addSource", body)
}

// AddProcessor adds a node that hands what its parents forward to a processor (wasmstream.Process). The stores that the
// processor names are connected to it.
func (t *Topology) AddProcessor(name string, fn Function, parents ...string) *Topology {
	var body object
	body.text("name", name)
	body.texts("parents", parents)
	body.call(fn)
	body.stores(fn, nil)
	return t.call("addProcessor", body)
}

// AddSink adds a node that writes what its parents forward to a topic that exists. The Name of a Produced is of no use here.
func (t *Topology) AddSink(name, topic string, p Produced, parents ...string) *Topology {
	var body object
	body.text("name", name)
	body.texts("parents", parents)
	body.text("topic", topic)
	p.write(&body)
	return t.call("addSink", body)
}

// AddSinkExtracted adds a sink that writes each record to the topic that fn answers for it (wasmstream.TopicNameExtractor).
// The topics must exist.
func (t *Topology) AddSinkExtracted(name string, fn Function, p Produced, parents ...string) *Topology {
	var body object
	body.text("name", name)
	body.texts("parents", parents)
	body.function("topicExtractor", fn)
	p.write(&body)
	return t.call("addSink", body)
}

// AddStateStore adds a store and connects it to processors.
func (t *Topology) AddStateStore(s Store, processors ...string) *Topology {
	var body object
	body.raw("store", s.json())
	if len(processors) > 0 {
		body.texts("processors", processors)
	}
	return t.call("addStateStore", body)
}

// ConnectProcessorAndStateStores lets a processor use stores.
func (t *Topology) ConnectProcessorAndStateStores(processor string, stores ...string) *Topology {
	var body object
	body.text("processor", processor)
	body.texts("stores", stores)
	return t.call("connectProcessorAndStateStores", body)
}

// AddGlobalStore adds a store of which every instance has the whole, with the node that reads its topic and the processor
// (wasmstream.Process) that writes it from all partitions. Every processor may read it.
func (t *Topology) AddGlobalStore(s Store, sourceName string, c Consumed, topic, processorName string, fn Function) *Topology {
	return t.keeper("addGlobalStore", s, sourceName, c, topic, processorName, fn)
}

// AddReadOnlyStateStore adds a store of a topic (KIP-813), with the node that reads the topic and the processor
// (wasmstream.Process) that writes the store. The topic is what it is restored from.
func (t *Topology) AddReadOnlyStateStore(s Store, sourceName string, c Consumed, topic, processorName string, fn Function) *Topology {
	return t.keeper("addReadOnlyStateStore", s, sourceName, c, topic, processorName, fn)
}

func (t *Topology) keeper(method string, s Store, sourceName string, c Consumed, topic, processorName string, fn Function) *Topology {
	var body object
	body.raw("store", s.json())
	body.text("sourceName", sourceName)
	body.text("topic", topic)
	body.text("processorName", processorName)
	body.call(fn)
	c.write(&body)
	return t.call(method, body)
}

// call appends a call of a method.
func (t *Topology) call(method string, body object) *Topology {
	var entry object
	entry.raw(method, body.bytes())
	t.b.nodes = append(t.b.nodes, entry.bytes())
	return t
}
