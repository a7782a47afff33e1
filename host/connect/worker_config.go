package connect

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// WorkerConfig are the settings of a worker, by Kafka's names (WorkerConfig, DistributedConfig, StandaloneConfig).
type WorkerConfig struct {
	// Props are all settings as they were given; prefixes and client properties are read from them.
	Props config.Props
	// Compat has the worker behave as Kafka's where ours does better.
	Compat bool

	Servers          []string
	FlushInterval    time.Duration
	FlushTimeout     time.Duration
	ShutdownTimeout  time.Duration
	TopicTracking    bool
	TopicReset       bool
	TopicCreation    bool
	OverridePolicy   string
	Overridable      []string // with the policy Allowlist
	Listeners        []string
	AdminListeners   []string // nil: on Listeners; empty: off
	AdvertisedURL    string
	advertised       int    // the listener that AdvertisedURL is of
	OffsetsFile      string // standalone
	Group            string // "" in standalone mode
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	Heartbeat        time.Duration
	SyncTimeout      time.Duration
	UnsyncBackoff    time.Duration
	MaxDelay         time.Duration
	Protocol         string // eager, compatible, sessioned
	KeyTTL           time.Duration
	KeyAlgorithm     string
	SignAlgorithm    string
	VerifyAlgorithms []string
	ExactlyOnce      string // disabled, preparing, enabled
	Config           InternalTopic
	Offset           InternalTopic
	Status           InternalTopic
	Restart          RestartPolicy
}

// InternalTopic is one of the three topics of a distributed worker.
type InternalTopic struct {
	Name        string
	Replication int16
	Partitions  int32
	Configs     map[string]string
	// Property is the setting that names the topic.
	Property string
	// Overrides are settings of a connector whose own topic this is, for its clients.
	Overrides config.Props
}

// defaultPort is that of Kafka Connect's REST API.
const defaultPort = "8083"

// A setting of a worker in few words: numbers of milliseconds are 0 or more, and of the type that Kafka has for them.
func millis(name string, t config.Type, def int64) config.Key {
	return config.Key{Name: name, Type: t, Default: def, Validator: config.AtLeast(0), Importance: config.Low}
}

func optional(name string, t config.Type, def any, check config.Validator) config.Key {
	return config.Key{Name: name, Type: t, Default: def, Validator: check, Importance: config.Low}
}

func workerDef(distributed bool) *config.Def {
	d := config.NewDef(
		config.Key{Name: "bootstrap.servers", Type: config.List, Default: "localhost:9092", Importance: config.High},
		config.Key{Name: keyConverterKey, Type: config.Class, Importance: config.High},
		config.Key{Name: valueConverterKey, Type: config.Class, Importance: config.High},
		optional(headerConverterKey, config.String, "org.apache.kafka.connect.storage.SimpleHeaderConverter", nil),
		millis("offset.flush.interval.ms", config.Long, 60000), millis("offset.flush.timeout.ms", config.Long, 5000),
		millis("task.shutdown.graceful.timeout.ms", config.Long, 5000),
		optional("topic.tracking.enable", config.Boolean, true, nil), optional("topic.tracking.allow.reset", config.Boolean, true, nil),
		optional("topic.creation.enable", config.Boolean, true, nil),
		config.Key{Name: overridePolicyKey, Type: config.String, Default: "All", Validator: config.Check(checkPolicy), Importance: config.Medium},
		config.Key{Name: "connector.client.config.override.allowlist", Type: config.List, Default: []string{}, Importance: config.Medium},
		optional("listeners", config.List, []string{}, config.Check(checkListeners)), optional("admin.listeners", config.List, []string{}, config.Check(checkListeners)),
		optional("rest.advertised.host.name", config.String, "", nil), optional("rest.advertised.listener", config.String, "", nil),
		config.Key{Name: "rest.advertised.port", Type: config.Int, Nullable: true, Importance: config.Low},
		optional(restartPolicyKey, config.String, "on-failure", config.OneOf("on-failure", "none")),
		millis(restartFirstKey, config.Long, 1000), millis(restartMostKey, config.Long, 300000),
		optional(restartLimitKey, config.Int, 10, config.AtLeast(0)),
	)
	if !distributed {
		return d.Define(config.Key{Name: "offset.storage.file.filename", Type: config.String, Importance: config.High})
	}
	for _, k := range groupKeys() {
		d.Define(k)
	}
	return d
}

