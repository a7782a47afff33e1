// Package data is the data model of Connect: schemas, values, structs, maps, the logical types, and the rules by which
// Kafka turns one into another (Values, SchemaProjector).
//
// A Value is 24 bytes and holds numbers, strings, bytes and arrays without a further allocation. Schemas are immutable and
// may be shared by goroutines. Values inside a record are immutable too: who changes one makes a new one.
// The package knows nothing of records, topics, converters or configuration.
package data

// Type says what a value holds and what a schema demands. The types up to TypeStruct are Kafka's Schema.Type; those after
// it exist for values only: the Java objects behind logical types.
type Type uint8

// The types.
const (
	TypeNull Type = iota
	TypeInt8
	TypeInt16
	TypeInt32
	TypeInt64
	TypeFloat32
	TypeFloat64
	TypeBoolean
	TypeString
	TypeBytes
	TypeArray
	TypeMap
	TypeStruct
	// TypeDecimal is a java.math.BigDecimal, the value behind the logical type Decimal.
	TypeDecimal
	// TypeDate is a java.util.Date, the value behind the logical types Date, Time and Timestamp.
	TypeDate
	// TypeBigInteger is a java.math.BigInteger. No schema has it.
	TypeBigInteger
)

var typeNames = [...]string{
	"NULL", "INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING", "BYTES", "ARRAY", "MAP", "STRUCT",
	"DECIMAL", "DATE", "BIGINTEGER",
}

var javaClasses = [...]string{
	"null", "java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long", "java.lang.Float", "java.lang.Double",
	"java.lang.Boolean", "java.lang.String", "[B", "java.util.ArrayList", "java.util.HashMap",
	"org.apache.kafka.connect.data.Struct", "java.math.BigDecimal", "java.util.Date", "java.math.BigInteger",
}

// String is Kafka's name, as INT8.
func (t Type) String() string { return typeNames[t] }

// JavaClass is the Java class of such a value, as it stands in Kafka's messages.
func (t Type) JavaClass() string { return javaClasses[t] }

// IsPrimitive tells whether a schema of this type has no schemas inside.
func (t Type) IsPrimitive() bool { return t >= TypeInt8 && t <= TypeBytes }

// IsNumber tells whether a value of this type is a java.lang.Number.
func (t Type) IsNumber() bool {
	return t >= TypeInt8 && t <= TypeFloat64 || t == TypeDecimal || t == TypeBigInteger
}

// TypeOf finds a schema type by Kafka's name in upper case; false if there is none.
func TypeOf(name string) (Type, bool) {
	for t := TypeInt8; t <= TypeStruct; t++ {
		if typeNames[t] == name {
			return t, true
		}
	}
	return TypeNull, false
}
