package transforms_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// byPath are the transformations that take paths, each with settings in which F and G stand for fields.
var byPath = []struct {
	class string
	pairs []string
}{
	{"Cast$Value", []string{"spec", "F:string,G:int8"}},
	{"Cast$Key", []string{"spec", "F:boolean"}},
	{"ExtractField$Value", []string{"field", "F"}},
	{"ExtractField$Key", []string{"field", "G"}},
	{"HeaderFrom$Value", []string{"fields", "F,G", "headers", "h,i", "operation", "move"}},
	{"HeaderFrom$Key", []string{"fields", "F", "headers", "h", "operation", "copy"}},
	{"HoistField$Value", []string{"field", "F"}},
	{"HoistField$Key", []string{"field", "G"}},
	{"InsertField$Value", []string{"topic.field", "F", "static.field", "G!", "static.value", "s"}},
	{"InsertField$Key", []string{"timestamp.field", "F?"}},
	{"MaskField$Value", []string{"fields", "F,G"}},
	{"MaskField$Key", []string{"fields", "F", "replacement", "7"}},
	{"ReplaceField$Value", []string{"include", "F,G", "exclude", "G", "renames", "F:new"}},
	{"ReplaceField$Value", []string{"include", "F", "renames", "G:new"}},
	{"ReplaceField$Key", []string{"exclude", "F", "renames", "G:new"}},
	{"TimestampConverter$Value", []string{"field", "F", "target.type", "Timestamp"}},
	{"TimestampConverter$Key", []string{"field", "G", "target.type", "string", "format", "yyyy"}},
	{"ValueToKey", []string{"fields", "F,G"}},
}

// withFields are the settings with fields in place of F and G.
func withFields(pairs []string, f, g string) (out []string) {
	for i, text := range pairs {
		if i%2 == 1 {
			text = strings.NewReplacer("F", f, "G", g).Replace(text)
		}
		out = append(out, text)
	}
	return out
}

// quoted is a name as one step of a path.
func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`.", "\\`.") + "`" }

var (
	fieldNames = rapid.StringOfN(rapid.RuneFrom([]rune("ab.`")), 1, 4, -1)
	anyPaths   = rapid.StringOfN(rapid.RuneFrom([]rune("ab.`\\")), 0, 8, -1)
)

// nested draws data with the fields f and g, some of which hold the same again, with a schema or without one.
func nested(t *rapid.T, f, g string, depth int, schemas bool) data.SchemaAndValue {
	m, b := data.NewMap(2), data.NewStructSchema()
	var values []data.Value
	for _, name := range []string{f, g} {
		if _, twice := m.Lookup(name); twice || rapid.IntRange(0, 7).Draw(t, "missing") == 0 {
			continue
		}
		v := data.SchemaAndValue{Schema: data.OptionalInt64Schema, Value: data.Int64Value(5)}
		switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
		case kind == 0:
			v.Value = data.Null
		case kind < 3 && depth > 0:
			v = nested(t, f, g, depth-1, schemas)
		}
		m.Put(name, v.Value)
		if schemas {
			b.Field(name, v.Schema)
			values = append(values, v.Value)
		}
	}
	if !schemas {
		return data.SchemaAndValue{Value: data.MapValue(m)}
	}
	s := b.MustBuild()
	return data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, values))}
}

func drawRecord(t *rapid.T, f, g string) connectors.Record {
	schemas := rapid.Bool().Draw(t, "schemas")
	return connectors.Record{
		Topic: "t", Partition: 1, Timestamp: 5, Offset: connectors.NoOffset,
		Key: nested(t, f, g, 2, schemas), Value: nested(t, f, g, 2, schemas),
	}
}

// told is a record with its schemas, as text.
func told(r *connectors.Record) string {
	var b strings.Builder
	for _, sv := range []data.SchemaAndValue{r.Key, r.Value} {
		fmt.Fprintln(&b, sv.Value, sv.Schema)
		tellFields(&b, sv.Schema)
	}
	for _, h := range r.Headers {
		fmt.Fprintln(&b, h.Key, h.Value.Value, h.Value.Schema)
	}
	return b.String()
}

func tellFields(b *strings.Builder, s *data.Schema) {
	if s == nil || s.Type() != data.TypeStruct {
		return
	}
	for _, f := range s.Fields() {
		fmt.Fprintln(b, f.Name, f.Schema, f.Schema.Optional())
		tellFields(b, f.Schema)
	}
}

