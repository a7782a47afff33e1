package expr

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

func record(key, value []byte) topology.Record {
	return topology.Record{
		Key: key, Value: value, Timestamp: 1234, Offset: 7, Origin: &topology.TopicPartition{Topic: "in", Partition: 2},
		Headers: []topology.Header{{Key: "h", Value: []byte("first")}, {Key: "h", Value: []byte("last")}, {Key: "n"}},
	}
}

func long(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func TestMapValues(t *testing.T) {
	const null = "null"
	for _, c := range []struct {
		source  string
		in, out topology.Serde
		value   []byte
		want    string // text, or hex after 0x
	}{
		{"value", topology.String, nil, []byte("x"), "x"},
		{"key", topology.String, nil, []byte("x"), "k"},
		{"value + key", topology.String, nil, []byte("x"), "xk"},
		{"value.upperAscii()", topology.String, nil, []byte("grün"), "GRüN"},
		{"value == null ? 'none' : value", topology.String, nil, nil, "none"},
		{"null", topology.String, topology.String, []byte("x"), null},
		{"value", topology.String, nil, nil, null},
		{"'constant'", topology.String, topology.Bytes, []byte("x"), "constant"},
		{"timestamp", topology.String, nil, nil, "0x00000000000004d2"},
		{"string(headers.h)", topology.String, nil, nil, "last"},
		{"has(headers.x)", topology.String, nil, nil, "0x00"},
		{"value + 1", topology.Long, nil, long(41), "0x000000000000002a"},
		{"value + 1", topology.Integer, topology.Short, []byte{0, 0, 0, 1}, "0x0002"},
		{"value * 2", topology.Short, topology.Integer, []byte{0xff, 0xff}, "0xfffffffe"},
		{"value / 2.0", topology.Double, nil, binary.BigEndian.AppendUint64(nil, math.Float64bits(3)), "0x3ff8000000000000"},
		{"value", topology.Float, topology.Double, []byte{0x3f, 0, 0, 0}, "0x3fe0000000000000"},
		{"1", topology.Bytes, topology.Double, nil, "0x3ff0000000000000"},
		{"1.5", topology.Bytes, topology.Float, nil, "0x3fc00000"},
		{"!value", topology.Boolean, nil, []byte{1}, "0x00"},
		{"size(value)", topology.Bytes, nil, []byte{1, 2, 3}, "0x0000000000000003"},
		{"bytes('ab')", topology.Bytes, nil, nil, "ab"},
		{"value.lowerAscii()", topology.UUID, topology.UUID, []byte("123e4567-e89b-12d3-a456-426614174000"), "123e4567-e89b-12d3-a456-426614174000"},
		{"value.a.b", topology.JSON, nil, []byte(`{"a": {"b": [1, 2.5, "x", null, true]}}`), `[1,2.5,"x",null,true]`},
		{"value.n + 1", topology.JSON, nil, []byte(`{"n": 9007199254740993}`), "0x0020000000000002"},
		{"value.n", topology.JSON, topology.Long, []byte(`{"n": 3}`), "0x0000000000000003"},
		{"value.name", topology.JSON, topology.String, []byte(`{"name": "n"}`), "n"},
		{"{'z': 1, 'a': value.x, 'q': '<\"'}", topology.JSON, nil, []byte(`{"x": {"k": 2}}`), `{"a":{"k":2},"q":"<\"","z":1}`},
		{"[1u, 1e300, b'\\xff']", topology.JSON, nil, []byte("1"), `[1,1e+300,"/w=="]`},
		{"value.map(x, x * 2)", topology.JSON, nil, []byte("[1,2]"), "[2,4]"},
		{"duration('1s')", topology.JSON, topology.JSON, []byte("1"), `"1s"`},
	} {
		got, err := mapOne(c.source, c.in, c.out, c.value)
		if err != nil {
			t.Errorf("%s of %s: %v", c.source, c.in.Name(), err)
			continue
		}
		text := string(got)
		switch {
		case got == nil:
			text = null
		case strings.HasPrefix(c.want, "0x"):
			text = "0x" + hex.EncodeToString(got)
		}
		if text != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.source, c.in.Name(), text, c.want)
		}
	}
}

func mapOne(source string, in, out topology.Serde, value []byte) ([]byte, error) {
	p, err := Compile(Spec{Kind: MapValues, Value: source, In: Types{Key: topology.String, Value: in}, Out: Types{Value: out}})
	if err != nil {
		return nil, err
	}
	answers, err := p.Function().Call([]topology.Record{record([]byte("k"), value)}, nil)
	if err != nil {
		return nil, err
	}
	return answers[0].Value, nil
}

