package registry_test

import (
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func newProtobuf(t testing.TB, url string, settings ...string) *registry.Protobuf {
	t.Helper()
	props := config.PropsOf(map[string]string{"schema.registry.url": url})
	for i := 0; i < len(settings); i += 2 {
		props.Set(settings[i], settings[i+1])
	}
	p := &registry.Protobuf{}
	if err := p.Configure(props, false); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProtobufRoundTrip wants data of every type to come back as it was. What was null is null where fields tell it.
func TestProtobufRoundTrip(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	all := everything(t)
	b, null, err := newProtobuf(t, reg.URL(), "optional.for.nullables", "true").FromConnectData(nil, "t", nil, all)
	if err != nil || null {
		t.Fatal(err)
	}
	if b[5] != 0 {
		t.Errorf("the first message is written % x", b[5:8])
	}
	got, err := newProtobuf(t, reg.URL(), "optional.for.nullables", "true").ToConnectData("t", nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Value.String() != all.Value.String() {
		t.Errorf("%s\n%s", got.Value, all.Value)
	}
	if err := data.ValidateValue(got.Schema, got.Value); err != nil {
		t.Error(err)
	}
	if got.Schema.Name() != "All" || got.Schema.Field("i8").Schema.Type() != data.TypeInt8 || got.Schema.Field("in").Schema.Name() != "Inner" {
		t.Errorf("%s", got.Schema)
	}
	again, _, err := newProtobuf(t, reg.URL(), "optional.for.nullables", "true", "auto.register.schemas", "false").FromConnectData(nil, "t", nil, all)
	if err != nil || string(again) != string(b) {
		t.Errorf("a schema that is registered is not found: %v", err)
	}
}

// foreign is a schema as others write it.
const foreign = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "common/money.proto";
message Unused { string x = 1; }
message Order {
  enum State { NEW = 0; PAID = 7; }
  message Line { uint32 quantity = 1; sint64 delta = 2; fixed64 big = 3; }
  int32 id = 1;
  optional string note = 2;
  repeated int32 tags = 3;
  repeated Line lines = 4;
  map<string, Line> by_name = 5;
  State state = 6;
  oneof payment { string card = 7; int64 voucher = 8; }
  google.protobuf.Timestamp at = 9;
  google.protobuf.StringValue nick = 10;
  common.Money total = 11;
  bool done = 12;
  repeated string words = 13;
}
`

// TestForeignProtobuf reads what Google's library writes, and has it read what we write.
func TestForeignProtobuf(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	const money = `syntax = "proto3"; package common; message Money { int64 cents = 1; }`
	if _, _, err := reg.RegisterSchema("money", sr.Schema{Type: sr.TypeProtobuf, Schema: money}); err != nil {
		t.Fatal(err)
	}
	id, _, err := reg.RegisterSchema("t-value", sr.Schema{Type: sr.TypeProtobuf, Schema: foreign, References: []sr.SchemaReference{{Name: "common/money.proto", Subject: "money", Version: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	order := foreignMessage(t, foreign, money)
	text := `{"id":-5,"tags":[1,2,300],"lines":[{"quantity":4000000000,"delta":"-3","big":"9"}],"byName":{"a":{"quantity":1}},"state":"PAID","voucher":"12","at":"2026-11-23T10:15:00.250Z","nick":"","total":{"cents":"5"},"words":["x"]}`
	if err := protojson.Unmarshal([]byte(text), order); err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	// One step, to the second message: 2, 2 in zigzag.
	p := newProtobuf(t, reg.URL(), "wrapper.for.nullables", "true", "auto.register.schemas", "false", "use.latest.version", "true")
	got, err := p.ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id), 2, 2}, body...))
	if err != nil {
		t.Fatal(err)
	}
	want := "Struct{payment_0=Struct{voucher=12},id=-5,tags=[1, 2, 300],lines=[Struct{quantity=4000000000,delta=-3,big=9}],by_name={a=Struct{quantity=1,delta=0,big=0}},state=PAID,at=Mon Nov 23 10:15:00 UTC 2026,nick=,total=Struct{cents=5},done=false,words=[x]}"
	if got.Value.String() != want {
		t.Errorf("got  %s\nwant %s", got.Value, want)
	}
	if err := data.ValidateValue(got.Schema, got.Value); err != nil {
		t.Error(err)
	}
	out, _, err := p.FromConnectData(nil, "t", nil, got)
	if err != nil {
		t.Fatal(err)
	}
	back := order.New().Interface()
	if err := proto.Unmarshal(out[7:], back); err != nil || out[5] != 2 || out[6] != 2 || !proto.Equal(order, back) {
		t.Errorf("%v: we wrote % x, which is %v, not %v", err, out[5:7], back, order)
	}
}

// foreignMessage is an empty shop.Order of Google's library.
func foreignMessage(t *testing.T, text, money string) *dynamicpb.Message {
	t.Helper()
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{"s.proto": text, "common/money.proto": money}),
	})}
	files, err := c.Compile(t.Context(), "s.proto")
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessage(files[0].FindDescriptorByName("shop.Order").(protoreflect.MessageDescriptor))
}

// TestProtobufPrimitives wants data that is no struct in the wrappers of google.protobuf.
func TestProtobufPrimitives(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	for _, sv := range []data.SchemaAndValue{
		{Schema: data.StringSchema, Value: data.StringValue("x")},
		{Value: data.Int64Value(-7)},
		{Schema: data.Int8Schema, Value: data.Int8Value(3)},
		{Schema: data.BooleanSchema, Value: data.BooleanValue(false)},
		{Schema: data.BytesSchema, Value: data.BytesValue([]byte{1})},
	} {
		topic := sv.Value.Type().String()
		b, _, err := newProtobuf(t, reg.URL()).FromConnectData(nil, topic, nil, sv)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newProtobuf(t, reg.URL()).ToConnectData(topic, nil, b)
		if err != nil || !got.Value.Equal(sv.Value) {
			t.Errorf("%s: %s, %v", sv.Value, got.Value, err)
		}
	}
}

// TestProtobufFaults wants each fault to be a DataException that says what it is about.
func TestProtobufFaults(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	id, _, err := reg.RegisterSchema("x", sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; message A { int32 n = 1; string s = 2; A a = 3; } message B { int32 n = 1; string s = 2; B2 b = 3; } message B2 {} `})
	if err != nil {
		t.Fatal(err)
	}
	broken, _, err := reg.RegisterSchema("y", sr.Schema{Type: sr.TypeProtobuf, Schema: `message {`})
	if err != nil {
		t.Fatal(err)
	}
	for name, message := range map[string]string{
		"no magic byte":        "x",
		"no such message":      "\x00\x00\x00\x00" + string(rune(id)) + "\x02\x10",
		"a path without end":   "\x00\x00\x00\x00" + string(rune(id)) + "\x08\x02",
		"a path below nothing": "\x00\x00\x00\x00" + string(rune(id)) + "\x01",
		"too deep":             "\x00\x00\x00\x00" + string(rune(id)) + "\x00" + string(nestedProto(101)),
		"cut off":              "\x00\x00\x00\x00" + string(rune(id)) + "\x02\x02\x08",
		"not what it says":     "\x00\x00\x00\x00" + string(rune(id)) + "\x02\x02\x0a\x01x",
		"not UTF-8":            "\x00\x00\x00\x00" + string(rune(id)) + "\x02\x02\x12\x01\xff",
		"a broken schema":      "\x00\x00\x00\x00" + string(rune(broken)) + "\x00",
	} {
		if v, err := newProtobuf(t, reg.URL()).ToConnectData("t", nil, []byte(message)); !fault.Data.Is(err) {
			t.Errorf("%s: %v, %v", name, v.Value, err)
		}
	}
	nested := data.NewArraySchema(data.NewArraySchema(data.StringSchema).MustBuild()).MustBuild()
	for name, s := range map[string]*data.Schema{
		"no name":          data.NewStructSchema().Field("a-b", data.StringSchema).MustBuild(),
		"arrays in arrays": data.NewStructSchema().Field("a", nested).MustBuild(),
		"floats as keys":   data.NewStructSchema().Field("a", data.NewMapSchema(data.Float64Schema, data.StringSchema).MustBuild()).MustBuild(),
	} {
		if _, _, err := newProtobuf(t, reg.URL()).FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, make([]data.Value, 1)))}); !fault.Data.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nestedProto is a message whose third field is such a message, so many deep.
