package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// TableOption is a parameter object of Table and GlobalTable: a Consumed or a Materialized, each at most once.
type TableOption interface{ tableOption(*tableOptions) }

type tableOptions struct {
	consumed     Consumed
	materialized Materialized
}

func (c Consumed) tableOption(o *tableOptions)     { o.consumed = c }
func (m Materialized) tableOption(o *tableOptions) { o.materialized = m }

func readTableOptions(options []TableOption) (o tableOptions) {
	for _, option := range options {
		option.tableOption(&o)
	}
	return o
}

// Table reads a topic as a table: a null value deletes.
func (b *StreamsBuilder) Table(topic string, options ...TableOption) *KTable {
	s := b.tableSource(topic, readTableOptions(options))
	of := &sourceTable{store: &s.spec, kept: s.m.Name != "", topic: topic, own: s.options.KeyDeserializer != nil || s.options.ValueDeserializer != nil}
	n := &graphNode{name: s.processor, table: of, lower: func(t *topology.Topology, _ []string) error {
		if err := t.AddSource(s.source, s.options, topic); err != nil {
			return err
		}
		return of.lower(t, s.processor, s.source)
	}}
	n.outputVersioned = versionedness(s.m)
	b.addGraphNode(n, b.root)
	return &KTable{
		b: b, node: n, key: s.spec.KeySerde, value: s.spec.ValueSerde, store: s.m.Name, sources: []string{s.source}, of: of,
	}
}

// tableSourceParts is what tables and global tables have in common: the names in Kafka's order, and the store.
type tableSourceParts struct {
	m                 Materialized
	options           topology.SourceOptions
	spec              topology.StoreSpec
	source, processor string
}

func (b *StreamsBuilder) tableSource(topic string, o tableOptions) *tableSourceParts {
	c, m := o.consumed, o.materialized
	if err := checkName(m.Name); err != nil {
		b.fail(err)
	}
	key, value := cmp.Or(c.Key, m.Key), cmp.Or(c.Value, m.Value)
	store := m.Name
	if store == "" {
		store = b.storeName(topic + "-")
	}
	return &tableSourceParts{
		m: m, spec: b.spec(m, store, key, value),
		options:   b.sourceOptions(c, key, value),
		source:    b.suffixedName(Named(c.Name), "-source", sourceName),
		processor: b.nodeName(Named(c.Name), tableSourceName),
	}
}

// ToTable makes a table of the stream: the records are rows, a null value deletes.
func (s *KStream) ToTable(o ...Materialized) *KTable {
	m := first(o)
	if err := checkName(m.Name); err != nil {
		s.b.fail(err)
	}
	name := s.b.nodeName(m.StoreNamed, toTableName)
	store := m.Name
	if store == "" {
		store = s.b.storeName(toTableName)
	}
	key, value := cmp.Or(m.Key, s.key), cmp.Or(m.Value, s.value)
	parent, sources := s.node, s.sources
	if s.rekeyed {
		p := s.b.newRepartition(name, Repartitioned{Key: key, Value: value})
		parent, sources = p.graphNode(), []string{p.source}
		s.b.addGraphNode(parent, s.node)
	}
	spec := s.b.spec(m, store, key, value)
	of := &sourceTable{store: &spec, kept: m.Name != ""}
	n := &graphNode{name: name, outputVersioned: versionedness(m), lower: func(t *topology.Topology, up []string) error {
		return of.lower(t, name, up...)
	}}
	s.b.addGraphNode(n, parent)
	return &KTable{b: s.b, node: n, key: key, value: value, store: m.Name, sources: sources, of: of}
}

// GlobalKTable is a table of which every instance of the application has all rows, from all partitions of its topic.
type GlobalKTable struct {
	b          *StreamsBuilder
	key, value topology.Serde
	store      string // of the rows
	name       string // given to the store
}

// GlobalTable reads a topic as a global table.
func (b *StreamsBuilder) GlobalTable(topic string, options ...TableOption) *GlobalKTable {
	s := b.tableSource(topic, readTableOptions(options))
	if s.m.Versioned {
		b.fail(errs.TopologyInvalid.New(s.processor, "GlobalTables cannot be versioned.", "leave the history retention out, or read the topic as a table").InKafka("TopologyException"))
	}
	s.spec.LoggingDisabled = true
	b.addGraphNode(&graphNode{name: s.processor, lower: func(t *topology.Topology, _ []string) error {
		return t.AddGlobalStore(&s.spec, s.source, s.options, topic, s.processor, TableSource{Store: s.spec.Name})
	}}, b.root)
	return &GlobalKTable{b: b, key: s.spec.KeySerde, value: s.spec.ValueSerde, store: s.spec.Name, name: s.m.Name}
}

// QueryableStoreName is the name of the table's store.
func (t *GlobalKTable) QueryableStoreName() string { return t.store }

// AddGlobalStore makes a store of which every instance has the whole: a processor of its own writes it from all
// partitions of a topic, also when the instance starts.
func (b *StreamsBuilder) AddGlobalStore(store topology.StoreSpec, topic string, c Consumed, p topology.ProcessorSupplier) *StreamsBuilder {
	store.LoggingDisabled = true
	return b.storeOfTopic((*topology.Topology).AddGlobalStore, store, topic, c, p)
}

// AddReadOnlyStateStore makes a store of a topic (KIP-813): a processor of its own writes it, other processors may read
// it, and the topic is what it is restored from, so it has no changelog.
func (b *StreamsBuilder) AddReadOnlyStateStore(store topology.StoreSpec, topic string, c Consumed, p topology.ProcessorSupplier) *StreamsBuilder {
	return b.storeOfTopic((*topology.Topology).AddReadOnlyStateStore, store, topic, c, p)
}

// addStoreOfTopic is how a Topology adds a store with the source that feeds it and the processor that writes it.
type addStoreOfTopic func(t *topology.Topology, store *topology.StoreSpec, source string, o topology.SourceOptions, topic, name string, p topology.ProcessorSupplier) error

func (b *StreamsBuilder) storeOfTopic(add addStoreOfTopic, store topology.StoreSpec, topic string, c Consumed, p topology.ProcessorSupplier) *StreamsBuilder {
	if err := checkName(store.Name); err != nil {
		b.fail(err)
	}
	source := b.suffixedName(Named(c.Name), "-source", sourceName)
	name := b.nodeName(Named(c.Name), tableSourceName)
	options := b.sourceOptions(c, c.Key, c.Value)
	b.addGraphNode(&graphNode{name: name, lower: func(t *topology.Topology, _ []string) error {
		return add(t, &store, source, options, topic, name, p)
	}}, b.root)
	return b
}

// suffixedName is the given name with suffix or a generated one; either way an index is gone.
func (b *StreamsBuilder) suffixedName(given Named, suffix, prefix string) string {
	if given != "" {
		given += Named(suffix)
	}
	return b.nodeName(given, prefix)
}
