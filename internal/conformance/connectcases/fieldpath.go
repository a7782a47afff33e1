package connectcases

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/transforms"
)

// runFieldPath splits a path into steps, or finds values by paths.
func runFieldPath(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	version := props.Or("field.syntax.version", "V1")
	want := c.expects()
	if in := object(c.Input); in != nil {
		return findByPaths(in, version, want)
	}
	p, err := transforms.ParseFieldPath(text(c.Input), version)
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	var steps []string
	if err := json.Unmarshal(want["steps"], &steps); err != nil {
		return fmt.Errorf("an expectation without steps")
	}
	if !slices.Equal(steps, p.Steps) {
		return fmt.Errorf("%q", p.Steps)
	}
	return nil
}

func findByPaths(in map[string]json.RawMessage, version string, want expectation) error {
	schema, err := readSchema(in["schema"])
	if err != nil {
		return err
	}
	value, err := readValue(in["value"], schema)
	if err != nil {
		return err
	}
	var paths []string
	if raw, ok := in["path"]; ok {
		paths = []string{text(raw)}
	} else if err := json.Unmarshal(in["paths"], &paths); err != nil {
		return err
	}
	var got []data.Value
	for _, text := range paths {
		p, err := transforms.ParseFieldPath(text, version)
		if err == nil {
			var v data.Value
			v, err = p.In(value, true)
			got = append(got, v)
		}
		if err != nil {
			_, result := want.failure(err)
			return result
		}
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	if raw, ok := want["value"]; ok {
		return matchRaw(raw, got[0], true)
	}
	return matchRaw(want["values"], data.ArrayValue(got), true)
}

// runConfig parses settings that transformations have in common.
func runConfig(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	def := (&transforms.ExtractField{}).ConfigDef()
	if _, ok := props["field"]; !ok {
		props.Set("field", "field")
	}
	want := c.expects()
	_, err = def.Parse(props)
	if done, result := want.failure(err); done {
		return result
	}
	return want.mustFail()
}

// runSourceOffset checks the form of an offset, which is given as the text of its JSON.
func runSourceOffset(c *testCase) error {
	raw := c.Input
	if len(raw) > 0 && raw[0] == '"' {
		raw = json.RawMessage(text(c.Input))
	}
	v, err := readValue(raw, nil)
	if err != nil {
		return err
	}
	want := c.expects()
	if done, result := want.failure(connectors.ValidateOffset(v)); done {
		return result
	}
	return want.mustFail()
}

// runProviders replaces variables in a setting.
func runProviders(c *testCase) error {
	conf := object(c.Config)
	providers := map[string]config.Provider{}
	if raw, ok := conf["provider"]; ok {
		name, p, err := proseProvider(text(raw))
		if err != nil {
			return err
		}
		providers[name] = p
	} else {
		return fmt.Errorf("settings without a provider")
	}
	props := config.Props{}
	props["key"] = nil
	if !isNull(c.Input) {
		props.Set("key", text(c.Input))
	}
	got, _, err := config.NewTransformer(providers).Transform(props)
	want := c.expects()
	if done, result := want.failure(err); done {
		return result
	}
	expected := c.Expected
	if raw, ok := want["value"]; ok {
		expected = raw
	}
	value := data.Null
	if v := got["key"]; v != nil {
		value = data.StringValue(*v)
	}
	return matchRaw(expected, value, false)
}
