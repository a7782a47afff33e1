package data

import (
	"fmt"
	"strconv"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Names of the logical types, and the parameter of Decimal.
const (
	DecimalName    = "org.apache.kafka.connect.data.Decimal"
	DateName       = "org.apache.kafka.connect.data.Date"
	TimeName       = "org.apache.kafka.connect.data.Time"
	TimestampName  = "org.apache.kafka.connect.data.Timestamp"
	ScaleParameter = "scale"
)

// MillisPerDay is the length of a day.
const MillisPerDay = 24 * 60 * 60 * 1000

// NewDecimalSchema begins the schema of decimals with scale digits after the point: BYTES with the unscaled number.
func NewDecimalSchema(scale int) *SchemaBuilder {
	return NewSchema(TypeBytes).Name(DecimalName).Parameter(ScaleParameter, strconv.Itoa(scale)).Version(1)
}

// NewDateSchema begins the schema of days: INT32, days since the epoch.
func NewDateSchema() *SchemaBuilder { return NewSchema(TypeInt32).Name(DateName).Version(1) }

// NewTimeSchema begins the schema of times of a day: INT32, milliseconds since midnight.
func NewTimeSchema() *SchemaBuilder { return NewSchema(TypeInt32).Name(TimeName).Version(1) }

// NewTimestampSchema begins the schema of instants: INT64, milliseconds since the epoch.
func NewTimestampSchema() *SchemaBuilder { return NewSchema(TypeInt64).Name(TimestampName).Version(1) }

func noScale() error {
	return fault.Data.New("Invalid Decimal schema: scale parameter not found.")
}

func badScale(err error) error {
	return fault.Data.New("Invalid scale parameter found in Decimal schema: ").Because(err)
}

// FromLogical is the stored form of a logical value: bytes of a Decimal, INT32 of Date and Time, INT64 of Timestamp.
// Values of schemas that are not logical, and nulls, are returned as they are.
func FromLogical(s *Schema, v Value) (Value, error) {
	if s == nil || s.logical == plain || v.IsNull() {
		return v, nil
	}
	if s.logical == logicalDecimal {
		return decimalBytes(s, v)
	}
	if v.t != TypeDate {
		return v, nil
	}
	ms := v.Millis()
	switch s.logical {
	case logicalDate:
		if floorMod(ms, MillisPerDay) != 0 {
			return Null, fault.Data.New("Kafka Connect Date type should not have any time fields set to non-zero values.")
		}
		return Int32Value(int32(ms / MillisPerDay)), nil
	case logicalTime:
		if ms < 0 || ms > MillisPerDay {
			return Null, fault.Data.New("Kafka Connect Time type should not have any date fields set to non-zero values.")
		}
		return Int32Value(int32(ms)), nil
	}
	return Int64Value(ms), nil
}

func decimalBytes(s *Schema, v Value) (Value, error) {
	d := v.Decimal()
	if d == nil {
		return v, nil
	}
	scale, err := s.scale()
	if err != nil {
		return Null, err
	}
	if int(d.scale) != scale {
		return Null, fault.Data.Errorf("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", scale, d.scale)
	}
	return BytesValue(d.AppendUnscaled(nil)), nil
}

// ToLogical is the value behind a stored one. Values of schemas that are not logical, and nulls, are returned as they are.
func ToLogical(s *Schema, v Value) (Value, error) {
	if s == nil || s.logical == plain || v.IsNull() {
		return v, nil
	}
	switch s.logical {
	case logicalDecimal:
		if v.t != TypeBytes {
			return Null, notStored("Decimal", "bytes", v)
		}
		scale, err := s.scale()
		if err != nil {
			return Null, err
		}
		return DecimalValue(DecimalFromUnscaled(v.Bytes(), scale)), nil
	case logicalDate:
		if v.t != TypeInt32 {
			return Null, notStored("Date", "int32", v)
		}
		return DateValue(v.Int() * MillisPerDay), nil
	case logicalTime:
		if v.t != TypeInt32 {
			return Null, notStored("Time", "int32", v)
		}
		if v.Int() < 0 || v.Int() > MillisPerDay {
			return Null, fault.Data.New("Time values must use number of milliseconds greater than 0 and less than 86400000")
		}
		return DateValue(v.Int()), nil
	}
	if v.t != TypeInt64 {
		return Null, notStored("Timestamp", "int64", v)
	}
	return DateValue(v.Int()), nil
}

func notStored(what, as string, v Value) error {
	return fault.Data.New(fmt.Sprintf("Invalid type for %s, underlying representation should be %s but was %s", what, as, v.t))
}

func floorMod(a, b int64) int64 {
	if m := a % b; m < 0 {
		return m + b
	}
	return a % b
}
