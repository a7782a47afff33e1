package streamsconfig

import (
	"strings"

	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Role is one of the clients of an application.
type Role int

// The clients.
const (
	MainConsumer Role = iota
	RestoreConsumer
	Producer
	Admin
)

// String names the role in errors.
func (r Role) String() string {
	return [...]string{"main consumer", "restore consumer", "producer", "admin client"}[r]
}

func (r Role) kind() kafka.Kind {
	return [...]kafka.Kind{kafka.Consumer, kafka.Consumer, kafka.Producer, kafka.Admin}[r]
}

// prefixes that reach the role, the weakest first.
func (r Role) prefixes() []string {
	return [...][]string{{"", "consumer.", "main.consumer."}, {"", "consumer.", "restore.consumer."}, {"", "producer."}, {"", "admin."}}[r]
}

// Client is the properties of one client: what Kafka Streams sets for it, overridden by what the user set without a
// prefix, that by the prefix of the client, that by the more specific one. Under exactly_once_v2 the consumers read
// committed records only, whatever is set.
func (c *Config) Client(r Role) kafka.Properties {
	p := c.streamsDefaults(r)
	known := map[string]bool{}
	for _, k := range kafka.ClientKeys(r.kind()) {
		known[k.Name] = true
	}
	for _, prefix := range r.prefixes() {
		for key, e := range c.values {
			name, ok := strings.CutPrefix(key, prefix)
			if !ok || !known[name] || (e.Origin == "default" && prefix == "" && p[name] != "") {
				continue
			}
			if e.Origin == "default" && sharedWithStreamsOnly(name) {
				continue
			}
			p[name] = e.Value
		}
	}
	if c.ExactlyOnce && r.kind() == kafka.Consumer {
		p["isolation.level"] = "read_committed"
	}
	if r == RestoreConsumer {
		p["auto.offset.reset"] = "none"
	}
	return p
}

// sharedWithStreamsOnly tells of settings whose default belongs to Kafka Streams and is not handed to its clients.
func sharedWithStreamsOnly(name string) bool {
	switch name {
	case "request.timeout.ms", "receive.buffer.bytes", "group.protocol", "metric.reporters", "config.providers":
		return true
	}
	return strings.HasPrefix(name, "metrics.")
}

// streamsDefaults are the values that Kafka Streams gives its clients where they differ from the clients' own.
func (c *Config) streamsDefaults(r Role) kafka.Properties {
	switch {
	case r.kind() == kafka.Consumer:
		return kafka.Properties{"auto.offset.reset": "earliest", "max.poll.records": "1000"}
	case r == Producer && c.ExactlyOnce:
		return kafka.Properties{"linger.ms": "100", "delivery.timeout.ms": "2147483647", "transaction.timeout.ms": "10000"}
	case r == Producer:
		return kafka.Properties{"linger.ms": "100"}
	}
	return kafka.Properties{}
}

// TopicConfigs are the settings behind the prefix topic., for internal topics.
func (c *Config) TopicConfigs() map[string]string {
	configs := map[string]string{}
	for key, e := range c.values {
		if name, ok := strings.CutPrefix(key, topicPrefix); ok {
			configs[name] = e.Value
		}
	}
	return configs
}
