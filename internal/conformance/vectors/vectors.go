// Package vectors compares single functions with what the real Kafka's gave: hashes, layouts of bytes, names.
//
// families.go is the table of families, by the beginning of a case's id.
package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// vector is one line of a file.
type vector struct {
	ID         string          `json:"id"`
	SourcePath string          `json:"source_path"`
	What       string          `json:"what"`
	Input      json.RawMessage `json:"input"`
	Expected   json.RawMessage `json:"expected"`
	Notes      string          `json:"notes"`
}

// Run runs the vector of a line. The error says what differs.
func Run(line []byte) (id string, err error) {
	var v vector
	if err := strict(line, &v); err != nil {
		return v.ID, fmt.Errorf("  reading the vector: %w", err)
	}
	f := familyOf(v.ID)
	if f == nil {
		return v.ID, fmt.Errorf("  the family of %q is not known", v.ID)
	}
	got, err := f(v)
	if err != nil {
		return v.ID, fmt.Errorf("  %w", err)
	}
	return v.ID, compare(v.Expected, got)
}

func familyOf(id string) family {
	for prefix, f := range families() {
		if strings.HasPrefix(id, prefix) {
			return f
		}
	}
	return nil
}

// strict decodes JSON and refuses fields that into does not have.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// compare compares as JSON. Numbers are compared by their digits, since some of them are beyond a double.
func compare(expected json.RawMessage, got any) error {
	encoded, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("  writing the result: %w", err)
	}
	want, have, err := decodeBoth(expected, encoded)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(want, have) {
		return fmt.Errorf("  expected %s\n  got      %s", expected, encoded)
	}
	return nil
}

func decodeBoth(a, b []byte) (x, y any, err error) {
	if x, err = decodeExact(a); err == nil {
		y, err = decodeExact(b)
	}
	return x, y, err
}

func decodeExact(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}
