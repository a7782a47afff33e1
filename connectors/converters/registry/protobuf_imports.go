package registry

// protoImports are files that schemas import without a reference: those of google.type and of Confluent's types and
// notes. The types of google.protobuf come with the compiler.
var protoImports = map[string]string{
	"google/type/date.proto": `syntax = "proto3";
package google.type;
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
`,
	"google/type/timeofday.proto": `syntax = "proto3";
package google.type;
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
`,
	"confluent/type/decimal.proto": `syntax = "proto3";
package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
`,
	"confluent/meta.proto": `syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
`,
}

// metaNumber is the number of Confluent's notes among options, metaParams that of the parameters in them.
const (
	metaNumber = 1088
	metaParams = 2
)

// Parameters of schemas and notes of fields, by Confluent's names.
const (
	protoTag         = "io.confluent.connect.protobuf.Tag"
	protoUnion       = "io.confluent.connect.protobuf.Union."
	protoEnum        = "io.confluent.connect.protobuf.Enum"
	protoIntegerKind = "io.confluent.connect.protobuf.Type"
	protoConnectType = "connect.type"
	protoScale       = "scale"
	protoPrecision   = "precision"
)

// wrapperNames are the messages of google.protobuf that hold one primitive value.
var wrapperNames = map[string]bool{
	"google.protobuf.DoubleValue": true, "google.protobuf.FloatValue": true, "google.protobuf.Int64Value": true, "google.protobuf.UInt64Value": true,
	"google.protobuf.Int32Value": true, "google.protobuf.UInt32Value": true, "google.protobuf.BoolValue": true, "google.protobuf.StringValue": true,
	"google.protobuf.BytesValue": true,
}
