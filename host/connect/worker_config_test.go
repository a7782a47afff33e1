package connect_test

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestInternalTopicsMustFit refuses topics that others made and that would lose what workers keep in them.
func TestInternalTopicsMustFit(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		for _, tt := range []struct {
			setting    string
			partitions int32
			policy     string
			want       string
		}{
			{"config.storage.topic", 2, "compact", "required to have a single partition"},
			{"config.storage.topic", 1, "delete", "'cleanup.policy=delete'"},
			{"offset.storage.topic", 3, "compact,delete", "'cleanup.policy=compact,delete'"},
			{"status.storage.topic", 3, "delete", "'status.storage.topic'"},
		} {
			own := brokertest.At(b.Addr)
			props := config.PropsOf(groupSettings(own))
			own.CreateTopic(t, props.Or(tt.setting, ""), tt.partitions, "cleanup.policy="+tt.policy)
			cfg, err := connect.ParseWorkerConfig(props, true)
			if err != nil {
				t.Fatal(err)
			}
			if h, err := connect.NewDistributed(context.Background(), cfg, builtin.Plugins(), quiet()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s with %s: %v", tt.setting, tt.policy, err)
				if err == nil {
					h.Close()
				}
			}
		}
	})
}

// TestOverridesHaveTypes wants what a connector overrides checked with the rest of its settings, for the clients that it has.
func TestOverridesHaveTypes(t *testing.T) {
	b := brokertest.Fake(t)
	overrides := map[string]string{"producer.override.batch.size": "abc", "consumer.override.max.poll.records": "z", "admin.override.retries": "many", "producer.override.nobodys": "x"}
	for _, tt := range []struct {
		class, compat string
		more          map[string]string
		want          int
	}{
		{"FileStreamSource", "false", nil, 2},
		{"FileStreamSource", "true", nil, 1},
		{"FileStreamSource", "false", map[string]string{"producer.override.acks": "maybe", "producer.override.linger.ms": "-1", "producer.override.interceptor.classes": "x"}, 4},
		{"FileStreamSource", "true", map[string]string{"producer.override.acks": "maybe"}, 1},
		{"FileStreamSink", "false", nil, 3},
		{"FileStreamSink", "true", nil, 1},
		{"FileStreamSink", "true", map[string]string{"errors.deadletterqueue.topic.name": "d"}, 3},
	} {
		h := standalone(t, b.Addr, t.TempDir(), map[string]string{"kafka.compat": tt.compat})
		props := map[string]string{"name": "c", "connector.class": tt.class, "topic": "t", "topics": "t"}
		maps.Copy(props, overrides)
		maps.Copy(props, tt.more)
		infos, err := h.Validate(config.PropsOf(props))
		if err != nil || infos.ErrorCount != tt.want {
			t.Errorf("%s, compat %s: %d errors, %v", tt.class, tt.compat, infos.ErrorCount, err)
		}
		for _, i := range infos.Configs {
			if i.Value.Name == "producer.override.batch.size" && i.Value.Errors[0] != "Invalid value abc for configuration batch.size: Not a number of type INT" {
				t.Errorf("%q", i.Value.Errors)
			}
		}
	}
}

// TestFewerAcks has sources that override acks, which Kafka's producers of sources allow: they are not idempotent unless it is asked for.
func TestFewerAcks(t *testing.T) {
	b := brokertest.Fake(t)
	for acks, more := range map[string]map[string]string{
		"0": nil, "1": nil, "all": nil, "-1": {"producer.override.enable.idempotence": "true"},
	} {
		topic := b.CreateTopic(t, b.Name("out"+acks), 1)
		h := standaloneWith(t, b.Addr, t.TempDir(), withSource(newFragile(0, 0, topic)), nil)
		settings := map[string]string{"connector.class": "Scripted", "producer.override.acks": acks, "restart.policy": "none"}
		maps.Copy(settings, more)
		put(t, h, "src", settings)
		await(t, "the records with acks "+acks, func() bool { return len(b.ReadAll(t, topic)) == 10 })
	}
}

// TestOverridePolicies holds connectors to what the worker lets them override.
func TestOverridePolicies(t *testing.T) {
	b := brokertest.Fake(t)
	overrides := map[string]string{"producer.override.sasl.mechanism": "PLAIN", "producer.override.linger.ms": "5", "producer.override.acks": "1"}
	for policy, refused := range map[string]int{
		"All": 0, "None": 3, "Principal": 2, "Allowlist": 2, "org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy": 3,
	} {
		h := standalone(t, b.Addr, t.TempDir(), map[string]string{"connector.client.config.override.policy": policy, "connector.client.config.override.allowlist": "linger.ms, batch.size"})
		props := map[string]string{"name": "src", "connector.class": "FileStreamSource", "topic": "t", "file": "f"}
		maps.Copy(props, overrides)
		infos, err := h.Validate(config.PropsOf(props))
		if err != nil || infos.ErrorCount != refused {
			t.Errorf("%s: %d refused, %v", policy, infos.ErrorCount, err)
		}
	}
	for _, bad := range []string{"Some", "", "all"} {
		settings := groupSettings(b)
		settings["connector.client.config.override.policy"] = bad
		if _, err := connect.ParseWorkerConfig(config.PropsOf(settings), true); err == nil {
			t.Errorf("the policy %q is taken", bad)
		}
	}
}

