package wasmstream

import "unsafe"

// DatumType is the type of a value of Connect.
type DatumType uint8

// The types: those of schemas, then three that values have beside them: Decimal, Date (of the logical types Date, Time and
// Timestamp) and BigInteger.
const (
	TypeNull DatumType = iota
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
	TypeDecimal
	TypeDate
	TypeBigInteger

	keepCell  = 16
	patchCell = 17
)

const (
	datumHdrSize = 8
	cellSize     = 16
)

// Datum is a view of one value of Connect: a key, a value, a field, an element. It is borrowed: what it gives lies in the
// frame and is read-only, valid until the next frame. The zero Datum is null.
//
// Methods that ask for something that the value is not answer zero values: 0, "", false, a null Datum.
type Datum struct {
	p    unsafe.Pointer // the whole datum
	cell uintptr        // where the cell stands
}

// datumOf is the root of a part; nil is null.
func datumOf(part []byte) Datum {
	if part == nil {
		return Datum{}
	}
	return Datum{ptr(part), datumHdrSize}
}

func (d Datum) head() uint64 { return load64(d.p, d.cell) }
func (d Datum) bits() uint64 { return load64(d.p, d.cell+8) }

// root is the number of the schema of the whole.
func (d Datum) root() uint32 { return load32(d.p, 0) }

// Type is the value's type.
func (d Datum) Type() DatumType {
	if d.p == nil {
		return TypeNull
	}
	return DatumType(d.head())
}

// IsNull tells whether the value is null.
func (d Datum) IsNull() bool { return d.Type() == TypeNull }

// Schema is the schema of the value as a whole, or of a struct; nil where there is none. That of a field stands in the
// schema of its struct.
func (d Datum) Schema() *Schema {
	switch {
	case d.Type() == TypeStruct:
		return schemaOf(uint32(d.bits() >> 32))
	case d.p == nil || d.cell != datumHdrSize:
		return nil
	}
	return schemaOf(d.root())
}

// Int is a number of Int8 to Int64, or the milliseconds of a Date.
func (d Datum) Int() int64 {
	switch t := d.Type(); {
	case t >= TypeInt8 && t <= TypeInt64, t == TypeDate:
		return int64(d.bits())
	}
	return 0
}

// Float is the number of a Float32 or Float64, or of Int8 to Int64.
func (d Datum) Float() float64 {
	switch t := d.Type(); {
	case t == TypeFloat64:
		return float64From(d.bits())
	case t == TypeFloat32:
		return float64(float32From(uint32(d.bits())))
	case t >= TypeInt8 && t <= TypeInt64:
		return float64(int64(d.bits()))
	}
	return 0
}

// Bool is a Boolean.
func (d Datum) Bool() bool { return d.Type() == TypeBoolean && d.bits() != 0 }

// Bytes are those of Bytes or String, or the unscaled number of a Decimal or BigInteger, big-endian.
func (d Datum) Bytes() []byte {
	switch d.Type() {
	case TypeString, TypeBytes, TypeDecimal, TypeBigInteger:
		return view(unsafe.Add(d.p, uintptr(uint32(d.bits()))), uint32(d.head()>>32))
	}
	return nil
}

// Str is a String, borrowed as Bytes are.
func (d Datum) Str() string {
	if d.Type() != TypeString {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Add(d.p, uintptr(uint32(d.bits())))), int(d.head()>>32))
}

// Scale is that of a Decimal.
func (d Datum) Scale() int {
	if d.Type() != TypeDecimal {
		return 0
	}
	return int(int32(d.bits() >> 32))
}

// Len is the number of elements of an Array, entries of a Map, fields of a Struct.
func (d Datum) Len() int {
	switch d.Type() {
	case TypeArray, TypeMap, TypeStruct:
		return int(d.head() >> 32)
	}
	return 0
}

// At is element i of an Array, the value of entry i of a Map, field i of a Struct.
func (d Datum) At(i int) Datum {
	if i < 0 || i >= d.Len() {
		return Datum{}
	}
	if d.Type() == TypeMap {
		i = 2*i + 1
	}
	return d.child(i)
}

// Key is the key of entry i of a Map.
func (d Datum) Key(i int) Datum {
	if d.Type() != TypeMap || i < 0 || i >= d.Len() {
		return Datum{}
	}
	return d.child(2 * i)
}

func (d Datum) child(i int) Datum {
	return Datum{d.p, uintptr(uint32(d.bits())) + uintptr(i)*cellSize}
}

// Index is the position of the field of a Struct, or of the entry of a Map, that is called name; -1 if there is none.
func (d Datum) Index(name string) int {
	switch d.Type() {
	case TypeStruct:
		if s := d.Schema(); s != nil {
			return s.Index(name)
		}
	case TypeMap:
		return d.entry(name)
	}
	return -1
}

// entry is the position of a map's entry with a string key. Only keys of the right length are looked at.
func (d Datum) entry(name string) int {
	p, at := d.p, uintptr(uint32(d.bits()))
	want := uint64(TypeString) | uint64(len(name))<<32
	for i := range int(d.head() >> 32) {
		if load64(p, at) == want && unsafe.String((*byte)(unsafe.Add(p, load32(p, at+8))), len(name)) == name {
			return i
		}
		at += 2 * cellSize
	}
	return -1
}

// Field is the field of a Struct, or the value of a Map, that is called name; null if there is none.
func (d Datum) Field(name string) Datum { return d.At(d.Index(name)) }
