package kafka

import (
	"slices"
	"strings"
	"sync"
)

// Kind is one of Kafka's three clients.
type Kind int

// The clients; a property belongs to one or several.
const (
	Consumer Kind = 1 << iota
	Producer
	Admin
	everyClient = Consumer | Producer | Admin
)

// clientKey is a property with the clients that have it.
type clientKey struct {
	Key
	kinds Kind
}

// Reasons that several properties share.
const (
	noPlugins   = "names a Java class; there is no JVM to load it"
	noKerberos  = "Kerberos is not spoken; use SCRAM, PLAIN or OAUTHBEARER"
	noJavaTLS   = "belongs to Java's security providers; TLS here is Go's"
	noJavaRates = "metrics are counters and histograms; the reader of /metrics computes rates over the span it likes"
	bytesOnly   = "clients carry bytes; serdes belong to the topology"
)

// ClientKeys lists the properties of a client, sorted by name.
func ClientKeys(kind Kind) []Key {
	var keys []Key
	for _, k := range clientKeys() {
		if k.kinds&kind != 0 {
			keys = append(keys, k.Key)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(keys, func(a, b Key) bool { return a.Name == b.Name })
}

// AllClientKeys lists the properties of all clients, sorted by name. Of a key whose default differs by client the
// consumer's stands. The slice is shared and read only.
func AllClientKeys() []Key { return allClientKeys() }

var allClientKeys = sync.OnceValue(func() []Key { return ClientKeys(everyClient) })

// clientKeys is the table of all properties, made at its first use.
var clientKeys = sync.OnceValue(func() []clientKey {
	return slices.Concat(connectionKeys(), tlsKeys(), saslKeys(), consumerKeys(), producerKeys(), adminKeys())
})

func on(kinds Kind, keys ...Key) []clientKey {
	all := make([]clientKey, len(keys))
	for i, k := range keys {
		all[i] = clientKey{k, kinds}
	}
	return all
}

// key makes a key whose value is taken as it is.
func key(name string, t Type, def, note string) Key {
	return Key{Name: name, Type: t, Default: def, Note: note}
}

func (k Key) atLeast(n float64) Key { return k.between(n, maxNumber) }

func (k Key) between(low, high float64) Key {
	k.Bounded, k.Min, k.Max = true, low, high
	return k
}

func (k Key) anyOf(values ...string) Key {
	k.OneOf = values
	return k
}

func (k Key) fold() Key {
	k.Fold = true
	return k
}

func (k Key) noEffect() Key {
	k.Answer = NoEffect
	return k
}

func (k Key) refused() Key {
	k.Answer = Refused
	return k
}

func connectionKeys() []clientKey {
	return on(everyClient,
		key("bootstrap.servers", List, Required, "host:port of one or more brokers"),
		key("client.id", String, "", "shown in the broker's logs and quotas"),
		key("client.dns.lookup", String, "use_all_dns_ips", "every address of a host is tried").
			anyOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only").refused(),
		key("connections.max.idle.ms", Long, "540000", "idle connections are closed after that time, here at most 15 minutes").between(100, 900000),
		key("metadata.max.age.ms", Long, "300000", "metadata is asked for again after that time, here at most an hour").between(10, 3600000),
		key("metadata.recovery.strategy", String, "rebootstrap", "the bootstrap servers are asked again when all known brokers are gone").
			anyOf("rebootstrap", "none").fold().refused(),
		key("metadata.recovery.rebootstrap.trigger.ms", Long, "300000", "all known brokers are tried in turn, so the bootstrap servers are asked sooner").atLeast(0).noEffect(),
		key("reconnect.backoff.ms", Long, "50", "the wait before a broker is dialled again; doubles with each failure").atLeast(0),
		key("reconnect.backoff.max.ms", Long, "1000", "the longest wait before a broker is dialled again").atLeast(0),
		key("request.timeout.ms", Int, "30000", "how long an answer may take, here at most 15 minutes").between(100, 900000),
		key("retry.backoff.ms", Long, "100", "the wait before a request is sent again, which doubles with each failure, and before metadata is asked for again").atLeast(0),
		key("retry.backoff.max.ms", Long, "1000", "the longest wait before a request is sent again").atLeast(0),
		key("send.buffer.bytes", Int, "131072", "SO_SNDBUF; -1 is the system's").atLeast(-1),
		key("receive.buffer.bytes", Int, "65536", "SO_RCVBUF; unset or -1 it is the system's, which grows with what comes").atLeast(-1),
		key("socket.connection.setup.timeout.ms", Long, "10000", "how long a connection may take; doubles with each failure").atLeast(0),
		key("socket.connection.setup.timeout.max.ms", Long, "30000", "the longest time a connection may take").atLeast(0),
		key("security.protocol", String, "PLAINTEXT", "TLS with SSL and SASL_SSL, SASL with SASL_PLAINTEXT and SASL_SSL").
			anyOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL").fold(),
		key("security.providers", String, Null, noJavaTLS).refused(),
		key("enable.metrics.push", Boolean, "true", "clients push their metrics when the broker asks for them (KIP-714)"),
		key("metric.reporters", List, "org.apache.kafka.common.metrics.JmxReporter", noPlugins+"; metrics are served as Prometheus reads them").refused(),
		key("metrics.num.samples", Int, "2", noJavaRates).atLeast(1).noEffect(),
		key("metrics.recording.level", String, "INFO", "all metrics are always recorded").anyOf("INFO", "DEBUG", "TRACE").noEffect(),
		key("metrics.sample.window.ms", Long, "30000", noJavaRates).atLeast(0).noEffect(),
		key("config.providers", List, "", noPlugins+"; write ${env:NAME} or ${file:path}").refused(),
	)
}

func tlsKeys() []clientKey {
	kinds := "JKS, PKCS12 or PEM; a file of JKS or PKCS12 tells itself which of the two it is"
	return on(everyClient,
		key("ssl.truststore.type", String, "JKS", kinds).anyOf("JKS", "PKCS12", "PEM").fold(),
		key("ssl.truststore.location", String, Null, "a file of trusted certificates, a store or PEM; the system's certificates when unset"),
		key("ssl.truststore.certificates", Password, Null, "PEM certificates, with ssl.truststore.type PEM"),
		key("ssl.truststore.password", Password, Null, "opens the trust store; without it a JKS store is read unchecked"),
		key("ssl.keystore.type", String, "JKS", kinds).anyOf("JKS", "PKCS12", "PEM").fold(),
		key("ssl.keystore.location", String, Null, "a file with the client's key and its certificate chain, a store or PEM; of several keys the first by alias is shown that the broker can use"),
		key("ssl.keystore.key", Password, Null, "a PEM key (PKCS#8), with ssl.keystore.type PEM"),
		key("ssl.keystore.certificate.chain", Password, Null, "PEM certificates, the client's first"),
		key("ssl.keystore.password", Password, Null, "opens the key store; a PEM file has none"),
		key("ssl.key.password", Password, Null, "opens the keys of the store, or an encrypted PEM key; the key store's password when unset"),
		key("ssl.endpoint.identification.algorithm", String, "https", "https checks the broker's name; empty checks the chain only").anyOf("https", ""),
		key("ssl.protocol", String, "TLSv1.3", "the newest version offered").anyOf("TLSv1.3", "TLSv1.2"),
		key("ssl.enabled.protocols", List, "TLSv1.2,TLSv1.3", "the versions offered"),
		key("ssl.cipher.suites", List, "", "IANA names; TLS 1.3 chooses its own"),
		key("ssl.provider", String, Null, noJavaTLS).refused(),
		key("ssl.keymanager.algorithm", String, "SunX509", noJavaTLS).refused(),
		key("ssl.trustmanager.algorithm", String, "PKIX", noJavaTLS).refused(),
		key("ssl.secure.random.implementation", String, Null, noJavaTLS).refused(),
		key("ssl.engine.factory.class", Class, Null, noPlugins).refused(),
	)
}

func saslKeys() []clientKey {
	noJWT := "tokens come from the token endpoint with client credentials, or from a file"
	notServer := "is for brokers that check tokens"
	return on(everyClient,
		key("sasl.mechanism", String, "GSSAPI", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; "+noKerberos),
		key("sasl.jaas.config", Password, Null, "the login module with username and password, as Kafka writes it"),
		key("sasl.client.callback.handler.class", Class, Null, noPlugins).refused(),
		key("sasl.login.callback.handler.class", Class, Null, noPlugins).refused(),
		key("sasl.login.class", Class, Null, noPlugins).refused(),
		key("sasl.login.connect.timeout.ms", Int, Null, "how long a connection to the token endpoint may take").atLeast(0),
		key("sasl.login.read.timeout.ms", Int, Null, "how long the token endpoint may take to answer").atLeast(0),
		key("sasl.login.retry.backoff.ms", Long, "100", "a token is asked for with each connection, which has its own backoff").noEffect(),
		key("sasl.login.retry.backoff.max.ms", Long, "10000", "a token is asked for with each connection, which has its own backoff").noEffect(),
		key("sasl.login.refresh.buffer.seconds", Short, "300", "a token is asked for with each authentication").between(0, 3600).noEffect(),
		key("sasl.login.refresh.min.period.seconds", Short, "60", "a token is asked for with each authentication").between(0, 900).noEffect(),
		key("sasl.login.refresh.window.factor", Double, "0.8", "a token is asked for with each authentication").between(0.5, 1).noEffect(),
		key("sasl.login.refresh.window.jitter", Double, "0.05", "a token is asked for with each authentication").between(0, 0.25).noEffect(),
		key("sasl.kerberos.kinit.cmd", String, "/usr/bin/kinit", noKerberos).refused(),
		key("sasl.kerberos.min.time.before.relogin", Long, "60000", noKerberos).refused(),
		key("sasl.kerberos.service.name", String, Null, noKerberos).refused(),
		key("sasl.kerberos.ticket.renew.jitter", Double, "0.05", noKerberos).refused(),
		key("sasl.kerberos.ticket.renew.window.factor", Double, "0.8", noKerberos).refused(),
		key("sasl.oauthbearer.token.endpoint.url", String, Null, "where tokens come from: https://, http:// or file://"),
		key("sasl.oauthbearer.client.credentials.client.id", String, Null, "the client of the token endpoint"),
		key("sasl.oauthbearer.client.credentials.client.secret", Password, Null, "its secret"),
		key("sasl.oauthbearer.scope", String, Null, "the scope asked for"),
		key("sasl.oauthbearer.header.urlencode", Boolean, "false", "client and secret are URL-encoded in the Authorization header"),
		key("sasl.oauthbearer.scope.claim.name", String, "scope", "the token is given to the broker as it came").noEffect(),
		key("sasl.oauthbearer.sub.claim.name", String, "sub", "the token is given to the broker as it came").noEffect(),
		key("sasl.oauthbearer.assertion.algorithm", String, "RS256", noJWT).refused(),
		key("sasl.oauthbearer.assertion.claim.aud", String, Null, noJWT).refused(),
		key("sasl.oauthbearer.assertion.claim.exp.seconds", Int, "300", noJWT).refused(),
		key("sasl.oauthbearer.assertion.claim.iss", String, Null, noJWT).refused(),
		key("sasl.oauthbearer.assertion.claim.jti.include", Boolean, "false", noJWT).refused(),
		key("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, "60", noJWT).refused(),
		key("sasl.oauthbearer.assertion.claim.sub", String, Null, noJWT).refused(),
		key("sasl.oauthbearer.assertion.file", String, Null, noJWT).refused(),
		key("sasl.oauthbearer.assertion.private.key.file", String, Null, noJWT).refused(),
		key("sasl.oauthbearer.assertion.private.key.passphrase", Password, Null, noJWT).refused(),
		key("sasl.oauthbearer.assertion.template.file", String, Null, noJWT).refused(),
		key("sasl.oauthbearer.clock.skew.seconds", Int, "30", notServer).refused(),
		key("sasl.oauthbearer.expected.audience", List, "", notServer).refused(),
		key("sasl.oauthbearer.expected.issuer", String, Null, notServer).refused(),
		key("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, "3600000", notServer).refused(),
		key("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, "10000", notServer).refused(),
		key("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, "100", notServer).refused(),
		key("sasl.oauthbearer.jwks.endpoint.url", String, Null, notServer).refused(),
		key("sasl.oauthbearer.jwt.retriever.class", Class, "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", noPlugins).refused(),
		key("sasl.oauthbearer.jwt.validator.class", Class, "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", noPlugins).refused(),
	)
}

func consumerKeys() []clientKey {
	return slices.Concat(on(Consumer,
		key("allow.auto.create.topics", Boolean, "true", "reading never creates a topic; Kafka Streams sets false").refused(),
		key("auto.commit.interval.ms", Int, "5000", "offsets are committed with the results of what was processed").atLeast(0).refused(),
		key("auto.offset.reset", String, "latest", "where to begin without a committed offset; Kafka Streams sets earliest").
			anyOf("earliest", "latest", "none", "by_duration:*"),
		key("check.crcs", Boolean, "true", "checksums of fetched batches are checked"),
		key("enable.auto.commit", Boolean, "false", "offsets are committed with the results of what was processed").refused(),
		key("exclude.internal.topics", Boolean, "true", "a pattern does not match the broker's own topics").refused(),
		key("fetch.max.bytes", Int, "52428800", "the most bytes of one fetch").between(1, 1<<30),
		key("fetch.max.wait.ms", Int, "500", "how long the broker waits for fetch.min.bytes").atLeast(10),
		key("fetch.min.bytes", Int, "1", "the least bytes of one fetch").atLeast(0),
		key("group.id", String, Null, "the group is application.id").refused(),
		key("group.instance.id", String, Null, "derived from the process id in state.dir and the thread's number").refused(),
		key("group.protocol", String, "classic", "our own assignor runs in the group's leader, which is the classic protocol").anyOf("classic", "consumer").fold().refused(),
		key("group.remote.assignor", String, Null, "our own assignor runs in the group's leader").refused(),
		key("heartbeat.interval.ms", Int, "3000", "less than a third of session.timeout.ms").atLeast(1),
		key("isolation.level", String, "read_uncommitted", "read_committed under exactly_once_v2").anyOf("read_uncommitted", "read_committed"),
		key("key.deserializer", Class, Null, bytesOnly).refused(),
		key("value.deserializer", Class, Null, bytesOnly).refused(),
		key("max.partition.fetch.bytes", Int, "1048576", "the most bytes of one partition in a fetch").between(1, 1<<30),
		key("max.poll.interval.ms", Int, "300000", "how long a rebalance waits for a member").atLeast(100),
		key("max.poll.records", Int, "500", "the most records taken at once; Kafka Streams sets 1000").atLeast(1),
		key("partition.assignment.strategy", List, "", "the assignor of tasks is our own").refused(),
		key("session.timeout.ms", Int, "45000", "a member that is silent for so long is dead").atLeast(100),
		key("share.acknowledgement.mode", String, "implicit", "is for share groups").refused(),
		key("share.acquire.mode", String, "batch_optimized", "is for share groups").anyOf("batch_optimized", "record_limit").fold().refused(),
	), on(Consumer|Producer,
		key("interceptor.classes", List, "", noPlugins).refused(),
	), on(Consumer,
		key("client.rack", String, "", "fetch from the replica in the same rack"),
	), on(Consumer|Admin,
		key("default.api.timeout.ms", Int, "60000", "how long a request may be retried").atLeast(0),
	))
}

func producerKeys() []clientKey {
	return slices.Concat(on(Producer,
		key("acks", String, "all", "0 and 1 need enable.idempotence false").anyOf("all", "-1", "0", "1"),
		key("batch.size", Int, "16384", "a batch is what waits for a partition when a request leaves, up to max.request.size").atLeast(0).noEffect(),
		key("buffer.memory", Long, "33554432", "the most bytes that wait to be sent").atLeast(1),
		key("compression.type", String, "none", "how batches are compressed").anyOf("none", "gzip", "snappy", "lz4", "zstd"),
		key("compression.gzip.level", Int, "-1", "1 to 9, -1 the codec's default").between(-1, 9),
		key("compression.lz4.level", Int, "9", "1 to 17").between(1, 17),
		key("compression.zstd.level", Int, "3", "mapped to the nearest of the four levels of the Go codec").between(-131072, 22),
		key("delivery.timeout.ms", Int, "120000", "how long a record is tried: as many times as fit with retry.backoff.max.ms in between").atLeast(1000),
		key("enable.idempotence", Boolean, "true", "may be false under at_least_once only"),
		key("key.serializer", Class, Null, bytesOnly).refused(),
		key("value.serializer", Class, Null, bytesOnly).refused(),
		key("linger.ms", Long, "5", "how long a batch waits for more; Kafka Streams sets 100; here at most a minute").between(0, 60000),
		key("max.block.ms", Long, "60000", "a full buffer blocks until there is room; task.timeout.ms bounds it").atLeast(0).noEffect(),
		key("max.in.flight.requests.per.connection", Int, "5", "1 to 5; the idempotent producer chooses within that").between(1, 5),
		key("max.request.size", Int, "1048576", "the largest batch").between(512, 1<<30-1),
		key("metadata.max.idle.ms", Long, "300000", "metadata of a topic is kept while the client lives").atLeast(5000).noEffect(),
		key("partitioner.class", Class, Null, noPlugins+"; keys are partitioned as Kafka's default does (murmur2)").refused(),
		key("partitioner.ignore.keys", Boolean, "false", "keys are partitioned as Kafka's default does (murmur2)").refused(),
		key("partitioner.adaptive.partitioning.enable", Boolean, "true", "records without a key go round robin").noEffect(),
		key("partitioner.availability.timeout.ms", Long, "0", "records without a key go round robin").atLeast(0).refused(),
		key("transaction.timeout.ms", Int, "60000", "the broker aborts a transaction that is open for so long; Kafka Streams sets 10000").atLeast(1),
		key("transaction.two.phase.commit.enable", Boolean, "false", "transactions are begun and ended here").refused(),
		key("transactional.id", String, Null, "derived from application.id, the process id in state.dir and the thread's number").refused(),
	), on(Producer|Admin,
		key("retries", Int, "2147483647", "how often a request is sent again, within delivery.timeout.ms").between(0, 2147483647),
	))
}

func adminKeys() []clientKey {
	return on(Admin,
		key("bootstrap.controllers", List, "", "topics and groups are asked of brokers").refused(),
	)
}
