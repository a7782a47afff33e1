package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// register gives the registry a schema that refers to others, named by name and subject in turn, and returns its id.
func register(t *testing.T, reg *srfake.Registry, kind sr.SchemaType, subject, text string, references ...string) byte {
	t.Helper()
	s := sr.Schema{Type: kind, Schema: text}
	for i := 0; i < len(references); i += 2 {
		s.References = append(s.References, sr.SchemaReference{Name: references[i], Subject: references[i+1], Version: 1})
	}
	id, _, err := reg.RegisterSchema(subject, s)
	if err != nil {
		t.Fatal(err)
	}
	return byte(id)
}

// TestAvroReferences reads and writes an order whose price and currency are schemas of subjects of their own.
func TestAvroReferences(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	currency := `{"type":"enum","name":"Currency","namespace":"n","symbols":["EUR","KRW"]}`
	money := `{"type":"record","name":"Money","namespace":"n","fields":[{"name":"cents","type":"long"},{"name":"currency","type":"n.Currency"}]}`
	order := `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"price","type":"n.Money"},{"name":"tip","type":["null","n.Money"]},{"name":"in","type":"n.Currency"}]}`
	register(t, reg, sr.TypeAvro, "currency", currency)
	register(t, reg, sr.TypeAvro, "money", money, "n.Currency", "currency")
	id := register(t, reg, sr.TypeAvro, "t-value", order, "n.Money", "money", "n.Currency", "currency")

	var types avro.SchemaCache
	var other *avro.Schema
	for _, text := range []string{currency, money, order} {
		s, err := types.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		other = s
	}
	amount := func(cents int64, currency string) map[string]any {
		return map[string]any{"cents": cents, "currency": currency}
	}
	payload, err := other.Encode(map[string]any{"price": amount(250, "EUR"), "tip": amount(1, "KRW"), "in": "KRW"})
	if err != nil {
		t.Fatal(err)
	}
	message := append([]byte{0, 0, 0, 0, id}, payload...)
	a := newAvro(t, reg.URL(), "auto.register.schemas", "false", "use.latest.version", "true")
	got, err := a.ToConnectData("t", nil, message)
	if err != nil {
		t.Fatal(err)
	}
	want := "Struct{price=Struct{cents=250,currency=EUR},tip=Struct{cents=1,currency=KRW},in=KRW}"
	if got.Value.String() != want || got.Schema.Field("price").Schema.Name() != "n.Money" || !got.Schema.Field("tip").Schema.Optional() {
		t.Errorf("%s %s", got.Value, got.Schema)
	}
	// One that has read nothing yet has to find the references too.
	fresh := newAvro(t, reg.URL(), "auto.register.schemas", "false", "use.latest.version", "true", "enhanced.avro.schema.support", "true")
	if out, _, err := fresh.FromConnectData(nil, "t", nil, got); err != nil || string(out) != string(message) {
		t.Errorf("%v: % x, not % x", err, out, message)
	}
}

func TestProtobufReferencesOfTheNewestVersion(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	register(t, reg, sr.TypeProtobuf, "currency", `syntax = "proto3"; package n; enum Currency { EUR = 0; KRW = 1; }`)
	register(t, reg, sr.TypeProtobuf, "money", `syntax = "proto3"; package n; import "currency.proto"; message Money { int64 cents = 1; Currency currency = 2; }`, "currency.proto", "currency")
	id := register(t, reg, sr.TypeProtobuf, "t-value", `syntax = "proto3"; import "money.proto"; message Order { n.Money price = 1; }`, "money.proto", "money")
	p := newProtobuf(t, reg.URL(), "auto.register.schemas", "false", "use.latest.version", "true")
	money := data.NewStructSchema().Name("n.Money").Field("cents", data.Int64Schema).Field("currency", data.StringSchema).MustBuild()
	order := data.NewStructSchema().Name("Order").Field("price", money).MustBuild()
	price := data.StructValue(data.StructOf(money, []data.Value{data.Int64Value(5), data.StringValue("KRW")}))
	b, _, err := p.FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: order, Value: data.StructValue(data.StructOf(order, []data.Value{price}))})
	if err != nil || string(b) != string([]byte{0, 0, 0, 0, id, 0, 10, 4, 8, 5, 16, 1}) {
		t.Errorf("%v % x", err, b)
	}
	if got, err := newProtobuf(t, reg.URL()).ToConnectData("t", nil, b); err != nil || got.Value.String() != "Struct{price=Struct{cents=5,currency=KRW}}" {
		t.Errorf("%v %s", err, got.Value)
	}
}

