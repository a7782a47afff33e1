package connectors

import (
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// ValidateOffset checks the form of a source partition or offset: null, or a map of strings to primitive values.
func ValidateOffset(v data.Value) error {
	if v.IsNull() {
		return nil
	}
	m := v.Map()
	if m == nil {
		return fault.Data.New("Offsets must be specified as a Map")
	}
	for _, e := range m.Entries() {
		if e.Key.Type() != data.TypeString {
			return fault.Data.New("Offsets may only use String keys")
		}
		switch t := e.Value.Type(); {
		case t == data.TypeNull, t.IsPrimitive():
		case t > data.TypeStruct:
			return fault.Data.New("Offsets may only contain primitive types as values, but field " + e.Key.Str() + " contains class " + t.JavaClass())
		default:
			return fault.Data.New("Offsets may only contain primitive types as values, but field " + e.Key.Str() + " contains " + t.String())
		}
	}
	return nil
}
