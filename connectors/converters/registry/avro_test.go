package registry_test

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func newAvro(t testing.TB, url string, settings ...string) *registry.Avro {
	t.Helper()
	props := config.PropsOf(map[string]string{"schema.registry.url": url})
	for i := 0; i < len(settings); i += 2 {
		props.Set(settings[i], settings[i+1])
	}
	a := &registry.Avro{}
	if err := a.Configure(props, false); err != nil {
		t.Fatal(err)
	}
	return a
}

// everything is a struct with a field of each kind.
func everything(t *testing.T) data.SchemaAndValue {
	t.Helper()
	inner := data.NewStructSchema().Name("a.Inner").Field("x", data.Int32Schema).Optional().MustBuild()
	s := data.NewStructSchema().Name("a.b.All").Version(3).
		Field("i8", data.Int8Schema).Field("i16", data.Int16Schema).Field("i32", data.Int32Schema).Field("i64", data.Int64Schema).
		Field("f", data.Float32Schema).Field("d", data.Float64Schema).Field("b", data.BooleanSchema).Field("s", data.StringSchema).
		Field("by", data.BytesSchema).Field("no", data.OptionalStringSchema).Field("yes", data.OptionalStringSchema).
		Field("def", data.NewSchema(data.TypeInt32).Default(data.Int32Value(7)).MustBuild()).
		Field("dec", data.NewDecimalSchema(2).MustBuild()).Field("date", data.DateSchema).Field("time", data.TimeSchema).Field("ts", data.OptionalTimestampSchema).
		Field("arr", data.NewArraySchema(data.StringSchema).MustBuild()).Field("map", data.NewMapSchema(data.StringSchema, data.Int64Schema).MustBuild()).
		Field("imap", data.NewMapSchema(data.Int32Schema, data.StringSchema).MustBuild()).Field("in", inner).Field("in2", inner).MustBuild()
	in, err := data.NewStruct(inner)
	if err != nil {
		t.Fatal(err)
	}
	in.MustPut("x", data.Int32Value(5))
	v, err := data.NewStruct(s)
	if err != nil {
		t.Fatal(err)
	}
	m := data.NewMap(1)
	m.PutKey(data.Int32Value(4), data.StringValue("four"))
	v.MustPut("i8", data.Int8Value(-1)).MustPut("i16", data.Int16Value(300)).MustPut("i32", data.Int32Value(-70000)).MustPut("i64", data.Int64Value(1<<40)).
		MustPut("f", data.Float32Value(1.5)).MustPut("d", data.Float64Value(-2.25)).MustPut("b", data.BooleanValue(true)).MustPut("s", data.StringValue("ä")).
		MustPut("by", data.BytesValue([]byte{0, 1})).MustPut("yes", data.StringValue("y")).MustPut("def", data.Int32Value(9)).
		MustPut("dec", data.DecimalValue(data.NewDecimal(big.NewInt(-1234), 2))).MustPut("date", data.DateValue(data.MillisPerDay)).
		MustPut("time", data.DateValue(5)).MustPut("ts", data.DateValue(1e12)).MustPut("arr", data.ArrayValue([]data.Value{data.StringValue("e")})).
		MustPut("map", data.MapValue(data.Of("k", data.Int64Value(1)))).MustPut("imap", data.MapValue(m)).MustPut("in", data.StructValue(in))
	return data.SchemaAndValue{Schema: s, Value: data.StructValue(v)}
}