// TestJSONSchemaReferences reads orders whose parts are definitions of the schema, and schemas of other subjects by the names of
// the references, by addresses, and relative to one.
func TestJSONSchemaReferences(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	register(t, reg, sr.TypeJSON, "money", `{"$id":"http://shop/money.json","type":"object","title":"Money","properties":{"cents":{"type":"integer"},"in":{"$ref":"#/definitions/a~1b"}},"definitions":{"a/b":{"type":"string"}}}`)
	id := register(t, reg, sr.TypeJSON, "t-value", `{"$id":"http://shop/order.json","type":"object","title":"Order","properties":{
		"price":{"$ref":"money.json","connect.index":0},"tip":{"oneOf":[{"type":"null"},{"$ref":"http://shop/money.json"}],"connect.index":1},
		"note":{"$ref":"#/$defs/note","connect.index":2},"first":{"allOf":[{"$ref":"MONEY#/properties/cents"}],"connect.index":3}},"$defs":{"note":{"type":"string"}}}`, "MONEY", "money")
	newJSON := func() *registry.JSONSchema {
		j := &registry.JSONSchema{}
		if err := j.Configure(config.PropsOf(map[string]string{"schema.registry.url": reg.URL(), "auto.register.schemas": "false", "use.latest.version": "true"}), false); err != nil {
			t.Fatal(err)
		}
		return j
	}
	text := `{"price":{"cents":5,"in":"EUR"},"tip":null,"note":"x","first":7}`
	got, err := newJSON().ToConnectData("t", nil, append([]byte{0, 0, 0, 0, id}, text...))
	if err != nil {
		t.Fatal(err)
	}
	if got.Value.String() != "Struct{price=Struct{cents=5,in=EUR},note=x,first=7}" || got.Schema.Field("price").Schema.Name() != "Money" || !got.Schema.Field("tip").Schema.Optional() {
		t.Errorf("%s %s", got.Value, got.Schema)
	}
	if out, _, err := newJSON().FromConnectData(nil, "t", nil, got); err != nil || string(out[:5]) != string([]byte{0, 0, 0, 0, id}) {
		t.Errorf("%v % x", err, out)
	}
	for name, schema := range map[string]string{
		"not there":   `{"type":"object","properties":{"a":{"$ref":"#/definitions/none"}}}`,
		"unknown":     `{"type":"object","properties":{"a":{"$ref":"other.json"}}}`,
		"no object":   `{"type":"array","items":{"$ref":"#/type"}}`,
		"in itself":   `{"$ref":"#"}`,
		"many of few": `{"type":"object","properties":{"a":{"$ref":"#/x/0"}},"x":[` + fewAsMany(20) + `{"type":"string"}]}`,
	} {
		id := register(t, reg, sr.TypeJSON, name, schema)
		if v, err := newJSON().ToConnectData("t", nil, append([]byte{0, 0, 0, 0, id}, "{}"...)); !fault.Data.Is(err) {
			t.Errorf("%s: %v %v", name, v.Value, err)
		}
	}
}

// fewAsMany are objects that each refer to the next one twice.
func fewAsMany(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"type":"object","properties":{"a":{"$ref":"#/x/%[1]d"},"b":{"$ref":"#/x/%[1]d"}}},`, i+1)
	}
	return b.String()
}

// TestReferencesThatAreNotThere wants a schema that refers to nothing to be a DataException, not a panic and not another try.
func TestReferencesThatAreNotThere(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	id := register(t, reg, sr.TypeAvro, "t-value", `{"type":"record","name":"Order","fields":[{"name":"price","type":"n.Money"}]}`)
	if _, err := newAvro(t, reg.URL()).ToConnectData("t", nil, []byte{0, 0, 0, 0, id, 2}); !fault.Data.Is(err) || !strings.Contains(err.Error(), "Money") {
		t.Error(err)
	}
}
