package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
)

// Bodies are read as Kafka reads them: fields that nobody knows and values of the wrong form are errors of status 500,
// numbers and booleans in settings are their text.

// unfit is the error for a body that is JSON of another form.
func unfit(want string, err error) error {
	return status(http.StatusInternalServerError, "Cannot deserialize value: want %s: %s", want, unfitText(err))
}

// unfitText is what is wrong with JSON, in words for whoever sent it.
func unfitText(err error) string {
	var other *json.UnmarshalTypeError
	switch {
	case errors.As(err, &other):
		return "it is of type " + other.Value
	case errors.Is(err, io.EOF):
		return "there is nothing"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return err.Error()
}

// fields reads an object with no other fields than those known.
func fields(body []byte, known ...string) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := strictJSON(body, &m); err != nil {
		return nil, unfit("an object", err)
	}
	for name := range m {
		if !slices.Contains(known, name) {
			return nil, status(http.StatusInternalServerError, "Unrecognized field %q, not one of: %s", name, strings.Join(known, ", "))
		}
	}
	return m, nil
}

func strictJSON(body []byte, into any) error {
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(into); err != nil {
		return err
	}
	if err := d.Decode(new(json.RawMessage)); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// settings reads a map of settings; null is nil.
func settings(body []byte) (config.Props, error) {
	var m map[string]json.RawMessage
	if err := strictJSON(body, &m); err != nil {
		return nil, unfit("a map of settings", err)
	}
	if m == nil {
		return nil, nil
	}
	props := config.Props{}
	for name, raw := range m {
		value, err := text(raw)
		if err != nil {
			return nil, unfit("text as value of "+name, err)
		}
		props[name] = value
	}
	return props, nil
}

// text reads a string, a number or a boolean as text; null is nil.
func text(raw json.RawMessage) (*string, error) {
	switch raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return &s, err
	case '{', '[':
		return nil, fmt.Errorf("it is an object or a list")
	case 'n':
		return nil, nil
	}
	s := string(raw)
	return &s, nil
}

// creation is the body of POST /connectors.
type creation struct {
	name    string
	config  config.Props
	initial connect.TargetState
	offsets []connect.OffsetInfo
}

func parseCreation(body []byte) (creation, error) {
	var c creation
	m, err := fields(body, "name", "config", "initial_state", "initial_offsets")
	if err != nil {
		return c, err
	}
	if raw, ok := m["name"]; ok {
		name, err := text(raw)
		if err != nil {
			return c, unfit("text as name", err)
		}
		if name != nil {
			c.name = trim(*name)
		}
	}
	if raw, ok := m["initial_state"]; ok && string(raw) != "null" {
		if c.initial, err = parseInitialState(raw); err != nil {
			return c, err
		}
	}
	if raw, ok := m["initial_offsets"]; ok && string(raw) != "null" {
		if err := json.Unmarshal(raw, &c.offsets); err != nil {
			return c, unfit("a list of offsets", err)
		}
	}
	raw, ok := m["config"]
	if !ok {
		return c, status(http.StatusInternalServerError, "the request has no config")
	}
	if c.config, err = settings(raw); err == nil && c.config == nil {
		err = status(http.StatusInternalServerError, "the request has no config")
	}
	return c, err
}

func parseInitialState(raw json.RawMessage) (connect.TargetState, error) {
	s, err := text(raw)
	if err != nil || s == nil {
		return "", unfit("a state", err)
	}
	switch strings.ToUpper(*s) {
	case "RUNNING":
		return connect.Started, nil
	case "PAUSED":
		return connect.Paused, nil
	case "STOPPED":
		return connect.Stopped, nil
	}
	return "", status(http.StatusInternalServerError, "Cannot deserialize value: initial_state is one of RUNNING, PAUSED, STOPPED (got %q)", *s)
}

// trim is Java's: it takes off blanks and control characters.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// named puts the name of the connector into its settings, or refuses another one there.
func named(props config.Props, name string) error {
	given, ok := props.Get("name")
	if !ok {
		props.Set("name", name)
		return nil
	}
	if trim(given) != name {
		return status(http.StatusBadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", given, name)
	}
	return nil
}

// parseOffsets reads the body of PATCH offsets.
func parseOffsets(body []byte) ([]connect.OffsetInfo, error) {
	m, err := fields(body, "offsets")
	if err != nil {
		return nil, err
	}
	raw, ok := m["offsets"]
	if !ok {
		return nil, nil
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, unfit("a list of offsets", err)
	}
	var out []connect.OffsetInfo
	for _, e := range entries {
		if string(e) == "null" {
			return nil, unfit("an object with partition and offset", errors.New("it is null"))
		}
		entry, err := fields(e, "partition", "offset")
		if err != nil {
			return nil, err
		}
		out = append(out, connect.OffsetInfo{Partition: entry["partition"], Offset: entry["offset"]})
	}
	return out, nil
}
