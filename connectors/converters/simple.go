package converters

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// plainConverter is what the converters below have in common: they are configured by nothing and work on bytes alone, so
// that each is a converter and, by asHeader, a header converter.
type plainConverter interface {
	ConfigDef() *config.Def
	configure(props config.Props) error
	from(dst []byte, v data.SchemaAndValue) ([]byte, bool, error)
	to(b []byte) (data.SchemaAndValue, error)
}

// asConverter is a plain converter for keys and values.
type asConverter struct{ plainConverter }

// Configure reads the settings.
func (c asConverter) Configure(props config.Props, _ bool) error { return c.configure(props) }

// FromConnectData writes bytes.
func (c asConverter) FromConnectData(dst []byte, _ string, _ *connectors.Headers, v data.SchemaAndValue) ([]byte, bool, error) {
	return c.from(dst, v)
}

// ToConnectData reads bytes.
func (c asConverter) ToConnectData(_ string, _ connectors.Headers, b []byte) (data.SchemaAndValue, error) {
	return c.to(b)
}

// Close does nothing.
func (asConverter) Close() error { return nil }

// asHeader is a plain converter for headers.
type asHeader struct{ plainConverter }

// Configure reads the settings.
func (c asHeader) Configure(props config.Props) error { return c.configure(props) }

// FromConnectHeader writes bytes.
func (c asHeader) FromConnectHeader(dst []byte, _, _ string, v data.SchemaAndValue) ([]byte, bool, error) {
	return c.from(dst, v)
}

// ToConnectHeader reads bytes.
func (c asHeader) ToConnectHeader(_, _ string, b []byte) (data.SchemaAndValue, error) { return c.to(b) }

// Close does nothing.
func (asHeader) Close() error { return nil }

func converterTypeKey() config.Key {
	return config.Key{Name: "converter.type", Type: config.String, Nullable: true, Importance: config.Low, Doc: "Whether it is for keys, values or headers.", Given: true}
}

// stringConverter is Kafka's StringConverter: the text of any value.
type stringConverter struct{ encoding encoding }

func (*stringConverter) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{
			Name: "converter.encoding", Type: config.String, Default: "UTF-8", Importance: config.High, Width: config.WidthMedium, Display: "Encoding",
			Doc: "The character set of the bytes.",
		},
		converterTypeKey(),
	)
}

func (c *stringConverter) configure(props config.Props) error {
	v, err := c.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	c.encoding, err = encodingOf(v.String("converter.encoding"))
	return err
}

func (c *stringConverter) from(dst []byte, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Value.IsNull() {
		return dst, true, nil
	}
	if c.encoding == utf8Encoding {
		return v.Value.AppendText(dst), false, nil
	}
	return c.encoding.encode(dst, v.Value.String()), false, nil
}

func (c *stringConverter) to(b []byte) (data.SchemaAndValue, error) {
	out := data.SchemaAndValue{Schema: data.OptionalStringSchema}
	if b == nil {
		return out, nil
	}
	out.Value = data.StringValue(c.encoding.decode(b))
	return out, nil
}

// encoding is a character set that every Java has.
type encoding int

const (
	utf8Encoding encoding = iota
	asciiEncoding
	latin1Encoding
	utf16Encoding // with a byte order mark
	utf16beEncoding
	utf16leEncoding
)

func encodingOf(name string) (encoding, error) {
	switch strings.ReplaceAll(strings.ToUpper(name), "_", "-") {
	case "UTF-8", "UTF8":
		return utf8Encoding, nil
	case "US-ASCII", "ASCII":
		return asciiEncoding, nil
	case "ISO-8859-1", "LATIN1":
		return latin1Encoding, nil
	case "UTF-16":
		return utf16Encoding, nil
	case "UTF-16BE":
		return utf16beEncoding, nil
	case "UTF-16LE":
		return utf16leEncoding, nil
	}
	return 0, config.Invalid("converter.encoding", name, "Unsupported character set; supported are UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE, UTF-16LE")
}

