package connect_test

import (
	"context"
	"maps"
	"strings"
	"testing"

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
