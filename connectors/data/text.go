package data

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// String is what Java's String.valueOf makes of the value; bytes are shown as text where they are UTF-8.
func (v Value) String() string { return string(v.AppendText(nil)) }

// AppendText appends what String returns.
func (v Value) AppendText(dst []byte) []byte {
	switch v.t {
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case TypeFloat32:
		return AppendFloat(dst, v.Float(), 32)
	case TypeFloat64:
		return AppendFloat(dst, v.Float(), 64)
	case TypeBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case TypeString:
		return append(dst, v.Str()...)
	case TypeBytes:
		return appendBytesText(dst, v.Bytes())
	case TypeArray:
		return appendArrayText(dst, v.Array())
	case TypeMap:
		return appendMapText(dst, v.Map())
	case TypeStruct:
		return append(dst, v.Struct().String()...)
	case TypeDecimal:
		return append(dst, v.Decimal().String()...)
	case TypeDate:
		return time.UnixMilli(v.Millis()).UTC().AppendFormat(dst, "Mon Jan 02 15:04:05 UTC 2006")
	case TypeBigInteger:
		return v.BigInteger().Append(dst, 10)
	}
	return append(dst, "null"...)
}

func appendBytesText(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	return append(append(dst, "[B@"...), strconv.Itoa(len(b))...)
}

func appendArrayText(dst []byte, elements []Value) []byte {
	dst = append(dst, '[')
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = e.AppendText(dst)
	}
	return append(dst, ']')
}

func appendMapText(dst []byte, m *Map) []byte {
	dst = append(dst, '{')
	for i, e := range m.entries {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = e.Key.AppendText(dst)
		dst = append(dst, '=')
		dst = e.Value.AppendText(dst)
	}
	return append(dst, '}')
}

// FormatFloat is Double.toString (bits 64) or Float.toString (bits 32).
func FormatFloat(f float64, bits int) string { return string(AppendFloat(nil, f, bits)) }

// AppendFloat appends what FormatFloat returns: the shortest digits that read back, at least one after the point, with an
// exponent outside of 10^-3 to 10^7.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if strings.IndexByte(string(dst[start:]), '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	text := strconv.FormatFloat(f, 'e', -1, bits)
	mantissa, exp, _ := strings.Cut(text, "e")
	dst = append(dst, mantissa...)
	if strings.IndexByte(mantissa, '.') < 0 {
		dst = append(dst, ".0"...)
	}
	n, _ := strconv.Atoi(exp)
	return strconv.AppendInt(append(dst, 'E'), int64(n), 10)
}
