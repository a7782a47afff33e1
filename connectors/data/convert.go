package data

import (
	"encoding/base64"
	"math"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Convert is Kafka's Values.convertTo: the value in the type of to. from is the schema of v, nil if it is not known.
// Null gives null if to is optional, else a DataException.
func Convert(to, from *Schema, v Value) (Value, error) { return convert(to, from, v) }

// ConvertToBoolean and those that follow are Kafka's Values.convertToX; null gives null, unless said otherwise.
func ConvertToBoolean(from *Schema, v Value) (Value, error) {
	return convert(OptionalBooleanSchema, from, v)
}

// ConvertToByte gives an INT8.
func ConvertToByte(from *Schema, v Value) (Value, error) { return convert(OptionalInt8Schema, from, v) }

// ConvertToShort gives an INT16.
func ConvertToShort(from *Schema, v Value) (Value, error) {
	return convert(OptionalInt16Schema, from, v)
}

// ConvertToInteger gives an INT32.
func ConvertToInteger(from *Schema, v Value) (Value, error) {
	return convert(OptionalInt32Schema, from, v)
}

// ConvertToLong gives an INT64.
func ConvertToLong(from *Schema, v Value) (Value, error) {
	return convert(OptionalInt64Schema, from, v)
}

// ConvertToFloat gives a FLOAT32.
func ConvertToFloat(from *Schema, v Value) (Value, error) {
	return convert(OptionalFloat32Schema, from, v)
}

// ConvertToDouble gives a FLOAT64.
func ConvertToDouble(from *Schema, v Value) (Value, error) {
	return convert(OptionalFloat64Schema, from, v)
}

// ConvertToString gives a STRING.
func ConvertToString(from *Schema, v Value) (Value, error) {
	return convert(OptionalStringSchema, from, v)
}

// ConvertToList gives an ARRAY; null is a DataException.
func ConvertToList(from *Schema, v Value) (Value, error) { return convert(anyArray, from, v) }

// ConvertToMap gives a MAP; null is a DataException.
func ConvertToMap(from *Schema, v Value) (Value, error) { return convert(anyMap, from, v) }

// ConvertToStruct gives a STRUCT; null is a DataException.
func ConvertToStruct(from *Schema, v Value) (Value, error) { return convert(anyStruct, from, v) }

// ConvertToDate gives a Date; null is a DataException.
func ConvertToDate(from *Schema, v Value) (Value, error) { return convert(DateSchema, from, v) }

// ConvertToTime gives a Time; null is a DataException.
func ConvertToTime(from *Schema, v Value) (Value, error) { return convert(TimeSchema, from, v) }

// ConvertToTimestamp gives a Timestamp; null is a DataException.
func ConvertToTimestamp(from *Schema, v Value) (Value, error) {
	return convert(TimestampSchema, from, v)
}

// ConvertToDecimal gives a Decimal; null is a DataException.
func ConvertToDecimal(from *Schema, v Value, scale int) (Value, error) {
	return convert(NewDecimalSchema(scale).MustBuild(), from, v)
}

var (
	anyArray  = NewArraySchema(nil).MustBuild()
	anyMap    = NewMapSchema(nil, nil).MustBuild()
	anyStruct = NewStructSchema().MustBuild()
)

func convert(to, from *Schema, v Value) (Value, error) {
	if v.IsNull() {
		if to.optional {
			return Null, nil
		}
		return Null, fault.Data.New("Unable to convert a null value to a schema that requires a value")
	}
	switch to.logical {
	case logicalDecimal:
		return toDecimal(to, v)
	case logicalDate, logicalTime, logicalTimestamp:
		return toTemporal(to, from, v)
	}
	switch to.typ {
	case TypeBytes:
		if v.t == TypeBytes {
			return v, nil
		}
	case TypeString:
		text, err := appendValue(nil, v, false)
		return StringValue(string(text)), err
	case TypeBoolean:
		return toBoolean(from, v)
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		n, err := asLong(from, v)
		return integer(to.typ, n), err
	case TypeFloat32, TypeFloat64:
		f, err := asDouble(from, v)
		if to.typ == TypeFloat32 {
			return Float32Value(float32(f)), err
		}
		return Float64Value(f), err
	case TypeArray, TypeMap:
		if v.t == TypeString {
			v = ParseString(v.Str()).Value
		}
		if v.t == to.typ {
			return v, nil
		}
	case TypeStruct:
		if v.t == TypeStruct {
			return v, nil
		}
	}
	return Null, unable(v, to.String())
}

func unable(v Value, to string) error {
	return fault.Data.New("Unable to convert " + v.String() + " (class " + v.t.JavaClass() + ") to " + to)
}

// integer narrows n as Java's casts do.
func integer(t Type, n int64) Value {
	switch t {
	case TypeInt8:
		return Int8Value(int8(n))
	case TypeInt16:
		return Int16Value(int16(n))
	case TypeInt32:
		return Int32Value(int32(n))
	}
	return Int64Value(n)
}

func toBoolean(from *Schema, v Value) (Value, error) {
	if v.t == TypeBoolean {
		return v, nil
	}
	if v.t == TypeString {
		if p := ParseString(v.Str()).Value; p.t == TypeBoolean {
			return p, nil
		}
	}
	n, err := asLong(from, v)
	return BooleanValue(n != 0), err
}

func toDecimal(to *Schema, v Value) (Value, error) {
	switch {
	case v.t == TypeBytes:
		return ToLogical(to, v)
	case v.t == TypeDecimal:
		return v, nil
	case v.t == TypeString:
		d, err := ParseDecimal(v.Str())
		return DecimalValue(d), err
	case v.t == TypeBigInteger:
		return DecimalValue(NewDecimal(v.BigInteger(), 0)), nil
	case v.t.IsNumber():
		f, _ := asDouble(nil, v)
		d, err := DecimalFromFloat(f)
		return DecimalValue(d), err
	}
	return Null, unable(v, to.String())
}

func toTemporal(to, from *Schema, v Value) (Value, error) {
	if v.t == TypeString {
		v = ParseString(v.Str()).Value
	}
	if v.t == TypeDate {
		if from == nil || from.logical == to.logical {
			return v, nil
		}
		if out, ok := temporalFrom(to, from, v); ok {
			return out, nil
		}
	}
	n, err := asLong(from, v)
	if err != nil {
		return Null, err
	}
	if to.typ == TypeInt32 {
		return ToLogical(to, Int32Value(int32(n)))
	}
	return ToLogical(to, Int64Value(n))
}

func temporalFrom(to, from *Schema, v Value) (Value, bool) {
	switch {
	case from.logical == logicalTimestamp && to.logical == logicalDate:
		return DateValue(v.Millis() / MillisPerDay * MillisPerDay), true
	case from.logical == logicalTimestamp && to.logical == logicalTime:
		return DateValue(floorMod(v.Millis(), MillisPerDay)), true
	case from.IsLogical() && to.logical == logicalTimestamp:
		return v, true
	}
	return Null, false
}

// asLong is Number.longValue, the integral part of a decimal in a string, or the stored form of a logical value.
func asLong(from *Schema, v Value) (int64, error) {
	var cause error
	switch v.t {
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		return v.Int(), nil
	case TypeFloat32, TypeFloat64:
		return FloatToLong(v.Float()), nil
	case TypeDecimal:
		return v.Decimal().Int64(), nil
	case TypeBigInteger:
		return lowBits(v.BigInteger()), nil
	case TypeString:
		d, err := ParseDecimal(v.Str())
		if err == nil {
			return d.Int64(), nil
		}
		cause = err
	case TypeDate:
		if from.IsLogical() && from.logical != logicalDecimal {
			stored, err := FromLogical(from, v)
			return stored.Int(), err
		}
	}
	to := "a number"
	if from != nil {
		to = from.String()
	}
	err := fault.Data.New("Unable to convert " + v.String() + " (class " + v.t.JavaClass() + ") to " + to)
	err.Cause = cause
	return 0, err
}

func asDouble(from *Schema, v Value) (float64, error) {
	switch v.t {
	case TypeFloat32, TypeFloat64:
		return v.Float(), nil
	case TypeDecimal:
		return v.Decimal().Float64(), nil
	case TypeBigInteger:
		return NewDecimal(v.BigInteger(), 0).Float64(), nil
	case TypeString:
		if d, err := ParseDecimal(v.Str()); err == nil {
			return d.Float64(), nil
		}
	}
	n, err := asLong(from, v)
	return float64(n), err
}

// FloatToLong is Java's (long) of a double: what does not fit becomes the nearest that does, NaN becomes 0.
func FloatToLong(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// FloatToInt is Java's (int) of a double.
func FloatToInt(f float64) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, FloatToLong(f))))
}

