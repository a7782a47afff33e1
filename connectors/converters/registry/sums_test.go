package registry_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
)

// newConverter is a converter of the schema language, by the name of its class.
func newConverter(t *testing.T, url, class string, settings ...string) connectors.Converter {
	t.Helper()
	props := config.PropsOf(map[string]string{"schema.registry.url": url})
	for i := 0; i < len(settings); i += 2 {
		props.Set(settings[i], settings[i+1])
	}
	for _, p := range registry.Plugins() {
		if strings.HasSuffix(p.Class, "."+class) {
			c := p.Converter()
			if err := c.Configure(props, false); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatal("no converter " + class)
	return nil
}

// TestSumsFromAnyToAny wants unions and enumerations of each schema language to be written as those of each other.
func TestSumsFromAnyToAny(t *testing.T) {
	sources := map[string]struct {
		kind         sr.SchemaType
		text, data   string
		enum, choice string
	}{
		"AvroConverter": {
			sr.TypeAvro, `{"type":"record","name":"R","fields":[{"name":"e","type":{"type":"enum","name":"Kind","symbols":["B","A"]}},{"name":"u","type":["null","int","string"]}]}`,
			"\x02\x04\x04hi", "Kind", "connect_union_0",
		},
		"JsonSchemaConverter": {
			sr.TypeJSON, `{"type":"object","title":"R","properties":{"e":{"enum":["B","A"],"title":"Kind","connect.index":0},"u":{"oneOf":[{"type":"integer"},{"type":"string"}],"connect.index":1}}}`,
			`{"e":"A","u":"hi"}`, "", "connect_union_0",
		},
		"ProtobufConverter": {
			sr.TypeProtobuf, `syntax = "proto3"; message R { enum Kind { B = 0; A = 1; } Kind e = 1; oneof u { int32 connect_union_field_0 = 2; string connect_union_field_1 = 3; } }`,
			"\x00\x08\x01\x1a\x02hi", "Kind", "u",
		},
	}
	for from, source := range sources {
		for to := range sources {
			t.Run(from+" "+to, func(t *testing.T) {
				reg, fresh := srfake.New(), srfake.New()
				defer reg.Close()
				defer fresh.Close()
				id := register(t, reg, source.kind, "t-value", source.text)
				got, err := newConverter(t, reg.URL(), from, "generalized.sum.type.support", "true").ToConnectData("t", nil, append([]byte{0, 0, 0, 0, id}, source.data...))
				if err != nil {
					t.Fatal(err)
				}
				e := got.Schema.Field("e").Schema
				if name, ok := e.Parameter("org.apache.kafka.connect.data.Enum"); !ok || name != source.enum {
					t.Errorf("the enumeration is called %q: %v", name, e.Parameters())
				}
				if n, _ := e.Parameter("org.apache.kafka.connect.data.Enum.A"); n != "1" {
					t.Errorf("A is %q", n)
				}
				for _, f := range got.Schema.Fields() {
					if name, ok := f.Schema.Parameter("org.apache.kafka.connect.data.Union"); f.Name != "e" && (!ok || name != source.choice || f.Schema.Name() != name) {
						t.Errorf("the union is called %q: %s", name, f.Schema)
					}
				}
				out, _, err := newConverter(t, fresh.URL(), to, "generalized.sum.type.support", "true").FromConnectData(nil, "t", nil, got)
				if err != nil {
					t.Fatal(err)
				}
				again, err := newConverter(t, fresh.URL(), to, "generalized.sum.type.support", "true").ToConnectData("t", nil, out)
				if err != nil || !strings.Contains(again.Value.String(), "e=A") || !strings.Contains(again.Value.String(), "Struct{connect_union_field_1=hi}") {
					known, _ := fresh.GetSchema("t-value", 1)
					t.Errorf("%v %s by %s", err, again.Value, known.Schema.Schema)
				}
			})
		}
	}
}
