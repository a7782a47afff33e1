package spec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// nodeCalls are the methods of Kafka's Topology as a document has them, by name: the entries of `topology`. Read only.
var nodeCalls = nodeCatalogue()

func nodeCallNames() []string { return slices.Sorted(maps.Keys(nodeCalls)) }

// Fields of the methods of Topology.
var (
	nodeName     = field{name: "name", form: aText, required: true, doc: "The node's name."}
	nodeParents  = field{name: "parents", form: texts, required: true, doc: "The names of the nodes that it reads, which stand before it: those of topology, and of operators."}
	guestStores  = field{name: "stores", form: storeRefs, doc: "The stores that it may use: names, or stores that come with it."}
	wholeStore   = field{name: "store", form: aWholeStore, required: true, doc: "The store."}
	aProcessor   = field{name: "guest", form: aText, required: true, doc: "The processor, as MODULE/COMPONENT."}
	keeperFields = []field{
		wholeStore,
		{name: "sourceName", form: aText, required: true, doc: "The name of the node that reads the topic."},
		{name: "topic", form: aText, required: true, doc: "The topic to read."},
		topicKey, topicValue,
		{name: "timestampExtractor", form: anExtract, doc: "Which time a record has."},
		{name: "processorName", form: aText, required: true, doc: "The name of the processor that writes the store."},
		aProcessor, confField,
	}
)

func nodeCatalogue() map[string]*operator {
	all := map[string]*operator{}
	for _, op := range []*operator{
		{name: "addSource", doc: "A node that reads topics.", fields: slices.Concat([]field{
			nodeName,
			{name: "topic", form: aText, doc: "The topic to read."},
			{name: "topics", form: texts, doc: "The topics to read."},
			{name: "pattern", form: aText, doc: "A regular expression; every topic whose whole name matches is read."},
		}, consumedFields), node: readSource},
		{name: "addProcessor", doc: "A node that hands what its parents forward to a guest processor.", fields: []field{nodeName, nodeParents, aProcessor, confField, guestStores}, node: readProcessor},
		{name: "addSink", doc: "A node that writes what its parents forward to a topic that exists.", fields: []field{
			nodeName, nodeParents,
			{name: "topic", form: aText, doc: "The topic to write."},
			{name: "topicExtractor", form: aFunction, doc: "A function that gives the topic of each record, in place of topic. The topics must exist."},
			topicKey, topicValue, partitioner,
		}, node: readSink},
		{name: "addStateStore", doc: "A store for processors.", fields: []field{wholeStore, {name: "processors", form: texts, doc: "The processors that may use it."}}, node: readStateStore},
		{name: "connectProcessorAndStateStores", doc: "Lets a processor use stores.", fields: []field{
			{name: "processor", form: aText, required: true, doc: "The processor."},
			{name: "stores", form: texts, required: true, doc: "The stores that it may use."},
		}, node: readConnect},
		{name: "addGlobalStore", doc: "A store of which every instance has the whole: the processor writes it from all partitions of the topic.", fields: keeperFields, node: readKeeper((*topology.Topology).AddGlobalStore)},
		{name: "addReadOnlyStateStore", doc: "A store of a topic: the processor writes it, others read it, and the topic is what it is restored from.", fields: keeperFields, node: readKeeper((*topology.Topology).AddReadOnlyStateStore)},
	} {
		all[op.name] = op
	}
	return all
}

// nodeCall is an entry of `topology`, read. It is made once the operators have made what they make.
type nodeCall struct {
	operation
	// names are those of the nodes that it adds.
	names []string
	// parents are the nodes that it reads.
	parents []string
	// store is the one that it adds, nil if that has faults.
	store *storeEntry
	// add is nil for entries that have faults, or only connect.
	add func(t *topology.Topology) error
}

// connection lets a processor use a store; at is where that stands.
type connection struct {
	processor, store string
	at               *value
}

