package dsl

import (
	"fmt"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// Named is the name of an operator's node, as Kafka's Named.as. "" has one generated.
type Named string

// Consumed says how a source reads. The zero value takes the application's defaults.
type Consumed struct {
	Name       string
	Key, Value topology.Serde
	// OffsetReset is where to begin without a committed offset: "earliest", "latest", "none", "by_duration:PT6H", or "".
	OffsetReset string
	// TimestampExtractor is Kafka's class name without the package, e.g. WallclockTimestampExtractor, or "".
	TimestampExtractor string
	// Timestamps is a function in its place, asked for the time of each record: a guest of the kind timestampExtractor,
	// an expression that gives milliseconds, or Go code.
	Timestamps Fn
	// KeyDeserializer and ValueDeserializer take keys and values out of the form that they have in the topic: guests of
	// the kind deserializer, or Go code. Key and Value are the serdes of what they give.
	KeyDeserializer, ValueDeserializer Fn
}

// Produced says how a sink writes. nil serdes are those of the stream, then the application's defaults.
type Produced struct {
	Name       string
	Key, Value topology.Serde
	// Partitioner is asked for the partitions of each record; see topology.SinkOptions. Without it the key decides.
	Partitioner Fn
	// KeySerializer and ValueSerializer give keys and values the form that they have in the topic: guests of the kind
	// serializer, or Go code. Key and Value are the serdes of what they are given.
	KeySerializer, ValueSerializer Fn
}

// Grouped says how records are regrouped: Name gives the repartition topic (and the node that selects the key).
type Grouped struct {
	Name       string
	Key, Value topology.Serde
}

// Repartitioned says how records go through a repartition topic. Partitions 0 follows the sources.
type Repartitioned struct {
	Name       string
	Key, Value topology.Serde
	Partitions int
	// Partitioner is asked for the partition of each record in the topic. Without it the key decides.
	Partitioner Fn
}

// Materialized describes the store of an aggregation. The zero value is Kafka's default: persistent, cached, logged,
// under a generated name.
type Materialized struct {
	Name       string
	Key, Value topology.Serde
	// InMemory is Kafka's StoreType.IN_MEMORY, Persistent its ROCKS_DB; without either it is what Defaults says.
	InMemory, Persistent bool
	CachingDisabled      bool
	LoggingDisabled      bool
	ChangelogConfigs     map[string]string
	// Retention of the windows or sessions in the store; 0 keeps them as long as they take records.
	Retention time.Duration
	// Versioned keeps the versions of each row of the last HistoryRetention (KIP-889); there is no cache then.
	Versioned        bool
	HistoryRetention time.Duration
	// StoreNamed names the node, as the Named argument of Kafka's count.
	StoreNamed Named
}

// Branched says what becomes of a branch: its name is that of the split followed by Name (or by its number). Chain, if
// not nil, receives the branch and returns the stream that stands for it in the result, or nil to leave it out.
type Branched struct {
	Name  string
	Chain func(*KStream) *KStream
}

// first returns the optional parameter object of a method.
func first[T any](options []T) T {
	if len(options) == 0 {
		var zero T
		return zero
	}
	return options[0]
}

const maxNameLength = 249

// checkName holds a given name to Kafka's rule for topic names.
func checkName(name string) error {
	switch {
	case name == "." || name == "..":
		return errs.TopologyInvalid.New(name, `Name cannot be "." or ".."`, "give a name of letters and digits").InKafka("TopologyException")
	case len(name) > maxNameLength:
		return errs.TopologyInvalid.New(name, fmt.Sprintf("Name is illegal, it can't be longer than %d characters", maxNameLength), "give a shorter name").InKafka("TopologyException")
	}
	if !plain(name) {
		return errs.TopologyInvalid.New(name, fmt.Sprintf(
			"Name %q is illegal, it contains a character other than ASCII alphanumerics, '.', '_' and '-'", name), "leave the other characters out").InKafka("TopologyException")
	}
	return nil
}

// plain tells whether a name has only the characters that names of topics have.
func plain(name string) bool {
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// CheckTopicName holds the name of a topic that users own to the rule of Kafka's brokers. Kafka's builder leaves that to
// them, so the methods of StreamsBuilder do not ask; who reads a document does.
func CheckTopicName(name string) error {
	why := ""
	switch {
	case name == "." || name == "..":
		why = "'" + name + "' is not allowed"
	case len(name) > maxNameLength:
		why = fmt.Sprintf("the length of '%s' is longer than the max allowed length %d", name, maxNameLength)
	case !plain(name):
		why = fmt.Sprintf("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	default:
		return nil
	}
	return errs.TopologyInvalid.New("", "Topic name is invalid: "+why, "name a topic that a broker can have").InKafka("InvalidTopicException")
}