// TestAQuotedNameIsAName: a name in backticks means by paths what the name itself means without them, in every transformation and
// whatever dots and backticks are in it.
func TestAQuotedNameIsAName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(byPath).Draw(t, "transformation")
		f, g := fieldNames.Draw(t, "f"), fieldNames.Filter(func(s string) bool { return s != "" }).Draw(t, "g")
		if f == g {
			return
		}
		r := drawRecord(t, f, g)
		outcome := func(f, g, version string) string {
			x, err := configuredFor(t, c.class, append(withFields(c.pairs, f, g), "field.syntax.version", version)...)
			if err != nil {
				return "settings: " + string(fault.ClassOf(err))
			}
			got := r
			keep, err := x.Apply(&got)
			if err != nil {
				return string(fault.ClassOf(err))
			}
			return fmt.Sprintln(keep, told(&got))
		}
		if name, path := outcome(f, g, "V1"), outcome(quoted(f), quoted(g), "V2"); name != path {
			t.Fatalf("%s %v of %s\nby name: %s\nby path: %s", c.class, withFields(c.pairs, f, g), told(&r), name, path)
		}
	})
}

// TestAnyPathIsAnsweredFor: whatever stands as a path is refused as a setting, or as data, or does something.
func TestAnyPathIsAnsweredFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(byPath).Draw(t, "transformation")
		f, g := anyPaths.Draw(t, "f"), anyPaths.Draw(t, "g")
		r := drawRecord(t, fieldNames.Draw(t, "name"), fieldNames.Draw(t, "other"))
		x, err := configuredFor(t, c.class, append(withFields(c.pairs, f, g), "field.syntax.version", "V2")...)
		if err == nil {
			_, _ = x.Apply(&r) // a panic is the failure
		}
	})
}

// TestPathsBelowPaths: what is excluded or renamed below a field that is included.
func TestPathsBelowPaths(t *testing.T) {
	for _, c := range []struct {
		pairs      []string
		value, out string
	}{
		{[]string{"include", "a", "exclude", "a.b"}, `{"a":{"b":1,"c":2},"d":3}`, `{"a":{"c":2}}`},
		{[]string{"include", "a", "renames", "a.b:x"}, `{"a":{"b":1,"c":2},"d":3}`, `{"a":{"x":1,"c":2}}`},
		{[]string{"include", "a.b", "renames", "a.b:x,a:y"}, `{"a":{"b":1,"c":2},"d":3}`, `{"y":{"x":1}}`},
		{[]string{"exclude", "a.b", "renames", "a:y"}, `{"a":{"b":1,"c":2},"d":3}`, `{"y":{"c":2},"d":3}`},
		{[]string{"exclude", "`a.b`.c"}, `{"a.b":{"c":1},"a":{"b":{"c":2}}}`, `{"a.b":{},"a":{"b":{"c":2}}}`},
	} {
		x, err := configured(t, "ReplaceField$Value", append(c.pairs, "field.syntax.version", "V2")...)
		if err != nil {
			t.Errorf("%v: %v", c.pairs, err)
			continue
		}
		r := jsonRecord(t, c.value)
		if _, err := x.Apply(r); err != nil || !r.Value.Value.Equal(jsonRecord(t, c.out).Value.Value) {
			t.Errorf("%v: %v, %v", c.pairs, r.Value.Value, err)
		}
	}
}

// TestPathsThatAreRefused: a path without steps leads to no field, and two that end in one name would make one field of the key.
func TestPathsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		class string
		pairs []string
		says  string
	}{
		{"Cast$Value", []string{"spec", ":int8"}, "path to the field is empty"},
		{"HoistField$Value", []string{"field", ""}, "path to the field is empty"},
		{"InsertField$Value", []string{"topic.field", "?"}, "path to the field is empty"},
		{"ReplaceField$Value", []string{"renames", ":x"}, "path to the field is empty"},
		{"ValueToKey", []string{"fields", "a.id,b.id"}, "The paths a.id and b.id both make the key's field id"},
		{"MaskField$Value", []string{"fields", "`a"}, "Incomplete backtick pair in path: [`a]"},
	} {
		_, err := configured(t, c.class, append(c.pairs, "field.syntax.version", "V2")...)
		if !fault.Config.Is(err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %v: %v", c.class, c.pairs, err)
		}
	}
}
