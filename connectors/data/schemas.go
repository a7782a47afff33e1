package data

// Schemas without further properties, required and optional.
var (
	Int8Schema    = NewSchema(TypeInt8).MustBuild()
	Int16Schema   = NewSchema(TypeInt16).MustBuild()
	Int32Schema   = NewSchema(TypeInt32).MustBuild()
	Int64Schema   = NewSchema(TypeInt64).MustBuild()
	Float32Schema = NewSchema(TypeFloat32).MustBuild()
	Float64Schema = NewSchema(TypeFloat64).MustBuild()
	BooleanSchema = NewSchema(TypeBoolean).MustBuild()
	StringSchema  = NewSchema(TypeString).MustBuild()
	BytesSchema   = NewSchema(TypeBytes).MustBuild()

	OptionalInt8Schema    = NewSchema(TypeInt8).Optional().MustBuild()
	OptionalInt16Schema   = NewSchema(TypeInt16).Optional().MustBuild()
	OptionalInt32Schema   = NewSchema(TypeInt32).Optional().MustBuild()
	OptionalInt64Schema   = NewSchema(TypeInt64).Optional().MustBuild()
	OptionalFloat32Schema = NewSchema(TypeFloat32).Optional().MustBuild()
	OptionalFloat64Schema = NewSchema(TypeFloat64).Optional().MustBuild()
	OptionalBooleanSchema = NewSchema(TypeBoolean).Optional().MustBuild()
	OptionalStringSchema  = NewSchema(TypeString).Optional().MustBuild()
	OptionalBytesSchema   = NewSchema(TypeBytes).Optional().MustBuild()

	// DateSchema is a day, TimeSchema a time of a day, TimestampSchema an instant: the values are of TypeDate.
	DateSchema      = NewDateSchema().MustBuild()
	TimeSchema      = NewTimeSchema().MustBuild()
	TimestampSchema = NewTimestampSchema().MustBuild()

	OptionalDateSchema      = NewDateSchema().Optional().MustBuild()
	OptionalTimeSchema      = NewTimeSchema().Optional().MustBuild()
	OptionalTimestampSchema = NewTimestampSchema().Optional().MustBuild()
)

// Primitive is the schema of a primitive type without further properties.
func Primitive(t Type, optional bool) *Schema {
	if optional {
		return [...]*Schema{
			nil, OptionalInt8Schema, OptionalInt16Schema, OptionalInt32Schema, OptionalInt64Schema, OptionalFloat32Schema,
			OptionalFloat64Schema, OptionalBooleanSchema, OptionalStringSchema, OptionalBytesSchema,
		}[t]
	}
	return [...]*Schema{
		nil, Int8Schema, Int16Schema, Int32Schema, Int64Schema, Float32Schema, Float64Schema, BooleanSchema, StringSchema,
		BytesSchema,
	}[t]
}
