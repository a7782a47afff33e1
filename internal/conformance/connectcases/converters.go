package connectcases

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf16"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// runConverter turns a value into bytes or bytes into a value.
func runConverter(c *testCase) error {
	plugin, err := builtin.Plugins().Find(c.name(), connectors.KindConverter)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	want := c.expects()
	conv := plugin.Converter()
	if err := conv.Configure(props, false); err != nil {
		_, result := want.failure(err)
		return result
	}
	in := object(c.Input)
	switch direction := text(in["direction"]); direction {
	case "fromConnect":
		return fromConnect(conv, in, want)
	case "toConnect":
		return toConnect(conv, in, want)
	default:
		return fmt.Errorf("a direction %q that the runner does not know", direction)
	}
}

func fromConnect(conv connectors.Converter, in map[string]json.RawMessage, want expectation) error {
	sv, err := readSide(in["schema"], in["value"])
	if err != nil {
		return fmt.Errorf("an input that cannot be read: %w", err)
	}
	out, null, err := conv.FromConnectData(nil, "topic", nil, sv)
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	if err := want.only("json", "bytes"); err != nil {
		return err
	}
	if raw, ok := want["json"]; ok {
		return sameJSON(raw, out, null)
	}
	b, isNullBytes, err := readBytes(want["bytes"], sv.Value)
	if err != nil {
		return err
	}
	if isNullBytes != null || string(b) != string(out) {
		return fmt.Errorf("the bytes %x, null %v", out, null)
	}
	return nil
}

// sameJSON compares two texts without regard to the order of members.
func sameJSON(want json.RawMessage, got []byte, null bool) error {
	var w, g any
	if null {
		if isNull(want) {
			return nil
		}
		return fmt.Errorf("null bytes")
	}
	if err := json.Unmarshal(want, &w); err != nil {
		return err
	}
	if err := json.Unmarshal(got, &g); err != nil {
		return err
	}
	if s, ok := w.(string); ok {
		// A text may also be the JSON itself.
		var inner any
		if json.Unmarshal([]byte(s), &inner) == nil && reflect.DeepEqual(inner, g) {
			return nil
		}
	}
	if !reflect.DeepEqual(w, g) {
		return fmt.Errorf("%s", got)
	}
	return nil
}

func toConnect(conv connectors.Converter, in map[string]json.RawMessage, want expectation) error {
	var b []byte
	var null bool
	var err error
	if raw, ok := in["json"]; ok {
		null = isNull(raw)
		b = []byte(text(raw))
		if !null && raw[0] != '"' {
			b = raw
		}
	} else if b, null, err = readBytes(in["bytes"], data.Null); err != nil {
		return err
	}
	if null {
		b = nil
	} else if b == nil {
		b = []byte{}
	}
	got, err := conv.ToConnectData("topic", nil, b)
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	return checkSchemaAndValue(want, got)
}

func checkSchemaAndValue(want expectation, got data.SchemaAndValue) error {
	if err := want.only("schema", "value", "value_without_default", "value_pairs", "key_schema", "value_schema"); err != nil {
		return err
	}
	if raw, ok := want["schema"]; ok {
		if err := matchSchema(raw, got.Schema); err != nil {
			return err
		}
	}
	if raw, ok := want["value"]; ok {
		if err := matchRaw(raw, got.Value, true); err != nil {
			return err
		}
	}
	if raw, ok := want["value_without_default"]; ok {
		if err := matchRaw(raw, got.Value, false); err != nil {
			return err
		}
	}
	if raw, ok := want["key_schema"]; ok {
		if err := matchSchema(raw, got.Schema.Key()); err != nil {
			return err
		}
	}
	if raw, ok := want["value_schema"]; ok {
		if err := matchSchema(raw, got.Schema.Elem()); err != nil {
			return err
		}
	}
	if raw, ok := want["value_pairs"]; ok {
		return checkPairs(raw, got.Value)
	}
	return nil
}

func checkPairs(raw json.RawMessage, got data.Value) error {
	v, err := decode(raw)
	if err != nil {
		return err
	}
	pairs, _ := v.([]any)
	entries := got.Map().Entries()
	if got.Map() == nil || len(pairs) != len(entries) {
		return fmt.Errorf("%s %s", got.Type(), got)
	}
	for i, p := range pairs {
		pair, ok := p.([]any)
		if !ok || len(pair) != 2 {
			return fmt.Errorf("a pair that is none")
		}
		if err := match(pair[0], entries[i].Key, true); err != nil {
			return err
		}
		if err := match(pair[1], entries[i].Value, true); err != nil {
			return err
		}
	}
	return nil
}

