// Package transforms are the transformations and predicates of Kafka Connect, with their names, settings, messages and
// results, and a filter and a map in CEL.
//
// They know records and settings, no runtime. With field.syntax.version=V2 every one that takes names of fields takes paths
// into nested data.
package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// side is the half of a record that a transformation works on.
type side bool

const (
	keySide   side = false
	valueSide side = true
)

// of is the schema and value of the side.
func (s side) of(r *connectors.Record) *data.SchemaAndValue {
	if s == keySide {
		return &r.Key
	}
	return &r.Value
}

// draft is what a draft says of the side.
func (s side) draft(d *connectors.Draft) *bool {
	if s == keySide {
		return &d.Key
	}
	return &d.Value
}

// requireMap is the map of a value without schema.
func requireMap(v data.Value, purpose string) (*data.Map, error) {
	if m := v.Map(); m != nil {
		return m, nil
	}
	return nil, fault.Data.New("Only Map objects supported in absence of schema for [" + purpose + "], found: " + v.Type().JavaClass())
}

// requireStruct is the struct of a value with a schema.
func requireStruct(v data.Value, purpose string) (*data.Struct, error) {
	if s := v.Struct(); s != nil {
		return s, nil
	}
	return nil, fault.Data.New("Only Struct objects supported for [" + purpose + "], found: " + v.Type().JavaClass())
}

// field reads a struct's field, its default for null if defaults says so.
func field(s *data.Struct, i int, defaults bool) data.Value {
	if defaults {
		return s.At(i)
	}
	return s.RawAt(i)
}

// closer is Close of a transformation that holds nothing.
type closer struct{}

// Close does nothing.
func (closer) Close() error { return nil }