// TestRecordFaults: what only a record shows is a coded error that names it.
func TestRecordFaults(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		source string
		in     topology.Serde
		out    topology.Serde
		value  string
		want   string
	}{
		{MapValues, "value.x", topology.JSON, nil, `{}`, "no such key"},
		{MapValues, "value.x", topology.JSON, topology.Long, `{"x": "text"}`, "the expression gave string but long is written here"},
		{MapValues, "value.x", topology.JSON, topology.Double, `{"x": "text"}`, "the expression gave string but double"},
		{MapValues, "value.x", topology.JSON, topology.Boolean, `{"x": 1}`, "the expression gave int but boolean"},
		{MapValues, "value.x", topology.JSON, topology.Short, `{"x": 32768}`, "out of the range of short"},
		{MapValues, "value.x", topology.JSON, topology.Integer, `{"x": 2147483648}`, "out of the range of int"},
		{MapValues, "value + 'x'", topology.JSON, nil, `{`, "reading the value as json"},
		{MapValues, "value + 1", topology.Long, nil, "abc", "LongDeserializer is not 8"},
		{MapValues, "value + value", topology.UUID, topology.UUID, "123e4567-e89b-12d3-a456-426614174000", "UUID"},
		{MapValues, "1 / (value.size() - 1)", topology.String, nil, "x", "division by zero"},
		{Filter, "value", topology.JSON, nil, `1`, "the condition gave int, not a bool"},
		{FlatMapValues, "value", topology.JSON, nil, `1`, "not a list"},
		{FlatMap, "value", topology.JSON, nil, `[1]`, `an element is int, not {"key"`},
		{Filter, "value.all(a, value.all(b, value.all(c, value.all(d, a + b + c + d >= 0))))", topology.JSON, nil, "[" + strings.Repeat("1,", 99) + "1]", "cost limit"},
	} {
		p, err := Compile(Spec{Kind: c.kind, Value: c.source, In: Types{Key: topology.String, Value: c.in}, Out: Types{Value: c.out}})
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		_, err = p.Function().Call([]topology.Record{record(nil, []byte(c.value))}, nil)
		if !errs.RecordExpression.Is(err) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "in-2@7") {
			t.Errorf("%s: got %v, want %s at in-2@7 with %q", c.source, err, errs.RecordExpression.ID, c.want)
		}
	}
}

func TestCompileFaults(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		source string
		out    topology.Serde
		line   int
		column int
		want   string
	}{
		{MapValues, "valu", nil, 1, 1, `there is no variable or function "valu"`},
		{MapValues, "value +", nil, 1, 8, "the expression ends too early"},
		{MapValues, "'a' +\n  nope(value)", nil, 2, 7, `there is no variable or function "nope"`},
		{MapValues, "value + 1", nil, 1, 7, `"+" does not take string and int`},
		{MapValues, "1", topology.String, 0, 0, "the expression gives int but string is written here"},
		{MapValues, "'1'", topology.Long, 0, 0, "the expression gives string but long is written here"},
		{SelectKey, "true", topology.Double, 0, 0, "the expression gives bool but double is written here"},
		{Filter, "value", nil, 0, 0, "filter needs an expression of type bool"},
		{FlatMapValues, "value", nil, 0, 0, "flatMapValues needs an expression of type list"},
		{Map, "value", nil, 0, 0, "map needs an expression for the key and one for the value"},
		{Foreach, "value", nil, 0, 0, "an expression has no effect in foreach"},
		{Process, "value", nil, 0, 0, "an expression has no effect in process"},
		{Kind("join"), "value", nil, 0, 0, "no expressions for operators of kind"},
	} {
		_, err := Compile(Spec{Kind: c.kind, Value: c.source, In: Types{Key: topology.String, Value: topology.String}, Out: Types{Key: c.out, Value: c.out}})
		var fault *Error
		if !errors.As(err, &fault) || !strings.Contains(fault.Message, c.want) || fault.Line != c.line || fault.Column != c.column {
			t.Errorf("%s %q: got %+v, want %q at %d:%d", c.kind, c.source, err, c.want, c.line, c.column)
		}
	}
}

func TestExcerpt(t *testing.T) {
	e := &Error{Source: "a +\n  b(c)", Line: 2, Column: 3}
	if got, want := e.Excerpt(), "  b(c)\n  ^"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestOut: the serde of the results follows the type, or is the variable's.
func TestOut(t *testing.T) {
	for source, want := range map[string]topology.Serde{
		"value": topology.Integer, "key": topology.UUID, "value + 1": topology.Long, "1.0": topology.Double, "'s'": topology.String,
		"true": topology.Boolean, "b'x'": topology.Bytes, "[1]": topology.JSON, "{'a': 1}": topology.JSON, "1u": topology.Long,
	} {
		p, err := Compile(Spec{Kind: MapValues, Value: source, In: Types{Key: topology.UUID, Value: topology.Integer}})
		if err != nil || p.Out().Value != want {
			t.Errorf("%s: %v, %v; want %s", source, p.Out().Value, err, want.Name())
		}
	}
	p, err := Compile(Spec{Kind: FlatMapValues, Value: "value.split(' ')", In: Types{Value: topology.String}})
	if err != nil || p.Out().Value != topology.String {
		t.Errorf("the elements of a split are strings: %v, %v", p.Out(), err)
	}
}

// TestDirect: what is recognised is the record's own bytes, also where they are not valid, and costs no allocation.
func TestDirect(t *testing.T) {
	p, err := Compile(Spec{Kind: Map, Key: "value", Value: "key", In: Types{Key: topology.String, Value: topology.String}})
	if err != nil {
		t.Fatal(err)
	}
	in, f := []topology.Record{record([]byte("k"), []byte{0xff})}, p.Function()
	out, err := f.Call(in, nil)
	if err != nil || &out[0].Key[0] != &in[0].Value[0] || &out[0].Value[0] != &in[0].Key[0] {
		t.Errorf("got %v, %v", out, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Call(in, out[:0]) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"value", "value.a[0] == 'x'", "[1, 2].map(x, x * 2)", "{'a': b'\\xff'}", "value.split(' ')", "\"", "a.b.c(", "1e999"} {
		f.Add(seed, []byte(`{"a": [1, "x"]}`))
	}
	f.Fuzz(func(_ *testing.T, source string, value []byte) {
		for _, kind := range []Kind{Filter, MapValues, FlatMapValues, FlatMap, SelectKey} {
			p, err := Compile(Spec{Kind: kind, Value: source, In: Types{Key: topology.String, Value: topology.JSON}})
			if err != nil {
				continue
			}
			_, _ = p.Function().Call([]topology.Record{record(nil, value)}, nil)
		}
	})
}
