package registry_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// texts are the text of a subject's newest schema and the wanted one, without what does not count in JSON.
func sameSchema(t *testing.T, reg *srfake.Registry, subject, want string) {
	t.Helper()
	known, ok := reg.GetSchema(subject, 1)
	var a, b any
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !ok || json.Unmarshal([]byte(known.Schema.Schema), &a) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%s:\ngot  %s\nwant %s", subject, known.Schema.Schema, want)
	}
}

// TestAvroDefaults wants a default to stand in the type, for Connect, and in the field, for Avro, where it fits there.
func TestAvroDefaults(t *testing.T) {
	with := func(b *data.SchemaBuilder, v data.Value) *data.Schema { return b.Default(v).MustBuild() }
	s := data.NewStructSchema().Name("n.D").
		Field("i", with(data.NewSchema(data.TypeInt8), data.Int8Value(-3))).
		Field("o", with(data.NewSchema(data.TypeString).Optional(), data.StringValue("x"))).
		Field("by", with(data.NewSchema(data.TypeBytes), data.BytesValue([]byte{0, 255}))).
		Field("f", with(data.NewSchema(data.TypeFloat32), data.Float32Value(1.5))).
		Field("at", with(data.NewDateSchema(), data.DateValue(2*data.MillisPerDay))).
		Field("l", with(data.NewArraySchema(data.Int64Schema), data.ArrayValue([]data.Value{data.Int64Value(1)}))).
		Field("ol", with(data.NewArraySchema(data.OptionalInt64Schema), data.ArrayValue([]data.Value{data.Int64Value(1)}))).
		Field("m", with(data.NewMapSchema(data.StringSchema, data.BooleanSchema), data.MapValue(data.Of("k", data.BooleanValue(true))))).
		MustBuild()
	v, err := data.NewStruct(s)
	if err != nil {
		t.Fatal(err)
	}
	reg := srfake.New()
	defer reg.Close()
	b, _, err := newAvro(t, reg.URL()).FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: s, Value: data.StructValue(v)})
	if err != nil {
		t.Fatal(err)
	}
	sameSchema(t, reg, "t-value", `{"type":"record","name":"D","namespace":"n","connect.name":"n.D","fields":[
		{"name":"i","type":{"type":"int","connect.type":"int8","connect.default":-3},"default":-3},
		{"name":"o","type":[{"type":"string","connect.default":"x"},"null"],"default":"x"},
		{"name":"by","type":{"type":"bytes","connect.default":"\u0000ÿ"},"default":"\u0000ÿ"},
		{"name":"f","type":{"type":"float","connect.default":1.5},"default":1.5},
		{"name":"at","type":{"type":"int","logicalType":"date","connect.name":"org.apache.kafka.connect.data.Date","connect.version":1,"connect.default":2},"default":2},
		{"name":"l","type":{"type":"array","items":"long","connect.default":[1]},"default":[1]},
		{"name":"ol","type":{"type":"array","items":["null","long"],"connect.default":[1]}},
		{"name":"m","type":{"type":"map","values":"boolean","connect.default":{"k":true}},"default":{"k":true}}]}`)
	got, err := newAvro(t, reg.URL()).ToConnectData("t", nil, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Fields() {
		if other := got.Schema.Field(f.Name).Schema; f.Name != "ol" && !other.Equal(f.Schema) {
			t.Errorf("%s: %s has the default %s, not %s", f.Name, other, other.Default(), f.Schema.Default())
		}
	}
	if err := data.ValidateValue(got.Schema, got.Value); err != nil {
		t.Error(err)
	}
}

const documented = `{"type":"record","name":"R","namespace":"n","doc":"a record","fields":[
	{"name":"e","type":{"type":"enum","name":"E","doc":"letters","symbols":["B","A"],"default":"A"},"doc":"a letter","default":"B"},
	{"name":"e2","type":["null","E"],"default":null},
	{"name":"f","type":{"type":"fixed","name":"F","namespace":"other","size":2}},
	{"name":"d","type":{"type":"fixed","name":"Money","size":4,"logicalType":"decimal","precision":9,"scale":2}},
	{"name":"u","type":["int",{"type":"record","name":"In","fields":[{"name":"x","type":"int"}]},"other.F","E"]},
	{"name":"one","type":["string"]},{"name":"n","type":"int","default":4,"avro.hint":"field"}]}`

var documentedData = "\x02" + "\x02\x00" + "\x09\x08" + "\xff\xff\xff\x85" + "\x02\x0a" + "\x00\x02s" + "\x08"

