package connect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Source partitions and offsets are JSON in the offset topic, written by Kafka's JsonConverter without schemas. Keys are
// written in order of name, so that the same partition has the same bytes whoever writes it.

func plainJSON() *converters.JSON {
	c := &converters.JSON{}
	off := "false"
	if err := c.Configure(map[string]*string{"schemas.enable": &off}, true); err != nil {
		panic("configuring the converter of offsets: " + err.Error())
	}
	return c
}

// mapText is the canonical text of a partition: the JSON with its keys in order.
func mapText(m *data.Map) string {
	b, err := MapJSON(m)
	if err != nil {
		return fmt.Sprintf("%p", m)
	}
	return string(b)
}

// MapJSON writes a source partition or offset; null for nil.
func MapJSON(m *data.Map) (json.RawMessage, error) {
	if m == nil {
		return json.RawMessage("null"), nil
	}
	if err := connectors.ValidateOffset(data.MapValue(m)); err != nil {
		return nil, err
	}
	entries := slices.SortedFunc(slices.Values(m.Entries()), func(a, b data.Entry) int { return strings.Compare(a.Key.Str(), b.Key.Str()) })
	out, null, err := plainJSON().FromConnectData(nil, "", nil, data.SchemaAndValue{Value: data.MapValue(data.MapOf(entries))})
	if err != nil || null {
		return json.RawMessage("null"), err
	}
	return out, nil
}

// ParseMapJSON reads a source partition or offset: integers become INT64, fractions FLOAT64. null is nil.
func ParseMapJSON(b []byte) (*data.Map, error) {
	if b = bytes.TrimSpace(b); len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	v, err := plainJSON().ToConnectData("", nil, b)
	if err != nil {
		return nil, err
	}
	if v.Value.Type() != data.TypeMap {
		return nil, fmt.Errorf("want a JSON object (got %s)", v.Value.Type())
	}
	return v.Value.Map(), nil
}