func (e encoding) encode(dst []byte, s string) []byte {
	limit := rune(0x7f)
	switch e {
	case latin1Encoding:
		limit = 0xff
	case asciiEncoding:
	default:
		return e.encode16(dst, s)
	}
	for _, r := range s {
		if r > limit {
			r = '?'
		}
		dst = append(dst, byte(r))
	}
	return dst
}

func (e encoding) encode16(dst []byte, s string) []byte {
	order := binary.AppendByteOrder(binary.BigEndian)
	if e == utf16leEncoding {
		order = binary.LittleEndian
	}
	if e == utf16Encoding {
		dst = append(dst, 0xfe, 0xff)
	}
	for _, unit := range utf16.Encode([]rune(s)) {
		dst = order.AppendUint16(dst, unit)
	}
	return dst
}

// decode replaces what is not of the character set by U+FFFD, as new String(bytes, charset) does.
func (e encoding) decode(b []byte) string {
	switch e {
	case utf8Encoding:
		if utf8.Valid(b) {
			return unsafeString(b)
		}
		return strings.ToValidUTF8(string(b), "\ufffd")
	case asciiEncoding, latin1Encoding:
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
			if e == asciiEncoding && c > 0x7f {
				runes[i] = utf8.RuneError
			}
		}
		return string(runes)
	}
	return e.decode16(b)
}

func (e encoding) decode16(b []byte) string {
	var order binary.ByteOrder = binary.BigEndian
	if e == utf16leEncoding {
		order = binary.LittleEndian
	}
	if e == utf16Encoding && len(b) >= 2 {
		switch order.Uint16(b) {
		case 0xfeff:
			b = b[2:]
		case 0xfffe:
			order, b = binary.LittleEndian, b[2:]
		}
	}
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	if len(b) == 1 {
		units = append(units, utf8.RuneError)
	}
	return string(utf16.Decode(units))
}

// bytesConverter is Kafka's ByteArrayConverter: bytes as they are.
type bytesConverter struct{}

func (bytesConverter) ConfigDef() *config.Def       { return config.NewDef(converterTypeKey()) }
func (bytesConverter) configure(config.Props) error { return nil }

func (bytesConverter) from(dst []byte, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Schema != nil && v.Schema.Type() != data.TypeBytes {
		return dst, false, fault.Data.New("Invalid schema type for ByteArrayConverter: " + v.Schema.Type().String())
	}
	if v.Value.IsNull() {
		return dst, true, nil
	}
	if v.Value.Type() != data.TypeBytes {
		return dst, false, fault.Data.New("ByteArrayConverter is not compatible with objects of type class " + v.Value.Type().JavaClass())
	}
	return append(dst, v.Value.Bytes()...), false, nil
}

func (bytesConverter) to(b []byte) (data.SchemaAndValue, error) {
	out := data.SchemaAndValue{Schema: data.OptionalBytesSchema}
	if b != nil {
		out.Value = data.BytesValue(b)
	}
	return out, nil
}

// numberConverter is Kafka's ShortConverter and its kin: big-endian numbers of fixed length.
type numberConverter struct {
	name string // of the type, as in messages
	typ  data.Type
}

func (numberConverter) ConfigDef() *config.Def       { return config.NewDef(converterTypeKey()) }
func (numberConverter) configure(config.Props) error { return nil }

func (c numberConverter) size() int {
	switch c.typ {
	case data.TypeInt16:
		return 2
	case data.TypeInt32, data.TypeFloat32:
		return 4
	}
	return 8
}

