package connect_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestSchemaIDsInHeaders has lines go through a topic whose schemas stand in headers, which the header converter must not touch.
func TestSchemaIDsInHeaders(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	b, dir := brokertest.Fake(t), t.TempDir()
	topic := b.CreateTopic(t, "lines", 1)
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := standalone(t, b.Addr, dir, map[string]string{
		"header.converter": "StringConverter", "value.converter": "AvroConverter", "value.converter.schema.registry.url": reg.URL(), "value.converter.value.schema.id.serializer": "HeaderSchemaIdSerializer",
	})
	for name, props := range map[string]map[string]string{
		"in":  {"connector.class": "FileStreamSource", "file": in, "topic": topic},
		"out": {"connector.class": "FileStreamSink", "file": out, "topics": topic},
	} {
		props["name"] = name
		if _, _, err := h.PutConnector(context.Background(), name, config.PropsOf(props), "", true); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "both lines", func() bool {
		text, err := os.ReadFile(out)
		return err == nil && string(text) == "one\ntwo\n"
	})
	for _, r := range b.ReadAll(t, topic) {
		if len(r.Headers) != 1 || r.Headers[0].Key != "__value_schema_id" || len(r.Headers[0].Value) != 17 || r.Value[0] != 6 {
			t.Errorf("%v %q", r.Headers, r.Value)
		}
	}
}
