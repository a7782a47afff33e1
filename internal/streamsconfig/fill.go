package streamsconfig

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/topology"
)

// applicationName is what Kafka takes in the names of topics, which application.id becomes a part of.
var applicationName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// fill sets the typed fields from the checked values and reports what does not go together.
func (c *Config) fill() error {
	c.ApplicationID = c.values["application.id"].Value
	c.BootstrapServers = kafka.SplitList(c.values["bootstrap.servers"].Value)
	c.ClientID = c.values["client.id"].Value
	c.StateDir = c.values["state.dir"].Value
	c.UncaughtResponse, c.RemainInGroup = c.values["uncaught.exception.response"].Value, c.values["close.group.membership"].Value == "remain_in_group"
	c.ApplicationServer = c.values["application.server"].Value
	c.ApplicationServerListen, c.ApplicationServerToken = c.values["application.server.listen"].Value, c.values["application.server.token"].Value
	c.TimestampExtractor = c.values["default.timestamp.extractor"].Value
	c.ExactlyOnce = c.values["processing.guarantee"].Value == ExactlyOnceV2
	c.NumStreamThreads = int(c.number("num.stream.threads"))
	c.CommitInterval = c.duration("commit.interval.ms")
	c.PollTimeout = c.duration("poll.ms")
	c.TaskTimeout = c.duration("task.timeout.ms")
	c.MaxTaskIdle = c.duration("max.task.idle.ms")
	c.BufferedRecords = int(c.number("buffered.records.per.partition"))
	c.CacheBytes = c.number("statestore.cache.max.bytes")
	c.StateMemoryBytes = c.number("state.memory.max.bytes")
	c.ReplicationFactor = int16(c.number("replication.factor"))
	c.RepartitionPurgeInterval = c.duration("repartition.purge.interval.ms")
	c.StateCleanupDelay = c.duration("state.cleanup.delay.ms")
	c.NumStandbyReplicas = int(c.number("num.standby.replicas"))
	c.MaxWarmupReplicas = int(c.number("max.warmup.replicas"))
	c.AcceptableRecoveryLag = c.number("acceptable.recovery.lag")
	c.ProbingRebalanceInterval = c.duration("probing.rebalance.interval.ms")
	c.RackStrategy = c.values["rack.aware.assignment.strategy"].Value
	c.RackTrafficCost = c.numberOr("rack.aware.assignment.traffic_cost", -1)
	c.RackNonOverlapCost = c.numberOr("rack.aware.assignment.non_overlap_cost", -1)
	c.ContinueOnDeserialization = c.values["deserialization.exception.handler"].Value == LogAndContinue
	c.ContinueOnProcessing = c.values["processing.exception.handler"].Value == ProcessingLogAndContinue
	c.ContinueOnProduction = c.values["production.exception.handler"].Value == ProductionLogAndContinue
	c.DeadLetterTopic = c.values["errors.dead.letter.queue.topic.name"].Value
	c.WasmCacheDir = c.values["wasm.cache.dir"].Value
	c.Wasm = wasmLimits(c.number)
	c.OnError = errorPolicy(c.values["wasm.error.policy"].Value, c.number)
	return errors.Join(c.checkDeadLetter(c.OnError, c.values["wasm.error.policy"].Origin), c.fillSerdes(), c.fillTags(), c.checkNames(), c.checkServer(), c.checkDeadLetterTopic(), c.checkClients())
}

// Bounds of tags, as Kafka has them.
const (
	maxTags     = 5
	maxTagKey   = 20
	maxTagValue = 30
)

// fillTags reads the tags of the process and those that the copies of a task should differ in.
func (c *Config) fillTags() error {
	var faults []error
	c.ClientTags = make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(c.values)) {
		tag, ok := strings.CutPrefix(key, tagPrefix)
		if !ok {
			continue
		}
		e := c.values[key]
		c.ClientTags[tag] = e.Value
		if len(tag) > maxTagKey || len(e.Value) > maxTagValue {
			faults = append(faults, errs.ConfigInvalid.New(e.Origin, fmt.Sprintf("%s: a tag has at most %d letters and its value %d (got %d and %d)", key, maxTagKey, maxTagValue, len(tag), len(e.Value)), ""))
		}
	}
	if len(c.ClientTags) > maxTags {
		faults = append(faults, errs.ConfigInvalid.New("", fmt.Sprintf("client.tag.: at most %d tags (got %d)", maxTags, len(c.ClientTags)), ""))
	}
	e := c.values["rack.aware.assignment.tags"]
	c.RackTags = kafka.SplitList(e.Value)
	for _, tag := range c.RackTags {
		if _, ok := c.ClientTags[tag]; !ok {
			faults = append(faults, errs.ConfigInvalid.New(e.Origin, fmt.Sprintf("rack.aware.assignment.tags: this process has no tag %q", tag), "set client.tag."+tag))
		}
	}
	if len(c.RackTags) > maxTags {
		faults = append(faults, errs.ConfigInvalid.New(e.Origin, fmt.Sprintf("rack.aware.assignment.tags: at most %d tags (got %d)", maxTags, len(c.RackTags)), ""))
	}
	return errors.Join(faults...)
}

