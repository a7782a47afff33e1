package streams

import (
	"strconv"
	"time"

	wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"
)

// StreamsBuilder describes the module's topology. A module has one; it is made in init.
type StreamsBuilder struct {
	name    string
	config  object
	stores  [][]byte
	entries []*entry
	// nodes are the calls of the Topology.
	nodes [][]byte
}

// NewStreamsBuilder is the builder of the module's topology. applicationID is the application.id unless whoever runs
// the module says another; "" takes the module's name.
func NewStreamsBuilder(applicationID string) *StreamsBuilder {
	b := newBuilder(applicationID)
	wasmstream.SetTopology(b.JSON)
	return b
}

func newBuilder(applicationID string) *StreamsBuilder { return &StreamsBuilder{name: applicationID} }

// Config gives a setting of the application, by Kafka's name, such as processing.guarantee or default.key.serde. Whoever
// runs the module may give another. Settings of the machine, the cluster's access and the sandbox are refused.
func (b *StreamsBuilder) Config(key, value string) *StreamsBuilder {
	b.config.text(key, value)
	return b
}

// Store is a store for processors.
type Store struct {
	Name string
	// Type is keyValue (what "" means), timestampedKeyValue, versionedKeyValue, window, timestampedWindow, session or lru.
	Type             string
	Key, Value       Serde
	InMemory         bool
	Caching          bool
	LoggingDisabled  bool
	ChangelogConfigs []Setting
	// MaxEntries is how many keys an lru keeps.
	MaxEntries int64
	// Retention is how long windows and sessions are kept, HistoryRetention how far back versions are.
	Retention, HistoryRetention time.Duration
	// WindowSize is the length of windows; SegmentInterval is what is dropped at once when it is too old, 0 for Kafka's default.
	WindowSize, SegmentInterval time.Duration
	// RetainDuplicates makes every put of a window a row of its own.
	RetainDuplicates bool
}

func (s Store) json() []byte {
	var o object
	o.text("name", s.Name)
	o.given("type", s.Type)
	o.serdes(s.Key, s.Value)
	o.flag("inMemory", s.InMemory)
	o.flag("caching", s.Caching)
	o.logged(s.LoggingDisabled, s.ChangelogConfigs)
	o.positive("maxEntries", s.MaxEntries)
	o.positive("retention", s.Retention.Milliseconds())
	o.positive("historyRetention", s.HistoryRetention.Milliseconds())
	o.positive("windowSize", s.WindowSize.Milliseconds())
	o.positive("segmentInterval", s.SegmentInterval.Milliseconds())
	o.flag("retainDuplicates", s.RetainDuplicates)
	return o.bytes()
}

// Setting is a key with its value.
type Setting struct{ Key, Value string }

// AddStateStore makes a store for processors (KStream.Process) to use.
func (b *StreamsBuilder) AddStateStore(s Store) *StreamsBuilder {
	b.stores = append(b.stores, s.json())
	return b
}

// AddGlobalStore makes a store of which every instance has the whole: fn (wasmstream.Process) writes it from all
// partitions of a topic, also when the instance starts. Every processor may read it.
func (b *StreamsBuilder) AddGlobalStore(s Store, topic string, c Consumed, fn Function) *StreamsBuilder {
	return b.storeOfTopic("addGlobalStore", s, topic, c, fn)
}

// AddReadOnlyStateStore makes a store of a topic (KIP-813): fn (wasmstream.Process) writes it, the processors that name
// it may read it, and the topic is what it is restored from.
func (b *StreamsBuilder) AddReadOnlyStateStore(s Store, topic string, c Consumed, fn Function) *StreamsBuilder {
	return b.storeOfTopic("addReadOnlyStateStore", s, topic, c, fn)
}

func (b *StreamsBuilder) storeOfTopic(op string, s Store, topic string, c Consumed, fn Function) *StreamsBuilder {
	e := b.add(op, c.Name)
	e.body.text("topic", topic)
	e.body.raw("store", s.json())
	e.body.call(fn)
	c.write(&e.body)
	return b
}