func nestedProto(depth int) []byte {
	var b []byte
	for range depth {
		b = append(protowire.AppendVarint([]byte{0x1a}, uint64(len(b))), b...)
	}
	return b
}

// trees has messages within themselves: at once, by a list, a map and a oneof, and through another.
const trees = `syntax = "proto3"; package shop;
message Tree {
  message Leaf { Tree parent = 1; }
  enum Kind { ROOT = 0; BRANCH = 5; OLD = -1; }
  int32 v = 1;
  Tree next = 3;
  repeated Tree sub = 4;
  map<string, Tree> by_name = 5;
  oneof other { Tree left = 6; Leaf leaf = 8; }
  Kind kind = 9;
  uint32 n = 10;
}
`

func TestProtobufWithinItself(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	id := register(t, reg, sr.TypeProtobuf, "t-value", trees)
	tree := foreignMessage(t, strings.Replace(trees, "package shop;", "package shop; message Order {}", 1), `syntax = "proto3"; package common;`).Descriptor().ParentFile().Messages().ByName("Tree")
	message := dynamicpb.NewMessage(tree)
	if err := protojson.Unmarshal([]byte(`{"v":1,"next":{"v":2,"next":{"v":3}},"sub":[{"v":4},{"v":5,"sub":[{"v":6}]}],"byName":{"a":{"v":7}},"leaf":{"parent":{"v":8,"left":{"v":9}}},"kind":"BRANCH","n":4000000000}`), message); err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newProtobuf(t, reg.URL()).ToConnectData("t", nil, append([]byte{0, 0, 0, 0, id, 0}, body...))
	if err != nil {
		t.Fatal(err)
	}
	if err := data.ValidateValue(got.Schema, got.Value); err != nil {
		t.Error(err)
	}
	if next := got.Schema.Field("next").Schema; next.Within() != got.Schema || !next.Optional() {
		t.Errorf("next is within %v", next.Within())
	}
	// The schema that is written for it is another text, which says the same.
	for _, settings := range [][]string{nil, {"enhanced.protobuf.schema.support", "true", "optional.for.nullables", "true"}} {
		fresh := srfake.New()
		got, err := newProtobuf(t, reg.URL(), settings...).ToConnectData("t", nil, append([]byte{0, 0, 0, 0, id, 0}, body...))
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := newProtobuf(t, fresh.URL(), settings...).FromConnectData(nil, "t", nil, got)
		if err != nil {
			t.Fatal(err)
		}
		back := dynamicpb.NewMessage(tree)
		if err := proto.Unmarshal(out[6:], back); err != nil || !proto.Equal(message, back) {
			t.Errorf("%v: %v, not %v", err, back, message)
		}
		again, err := newProtobuf(t, fresh.URL(), settings...).ToConnectData("t", nil, out)
		if err != nil || again.Value.String() != got.Value.String() || !again.Schema.Equal(got.Schema) {
			s, _ := fresh.GetSchema("t-value", 1)
			t.Errorf("%v: %s %s, not %s\n%s", err, again.Schema, again.Value, got.Value, s.Schema.Schema)
		}
		fresh.Close()
	}
}

