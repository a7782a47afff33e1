package connectcases

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// matchRaw compares a value with its notation. defaults says whether a null field of a struct is read as its default; cases
// that ask for fields as they are name only those that matter.
func matchRaw(want json.RawMessage, got data.Value, defaults bool) error {
	w, err := decode(want)
	if err != nil {
		return err
	}
	return match(w, got, defaults)
}

func match(want any, got data.Value, defaults bool) error {
	ok := false
	switch w := want.(type) {
	case nil:
		ok = got.IsNull()
	case bool:
		ok = got.Type() == data.TypeBoolean && got.Bool() == w
	case json.Number:
		ok = sameNumber(string(w), got)
	case string:
		ok = sameText(w, got)
	case []any:
		return matchList(w, got, defaults)
	case members:
		return matchMembers(w, got, defaults)
	}
	if !ok {
		return fmt.Errorf("%s %s", got.Type(), got)
	}
	return nil
}

func sameNumber(want string, got data.Value) bool {
	if !got.Type().IsNumber() {
		return false
	}
	w, ok := new(big.Rat).SetString(want)
	if !ok {
		return false
	}
	switch got.Type() {
	case data.TypeFloat32:
		f, _ := strconv.ParseFloat(want, 32)
		return f == got.Float()
	case data.TypeFloat64:
		f, _ := strconv.ParseFloat(want, 64)
		return f == got.Float()
	}
	g, ok := new(big.Rat).SetString(got.String())
	return ok && g.Cmp(w) == 0
}

func sameText(want string, got data.Value) bool {
	if got.Type() == data.TypeString {
		return got.Str() == want
	}
	if v, ok := note(want); ok {
		return v.Equal(got)
	}
	switch got.Type() {
	case data.TypeBytes:
		return string(got.Bytes()) == want
	case data.TypeDecimal, data.TypeBigInteger:
		return got.String() == want
	}
	return false
}

func matchList(want []any, got data.Value, defaults bool) error {
	if got.Type() != data.TypeArray || len(got.Array()) != len(want) {
		return fmt.Errorf("%s %s", got.Type(), got)
	}
	for i, e := range got.Array() {
		if err := match(want[i], e, defaults); err != nil {
			return fmt.Errorf("at %d: %w", i, err)
		}
	}
	return nil
}

func matchMembers(want members, got data.Value, defaults bool) error {
	fields := members{}
	switch got.Type() {
	case data.TypeMap:
		for _, e := range got.Map().Entries() {
			fields = append(fields, member{e.Key.String(), e.Value})
		}
	case data.TypeStruct:
		st := got.Struct()
		for i, f := range st.Schema().Fields() {
			v := st.RawAt(i)
			if defaults {
				v = st.At(i)
			}
			fields = append(fields, member{f.Name, v})
		}
	default:
		return fmt.Errorf("%s %s", got.Type(), got)
	}
	known := 0
	for _, w := range want {
		v, ok := fields.get(w.name)
		if ok {
			known++
		} else if w.value == nil && got.Type() == data.TypeMap {
			continue // cases write what Java's get returns
		}
		if !ok {
			return fmt.Errorf("no %q: %s", w.name, got)
		}
		if err := match(w.value, v.(data.Value), defaults); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if known < len(fields) && defaults {
		return fmt.Errorf("%s", got)
	}
	return nil
}

// matchSchema compares a schema with its notation: null, all of it as JSON, or text.
func matchSchema(want json.RawMessage, got *data.Schema) error {
	if isNull(want) {
		if got != nil {
			return fmt.Errorf("the schema %s", got)
		}
		return nil
	}
	if want[0] == '"' {
		if !schemaLike(text(want), got) {
			return fmt.Errorf("the schema %s", describe(got))
		}
		return nil
	}
	w, err := readSchema(want)
	if err != nil {
		return err
	}
	if !w.Equal(got) {
		return fmt.Errorf("the schema %s", describe(got))
	}
	return nil
}

func describe(s *data.Schema) string {
	out, err := converters.SchemaText(s)
	if err != nil {
		return err.Error()
	}
	return out
}

// schemaLike compares with text, which may leave out what is inside: "MAP", "ARRAY<ARRAY>", "MAP (no value schema)".
func schemaLike(want string, got *data.Schema) bool {
	if want == "null" {
		return got == nil
	}
	if got == nil {
		return strings.HasSuffix(want, "or null")
	}
	want = strings.TrimSuffix(want, " or null")
	if rest, ok := strings.CutPrefix(want, "OPTIONAL "); ok {
		if !got.Optional() {
			return false
		}
		want = rest
	}
	if head, note, ok := strings.Cut(want, " ("); ok {
		return noSchemas(note, got) && schemaLike(head, got)
	}
	head, args, _ := strings.Cut(want, "<")
	params := splitArgs(strings.TrimSuffix(args, ">"))
	name := got.Type().String()
	switch {
	case got.IsDecimal():
		name = "Decimal"
	case got.IsDate():
		name = "Date"
	case got.IsTime():
		name = "Time"
	case got.IsTimestamp():
		name = "Timestamp"
	}
	if head != name && head != got.Type().String() {
		return false
	}
	switch {
	case len(params) == 0:
		return true
	case head == "ARRAY" && len(params) == 1:
		return schemaLike(params[0], got.Elem())
	case head == "MAP" && len(params) == 2:
		return schemaLike(params[0], got.Key()) && schemaLike(params[1], got.Elem())
	}
	return false
}

// noSchemas reads "no key or value schema)" and its kin.
func noSchemas(note string, got *data.Schema) bool {
	if !strings.HasPrefix(note, "no ") {
		return true
	}
	if strings.Contains(note, "key") && got.Key() != nil {
		return false
	}
	return !strings.Contains(note, "value") && !strings.Contains(note, "element") || got.Elem() == nil
}
