package registry

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

const (
	jsonNamespace = "io.confluent.connect.json"
	jsonEnum      = jsonNamespace + ".Enum"
	// nullSymbol stands for null among the values of an enumeration.
	nullSymbol = "<NULL>"
)

// jsonWriter writes a schema as JSON Schema. A registry compares the texts, so members come in the order in which Confluent's
// converter has them: that of Java's HashMap, where it keeps them in one.
type jsonWriter struct {
	within map[*data.Schema]bool   // what stands for itself somewhere within
	ids    map[*data.Schema]string // of those that were written
	enum   string                  // the parameter of enumerations
	depth  int
}

func jsonEnumParameter(sums bool) string {
	if sums {
		return sumEnum
	}
	return jsonEnum
}

// writeJSONSchema is the text of a schema.
func writeJSONSchema(s *data.Schema, sums bool) (string, error) {
	w := jsonWriter{enum: jsonEnumParameter(sums), within: map[*data.Schema]bool{}, ids: map[*data.Schema]string{}}
	w.find(s)
	text, err := w.schema(nil, s, -1, s.Optional())
	return string(text), err
}

// find notes schemas that are within themselves.
func (w *jsonWriter) find(s *data.Schema) {
	if s == nil || s.Within() != nil {
		if s != nil {
			w.within[s.Within()] = true
		}
		return
	}
	w.find(s.Key())
	w.find(s.Elem())
	for _, f := range s.Fields() {
		w.find(f.Schema)
	}
}

// schema writes a schema; index is its place in a struct, -1 for none.
func (w *jsonWriter) schema(dst []byte, s *data.Schema, index int, optional bool) ([]byte, error) {
	if w.depth++; s == nil || w.depth > maxSchemaDepth {
		return dst, fault.Data.New("JSON Schema needs a schema for all parts of the data, nested no deeper than " + strconv.Itoa(maxSchemaDepth))
	}
	defer func() { w.depth-- }()
	if converters.IsUnion(s) {
		return w.union(dst, s, index, optional)
	}
	if !optional {
		return w.base(dst, s, index)
	}
	dst = append(dst, '{')
	dst = appendIndex(dst, index)
	dst, err := w.base(append(comma(dst), `"oneOf":[{"type":"null"},`...), s, -1)
	return append(dst, "]}"...), err
}

// union writes the choice between the fields of a struct.
func (w *jsonWriter) union(dst []byte, s *data.Schema, index int, optional bool) ([]byte, error) {
	dst = append(dst, '{')
	dst = appendIndex(dst, index)
	dst = append(comma(dst), `"oneOf":[`...)
	if optional {
		dst = append(dst, `{"type":"null"}`...)
	}
	for i, f := range s.Fields() {
		var err error
		if dst, err = w.schema(comma(dst), f.Schema, i, false); err != nil {
			return dst, err
		}
	}
	return append(dst, "]}"...), nil
}

// base writes a schema that allows no null. A struct within itself is written once and then referred to.
func (w *jsonWriter) base(dst []byte, s *data.Schema, index int) ([]byte, error) {
	itself, id := s, ""
	if s.Within() != nil {
		itself = s.Within()
	}
	if w.within[itself] {
		if id = w.ids[itself]; id != "" {
			dst = appendMember(append(dst, '{'), "$ref", id)
			dst = appendIndex(dst, index)
			return append(dst, '}'), nil
		}
		id = "#id" + strconv.Itoa(len(w.ids)+1)
		w.ids[itself] = id
	}
	dst = append(dst, '{')
	if typ := w.typeOf(s); typ != "" {
		dst = appendMember(dst, "type", typ)
	}
	dst, err := w.describe(dst, s, id, index)
	if err != nil {
		return dst, err
	}
	dst, err = w.inside(dst, s)
	return append(dst, '}'), err
}

// typeOf is the type of a schema, none for an enumeration.
func (w *jsonWriter) typeOf(s *data.Schema) string {
	switch s.Type() {
	case data.TypeStruct:
		return "object"
	case data.TypeArray:
		return "array"
	case data.TypeMap:
		if plainKeys(s) {
			return "object"
		}
		return "array"
	case data.TypeString:
		if _, ok := s.Parameter(w.enum); ok {
			return ""
		}
	case data.TypeBytes:
		if s.IsDecimal() {
			return "number"
		}
	}
	return jsonTypes[s.Type()][0]
}

// plainKeys tells whether a map is an object, and not an array of its entries.
func plainKeys(s *data.Schema) bool {
	return s.Key() != nil && s.Key().Type() == data.TypeString && !s.Key().Optional()
}

