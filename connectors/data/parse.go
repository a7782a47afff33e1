package data

import (
	"math"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// maxNesting bounds arrays in maps in arrays: deeper ones are read as text.
const maxNesting = 200

var (
	isoDate      = jtext.MustDateFormat("yyyy-MM-dd")
	isoTime      = jtext.MustDateFormat("HH:mm:ss.SSS'Z'")
	isoTimestamp = jtext.MustDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
)

// ParseString is Kafka's Values.parseString: it guesses the type of a text. null, true, false, numbers by the narrowest type
// that holds them, ISO dates and times, arrays [a,b] and maps {k:v}; everything else is a STRING.
func ParseString(s string) SchemaAndValue {
	if s == "" {
		return SchemaAndValue{Schema: StringSchema, Value: StringValue(s)}
	}
	p := &valueParser{tokens: tokenizer{text: s}}
	v, err := p.parse(false)
	if err != nil {
		return SchemaAndValue{Schema: StringSchema, Value: StringValue(s)}
	}
	return v
}

type valueParser struct {
	tokens tokenizer
	depth  int
}

// parse reads one value. At the top, what is nothing else is the whole text as a string; within an array or map it is an error.
func (p *valueParser) parse(embedded bool) (SchemaAndValue, error) {
	t := &p.tokens
	if !t.hasNext() {
		return SchemaAndValue{}, nil
	}
	if embedded && t.consume(`"`) {
		return p.quoted(), nil
	}
	for _, literal := range literals {
		if p.literal(embedded, literal.text) {
			return literal.value, nil
		}
	}
	start := t.mark()
	v, found, err := p.collection()
	if found && err == nil {
		return v, nil
	}
	t.rewind(start)
	return p.scalar(embedded)
}

var literals = []struct {
	text  string
	value SchemaAndValue
}{
	{"null", SchemaAndValue{}},
	{"true", SchemaAndValue{Schema: BooleanSchema, Value: BooleanValue(true)}},
	{"false", SchemaAndValue{Schema: BooleanSchema, Value: BooleanValue(false)}},
}

// literal reads a word; at the top only if nothing follows.
func (p *valueParser) literal(embedded bool, word string) bool {
	start := p.tokens.mark()
	if p.tokens.consume(word) && (embedded || !p.tokens.hasNext()) {
		return true
	}
	p.tokens.rewind(start)
	return false
}

func (p *valueParser) quoted() SchemaAndValue {
	var b strings.Builder
	for p.tokens.hasNext() && !p.tokens.consume(`"`) {
		b.WriteString(p.tokens.next())
	}
	if v, ok := parseTemporal(b.String()); ok {
		return v
	}
	return SchemaAndValue{Schema: StringSchema, Value: StringValue(b.String())}
}

func (p *valueParser) collection() (v SchemaAndValue, found bool, err error) {
	if p.depth++; p.depth > maxNesting {
		return v, false, nil
	}
	defer func() { p.depth-- }()
	switch {
	case p.tokens.consume("["):
		v, err = p.array()
		return v, true, err
	case p.tokens.consume("{"):
		v, err = p.mapping()
		return v, true, err
	}
	return v, false, nil
}

func (p *valueParser) array() (SchemaAndValue, error) {
	t := &p.tokens
	var elements []Value
	var common merger
	for t.hasNext() {
		if t.consume("]") {
			return finishArray(elements, common.schema)
		}
		if t.consume(",") {
			return SchemaAndValue{}, fault.Data.New("Unable to parse an empty array element: " + t.text)
		}
		e, err := p.parse(true)
		if err != nil {
			return e, err
		}
		common.merge(e.Schema)
		elements = append(elements, e.Value)
		here := t.mark()
		if t.consume("]") {
			t.rewind(here)
		} else if !t.consume(",") {
			return SchemaAndValue{}, fault.Data.New("Array elements missing ',' delimiter")
		}
	}
	return SchemaAndValue{}, fault.Data.New("Array is missing terminating ']': " + t.text)
}

func finishArray(elements []Value, elem *Schema) (SchemaAndValue, error) {
	if elem != nil {
		if err := alignAll(elem, elements); err != nil {
			return SchemaAndValue{}, err
		}
	}
	return SchemaAndValue{Schema: NewArraySchema(elem).MustBuild(), Value: ArrayValue(elements)}, nil
}

func alignAll(schema *Schema, values []Value) error {
	for i, v := range values {
		aligned, err := convert(schema, nil, v)
		if err != nil {
			return err
		}
		values[i] = aligned
	}
	return nil
}

func (p *valueParser) mapping() (SchemaAndValue, error) {
	t := &p.tokens
	m := NewMap(0)
	var keys, values merger
	for t.hasNext() {
		if t.consume("}") {
			return finishMap(m, keys.schema, values.schema)
		}
		if t.consume(",") {
			return SchemaAndValue{}, fault.Data.New("Unable to parse a map entry with no key or value: " + t.text)
		}
		key, err := p.parse(true)
		if err != nil {
			return key, err
		}
		if key.Value.IsNull() {
			return key, fault.Data.New("Map entry may not have a null key: " + t.text)
		}
		if !t.consume(":") {
			return key, fault.Data.Errorf("Map entry is missing ':' at %d in %s", t.pos, t.text)
		}
		value, err := p.parse(true)
		if err != nil {
			return value, err
		}
		m.PutKey(key.Value, value.Value)
		t.consume(",")
		keys.merge(key.Schema)
		values.merge(value.Schema)
	}
	return SchemaAndValue{}, fault.Data.New("Map is missing terminating '}': " + t.text)
}

func finishMap(m *Map, key, value *Schema) (SchemaAndValue, error) {
	if key == nil {
		return SchemaAndValue{Schema: NewMapSchema(nil, nil).MustBuild(), Value: MapValue(m)}, nil
	}
	out := NewMap(m.Len())
	for _, e := range m.entries {
		k, err := convert(key, nil, e.Key)
		if err != nil {
			return SchemaAndValue{}, err
		}
		v := e.Value
		if value != nil {
			if v, err = convert(value, nil, v); err != nil {
				return SchemaAndValue{}, err
			}
		}
		out.PutKey(k, v)
	}
	return SchemaAndValue{Schema: NewMapSchema(key, value).MustBuild(), Value: MapValue(out)}, nil
}

func (p *valueParser) scalar(embedded bool) (SchemaAndValue, error) {
	t := &p.tokens
	token := trim(t.next())
	if token == "" {
		return SchemaAndValue{Schema: StringSchema, Value: StringValue(t.text)}, nil
	}
	digit := token[0] >= '0' && token[0] <= '9'
	if digit {
		here := t.mark()
		if rest, ok := t.nextN(4); ok {
			if v, ok := parseTemporal(token + rest); ok {
				return v, nil
			}
		}
		t.rewind(here)
		if v, ok := parseTemporal(token); ok {
			return v, nil
		}
	}
	if digit || token[0] == '+' || token[0] == '-' {
		if v, ok := parseNumber(token); ok {
			return v, nil
		}
	}
	if embedded {
		return SchemaAndValue{}, fault.Data.New("Failed to parse embedded value")
	}
	return SchemaAndValue{Schema: StringSchema, Value: StringValue(t.text)}, nil
}

func parseTemporal(token string) (SchemaAndValue, bool) {
	token = strings.ReplaceAll(token, `\:`, ":")
	var format *jtext.DateFormat
	var schema *Schema
	switch len(token) {
	case len("HH:mm:ss.SSSZ"):
		format, schema = isoTime, TimeSchema
	case len("yyyy-MM-ddTHH:mm:ss.SSSZ"):
		format, schema = isoTimestamp, TimestampSchema
	case len("yyyy-MM-dd"):
		format, schema = isoDate, DateSchema
	default:
		return SchemaAndValue{}, false
	}
	ms, err := format.Parse(token)
	if err != nil {
		return SchemaAndValue{}, false
	}
	return SchemaAndValue{Schema: schema, Value: DateValue(ms)}, true
}

func parseNumber(token string) (SchemaAndValue, bool) {
	d, err := ParseDecimal(token)
	if err != nil {
		return SchemaAndValue{}, false
	}
	if d.IsInteger() && d.Precision()-d.Scale() <= 19 {
		if i := d.Integer(); i.IsInt64() {
			return narrowest(i.Int64()), true
		}
	}
	if f := d.Float32(); !math.IsInf(float64(f), 0) && d.Scale() != 0 {
		return SchemaAndValue{Schema: Float32Schema, Value: Float32Value(f)}, true
	}
	if f := d.Float64(); !math.IsInf(f, 0) && d.Scale() != 0 {
		return SchemaAndValue{Schema: Float64Schema, Value: Float64Value(f)}, true
	}
	return SchemaAndValue{Schema: NewDecimalSchema(d.Scale()).MustBuild(), Value: DecimalValue(d)}, true
}

func narrowest(n int64) SchemaAndValue {
	switch {
	case n >= math.MinInt8 && n <= math.MaxInt8:
		return SchemaAndValue{Schema: Int8Schema, Value: Int8Value(int8(n))}
	case n >= math.MinInt16 && n <= math.MaxInt16:
		return SchemaAndValue{Schema: Int16Schema, Value: Int16Value(int16(n))}
	case n >= math.MinInt32 && n <= math.MaxInt32:
		return SchemaAndValue{Schema: Int32Schema, Value: Int32Value(int32(n))}
	}
	return SchemaAndValue{Schema: Int64Schema, Value: Int64Value(n)}
}

// merger finds the schema that fits all elements, nil if there is none or nothing was seen.
type merger struct {
	schema *Schema
	failed bool
}

func (m *merger) merge(s *Schema) {
	switch {
	case s == nil || m.failed:
	case m.schema == nil:
		m.schema = s
	default:
		m.schema = common(m.schema, s)
		m.failed = m.schema == nil
	}
}

func common(a, b *Schema) *Schema {
	if a.typ == b.typ {
		switch {
		case a.optional == b.optional && a.optional:
			return a
		case a.optional == b.optional:
			return b
		case a.Equal(b):
			return a
		}
		return nil
	}
	if a.typ > TypeFloat64 || b.typ > TypeFloat64 {
		return nil
	}
	if a.typ > b.typ {
		return a
	}
	return b
}

// tokenizer cuts a text at delimiters that no backslash precedes.
type tokenizer struct {
	text   string
	pos    int
	ahead  string
	peeked bool
}

func (t *tokenizer) hasNext() bool { return t.peeked || t.pos < len(t.text) }

func (t *tokenizer) mark() int { return t.pos - len(t.ahead) }

func (t *tokenizer) rewind(pos int) { t.pos, t.ahead, t.peeked = pos, "", false }

func (t *tokenizer) next() string {
	if t.peeked {
		token := t.ahead
		t.ahead, t.peeked = "", false
		return token
	}
	return t.cut()
}

// nextN is the text of n tokens; if there are fewer, nothing is consumed.
func (t *tokenizer) nextN(n int) (string, bool) {
	start := t.mark()
	for range n {
		if !t.hasNext() {
			t.rewind(start)
			return "", false
		}
		t.next()
	}
	return t.text[start:t.pos], true
}

func (t *tokenizer) cut() string {
	start := t.pos
	escaped := false
	for ; t.pos < len(t.text); t.pos++ {
		switch t.text[t.pos] {
		case '\\':
			escaped = !escaped
		case ':', ',', '{', '}', '[', ']', '"':
			if !escaped {
				if t.pos == start {
					t.pos++
				}
				return t.text[start:t.pos]
			}
			escaped = false
		default:
			escaped = false
		}
	}
	return t.text[start:]
}

// consume takes the next token if it is expected, white space around it and blank tokens before it aside.
func (t *tokenizer) consume(expected string) bool {
	if !t.peeked {
		if t.pos >= len(t.text) {
			return false
		}
		t.ahead, t.peeked = t.cut(), true
	}
	for trim(t.ahead) == "" && t.pos < len(t.text) {
		t.ahead = t.cut()
	}
	if trim(t.ahead) != expected {
		return false
	}
	t.ahead, t.peeked = "", false
	return true
}

// trim is Java's String.trim.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }
