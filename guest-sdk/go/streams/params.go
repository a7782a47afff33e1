package streams

import (
	"strconv"
	"time"

	wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"
)

// Function is what an operator calls: what wasmstream.Filter, wasmstream.MapValues and the like return, or
// wasmstream.Component, wasmstream.Expr, wasmstream.MapExpr.
type Function = wasmstream.Function

// Serde names how keys or values are written.
type Serde = wasmstream.Serde

// The serdes, Kafka's. "" is the application's default.
const (
	Bytes   Serde = "bytes"
	String  Serde = "string"
	Long    Serde = "long"
	Int     Serde = "int"
	Short   Serde = "short"
	Float   Serde = "float"
	Double  Serde = "double"
	Boolean Serde = "boolean"
	UUID    Serde = "uuid"
	JSON    Serde = "json"
)

// ListOf are lists of what inner writes.
func ListOf(inner Serde) Serde { return "list(" + inner + ")" }

// TimeWindowed are keys of windows of a size.
func TimeWindowed(inner Serde, size time.Duration) Serde {
	return "timeWindowed(" + inner + "," + Serde(strconv.FormatInt(size.Milliseconds(), 10)) + ")"
}

// SessionWindowed are keys of sessions.
func SessionWindowed(inner Serde) Serde { return "sessionWindowed(" + inner + ")" }

// Named is the name of an operator's node, as Kafka's Named.as. "" has one generated.
type Named string

// Consumed says how a source reads. What is not given are the application's defaults.
type Consumed struct {
	Name       string
	Key, Value Serde
	// OffsetReset is where to begin without a committed offset: "earliest", "latest", "none" or "".
	OffsetReset string
	// OffsetResetBy begins so long before now (Kafka's AutoOffsetReset.byDuration), in place of OffsetReset.
	OffsetResetBy time.Duration
	// TimestampExtractor is Kafka's class name without the package, e.g. WallclockTimestampExtractor, or "".
	TimestampExtractor string
	// Timestamps is a function of this module in its place (wasmstream.TimestampExtractor).
	Timestamps Function
	// KeyDeserializer and ValueDeserializer take keys and values out of the form of the topic (wasmstream.Deserializer).
	// Key and Value are the serdes of what they give.
	KeyDeserializer, ValueDeserializer Function
}

func (c Consumed) write(o *object) {
	o.topicSerde("key", c.Key, c.KeyDeserializer)
	o.topicSerde("value", c.Value, c.ValueDeserializer)
	if c.OffsetResetBy != 0 {
		var by object
		by.duration("byDuration", c.OffsetResetBy)
		o.raw("offsetReset", by.bytes())
	} else {
		o.given("offsetReset", c.OffsetReset)
	}
	o.given("timestampExtractor", c.TimestampExtractor)
	o.function("timestampExtractor", c.Timestamps)
}

// Produced says how a sink writes. Serdes that are not given are those of the stream, then the application's defaults.
type Produced struct {
	Name       string
	Key, Value Serde
	// Partitioner is asked for the partitions of each record. Without it the key decides.
	Partitioner Function
	// KeySerializer and ValueSerializer give keys and values the form of the topic (wasmstream.Serializer). Key and Value
	// are the serdes of what they are given.
	KeySerializer, ValueSerializer Function
}

func (p Produced) write(o *object) {
	o.topicSerde("key", p.Key, p.KeySerializer)
	o.topicSerde("value", p.Value, p.ValueSerializer)
	o.function("partitioner", p.Partitioner)
}

// Grouped says how records are regrouped: Name gives the repartition topic (and the node that selects the key).
type Grouped struct {
	Name       string
	Key, Value Serde
}

// Repartitioned says how records go through a repartition topic. Partitions 0 follows the sources.
type Repartitioned struct {
	Name       string
	Key, Value Serde
	Partitions int
	// Partitioner is asked for the partition of each record in the topic. Without it the key decides.
	Partitioner Function
}

// Materialized describes the store of a table. The zero value is Kafka's default: persistent, cached, logged, under a
// generated name.
type Materialized struct {
	Name       string
	Key, Value Serde
	// InMemory is Kafka's StoreType.IN_MEMORY, Persistent its ROCKS_DB; without either dsl.store.suppliers.class says.
	InMemory         bool
	Persistent       bool
	CachingDisabled  bool
	LoggingDisabled  bool
	ChangelogConfigs []Setting
	// Retention of the windows or sessions in the store; 0 keeps them as long as they take records.
	Retention time.Duration
	// Versioned keeps the versions of each row of the last HistoryRetention (KIP-889); there is no cache then.
	Versioned        bool
	HistoryRetention time.Duration
	// StoreNamed names the node, as the Named argument of Kafka's count.
	StoreNamed Named
}

// materialized writes what is said of a store beside the node's name.
func (o *object) materialized(all []Materialized) {
	m := first(all)
	var body object
	body.given("name", m.Name)
	body.serdes(m.Key, m.Value)
	body.flag("inMemory", m.InMemory)
	if m.Persistent {
		body.text("storeType", "ROCKS_DB")
	}
	body.unless("caching", m.CachingDisabled)
	body.logged(m.LoggingDisabled, m.ChangelogConfigs)
	if m.Retention != 0 {
		body.duration("retention", m.Retention)
	}
	if m.Versioned {
		body.duration("historyRetention", m.HistoryRetention)
	}
	if len(body) > 0 {
		o.raw("materialized", body.bytes())
	}
}

// Joined says how a stream is joined with a table.
type Joined struct {
	Name       string
	Key, Value Serde
	// GracePeriod holds records of the stream back until the versioned table is complete up to their time (KIP-923).
	GracePeriod time.Duration
}

// StreamJoined says how two streams are joined.
type StreamJoined struct {
	Name, StoreName        string
	Key, Value, OtherValue Serde
	InMemory               bool
	LoggingDisabled        bool
	ChangelogConfigs       []Setting
	// ThisStore and OtherStore describe the stores in place of the generated ones.
	ThisStore, OtherStore *JoinStore
}

// JoinStore is a store that a join of streams is given (Kafka's WindowBytesStoreSupplier). Retention and WindowSize are
// those of the join's windows.
type JoinStore struct {
	Name                  string
	Retention, WindowSize time.Duration
	InMemory              bool
}

func (s *JoinStore) write(o *object, key string) {
	if s == nil {
		return
	}
	var body object
	body.text("name", s.Name)
	body.duration("retention", s.Retention)
	body.duration("windowSize", s.WindowSize)
	body.flag("inMemory", s.InMemory)
	o.raw(key, body.bytes())
}

func (j StreamJoined) write(o *object) {
	o.serdes(j.Key, j.Value)
	o.serde("otherValue", j.OtherValue)
	o.given("storeName", j.StoreName)
	o.flag("inMemory", j.InMemory)
	o.logged(j.LoggingDisabled, j.ChangelogConfigs)
	j.ThisStore.write(o, "thisStore")
	j.OtherStore.write(o, "otherStore")
}

// TableJoined says how tables are joined by a foreign key.
type TableJoined struct {
	Name string
	// Partitioner and OtherPartitioner are asked for the partitions of the subscriptions and of the responses.
	Partitioner, OtherPartitioner Function
}

// Branched names a branch: that of the split followed by Name (or by its number).
type Branched struct{ Name string }

// Printed says where records are printed, for people.
type Printed struct {
	Name, Label string
	// Mapper gives the text of a record (wasmstream.MapValues); without it that is "key, value".
	Mapper Function
}