// TestFaultsOfWorkers wants every fault of a worker's settings told at once, in Kafka's words where it has some.
func TestFaultsOfWorkers(t *testing.T) {
	good := groupSettings(brokertest.At("127.0.0.1:1"))
	if _, err := connect.ParseWorkerConfig(config.PropsOf(good), true); err != nil {
		t.Fatal(err)
	}
	maps.Copy(good, map[string]string{
		"group.id": "", "config.storage.topic": " ", "offset.storage.topic": "same", "status.storage.topic": "same", "config.storage.replication.factor": "0",
		"offset.storage.replication.factor": "-1", "offset.storage.partitions": "-7", "session.timeout.ms": "5000", "heartbeat.interval.ms": "5000", "rebalance.timeout.ms": "soon",
		"inter.worker.signature.algorithm": "HmacFOO", "inter.worker.key.ttl.ms": "3000000000", "listeners": "http://h:1,ftp://h:1", "admin.listeners": "h", "connect.protocol": "shouting",
		"connector.client.config.override.policy": "Some",
	})
	_, err := connect.ParseWorkerConfig(config.PropsOf(good), true)
	if err == nil {
		t.Fatal("all is taken")
	}
	want := []string{
		"Invalid value Some for configuration connector.client.config.override.policy: want one of All, None, Principal, Allowlist",
		"Invalid value ftp://h:1 for configuration listeners: want http://host:port or https://host:port",
		"Invalid value h for configuration admin.listeners: want http://host:port or https://host:port",
		"Invalid value  for configuration group.id: String must be non-empty",
		"Must specify topic for connector configuration.",
		"Invalid value 0 for configuration config.storage.replication.factor: Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default",
		"Invalid value -7 for configuration offset.storage.partitions: Number of partitions must be positive, or -1 to use the broker's default",
		"Invalid value soon for configuration rebalance.timeout.ms: Not a number of type INT",
		"Invalid value shouting for configuration connect.protocol: String must be one of (case insensitive): eager, compatible, sessioned",
		"Invalid value 3000000000 for configuration inter.worker.key.ttl.ms: Not a number of type INT",
		"Invalid value HmacFOO for configuration inter.worker.signature.algorithm: Algorithm HmacFOO not available",
		"Heartbeat must be set lower than the session timeout: heartbeat.interval.ms is 5000, session.timeout.ms 5000",
		"Signature algorithm must be present in inter.worker.verification.algorithms list",
		"Invalid value same for configuration status.storage.topic: it is that of offset.storage.topic, and neither could be read",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// TestConvertersOfWorkers wants every converter that a worker cannot have told at once, and a folder for offsets that is not there.
func TestConvertersOfWorkers(t *testing.T) {
	start := func(more map[string]string) error {
		settings := map[string]string{"bootstrap.servers": "127.0.0.1:1", "key.converter": "StringConverter", "value.converter": "StringConverter", "offset.storage.file.filename": filepath.Join(t.TempDir(), "offsets")}
		maps.Copy(settings, more)
		cfg, err := connect.ParseWorkerConfig(config.PropsOf(settings), false)
		if err != nil {
			t.Fatal(err)
		}
		h, err := connect.NewStandalone(cfg, builtin.Plugins(), quiet())
		if err == nil {
			err = h.Close()
		}
		return err
	}
	if err := start(nil); err != nil {
		t.Error(err)
	}
	err := start(map[string]string{"key.converter": "Nope", "value.converter": "JsonConverter", "value.converter.decimal.format": "ROMAN", "header.converter": "Filter"})
	want := "Invalid value Nope for configuration key.converter: Class Nope could not be found, or is no converter.\n" +
		"Invalid value ROMAN for configuration decimal.format: String must be one of (case insensitive): NUMERIC, BASE64\n" +
		"Invalid value Filter for configuration header.converter: Class Filter could not be found, or is no header_converter."
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	if err := start(map[string]string{"offset.storage.file.filename": filepath.Join(t.TempDir(), "none", "offsets")}); err == nil || !strings.Contains(err.Error(), "reading the offsets") {
		t.Error(err)
	}
}
