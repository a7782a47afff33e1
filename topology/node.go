package topology

// NodeKind tells the three kinds of nodes apart.
type NodeKind int

// The kinds of nodes.
const (
	SourceNode NodeKind = iota
	ProcessorNode
	SinkNode
)

// Node is one node of a topology: plain data, shared by all tasks that run it and never changed after Build.
type Node struct {
	Name     string
	Kind     NodeKind
	Parents  []*Node
	Children []*Node // in the order in which they were added: the order of Forward

	// Source: the topics read, or Pattern (a regular expression on topic names). Sink: Topics[0] is the topic written.
	Topics  []string
	Pattern string
	// Internal: Topics[0] is a repartition topic and gets the prefix "<application.id>-".
	Internal bool
	// Global: a node of a global store, which is in no task.
	Global bool
	// KeySerde and ValueSerde of sources and sinks; nil means the application's default.
	KeySerde, ValueSerde Serde
	// OffsetReset of a source: "" (the application's auto.offset.reset), "earliest", "latest", "none", "by_duration:PT6H".
	OffsetReset string
	// TimestampExtractor of a source: "" for the application's default, else Kafka's class name without the package.
	TimestampExtractor string
	// Timestamps of a source is a function in its place, nil for none; see SourceOptions.
	Timestamps FunctionSupplier
	// KeyForm and ValueForm are the deserializers of a source or the serializers of a sink, nil for none.
	KeyForm, ValueForm FunctionSupplier

	// Sink: who chooses the partitions, nil for the key; and the topic, nil for Topics[0]. See SinkOptions.
	Partitioner, TopicExtractor FunctionSupplier

	// Processor: what runs, and the names of the stores connected to it, sorted.
	Supplier ProcessorSupplier
	Stores   []string
	// Guests are the wasm components that Supplier calls.
	Guests []GuestUse
}

// Serde is what the topology must know of a serialised form: whether bytes are valid in it, and which bytes Kafka's
// serializer would write for what its deserializer read.
type Serde interface {
	// Name is the short name: bytes, string, long, int, short, float, double, boolean, uuid, json.
	Name() string
	// Deserialize returns the canonical bytes of data as value of this serde (for valid data: data itself), or an
	// error that says what Kafka's deserializer would object to. nil stays nil.
	Deserialize(data []byte) ([]byte, error)
}

// InternalTopic is a topic that the application makes for itself.
type InternalTopic struct {
	Name       string // with the application.id
	Partitions int    // 0: derived from the sources that feed it, or from the tasks of the store
	Configs    map[string]string
}

// Subtopology is a set of nodes connected by edges and stores: the unit that tasks are made of.
type Subtopology struct {
	ID int
	// ApplicationID is the prefix of the internal names.
	ApplicationID string
	Nodes         []*Node // in topological order, sources first
	// Stores in the order in which the topology names them.
	Stores []*StoreSpec
	// SourceTopics and SinkTopics with internal names decorated.
	SourceTopics, SinkTopics []string
	// Repartitions are the internal topics among the sources, by decorated name.
	Repartitions map[string]InternalTopic
	// Changelogs by decorated name; ChangelogStores maps that name to the store's name.
	Changelogs      map[string]InternalTopic
	ChangelogStores map[string]string
	// SourceChangelogs are source topics that a store is restored from, with the store's name.
	SourceChangelogs map[string]string
	// SourcePatterns are the regular expressions among the sources; the topics they match are known at run time.
	SourcePatterns []string
	// CopartitionGroups are sets of source topics, decorated, that must have equal partition counts.
	CopartitionGroups [][]string
}