// AppendString appends what Kafka's Values.convertToString makes of a value that is not null.
func AppendString(dst []byte, v Value) ([]byte, error) { return appendValue(dst, v, false) }

func appendValue(dst []byte, v Value, embedded bool) ([]byte, error) {
	switch v.t {
	case TypeString:
		if embedded {
			return appendQuoted(dst, v.Str()), nil
		}
		return append(dst, v.Str()...), nil
	case TypeBytes:
		if embedded {
			dst = append(dst, '"')
		}
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		if embedded {
			dst = append(dst, '"')
		}
		return dst, nil
	case TypeArray:
		return appendElements(dst, v.Array())
	case TypeMap:
		return appendEntries(dst, v.Map())
	case TypeStruct:
		return appendFields(dst, v.Struct())
	case TypeDate:
		return AppendDate(dst, v.Millis()), nil
	}
	return v.AppendText(dst), nil
}

func appendQuoted(dst []byte, s string) []byte {
	return append(append(append(dst, '"'), Escape(s)...), '"')
}

// Escape puts a backslash before each backslash and double quote.
func Escape(s string) string {
	if !strings.ContainsAny(s, `\"`) {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
}

func appendElements(dst []byte, elements []Value) ([]byte, error) {
	var err error
	dst = append(dst, '[')
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, e, true); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendEntries(dst []byte, m *Map) ([]byte, error) {
	var err error
	dst = append(dst, '{')
	for i, e := range m.entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, e.Key, true); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = appendValue(dst, e.Value, true); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendFields(dst []byte, s *Struct) ([]byte, error) {
	var err error
	dst = append(dst, '{')
	for i := range s.values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, s.schema.fields[i].Name), ':')
		if dst, err = appendValue(dst, s.At(i), true); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// AppendDate appends a java.util.Date as Kafka's Values does: as a time if it lies before the end of the first day of the epoch, as
