// Package converters turns Connect's data into bytes and back: JSON, text, bytes, numbers, and headers; and with a schema
// registry Avro, Protobuf and JSON Schema.
package converters

import (
	"bytes"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// JSON is Kafka's JsonConverter, for keys, values and headers.
type JSON struct {
	schemas  bool
	numeric  bool // decimals as numbers
	defaults bool
	dialect  bool // as JSONOf
	content  *data.Schema
	maxCache int

	// written are schemas as JSON; read are schemas by their JSON.
	written   map[*data.Schema][]byte
	read      map[string]*data.Schema
	lastText  []byte
	lastRead  *data.Schema
	lastOut   *data.Schema
	lastBytes []byte
	slab      data.Slab
	parser    jsonParser
}

// ConfigDef defines the settings.
func (*JSON) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "converter.type", Type: config.String, Nullable: true, Importance: config.Low, Doc: "Whether it is for keys, values or headers.", Given: true},
		config.Key{
			Name: "schemas.enable", Type: config.Boolean, Default: true, Importance: config.High, Group: "Schemas", Order: 0, Width: config.WidthMedium, Display: "Enable Schemas",
			Doc: "Whether each message holds its schema.",
		},
		config.Key{
			Name: "schemas.cache.size", Type: config.Int, Default: 1000, Importance: config.High, Group: "Schemas", Order: 1, Width: config.WidthMedium, Display: "Schema Cache Size",
			Doc: "How many schemas are remembered.",
		},
		config.Key{
			Name: "schema.content", Type: config.String, Nullable: true, Importance: config.High, Group: "Schemas", Order: 2, Width: config.WidthMedium, Display: "Schema Content",
			Doc: "A schema, as the envelope would hold it, for messages that come without one.",
		},
		config.Key{
			Name: "decimal.format", Type: config.String, Default: "BASE64", Validator: config.OneOfFold("NUMERIC", "BASE64"), Importance: config.Low, Group: "Serialization", Order: 0, Width: config.WidthMedium, Display: "Decimal Format",
			Doc: "How decimals are written: BASE64 or NUMERIC.",
		},
		config.Key{
			Name: "replace.null.with.default", Type: config.Boolean, Default: true, Importance: config.Low, Group: "Serialization", Order: 1, Width: config.WidthMedium, Display: "Replace null with default",
			Doc: "Whether a null is read as its default where the schema has one.",
		},
	)
}

// Configure reads the settings.
func (c *JSON) Configure(props config.Props, _ bool) error {
	v, err := c.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	c.schemas, c.defaults = v.Bool("schemas.enable"), v.Bool("replace.null.with.default")
	c.numeric = strings.EqualFold(v.String("decimal.format"), "NUMERIC")
	c.maxCache = max(1, v.Int("schemas.cache.size"))
	c.written, c.read = map[*data.Schema][]byte{}, map[string]*data.Schema{}
	if text := v.String("schema.content"); text != "" && c.schemas {
		if c.content, err = c.readSchema([]byte(text)); err != nil {
			return config.At("schema.content", config.Exception("Invalid schema.content: "+err.Error()))
		}
	}
	return nil
}

// Close does nothing.
func (*JSON) Close() error { return nil }

// FromConnectData writes JSON; a null without schema is null.
func (c *JSON) FromConnectData(dst []byte, _ string, _ *connectors.Headers, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Schema == nil && v.Value.IsNull() {
		return dst, true, nil
	}
	start := len(dst)
	if !c.schemas {
		out, err := c.appendValue(dst, v.Schema, v.Value)
		if err != nil {
			return dst[:start], false, err
		}
		return out, false, nil
	}
	dst = append(dst, `{"schema":`...)
	dst, err := c.appendSchema(dst, v.Schema)
	if err == nil {
		dst = append(dst, `,"payload":`...)
		dst, err = c.appendValue(dst, v.Schema, v.Value)
	}
	if err != nil {
		return dst[:start], false, err
	}
	return append(dst, '}'), false, nil
}

// appendSchema writes a schema, from the cache where it is known.
func (c *JSON) appendSchema(dst []byte, s *data.Schema) ([]byte, error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	if s == c.lastOut {
		return append(dst, c.lastBytes...), nil
	}
	text, ok := c.written[s]
	if !ok {
		var err error
		if text, err = c.schemaText(nil, s, ""); err != nil {
			return dst, err
		}
		if len(c.written) >= c.maxCache {
			clear(c.written)
		}
		c.written[s] = text
	}
	c.lastOut, c.lastBytes = s, text
	return append(dst, text...), nil
}

