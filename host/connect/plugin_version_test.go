package connect_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestPluginVersions has a worker refuse connectors, and questions about plugins, of versions that there are not.
func TestPluginVersions(t *testing.T) {
	h := standalone(t, brokertest.Fake(t).Addr, t.TempDir(), nil)
	const missing = "Plugin org.apache.kafka.connect.file.FileStreamSinkConnector not found that matches the version range [1.2,1.2], available versions: [4.3.1]"
	for wanted, want := range map[string]string{"1.2": "contains the following 2 error(s):\n" + missing + "\n" + missing, "[1.0": "Unbounded range: [1.0", "[4,5)": ""} {
		_, _, err := h.PutConnector(context.Background(), "sink", config.PropsOf(map[string]string{
			"name": "sink", "connector.class": "FileStreamSink", "topics": "none", "connector.plugin.version": wanted,
		}), "", true)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("connector.plugin.version=%s: %v, want %q", wanted, err, want)
		}
	}
	for wanted, want := range map[string]string{"1.2": missing, "[1.0": "Invalid version specification: [1.0", "latest": "", "": "", "4.3.1": ""} {
		keys, err := h.PluginConfig("FileStreamSink", wanted)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && len(keys) == 0 {
			t.Errorf("version=%s: %v, want %q", wanted, err, want)
		}
	}
}

// TestPluginVersionsOfWhatIsStored wants versions that there are not to be refused where nobody validates: in what the config topic says
// already, and in the worker's own settings.
func TestPluginVersionsOfWhatIsStored(t *testing.T) {
	h := standalone(t, brokertest.Fake(t).Addr, t.TempDir(), nil)
	stored := func(name string, more map[string]string) {
		props := config.PropsOf(map[string]string{"name": name, "connector.class": "VerifiableSource", "topic": "t", "throughput": "1", "restart.policy": "never"})
		for k, v := range more {
			props.Set(k, v)
		}
		r := connect.ConnectorRecord(name, props)
		h.ApplyConfig(100, r.Key, r.Value)
		await(t, name+" to have failed for its version", func() bool {
			s, err := h.Status(name)
			if err != nil {
				return false
			}
			traces := s.Connector.Trace
			for _, task := range s.Tasks {
				traces += task.Trace
			}
			return strings.Contains(traces, "not found that matches the version range [1.0,1.0]")
		})
	}
	stored("connector", map[string]string{"connector.plugin.version": "1.0"})
	stored("converter", map[string]string{"value.converter": "LongConverter", "value.converter.plugin.version": "1.0"})
	stored("header", map[string]string{"header.converter": "StringConverter", "header.converter.plugin.version": "1.0"})
	stored("transformation", map[string]string{"transforms": "x", "transforms.x.type": "DropHeaders", "transforms.x.headers": "h", "transforms.x.plugin.version": "1.0"})
	stored("predicate", map[string]string{
		"transforms": "x", "transforms.x.type": "Filter", "transforms.x.predicate": "p",
		"predicates": "p", "predicates.p.type": "RecordIsTombstone", "predicates.p.plugin.version": "1.0",
	})
	for _, key := range []string{"key.converter", "value.converter", "header.converter"} {
		for wanted, fits := range map[string]bool{"1.0": false, "[4,5)": true} {
			settings := map[string]string{
				"bootstrap.servers": "127.0.0.1:1", "key.converter": "StringConverter", "value.converter": "StringConverter", "header.converter": "StringConverter",
				"offset.storage.file.filename": filepath.Join(t.TempDir(), "offsets"), key + ".plugin.version": wanted,
			}
			cfg, err := connect.ParseWorkerConfig(config.PropsOf(settings), false)
			if err != nil {
				t.Fatal(err)
			}
			_, err = connect.NewWorker(cfg, builtin.Plugins(), quiet())
			if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), key+".plugin.version") {
				t.Errorf("%s of version %s: %v", key, wanted, err)
			}
		}
	}
}