// groupKeys are the settings of a worker of a group.
func groupKeys() []config.Key {
	return []config.Key{
		{Name: groupKey, Type: config.String, Validator: config.NonEmpty, Importance: config.High},
		{Name: "config.storage.topic", Type: config.String, Validator: named("Must specify topic for connector configuration."), Importance: config.High},
		{Name: "offset.storage.topic", Type: config.String, Validator: named("Offset storage topic must be specified"), Importance: config.High},
		{Name: "status.storage.topic", Type: config.String, Validator: named("Must specify topic for connector status."), Importance: config.High},
		optional("config.storage.replication.factor", config.Short, 3, replicas), optional("offset.storage.replication.factor", config.Short, 3, replicas),
		optional("status.storage.replication.factor", config.Short, 3, replicas),
		optional("offset.storage.partitions", config.Int, 25, partitions), optional("status.storage.partitions", config.Int, 5, partitions),
		millis(sessionTimeoutKey, config.Int, 10000), millis("rebalance.timeout.ms", config.Int, 60000), millis(heartbeatKey, config.Int, 3000),
		millis("worker.sync.timeout.ms", config.Int, 3000), millis("worker.unsync.backoff.ms", config.Int, 300000), millis("scheduled.rebalance.max.delay.ms", config.Int, 300000),
		optional("connect.protocol", config.String, ProtocolSession, config.OneOfFold("eager", ProtocolCoop, ProtocolSession)),
		millis("inter.worker.key.ttl.ms", config.Int, 3600000), optional("inter.worker.key.generation.algorithm", config.String, "HmacSHA256", config.Check(checkAlgorithms)),
		optional(signatureKey, config.String, "HmacSHA256", config.Check(checkAlgorithms)),
		optional(verificationKey, config.List, "HmacSHA256", config.All(config.NonEmptyList, config.Check(checkAlgorithms))),
		{Name: "exactly.once.source.support", Type: config.String, Default: "disabled", Validator: config.OneOfFold("disabled", "preparing", "enabled"), Importance: config.High},
	}
}

// policies are those of client overrides.
var policies = []string{"All", "None", "Principal", "Allowlist"}

// policyOf is the short name of a policy, which may be given as Kafka's class.
func policyOf(name string) string {
	name = strings.TrimPrefix(name, "org.apache.kafka.connect.connector.policy.")
	return strings.TrimSuffix(name, "ConnectorClientConfigOverridePolicy")
}

func checkPolicy(name string, value any) error {
	if s, ok := value.(string); ok && slices.Contains(policies, policyOf(s)) {
		return nil
	}
	return config.Invalid(name, value, "want one of "+strings.Join(policies, ", "))
}

// ParseWorkerConfig reads the settings of a worker. The error tells every fault, one in a line, in Kafka's words.
func ParseWorkerConfig(props config.Props, distributed bool) (*WorkerConfig, error) {
	v, err := workerDef(distributed).ParseAll(props)
	faults := []error{err}
	if distributed {
		for _, fault := range groupFaults(props) {
			faults = append(faults, config.Exception(fault))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	ms := func(name string) time.Duration { return time.Duration(v.Int(name)) * time.Millisecond }
	c := &WorkerConfig{
		Props: props, Servers: v.List("bootstrap.servers"), FlushInterval: ms("offset.flush.interval.ms"), FlushTimeout: ms("offset.flush.timeout.ms"),
		Compat:          props.Or("kafka.compat", "false") == "true",
		ShutdownTimeout: ms("task.shutdown.graceful.timeout.ms"), TopicTracking: v.Bool("topic.tracking.enable"), TopicReset: v.Bool("topic.tracking.allow.reset"),
		TopicCreation: v.Bool("topic.creation.enable"), OverridePolicy: policyOf(v.String(overridePolicyKey)), Overridable: v.List("connector.client.config.override.allowlist"), Listeners: v.List("listeners"),
		OffsetsFile: v.String("offset.storage.file.filename"), ExactlyOnce: "disabled", Restart: DefaultRestartPolicy(),
	}
	c.Restart.Enabled, c.Restart.Limit = v.String(restartPolicyKey) == "on-failure", v.Int(restartLimitKey)
	c.Restart.First, c.Restart.Most = ms(restartFirstKey), ms(restartMostKey)
	if admin, ok := props.Get("admin.listeners"); ok {
		c.AdminListeners = append([]string{}, kafka.SplitList(admin)...)
	}
	if err := c.advertise(v); err != nil || !distributed {
		return c, err
	}
	c.Group, c.SessionTimeout, c.RebalanceTimeout, c.Heartbeat = v.String(groupKey), ms(sessionTimeoutKey), ms("rebalance.timeout.ms"), ms(heartbeatKey)
	c.SyncTimeout, c.UnsyncBackoff, c.MaxDelay = ms("worker.sync.timeout.ms"), ms("worker.unsync.backoff.ms"), ms("scheduled.rebalance.max.delay.ms")
	c.Protocol, c.KeyTTL = strings.ToLower(v.String("connect.protocol")), ms("inter.worker.key.ttl.ms")
	c.KeyAlgorithm, c.SignAlgorithm, c.VerifyAlgorithms = v.String("inter.worker.key.generation.algorithm"), v.String(signatureKey), v.List(verificationKey)
	c.ExactlyOnce = strings.ToLower(v.String("exactly.once.source.support"))
	c.Config = internalTopic(v, props, "config", 1)
	c.Offset = internalTopic(v, props, "offset", int32(v.Int("offset.storage.partitions")))
	c.Status = internalTopic(v, props, "status", int32(v.Int("status.storage.partitions")))
	return c, nil
}

func internalTopic(v config.Values, props config.Props, name string, partitions int32) InternalTopic {
	prefix := name + ".storage."
	t := InternalTopic{Property: prefix + "topic", Name: v.String(prefix + "topic"), Replication: int16(v.Int(prefix + "replication.factor")), Partitions: partitions, Configs: map[string]string{"cleanup.policy": "compact"}}
	for _, k := range kafka.TopicKeyNames() {
		if value, ok := props.Get(prefix + k); ok && k != "cleanup.policy" {
			t.Configs[k] = value
		}
	}
	return t
}

// advertise works out the URL by which other workers reach this one, and the listeners: loopback unless they are given.
func (c *WorkerConfig) advertise(v config.Values) error {
	if len(c.Listeners) == 0 {
		c.Listeners = []string{"http://127.0.0.1:" + defaultPort}
		if c.Compat {
			c.Listeners = []string{"http://:" + defaultPort}
		}
	}
	scheme := strings.ToLower(v.String("rest.advertised.listener"))
	if scheme != "" {
		c.advertised = slices.IndexFunc(c.Listeners, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), scheme+"://") })
		if c.advertised < 0 {
			return config.Invalid("rest.advertised.listener", scheme, "there is no such listener")
		}
	}
	u, _ := url.Parse(c.Listeners[c.advertised])
	host, port := u.Hostname(), u.Port()
	if name := v.String("rest.advertised.host.name"); name != "" {
		host = name
	}
	if n := v.Int("rest.advertised.port"); n != 0 {
		port = strconv.Itoa(n)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = localHost()
	}
	c.AdvertisedURL = strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(host, port) + "/"
	return nil
}

