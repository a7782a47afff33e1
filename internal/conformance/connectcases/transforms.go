package connectcases

import (
	"encoding/json"
	"fmt"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// runTransform applies a transformation to a record, or only configures it.
func runTransform(c *testCase) error {
	plugin, err := builtin.Plugins().Find(c.name(), connectors.KindTransformation)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	want := c.expects()
	t := plugin.Transformation()
	err = t.Configure(props)
	if isNull(c.Input) {
		if done, result := want.failure(err); done {
			return result
		}
		return want.mustFail()
	}
	if err != nil && len(props) == 0 && want["error"] == nil {
		// Kafka's own tests apply some transformations that nobody configured.
		t, err = plugin.Transformation(), nil
	}
	if err != nil {
		_, result := want.failure(err)
		return result
	}
	r, err := readRecord(c.Input)
	if err != nil {
		return fmt.Errorf("an input that cannot be read: %w", err)
	}
	before := r
	keep, err := t.Apply(&r)
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	return checkRecord(c.Expected, keep, &before, &r)
}

// readRecord reads the record of an input. A lone value in the notation of timestamps is the record's value.
func readRecord(raw json.RawMessage) (connectors.Record, error) {
	r := connectors.Record{Topic: "topic", Partition: 0, Timestamp: connectors.NoTimestamp, Offset: 0}
	in := object(raw)
	if in == nil {
		return r, fmt.Errorf("no object")
	}
	if sv, ok, err := readStamp(in); ok || err != nil {
		r.Value = sv
		return r, err
	}
	for name, v := range in {
		var err error
		switch name {
		case "topic":
			err = json.Unmarshal(v, &r.Topic)
			if isNull(v) {
				r.Topic = ""
			}
		case "partition":
			err = json.Unmarshal(v, &r.Partition)
		case "offset":
			err = json.Unmarshal(v, &r.Offset)
		case "timestamp":
			if !isNull(v) {
				err = json.Unmarshal(v, &r.Timestamp)
			}
		case "headers":
			r.Headers, err = readHeaders(v)
		case "key", "key_schema":
			r.Key, err = readSide(in["key_schema"], in["key"])
		case "value", "value_schema":
			r.Value, err = readSide(in["value_schema"], in["value"])
		default:
			err = fmt.Errorf("an input %q that the runner does not know", name)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func readSide(schema, value json.RawMessage) (data.SchemaAndValue, error) {
	s, err := readSchema(schema)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	v, err := readValue(value, s)
	return data.SchemaAndValue{Schema: s, Value: v}, err
}

// readStamp reads {"int64":n}, {"string":s}, {"logical":"Date","ms":n}, {"struct":{...}}, {"map":{...}} of such.
func readStamp(in map[string]json.RawMessage) (sv data.SchemaAndValue, ok bool, err error) {
	optional := string(in["optional"]) == "true"
	for _, t := range []string{"int8", "int16", "int32", "int64", "float32", "float64", "string", "boolean"} {
		raw, here := in[t]
		if !here {
			continue
		}
		s, err := schemaOfText(t)
		if err != nil {
			return sv, true, err
		}
		s = data.Primitive(s.Type(), optional)
		v, err := readValue(raw, s)
		return data.SchemaAndValue{Schema: s, Value: v}, true, err
	}
	switch {
	case in["logical"] != nil:
		s, err := schemaOfText(text(in["logical"]))
		if err != nil {
			return sv, true, err
		}
		if optional {
			s = data.CopyAll(s).Optional().Rebuild()
		}
		v, err := readValue(in["ms"], s)
		return data.SchemaAndValue{Schema: s, Value: v}, true, err
	case in["struct"] != nil:
		return readStampStruct(in["struct"])
	case in["map"] != nil:
		v, err := readValue(in["map"], nil)
		return data.SchemaAndValue{Value: v}, true, err
	}
	return sv, false, nil
}

func readStampStruct(raw json.RawMessage) (sv data.SchemaAndValue, ok bool, err error) {
	b := data.NewStructSchema()
	var values []data.Value
	d, err := decode(raw)
	fields, isObject := d.(members)
	if err != nil || !isObject {
		return sv, true, fmt.Errorf("a struct that is no object")
	}
	for _, f := range fields {
		inner := object(raw)[f.name]
		field, found, err := readStamp(object(inner))
		if err != nil {
			return sv, true, err
		}
		if !found {
			field.Value, err = readValue(inner, nil)
			if err != nil {
				return sv, true, err
			}
			field.Schema = data.InferSchema(field.Value)
			if field.Schema == nil {
				field.Schema = data.OptionalInt64Schema
			}
		}
		b.Field(f.name, field.Schema)
		values = append(values, field.Value)
	}
	s, err := b.Build()
	if err != nil {
		return sv, true, err
	}
	return data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, values))}, true, nil
}

// readHeaders reads [["name", value], ...]; texts have the schema STRING.
func readHeaders(raw json.RawMessage) (connectors.Headers, error) {
	var list [][]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var out connectors.Headers
	for _, h := range list {
		if len(h) != 2 {
			return nil, fmt.Errorf("a header that is no pair")
		}
		sv, err := readHeaderValue(h[1])
		if err != nil {
			return nil, err
		}
		out = append(out, connectors.Header{Key: text(h[0]), Value: sv})
	}
	return out, nil
}

func readHeaderValue(raw json.RawMessage) (data.SchemaAndValue, error) {
	if m := object(raw); m["schema"] != nil {
		return readSide(m["schema"], m["value"])
	}
	v, err := readValue(raw, nil)
	return data.SchemaAndValue{Schema: data.InferSchema(v), Value: v}, err
}

// checkRecord compares a record with what is expected of it.
func checkRecord(expected json.RawMessage, keep bool, before, r *connectors.Record) error {
	if isNull(expected) || keep != (object(expected)["dropped"] == nil) {
		if keep {
			return fmt.Errorf("a record that was not dropped: %s", r.Value.Value)
		}
		if isNull(expected) {
			return nil
		}
	}
	if !keep {
		if object(expected)["dropped"] != nil {
			return nil
		}
		return fmt.Errorf("a dropped record")
	}
	want := object(expected)
	if want == nil {
		return fmt.Errorf("an expectation that is no object")
	}
	if sv, ok, err := readStamp(want); ok || err != nil {
		if err == nil && !sv.Equal(r.Value) {
			err = fmt.Errorf("%s %s", describe(r.Value.Schema), r.Value.Value)
		}
		return err
	}
	for name, raw := range want {
		if err := checkPart(name, raw, before, r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func checkPart(name string, raw json.RawMessage, before, r *connectors.Record) error {
	switch name {
	case "unchanged":
		return checkUnchanged(before, r)
	case "key":
		return matchRaw(raw, r.Key.Value, true)
	case "value":
		return matchRaw(raw, r.Value.Value, true)
	case "key_without_default":
		return matchRaw(raw, r.Key.Value, false)
	case "value_without_default":
		return matchRaw(raw, r.Value.Value, false)
	case "key_schema":
		return matchSchema(raw, r.Key.Schema)
	case "value_schema":
		return matchSchema(raw, r.Value.Schema)
	case "key_schema_type", "key_schema_name", "key_schema_version", "key_schema_optional", "key_schema_doc", "key_schema_default":
		return checkSchemaPart(name[len("key_schema_"):], raw, r.Key.Schema)
	case "value_schema_type", "value_schema_name", "value_schema_version", "value_schema_optional", "value_schema_doc", "value_schema_default":
		return checkSchemaPart(name[len("value_schema_"):], raw, r.Value.Schema)
	case "field_schema_type", "field_schema":
		return checkFieldSchemas(raw, r.Value.Schema)
	case "field_count":
		return checkFieldCount(raw, r.Value)
	case "headers":
		return checkHeaders(raw, r.Headers)
	case "topic":
		return matchRaw(raw, data.StringValue(r.Topic), false)
	case "partition":
		return matchRaw(raw, data.Int32Value(r.Partition), false)
	case "timestamp":
		return matchRaw(raw, data.Int64Value(r.Timestamp), false)
	}
	return fmt.Errorf("an expectation that the runner does not know")
}

func checkUnchanged(before, r *connectors.Record) error {
	if !before.Key.Equal(r.Key) || !before.Value.Equal(r.Value) || before.Topic != r.Topic || len(before.Headers) != len(r.Headers) {
		return fmt.Errorf("a changed record: %s %s", r.Key.Value, r.Value.Value)
	}
	return nil
}

func checkSchemaPart(part string, raw json.RawMessage, s *data.Schema) error {
	if s == nil {
		if isNull(raw) {
			return nil
		}
		return fmt.Errorf("no schema")
	}
	switch part {
	case "type":
		if s.Type().String() != text(raw) {
			return fmt.Errorf("%s", s.Type())
		}
		return nil
	case "name":
		return matchRaw(raw, stringOrNull(s.Name()), false)
	case "doc":
		return matchRaw(raw, stringOrNull(s.Doc()), false)
	case "version":
		if v, ok := s.Version(); ok {
			return matchRaw(raw, data.Int32Value(v), false)
		}
		return matchRaw(raw, data.Null, false)
	case "default":
		return matchRaw(raw, s.Default(), true)
	}
	return matchRaw(raw, data.BooleanValue(s.Optional()), false)
}

func stringOrNull(s string) data.Value {
	if s == "" {
		return data.Null
	}
	return data.StringValue(s)
}

func checkFieldSchemas(raw json.RawMessage, s *data.Schema) error {
	for name, want := range object(raw) {
		if s == nil || s.Type() != data.TypeStruct || s.Field(name) == nil {
			return fmt.Errorf("no field %q in %s", name, describe(s))
		}
		if err := matchSchema(want, s.Field(name).Schema); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func checkFieldCount(raw json.RawMessage, sv data.SchemaAndValue) error {
	n := sv.Value.Map().Len()
	if sv.Schema != nil {
		n = len(sv.Schema.Fields())
	}
	return matchRaw(raw, data.Int32Value(int32(n)), false)
}

func checkHeaders(raw json.RawMessage, got connectors.Headers) error {
	var list [][]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list) != len(got) {
		return fmt.Errorf("%d headers", len(got))
	}
	for i, h := range list {
		if text(h[0]) != got[i].Key {
			return fmt.Errorf("the header %q", got[i].Key)
		}
		value := h[1]
		if m := object(h[1]); m["schema"] != nil {
			if err := matchSchema(m["schema"], got[i].Value.Schema); err != nil {
				return err
			}
			value = m["value"]
		}
		if err := matchRaw(value, got[i].Value.Value, true); err != nil {
			return fmt.Errorf("the header %q: %w", got[i].Key, err)
		}
	}
	return nil
}

// runPredicate tests a predicate on records of which a list gives what it looks at: header keys, topics, or values.
func runPredicate(c *testCase) error {
	plugin, err := builtin.Plugins().Find(c.name(), connectors.KindPredicate)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	p := plugin.Predicate()
	if done, result := c.expects().failure(p.Configure(props)); done {
		return result
	}
	if err := c.expects().mustFail(); err != nil {
		return err
	}
	var inputs []json.RawMessage
	var want []bool
	if err := json.Unmarshal(c.Input, &inputs); err != nil {
		inputs = []json.RawMessage{c.Input}
	}
	if err := json.Unmarshal(c.Expected, &want); err != nil {
		var one bool
		if err := json.Unmarshal(c.Expected, &one); err != nil {
			return fmt.Errorf("an expectation that is no list")
		}
		want = []bool{one}
	}
	got := []bool{}
	for _, in := range inputs {
		r, err := predicateRecord(c.name(), in)
		if err != nil {
			return err
		}
		ok, err := p.Test(&r)
		if err != nil {
			return err
		}
		got = append(got, ok)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%v", got)
	}
	return nil
}

func predicateRecord(name string, in json.RawMessage) (connectors.Record, error) {
	if object(in) != nil {
		return readRecord(in)
	}
	r := connectors.Record{Topic: "topic", Timestamp: connectors.NoTimestamp}
	switch name {
	case "HasHeaderKey":
		var keys []string
		err := json.Unmarshal(in, &keys)
		for _, k := range keys {
			r.Headers = append(r.Headers, connectors.Header{Key: k})
		}
		return r, err
	case "TopicNameMatches":
		r.Topic = text(in)
	default:
		v, err := readValue(in, nil)
		r.Value.Value = v
		return r, err
	}
	return r, nil
}

// constant is a predicate with one answer; marker a transformation that leaves a trace.
type (
	constant bool
	marker   struct{}
)

func (constant) ConfigDef() *config.Def                  { return config.NewDef() }
func (constant) Configure(config.Props) error            { return nil }
func (p constant) Test(*connectors.Record) (bool, error) { return bool(p), nil }
func (constant) Close() error                            { return nil }
func (marker) ConfigDef() *config.Def                    { return config.NewDef() }
func (marker) Configure(config.Props) error              { return nil }
func (marker) Close() error                              { return nil }
func (marker) Apply(r *connectors.Record) (keep bool, err error) {
	r.Topic = "applied"
	return true, nil
}

// runStage decides with a predicate whether a transformation is applied.
func runStage(c *testCase) error {
	var inputs []struct{ Predicate, Negate bool }
	var want []string
	if err := json.Unmarshal(c.Input, &inputs); err != nil {
		return err
	}
	if err := json.Unmarshal(c.Expected, &want); err != nil {
		return err
	}
	for i, in := range inputs {
		stage := connectors.Stage{Predicate: constant(in.Predicate), Negate: in.Negate, Transformation: marker{}}
		r := connectors.Record{Topic: "not applied"}
		if _, err := stage.Apply(&r); err != nil {
			return err
		}
		if i >= len(want) || want[i] != r.Topic {
			return fmt.Errorf("%s at %d", r.Topic, i)
		}
	}
	return nil
}