// readBytes reads "utf8 abc", "hex 00ff", a list of numbers, or the words that name an encoding of the value.
func readBytes(raw json.RawMessage, v data.Value) (b []byte, null bool, err error) {
	if isNull(raw) {
		return nil, true, nil
	}
	var list []int
	if json.Unmarshal(raw, &list) == nil {
		for _, n := range list {
			b = append(b, byte(n))
		}
		return b, false, nil
	}
	s := text(raw)
	if rest, ok := strings.CutPrefix(s, "utf8 "); ok || s == "utf8" {
		return []byte(rest), false, nil
	}
	for _, prefix := range []string{"hex ", "0x"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			b, err = hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
			return b, false, err
		}
	}
	if strings.HasPrefix(s, "UTF-16") {
		b = []byte{0xfe, 0xff}
		for _, u := range utf16.Encode([]rune(v.Str())) {
			b = append(b, byte(u>>8), byte(u))
		}
		return b, false, nil
	}
	if b, err := hex.DecodeString(strings.ReplaceAll(s, " ", "")); err == nil && s != "" {
		return b, false, nil
	}
	return nil, false, fmt.Errorf("bytes %q that cannot be read", s)
}

// runHeaderConverter writes a header and reads it again, or does one of the two.
func runHeaderConverter(c *testCase) error {
	plugin, err := builtin.Plugins().Find(c.name(), connectors.KindHeaderConverter)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	conv := plugin.HeaderConverter()
	want := c.expects()
	if err := conv.Configure(props); err != nil {
		_, result := want.failure(err)
		return result
	}
	in := object(c.Input)
	if raw, ok := in["bytes"]; ok {
		b, null, err := readBytes(raw, data.Null)
		if err != nil {
			return err
		}
		if null {
			b = nil
		}
		got, err := conv.ToConnectHeader("topic", "header", b)
		if done, result := want.failure(err); done {
			return result
		}
		return checkSchemaAndValue(want, got)
	}
	sv, err := readSide(in["schema"], in["value"])
	if err != nil {
		return fmt.Errorf("an input that cannot be read: %w", err)
	}
	b, null, err := conv.FromConnectHeader(nil, "topic", "header", sv)
	if done, result := want.failure(err); done {
		return result
	}
	if null {
		b = nil
	} else if b == nil {
		b = []byte{}
	}
	if raw, ok := want["bytes"]; ok {
		w, wantNull, err := readBytes(raw, sv.Value)
		if err != nil || wantNull != null || string(w) != string(b) {
			return fmt.Errorf("the bytes %q, %w", b, err)
		}
		return nil
	}
	got, err := conv.ToConnectHeader("topic", "header", b)
	if err != nil {
		return err
	}
	if raw, ok := want["roundtrip"]; ok {
		if err := want.only("roundtrip"); err != nil {
			return err
		}
		return checkSchemaAndValue(expectation(object(raw)), got)
	}
	return checkSchemaAndValue(want, got)
}

// runParseString guesses the type of a text.
func runParseString(c *testCase) error {
	want := c.expects()
	if raw, ok := want["escaped"]; ok {
		if got := data.Escape(text(c.Input)); got != text(raw) {
			return fmt.Errorf("%q", got)
		}
		return nil
	}
	var got data.SchemaAndValue
	if !isNull(c.Input) {
		got = data.ParseString(text(c.Input))
	}
	if isNull(c.Expected) {
		if got.Schema != nil || !got.Value.IsNull() {
			return fmt.Errorf("%s %s", got.Schema, got.Value)
		}
		return nil
	}
	if err := checkSchemaAndValue(want, got); err != nil {
		return fmt.Errorf("%s %s: %w", describe(got.Schema), got.Value, err)
	}
	return nil
}

// runValues calls one of the conversions of Values.
func runValues(c *testCase) error {
	conversions := map[string]func(*data.Schema, data.Value) (data.Value, error){
		"convertToBoolean": data.ConvertToBoolean, "convertToByte": data.ConvertToByte, "convertToShort": data.ConvertToShort,
		"convertToInteger": data.ConvertToInteger, "convertToLong": data.ConvertToLong, "convertToFloat": data.ConvertToFloat,
		"convertToDouble": data.ConvertToDouble, "convertToString": data.ConvertToString, "convertToList": data.ConvertToList,
		"convertToMap": data.ConvertToMap, "convertToStruct": data.ConvertToStruct, "convertToDate": data.ConvertToDate,
		"convertToTime": data.ConvertToTime, "convertToTimestamp": data.ConvertToTimestamp,
		"convertToDecimal": func(s *data.Schema, v data.Value) (data.Value, error) { return data.ConvertToDecimal(s, v, 1) },
	}
	convert := conversions[strings.TrimPrefix(c.Component, "Values.")]
	if convert == nil {
		return fmt.Errorf("a conversion that is not known")
	}
	var sv data.SchemaAndValue
	var err error
	if in := object(c.Input); in["schema"] != nil {
		sv, err = readSide(in["schema"], in["value"])
	} else if c.Input != nil && c.Input[0] == '"' {
		sv = data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(text(c.Input))}
	} else {
		sv.Value, err = readValue(c.Input, nil)
	}
	if err != nil {
		return err
	}
	got, err := convert(sv.Schema, sv.Value)
	want := c.expects()
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	if raw, ok := want["value"]; ok {
		return matchRaw(raw, got, true)
	}
	if _, ok := want["value_pairs"]; ok {
		return checkSchemaAndValue(want, data.SchemaAndValue{Value: got})
	}
	return matchRaw(c.Expected, got, true)
}