// TestRoundTrip wants data of every type to come back as it was, and the schema with it; and the bytes to be Avro to others.
func TestRoundTrip(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	a := newAvro(t, reg.URL())
	sv := everything(t)
	b, null, err := a.FromConnectData([]byte("prefix"), "t", nil, sv)
	if err != nil || null || !strings.HasPrefix(string(b), "prefix\x00\x00\x00\x00") {
		t.Fatalf("%v %q", err, b)
	}
	b = b[len("prefix"):]
	got, err := newAvro(t, reg.URL()).ToConnectData("t", nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Value.String() != sv.Value.String() || !got.Schema.Equal(sv.Schema) {
		t.Errorf("%s\n%s", got.Value, sv.Value)
	}
	known, ok := reg.GetSchema("t-value", 1)
	if !ok {
		t.Fatal("nothing was registered for t-value")
	}
	other, err := avro.Parse(known.Schema.Schema)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if rest, err := other.Decode(b[5:], &plain); err != nil || len(rest) > 0 {
		t.Errorf("another reader: %v, %d bytes left", err, len(rest))
	}
	if b, null, err := a.FromConnectData(nil, "t", nil, data.SchemaAndValue{}); !null || err != nil || len(b) > 0 {
		t.Errorf("null: %v %v", null, err)
	}
}

// TestAvroSettings wants the schema that is registered to follow the settings, and the data to be read back by it.
func TestAvroSettings(t *testing.T) {
	key := data.NewSchema(data.TypeString).Optional().MustBuild()
	inner := data.NewStructSchema().Name("1st.in-ner").Field("ä", data.Int32Schema).MustBuild()
	s := data.NewStructSchema().Name("com.my org.Or*der").Version(2).Doc("an order").
		Field("a-b", data.Int8Schema).Field("2", data.StringSchema).Field("m", data.NewMapSchema(key, inner).MustBuild()).Field("fine_1", inner).MustBuild()
	in, err := data.NewStruct(inner)
	if err != nil {
		t.Fatal(err)
	}
	in.MustPut("ä", data.Int32Value(7))
	v, err := data.NewStruct(s)
	if err != nil {
		t.Fatal(err)
	}
	v.MustPut("a-b", data.Int8Value(1)).MustPut("2", data.StringValue("two")).MustPut("m", data.MapValue(data.Of("k", data.StructValue(in)))).MustPut("fine_1", data.StructValue(in))
	reg := srfake.New()
	defer reg.Close()
	settings := []string{"scrub.invalid.names", "true", "connect.meta.data", "false", "allow.optional.map.keys", "true"}
	b, _, err := newAvro(t, reg.URL(), settings...).FromConnectData(nil, "bare", nil, data.SchemaAndValue{Schema: s, Value: data.StructValue(v)})
	if err != nil {
		t.Fatal(err)
	}
	known, _ := reg.GetSchema("bare-value", 1)
	want := `{"fields":[{"name":"a_b","type":"int"},{"name":"x2","type":"string"},{"name":"m","type":{"type":"map","values":{"fields":[{"name":"x_C3_A4","type":"int"}],"name":"in_ner","namespace":"x1st","type":"record"}}},{"name":"fine_1","type":"x1st.in_ner"}],"name":"Or_der","namespace":"com.my_org","type":"record"}`
	if known.Schema.Schema != want {
		t.Errorf("got  %s\nwant %s", known.Schema.Schema, want)
	}
	got, err := newAvro(t, reg.URL()).ToConnectData("bare", nil, b)
	if err != nil || got.Value.String() != "Struct{a_b=1,x2=two,m={k=Struct{x_C3_A4=7}},fine_1=Struct{x_C3_A4=7}}" {
		t.Errorf("%v %v", got.Value, err)
	}
	nulls := data.NewMap(1)
	nulls.PutKey(data.Null, data.StructValue(in))
	v.MustPut("m", data.MapValue(nulls))
	if _, _, err := newAvro(t, reg.URL(), settings...).FromConnectData(nil, "bare", nil, data.SchemaAndValue{Schema: s, Value: data.StructValue(v)}); !fault.Data.Is(err) {
		t.Errorf("a key that is null gives %v", err)
	}
	if _, _, err := newAvro(t, reg.URL(), "scrub.invalid.names", "true").FromConnectData(nil, "told", nil, data.SchemaAndValue{Schema: inner, Value: data.StructValue(in)}); err != nil {
		t.Fatal(err)
	}
	known, _ = reg.GetSchema("told-value", 1)
	if want := `{"connect.name":"1st.in-ner","fields":[{"name":"x_C3_A4","type":"int"}],"name":"in_ner","namespace":"x1st","type":"record"}`; known.Schema.Schema != want {
		t.Errorf("got  %s\nwant %s", known.Schema.Schema, want)
	}
}

// TestRefusedSettings wants settings that are not done to be refused, and their defaults to be taken.
func TestRefusedSettings(t *testing.T) {
	makers := map[string]func() connectors.Converter{}
	for _, p := range registry.Plugins() {
		makers[p.Class[strings.LastIndexByte(p.Class, '.')+1:]] = p.Converter
	}
	for setting, classes := range map[string]string{
		"ignore.default.for.nullables=true":  "AvroConverter JsonSchemaConverter ProtobufConverter",
		"object.additional.properties=false": "JsonSchemaConverter", "generate.struct.for.nulls=true": "ProtobufConverter",
	} {
		name, value, _ := strings.Cut(setting, "=")
		for class := range strings.FieldsSeq(classes) {
			err := makers[class]().Configure(config.PropsOf(map[string]string{"schema.registry.url": "http://127.0.0.1:1", name: value}), false)
			if !fault.Config.Is(err) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s with %s: %v", class, setting, err)
			}
			other := fmt.Sprint(value == "false")
			if err := makers[class]().Configure(config.PropsOf(map[string]string{"schema.registry.url": "http://127.0.0.1:1", name: other}), false); err != nil {
				t.Errorf("%s with %s=%s: %v", class, name, other, err)
			}
		}
	}
}

