// mapValues over JSON as a guest in Go:
//
//	enrich  adds the field total = round(amount * 119) / 100, makes the field type upper case, drops the field agent
//	copy    lets every record pass by reference
//	upper   makes the ASCII letters of any value upper case
//
// enrich changes no other byte of the value. A value that is not a JSON object, or whose type is not a string, is an
// error of its record.
package main

import (
	"errors"
	"math"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
	"github.com/wasmstream/wasmstream/guest-sdk/go/json"
)

func init() {
	wasmstream.Module("mapvalues", "1.0.0")
	wasmstream.MapValues("enrich", enrich, wasmstream.Description("adds total, upper-cases type, drops agent"))
	wasmstream.MapValues("copy", func(value []byte) []byte { return value }, wasmstream.Wants(),
		wasmstream.Description("lets every record pass by reference"))
	wasmstream.MapValues("upper", upper, wasmstream.Description("makes ASCII letters upper case"))
}

func main() {}

var (
	event  json.Doc
	amount = event.Field("amount")
	kind   = event.Field("type")
	agent  = event.Field("agent")
	total  = event.Field("total")

	scratch []byte
)

var (
	errNoObject = errors.New("the value is not a JSON object")
	errNoType   = errors.New("the field type is not a string")
)

func enrich(value []byte) ([]byte, error) {
	if event.Parse(value) != nil || !event.IsObject() {
		return nil, errNoObject
	}
	if event.Kind(kind) != json.String {
		return nil, errNoType
	}
	x, _ := event.Float(amount)
	event.SetFloat(total, float64(round(x*119))/100)
	event.SetRaw(kind, upperString(event.Raw(kind)))
	event.Remove(agent)
	return event.Bytes()
}

// round is Java's Math.round: to the nearest whole number, halves up, as far as 64 bits reach.
func round(x float64) int64 {
	down := math.Floor(x)
	if x-down >= 0.5 {
		down++
	}
	switch {
	case down >= math.MaxInt64:
		return math.MaxInt64
	case down <= math.MinInt64:
		return math.MinInt64
	}
	return int64(down)
}

// upper makes ASCII letters upper case.
func upper(value []byte) []byte {
	if value == nil {
		return nil
	}
	out := room(len(value))
	for i, c := range value {
		out[i] = upperLetter(c)
	}
	return out
}

func upperLetter(c byte) byte {
	if c-'a' < 26 {
		c -= 'a' - 'A'
	}
	return c
}

// room is scratch space for n bytes, used again by the next call.
func room(n int) []byte {
	if cap(scratch) < n {
		scratch = make([]byte, n+n/2)
	}
	return scratch[:n]
}

// upperString is the JSON string raw, quotes included, in upper case. Escapes stay, but for those of small letters.
func upperString(raw []byte) []byte {
	out := room(len(raw))
	for i := 0; i < len(raw); i++ {
		out[i] = upperLetter(raw[i])
		if raw[i] != '\\' {
			continue
		}
		i++
		out[i] = raw[i]
		if raw[i] == 'u' {
			copy(out[i+1:i+5], raw[i+1:i+5])
			// The codes of small letters are 0061 to 007a, those of the capitals two less in the third digit.
			if raw[i+1] == '0' && raw[i+2] == '0' && isSmall(raw[i+3], raw[i+4]) {
				out[i+3] -= 2
			}
			i += 4
		}
	}
	return out
}

// isSmall tells whether the hexadecimal digits are those of a small letter.
func isSmall(high, low byte) bool {
	low |= 0x20 // A and a are one; digits do not change
	return high == '6' && low != '0' || high == '7' && (low <= '9' || low == 'a')
}
