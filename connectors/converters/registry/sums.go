package registry

import (
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Unions and enumerations that are the same from Avro, JSON Schema and Protobuf, with generalized.sum.type.support.
const (
	sumParameter = converters.SumParameter
	sumEnum      = "org.apache.kafka.connect.data.Enum"
	sumPrefix    = "connect_union_"
	sumField     = "connect_union_field_"
)

// isAvroUnion tells whether structs of a schema stand for the value of one of their fields.
func isAvroUnion(s *data.Schema) bool {
	return s.Type() == data.TypeStruct && (s.Name() == unionName || converters.IsSum(s))
}

func sums() config.Key {
	return flag("generalized.sum.type.support", false, "Whether unions and enumerations have the same form from Avro, JSON Schema and Protobuf, by which one can be written as the other.")
}
