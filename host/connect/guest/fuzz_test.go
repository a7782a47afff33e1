package guest

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// FuzzDatum wants: no panic, and what is accepted is a value that keeps its schema and crosses again as it is.
func FuzzDatum(f *testing.F) {
	enc := newEncoder()
	for _, v := range []data.SchemaAndValue{text("hello"), {Value: data.MapValue(data.Of("a", data.Int64Value(1), "b", data.Null))}, {Schema: person, Value: data.StructValue(kim(f, card))}} {
		b, err := enc.datum(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	kept := data.SchemaAndValue{Schema: person, Value: data.StructValue(kim(f, card))}
	f.Fuzz(func(t *testing.T, part []byte) {
		dec := newDecoder(&enc)
		v, err := dec.datum(part, kept)
		if err != nil || part == nil {
			return
		}
		if v.Schema != nil && (!v.Value.IsNull() || v.Schema.Default().IsNull()) {
			if err := data.ValidateValue(v.Schema, v.Value); err != nil {
				t.Fatal(err)
			}
		}
		again, err := enc.datum(nil, v)
		if err != nil {
			return // deeper than a datum may be, by what was kept
		}
		back, err := dec.datum(again, data.SchemaAndValue{})
		if err != nil || !back.Schema.Equal(v.Schema) {
			t.Fatal(err)
		}
	})
}

// FuzzSchema wants: no panic, whatever a guest defines.
func FuzzSchema(f *testing.F) {
	f.Add(abi.AppendSchema(nil, &abi.Schema{ID: abi.GuestSchema | 1, Type: abi.CellString}))
	f.Add(abi.AppendSchema(nil, &abi.Schema{ID: abi.GuestSchema | 2, Type: abi.CellStruct, FieldCount: 1, Pairs: abi.AppendSchemaField(nil, "a", abi.GuestSchema|1)}))
	f.Fuzz(func(t *testing.T, def []byte) {
		enc := newEncoder()
		dec := newDecoder(&enc)
		_ = dec.define(abi.AppendSchema(nil, &abi.Schema{ID: abi.GuestSchema | 1, Type: abi.CellString}))
		if dec.define(def) != nil {
			return
		}
		if dec.define(def) == nil {
			t.Error("a number was given twice")
		}
	})
}

// drawValue is any value without a schema.
func drawValue(t *rapid.T, depth int) data.Value {
	n := 9
	if depth > 0 {
		n = 11
	}
	switch rapid.IntRange(0, n).Draw(t, "type") {
	case 0:
		return data.Null
	case 1:
		return data.Int8Value(rapid.Int8().Draw(t, "v"))
	case 2:
		return data.Int64Value(rapid.Int64().Draw(t, "v"))
	case 3:
		return data.Float32Bits(rapid.Uint32().Draw(t, "v"))
	case 4:
		return data.Float64Bits(rapid.Uint64().Draw(t, "v"))
	case 5:
		return data.StringValue(rapid.String().Draw(t, "v"))
	case 6:
		return data.BytesValue(rapid.SliceOf(rapid.Byte()).Draw(t, "v"))
	case 7:
		return data.DecimalValue(data.DecimalFromUnscaled(rapid.SliceOfN(rapid.Byte(), 1, 12).Draw(t, "v"), rapid.IntRange(-20, 20).Draw(t, "scale")))
	case 8:
		return data.DateValue(rapid.Int64().Draw(t, "v"))
	case 9:
		return data.BooleanValue(rapid.Bool().Draw(t, "v"))
	case 10:
		var out []data.Value
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			out = append(out, drawValue(t, depth-1))
		}
		return data.ArrayValue(out)
	}
	m := data.NewMap(0)
	for range rapid.IntRange(0, 4).Draw(t, "n") {
		m.Put(rapid.String().Draw(t, "key"), drawValue(t, depth-1))
	}
	return data.MapValue(m)
}

// TestDataCross wants back what was sent, for any value.
func TestDataCross(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		enc := newEncoder()
		dec := newDecoder(&enc)
		want := data.SchemaAndValue{Value: drawValue(t, 3)}
		b, err := enc.datum(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dec.datum(b, data.SchemaAndValue{})
		if err != nil || !got.Equal(want) {
			t.Fatalf("%v: got %v, want %v", err, got.Value, want.Value)
		}
	})
}

// TestSchemasCross wants back a schema with everything that it can have.
func TestSchemasCross(t *testing.T) {
	inner := data.NewStructSchema().Name("in").Version(3).Doc("inside").Optional().Field("n", data.OptionalInt16Schema).MustBuild()
	want := data.NewStructSchema().Name("out").Parameter("a", "b").Parameter("c", "").Field("in", inner).
		Field("list", data.NewArraySchema(inner).Optional().MustBuild()).Field("map", data.NewMapSchema(data.Int32Schema, inner).MustBuild()).
		Field("deflt", data.NewSchema(data.TypeString).Default(data.StringValue("x")).MustBuild()).Field("at", data.TimestampSchema).
		Field("money", data.NewDecimalSchema(4).Optional().MustBuild()).MustBuild()
	from := newEncoder()
	if _, err := from.schema(want, 0); err != nil {
		t.Fatal(err)
	}
	enc := newEncoder()
	dec := newDecoder(&enc)
	pairs := abi.ReadPairs(from.pending)
	for _, def, ok := pairs.Next(); ok; _, def, ok = pairs.Next() {
		s, err := abi.ReadSchema(def)
		if err != nil {
			t.Fatal(err)
		}
		if err := dec.define(asGuests(&s)); err != nil {
			t.Fatal(err)
		}
	}
	if got := dec.own[uint32(len(from.sent))|abi.GuestSchema]; !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// asGuests gives a schema and those inside it the numbers that they would have if a guest had made them.
func asGuests(s *abi.Schema) []byte {
	own := func(id uint32) uint32 {
		if id == 0 {
			return 0
		}
		return id | abi.GuestSchema
	}
	s.ID, s.Key, s.Elem = own(s.ID), own(s.Key), own(s.Elem)
	var out []byte
	pairs := abi.ReadPairs(s.Pairs)
	for n := 0; ; n++ {
		key, value, ok := pairs.Next()
		if !ok {
			break
		}
		if n < s.FieldCount {
			out = abi.AppendSchemaField(out, string(key), own(abi.FieldSchema(value)))
		} else {
			out = abi.AppendPair(out, key, value)
		}
	}
	s.Pairs = out
	return abi.AppendSchema(nil, s)
}
