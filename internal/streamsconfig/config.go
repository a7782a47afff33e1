// Package streamsconfig holds the settings of an application: every key of Kafka's StreamsConfig with Kafka's name,
// default and meaning, the properties of its clients behind Kafka's prefixes, and a few of our own. Each value is
// honoured, or refused with the reason; nothing is ignored without a word. Where a value came from is remembered.
//
// It follows Kafka 4.3.1. It knows names and values only: no topology runs here and no broker is asked.
package streamsconfig

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/topology"
)

// Config is a valid set of settings. It does not change and may be read by many goroutines.
type Config struct {
	ApplicationID    string
	BootstrapServers []string
	// ClientID is the prefix of client ids; "" leaves it to the application.
	ClientID string
	StateDir string
	// UncaughtResponse is replace_thread, shutdown_client or shutdown_application.
	UncaughtResponse string
	// RemainInGroup keeps the members of a process in the group when it stops.
	RemainInGroup bool
	// ApplicationServer is where other processes reach the queries of this one, ApplicationServerListen where it listens for
	// them, both HOST:PORT or ""; ApplicationServerToken is what they have to know.
	ApplicationServer, ApplicationServerListen, ApplicationServerToken string
	// KeySerde and ValueSerde are the defaults of sources and sinks: bytes when unset.
	KeySerde, ValueSerde topology.Serde
	TimestampExtractor   string // Kafka's class without the package

	ExactlyOnce              bool
	NumStreamThreads         int
	CommitInterval           time.Duration
	PollTimeout              time.Duration
	TaskTimeout              time.Duration
	MaxTaskIdle              time.Duration // -1 ms: never wait
	BufferedRecords          int           // per partition
	CacheBytes               int64
	StateMemoryBytes         int64
	ReplicationFactor        int16
	RepartitionPurgeInterval time.Duration
	StateCleanupDelay        time.Duration

	NumStandbyReplicas       int
	MaxWarmupReplicas        int
	AcceptableRecoveryLag    int64
	ProbingRebalanceInterval time.Duration
	// RackStrategy is rack.aware.assignment.strategy; its costs are -1 when unset. RackTags are the tags that count, and
	// ClientTags those of this process.
	RackStrategy                        string
	RackTrafficCost, RackNonOverlapCost int
	RackTags                            []string
	ClientTags                          map[string]string

	// ContinueOnDeserialization, ContinueOnProcessing and ContinueOnProduction: log-and-continue instead of log-and-fail.
	ContinueOnDeserialization, ContinueOnProcessing, ContinueOnProduction bool
	// DeadLetterTopic is where the handlers write what fails; "" is nowhere.
	DeadLetterTopic string

	// Wasm bounds the guests, OnError says what becomes of the records that they fail on. WasmCacheDir is wasm.cache.dir
	// as given.
	Wasm         WasmLimits
	OnError      ErrorPolicy
	WasmCacheDir string

	// Warnings are about settings that are deprecated or have no effect; for the log at start.
	Warnings []string

	values map[string]Entry
}

// Entry is one effective setting.
type Entry struct {
	Key string `json:"key"`
	// Value is canonical; shown as [hidden] for secrets by Entries.
	Value string `json:"value"`
	// Origin is "default", "default (exactly_once_v2)", a file with line, "env NAME", "--set".
	Origin string `json:"origin"`
	// Unset: the key has no default and was not given; Value is "null" then, as Kafka logs it.
	Unset bool `json:"unset,omitempty"`
}

