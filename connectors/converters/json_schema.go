package converters

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// jsonSchema is a schema as JsonConverter writes it. Members of the wrong type are as good as missing, as in Kafka.
type jsonSchema struct {
	Type       *looseString    `json:"type"`
	Optional   looseBool       `json:"optional"`
	Name       looseString     `json:"name"`
	Version    *looseInt       `json:"version"`
	Doc        looseString     `json:"doc"`
	Parameters json.RawMessage `json:"parameters"`
	Default    json.RawMessage `json:"default"`
	Items      json.RawMessage `json:"items"`
	Keys       json.RawMessage `json:"keys"`
	Values     json.RawMessage `json:"values"`
	Fields     json.RawMessage `json:"fields"`
	Field      *looseString    `json:"field"`
}

type (
	looseString string
	looseBool   bool
	looseInt    struct {
		n  int32
		ok bool
	}
)

// UnmarshalJSON takes strings.
func (s *looseString) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		return nil
	}
	return json.Unmarshal(b, (*string)(s))
}

// UnmarshalJSON takes booleans.
func (t *looseBool) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true"
	return nil
}

// UnmarshalJSON takes integers.
func (i *looseInt) UnmarshalJSON(b []byte) error {
	i.ok = json.Unmarshal(b, &i.n) == nil && string(b) != "null"
	return nil
}

// readSchema reads a schema; null is none.
func (c *JSON) readSchema(text []byte) (*data.Schema, error) {
	if string(bytes.TrimSpace(text)) == "null" {
		return nil, nil
	}
	var js jsonSchema
	if err := json.Unmarshal(text, &js); err != nil || js.Type == nil || *js.Type == "" {
		return nil, fault.Data.New("Schema must contain 'type' field")
	}
	b, err := c.schemaBuilder(&js)
	if err != nil {
		return nil, err
	}
	b.SetOptional(bool(js.Optional)).Name(string(js.Name)).Doc(string(js.Doc))
	if js.Version != nil && js.Version.ok {
		b.Version(js.Version.n)
	}
	if err := readParameters(b, js.Parameters); err != nil {
		return nil, err
	}
	if js.Default != nil {
		if err := c.readDefault(b, js.Default); err != nil {
			return nil, err
		}
	}
	s, err := b.Build()
	if err != nil {
		return nil, err
	}
	return canonical(s), nil
}

// canonical is the shared schema of a primitive type without properties, else s.
func canonical(s *data.Schema) *data.Schema {
	if s.Type().IsPrimitive() {
		if p := data.Primitive(s.Type(), s.Optional()); p.Equal(s) {
			return p
		}
	}
	return s
}

func (c *JSON) schemaBuilder(js *jsonSchema) (*data.SchemaBuilder, error) {
	name := string(*js.Type)
	for t := data.TypeInt8; t <= data.TypeBytes; t++ {
		if jsonTypes[t] == name {
			return data.NewSchema(t), nil
		}
	}
	switch name {
	case "array":
		if js.Items == nil || string(js.Items) == "null" {
			return nil, fault.Data.New("Array schema did not specify the element type")
		}
		elem, err := c.readSchema(js.Items)
		return data.NewArraySchema(elem), err
	case "map":
		return c.mapBuilder(js)
	case "struct":
		return c.structBuilder(js)
	}
	return nil, fault.Data.New("Unknown schema type: " + name)
}

func (c *JSON) mapBuilder(js *jsonSchema) (*data.SchemaBuilder, error) {
	if js.Keys == nil {
		return nil, fault.Data.New("Map schema did not specify the key type")
	}
	if js.Values == nil {
		return nil, fault.Data.New("Map schema did not specify the value type")
	}
	key, err := c.readSchema(js.Keys)
	if err != nil {
		return nil, err
	}
	value, err := c.readSchema(js.Values)
	return data.NewMapSchema(key, value), err
}

func (c *JSON) structBuilder(js *jsonSchema) (*data.SchemaBuilder, error) {
	var fields []json.RawMessage
	if !strings.HasPrefix(string(js.Fields), "[") || json.Unmarshal(js.Fields, &fields) != nil {
		return nil, fault.Data.New("Struct schema's \"fields\" argument is not an array.")
	}
	b := data.NewStructSchema()
	for _, text := range fields {
		var f jsonSchema
		if err := json.Unmarshal(text, &f); err != nil || f.Field == nil {
			return nil, fault.Data.New("Struct schema's field name not specified properly")
		}
		s, err := c.readSchema(text)
		if err != nil {
			return nil, err
		}
		b.Field(string(*f.Field), s)
	}
	return b, nil
}

func readParameters(b *data.SchemaBuilder, text json.RawMessage) error {
	if !strings.HasPrefix(string(text), "{") {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	_, _ = dec.Token()
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return fault.Data.New("Schema parameters must have string values.")
		}
		value, err := dec.Token()
		s, ok := value.(string)
		if err != nil || !ok {
			return fault.Data.New("Schema parameters must have string values.")
		}
		b.Parameter(name.(string), s)
	}
	return nil
}

func (c *JSON) readDefault(b *data.SchemaBuilder, text json.RawMessage) error {
	s, err := b.Build()
	if err != nil {
		return err
	}
	var p jsonParser
	p.reset(append([]byte(nil), text...), &data.Slab{})
	v, err := p.typed(s, c.defaults)
	if err != nil {
		return wrapRead(err)
	}
	b.Default(v)
	return nil
}

// ReadSchema reads a schema in the form in which JsonConverter writes it.
func ReadSchema(text []byte) (*data.Schema, error) { return (&JSON{defaults: true}).readSchema(text) }

// SchemaText writes a schema in that form.
func SchemaText(s *data.Schema) (string, error) {
	if s == nil {
		return "null", nil
	}
	text, err := (&JSON{defaults: true}).schemaText(nil, s, "")
	return string(text), err
}