// readNodes reads `topology`. What the builder of the operators finds of functions and serdes is told at their entries.
func (d *document) readNodes(v *value) {
	if v == nil || v.kind == null {
		return
	}
	if v.kind != sequence {
		d.faultAt(errs.YAMLInvalid, v, "topology is a list (got "+v.kindName()+")", "begin each entry with a dash")
		return
	}
	for _, item := range v.items {
		if c := d.nodeCall(item); c != nil {
			d.nodes = append(d.nodes, c)
		} else {
			d.uncertain = true // it may add a node or a store
		}
	}
	for _, c := range d.nodes {
		d.nodeStore(c)
	}
	for _, c := range d.nodes {
		faults, before := len(d.faults), len(d.builder.Faults())
		d.checkBody(&c.operation)
		if c.body.kind == mapping {
			c.op.node(d, c)
		}
		d.adopt(before, c.at, nil)
		if c.failed = len(d.faults) > faults; c.failed {
			c.add = nil
		}
	}
}

// nodeCall reads the frame of an entry: the name of a method of Topology.
func (d *document) nodeCall(item *value) *nodeCall {
	if !d.isMapping(item, "an entry of topology") {
		return nil
	}
	if len(item.entries) != 1 {
		d.faultAt(errs.YAMLInvalid, item, "an entry of topology has one key, the method to call", "write it as addProcessor: {name: ..., parents: [...]}")
		return nil
	}
	e := item.entries[0]
	method := nodeCalls[e.key]
	if method == nil {
		d.fault(errs.YAMLUnknownField, e.line, e.col, fmt.Sprintf("Topology has no %q", e.key), errs.DidYouMean(e.key, nodeCallNames()))
		return nil
	}
	c := &nodeCall{operation: operation{at: item, op: method, body: e.value, end: item.last()}}
	for _, key := range []string{"name", "sourceName", "processorName"} {
		if name := e.value.get(key); name != nil && name.kind == scalar && name.text != "" {
			c.names = append(c.names, name.text)
			if _, taken := d.app.NodeWhere[name.text]; !taken {
				d.app.NodeWhere[name.text] = d.where(item.line, item.col)
			}
		}
	}
	if len(c.names) > 0 {
		c.node = c.names[0]
	}
	return c
}

// nodeStore reads the store that an entry adds, before the entries that use stores are read: stores may stand anywhere.
func (d *document) nodeStore(c *nodeCall) {
	v := c.body.get("store")
	if v == nil || !slices.Contains(c.op.fieldNames(), "store") {
		return
	}
	faults := len(d.faults)
	spec, named := d.storeSpec(v, "a store")
	s := &storeEntry{at: entry{line: v.line, col: v.col}, spec: spec, used: c.op.name != "addStateStore" || len(d.faults) > faults}
	if named && d.describe(v, s) && len(d.faults) == faults {
		c.store = s
	}
}

// describe keeps a store, unless its name is taken.
func (d *document) describe(v *value, s *storeEntry) bool {
	if d.store(s.spec.Name) != nil {
		d.faultAt(errs.TopologyStoreClash, v.get("name"), fmt.Sprintf("the store %q is described twice", s.spec.Name), "")
		return false
	}
	d.stores = append(d.stores, s)
	return true
}

func readSource(d *document, c *nodeCall) {
	name, o := d.text(c.body.get("name"), "name"), d.builder.SourceOptions(d.consumed(&c.operation))
	topics, pattern := d.sourceTopics(&c.operation)
	switch {
	case pattern != "":
		c.add = func(t *topology.Topology) error { return t.AddSourcePattern(name, o, pattern) }
	case len(topics) > 0:
		c.add = func(t *topology.Topology) error { return t.AddSource(name, o, topics...) }
	}
}

func readProcessor(d *document, c *nodeCall) {
	name := d.text(c.body.get("name"), "name")
	d.readParents(c)
	stores := d.guestStores(c, name)
	guest := c.body.get("guest")
	if guest == nil {
		return // which is told already
	}
	fn, ok := d.guest(c.body, guest)
	if !ok {
		return
	}
	supplier := dsl.GuestProcessor(fn.Guest.Module, fn.Guest.Component).WithConfig(fn.Config)
	c.add = func(t *topology.Topology) error {
		faults := []error{t.AddProcessor(name, supplier, c.parents...)}
		for _, s := range stores {
			faults = append(faults, t.AddStateStore(&s.spec))
		}
		return errors.Join(faults...)
	}
}

