package registry_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/transforms"
	"github.com/wasmstream/wasmstream/internal/errs"
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
	sv := everything(t)
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

// readJSON reads a message of a schema that others have registered.
func readJSON(t testing.TB, schema, message string) (data.SchemaAndValue, error) {
	t.Helper()
	reg := srfake.New()
	defer reg.Close()
	id, _, err := reg.RegisterSchema("x", sr.Schema{Type: sr.TypeJSON, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	j := &registry.JSONSchema{}
	if err := j.Configure(config.PropsOf(map[string]string{"schema.registry.url": reg.URL()}), false); err != nil {
		t.Fatal(err)
	}
	return j.ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id)}, message...))
}

// shapes are schemas that combine others, messages, and what they are here: fields of a union are o0, o1 ...
var shapes = []struct{ name, schema, message, want string }{
	{"null or one", `{"oneOf":[{"type":"null"},{"type":"integer"}]}`, `5`, "5"},
	{"null of two", `{"anyOf":[{"type":"integer"},{"type":"null"}]}`, `null`, "null"},
	{"first that fits", `{"oneOf":[{"type":"integer"},{"type":"number"},{"type":"string"},{"type":"boolean"}]}`, `2.5`, "Struct{o1=2.5}"},
	{"string", `{"oneOf":[{"type":"integer"},{"type":"string"}]}`, `"x"`, "Struct{o1=x}"},
	{"one alone", `{"oneOf":[{"type":"string"}]}`, `"x"`, "Struct{o0=x}"},
	{"null of three", `{"oneOf":[{"type":"null"},{"type":"integer"},{"type":"string"}]}`, `null`, "null"},
	{"list of types", `{"type":["integer","string"]}`, `"x"`, "Struct{o1=x}"},
	{"list with null", `{"type":["string","null"]}`, `"x"`, "x"},
	{"array or map", `{"oneOf":[{"type":"array","items":{"type":"integer"}},{"type":"object","additionalProperties":{"type":"integer"}}]}`, `{"a":1}`, "Struct{o1={a=1}}"},
	{"most members", `{"oneOf":[{"type":"object","properties":{"a":{"type":"integer"},"x":{"type":"string"}}},{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}]}`, `{"b":2,"a":1}`, "Struct{o1=Struct{a=1,b=2}}"},
	{"bytes if nothing else", `{"oneOf":[{"type":"string","connect.type":"bytes"},{"type":"integer"}]}`, `"AAE="`, "Struct{o0=\x00\x01}"},
	{"union in union", `{"oneOf":[{"type":"boolean"},{"oneOf":[{"type":"integer"},{"type":"string"}]}]}`, `7`, "Struct{o0=Struct{o0=7}}"},
	{"missing members", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string","default":"d"}}}`, `{}`, "Struct{b=d}"},
	{"all members", `{"allOf":[{"$ref":"#/$defs/p"},{"type":"object","properties":{"b":{"type":"string"}}}],"$defs":{"p":{"type":"object","properties":{"a":{"type":"integer"}}}}}`, `{"a":1,"b":"x"}`, "Struct{a=1,b=x}"},
	{"own members too", `{"type":"object","properties":{"a":{"type":"integer"}},"allOf":[{"required":["a"]},{"properties":{"b":{"type":"integer"}}}]}`, `{"a":1,"b":2}`, "Struct{b=2,a=1}"},
	{"choice of all", `{"type":"object","oneOf":[{"$ref":"#/$defs/p"},{"$ref":"#/$defs/q"}],"$defs":{"p":{"type":"object","properties":{"a":{"type":"integer"}}},"q":{"type":"object","properties":{"b":{"type":"integer"}}}}}`, `{"b":2}`, "Struct{o1=Struct{b=2}}"},
	{"number of all", `{"allOf":[{"type":"string","format":"x"},{"type":"integer"}]}`, `3`, "3"},
	{"reference of all", `{"allOf":[{"$ref":"#/$defs/s"},{"description":"d"}],"$defs":{"s":{"type":"string"}}}`, `"x"`, "x"},
	{"constant", `{"const":"c"}`, `"c"`, "c"},
	{"map with any keys", `{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"integer"},"value":{"type":"string"}}}}`, `[{"value":"a","key":1}]`, "{1=a}"},
	{"list that ends", `{"type":"object","properties":{"v":{"type":"integer","connect.index":0},"next":{"oneOf":[{"type":"null"},{"$ref":"#"}],"connect.index":1}}}`, `{"v":1,"next":{"v":2,"next":null}}`, "Struct{v=1,next=Struct{v=2}}"},
	{"tree", `{"$ref":"#/$defs/t","$defs":{"t":{"$id":"#t","type":"object","properties":{"v":{"type":"integer"},"sub":{"type":"array","items":{"$ref":"#t"}}}}}}`, `{"v":1,"sub":[{"v":2,"sub":[]}]}`, "Struct{sub=[Struct{sub=[],v=2}],v=1}"},
	{"list of types in itself", `{"type":["object","null"],"properties":{"next":{"$ref":"#"}}}`, `{"next":{"next":{}}}`, "Struct{next=Struct{next=Struct{}}}"},
	{"expression", `{"oneOf":[{"type":"integer"},{"type":"object","title":"Sum","properties":{"a":{"$ref":"#/oneOf/1"},"b":{"oneOf":[{"type":"integer"},{"$ref":"#/oneOf/1"}]}}}]}`, `{"b":{"b":3}}`, "Struct{o1=Struct{b=Struct{o1=Struct{b=Struct{o0=3}}}}}"},
	{"allOf in itself", `{"allOf":[{"type":"object","properties":{"next":{"$ref":"#"}}},{"type":"object","properties":{"v":{"type":"integer"}}}]}`, `{"v":1,"next":{"v":2}}`, "Struct{next=Struct{v=2},v=1}"},
}

func TestJSONSchemaShapes(t *testing.T) {
	for _, shape := range shapes {
		got, err := readJSON(t, shape.schema, shape.message)
		text := strings.ReplaceAll(got.Value.String(), "io.confluent.connect.json.OneOf.field.", "o")
		if err != nil || text != shape.want {
			t.Errorf("%s: %v %s, not %s", shape.name, err, text, shape.want)
			continue
		}
		if got.Schema.Type() == data.TypeStruct && !got.Value.IsNull() {
			again := rewriteJSON(t, got)
			if !again.Value.Equal(got.Value) {
				t.Errorf("%s: written and read it is %s of %s", shape.name, again.Value, again.Schema)
			}
		}
	}
}

// rewriteJSON writes data and reads it.
func rewriteJSON(t *testing.T, sv data.SchemaAndValue) data.SchemaAndValue {
	t.Helper()
	reg := srfake.New()
	defer reg.Close()
	out, _, err := newJSONSchema(t, reg.URL()).FromConnectData(nil, "t", nil, sv)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newJSONSchema(t, reg.URL()).ToConnectData("t", nil, out)
	if err != nil {
		t.Fatalf("%s: %v", out[5:], err)
	}
	return got
}

func TestJSONSchemaFaults(t *testing.T) {
	deep := strings.Repeat(`{"oneOf":[`, 101) + `{"type":"string"}` + strings.Repeat(`]}`, 101)
	for name, of := range map[string][2]string{
		"nothing fits":        {`{"oneOf":[{"type":"integer"},{"type":"string"}]}`, `true`},
		"null where required": {`{"type":"object","properties":{"a":{"type":"integer"}}}`, `{"a":null}`},
		"no type":             {`{}`, `1`},
		"all of nothing":      {`{"allOf":[{"minimum":1},{"maximum":2}]}`, `1`},
		"a choice of itself":  {`{"oneOf":[{"type":"string"},{"$ref":"#"}]}`, `"x"`},
		"all of itself":       {`{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`, `"x"`},
		"deep":                {deep, `"x"`},
		"no items":            {`{"type":"array"}`, `[]`},
		"an entry of three":   {`{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"integer"},"value":{"type":"string"}}}}`, `[{"value":"a","key":1,"x":2}]`},
	} {
		if got, err := readJSON(t, of[0], of[1]); !fault.Data.Is(err) {
			t.Errorf("%s: %v %v", name, got.Value, err)
		}
	}
}

// TestJSONSchemaText wants the texts that Confluent's converter registers: those of tables that Debezium reads are known from its logs.
func TestJSONSchemaText(t *testing.T) {
	row := data.NewStructSchema().Name("server1.dbo.customers.Value").Optional().Field("id", data.Int32Schema).Field("first_name", data.StringSchema).
		Field("last_name", data.StringSchema).Field("email", data.StringSchema).Field("phone_number", data.OptionalStringSchema).MustBuild()
	envelope := data.NewStructSchema().Name("server1.dbo.customers.Envelope").Field("before", row).Field("after", data.Int64Schema).
		Field("source", data.NewStructSchema().Name("Source").Version(1).Field("lsn", data.NewSchema(data.TypeInt64).Name("t").Version(1).Default(data.Int64Value(3)).MustBuild()).MustBuild()).
		Field("op", data.StringSchema).MustBuild()
	choice := data.NewStructSchema().Name("io.confluent.connect.json.OneOf").Optional().Field("a", data.OptionalStringSchema).Field("b", data.NewSchema(data.TypeFloat32).Optional().MustBuild()).MustBuild()
	enum := data.NewSchema(data.TypeString).Parameter("io.confluent.connect.json.Enum", "").Parameter("io.confluent.connect.json.Enum.A", "A").Parameter("io.confluent.connect.json.Enum.<NULL>", "<NULL>").MustBuild()
	var k data.Knot
	tree := data.NewStructSchema().Field("sub", data.NewArraySchema(k.Reference(false)).MustBuild()).Field("up", k.Reference(true)).MustBuild()
	k.Tie(tree)
	for want, s := range map[string]*data.Schema{
		`{"type":"object","title":"server1.dbo.customers.Envelope","properties":{"op":{"type":"string","connect.index":3},"before":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"object","title":"server1.dbo.customers.Value","properties":{"last_name":{"type":"string","connect.index":2},"phone_number":{"connect.index":4,"oneOf":[{"type":"null"},{"type":"string"}]},"id":{"type":"integer","connect.index":0,"connect.type":"int32"},"first_name":{"type":"string","connect.index":1},"email":{"type":"string","connect.index":3}}}]},"after":{"type":"integer","connect.index":1,"connect.type":"int64"},"source":{"type":"object","title":"Source","connect.version":1,"connect.index":2,"properties":{"lsn":{"type":"integer","title":"t","default":3,"connect.version":1,"connect.index":0,"connect.type":"int64"}}}}}`: envelope,
		`{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}`: data.NewDecimalSchema(2).MustBuild(),
		`{"oneOf":[{"type":"null"},{"type":"string","connect.index":0},{"type":"number","connect.index":1,"connect.type":"float32"}]}`:                    choice,
		`{"enum":["A",null]}`: enum,
		`{"type":"array","connect.type":"map","items":{"type":"object","properties":{"value":{"type":"boolean","connect.index":1},"key":{"type":"integer","connect.index":0,"connect.type":"int8"}}}}`: data.NewMapSchema(data.Int8Schema, data.BooleanSchema).MustBuild(),
		`{"type":"object","$id":"#id1","properties":{"sub":{"type":"array","connect.index":0,"items":{"$ref":"#id1"}},"up":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#id1"}]}}}`:            tree,
	} {
		reg := srfake.New()
		j := &registry.JSONSchema{}
		if err := j.Configure(config.PropsOf(map[string]string{"schema.registry.url": reg.URL()}), false); err != nil {
			t.Fatal(err)
		}
		v := data.DecimalValue(data.NewDecimal(big.NewInt(1), 2))
		switch s.Type() {
		case data.TypeStruct:
			v = data.StructValue(data.StructOf(s, make([]data.Value, len(s.Fields()))))
		case data.TypeString:
			v = data.StringValue("A")
		case data.TypeMap:
			v = data.MapValue(data.NewMap(0))
		}
		if _, _, err := j.FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: s, Value: v}); err != nil && s.Type() != data.TypeStruct {
			t.Error(err)
		}
		subject, ok := reg.GetSchema("t-value", 1)
		if !ok || subject.Schema.Schema != want {
			t.Errorf("got  %s\nwant %s", subject.Schema.Schema, want)
		}
		reg.Close()
	}
}

