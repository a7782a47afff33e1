package connect_test

import (
	"context"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors/config"
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