// TestForeignSchema wants what others have registered to be read: unions, enums, fixed.
func TestForeignSchema(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	text := `{"type":"record","name":"R","namespace":"n","fields":[{"name":"u","type":["null","int","string"]},{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"f","type":{"type":"fixed","name":"F","size":2}},{"name":"e2","type":"E"},{"name":"d","type":"long","default":4}]}`
	id, _, err := reg.RegisterSchema("n.R", sr.Schema{Schema: text})
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte{4, 4, 'h', 'i', 2, 9, 8, 0, 6}
	got, err := newAvro(t, reg.URL()).ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id)}, payload...))
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Value.String(); !strings.HasPrefix(s, "Struct{u=Struct{string=hi},e=B,f=") || got.Schema.Name() != "n.R" {
		t.Errorf("%s", s)
	}
	latest := newAvro(t, reg.URL(), "auto.register.schemas", "false", "use.latest.version", "true", "value.subject.name.strategy", "io.confluent.kafka.serializers.subject.RecordNameStrategy", "enhanced.avro.schema.support", "true")
	b, _, err := latest.FromConnectData(nil, "t", nil, got)
	if err != nil || string(b[5:]) != string(payload) {
		t.Errorf("%v %v", err, b)
	}
}

func TestAvroFaults(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	a := newAvro(t, reg.URL())
	for name, b := range map[string][]byte{"no magic byte": {1, 2, 3, 4, 5, 6}, "short": {0, 0}, "unknown id": {0, 0, 0, 9, 9, 1}} {
		if _, err := a.ToConnectData("t", nil, b); !fault.Data.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := a.FromConnectData(nil, "t", nil, data.SchemaAndValue{Value: data.MapValue(data.NewMap(0))}); !fault.Data.Is(err) {
		t.Errorf("a map without schema: %v", err)
	}
	down := newAvro(t, "http://127.0.0.1:1")
	if _, _, err := down.FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue("x")}); !fault.Retriable.Is(err) {
		t.Errorf("no registry: %v", err)
	}
	if err := (&registry.Avro{}).Configure(config.Props{}, false); !fault.Config.Is(err) {
		t.Errorf("no address: %v", err)
	}
}

// FuzzAvro: whatever bytes come, there is a value or a DataException.
func FuzzAvro(f *testing.F) {
	reg := srfake.New()
	f.Cleanup(reg.Close)
	text := `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"null"}},{"name":"m","type":{"type":"map","values":["null","string"]}},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}`
	id, _, err := reg.RegisterSchema("x", sr.Schema{Schema: text})
	if err != nil {
		f.Fatal(err)
	}
	a := newAvro(f, reg.URL())
	f.Add([]byte{4, 0, 2, 2, 'k', 0, 0, 2, 1})
	f.Add([]byte{1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := a.ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id)}, b...)); err != nil && !fault.Data.Is(err) {
			t.Fatalf("%v", err)
		}
	})
}