// numberOr is a number that may be unset.
func (c *Config) numberOr(key string, otherwise int) int {
	if e, set := c.values[key]; !set || e.Value == "" {
		return otherwise
	}
	return int(c.number(key))
}

func (c *Config) fillSerdes() error {
	key, errKey := c.serde("default.key.serde")
	value, errValue := c.serde("default.value.serde")
	c.KeySerde, c.ValueSerde = key, value
	return errors.Join(errKey, errValue)
}

func (c *Config) serde(key string) (topology.Serde, error) {
	e, set := c.values[key]
	if !set || e.Value == "" {
		return topology.Bytes, nil
	}
	s, err := topology.SerdeByName(e.Value)
	if err != nil {
		return nil, errs.ConfigInvalid.New(e.Origin, key+`: unknown serde "`+e.Value+`"`, errs.DidYouMean(e.Value, topology.SerdeNames()))
	}
	return s, nil
}

func (c *Config) checkNames() error {
	var faults []error
	if e := c.values["application.id"]; !applicationName.MatchString(e.Value) || e.Value == "." || e.Value == ".." {
		faults = append(faults, errs.ConfigInvalid.New(e.Origin, `application.id: want letters, digits, '.', '_' and '-', at most 200 (got "`+e.Value+`")`, "it becomes part of topic names"))
	}
	if e := c.values["state.dir"]; e.Value == "" {
		faults = append(faults, errs.ConfigInvalid.New(e.Origin, `state.dir: want a folder (got "")`, "remove the key for "+defaultStateDir))
	}
	return errors.Join(faults...)
}

// checkServer checks the addresses of queries. One that other machines reach is not listened on without a token.
func (c *Config) checkServer() error {
	server, listen := c.values["application.server"], c.values["application.server.listen"]
	var faults []error
	for _, e := range []Entry{server, listen} {
		if host, port, err := net.SplitHostPort(e.Value); e.Value != "" && (err != nil || port == "" || host == "" && e.Key == "application.server") {
			faults = append(faults, errs.ConfigInvalid.New(e.Origin, e.Key+`: want HOST:PORT (got "`+e.Value+`")`, "for example "+e.Key+": 127.0.0.1:7070"))
		}
	}
	if len(faults) > 0 || listen.Value == "" || kafka.CheckLoopback(listen.Value) == nil {
		return errors.Join(faults...)
	}
	if c.ApplicationServerToken == "" {
		faults = append(faults, errs.ConfigInvalid.New(listen.Origin, "application.server.listen: other machines reach "+listen.Value+", and there is no application.server.token",
			"set application.server.token, as ${env:NAME} or ${file:PATH}, or listen on 127.0.0.1"))
	}
	if server.Value == "" {
		faults = append(faults, errs.ConfigInvalid.New(listen.Origin, "application.server.listen: other processes have to be told at which address they reach "+listen.Value,
			"set application.server to HOST:PORT of this machine"))
	}
	return errors.Join(faults...)
}

// checkDeadLetterTopic finds a name that no topic can have, which would show only when the first record is set aside.
func (c *Config) checkDeadLetterTopic() error {
	const key = "errors.dead.letter.queue.topic.name"
	e := c.values[key]
	if e.Value == "" {
		return nil
	}
	var fault *errs.Error
	if err := kafka.CheckTopicName(e.Value); errors.As(err, &fault) {
		return errs.ConfigInvalid.New(e.Origin, key+": "+fault.What+" (got "+fault.Where+")", fault.Fix)
	}
	return nil
}

// checkClients has the clients' properties checked as a whole, so that what does not go together shows at once.
func (c *Config) checkClients() error {
	var faults []error
	for _, r := range []Role{MainConsumer, RestoreConsumer, Producer, Admin} {
		_, err := kafka.Options(r.kind(), c.Client(r), r.String())
		faults = append(faults, err)
	}
	e := c.values["producer.enable.idempotence"]
	if plain, ok := c.values["enable.idempotence"]; e.Key == "" && ok {
		e = plain
	}
	if c.ExactlyOnce && e.Value == "false" {
		faults = append(faults, errs.ConfigInvalid.New(e.Origin, e.Key+": exactly_once_v2 needs the idempotent producer", "remove the key"))
	}
	return firstOfEach(faults)
}

// firstOfEach joins errors that differ in more than the client they were found for.
func firstOfEach(faults []error) error {
	seen := map[string]bool{}
	var all []error
	for _, err := range errs.Flatten(errors.Join(faults...)) {
		var coded *errs.Error
		what := err.Error()
		if errors.As(err, &coded) {
			what = coded.Code + coded.What
		}
		if !seen[what] {
			seen[what] = true
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