// guestStores connects the processor to what `stores` names, and returns the stores that are described there.
func (d *document) guestStores(c *nodeCall, processor string) (own []*storeEntry) {
	list := c.body.get("stores")
	if list == nil || list.kind != sequence {
		d.connectAll(processor, list)
		return nil
	}
	for _, item := range list.items {
		if item.kind != mapping {
			d.connectAll(processor, item)
			continue
		}
		faults := len(d.faults)
		spec, named := d.storeSpec(item, "a store")
		if s := (&storeEntry{at: entry{line: item.line, col: item.col}, spec: spec, used: true}); named && d.describe(item, s) && len(d.faults) == faults {
			own = append(own, s)
			d.connections = append(d.connections, connection{processor, spec.Name, item.get("name")})
		}
	}
	return own
}

// connectAll connects the processor to the stores that v names.
func (d *document) connectAll(processor string, v *value) {
	for i, store := range d.texts(v, "stores") {
		if s := d.store(store); s != nil {
			s.used = true
		}
		d.connections = append(d.connections, connection{processor, store, v.item(i)})
	}
}

// readParents reads the nodes that an entry reads. Operators among them are read by it.
func (d *document) readParents(c *nodeCall) {
	v := c.body.get("parents")
	c.parents = d.texts(v, "parents")
	if v != nil && v.kind == sequence && len(v.items) == 0 {
		d.faultAt(errs.TopologyNotConnected, v, c.op.name+" needs a parent", "name the nodes that it reads")
	}
	for _, op := range d.ops {
		for _, parent := range c.parents {
			op.consumed = op.consumed || d.app.NodeWhere[parent] == d.where(op.at.line, op.at.col)
		}
	}
}

func readSink(d *document, c *nodeCall) {
	name, topic, extractor := d.text(c.body.get("name"), "name"), c.body.get("topic"), c.body.get("topicExtractor")
	d.readParents(c)
	p, ok := d.produced(&c.operation), true
	if p.Partitioner, ok = d.given(&c.operation, "partitioner"); !ok {
		return
	}
	o := d.builder.SinkOptions(p)
	switch {
	case topic != nil && extractor != nil:
		d.faultAt(errs.YAMLInvalid, extractor, "addSink has a topic or a topicExtractor, not both", "remove one")
	case extractor != nil:
		if fn, ok := d.aside(&c.operation, extractor, "topicExtractor"); ok {
			by := d.builder.TopicNameExtractor(fn, p)
			c.add = func(t *topology.Topology) error { return t.AddDynamicSink(name, by, o, c.parents...) }
		}
	default:
		if to := d.required(c.body, "topic", "addSink", c.op.fieldNames()); to != "" {
			c.add = func(t *topology.Topology) error { return t.AddSink(name, to, o, c.parents...) }
		}
	}
}

func readStateStore(d *document, c *nodeCall) {
	s, list := c.store, c.body.get("processors")
	processors := d.texts(list, "processors")
	if s == nil {
		return // which is told already
	}
	for i, processor := range processors {
		s.used = true
		d.connections = append(d.connections, connection{processor, s.spec.Name, list.item(i)})
	}
	c.add = func(t *topology.Topology) error { return t.AddStateStore(&s.spec) }
}

func readConnect(d *document, c *nodeCall) {
	d.connectAll(d.text(c.body.get("processor"), "processor"), c.body.get("stores"))
}

// addKeeper is how a Topology adds a store with the source that feeds it and the processor that writes it.
type addKeeper func(t *topology.Topology, s *topology.StoreSpec, source string, o topology.SourceOptions, topic, processor string, p topology.ProcessorSupplier) error