// Stream reads a topic.
func (b *StreamsBuilder) Stream(topic string, o ...Consumed) *KStream {
	return b.source("stream", first(o), func(body *object) { body.text("topic", topic) })
}

// StreamTopics reads several topics as one stream.
func (b *StreamsBuilder) StreamTopics(topics []string, o ...Consumed) *KStream {
	return b.source("stream", first(o), func(body *object) { body.texts("topics", topics) })
}

// StreamPattern reads every topic whose whole name matches the regular expression (RE2 syntax).
func (b *StreamsBuilder) StreamPattern(pattern string, o ...Consumed) *KStream {
	return b.source("stream", first(o), func(body *object) { body.text("pattern", pattern) })
}

func (b *StreamsBuilder) source(op string, c Consumed, topics func(*object)) *KStream {
	e := b.add(op, c.Name)
	topics(&e.body)
	c.write(&e.body)
	return &KStream{b: b, id: e.id}
}

// Table reads a topic as a table: a null value deletes.
func (b *StreamsBuilder) Table(topic string, c Consumed, o ...Materialized) *KTable {
	e := b.add("table", c.Name)
	e.body.text("topic", topic)
	c.write(&e.body)
	e.body.materialized(o)
	return &KTable{b, e.id}
}

// GlobalTable reads a topic as a table that every instance has as a whole.
func (b *StreamsBuilder) GlobalTable(topic string, c Consumed, o ...Materialized) *GlobalKTable {
	e := b.add("globalTable", c.Name)
	e.body.text("topic", topic)
	c.write(&e.body)
	e.body.materialized(o)
	return &GlobalKTable{e.id}
}

// GlobalKTable is a table that every instance has as a whole, for joins.
type GlobalKTable struct{ id string }

// JSON is the topology as the manifest has it.
func (b *StreamsBuilder) JSON() []byte {
	var doc object
	doc.text("apiVersion", "wasmstream/v1")
	doc.text("kind", "Application")
	if b.name != "" {
		var metadata object
		metadata.text("name", b.name)
		doc.raw("metadata", metadata.bytes())
	}
	if len(b.config) > 0 {
		doc.raw("config", b.config.bytes())
	}
	if len(b.stores) > 0 {
		doc.raw("stores", list(b.stores))
	}
	if len(b.entries) > 0 || len(b.nodes) == 0 {
		operators := make([][]byte, len(b.entries))
		for i, e := range b.entries {
			operators[i] = e.json()
		}
		doc.raw("operators", list(operators))
	}
	if len(b.nodes) > 0 {
		doc.raw("topology", list(b.nodes))
	}
	return doc.bytes()
}

// entry is an operator of the document. from are the ids of what it reads.
type entry struct {
	id, op, name string
	from         []string
	body         object
	// of split
	branches [][]byte
	rest     []byte
}

// add appends an operator. The ids are numbers, in the order of the calls, which is the order of Kafka's numbering.
func (b *StreamsBuilder) add(op, name string, from ...string) *entry {
	e := &entry{id: strconv.Itoa(len(b.entries) + 1), op: op, name: name, from: from}
	b.entries = append(b.entries, e)
	return e
}

func (e *entry) json() []byte {
	var o object
	o.text("id", e.id)
	switch len(e.from) {
	case 0:
	case 1:
		o.text("from", e.from[0])
	default:
		o.texts("from", e.from)
	}
	o.given("name", e.name)
	body := e.body
	if len(e.branches) > 0 {
		body.raw("branches", list(e.branches))
	}
	if e.rest != nil {
		body.raw("default", e.rest)
	}
	o.raw(e.op, body.bytes())
	return o.bytes()
}

// first is the optional parameter object of a method.
func first[T any](options []T) T {
	var zero T
	if len(options) == 0 {
		return zero
	}
	return options[0]
}
