// Package topology is a stream application as plain data: sources, processors, sinks and stores, how they hang
// together, the sub-topologies and tasks they fall into, the topics they need, and the text that describes them. It
// also holds what a processor sees while it runs (Record, Processor, Context) and the serialised forms it reads.
//
// It follows Kafka's Topology rule by rule, with errors where Kafka throws. It knows no Kafka client, no wasm and no
// clock; nothing in it does I/O.
package topology

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Topology is a graph of sources, processors and sinks with their stores, built node by node, parents first. It is not
// safe for concurrent use while it is built; afterwards it is read only. The zero value is not usable; see New.
type Topology struct {
	nodes    []*Node // in the order of adding, which is topological
	byName   map[string]*Node
	stores   []*StoreSpec
	users    map[string][]string // store -> processors, in the order of connecting
	internal map[string]int      // repartition topics, undecorated -> user's partition count or 0
	// copartitioned are groups of source nodes whose topics must have equal partition counts.
	copartitioned [][]string
	global        []*GlobalStore
	// sourceChangelogs are the source topics that stores are restored from, by store.
	sourceChangelogs map[string]string
}

// New returns an empty topology.
func New() *Topology {
	return &Topology{byName: map[string]*Node{}, users: map[string][]string{}, internal: map[string]int{}, sourceChangelogs: map[string]string{}}
}

// SourceOptions are what a source may say beyond its topics; the zero value takes the application's defaults.
type SourceOptions struct {
	KeySerde, ValueSerde Serde
	// OffsetReset is "", "earliest", "latest", "none" or "by_duration:PT6H".
	OffsetReset string
	// TimestampExtractor is Kafka's class name without the package, or "".
	TimestampExtractor string
	// Timestamps is asked for the time of each record in place of it. A record has the time of the message and in
	// StreamTime the largest time of the partition before it, -1 if there is none; the answer has the time in Timestamp,
	// below 0 to drop the record.
	Timestamps FunctionSupplier
	// KeyDeserializer and ValueDeserializer take keys and values out of the form of the topic, before the serdes see
	// them. They are asked with it as the value of a record, and answer the other form as the value.
	KeyDeserializer, ValueDeserializer FunctionSupplier
}

// AddSource adds a node that reads topics.
func (t *Topology) AddSource(name string, o SourceOptions, topics ...string) error {
	if err := t.checkNewName(name); err != nil {
		return err
	}
	if len(topics) == 0 {
		return errs.TopologyInvalid.New(name, "You must provide at least one topic", "name the topics to read").InKafka("TopologyException")
	}
	var faults []error
	for i, topic := range topics {
		faults = append(faults, t.checkTopicIsFree(name, topic, topics[:i]))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	n := sourceNode(name, o)
	n.Topics = slices.Clone(topics)
	_, n.Internal = t.internal[topics[0]]
	return t.add(n, nil)
}

// AddSourcePattern adds a node that reads every topic whose whole name matches pattern.
func (t *Topology) AddSourcePattern(name string, o SourceOptions, pattern string) error {
	if err := t.checkNewName(name); err != nil {
		return err
	}
	re, err := CompileTopicPattern(pattern)
	if err != nil {
		return errs.TopologyInvalid.New(name, fmt.Sprintf("the pattern %q is not a regular expression", pattern),
			"use RE2 syntax: no look-around and no back references").InKafka("TopologyException").WithCause(err)
	}
	for _, other := range t.nodes {
		if err := checkPatternIsFree(name, pattern, re, other); err != nil {
			return err
		}
	}
	n := sourceNode(name, o)
	n.Pattern = pattern
	return t.add(n, nil)
}

// CompileTopicPattern compiles a pattern on topic names: as with Java's matches(), the whole name must match.
func CompileTopicPattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`^(?:` + pattern + `)$`)
}

func sourceNode(name string, o SourceOptions) *Node {
	return &Node{
		Name: name, Kind: SourceNode, KeySerde: o.KeySerde, ValueSerde: o.ValueSerde,
		OffsetReset: o.OffsetReset, TimestampExtractor: o.TimestampExtractor, Timestamps: o.Timestamps,
		KeyForm: o.KeyDeserializer, ValueForm: o.ValueDeserializer,
	}
}

// AddProcessor adds a node that runs what supplier makes, below parents.
func (t *Topology) AddProcessor(name string, supplier ProcessorSupplier, parents ...string) error {
	if err := t.checkNewName(name); err != nil {
		return err
	}
	if supplier == nil {
		return errs.TopologyInvalid.New(name, "supplier must not be null", "give a processor").InKafka("NullPointerException")
	}
	up, err := t.parents("Processor", name, parents)
	if err != nil {
		return err
	}
	return t.add(&Node{Name: name, Kind: ProcessorNode, Supplier: supplier}, up)
}