// readKeeper reads a store that a processor of its own writes from a topic.
func readKeeper(add addKeeper) func(d *document, c *nodeCall) {
	return func(d *document, c *nodeCall) {
		source, processor, topic := d.text(c.body.get("sourceName"), "sourceName"), d.text(c.body.get("processorName"), "processorName"), d.text(c.body.get("topic"), "topic")
		o := d.builder.SourceOptions(d.consumed(&c.operation))
		guest, s := c.body.get("guest"), c.store
		if guest == nil || s == nil {
			return // which is told already
		}
		fn, ok := d.guest(c.body, guest)
		if !ok {
			return
		}
		supplier := dsl.GuestProcessor(fn.Guest.Module, fn.Guest.Component).WithConfig(fn.Config)
		c.add = func(t *topology.Topology) error { return add(t, &s.spec, source, o, topic, processor, supplier) }
	}
}

// standIn begins the topic of a source that stands where a node was refused, so that those who read from it are judged by
// what is wrong with themselves. No topic has it, and such a topology is never used.
const standIn = "\n"

// addNodes adds the entries of `topology` to what the operators made, and tells what is wrong with each.
func (d *document) addNodes(t *topology.Topology) {
	refused := map[string]bool{}
	for _, c := range d.nodes {
		switch {
		case c.add != nil:
			d.refuse(c, c.add(t))
		case c.failed && len(c.names) > 0 && len(c.parents) > 0:
			d.refuse(c, t.AddProcessor(c.names[0], dsl.Process{}, c.parents...)) // its parents can be judged all the same
		}
		for _, name := range c.names {
			if t.Node(name) == nil {
				refused[name] = true
				_ = t.AddSource(name, topology.SourceOptions{}, standIn+name)
			}
		}
	}
	for _, c := range d.connections {
		if refused[c.processor] || d.follows(t, c) {
			continue
		}
		for _, err := range errs.Flatten(t.ConnectProcessorAndStateStores(c.processor, c.store)) {
			d.faults = append(d.faults, d.relocate(err, c.at, nil))
		}
	}
}

// follows tells whether what c lacks is missing because of a fault that is told already.
func (d *document) follows(t *topology.Topology, c connection) bool {
	global := slices.ContainsFunc(t.GlobalStores(), func(g *topology.GlobalStore) bool { return g.Store.Name == c.store })
	if t.StoreSpec(c.store) == nil && !global && (d.uncertain || d.store(c.store) != nil) {
		return true
	}
	return t.Node(c.processor) == nil && d.uncertain
}

// refuse tells what a Topology said to an entry, at the name that it is about.
func (d *document) refuse(c *nodeCall, err error) {
	for _, e := range errs.Flatten(err) {
		var coded *errs.Error
		if !errors.As(e, &coded) {
			d.faults = append(d.faults, e)
			continue
		}
		fault := *coded
		if unknown := errs.TopologyUnknownNode.Is(e); unknown && d.addsLater(c, coded.Subject) {
			fault.Fix = "put the entry of " + coded.Subject + " before this one"
		} else if unknown && d.uncertain {
			continue // an operator with a fault may be what is meant
		}
		d.faults = append(d.faults, d.relocate(&fault, c.subject(&fault), nil))
	}
}

// addsLater tells whether an entry after c adds the node.
func (d *document) addsLater(c *nodeCall, name string) bool {
	later := d.nodes[slices.Index(d.nodes, c)+1:]
	return slices.ContainsFunc(later, func(l *nodeCall) bool { return slices.Contains(l.names, name) })
}

// subjectKeys are the fields in which the subject of a fault stands, by its code.
var subjectKeys = map[string][]string{
	errs.TopologyDuplicateName.ID: {"name", "sourceName", "processorName"},
	errs.TopologyTopicTaken.ID:    {"topic", "topics", "pattern"},
	errs.TopologyStoreClash.ID:    {"store", "stores"},
}

// subject is where in the entry stands what a fault is about; the entry, if that cannot be told.
func (c *nodeCall) subject(fault *errs.Error) *value {
	keys := subjectKeys[fault.Code]
	if keys == nil {
		keys = []string{"parents", "pattern", "store", "stores"}
	}
	for _, key := range keys {
		if v := findScalar(c.body.get(key), cmp.Or(fault.Subject, fault.Where), nil); v != nil {
			return v
		}
	}
	return c.at
}
