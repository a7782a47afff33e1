package topology

import "github.com/wasmstream/wasmstream/internal/errs"

// FunctionSupplier opens a user function for a node of a task.
type FunctionSupplier interface {
	Open(ctx Context) (Function, error)
}

// SinkOptions are the serdes of a sink, nil for the application's defaults, and who chooses partitions.
type SinkOptions struct {
	KeySerde, ValueSerde Serde
	// Partitioner is asked where a record goes; nil leaves it to the key, of windowed keys to the one inside. A record of
	// the frame it is asked about has in Dest the number of partitions and in Origin the topic. Each answer has in Dest a
	// partition, or -1 for the one that Kafka takes by default; the record goes to all that are answered, and is dropped
	// if there is none.
	Partitioner FunctionSupplier
	// KeySerializer and ValueSerializer give keys and values the form of the topic, after everything else was decided but
	// the partition that the key gives. They are asked as those of SourceOptions.
	KeySerializer, ValueSerializer FunctionSupplier
}

// sinkNode is a sink that has no topic yet.
func sinkNode(name string, o SinkOptions) *Node {
	return &Node{
		Name: name, Kind: SinkNode, KeySerde: o.KeySerde, ValueSerde: o.ValueSerde, Partitioner: o.Partitioner,
		KeyForm: o.KeySerializer, ValueForm: o.ValueSerializer,
	}
}

// AddDynamicSink adds a sink whose topic extractor answers for each record, as the value. The topics must exist.
func (t *Topology) AddDynamicSink(name string, extractor FunctionSupplier, o SinkOptions, parents ...string) error {
	if err := t.checkNewName(name); err != nil {
		return err
	}
	if extractor == nil {
		return errs.TopologyInvalid.New(name, "topicExtractor must not be null", "give a function that answers the topic").InKafka("NullPointerException")
	}
	up, err := t.parents("Sink", name, parents)
	if err != nil {
		return err
	}
	n := sinkNode(name, o)
	n.TopicExtractor = extractor
	return t.add(n, up)
}

// guestUses are the components that a node calls.
func (n *Node) guestUses() []GuestUse {
	var uses []GuestUse
	for _, user := range []any{n.Supplier, n.Partitioner, n.TopicExtractor, n.Timestamps, n.KeyForm, n.ValueForm} {
		if g, ok := user.(GuestUser); ok {
			uses = append(uses, g.GuestUses()...)
		}
	}
	return uses
}
