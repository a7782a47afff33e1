package json

import (
	"math"
	"strconv"
	"unsafe"
)

// parseInt reads a whole number that fits.
func parseInt(raw []byte) (n int64, ok bool) {
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	var u uint64
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	for _, c := range raw {
		digit := uint64(c - '0')
		if digit > 9 || u > (limit-digit)/10 {
			return 0, false
		}
		u = 10*u + digit
	}
	if negative {
		u = -u
	}
	return int64(u), true
}

// pow10 are the powers of ten that a double holds exactly.
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
	1e21, 1e22,
}

// parseFloat reads a sound number. Up to 15 digits and a point give an exact quotient; all else is strconv's.
func parseFloat(raw []byte) float64 {
	digits := raw
	if raw[0] == '-' {
		digits = raw[1:]
	}
	if len(digits) <= 16 {
		var u uint64
		places, i := 0, 0
		for ; i < len(digits) && digits[i]-'0' < 10; i++ {
			u = 10*u + uint64(digits[i]-'0')
		}
		if i < len(digits) && digits[i] == '.' {
			for i++; i < len(digits) && digits[i]-'0' < 10; i++ {
				u = 10*u + uint64(digits[i]-'0')
				places++
			}
		}
		if i == len(digits) && u <= 1<<53 {
			x := float64(u) / pow10[places]
			if len(digits) != len(raw) {
				x = -x
			}
			return x
		}
	}
	// The only error left is that of a number out of range, and x is infinite then.
	x, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(raw), len(raw)), 64)
	return x
}

// AppendFloat appends x with the fewest digits that are read as x again, in the form of Java's Double.toString: plainly
// from 0.001 to 10^7 and with an exponent beyond, with at least one digit on both sides of the point. NaN and
// infinities, which JSON has no text for, become null.
func AppendFloat(dst []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(dst, "null"...)
	}
	if math.Signbit(x) {
		dst, x = append(dst, '-'), -x
	}
	var buf [24]byte
	// Few digits behind the point need no search: two numbers of up to 15 digits are never the same double.
	for places := 0; places <= 6 && x < 1e9; places++ {
		t := x * pow10[places]
		if n := int64(t); t == float64(n) && t/pow10[places] == x {
			digits := strconv.AppendInt(buf[:0], n, 10)
			point := len(digits) - places
			if point < 1 || point > 7 {
				return appendDigits(dst, digits, point)
			}
			dst = append(append(dst, digits[:point]...), '.')
			if places == 0 {
				return append(dst, '0')
			}
			end := len(digits) // x * 10^places may be no whole number though x has so few places
			for end > point+1 && digits[end-1] == '0' {
				end--
			}
			return append(dst, digits[point:end]...)
		}
	}
	return appendShortest(dst, buf[:0], x)
}

// appendShortest lays out what strconv writes as d.ddde±dd.
func appendShortest(dst, buf []byte, x float64) []byte {
	buf = strconv.AppendFloat(buf, x, 'e', -1, 64)
	e := len(buf) - 1
	for buf[e] != 'e' {
		e--
	}
	exponent := 0
	for _, c := range buf[e+2:] {
		exponent = 10*exponent + int(c-'0')
	}
	if buf[e+1] == '-' {
		exponent = -exponent
	}
	if e > 1 { // close the gap of the point
		copy(buf[1:], buf[2:e])
		e--
	}
	return appendDigits(dst, buf[:e], exponent+1)
}

// appendDigits appends digits with the point behind the first point of them.
func appendDigits(dst, digits []byte, point int) []byte {
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	shown := point
	if point > 7 || point < -2 {
		shown = 1
	}
	if shown <= 0 {
		dst = append(dst, "0.000"[:2-shown]...)
		dst = append(dst, digits...)
	} else {
		for i := 0; i < shown || i < len(digits); i++ {
			if i == shown {
				dst = append(dst, '.')
			}
			if i < len(digits) {
				dst = append(dst, digits[i])
			} else {
				dst = append(dst, '0')
			}
		}
		if len(digits) <= shown {
			dst = append(dst, ".0"...)
		}
	}
	if shown != point {
		dst = strconv.AppendInt(append(dst, 'E'), int64(point-1), 10)
	}
	return dst
}