// FuzzProtobufText wants any schema and message to be read or refused, and what is read to be written.
func FuzzProtobufText(f *testing.F) {
	f.Add(trees, []byte("\x00\x1a\x02\x08\x01"))
	f.Add(`syntax = "proto3"; message A { B b = 1; } message B { repeated A a = 1; oneof x { A c = 2; string s = 3; } }`, []byte("\x00\x0a\x04\x0a\x02\x0a\x00"))
	f.Add(`syntax = "proto2"; message a { required a a = 1; optional group G = 2 { } }`, []byte("\x00\x0a\x00"))
	f.Fuzz(func(t *testing.T, text string, message []byte) {
		reg := srfake.New()
		defer reg.Close()
		id, _, err := reg.RegisterSchema("x", sr.Schema{Type: sr.TypeProtobuf, Schema: text})
		if err != nil {
			return
		}
		got, err := newProtobuf(t, reg.URL()).ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id)}, message...))
		if err == nil {
			_, _, err = newProtobuf(t, reg.URL()).FromConnectData(nil, "t", nil, got)
		}
		if err != nil && !fault.Data.Is(err) {
			t.Error(err)
		}
	})
}

// FuzzProtobuf wants any bytes to be read or refused, and what is read to be valid.
func FuzzProtobuf(f *testing.F) {
	reg := srfake.New()
	f.Cleanup(reg.Close)
	const text = `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "confluent/type/decimal.proto"; import "google/type/date.proto";
message A { int32 a = 1; repeated sint64 b = 2; map<string, B> c = 3; oneof o { string d = 4; B e = 5; } google.protobuf.Timestamp f = 6; confluent.type.Decimal g = 7; google.type.Date h = 8; bytes i = 9; E j = 10; double k = 11; repeated string l = 12; }
message B { bool x = 1; } enum E { Z = 0; }`
	id, _, err := reg.RegisterSchema("x", sr.Schema{Type: sr.TypeProtobuf, Schema: text})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x00\x08\x05\x12\x02\x01\x02\x1a\x05\x0a\x01k\x12\x00\x22\x01d\x32\x02\x08\x01\x3a\x03\x0a\x01\x05"))
	f.Add([]byte("\x00\x50\x01\x42\x06\x08\xe8\x0f\x10\x01\x18\x02\x62\x01x"))
	p := newProtobuf(f, reg.URL())
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := p.ToConnectData("t", nil, append([]byte{0, 0, 0, 0, byte(id)}, b...))
		if err != nil {
			if !fault.Data.Is(err) {
				t.Error(err)
			}
			return
		}
		if err := data.ValidateValue(got.Schema, got.Value); err != nil {
			t.Error(err)
		}
	})
}