// localHost is the address of the interface that leads out, as Java's getLocalHost; loopback without one.
func localHost() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return "127.0.0.1"
}

// WorkerID is host:port of the advertised URL.
func (c *WorkerConfig) WorkerID() string {
	u, err := url.Parse(c.AdvertisedURL)
	if err != nil {
		return c.AdvertisedURL
	}
	return u.Host
}

// Distributed tells whether the worker belongs to a group.
func (c *WorkerConfig) Distributed() bool { return c.Group != "" }

// clientPrefix is that of a kind of client in the settings of a worker.
func clientPrefix(kind kafka.Kind) string {
	switch kind {
	case kafka.Producer:
		return "producer."
	case kafka.Consumer:
		return "consumer."
	}
	return "admin."
}

// runtimeOwned are client properties that the runtime sets itself, with what it makes of an override.
var runtimeOwned = []string{
	"key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "enable.auto.commit", "transactional.id", "group.id",
	"partition.assignment.strategy", "interceptor.classes", "metric.reporters",
}

// ClientProperties are those of a client of a connector: the worker's, those under the client's prefix, the connector's
// overrides; each wins over the former.
func (c *WorkerConfig) ClientProperties(kind kafka.Kind, overrides config.Props) kafka.Properties {
	known := map[string]kafka.Key{}
	for _, k := range kafka.ClientKeys(kind) {
		known[k.Name] = k
	}
	out := kafka.Properties{}
	add := func(props config.Props) {
		for name, value := range props.Map() {
			k, ok := known[name]
			if !ok || slices.Contains(runtimeOwned, name) {
				continue
			}
			if canonical, err := k.Parse(value); err == nil && k.RefusedValue(canonical) {
				continue // what ours cannot be told, such as interceptors
			}
			out[name] = value
		}
	}
	worker := c.Props.Clone()
	delete(worker, "client.id")
	add(worker)
	if kind != kafka.Admin && !c.Distributed() {
		for _, sized := range []string{sessionTimeoutKey, heartbeatKey} {
			delete(out, sized)
		}
	}
	add(c.Props.WithPrefix(clientPrefix(kind)))
	add(overrides.WithPrefix(clientPrefix(kind) + "override."))
	if kind == kafka.Producer {
		plainWhereAsked(out)
	}
	return out
}

// plainWhereAsked has a producer whose acks the idempotent one cannot have be a plain one, as Kafka's (KIP-679), that keeps the order of
// its records as Connect's.
func plainWhereAsked(producer kafka.Properties) {
	acks := producer["acks"]
	if _, said := producer[idempotenceKey]; said || acks != "0" && acks != "1" {
		return
	}
	producer[idempotenceKey] = "false"
	if _, said := producer[inFlightKey]; !said {
		producer[inFlightKey] = "1"
	}
}

// converters are the classes of the worker's converters by setting.
func (c *WorkerConfig) converters() map[string]string {
	out := map[string]string{}
	for _, key := range []string{keyConverterKey, valueConverterKey, headerConverterKey} {
		out[key], _ = c.ConverterProps(key, nil)
	}
	return out
}

// ConverterProps are the class of a converter and its settings without prefix: the connector's own, else the worker's.
func (c *WorkerConfig) ConverterProps(key string, connector config.Props) (class string, props config.Props) {
	from := c.Props
	if _, ok := connector.Get(key); ok {
		from = connector
	}
	class = from.Or(key, "org.apache.kafka.connect.storage.SimpleHeaderConverter")
	return class, from.WithPrefix(key + ".")
}

// String is the name and the number of partitions, for logs.
func (t InternalTopic) String() string {
	return fmt.Sprintf("%s (%d partitions)", t.Name, t.Partitions)
}
