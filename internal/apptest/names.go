package apptest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// names are the topics and stores of an application with their serdes.
type names struct {
	topology *topology.Topology
	// inputs are topics that sources read, topics all that can be asked for.
	inputs map[string]bool
	topics map[string]spec.TopicSerdes
	// anyTopic: a sink finds its topic for each record.
	anyTopic        bool
	defaults        spec.TopicSerdes
	deadLetterTopic string
	stores          map[string]*topology.StoreSpec
}

func newNames(t *topology.Topology, bench *host.TestBench, file *spec.TestFile) *names {
	n := &names{
		topology: t, inputs: map[string]bool{}, topics: map[string]spec.TopicSerdes{}, stores: map[string]*topology.StoreSpec{},
		deadLetterTopic: bench.DeadLetterTopic(),
	}
	n.defaults.Key, n.defaults.Value = bench.DefaultSerdes()
	for _, node := range t.Nodes() {
		n.add(node, bench.ApplicationID())
	}
	stores := slices.Clone(t.Stores())
	for _, g := range t.GlobalStores() {
		stores = append(stores, g.Store)
	}
	for _, s := range stores {
		n.stores[s.Name] = s
		if !s.LoggingDisabled {
			n.know(topology.ChangelogTopic(bench.ApplicationID(), s.Name), spec.TopicSerdes{Key: topology.Bytes, Value: topology.Bytes})
		}
	}
	if n.deadLetterTopic != "" {
		n.know(n.deadLetterTopic, spec.TopicSerdes{Key: topology.Bytes, Value: topology.Bytes})
	}
	for topic, s := range file.Serdes {
		n.topics[topic] = spec.TopicSerdes{Key: cmp.Or(s.Key, n.topics[topic].Key), Value: cmp.Or(s.Value, n.topics[topic].Value)}
	}
	return n
}

func (n *names) add(node *topology.Node, applicationID string) {
	for _, topic := range node.Topics {
		if node.Internal {
			topic = topology.DecorateTopic(applicationID, topic)
		}
		if node.Kind == topology.SourceNode {
			n.inputs[topic] = true
		}
		if node.Kind != topology.ProcessorNode {
			n.know(topic, spec.TopicSerdes{Key: node.KeySerde, Value: node.ValueSerde})
		}
	}
	n.anyTopic = n.anyTopic || node.TopicExtractor != nil
}

// know adds a topic, or what is said of it elsewhere.
func (n *names) know(topic string, s spec.TopicSerdes) {
	known := n.topics[topic]
	n.topics[topic] = spec.TopicSerdes{Key: cmp.Or(known.Key, s.Key), Value: cmp.Or(known.Value, s.Value)}
}

// serdes are those of a topic.
func (n *names) serdes(topic string) spec.TopicSerdes {
	s := n.topics[topic]
	for _, node := range n.topology.Nodes() {
		if s.Key == nil && s.Value == nil && (node.MatchesPattern(topic) || node.TopicExtractor != nil) {
			s = spec.TopicSerdes{Key: node.KeySerde, Value: node.ValueSerde}
		}
	}
	return spec.TopicSerdes{Key: cmp.Or(s.Key, n.defaults.Key), Value: cmp.Or(s.Value, n.defaults.Value)}
}

// reads tells whether a source reads the topic, and whether by a pattern.
func (n *names) reads(topic string) (reads, byPattern bool) {
	if n.inputs[topic] {
		return true, false
	}
	byPattern = slices.ContainsFunc(n.topology.Nodes(), func(node *topology.Node) bool { return node.MatchesPattern(topic) })
	return byPattern, byPattern
}

func (n *names) topicNames() []string { return slices.Sorted(maps.Keys(n.topics)) }

func (n *names) storeNames() []string { return slices.Sorted(maps.Keys(n.stores)) }

// storeSerdes are those of the rows of a store, whose keys are windowed where the store is.
func (n *names) storeSerdes(s *topology.StoreSpec) spec.TopicSerdes {
	key, value := cmp.Or(s.KeySerde, n.defaults.Key), cmp.Or(s.ValueSerde, n.defaults.Value)
	switch s.Kind {
	case topology.Window, topology.TimestampedWindow:
		key = topology.TimeWindowed(key, s.WindowSize)
	case topology.Session:
		key = topology.SessionWindowed(key)
	}
	return spec.TopicSerdes{Key: key, Value: value}
}

// isSink tells whether users read the topic: a sink writes it, and it is none of the application's own.
func (n *names) isSink(topic string) bool {
	_, known := n.topics[topic]
	return n.anyTopic && !known || slices.ContainsFunc(n.topology.Nodes(), func(node *topology.Node) bool {
		return node.Kind == topology.SinkNode && !node.Internal && slices.Contains(node.Topics, topic)
	})
}
