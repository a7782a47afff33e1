package data

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// maxExponent bounds the exponents that are read: 1e1000000000 is eleven bytes and a gigabyte when written out.
const maxExponent = 10_000

// Decimal is a java.math.BigDecimal: an unscaled number and the digits after its point. It is immutable.
type Decimal struct {
	unscaled big.Int
	scale    int32
}

// NewDecimal makes unscaled * 10^-scale. unscaled is copied.
func NewDecimal(unscaled *big.Int, scale int) *Decimal {
	d := &Decimal{scale: int32(scale)}
	d.unscaled.Set(unscaled)
	return d
}

// DecimalFromUnscaled reads the unscaled number from big-endian two's complement.
func DecimalFromUnscaled(b []byte, scale int) *Decimal {
	d := &Decimal{scale: int32(scale)}
	d.unscaled.SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		d.unscaled.Sub(&d.unscaled, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return d
}

// DecimalFromFloat is BigDecimal.valueOf(double): the decimal of the double's text.
func DecimalFromFloat(f float64) (*Decimal, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fault.NumberFormat.New("Infinite or NaN")
	}
	return ParseDecimal(FormatFloat(f, 64))
}

// ParseDecimal reads what new BigDecimal(String) reads; anything else is a NumberFormatException.
func ParseDecimal(s string) (*Decimal, error) {
	mantissa, exp, err := splitExponent(s)
	if err != nil {
		return nil, err
	}
	digits := strings.TrimLeft(mantissa, "+-")
	if len(mantissa)-len(digits) > 1 {
		return nil, notANumber(s)
	}
	whole, frac, _ := strings.Cut(digits, ".")
	if whole == "" && frac == "" || !allDigits(whole) || !allDigits(frac) {
		return nil, notANumber(s)
	}
	d := &Decimal{scale: int32(len(frac) - exp)}
	d.unscaled.SetString(whole+frac, 10)
	if mantissa[0] == '-' {
		d.unscaled.Neg(&d.unscaled)
	}
	return d, nil
}

func splitExponent(s string) (string, int, error) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		if s == "" {
			return "", 0, notANumber(s)
		}
		return s, 0, nil
	}
	exp, err := strconv.Atoi(s[i+1:])
	if err != nil || i == 0 || exp > maxExponent || exp < -maxExponent {
		return "", 0, notANumber(s)
	}
	return s[:i], exp, nil
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func notANumber(s string) error {
	return fault.NumberFormat.New("not a decimal number: " + strconv.Quote(clip(s)))
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// Unscaled is the unscaled number. It is not to be changed.
func (d *Decimal) Unscaled() *big.Int { return &d.unscaled }

// Scale is the number of digits after the point; negative ones are zeros before it.
func (d *Decimal) Scale() int { return int(d.scale) }

// Equal is BigDecimal.equals: 1.0 is not 1.00.
func (d *Decimal) Equal(o *Decimal) bool {
	return d.scale == o.scale && d.unscaled.Cmp(&o.unscaled) == 0
}

// AppendUnscaled appends the unscaled number in big-endian two's complement, as short as possible.
func (d *Decimal) AppendUnscaled(dst []byte) []byte { return AppendBigInt(dst, &d.unscaled) }

// AppendBigInt appends i in big-endian two's complement, as BigInteger.toByteArray.
func AppendBigInt(dst []byte, i *big.Int) []byte {
	if i.Sign() >= 0 {
		b := i.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			dst = append(dst, 0)
		}
		return append(dst, b...)
	}
	n := new(big.Int).Not(i).BitLen()/8 + 1
	mod := new(big.Int).Lsh(big.NewInt(1), uint(8*n))
	return append(dst, mod.Add(mod, i).FillBytes(make([]byte, n))...)
}

// Integer is the integral part, as BigDecimal.toBigInteger.
func (d *Decimal) Integer() *big.Int {
	out := new(big.Int)
	switch {
	case d.scale == 0:
		return out.Set(&d.unscaled)
	case d.scale < 0:
		return out.Mul(&d.unscaled, pow10(-int(d.scale)))
	}
	return out.Quo(&d.unscaled, pow10(int(d.scale)))
}

// IsInteger tells whether nothing but zeros follows the point.
func (d *Decimal) IsInteger() bool {
	if d.scale <= 0 {
		return true
	}
	return new(big.Int).Rem(&d.unscaled, pow10(int(d.scale))).Sign() == 0
}

// Int64 is BigDecimal.longValue: the low 64 bits of the integral part.
func (d *Decimal) Int64() int64 { return lowBits(d.Integer()) }

func lowBits(i *big.Int) int64 {
	var low uint64
	for n, w := range i.Bits() {
		if n*strconv.IntSize >= 64 {
			break
		}
		low |= uint64(w) << (n * strconv.IntSize)
	}
	if i.Sign() < 0 {
		return -int64(low)
	}
	return int64(low)
}

// Float64 is BigDecimal.doubleValue.
func (d *Decimal) Float64() float64 {
	f, _ := strconv.ParseFloat(d.unscaled.String()+"e"+strconv.Itoa(-int(d.scale)), 64)
	return f
}

// Float32 is BigDecimal.floatValue.
func (d *Decimal) Float32() float32 {
	f, _ := strconv.ParseFloat(d.unscaled.String()+"e"+strconv.Itoa(-int(d.scale)), 32)
	return float32(f)
}

// Precision is the number of digits of the unscaled number.
func (d *Decimal) Precision() int { return len(new(big.Int).Abs(&d.unscaled).String()) }

// String is BigDecimal.toString, which uses an exponent for what is very small or has a negative scale.
func (d *Decimal) String() string {
	digits := new(big.Int).Abs(&d.unscaled).String()
	adjusted := -int(d.scale) + len(digits) - 1
	sign := ""
	if d.unscaled.Sign() < 0 {
		sign = "-"
	}
	if d.scale >= 0 && adjusted >= -6 {
		return sign + pointed(digits, int(d.scale))
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	if adjusted == 0 {
		return sign + digits
	}
	exp := strconv.Itoa(adjusted)
	if adjusted > 0 {
		exp = "+" + exp
	}
	return sign + digits + "E" + exp
}

// PlainString is BigDecimal.toPlainString: never an exponent.
func (d *Decimal) PlainString() string {
	if d.scale < 0 {
		return d.Integer().String()
	}
	sign := ""
	if d.unscaled.Sign() < 0 {
		sign = "-"
	}
	return sign + pointed(new(big.Int).Abs(&d.unscaled).String(), int(d.scale))
}

func pointed(digits string, scale int) string {
	if scale == 0 {
		return digits
	}
	if n := scale - len(digits) + 1; n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	return digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