// TestAvroForeignAndBack reads what others have written and writes it as it was.
func TestAvroForeignAndBack(t *testing.T) {
	for _, c := range []struct {
		settings []string
		value    string
		params   string // of the record
	}{
		{[]string{"enhanced.avro.schema.support", "true"}, "u=Struct{n.In=Struct{x=5}},one=s,", "io.confluent.connect.avro.field.doc.e=a letter io.confluent.connect.avro.record.doc=a record"},
		{[]string{"generalized.sum.type.support", "true"}, "u=Struct{connect_union_field_1=Struct{x=5}},one=s,", "io.confluent.connect.avro.field.doc.e=a letter io.confluent.connect.avro.record.doc=a record"},
		{[]string{"enhanced.avro.schema.support", "true", "flatten.singleton.unions", "false"}, "one=Struct{string=s},", "io.confluent.connect.avro.record.doc=a record"},
		{[]string{"enhanced.avro.schema.support", "true", "discard.type.doc.default", "true"}, "u=Struct{n.In=Struct{x=5}},one=s,", "connect.record.doc=a record"},
		{[]string{"enhanced.avro.schema.support", "true", "connect.meta.data", "false"}, "u=Struct{n.In=Struct{x=5}},one=s,", ""},
	} {
		t.Run(strings.Join(c.settings, " "), func(t *testing.T) {
			reg, fresh := srfake.New(), srfake.New()
			defer reg.Close()
			defer fresh.Close()
			id := register(t, reg, sr.TypeAvro, "t-value", documented)
			got, err := newAvro(t, reg.URL(), c.settings...).ToConnectData("t", nil, append([]byte{0, 0, 0, 0, id}, documentedData...))
			if err != nil {
				t.Fatal(err)
			}
			if err := data.ValidateValue(got.Schema, got.Value); err != nil {
				t.Error(err)
			}
			if s := got.Value.String(); !strings.Contains(s, "e=A,e2=B,") || !strings.Contains(s, c.value) || !strings.Contains(s, "d=-1.23") {
				t.Error(s)
			}
			for param := range strings.SplitSeq(c.params, " io.") {
				name, want, _ := strings.Cut(param, "=")
				if !strings.HasPrefix(name, "io.") && strings.HasPrefix(name, "confluent") {
					name = "io." + name
				}
				if v, _ := got.Schema.Parameter(name); name != "" && v != want {
					t.Errorf("%s is %q, not %q", name, v, want)
				}
			}
			out, _, err := newAvro(t, fresh.URL(), c.settings...).FromConnectData(nil, "t", nil, got)
			if err != nil {
				t.Fatal(err)
			}
			single := strings.Contains(c.settings[len(c.settings)-2], "singleton")
			if string(out[5:]) != documentedData && (single || string(out[5:]) != strings.Replace(documentedData, "\x00\x02s", "\x02s", 1)) {
				t.Errorf("% x, not % x", out[5:], documentedData)
			}
			known, _ := fresh.GetSchema("t-value", 1)
			for _, want := range []string{`"type":"enum"`, `"symbols":["B","A"]`, `"size":2`, `"size":4`} {
				if strings.Count(known.Schema.Schema, want) != 1 {
					t.Errorf("%s is not once in %s", want, known.Schema.Schema)
				}
			}
			if strings.Contains(known.Schema.Schema, `"doc":"a letter"`) == (c.params == "") {
				t.Errorf("the field's doc: %s", known.Schema.Schema)
			}
			again, err := newAvro(t, fresh.URL(), c.settings...).ToConnectData("t", nil, out)
			if err != nil || again.Value.String() != got.Value.String() {
				t.Errorf("%v %s", err, again.Value)
			}
		})
	}
}

// TestAvroMapsOfTheirOwn wants maps whose keys are no texts to be written once for each name.
func TestAvroMapsOfTheirOwn(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	m := func(name string, key *data.Schema) *data.Schema {
		return data.NewMapSchema(key, data.StringSchema).Name(name).MustBuild()
	}
	value := func(key data.Value) data.Value {
		out := data.NewMap(1)
		out.PutKey(key, data.StringValue("v"))
		return data.MapValue(out)
	}
	s := data.NewStructSchema().Name("M").Field("a", m("", data.Int32Schema)).Field("b", m("", data.Int32Schema)).Field("c", m("n.Own", data.Int64Schema)).MustBuild()
	v := data.StructValue(data.StructOf(s, []data.Value{value(data.Int32Value(1)), value(data.Int32Value(2)), value(data.Int64Value(3))}))
	b, _, err := newAvro(t, reg.URL()).FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: s, Value: v})
	if err != nil {
		t.Fatal(err)
	}
	got, err := newAvro(t, reg.URL()).ToConnectData("t", nil, b)
	if err != nil || got.Value.String() != "Struct{a={1=v},b={2=v},c={3=v}}" {
		t.Errorf("%v %s", err, got.Value)
	}
	clash := data.NewStructSchema().Name("C").Field("a", m("", data.Int32Schema)).Field("b", m("", data.Int64Schema)).MustBuild()
	v = data.StructValue(data.StructOf(clash, []data.Value{value(data.Int32Value(1)), value(data.Int64Value(2))}))
	if _, _, err := newAvro(t, reg.URL()).FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: clash, Value: v}); !fault.Data.Is(err) || !strings.Contains(err.Error(), "MapEntry") {
		t.Error(err)
	}
}
