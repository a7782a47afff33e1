package data_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func TestProject(t *testing.T) {
	old := data.NewStructSchema().Name("n").Version(1).Field("a", data.Int32Schema).Field("b", data.OptionalStringSchema).
		Field("gone", data.StringSchema).Field("l", data.NewArraySchema(data.Int8Schema).MustBuild()).MustBuild()
	renewed := data.NewStructSchema().Name("n").Version(2).Field("a", data.Int64Schema).Field("b", data.NewSchema(data.TypeString).Default(data.StringValue("none")).MustBuild()).
		Field("new", data.OptionalInt32Schema).Field("def", data.NewSchema(data.TypeInt32).Default(data.Int32Value(7)).MustBuild()).
		Field("l", data.NewArraySchema(data.Float64Schema).MustBuild()).MustBuild()
	s, err := data.NewStruct(old)
	if err != nil {
		t.Fatal(err)
	}
	s.MustPut("a", data.Int32Value(5)).MustPut("gone", data.StringValue("x")).MustPut("l", data.ArrayValue([]data.Value{data.Int8Value(2)}))
	got, err := data.Project(old, data.StructValue(s), renewed)
	if err != nil || got.String() != "Struct{a=5,b=none,def=7,l=[2.0]}" {
		t.Errorf("%v %s", err, got)
	}
	if err := data.ValidateValue(renewed, got); err != nil {
		t.Error(err)
	}
	for name, c := range map[string][2]*data.Schema{
		"narrower": {data.Int64Schema, data.Int32Schema}, "another type": {data.StringSchema, data.Int32Schema},
		"another name": {data.Int64Schema, data.TimestampSchema}, "optional": {data.OptionalInt32Schema, data.Int32Schema},
		"another scale":    {data.NewDecimalSchema(2).MustBuild(), data.NewDecimalSchema(3).MustBuild()},
		"a required field": {old, data.NewStructSchema().Name("n").Field("zz", data.Int32Schema).MustBuild()},
	} {
		v := data.Int64Value(1)
		if c[0] == old {
			v = data.StructValue(s)
		}
		if _, err := data.Project(c[0], v, c[1]); !fault.SchemaProjector.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStructPut(t *testing.T) {
	s, err := data.NewStruct(data.NewStructSchema().Field("a", data.Int32Schema).Field("d", data.NewSchema(data.TypeString).Default(data.StringValue("x")).MustBuild()).MustBuild())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]data.Value{"a": data.Int64Value(1), "nope": data.Int32Value(1), "d": data.Null} {
		if err := s.Put(name, v); !fault.Data.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Validate(); !fault.Data.Is(err) {
		t.Errorf("a is missing: %v", err)
	}
	s.MustPut("a", data.Int32Value(1))
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if v, _ := s.Get("d"); v.Str() != "x" {
		t.Errorf("%s", v)
	}
	if v, _ := s.GetWithoutDefault("d"); !v.IsNull() {
		t.Errorf("%s", v)
	}
}

// TestDecimalBytes: what is written in two's complement is read as the same number, for every size.
func TestDecimalBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,40}(\.[0-9]{1,20})?`).Draw(t, "decimal")
		d, err := data.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := data.DecimalFromUnscaled(d.AppendUnscaled(nil), d.Scale()); !got.Equal(d) {
			t.Fatalf("%s, then %s", d, got)
		}
		again, err := data.ParseDecimal(d.String())
		if err != nil || !again.Equal(d) {
			t.Fatalf("%s as text is %s: %v", text, d, err)
		}
	})
}

func FuzzParseString(f *testing.F) {
	for _, s := range []string{"{1:[2,\"a\"]}", "[[[[", "1e99999", "2019-08-23T14:34:54.346Z", "{\"\\\":", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sv := data.ParseString(s)
		if sv.Schema != nil && sv.Schema.Type().IsPrimitive() {
			if err := data.ValidateValue(sv.Schema, sv.Value); err != nil {
				t.Fatal(err)
			}
		}
	})
}