// TestTypesWithinThemselvesGoNoFurther wants a clear no from what has no form for such types.
func TestTypesWithinThemselvesGoNoFurther(t *testing.T) {
	got, err := readJSON(t, `{"type":"object","title":"T","properties":{"next":{"oneOf":[{"type":"null"},{"$ref":"#"}]}}}`, `{"next":{}}`)
	if err != nil {
		t.Fatal(err)
	}
	var enveloped, plain converters.JSON
	if err := errors.Join(enveloped.Configure(config.PropsOf(nil), false), plain.Configure(config.PropsOf(map[string]string{"schemas.enable": "false"}), false)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := enveloped.FromConnectData(nil, "t", nil, got); !fault.Data.Is(err) || !errs.ConnectRecursion.Is(err) {
		t.Errorf("JsonConverter with a schema: %v", err)
	}
	if b, _, err := plain.FromConnectData(nil, "t", nil, got); err != nil || string(b) != `{"next":{"next":null}}` {
		t.Errorf("JsonConverter without: %v %s", err, b)
	}
	for _, p := range transforms.Plugins() {
		if p.Class != "org.apache.kafka.connect.transforms.Flatten$Value" {
			continue
		}
		flatten := p.Transformation()
		if err := flatten.Configure(config.PropsOf(nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := flatten.Apply(&connectors.Record{Value: got}); !errs.ConnectRecursion.Is(err) {
			t.Errorf("Flatten: %v", err)
		}
	}
}

// FuzzJSONSchema wants any schema and message to be read or refused, and what is read to be written.
func FuzzJSONSchema(f *testing.F) {
	for _, shape := range shapes {
		f.Add(shape.schema, shape.message)
	}
	f.Fuzz(func(t *testing.T, schema, message string) {
		if !json.Valid([]byte(schema)) {
			return
		}
		got, err := readJSON(t, schema, message)
		if err != nil {
			if !fault.Data.Is(err) {
				t.Error(err)
			}
			return
		}
		reg := srfake.New()
		defer reg.Close()
		if _, _, err := newJSONSchema(t, reg.URL()).FromConnectData(nil, "t", nil, got); err != nil && !fault.Data.Is(err) {
			t.Errorf("%s: %v", got.Value, err)
		}
	})
}
