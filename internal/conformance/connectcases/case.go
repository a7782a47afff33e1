// Package connectcases runs cases of Kafka Connect: each names a component, its settings, what goes in, and what the real
// Kafka made of it.
//
// families.go is the table of components. The notation of values in cases stands in notation.go.
package connectcases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// testCase is one line of a file.
type testCase struct {
	ID         string          `json:"id"`
	SourcePath string          `json:"source_path"`
	Component  string          `json:"component"`
	Config     json.RawMessage `json:"config"`
	Input      json.RawMessage `json:"input"`
	Expected   json.RawMessage `json:"expected"`
	Notes      string          `json:"notes"`
}

// Run runs the case of a line. The error says what differs.
func Run(line []byte) (id string, err error) {
	var c testCase
	if err := json.Unmarshal(line, &c); err != nil {
		return c.ID, fmt.Errorf("  reading the case: %w", err)
	}
	run := familyOf(c.Component)
	if run == nil {
		return c.ID, fmt.Errorf("  the component %q is not known", c.Component)
	}
	if err := run(&c); err != nil {
		return c.ID, fmt.Errorf("  expected %s\n  got      %w", c.Expected, err)
	}
	return c.ID, nil
}

// name is the part of the component after its first colon.
func (c *testCase) name() string {
	_, name, _ := strings.Cut(c.Component, ":")
	return strings.TrimSpace(name)
}

// props are the settings of the case; what is no string stands as it is written.
func (c *testCase) props() (config.Props, error) { return propsOf(c.Config) }

func propsOf(text json.RawMessage) (config.Props, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("settings that are no object: %w", err)
	}
	props := config.Props{}
	for name, v := range raw {
		var s string
		switch {
		case string(v) == "null":
			props[name] = nil
		case json.Unmarshal(v, &s) == nil:
			props.Set(name, s)
		default:
			props.Set(name, string(v))
		}
	}
	return props, nil
}

// expectation is what a case expects, when it is an object.
type expectation map[string]json.RawMessage

// expects reads the expected object; nil if it is none.
func (c *testCase) expects() expectation {
	var e expectation
	_ = json.Unmarshal(c.Expected, &e)
	return e
}

// object reads a JSON object, nil if text is none.
func object(text json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(text, &m)
	return m
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// isNull tells whether a value is missing or null.
func isNull(raw json.RawMessage) bool {
	return raw == nil || string(bytes.TrimSpace(raw)) == "null"
}

// failure compares an error with what is expected of it. done says that the case is decided.
func (e expectation) failure(err error) (done bool, result error) {
	class, wanted := e["error"]
	if !wanted {
		if err != nil {
			return true, fmt.Errorf("%s: %w", fault.ClassOf(err).SimpleName(), err)
		}
		return false, nil
	}
	if err == nil {
		return false, nil
	}
	if name := text(class); name != "" && !hasClass(err, name) {
		return true, fmt.Errorf("%s: %w", fault.ClassOf(err).SimpleName(), err)
	}
	message := err.Error()
	if m, ok := e["message"]; ok && text(m) != message {
		return true, fmt.Errorf("the message %q", message)
	}
	if m, ok := e["message_contains"]; ok && !strings.Contains(message, text(m)) {
		return true, fmt.Errorf("the message %q", message)
	}
	return true, nil
}

// hasClass tells whether err is of the class of this simple name, or of one that extends it.
func hasClass(err error, name string) bool {
	for _, c := range []fault.Class{
		fault.Kafka, fault.Config, fault.Serialization, fault.Connect, fault.Data, fault.Retriable, fault.NotFound, fault.AlreadyExists,
		fault.SchemaBuilder, fault.SchemaProjector, fault.IllegalArgument, fault.NumberFormat, fault.IllegalState, fault.Exception,
	} {
		if c.SimpleName() == name {
			return c.Is(err)
		}
	}
	return fault.ClassOf(err).SimpleName() == name
}

// given leaves out what is missing.
func (e expectation) given() expectation {
	for key, raw := range e {
		if raw == nil {
			delete(e, key)
		}
	}
	return e
}

// mustFail is the verdict on a case that expects an error and got none.
func (e expectation) mustFail() error {
	if _, wanted := e["error"]; wanted {
		return fmt.Errorf("no error")
	}
	return nil
}

// only refuses expectations that the family does not know.
func (e expectation) only(known ...string) error {
	for key := range e {
		if !containsString(known, key) {
			return fmt.Errorf("an expectation %q that the runner does not know", key)
		}
	}
	return nil
}

func containsString(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