// describe writes what is said about a schema beside its type.
func (w *jsonWriter) describe(dst []byte, s *data.Schema, id string, index int) ([]byte, error) {
	if s.Name() != "" {
		dst = appendMember(dst, "title", s.Name())
	}
	if s.Doc() != "" {
		dst = appendMember(dst, "description", s.Doc())
	}
	if !s.Default().IsNull() && !converters.IsUnion(s) {
		text, err := converters.JSONOf(nil, false).Append(nil, s, s.Default())
		if err != nil {
			return dst, err
		}
		dst = appendMember(dst, "default", json.RawMessage(text))
	}
	if id != "" {
		dst = appendMember(dst, "$id", id)
	}
	if v, ok := s.Version(); ok {
		dst = appendMember(dst, "connect.version", v)
	}
	dst = appendIndex(dst, index)
	connect := jsonTypes[s.Type()][1]
	if s.Type() == data.TypeMap {
		connect = "map"
	}
	if connect != "" {
		dst = appendMember(dst, "connect.type", connect)
	}
	return appendParameters(dst, s), nil
}

func appendParameters(dst []byte, s *data.Schema) []byte {
	var names []string
	for _, p := range s.Parameters() {
		if !strings.HasPrefix(p.Name, jsonNamespace) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return dst
	}
	dst = append(comma(dst), `"connect.parameters":{`...)
	for _, name := range hashOrder(names) {
		value, _ := s.Parameter(name)
		dst = appendMember(dst, name, value)
	}
	return append(dst, '}')
}

// inside writes the schemas in a schema.
func (w *jsonWriter) inside(dst []byte, s *data.Schema) ([]byte, error) {
	switch s.Type() {
	case data.TypeStruct:
		return w.properties(dst, s)
	case data.TypeArray:
		return w.schema(append(comma(dst), `"items":`...), s.Elem(), -1, s.Elem().Optional())
	case data.TypeMap:
		if plainKeys(s) {
			return w.schema(append(comma(dst), `"additionalProperties":`...), s.Elem(), -1, s.Elem().Optional())
		}
		entry, err := data.NewStructSchema().Field("key", s.Key()).Field("value", s.Elem()).Build()
		if err != nil {
			return dst, err
		}
		return w.schema(append(comma(dst), `"items":`...), entry, -1, false)
	case data.TypeString:
		if _, ok := s.Parameter(w.enum); ok {
			dst = appendSymbols(dst, s, w.enum)
		}
	}
	return dst, nil
}

func appendSymbols(dst []byte, s *data.Schema, param string) []byte {
	symbols := []any{}
	for _, symbol := range symbolsOf(s, param) {
		if symbol == nullSymbol {
			symbols = append(symbols, nil)
		} else {
			symbols = append(symbols, symbol)
		}
	}
	return appendMember(dst, "enum", symbols)
}

func (w *jsonWriter) properties(dst []byte, s *data.Schema) ([]byte, error) {
	if len(s.Fields()) == 0 {
		return dst, nil
	}
	names := make([]string, len(s.Fields()))
	for i, f := range s.Fields() {
		names[i] = f.Name
	}
	dst = append(comma(dst), `"properties":{`...)
	for _, name := range hashOrder(names) {
		f := s.Field(name)
		var err error
		if dst, err = w.schema(appendName(comma(dst), name), f.Schema, f.Index, f.Schema.Optional()); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// comma separates members and elements: not behind an opening bracket.
func comma(dst []byte) []byte {
	switch dst[len(dst)-1] {
	case '{', '[', ':':
		return dst
	}
	return append(dst, ',')
}

func appendName(dst []byte, name string) []byte { return append(appendJSON(dst, name), ':') }

func appendMember(dst []byte, name string, value any) []byte {
	return appendJSON(appendName(comma(dst), name), value)
}

// appendIndex writes the place of a field in its struct; -1 is none.
func appendIndex(dst []byte, index int) []byte {
	if index < 0 {
		return dst
	}
	return appendMember(dst, "connect.index", index)
}

func appendJSON(dst []byte, value any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // strings, numbers and lists of them
	return append(dst, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}

// hashOrder sorts names as a HashMap of Java's gives them out that got them in this order.
func hashOrder(names []string) []string {
	buckets := uint32(16)
	for uint32(len(names)) > buckets/4*3 {
		buckets *= 2
	}
	hash := func(name string) uint32 {
		var h uint32
		for _, c := range utf16.Encode([]rune(name)) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (buckets - 1)
	}
	slices.SortStableFunc(names, func(a, b string) int { return int(hash(a)) - int(hash(b)) })
	return names
}