// AddSink adds a node that writes what its parents forward to topic.
func (t *Topology) AddSink(name, topic string, o SinkOptions, parents ...string) error {
	if err := t.checkNewName(name); err != nil {
		return err
	}
	if topic == "" {
		return errs.TopologyInvalid.New(name, "topic must not be null", "name the topic to write").InKafka("NullPointerException")
	}
	up, err := t.parents("Sink", name, parents)
	if err != nil {
		return err
	}
	n := sinkNode(name, o)
	n.Topics = []string{topic}
	_, n.Internal = t.internal[topic]
	return t.add(n, up)
}

// AddStateStore adds a store and connects it to processors. The same spec may be added again; a different one under
// the same name is an error.
func (t *Topology) AddStateStore(spec *StoreSpec, processors ...string) error {
	if spec.Name == "" {
		return errs.TopologyInvalid.New("", "store name must not be null", "name the store").InKafka("NullPointerException")
	}
	if t.globalStore(spec.Name) != nil {
		return errs.TopologyStoreClash.New(spec.Name, "A different GlobalStateStore has already been added with the name "+spec.Name, "").Of(spec.Name)
	}
	if old := t.StoreSpec(spec.Name); old == nil {
		t.stores = append(t.stores, spec)
	} else if old != spec {
		return errs.TopologyStoreClash.New(spec.Name, "A different StateStore has already been added with the name "+spec.Name, "").Of(spec.Name)
	}
	if err := spec.Validate(); err != nil {
		return err
	}
	var faults []error
	for _, p := range processors {
		faults = append(faults, t.connect(p, spec.Name))
	}
	return errors.Join(faults...)
}

// ConnectProcessorAndStateStores lets processor use stores. Processors that share a store are in one sub-topology.
func (t *Topology) ConnectProcessorAndStateStores(processor string, stores ...string) error {
	if len(stores) == 0 {
		return errs.TopologyInvalid.New(processor, "stateStoreNames cannot be empty", "name the stores").InKafka("TopologyException")
	}
	var faults []error
	for _, s := range stores {
		faults = append(faults, t.connect(processor, s))
	}
	return errors.Join(faults...)
}

func (t *Topology) connect(processor, store string) error {
	if t.globalStore(store) != nil {
		return errs.TopologyInvalid.New(processor, "Global StateStore "+store+
			" can be used by a Processor without being specified; it should not be explicitly passed.", "leave the store out").InKafka("TopologyException").Of(store)
	}
	if t.StoreSpec(store) == nil {
		return errs.TopologyUnknownNode.New(processor, "StateStore "+store+" is not added yet.", errs.DidYouMean(store, t.storeNames())).Of(store)
	}
	n := t.byName[processor]
	if n == nil {
		return errs.TopologyUnknownNode.New(store, "Processor "+processor+" is not added yet.", errs.DidYouMean(processor, t.nodeNames())).Of(processor)
	}
	if n.Kind != ProcessorNode {
		return errs.TopologyInvalid.New(processor, "cannot connect a state store "+store+" to a source node or a sink node.", "connect it to the processor that uses it").InKafka("TopologyException").Of(processor)
	}
	if slices.Contains(n.Stores, store) {
		return nil
	}
	n.Stores = append(n.Stores, store)
	t.users[store] = append(t.users[store], processor)
	return nil
}

// AddInternalTopic declares topic, without the application's prefix, as a repartition topic of this application.
// partitions is the user's wish, or 0 to follow the sources that feed it. Declare it before the nodes that use it.
func (t *Topology) AddInternalTopic(topic string, partitions int) error {
	if partitions < 0 {
		return errs.TopologyInvalid.New(topic, "Number of partitions must be at least 1", "give a number from 1 on, or leave it out to have as many as the topics that are read").InKafka("TopologyException")
	}
	t.internal[topic] = partitions
	return nil
}

// InternalTopics are the repartition topics without the application's id, sorted.
func (t *Topology) InternalTopics() []string { return slices.Sorted(maps.Keys(t.internal)) }

// CopartitionSources demands that the topics of these source nodes have equal partition counts.
func (t *Topology) CopartitionSources(nodes ...string) {
	t.copartitioned = append(t.copartitioned, slices.Clone(nodes))
}

// Node returns the node of that name, or nil.
func (t *Topology) Node(name string) *Node { return t.byName[name] }

// Nodes are all nodes in the order in which they were added, parents before children. The slice is borrowed.
func (t *Topology) Nodes() []*Node { return t.nodes }

