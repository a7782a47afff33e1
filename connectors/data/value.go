package data

import (
	"bytes"
	"math"
	"math/big"
	"unsafe"
)

// Value is one value of Connect: null, a number, a string, bytes, an array, a map, a struct, or the object behind a
// logical type. The zero Value is null. Strings, bytes and arrays are referred to, not copied.
//
// p points at what Go's collector knows: string or slice data, *Map, *StructValue, *Decimal, *big.Int; n is a number, the
// length of a string, slice, or milliseconds. As in log/slog, this saves the allocation that an interface would need.
type Value struct {
	_ [0]func() // not comparable by ==
	p unsafe.Pointer
	n uint64
	t Type
}

// Null is the null value.
var Null Value

// Int8Value holds v as a java.lang.Byte.
func Int8Value(v int8) Value { return Value{t: TypeInt8, n: uint64(v)} }

// Int16Value holds v as a java.lang.Short.
func Int16Value(v int16) Value { return Value{t: TypeInt16, n: uint64(v)} }

// Int32Value holds v as a java.lang.Integer.
func Int32Value(v int32) Value { return Value{t: TypeInt32, n: uint64(v)} }

// Int64Value holds v as a java.lang.Long.
func Int64Value(v int64) Value { return Value{t: TypeInt64, n: uint64(v)} }

// Float32Value holds v as a java.lang.Float.
func Float32Value(v float32) Value { return Value{t: TypeFloat32, n: uint64(math.Float32bits(v))} }

// Float64Value holds v as a java.lang.Double.
func Float64Value(v float64) Value { return Value{t: TypeFloat64, n: math.Float64bits(v)} }

// Float32Bits holds the number of these IEEE 754 bits, Float64Bits the same; Bits gives them back, also those of a NaN.
func Float32Bits(bits uint32) Value { return Value{t: TypeFloat32, n: uint64(bits)} }

// Float64Bits is Float32Bits for a java.lang.Double.
func Float64Bits(bits uint64) Value { return Value{t: TypeFloat64, n: bits} }

// Bits are the 64 bits of a number, a boolean or a Date.
func (v Value) Bits() uint64 { return v.n }

// BooleanValue holds v.
func BooleanValue(v bool) Value {
	if v {
		return Value{t: TypeBoolean, n: 1}
	}
	return Value{t: TypeBoolean}
}

// StringValue refers to s.
func StringValue(s string) Value {
	return Value{t: TypeString, p: unsafe.Pointer(unsafe.StringData(s)), n: uint64(len(s))}
}

// BytesValue refers to b, which must not change afterwards. A nil slice is empty bytes, not null.
func BytesValue(b []byte) Value {
	return Value{t: TypeBytes, p: unsafe.Pointer(unsafe.SliceData(b)), n: uint64(len(b))}
}

// ArrayValue refers to elements, which must not change afterwards.
func ArrayValue(elements []Value) Value {
	return Value{t: TypeArray, p: unsafe.Pointer(unsafe.SliceData(elements)), n: uint64(len(elements))}
}

// MapValue refers to m; nil is null.
func MapValue(m *Map) Value {
	if m == nil {
		return Null
	}
	return Value{t: TypeMap, p: unsafe.Pointer(m)}
}

// StructValue refers to s; nil is null.
func StructValue(s *Struct) Value {
	if s == nil {
		return Null
	}
	return Value{t: TypeStruct, p: unsafe.Pointer(s)}
}

// DecimalValue refers to d; nil is null.
func DecimalValue(d *Decimal) Value {
	if d == nil {
		return Null
	}
	return Value{t: TypeDecimal, p: unsafe.Pointer(d)}
}

// DateValue is a java.util.Date of ms milliseconds since the epoch.
func DateValue(ms int64) Value { return Value{t: TypeDate, n: uint64(ms)} }

// BigIntegerValue refers to i; nil is null.
func BigIntegerValue(i *big.Int) Value {
	if i == nil {
		return Null
	}
	return Value{t: TypeBigInteger, p: unsafe.Pointer(i)}
}

// Type says what v holds.
func (v Value) Type() Type { return v.t }

// IsNull tells whether v is null.
func (v Value) IsNull() bool { return v.t == TypeNull }

// Int is the number of an INT8, INT16, INT32 or INT64.
func (v Value) Int() int64 { return int64(v.n) }

// Millis is the time of a Date.
func (v Value) Millis() int64 { return int64(v.n) }

// Float is the number of a FLOAT32 or FLOAT64.
func (v Value) Float() float64 {
	if v.t == TypeFloat32 {
		return float64(math.Float32frombits(uint32(v.n)))
	}
	return math.Float64frombits(v.n)
}

// Bool is the value of a BOOLEAN.
func (v Value) Bool() bool { return v.n != 0 }

// Str is the text of a STRING, "" of anything else.
func (v Value) Str() string {
	if v.t != TypeString {
		return ""
	}
	return unsafe.String((*byte)(v.p), int(v.n))
}

// Bytes are those of BYTES, nil of anything else. They are not to be changed.
func (v Value) Bytes() []byte {
	if v.t != TypeBytes {
		return nil
	}
	return unsafe.Slice((*byte)(v.p), int(v.n))
}

// Array are the elements of an ARRAY, nil of anything else. They are not to be changed.
func (v Value) Array() []Value {
	if v.t != TypeArray {
		return nil
	}
	return unsafe.Slice((*Value)(v.p), int(v.n))
}

// Map is that of a MAP, nil of anything else.
func (v Value) Map() *Map {
	if v.t != TypeMap {
		return nil
	}
	return (*Map)(v.p)
}

// Struct is that of a STRUCT, nil of anything else.
func (v Value) Struct() *Struct {
	if v.t != TypeStruct {
		return nil
	}
	return (*Struct)(v.p)
}

// Decimal is that of a Decimal, nil of anything else.
func (v Value) Decimal() *Decimal {
	if v.t != TypeDecimal {
		return nil
	}
	return (*Decimal)(v.p)
}

// BigInteger is that of a BigInteger, nil of anything else. It is not to be changed.
func (v Value) BigInteger() *big.Int {
	if v.t != TypeBigInteger {
		return nil
	}
	return (*big.Int)(v.p)
}

// Equal is Java's equals, except that bytes are compared by content: types must agree, an Integer 1 is no Long 1.
func (v Value) Equal(w Value) bool {
	if v.t != w.t {
		return false
	}
	switch v.t {
	case TypeNull:
		return true
	case TypeString:
		return v.Str() == w.Str()
	case TypeBytes:
		return bytes.Equal(v.Bytes(), w.Bytes())
	case TypeArray:
		return equalArrays(v.Array(), w.Array())
	case TypeMap:
		return v.Map().Equal(w.Map())
	case TypeStruct:
		return v.Struct().Equal(w.Struct())
	case TypeDecimal:
		return v.Decimal().Equal(w.Decimal())
	case TypeBigInteger:
		return v.BigInteger().Cmp(w.BigInteger()) == 0
	}
	return v.n == w.n
}

func equalArrays(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// SchemaAndValue is a value with its schema; without one (nil) the value describes itself.
type SchemaAndValue struct {
	Schema *Schema
	Value  Value
}

// Equal compares schema and value.
func (s SchemaAndValue) Equal(o SchemaAndValue) bool {
	return s.Schema.Equal(o.Schema) && s.Value.Equal(o.Value)
}
