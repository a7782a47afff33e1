package registry_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func newJSONSchema(t *testing.T, url string) *registry.JSONSchema {
	t.Helper()
	j := &registry.JSONSchema{}
	if err := j.Configure(config.PropsOf(map[string]string{"schema.registry.url": url}), true); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJSONSchemaRoundTrip(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	all := everything(t)
	b := data.NewStructSchema().Name("a.b.All").Version(3)
	var values []data.Value
	for i, f := range all.Schema.Fields() {
		if f.Name == "imap" {
			continue // keys that are no strings
		}
		b.Field(f.Name, f.Schema)
		values = append(values, all.Value.Struct().RawAt(i))
	}
	s := b.MustBuild()
	sv := data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, values))}
	out, _, err := newJSONSchema(t, reg.URL()).FromConnectData(nil, "t", nil, sv)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newJSONSchema(t, reg.URL()).ToConnectData("t", nil, out)
	if err != nil {
		t.Fatal(err)
	}
	if got.Value.String() != sv.Value.String() || !got.Schema.Equal(sv.Schema) {
		t.Errorf("%s\n%s", got.Value, sv.Value)
	}
	if !reg.SubjectExists("t-key") {
		t.Error("nothing was registered for t-key")
	}
	if _, _, err := newJSONSchema(t, reg.URL()).FromConnectData(nil, "t", nil, all); !fault.Data.Is(err) {
		t.Errorf("a map with integers as keys: %v", err)
	}
}

func TestForeignJSONSchema(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	id, _, err := reg.RegisterSchema("x", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object","properties":{"n":{"type":"integer"},"o":{"type":["null","string"]},"m":{"type":"object","additionalProperties":{"type":"number"}}}}`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := newJSONSchema(t, reg.URL()).ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id)}, `{"n":1,"o":null,"m":{"a":1.5}}`...))
	if err != nil || got.Value.String() != "Struct{m={a=1.5},n=1}" {
		t.Errorf("%v %s", err, got.Value)
	}
}