// a day if it is midnight, else as a timestamp.
func AppendDate(dst []byte, ms int64) []byte {
	switch {
	case ms < MillisPerDay:
		return isoTime.Append(dst, ms)
	case ms%MillisPerDay == 0:
		return isoDate.Append(dst, ms)
	}
	return isoTimestamp.Append(dst, ms)
}

// InferSchema is Kafka's Values.inferSchema: nil where none can be told.
func InferSchema(v Value) *Schema {
	switch v.t {
	case TypeArray:
		elem, ok := inferAll(v.Array())
		if !ok {
			return nil
		}
		return NewArraySchema(elem).MustBuild()
	case TypeMap:
		keys := make([]Value, 0, v.Map().Len())
		values := make([]Value, 0, v.Map().Len())
		for _, e := range v.Map().entries {
			keys, values = append(keys, e.Key), append(values, e.Value)
		}
		k, okKey := inferAll(keys)
		e, okValue := inferAll(values)
		if !okKey || !okValue {
			return nil
		}
		return NewMapSchema(k, e).MustBuild()
	case TypeStruct:
		return v.Struct().schema
	}
	if v.t.IsPrimitive() {
		return Primitive(v.t, false)
	}
	return nil
}

// inferAll is the schema of all values: theirs if they are of one type, optional if some are null.
func inferAll(values []Value) (*Schema, bool) {
	var schema *Schema
	optional := false
	for _, v := range values {
		if v.IsNull() {
			optional = true
			continue
		}
		s := InferSchema(v)
		if s == nil || schema != nil && s.typ != schema.typ {
			return nil, false
		}
		schema = s
	}
	if schema == nil {
		return nil, false
	}
	if optional && schema.typ.IsPrimitive() {
		schema = Primitive(schema.typ, true)
	}
	return schema, true
}