const envelopeMessage = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields." +
	" If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."

// ToConnectData reads JSON; null bytes are null.
func (c *JSON) ToConnectData(_ string, _ connectors.Headers, b []byte) (data.SchemaAndValue, error) {
	var none data.SchemaAndValue
	if b == nil || len(b) == 0 && !c.schemas {
		return none, nil
	}
	p := &c.parser
	p.reset(b, &c.slab)
	switch {
	case !c.schemas:
		if p.next() == 0 && p.pos == len(b) {
			return none, nil // nothing but white space
		}
		v, err := p.value()
		return data.SchemaAndValue{Value: v}, wrapRead(err)
	case c.content != nil:
		v, err := c.payload(b, c.content)
		return data.SchemaAndValue{Schema: c.content, Value: v}, wrapRead(err)
	}
	if v, ok := c.known(b); ok {
		return v, nil
	}
	p.reset(b, &c.slab)
	schemaText, payload, ok, err := p.envelope()
	if err != nil {
		return none, wrapRead(err)
	}
	if !ok {
		return none, fault.Data.New(envelopeMessage)
	}
	schema, err := c.schemaOf(schemaText)
	if err != nil {
		return none, err
	}
	v, err := c.payload(payload, schema)
	return data.SchemaAndValue{Schema: schema, Value: v}, wrapRead(err)
}

// Of what JsonConverter writes around schema and payload.
const (
	beforeSchema  = `{"schema":`
	beforePayload = `,"payload":`
)

// known reads a message as JsonConverter writes it whose schema is that of the last one, so that neither the schema is read again
// nor the payload twice. Whatever else it is, or what is wrong with it, is for others to find out.
func (c *JSON) known(b []byte) (v data.SchemaAndValue, ok bool) {
	at := len(beforeSchema) + len(c.lastText)
	if c.lastRead == nil || c.lastText[0] != '{' || len(b) < at+len(beforePayload) || string(b[:len(beforeSchema)]) != beforeSchema ||
		!bytes.Equal(b[len(beforeSchema):at], c.lastText) || string(b[at:at+len(beforePayload)]) != beforePayload {
		return v, false
	}
	p := &c.parser
	p.reset(b, &c.slab)
	p.pos, p.depth = at+len(beforePayload), 1
	value, err := p.typed(c.lastRead, c.defaults)
	if err != nil || p.next() != '}' {
		return v, false
	}
	return data.SchemaAndValue{Schema: c.lastRead, Value: value}, true
}

func wrapRead(err error) error {
	if err == nil || fault.Data.Is(err) {
		return err
	}
	return fault.Data.New("Converting byte[] to Kafka Connect data failed due to serialization error: ").
		Because(fault.Serialization.New(err.Error()))
}

func (c *JSON) payload(b []byte, schema *data.Schema) (data.Value, error) {
	p := &c.parser
	p.reset(b, &c.slab)
	if schema == nil {
		return p.value()
	}
	return p.typed(schema, c.defaults)
}

// schemaOf reads a schema, from the cache where its text is known.
func (c *JSON) schemaOf(text []byte) (*data.Schema, error) {
	if c.lastRead != nil && bytes.Equal(text, c.lastText) {
		return c.lastRead, nil
	}
	s, ok := c.read[string(text)]
	if !ok {
		var err error
		if s, err = c.readSchema(text); err != nil || s == nil {
			return nil, err
		}
		if len(c.read) >= c.maxCache {
			clear(c.read)
		}
		c.read[string(text)] = s
	}
	c.lastText, c.lastRead = append(c.lastText[:0], text...), s
	return s, nil
}

// JSONHeaders is JsonConverter as a header converter.
type JSONHeaders struct{ c JSON }

// ConfigDef defines the settings.
func (h *JSONHeaders) ConfigDef() *config.Def { return h.c.ConfigDef() }

// Configure reads the settings.
func (h *JSONHeaders) Configure(props config.Props) error { return h.c.Configure(props, false) }

// FromConnectHeader writes JSON.
func (h *JSONHeaders) FromConnectHeader(dst []byte, topic, _ string, v data.SchemaAndValue) ([]byte, bool, error) {
	return h.c.FromConnectData(dst, topic, nil, v)
}

// ToConnectHeader reads JSON.
func (h *JSONHeaders) ToConnectHeader(topic, _ string, b []byte) (data.SchemaAndValue, error) {
	return h.c.ToConnectData(topic, nil, b)
}

// Close does nothing.
func (*JSONHeaders) Close() error { return nil }
