package streamsconfig

import (
	"slices"
	"strings"
	"sync"

	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Reasons that several keys share.
const (
	noJava     = "names a Java class; there is no JVM to load it"
	noWindows  = "concerns windowed serdes of Kafka's console clients"
	newerKafka = "comes with a release of Kafka after 4.3.1, whose settings are followed"
)

// class names of handlers and extractors, without Kafka's packages.
const (
	LogAndFail                  = "LogAndFailExceptionHandler"
	LogAndContinue              = "LogAndContinueExceptionHandler"
	ProcessingLogAndFail        = "LogAndFailProcessingExceptionHandler"
	ProcessingLogAndContinue    = "LogAndContinueProcessingExceptionHandler"
	ProductionDefault           = "DefaultProductionExceptionHandler"
	ProductionLogAndContinue    = "LogAndContinueProductionExceptionHandler"
	FailOnInvalidTimestamp      = "FailOnInvalidTimestamp"
	LogAndSkipOnInvalid         = "LogAndSkipOnInvalidTimestamp"
	UsePartitionTimeOnInvalid   = "UsePartitionTimeOnInvalidTimestamp"
	WallclockTimestampExtractor = "WallclockTimestampExtractor"
	RocksDBSuppliers            = "BuiltInDslStoreSuppliers$RocksDBDslStoreSuppliers"
	InMemorySuppliers           = "BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers"
)

// defaultStateDir is Kafka's.
const defaultStateDir = "/tmp/kafka-streams"

// Guarantees.
const (
	AtLeastOnce   = "at_least_once"
	ExactlyOnceV2 = "exactly_once_v2"
)

// Keys lists the settings of Kafka Streams, sorted by name: the 74 of Kafka 4.3.1, and those 5 of later releases that
// documentation found on the net may name. The slice is shared and read only.
func Keys() []kafka.Key { return allKeys() }

var allKeys = sync.OnceValue(func() []kafka.Key {
	keys := slices.Concat(applicationKeys(), handlerKeys(), runtimeKeys(), stateKeys(), placementKeys(), connectionKeys(), newerKeys())
	slices.SortFunc(keys, func(a, b kafka.Key) int { return strings.Compare(a.Name, b.Name) })
	return keys
})

func text(name, def, note string) kafka.Key {
	return kafka.Key{Name: name, Type: kafka.String, Default: def, Note: note}
}

func typed(t kafka.Type, name, def, note string) kafka.Key {
	return kafka.Key{Name: name, Type: t, Default: def, Note: note}
}

// number is a key of type t that is at least low.
func number(t kafka.Type, name, def string, low float64, note string) kafka.Key {
	return kafka.Key{Name: name, Type: t, Default: def, Bounded: true, Min: low, Max: 1e300, Note: note}
}

func oneOf(k kafka.Key, values ...string) kafka.Key {
	k.OneOf = values
	return k
}

func refused(k kafka.Key) kafka.Key {
	k.Answer = kafka.Refused
	return k
}

func applicationKeys() []kafka.Key {
	return []kafka.Key{
		text("application.id", kafka.Required, "names the group, the internal topics and the folder under state.dir"),
		typed(kafka.List, "bootstrap.servers", kafka.Required, "host:port of one or more brokers"),
		text("client.id", "", "prefix of the ids of the clients; application.id and the process id when empty"),
		text("application.server", "", "HOST:PORT at which the other processes of the application reach the queries of this one; where run --admin listens when empty"),
		typed(kafka.Class, "default.key.serde", kafka.Null, "bytes when unset; a short name (string, long, ...) or Kafka's class"),
		typed(kafka.Class, "default.value.serde", kafka.Null, "bytes when unset; a short name (string, long, ...) or Kafka's class"),
		refused(typed(kafka.Class, "default.list.key.serde.inner", kafka.Null, "list serdes are not read")),
		refused(typed(kafka.Class, "default.list.key.serde.type", kafka.Null, "list serdes are not read")),
		refused(typed(kafka.Class, "default.list.value.serde.inner", kafka.Null, "list serdes are not read")),
		refused(typed(kafka.Class, "default.list.value.serde.type", kafka.Null, "list serdes are not read")),
		oneOf(typed(kafka.Class, "default.timestamp.extractor", FailOnInvalidTimestamp, "where a record's time comes from"),
			FailOnInvalidTimestamp, LogAndSkipOnInvalid, UsePartitionTimeOnInvalid, WallclockTimestampExtractor),
		typed(kafka.Boolean, "ensure.explicit.internal.resource.naming", "false", "a document whose internal topics and stores have generated names is refused (KIP-1111)"),
		refused(typed(kafka.Class, "processor.wrapper.class", "NoOpProcessorWrapper", noJava)),
		text("topology.optimization", "none", "how the topology of a document is rewritten: none, all, or some of reuse.ktable.source.topics, merge.repartition.topics, single.store.self.join; programs in Go call StreamsBuilder.Optimize"),
		refused(typed(kafka.Long, "window.size.ms", kafka.Null, noWindows)),
		refused(text("windowed.inner.class.serde", kafka.Null, noWindows)),
	}
}

func handlerKeys() []kafka.Key {
	deserialization := "what to do with a record that cannot be deserialised; log-and-fail and log-and-continue are short names"
	production := "what to do with a record that cannot be written for what it is: larger than max.request.size, or refused by the broker (too large for the topic, no key for a compacted one, a time that is not allowed). The default handler fails; log-and-continue, which Kafka leaves to be written in Java, drops it. A record of a changelog is never dropped"
	return []kafka.Key{
		oneOf(typed(kafka.Class, "deserialization.exception.handler", LogAndFail, deserialization), LogAndFail, LogAndContinue),
		oneOf(typed(kafka.Class, "default.deserialization.exception.handler", LogAndFail, "deprecated name of deserialization.exception.handler"), LogAndFail, LogAndContinue),
		oneOf(typed(kafka.Class, "processing.exception.handler", ProcessingLogAndFail, "what to do with a record that a guest or an expression fails on; onError of a component is stronger"), ProcessingLogAndFail, ProcessingLogAndContinue),
		refused(typed(kafka.Boolean, "processing.exception.handler.global.enabled", "false", "processing.exception.handler is not asked about global stores: what fails there ends the application")),
		oneOf(typed(kafka.Class, "production.exception.handler", ProductionDefault, production), ProductionDefault, ProductionLogAndContinue),
		oneOf(typed(kafka.Class, "default.production.exception.handler", ProductionDefault, "deprecated name of production.exception.handler"), ProductionDefault, ProductionLogAndContinue),
		text("errors.dead.letter.queue.topic.name", kafka.Null, "where the handlers write the records that fail, with headers that tell why (KIP-1034); the topic has to exist"),
	}
}

func runtimeKeys() []kafka.Key {
	return []kafka.Key{
		number(kafka.Int, "buffered.records.per.partition", "1000", 1, "the most records of a partition that wait in memory"),
		number(kafka.Long, "commit.interval.ms", "30000", 0, "how often results are committed; 100 under exactly_once_v2 when unset, and there a thread without work, or that has written 2 MiB, commits after a fifth of it"),
		refused(oneOf(text("group.protocol", "classic", "our own assignor runs in the group's leader, which is the classic protocol"), "classic", "streams")),
		refused(number(kafka.Long, "log.summary.interval.ms", "120000", -1, "what it would log is served as metrics")),
		number(kafka.Long, "max.task.idle.ms", "0", -1, "how long a task waits for records of a partition that has none, so that partitions are merged by time"),
		refused(typed(kafka.List, "metric.reporters", "org.apache.kafka.common.metrics.JmxReporter", noJava+"; metrics are served as Prometheus reads them")),
		refused(number(kafka.Int, "metrics.num.samples", "2", 1, "metrics are counters and histograms; the reader computes rates")),
		refused(number(kafka.Long, "metrics.sample.window.ms", "30000", 0, "metrics are counters and histograms; the reader computes rates")),
		refused(oneOf(text("metrics.recording.level", "INFO", "all metrics are always recorded"), "INFO", "DEBUG", "TRACE")),
		oneOf(text("built.in.metrics.version", "latest", "there is one version"), "latest"),
		typed(kafka.Boolean, "enable.metrics.push", "true", "clients push their metrics when the broker asks for them (KIP-714)"),
		number(kafka.Int, "num.stream.threads", "1", 1, "threads, each with its own consumer, producer and tasks"),
		number(kafka.Long, "poll.ms", "100", 0, "how long a thread without work waits for input"),
		oneOf(text("processing.guarantee", AtLeastOnce, "exactly_once_v2 writes results, state and offsets in one transaction"), AtLeastOnce, ExactlyOnceV2),
		number(kafka.Long, "repartition.purge.interval.ms", "30000", 0, "how often records that are done with are deleted from repartition topics"),
		number(kafka.Int, "replication.factor", "-1", -1, "of internal topics; -1 is the broker's default"),
		number(kafka.Long, "task.timeout.ms", "300000", 0, "how long a task may fail to get on before the thread stops"),
		refused(text("upgrade.from", kafka.Null, "is for rolling upgrades between releases of Kafka Streams")),
		refused(typed(kafka.Class, "default.client.supplier", "DefaultKafkaClientSupplier", noJava)),
		refused(typed(kafka.List, "config.providers", "", noJava+"; write ${env:NAME} or ${file:path}")),
	}
}

func stateKeys() []kafka.Key {
	return []kafka.Key{
		text("state.dir", defaultStateDir, "local state; ours lies in a folder of its own beside Java's"),
		number(kafka.Long, "statestore.cache.max.bytes", "10485760", 0, "record caches of all threads together; 0 forwards every update"),
		number(kafka.Long, "cache.max.bytes.buffering", "10485760", 0, "deprecated name of statestore.cache.max.bytes"),
		oneOf(text("default.dsl.store", "rocksDB", "deprecated name of dsl.store.suppliers.class"), "rocksDB", "in_memory"),
		oneOf(typed(kafka.Class, "dsl.store.suppliers.class", RocksDBSuppliers, "where a document's stores of tables, aggregations and joins are that say nothing of it: on disk, kept by Pebble, or in memory"), RocksDBSuppliers, InMemorySuppliers),
		refused(oneOf(text("dsl.store.format", "DEFAULT", "stores have the formats of DEFAULT: values, or timestamps and values, without headers"), "DEFAULT", "HEADERS")),
		refused(typed(kafka.Class, "rocksdb.config.setter", kafka.Null, noJava+", and there is no RocksDB; stores are kept by Pebble")),
		number(kafka.Long, "state.cleanup.delay.ms", "600000", 0, "how long the state of a task that moved away is kept"),
		refused(number(kafka.Long, "state.cleanup.dir.max.age.ms", "-1", -1, "state is deleted by state.cleanup.delay.ms and by reset")),
		refused(typed(kafka.Boolean, "allow.os.group.write.access", "false", "folders of state belong to the user that runs the application")),
		refused(number(kafka.Long, "windowstore.changelog.additional.retention.ms", "86400000", 0, "the changelogs of window, session and versioned stores keep a day more than the stores, which is the default")),
	}
}

func placementKeys() []kafka.Key {
	return []kafka.Key{
		number(kafka.Long, "acceptable.recovery.lag", "10000", 0, "how many offsets the state of a process may be behind for its task to move there at once"),
		number(kafka.Int, "max.warmup.replicas", "2", 1, "copies of state, in the whole group, that are made because tasks are to move"),
		number(kafka.Int, "num.standby.replicas", "0", 0, "copies of the state of each task that other processes keep up to date"),
		number(kafka.Long, "probing.rebalance.interval.ms", "600000", 60000, "how often tasks that are to move are looked at again"),
		number(kafka.Int, "rack.aware.assignment.non_overlap_cost", kafka.Null, 0, "what the move of a task costs against traffic; 1 for tasks with state and 0 for others when unset"),
		oneOf(text("rack.aware.assignment.strategy", "none", "min_traffic gives tasks to the racks of their partitions (client.rack, broker.rack); balance_subtopology does so within what each thread has of a sub-topology"), "none", "min_traffic", "balance_subtopology"),
		typed(kafka.List, "rack.aware.assignment.tags", "", "the tags in which the copies of a task's state should differ, at most five; each has a client.tag."),
		number(kafka.Int, "rack.aware.assignment.traffic_cost", kafka.Null, 0, "what reading from another rack costs; 10 for tasks with state and 1 for others when unset"),
		refused(text("task.assignor.class", kafka.Null, noJava)),
	}
}

// connectionKeys are those settings that Kafka Streams shares with its clients, with its own defaults.
func connectionKeys() []kafka.Key {
	shared := map[string]string{
		"connections.max.idle.ms": "540000", "metadata.max.age.ms": "300000", "metadata.recovery.rebootstrap.trigger.ms": "300000",
		"metadata.recovery.strategy": "rebootstrap", "receive.buffer.bytes": "32768", "reconnect.backoff.max.ms": "1000",
		"reconnect.backoff.ms": "50", "request.timeout.ms": "40000", "retry.backoff.ms": "100", "security.protocol": "PLAINTEXT",
		"send.buffer.bytes": "131072",
	}
	var keys []kafka.Key
	for _, k := range kafka.AllClientKeys() {
		if def, ok := shared[k.Name]; ok {
			k.Default = def
			keys = append(keys, k)
		}
	}
	return keys
}

func newerKeys() []kafka.Key {
	return []kafka.Key{
		refused(text("default.interactive.query.isolation.level", kafka.Null, newerKafka)),
		refused(typed(kafka.Boolean, "enable.transactional.statestores", kafka.Null, newerKafka+"; here state is always committed with its transaction")),
		refused(typed(kafka.Boolean, "metadata.cluster.check.enable", kafka.Null, newerKafka)),
		refused(typed(kafka.Long, "statestore.uncommitted.max.bytes", kafka.Null, newerKafka)),
		refused(typed(kafka.Boolean, "topology.description.push.enabled", kafka.Null, newerKafka)),
	}
}

// between is a key of type t from low to high.
func between(t kafka.Type, name, def string, low, high float64, note string) kafka.Key {
	return kafka.Key{Name: name, Type: t, Default: def, Bounded: true, Min: low, Max: high, Note: note}
}

// OwnKeys lists the settings that Kafka does not have: the bounds of guests, and what becomes of the records that they
// fail on.
func OwnKeys() []kafka.Key {
	return slices.Concat(ownKeys(), errorKeys(), serverKeys())
}

// serverKeys are the settings of queries between processes.
func serverKeys() []kafka.Key {
	return []kafka.Key{
		text("application.server.listen", "", "HOST:PORT where queries are answered, beside the admin address; one that other machines reach needs application.server.token"),
		typed(kafka.Password, "application.server.token", "", "what queries have to carry that come to application.server.listen, the same in all processes of the application"),
	}
}

// errorKeys are the settings behind onError.
func errorKeys() []kafka.Key {
	return []kafka.Key{
		oneOf(text("wasm.error.policy", PolicyHandler, "what becomes of a record that a guest fails on: handler does what processing.exception.handler says; retry tries again and then does that; onError of a component is stronger"), policies...),
		between(kafka.Int, "wasm.error.retries", "0", 0, 100, "how often such a record is tried again first; 3 under the policy retry when 0"),
		between(kafka.Long, "wasm.error.retry.backoff.ms", "100", 0, 4000, "the pause before the first of these tries; it doubles. The pauses of a record take 4 s at most"),
		between(kafka.Long, "wasm.error.retry.backoff.max.ms", "1000", 0, 4000, "the longest pause"),
	}
}

func ownKeys() []kafka.Key {
	return []kafka.Key{
		oneOf(text("uncaught.exception.response", "shutdown_client", "what becomes of the application when a thread has failed: the thread is replaced, this process ends, or all of them do; KafkaStreams.setUncaughtExceptionHandler"), "replace_thread", "shutdown_client", "shutdown_application"),
		oneOf(text("close.group.membership", "leave_group", "whether a process that stops leaves the group at once or its tasks wait for it until session.timeout.ms; KafkaStreams.CloseOptions"), "leave_group", "remain_in_group"),
		text("wasm.cache.dir", "", "where compiled modules are kept; the user's cache directory when empty, none when it is \"off\""),
		number(kafka.Long, "wasm.call.timeout.ms", "5000", 1, "the longest time of one call into a guest, by the wall clock"),
		number(kafka.Long, "wasm.fuel.max", "4000000000", 1, "the most work of one call, in instructions"),
		number(kafka.Long, "wasm.fuel.per.byte", "2000", 0, "work that a call may use for each byte it is given"),
		number(kafka.Long, "wasm.fuel.per.frame", "50000000", 0, "work that any call may use"),
		number(kafka.Long, "wasm.fuel.per.record", "1000000", 0, "work that a call may use for each record it is given"),
		between(kafka.Int, "wasm.iterators.max", "16", 1, 16, "iterators that one call may have open"),
		between(kafka.Int, "wasm.log.line.max.bytes", "4096", 1, 1<<20, "the longest line of log; the rest is cut"),
		between(kafka.Int, "wasm.log.lines.per.second", "100", 1, 1e6, "lines of log of one instance and those that take its place; the rest is dropped and counted"),
		number(kafka.Long, "state.memory.max.bytes", "134217728", 4<<20, "memory for the files of all stores of the process together: blocks, tables not written yet, rows of joins, restores"),
		between(kafka.Long, "wasm.memory.max.bytes", "67108864", 65536, 2<<30, "the memory of one instance, in pages of 64 KiB"),
		between(kafka.Int, "wasm.metrics.max", "100", 1, 1e4, "metrics that one component may make"),
		between(kafka.Long, "wasm.output.max.bytes", "268435456", 64, 1<<28, "the answer of one call, all its frames together"),
		between(kafka.Long, "wasm.output.max.records", "4194304", 1, 1<<22, "the records of that answer"),
		between(kafka.Long, "wasm.state.key.max.bytes", "1048576", 1, 1<<20, "a key that is put into a store"),
		between(kafka.Long, "wasm.state.value.max.bytes", "1048576", 1, 1<<20, "a value that is put into a store"),
		between(kafka.Long, "wasm.stack.max.bytes", "16777216", 65536, 128<<20, "the stack of one instance"),
	}
}
