package transforms_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// configured makes a transformation of settings, name and value in turn.
func configured(t testing.TB, class string, pairs ...string) (connectors.Transformation, error) {
	t.Helper()
	return configuredFor(t, class, pairs...)
}

// configuredFor is configured for tests of both kinds.
func configuredFor(t interface{ Fatal(...any) }, class string, pairs ...string) (connectors.Transformation, error) {
	p, err := builtin.Plugins().Find(class, connectors.KindTransformation)
	if err != nil {
		t.Fatal(err)
	}
	props := config.Props{}
	for i := 0; i < len(pairs); i += 2 {
		props.Set(pairs[i], pairs[i+1])
	}
	x := p.Transformation()
	return x, x.Configure(props)
}

// jsonRecord is a record whose value is JSON without schema.
func jsonRecord(t testing.TB, text string) *connectors.Record {
	t.Helper()
	var c converters.JSON
	if err := c.Configure(config.PropsOf(map[string]string{"schemas.enable": "false"}), false); err != nil {
		t.Fatal(err)
	}
	v, err := c.ToConnectData("t", nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &connectors.Record{Topic: "t", Partition: 1, Value: v, Timestamp: 5, Offset: connectors.NoOffset}
}

func TestCEL(t *testing.T) {
	for _, tt := range []struct {
		condition string
		keep      bool
		class     fault.Class
	}{
		{`value.a > 1 && topic == "t"`, true, ""},
		{`value.a > 2`, false, ""},
		{`has(value.zz)`, false, ""},
		{`key == null && timestamp == 5 && partition == 1 && offset == null`, true, ""},
		{`headers["h"] == "x"`, true, ""},
		{`value.s`, true, fault.Data},
		{`value.nope > 1`, true, fault.Data},
	} {
		f, err := configured(t, "CelFilter", "condition", tt.condition)
		if err != nil {
			t.Fatal(err)
		}
		r := jsonRecord(t, `{"a":2,"s":"x","l":[1,2]}`)
		r.Headers = r.Headers.Add("h", data.SchemaAndValue{Value: data.StringValue("x")})
		keep, err := f.Apply(r)
		if keep != tt.keep || (tt.class == "") != (err == nil) || err != nil && !tt.class.Is(err) {
			t.Errorf("%s: %v, %v", tt.condition, keep, err)
		}
	}
	for _, bad := range []string{"", "1 +", "nope.x"} {
		if _, err := configured(t, "CelFilter", "condition", bad); !fault.Config.Is(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCELMap(t *testing.T) {
	m, err := configured(t, "CelMap$Value", "expression", `{"sum": value.a + 1, "list": value.l.map(x, x * 2), "s": value.s.upperAscii(), "n": null}`)
	if err != nil {
		t.Fatal(err)
	}
	r := jsonRecord(t, `{"a":2,"s":"x","l":[1,2]}`)
	if _, err := m.Apply(r); err != nil {
		t.Fatal(err)
	}
	if got := r.Value.Value.String(); got != "{list=[2, 4], n=null, s=X, sum=3}" || r.Value.Schema != nil {
		t.Errorf("%s %s", r.Value.Schema, got)
	}
}

// TestNestedPaths wants every transformation that names fields to reach into nested data with V2, with and without schemas.
func TestNestedPaths(t *testing.T) {
	schemaless := `{"a":{"b":"7","c":null,"t":"1970"},"x":1}`
	for _, tt := range []struct {
		class, want string
		settings    []string
	}{
		{"Cast$Value", "{a={b=7, c=null, t=1970}, x=1}", []string{"spec", "a.b:int8"}},
		{"ExtractField$Value", "7", []string{"field", "a.b"}},
		{"HoistField$Value", "{p={q={a={b=7, c=null, t=1970}, x=1}}}", []string{"field", "p.q"}},
		{"MaskField$Value", "{a={b=, c=null, t=1970}, x=1}", []string{"fields", "a.b"}},
		{"ReplaceField$Value", "{a={c=null, t=1970}, x=1}", []string{"exclude", "a.b"}},
		{"ReplaceField$Value", "{a={b=7}}", []string{"include", "a.b"}},
		{"ReplaceField$Value", "{a={z=7, c=null, t=1970}, x=1}", []string{"renames", "a.b:z"}},
		{"InsertField$Value", "{a={b=7, c=null, t=1970, topic=t}, x=1}", []string{"topic.field", "a.topic"}},
		{"HeaderFrom$Value", "{a={c=null, t=1970}, x=1}", []string{"fields", "a.b", "headers", "h", "operation", "move"}},
		{"TimestampConverter$Value", "{a={b=7, c=null, t=0}, x=1}", []string{"field", "a.t", "target.type", "unix", "format", "yyyy"}},
	} {
		x, err := configured(t, tt.class, append(tt.settings, "field.syntax.version", "V2")...)
		if err != nil {
			t.Fatal(tt.class, err)
		}
		r := jsonRecord(t, schemaless)
		if _, err := x.Apply(r); err != nil {
			t.Errorf("%s: %v", tt.class, err)
		}
		if got := r.Value.Value.String(); got != tt.want {
			t.Errorf("%s%v: %s, want %s", tt.class, tt.settings, got, tt.want)
		}
		if err := withSchema(t, tt.class, append(tt.settings, "field.syntax.version", "V2")); err != nil {
			t.Errorf("%s with a schema: %v", tt.class, err)
		}
	}
	k, err := configured(t, "ValueToKey", "fields", "a.b,x", "field.syntax.version", "V2")
	if err != nil {
		t.Fatal(err)
	}
	r := jsonRecord(t, schemaless)
	if _, err := k.Apply(r); err != nil || r.Key.Value.String() != "{b=7, x=1}" {
		t.Errorf("%v %s", err, r.Key.Value)
	}
}

// withSchema applies a transformation to the same data with a schema, and checks the outcome against the new one.
func withSchema(t *testing.T, class string, settings []string) error {
	t.Helper()
	inner := data.NewStructSchema().Field("b", data.StringSchema).Field("c", data.OptionalStringSchema).Field("t", data.StringSchema).Optional().MustBuild()
	outer := data.NewStructSchema().Name("n").Field("a", inner).Field("x", data.Int64Schema).MustBuild()
	a, err := data.NewStruct(inner)
	if err != nil {
		return err
	}
	a.MustPut("b", data.StringValue("7")).MustPut("t", data.StringValue("1970"))
	s, err := data.NewStruct(outer)
	if err != nil {
		return err
	}
	s.MustPut("a", data.StructValue(a)).MustPut("x", data.Int64Value(1))
	x, err := configured(t, class, settings...)
	if err != nil {
		return err
	}
	r := &connectors.Record{Topic: "t", Value: data.SchemaAndValue{Schema: outer, Value: data.StructValue(s)}}
	if _, err := x.Apply(r); err != nil {
		return err
	}
	return data.ValidateValue(r.Value.Schema, r.Value.Value)
}
