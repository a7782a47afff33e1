package topology

import (
	"errors"
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// GlobalStore is a store of which every instance of the application has the whole: its processor writes it from all
// partitions of one topic, before anything else starts and from then on. The topic is what it is restored from.
type GlobalStore struct {
	Store             *StoreSpec
	Source, Processor *Node
	// Reprocess: the processor sees the records that the store is restored from too (KIP-813); otherwise they are its
	// rows as they are.
	Reprocess bool
}

// AddGlobalStore adds a store with the source that reads its topic and the processor that writes it, which sees the
// records that the store is restored from too. Every processor of the topology may read it without being connected.
func (t *Topology) AddGlobalStore(spec *StoreSpec, source string, o SourceOptions, topic, processor string, s ProcessorSupplier) error {
	_, isTable := s.(interface{ RestoresRows() })
	if err := errors.Join(t.checkGlobal(spec, source, topic, processor, s), spec.Validate()); err != nil {
		return err
	}
	in := sourceNode(source, o)
	in.Topics, in.Global = []string{topic}, true
	out := &Node{Name: processor, Kind: ProcessorNode, Supplier: s, Stores: []string{spec.Name}, Global: true}
	spec.LoggingDisabled = true
	t.global = append(t.global, &GlobalStore{Store: spec, Source: in, Processor: out, Reprocess: !isTable})
	if err := t.add(in, nil); err != nil {
		return err
	}
	return t.add(out, []*Node{in})
}

func (t *Topology) checkGlobal(spec *StoreSpec, source, topic, processor string, s ProcessorSupplier) error {
	if err := errors.Join(t.checkNewName(source), t.checkNewName(processor)); err != nil {
		return err
	}
	switch {
	case source == processor:
		return errs.TopologyDuplicateName.New(source, "sourceName and processorName must be different.", "").Of(source)
	case s == nil:
		return errs.TopologyInvalid.New(processor, "supplier must not be null", "give a processor").InKafka("NullPointerException")
	case topic == "":
		return errs.TopologyInvalid.New(source, "topic must not be null", "name the topic to read").InKafka("NullPointerException")
	case spec.Name == "":
		return errs.TopologyInvalid.New(processor, "store name must not be null", "name the store").InKafka("NullPointerException")
	case t.StoreSpec(spec.Name) != nil:
		return errs.TopologyStoreClash.New(spec.Name, "A different StateStore has already been added with the name "+spec.Name, "").Of(spec.Name)
	case t.globalStore(spec.Name) != nil:
		return errs.TopologyStoreClash.New(spec.Name, "A different GlobalStateStore has already been added with the name "+spec.Name, "").Of(spec.Name)
	}
	return t.checkTopicIsFree(source, topic, nil)
}

func (t *Topology) globalStore(name string) *GlobalStore {
	for _, g := range t.global {
		if g.Store.Name == name {
			return g
		}
	}
	return nil
}

// GlobalStores are the global stores in the order in which they were added. The slice is borrowed.
func (t *Topology) GlobalStores() []*GlobalStore { return t.global }

// GlobalID is the ID of the sub-topology of the global stores, which are in none of Subtopologies.
const GlobalID = -1

// Global is the sources and processors of all global stores as one sub-topology, or nil if there are none. It is not
// split into tasks: one reads all partitions of its topics.
func (t *Topology) Global(applicationID string) *Subtopology {
	if len(t.global) == 0 {
		return nil
	}
	s := &Subtopology{
		ID: GlobalID, ApplicationID: applicationID, Repartitions: map[string]InternalTopic{},
		Changelogs: map[string]InternalTopic{}, ChangelogStores: map[string]string{},
	}
	for _, g := range t.global {
		s.Nodes = append(s.Nodes, g.Source)
		s.Stores = append(s.Stores, g.Store)
		s.SourceTopics = append(s.SourceTopics, g.Source.Topics...)
	}
	for _, g := range t.global {
		s.Nodes = append(s.Nodes, g.Processor)
	}
	s.SourceTopics = sortedSet(s.SourceTopics)
	return s
}

// AddReadOnlyStateStore adds a store with the source that reads its topic and the processor that writes it; the topic is
// its changelog, and nothing else may write it (KIP-813).
func (t *Topology) AddReadOnlyStateStore(spec *StoreSpec, source string, o SourceOptions, topic, processor string, s ProcessorSupplier) error {
	spec.LoggingDisabled = true
	if err := t.AddSource(source, o, topic); err != nil {
		return err
	}
	if err := t.AddProcessor(processor, s, source); err != nil {
		return err
	}
	if err := t.AddStateStore(spec, processor); err != nil {
		return err
	}
	return t.UseTopicAsChangelog(spec.Name, topic)
}

// UseTopicAsChangelog has the store restored from a source topic, which then is its changelog: nothing is written to
// it, and what the application has processed is what is restored.
func (t *Topology) UseTopicAsChangelog(store, topic string) error {
	spec := t.StoreSpec(store)
	if spec == nil {
		return errs.TopologyUnknownNode.New(store, "StateStore "+store+" is not added yet.", errs.DidYouMean(store, t.storeNames()))
	}
	if t.sourceChangelogs[store] != "" {
		return errs.TopologyStoreClash.New(store, "Source store "+store+" is already added.", "")
	}
	spec.LoggingDisabled = true
	t.sourceChangelogs[store] = topic
	return nil
}

// isGlobal tells whether the nodes are those of a global store.
func isGlobal(nodes []*Node) bool {
	return slices.ContainsFunc(nodes, func(n *Node) bool { return n.Global })
}
