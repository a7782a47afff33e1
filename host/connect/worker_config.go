package connect

import (
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

func workerDef(distributed bool) *config.Def {
	ms := func(name string, def int64) config.Key {
		return config.Key{Name: name, Type: config.Long, Default: def, Validator: config.AtLeast(0), Importance: config.Low}
	}
	text := func(name, def string) config.Key {
		return config.Key{Name: name, Type: config.String, Default: def, Importance: config.Low}
	}
	flag := func(name string, def bool) config.Key {
		return config.Key{Name: name, Type: config.Boolean, Default: def, Importance: config.Low}
	}
	d := config.NewDef(
		config.Key{Name: "bootstrap.servers", Type: config.List, Default: "localhost:9092", Importance: config.High},
		config.Key{Name: keyConverterKey, Type: config.Class, Importance: config.High},
		config.Key{Name: valueConverterKey, Type: config.Class, Importance: config.High},
		text(headerConverterKey, "org.apache.kafka.connect.storage.SimpleHeaderConverter"),
		ms("offset.flush.interval.ms", 60000), ms("offset.flush.timeout.ms", 5000), ms("task.shutdown.graceful.timeout.ms", 5000),
		flag("topic.tracking.enable", true), flag("topic.tracking.allow.reset", true), flag("topic.creation.enable", true),
		config.Key{Name: "connector.client.config.override.policy", Type: config.String, Default: "All", Validator: config.Check(checkPolicy), Importance: config.Medium},
		config.Key{Name: "connector.client.config.override.allowlist", Type: config.List, Default: []string{}, Importance: config.Medium},
		config.Key{Name: "listeners", Type: config.List, Default: []string{}, Importance: config.Low},
		text("rest.advertised.host.name", ""), text("rest.advertised.listener", ""),
		config.Key{Name: "rest.advertised.port", Type: config.Int, Nullable: true, Importance: config.Low},
		config.Key{Name: restartPolicyKey, Type: config.String, Default: "on-failure", Validator: config.OneOf("on-failure", "none"), Importance: config.Low},
		ms(restartFirstKey, 1000), ms(restartMostKey, 300000),
		config.Key{Name: restartLimitKey, Type: config.Int, Default: 10, Validator: config.AtLeast(0), Importance: config.Low},
	)
	if !distributed {
		d.Define(config.Key{Name: "offset.storage.file.filename", Type: config.String, Importance: config.High})
		return d
	}
	for _, k := range []config.Key{
		{Name: "group.id", Type: config.String, Importance: config.High},
		{Name: "config.storage.topic", Type: config.String, Importance: config.High},
		{Name: "offset.storage.topic", Type: config.String, Importance: config.High},
		{Name: "status.storage.topic", Type: config.String, Importance: config.High},
		{Name: "config.storage.replication.factor", Type: config.Short, Default: 3, Importance: config.Low},
		{Name: "offset.storage.replication.factor", Type: config.Short, Default: 3, Importance: config.Low},
		{Name: "status.storage.replication.factor", Type: config.Short, Default: 3, Importance: config.Low},
		{Name: "offset.storage.partitions", Type: config.Int, Default: 25, Importance: config.Low},
		{Name: "status.storage.partitions", Type: config.Int, Default: 5, Importance: config.Low},
		ms("session.timeout.ms", 10000), ms("rebalance.timeout.ms", 60000), ms("heartbeat.interval.ms", 3000),
		ms("worker.sync.timeout.ms", 3000), ms("worker.unsync.backoff.ms", 300000), ms("scheduled.rebalance.max.delay.ms", 300000),
		{Name: "connect.protocol", Type: config.String, Default: ProtocolSession, Validator: config.OneOfFold("eager", ProtocolCoop, ProtocolSession), Importance: config.Low},
		ms("inter.worker.key.ttl.ms", 3600000), text("inter.worker.key.generation.algorithm", "HmacSHA256"),
		text("inter.worker.signature.algorithm", "HmacSHA256"),
		{Name: "inter.worker.verification.algorithms", Type: config.List, Default: "HmacSHA256", Importance: config.Low},
		{Name: "exactly.once.source.support", Type: config.String, Default: "disabled", Validator: config.OneOfFold("disabled", "preparing", "enabled"), Importance: config.High},
	} {
		d.Define(k)
	}
	return d
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
	def := workerDef(distributed)
	var faults []string
	for _, v := range def.Validate(props) {
		faults = append(faults, v.Errors...)
	}
	if len(faults) > 0 {
		return nil, config.Exception(strings.Join(faults, "\n"))
	}
	v, err := def.Parse(props)
	if err != nil {
		return nil, err
	}
	ms := func(name string) time.Duration { return time.Duration(v.Int(name)) * time.Millisecond }
	c := &WorkerConfig{
		Props: props, Servers: v.List("bootstrap.servers"), FlushInterval: ms("offset.flush.interval.ms"), FlushTimeout: ms("offset.flush.timeout.ms"),
		Compat:          props.Or("kafka.compat", "false") == "true",
		ShutdownTimeout: ms("task.shutdown.graceful.timeout.ms"), TopicTracking: v.Bool("topic.tracking.enable"), TopicReset: v.Bool("topic.tracking.allow.reset"),
		TopicCreation: v.Bool("topic.creation.enable"), OverridePolicy: policyOf(v.String("connector.client.config.override.policy")), Overridable: v.List("connector.client.config.override.allowlist"), Listeners: v.List("listeners"),
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
	c.Group, c.SessionTimeout, c.RebalanceTimeout, c.Heartbeat = v.String("group.id"), ms("session.timeout.ms"), ms("rebalance.timeout.ms"), ms("heartbeat.interval.ms")
	c.SyncTimeout, c.UnsyncBackoff, c.MaxDelay = ms("worker.sync.timeout.ms"), ms("worker.unsync.backoff.ms"), ms("scheduled.rebalance.max.delay.ms")
	c.Protocol, c.KeyTTL = strings.ToLower(v.String("connect.protocol")), ms("inter.worker.key.ttl.ms")
	c.KeyAlgorithm, c.SignAlgorithm, c.VerifyAlgorithms = v.String("inter.worker.key.generation.algorithm"), v.String("inter.worker.signature.algorithm"), v.List("inter.worker.verification.algorithms")
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
	for _, l := range slices.Concat(c.Listeners, c.AdminListeners) {
		u, err := url.Parse(l)
		if err != nil || !slices.Contains([]string{"http", "https"}, strings.ToLower(u.Scheme)) || u.Port() == "" {
			return config.Invalid("listeners", l, "want http://host:port or https://host:port")
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
		for _, sized := range []string{"session.timeout.ms", "heartbeat.interval.ms"} {
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