func (c numberConverter) from(dst []byte, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Value.IsNull() {
		return dst, true, nil
	}
	if v.Value.Type() != c.typ {
		return dst, false, fault.Data.New("Failed to serialize to " + c.name + " (was " + v.Value.Type().JavaClass() + "): ").
			Because(fault.Serialization.New("not a " + c.name))
	}
	bits := uint64(v.Value.Int())
	switch c.typ {
	case data.TypeFloat32:
		bits = uint64(math.Float32bits(float32(v.Value.Float())))
	case data.TypeFloat64:
		bits = math.Float64bits(v.Value.Float())
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], bits)
	return append(dst, b[8-c.size():]...), false, nil
}

func (c numberConverter) to(b []byte) (data.SchemaAndValue, error) {
	out := data.SchemaAndValue{Schema: data.Primitive(c.typ, true)}
	if b == nil {
		return out, nil
	}
	if len(b) != c.size() {
		return data.SchemaAndValue{}, fault.Data.New("Failed to deserialize " + c.name + ": ").
			Because(fault.Serialization.Errorf("Size of data received is not %d", c.size()))
	}
	var bits uint64
	for _, x := range b {
		bits = bits<<8 | uint64(x)
	}
	switch c.typ {
	case data.TypeInt16:
		out.Value = data.Int16Value(int16(bits))
	case data.TypeInt32:
		out.Value = data.Int32Value(int32(bits))
	case data.TypeInt64:
		out.Value = data.Int64Value(int64(bits))
	case data.TypeFloat32:
		out.Value = data.Float32Value(math.Float32frombits(uint32(bits)))
	default:
		out.Value = data.Float64Value(math.Float64frombits(bits))
	}
	return out, nil
}

// booleanConverter is Kafka's BooleanConverter: one byte, 0 or 1.
type booleanConverter struct{}

func (booleanConverter) ConfigDef() *config.Def       { return config.NewDef(converterTypeKey()) }
func (booleanConverter) configure(config.Props) error { return nil }

func (booleanConverter) from(dst []byte, v data.SchemaAndValue) ([]byte, bool, error) {
	switch {
	case v.Schema != nil && v.Schema.Type() != data.TypeBoolean:
		return dst, false, fault.Data.New("Invalid schema type for BooleanConverter: " + v.Schema.Type().String())
	case v.Value.IsNull():
		return dst, true, nil
	case v.Value.Type() != data.TypeBoolean:
		return dst, false, fault.Data.New("BooleanConverter is not compatible with objects of type class " + v.Value.Type().JavaClass())
	case v.Value.Bool():
		return append(dst, 1), false, nil
	}
	return append(dst, 0), false, nil
}

func (booleanConverter) to(b []byte) (data.SchemaAndValue, error) {
	out := data.SchemaAndValue{Schema: data.OptionalBooleanSchema}
	if b == nil {
		return out, nil
	}
	if len(b) != 1 || b[0] > 1 {
		return data.SchemaAndValue{}, fault.Data.New("Failed to deserialize boolean: ").
			Because(fault.Serialization.New("Unexpected byte received: a boolean is one byte, 0 or 1"))
	}
	out.Value = data.BooleanValue(b[0] == 1)
	return out, nil
}

// simpleHeaders is Kafka's SimpleHeaderConverter: text whose type is guessed.
type simpleHeaders struct{}

func (simpleHeaders) ConfigDef() *config.Def       { return config.NewDef() }
func (simpleHeaders) configure(config.Props) error { return nil }

func (simpleHeaders) from(dst []byte, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Value.IsNull() {
		return dst, true, nil
	}
	out, err := data.AppendString(dst, v.Value)
	if err != nil {
		return dst, false, err
	}
	return out, false, nil
}

func (simpleHeaders) to(b []byte) (data.SchemaAndValue, error) {
	if b == nil {
		return data.SchemaAndValue{}, nil
	}
	s := string(b)
	if s == "" {
		return data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(s)}, nil
	}
	if !utf8.ValidString(s) {
		return data.SchemaAndValue{Schema: data.BytesSchema, Value: data.BytesValue(b)}, nil
	}
	return data.ParseString(s), nil
}