// StoreSpec returns the store of that name, or nil.
func (t *Topology) StoreSpec(name string) *StoreSpec {
	for _, s := range t.stores {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Stores are all stores in the order in which they were added. The slice is borrowed.
func (t *Topology) Stores() []*StoreSpec { return t.stores }

// Validate finds what can only be said of a whole topology. Build of the DSL calls it.
func (t *Topology) Validate() error {
	if !slices.ContainsFunc(t.nodes, func(n *Node) bool { return n.Kind == SourceNode }) {
		return errs.TopologyNoSource.New("topology",
			"Topology has no stream threads and no global threads, must subscribe to at least one source topic or global table.", "")
	}
	return t.checkGivenCounts()
}

// checkGivenCounts finds repartition topics that are to have equal counts and were given others. That no cluster can
// mend, so it need not be asked.
func (t *Topology) checkGivenCounts() error {
	var faults []error
	for _, sources := range t.copartitioned {
		given, counted, last := []string{}, map[int]bool{}, ""
		for _, name := range sources {
			if n := t.byName[name]; n != nil && len(n.Topics) > 0 && t.internal[n.Topics[0]] > 0 {
				count := t.internal[n.Topics[0]]
				given, counted[count], last = append(given, fmt.Sprintf("%s (%d)", n.Topics[0], count)), true, name
			}
		}
		if len(counted) > 1 {
			faults = append(faults, errs.TopicPartitions.New(last,
				"Following topics do not have the same number of partitions: "+strings.Join(given, ", "),
				"give both sides of the join the same number, or leave one out").InKafka("TopologyException"))
		}
	}
	return errors.Join(faults...)
}

func (t *Topology) add(n *Node, parents []*Node) error {
	n.Parents = parents
	for _, p := range parents {
		p.Children = append(p.Children, n)
	}
	n.Guests = n.guestUses()
	t.nodes = append(t.nodes, n)
	t.byName[n.Name] = n
	return nil
}

func (t *Topology) checkNewName(name string) error {
	if name == "" {
		return errs.TopologyInvalid.New("", "name must not be null", "name the node").InKafka("NullPointerException")
	}
	if t.byName[name] != nil {
		return errs.TopologyDuplicateName.New(name, "Processor "+name+" is already added.", "").Of(name)
	}
	return nil
}

func (t *Topology) checkTopicIsFree(source, topic string, before []string) error {
	taken := slices.Contains(before, topic)
	for _, n := range t.nodes {
		if n.Kind != SourceNode {
			continue
		}
		taken = taken || slices.Contains(n.Topics, topic)
		if n.MatchesPattern(topic) {
			return errs.TopologyTopicTaken.New(source, "Topic "+topic+" matches a Pattern already registered by another source.", "").Of(topic)
		}
	}
	if taken {
		return errs.TopologyTopicTaken.New(source, "Topic "+topic+" has already been registered by another source.", "").Of(topic)
	}
	return nil
}

func checkPatternIsFree(source, pattern string, re *regexp.Regexp, other *Node) error {
	if other.Kind != SourceNode {
		return nil
	}
	if slices.ContainsFunc(other.Topics, re.MatchString) {
		return errs.TopologyTopicTaken.New(source, "Pattern "+pattern+" will match a topic that has already been registered by another source.", "").Of(pattern)
	}
	if other.Pattern != "" && (strings.Contains(pattern, other.Pattern) || strings.Contains(other.Pattern, pattern)) {
		return errs.TopologyTopicTaken.New(source, "Pattern "+pattern+" will overlap with another pattern "+other.Pattern+" already been registered by another source", "").Of(pattern)
	}
	return nil
}

// MatchesPattern tells whether n is a source by pattern that reads topic.
func (n *Node) MatchesPattern(topic string) bool {
	if n.Pattern == "" {
		return false
	}
	re, err := CompileTopicPattern(n.Pattern)
	return err == nil && re.MatchString(topic)
}

func (t *Topology) parents(kind, name string, parents []string) ([]*Node, error) {
	if len(parents) == 0 {
		return nil, errs.TopologyNotConnected.New(name, kind+" "+name+": predecessorNames cannot be empty", "name the nodes that it reads")
	}
	up, faults := make([]*Node, 0, len(parents)), []error(nil)
	for _, parent := range parents {
		p := t.byName[parent]
		switch {
		case parent == name:
			faults = append(faults, errs.TopologyCycle.New(name, "Parent node "+parent+" is unknown (self-reference).", "name another parent").Of(parent))
		case p == nil:
			faults = append(faults, errs.TopologyUnknownNode.New(name, "Parent node "+parent+" is unknown.", errs.DidYouMean(parent, t.nodeNames())).Of(parent))
		case p.Kind == SinkNode:
			faults = append(faults, errs.TopologyInvalid.New(name, "Sink "+parent+" cannot be used a parent.", "name the parent of the sink").InKafka("TopologyException").Of(parent))
		case slices.Contains(up, p):
			faults = append(faults, errs.TopologyInvalid.New(name, "Processor "+parent+" is named twice as a parent", "name it once").Of(parent))
		case p.Global:
			faults = append(faults, errs.TopologyInvalid.New(name, parent+" belongs to a global store and cannot be a parent", "read the store in a processor, or the topic by a source of its own").Of(parent))
		}
		up = append(up, p)
	}
	return up, errors.Join(faults...)
}

func (t *Topology) nodeNames() []string {
	names := make([]string, len(t.nodes))
	for i, n := range t.nodes {
		names[i] = n.Name
	}
	return names
}

func (t *Topology) storeNames() []string {
	names := make([]string, len(t.stores))
	for i, s := range t.stores {
		names[i] = s.Name
	}
	return names
}
