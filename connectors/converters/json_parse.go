package converters

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/wasmstream/wasmstream/connectors/data"
)

// maxDepth is how deep JSON may nest, as in Jackson.
const maxDepth = 1000

// jsonParser reads JSON from bytes into values. It takes what Jackson takes with Kafka's settings: numbers with leading zeros,
// and anything behind the first value. Strings without escapes refer to the bytes.
type jsonParser struct {
	b     []byte
	pos   int
	depth int
	slab  *data.Slab
	// dialect is that of JSONOf; scanned counts the bytes that were looked at to choose among the types of a union.
	dialect bool
	scanned int
	// stacks for what is not finished yet
	entries []data.Entry
	values  []data.Value
}

func (p *jsonParser) reset(b []byte, slab *data.Slab) {
	p.b, p.pos, p.depth, p.slab, p.scanned = b, 0, 0, slab, 0
	p.entries, p.values = p.entries[:0], p.values[:0]
}

func (p *jsonParser) fail(what string) error {
	return fmt.Errorf("%s at byte %d", what, p.pos)
}

// next is the first byte of the next token, 0 at the end. It is not consumed.
func (p *jsonParser) next() byte {
	for p.pos < len(p.b) {
		switch c := p.b[p.pos]; c {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

var errEnd = errors.New("unexpected end of JSON")

// value reads any value as data without schema: integers are INT64, other numbers FLOAT64.
func (p *jsonParser) value() (data.Value, error) {
	switch c := p.next(); {
	case c == '"':
		s, err := p.string()
		return data.StringValue(s), err
	case c == '{':
		return p.object(nil, false)
	case c == '[':
		return p.array(nil, false)
	case c == 't':
		return data.BooleanValue(true), p.word("true")
	case c == 'f':
		return data.BooleanValue(false), p.word("false")
	case c == 'n':
		return data.Null, p.word("null")
	case c == '-' || c >= '0' && c <= '9':
		return p.plainNumber()
	case c == 0 && p.pos >= len(p.b):
		return data.Null, errEnd
	}
	return data.Null, p.fail("unexpected character '" + string(rune(p.b[p.pos])) + "'")
}

func (p *jsonParser) word(w string) error {
	if len(p.b)-p.pos < len(w) || string(p.b[p.pos:p.pos+len(w)]) != w {
		return p.fail("unrecognized token")
	}
	p.pos += len(w)
	if p.pos < len(p.b) && isWordByte(p.b[p.pos]) {
		return p.fail("unrecognized token")
	}
	return nil
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

func (p *jsonParser) enter() error {
	p.pos++
	if p.depth++; p.depth > maxDepth {
		return p.fail("document nesting depth exceeds " + strconv.Itoa(maxDepth))
	}
	return nil
}

// more tells whether an element follows; if not, the closing byte is consumed. first says that none was read yet.
func (p *jsonParser) more(closing byte, first bool) (bool, error) {
	c := p.next()
	switch {
	case c == closing:
		p.pos++
		p.depth--
		return false, nil
	case c == 0 && p.pos >= len(p.b):
		return false, errEnd
	case first:
		return true, nil
	case c == ',':
		p.pos++
		return true, nil
	}
	return false, p.fail("expected ',' or '" + string(rune(closing)) + "'")
}

// key reads a name and the colon behind it.
func (p *jsonParser) key() (string, error) {
	if p.next() != '"' {
		return "", p.fail("expected a name in double quotes")
	}
	s, err := p.string()
	if err != nil {
		return "", err
	}
	if p.next() != ':' {
		return "", p.fail("expected ':'")
	}
	p.pos++
	return s, nil
}

// object reads a map whose values have the schema elem.
func (p *jsonParser) object(elem *data.Schema, defaults bool) (data.Value, error) {
	if err := p.enter(); err != nil {
		return data.Null, err
	}
	base := len(p.entries)
	var seen uint64 // marks of names
	for first := true; ; first = false {
		more, err := p.more('}', first)
		if err != nil {
			return data.Null, err
		}
		if !more {
			break
		}
		k, err := p.key()
		if err != nil {
			return data.Null, err
		}
		v, err := p.typed(elem, defaults)
		if err != nil {
			return data.Null, err
		}
		mark := markOf(k)
		p.putEntry(base, k, v, seen&mark != 0)
		seen |= mark
	}
	if len(p.entries)-base > linearKeys {
		p.dedupe(base)
	}
	m := p.slab.Map(p.entries[base:], 0)
	p.entries = p.entries[:base]
	m.Index()
	return data.MapValue(m), nil
}

// linearKeys is how many names are compared one by one to find one that comes twice.
const linearKeys = 32

// markOf is one of 64 bits. Names of different marks are different.
func markOf(name string) uint64 {
	n := uint(len(name))
	if n == 0 {
		return 1
	}
	return 1 << ((uint(name[0])*5 + uint(name[n-1])*11 + n*3) % 64)
}

// putEntry adds an entry; of a name that comes twice, which it may only if maybe says so, the last value counts. Beyond
// linearKeys dedupe sees to that.
func (p *jsonParser) putEntry(base int, k string, v data.Value, maybe bool) {
	if maybe && len(p.entries)-base <= linearKeys {
		for i := base; i < len(p.entries); i++ {
			if p.entries[i].Key.Str() == k {
				p.entries[i].Value = v
				return
			}
		}
	}
	p.entries = append(p.entries, data.Entry{Key: data.StringValue(k), Value: v})
}

// dedupe keeps each name of a large object once, with its last value.
func (p *jsonParser) dedupe(base int) {
	at := make(map[string]int, len(p.entries)-base)
	kept := p.entries[:base]
	for _, e := range p.entries[base:] {
		if i, ok := at[e.Key.Str()]; ok {
			kept[i].Value = e.Value
			continue
		}
		at[e.Key.Str()] = len(kept)
		kept = append(kept, e)
	}
	p.entries = kept
}

// array reads an array whose elements have the schema elem.
func (p *jsonParser) array(elem *data.Schema, defaults bool) (data.Value, error) {
	if err := p.enter(); err != nil {
		return data.Null, err
	}
	base := len(p.values)
	for first := true; ; first = false {
		more, err := p.more(']', first)
		if err != nil {
			return data.Null, err
		}
		if !more {
			break
		}
		v, err := p.typed(elem, defaults)
		if err != nil {
			return data.Null, err
		}
		p.values = append(p.values, v)
	}
	v := p.slab.Array(p.values[base:])
	p.values = p.values[:base]
	return v, nil
}

// skip passes over a value.
func (p *jsonParser) skip() error {
	switch c := p.next(); c {
	case '{', '[':
		return p.skipAll(c)
	case '"':
		_, err := p.string()
		return err
	case 't', 'f', 'n':
		_, err := p.value()
		return err
	}
	_, _, err := p.number()
	return err
}

func (p *jsonParser) skipAll(opening byte) error {
	if err := p.enter(); err != nil {
		return err
	}
	closing := opening + 2 // ] of [ and } of {
	for first := true; ; first = false {
		more, err := p.more(closing, first)
		if err != nil || !more {
			return err
		}
		if opening == '{' {
			if _, err := p.key(); err != nil {
				return err
			}
		}
		if err := p.skip(); err != nil {
			return err
		}
	}
}

// number reads a number's text, and whether it is an integer.
func (p *jsonParser) number() (text string, integer bool, err error) {
	start := p.pos
	if p.pos < len(p.b) && p.b[p.pos] == '-' {
		p.pos++
	}
	if !p.digits() {
		return "", false, p.fail("no number")
	}
	integer = true
	if p.pos < len(p.b) && p.b[p.pos] == '.' {
		p.pos++
		integer = false
		if !p.digits() {
			return "", false, p.fail("no digit after the decimal point")
		}
	}
	if p.pos < len(p.b) && p.b[p.pos]|0x20 == 'e' {
		p.pos++
		integer = false
		if p.pos < len(p.b) && (p.b[p.pos] == '-' || p.b[p.pos] == '+') {
			p.pos++
		}
		if !p.digits() {
			return "", false, p.fail("no digit in the exponent")
		}
	}
	if p.pos < len(p.b) && isWordByte(p.b[p.pos]) {
		return "", false, p.fail("unexpected character in a number")
	}
	return unsafeString(p.b[start:p.pos]), integer, nil
}

func (p *jsonParser) digits() bool {
	rest := p.b[p.pos:]
	n := 0
	for n < len(rest) && rest[n]-'0' <= 9 {
		n++
	}
	p.pos += n
	return n > 0
}

func (p *jsonParser) plainNumber() (data.Value, error) {
	text, integer, err := p.number()
	if err != nil {
		return data.Null, err
	}
	if integer {
		if len(text) <= safeDigits {
			return data.Int64Value(shortInt(text)), nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return data.Null, p.fail("the integer " + clip(text) + " does not fit 64 bits")
		}
		return data.Int64Value(n), nil
	}
	return data.Float64Value(parseFloat(text, 64)), nil
}

// safeDigits is how many digits, or digits and a sign, fit 64 bits whatever they are.
const safeDigits = 18

// shortInt reads an integer of at most safeDigits digits.
func shortInt(text string) int64 {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	var n int64
	for i := range len(text) {
		n = n*10 + int64(text[i]-'0')
	}
	if negative {
		return -n
	}
	return n
}

// parseFloat is what Java makes of the number: what is too large is infinite.
func parseFloat(text string, bits int) float64 {
	f, _ := strconv.ParseFloat(text, bits)
	return f
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// string reads a string; the opening quote is the next byte.
func (p *jsonParser) string() (string, error) {
	p.pos++
	start := p.pos
	rest := p.b[start:]
	ascii := true
	for n, c := range rest {
		if plainByte[c] {
			continue
		}
		p.pos = start + n
		switch {
		case c == '"':
			p.pos++
			if !ascii && !utf8.Valid(rest[:n]) {
				return "", p.fail("invalid UTF-8")
			}
			return unsafeString(rest[:n]), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("control character in a string")
		}
		ascii = false
	}
	p.pos = len(p.b)
	return "", errEnd
}

// plainByte is what may stand in a string of ASCII without an escape.
var plainByte = func() (plain [256]bool) {
	for c := byte(0x20); c < 0x80; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// escaped reads the rest of a string that has an escape at the current byte.
func (p *jsonParser) escaped(start int) (string, error) {
	out := append(make([]byte, 0, p.pos-start+32), p.b[start:p.pos]...)
	for p.pos < len(p.b) {
		c := p.b[p.pos]
		p.pos++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return "", p.fail("invalid UTF-8")
			}
			return string(out), nil
		case c < 0x20:
			return "", p.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			continue
		}
		var err error
		if out, err = p.escape(out); err != nil {
			return "", err
		}
	}
	return "", errEnd
}

func (p *jsonParser) escape(out []byte) ([]byte, error) {
	if p.pos >= len(p.b) {
		return out, errEnd
	}
	c := p.b[p.pos]
	p.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		return p.unicode(out)
	}
	return out, p.fail("unrecognized escape")
}

func (p *jsonParser) unicode(out []byte) ([]byte, error) {
	r, err := p.hex4()
	if err != nil {
		return out, err
	}
	if utf16.IsSurrogate(r) {
		if p.pos+1 < len(p.b) && p.b[p.pos] == '\\' && p.b[p.pos+1] == 'u' {
			back := p.pos
			p.pos += 2
			low, err := p.hex4()
			if err != nil {
				return out, err
			}
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return utf8.AppendRune(out, both), nil
			}
			p.pos = back
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(out, r), nil
}

func (p *jsonParser) hex4() (rune, error) {
	if len(p.b)-p.pos < 4 {
		return 0, errEnd
	}
	n, err := strconv.ParseUint(unsafeString(p.b[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, p.fail("expected four hexadecimal digits")
	}
	p.pos += 4
	return rune(n), nil
}

func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// envelope finds schema and payload of an object that has these two members and no other.
func (p *jsonParser) envelope() (schema, payload []byte, ok bool, err error) {
	if p.next() != '{' {
		if p.pos < len(p.b) {
			_, err = p.value()
		}
		return nil, nil, false, err
	}
	if err := p.enter(); err != nil {
		return nil, nil, false, err
	}
	ok = true
	for first := true; ; first = false {
		more, err := p.more('}', first)
		if err != nil {
			return nil, nil, false, err
		}
		if !more {
			return schema, payload, ok && schema != nil && payload != nil, nil
		}
		k, err := p.key()
		if err != nil {
			return nil, nil, false, err
		}
		p.next()
		start := p.pos
		if err := p.skip(); err != nil {
			return nil, nil, false, err
		}
		switch k {
		case "schema":
			schema = p.b[start:p.pos]
		case "payload":
			payload = p.b[start:p.pos]
		default:
			ok = false
		}
	}
}