// TestAvroWithinItself reads and writes lists and trees.
func TestAvroWithinItself(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	text := `{"type":"record","name":"Tree","namespace":"n","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Tree"],"default":null},{"name":"sub","type":{"type":"array","items":"n.Tree"}},
		{"name":"any","type":["null","int","Tree",{"type":"record","name":"Leaf","fields":[{"name":"up","type":{"type":"map","values":"Tree"}}]}]}]}`
	id := register(t, reg, sr.TypeAvro, "t-value", text)
	other, err := avro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	tree := func(v int, next, other any, sub ...any) map[string]any {
		return map[string]any{"v": v, "next": next, "any": other, "sub": append([]any{}, sub...)}
	}
	payload, err := other.Encode(tree(1, tree(2, nil, 5), map[string]any{"up": map[string]any{"k": tree(3, nil, tree(4, nil, nil))}}, tree(6, nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	message := append([]byte{0, 0, 0, 0, id}, payload...)
	got, err := newAvro(t, reg.URL()).ToConnectData("t", nil, message)
	if err != nil {
		t.Fatal(err)
	}
	const want = "Struct{v=1,next=Struct{v=2,sub=[],any=Struct{int=5}},sub=[Struct{v=6,sub=[]}],any=Struct{Leaf=Struct{up={k=Struct{v=3,sub=[],any=Struct{Tree=Struct{v=4,sub=[]}}}}}}}"
	if got.Value.String() != want || got.Schema.Field("next").Schema.Within() != got.Schema {
		t.Errorf("%s", got.Value)
	}
	if err := data.ValidateValue(got.Schema, got.Value); err != nil {
		t.Error(err)
	}
	fresh := srfake.New()
	defer fresh.Close()
	out, _, err := newAvro(t, fresh.URL()).FromConnectData(nil, "t", nil, got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := newAvro(t, fresh.URL()).ToConnectData("t", nil, out)
	if err != nil || again.Value.String() != want {
		t.Errorf("%v %s", err, again.Value)
	}
	if out, _, err := newAvro(t, reg.URL(), "auto.register.schemas", "false", "use.latest.version", "true").FromConnectData(nil, "t", nil, got); err != nil || string(out) != string(message) {
		t.Errorf("%v % x, not % x", err, out, message)
	}
	var k data.Knot
	nameless := data.NewStructSchema().Field("next", k.Reference(true)).MustBuild()
	k.Tie(nameless)
	value := data.StructValue(data.StructOf(nameless, []data.Value{data.StructValue(data.StructOf(nameless.Field("next").Schema, make([]data.Value, 1)))}))
	if out, _, err = newAvro(t, fresh.URL()).FromConnectData(nil, "nameless", nil, data.SchemaAndValue{Schema: nameless, Value: value}); err != nil || string(out[5:]) != "\x02\x00" {
		t.Errorf("a struct without a name: %v % x", err, out)
	}
}

// TestAvroOfNothing wants arrays of elements without bytes to cost no more than some memory, however they are nested.
func TestAvroOfNothing(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	id := register(t, reg, sr.TypeAvro, "t-value", `{"type":"array","items":{"type":"array","items":{"type":"record","name":"E","fields":[]}}}`)
	message := append([]byte{0, 0, 0, 0, id}, 16)
	for range 8 {
		message = append(binary.AppendVarint(message, 1<<19), 0)
	}
	if got, err := newAvro(t, reg.URL()).ToConnectData("t", nil, append(message, 0)); !fault.Data.Is(err) {
		t.Errorf("%d: %v", len(got.Value.Array()), err)
	}
}

// TestPasswordsInAddressesAreNotTold asks a registry that is away, or refuses, by an address with a password.
func TestPasswordsInAddressesAreNotTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "who" || password != "s3cret" {
			t.Errorf("asked by %q with %q", user, password)
		}
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer server.Close()
	for _, host := range []string{"127.0.0.1:1", strings.TrimPrefix(server.URL, "http://")} {
		a := newAvro(t, "http://who:s3cret@"+host)
		_, _, to := a.FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue("v")})
		_, from := a.ToConnectData("t", nil, []byte("\x00\x00\x00\x00\x01x"))
		for _, err := range []error{to, from} {
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, fault.Trace(err)), "s3cret") {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
}