// Load makes a Config of layers, the first the weakest. The error joins every fault of all of them.
func Load(layers ...Layer) (*Config, error) {
	c := &Config{values: map[string]Entry{}}
	var faults []error
	for _, l := range layers {
		c.Warnings = append(c.Warnings, l.Warnings...)
		for _, key := range slices.Sorted(maps.Keys(l.Values)) {
			entry, err := c.read(l, key)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			c.values[key] = entry
		}
	}
	c.applyDefaults()
	faults = append(faults, c.missing()...)
	if len(faults) == 0 {
		faults = append(faults, c.fill())
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) read(l Layer, key string) (Entry, error) {
	where := l.where(key)
	k, ok := find(key)
	if !ok {
		return Entry{}, errs.ConfigUnknownKey.New(where, strconv.Quote(key)+" is not a setting", errs.DidYouMean(key, allNames()))
	}
	value, err := Expand(l.Values[key], where, os.LookupEnv, readReference)
	if err != nil {
		return Entry{}, err
	}
	if k.Type == kafka.Class {
		value = canonicalClass(key, strings.TrimSpace(value))
	}
	k.Name = key
	canonical, err := kafka.CheckValue(k, value, where)
	if err != nil {
		return Entry{}, withShortNames(key, err)
	}
	if k.Answer == kafka.NoEffect {
		c.Warnings = append(c.Warnings, where+": "+key+" has no effect: "+k.Note)
	}
	return Entry{Key: key, Value: canonical, Origin: where}, nil
}

// find looks a key up: a setting of Kafka Streams, one of ours, a property behind a prefix, a property of any client.
func find(name string) (kafka.Key, bool) {
	for _, k := range slices.Concat(Keys(), OwnKeys()) {
		if k.Name == name {
			return k, true
		}
	}
	if topicKey, ok := strings.CutPrefix(name, topicPrefix); ok {
		k, ok := kafka.TopicKey(topicKey)
		k.Name = name
		return k, ok
	}
	if tag, ok := strings.CutPrefix(name, tagPrefix); ok {
		return kafka.Key{Name: name, Type: kafka.String, Default: kafka.Null}, tag != ""
	}
	kind, property := kafka.Consumer|kafka.Producer|kafka.Admin, name
	for _, p := range prefixes() {
		if rest, ok := strings.CutPrefix(name, p.name); ok {
			kind, property = p.kind, rest
			break
		}
	}
	for _, k := range kafka.ClientKeys(kind) {
		if k.Name == property {
			return k, true
		}
	}
	return kafka.Key{}, false
}

// applyDefaults resolves deprecated names and fills what is not set.
func (c *Config) applyDefaults() {
	for _, old := range slices.Sorted(maps.Keys(deprecated)) {
		c.alias(old, deprecated[old])
	}
	if c.values["processing.guarantee"].Value == ExactlyOnceV2 {
		if _, set := c.values["commit.interval.ms"]; !set {
			c.values["commit.interval.ms"] = Entry{Key: "commit.interval.ms", Value: "100", Origin: "default (exactly_once_v2)"}
		}
	}
	for _, k := range slices.Concat(Keys(), OwnKeys()) {
		if _, set := c.values[k.Name]; !set && k.HasDefault() {
			c.values[k.Name] = Entry{Key: k.Name, Value: k.Default, Origin: "default"}
		}
	}
}

// deprecated names and those that took their place. Read only.
var deprecated = map[string]string{
	"cache.max.bytes.buffering":                 "statestore.cache.max.bytes",
	"default.deserialization.exception.handler": "deserialization.exception.handler",
	"default.production.exception.handler":      "production.exception.handler",
}

// alias takes the value of a deprecated name for the new one, which wins when both are set.
func (c *Config) alias(old, now string) {
	e, set := c.values[old]
	if !set {
		return
	}
	warning := e.Origin + ": " + old + " is deprecated; use " + now
	if _, both := c.values[now]; both {
		warning += ", which is set too and wins"
	} else {
		c.values[now] = Entry{Key: now, Value: e.Value, Origin: e.Origin + " (" + old + ")"}
	}
	c.Warnings = append(c.Warnings, warning)
}

func (c *Config) missing() []error {
	var faults []error
	for _, k := range Keys() {
		if k.Default == kafka.Required && c.values[k.Name].Value == "" {
			faults = append(faults, errs.ConfigMissing.New("", k.Name+" is not set", ""))
		}
	}
	return faults
}

// Lookup returns the effective value of a key, and whether it has one.
func (c *Config) Lookup(key string) (string, bool) {
	e, ok := c.values[key]
	return e.Value, ok
}

// Entries lists all effective settings by key, secrets hidden.
func (c *Config) Entries() []Entry {
	var entries []Entry
	for _, key := range slices.Sorted(maps.Keys(c.values)) {
		e := c.values[key]
		if k, ok := find(key); ok {
			e.Value = k.Show(e.Value)
		}
		entries = append(entries, e)
	}
	return entries
}

// All lists every setting of Kafka Streams and of ours, also those without a value, and the clients' properties that were
// given; by key, secrets hidden. A deprecated name shows the value of the name that took its place.
func (c *Config) All() []Entry {
	all := c.Entries()
	for _, k := range slices.Concat(Keys(), OwnKeys()) {
		i, found := slices.BinarySearchFunc(all, k.Name, func(e Entry, name string) int { return strings.Compare(e.Key, name) })
		if !found {
			all = slices.Insert(all, i, Entry{Key: k.Name, Value: "null", Origin: "unset", Unset: true})
		}
		if now, ok := deprecated[k.Name]; ok && all[i].Origin == "default" {
			all[i].Value, all[i].Origin = c.values[now].Value, "as "+now
		}
	}
	return all
}

func (c *Config) number(key string) int64 {
	n, err := strconv.ParseInt(c.values[key].Value, 10, 64)
	if err != nil {
		panic("streamsconfig: " + key + " was not checked to be a number")
	}
	return n
}

func (c *Config) duration(key string) time.Duration {
	const most = int64(1) << 62 / int64(time.Millisecond)
	return time.Duration(min(c.number(key), most)) * time.Millisecond
}
