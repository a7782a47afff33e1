package registry

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// scrubName makes a name that Avro allows of any, as Confluent's converter does: encoded as in a URL, with _ for what is left that
// Avro does not allow, and x before what no name begins with.
func scrubName(name string) string {
	const hex = "0123456789ABCDEF"
	var out []byte
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || isLetter(c) || c >= '0' && c <= '9':
			out = append(out, c)
		case strings.IndexByte(".-* ", c) >= 0:
			out = append(out, '_')
		default:
			out = append(out, '_', hex[c>>4], hex[c&15])
		}
	}
	if name == "" || name[0] != '_' && !isLetter(name[0]) {
		return "x" + string(out)
	}
	return string(out)
}

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// scrubFullName is scrubName for each part of a name with dots.
func scrubFullName(name string) string {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = scrubName(parts[i])
	}
	return strings.Join(parts, ".")
}

// writeAvro makes the Avro schema of a schema, as Confluent's AvroData does.
func writeAvro(s *data.Schema, options avroOptions) (string, error) {
	w := &avroWriter{avroOptions: options, defined: map[string]*data.Schema{}, entries: map[string]*data.Schema{}, names: map[*data.Schema]string{}}
	v, err := w.write(s, true)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(v)
	return string(text), err
}

type avroWriter struct {
	avroOptions
	defined map[string]*data.Schema
	entries map[string]*data.Schema // maps whose entries are records
	names   map[*data.Schema]string // of structs, which may have none of their own

	nameless int // types that got a name
}

func (w *avroWriter) write(s *data.Schema, union bool) (any, error) {
	if s == nil {
		return nil, fault.Data.New("Avro needs a schema for all parts of the data")
	}
	if isAvroUnion(s) {
		return w.union(s)
	}
	base, err := w.base(s)
	if err != nil || !s.Optional() || !union {
		return base, err
	}
	if !s.Default().IsNull() {
		return []any{base, "null"}, nil
	}
	return []any{"null", base}, nil
}

// union is the choice between the fields of a struct.
func (w *avroWriter) union(s *data.Schema) (any, error) {
	branches := []any{}
	if s.Optional() {
		branches = append(branches, "null")
	}
	for _, f := range s.Fields() {
		branch, err := w.write(f.Schema, false)
		if err != nil {
			return nil, err
		}
		branches = append(branches, branch)
	}
	return branches, nil
}

var avroNames = map[data.Type]string{
	data.TypeInt8: "int", data.TypeInt16: "int", data.TypeInt32: "int", data.TypeInt64: "long", data.TypeFloat32: "float", data.TypeFloat64: "double",
	data.TypeBoolean: "boolean", data.TypeString: "string", data.TypeBytes: "bytes",
}

func (w *avroWriter) base(s *data.Schema) (any, error) {
	out := map[string]any{}
	switch t := s.Type(); {
	case t == data.TypeStruct:
		return w.record(s)
	case t == data.TypeString && w.isEnum(s):
		return w.enum(s)
	case t == data.TypeBytes && isFixed(s):
		return w.fixed(s)
	}
	switch t := s.Type(); t {
	case data.TypeArray:
		items, err := w.write(s.Elem(), true)
		if err != nil {
			return nil, err
		}
		out["type"], out["items"] = "array", items
	case data.TypeMap:
		if err := w.mapping(out, s); err != nil {
			return nil, err
		}
	default:
		out["type"] = avroNames[t]
		if w.meta && (t == data.TypeInt8 || t == data.TypeInt16) {
			out["connect.type"] = strings.ToLower(t.String())
		}
	}
	w.logical(out, s)
	w.describe(out, s)
	if len(out) == 1 {
		return out["type"], nil
	}
	return out, nil
}

// isEnum tells texts that are written as an enumeration.
func (w *avroWriter) isEnum(s *data.Schema) bool {
	if !w.enhanced && !w.sums {
		return false
	}
	_, is := s.Parameter(w.enumParameter())
	return is
}

func isFixed(s *data.Schema) bool {
	_, sized := s.Parameter(fixedParameter)
	return sized && s.Name() != ""
}

// defines notes that a schema is written under a name; before is what was written under it.
func (w *avroWriter) defines(name string, s *data.Schema) (full string, before *data.Schema) {
	if w.scrub {
		name = scrubFullName(name)
	}
	if before = w.defined[name]; before == nil {
		w.defined[name] = s
	}
	return name, before
}

func twice(name string) error {
	return fault.Data.New("Two types of different schemas have the name " + name)
}

func nameAvro(out map[string]any, name string) map[string]any {
	out["name"] = name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		out["namespace"], out["name"] = name[:i], name[i+1:]
	}
	return out
}

func (w *avroWriter) enum(s *data.Schema) (any, error) {
	param := w.enumParameter()
	name, _ := s.Parameter(param)
	if name == "" {
		name = w.nameOr(s.Name())
	}
	name, before := w.defines(name, s)
	symbols := symbolsOf(s, param)
	if before != nil {
		if !slices.Equal(symbolsOf(before, param), symbols) {
			return nil, twice(name)
		}
		return name, nil
	}
	out := nameAvro(map[string]any{}, name)
	out["type"], out["symbols"] = "enum", symbols
	last := lastWord(s.Name())
	if doc, ok := s.Parameter(w.enumDoc(last)); ok {
		out["doc"] = doc
	}
	if def, ok := s.Parameter(enumDefaultParameter + last); ok && !w.discard {
		out["default"] = def
	}
	w.describe(out, s)
	return out, nil
}

// symbolsOf are the values of an enumeration, which begin with a parameter's name.
func symbolsOf(s *data.Schema, param string) []string {
	symbols := []string{}
	for _, p := range s.Parameters() {
		if symbol, ok := strings.CutPrefix(p.Name, param+"."); ok {
			symbols = append(symbols, symbol)
		}
	}
	return symbols
}

func (w *avroWriter) fixed(s *data.Schema) (any, error) {
	text, _ := s.Parameter(fixedParameter)
	name, before := w.defines(s.Name(), s)
	if before != nil {
		if other, _ := before.Parameter(fixedParameter); other != text {
			return nil, twice(name)
		}
		return name, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil {
		return nil, fault.Data.New("The parameter " + fixedParameter + " of " + s.Name() + " is not a number")
	}
	out := nameAvro(map[string]any{"type": "fixed", "size": size}, name)
	w.logical(out, s)
	w.describe(out, s)
	return out, nil
}

// nameOr is a name, or the next of those that nameless types get.
func (w *avroWriter) nameOr(name string) string {
	if name != "" {
		return name
	}
	w.nameless++
	if w.nameless == 1 {
		return connectDefault
	}
	return connectDefault + strconv.Itoa(w.nameless)
}

func (w *avroWriter) logical(out map[string]any, s *data.Schema) {
	switch {
	case s.IsDecimal():
		scale, _ := s.Parameter(data.ScaleParameter)
		n, _ := strconv.Atoi(scale)
		out["logicalType"], out["precision"], out["scale"] = "decimal", decimalPrecision, n
		if p, ok := s.Parameter(precisionParameter); ok {
			out["precision"], _ = strconv.Atoi(p)
		}
	case s.IsDate():
		out["logicalType"] = "date"
	case s.IsTime():
		out["logicalType"] = "time-millis"
	case s.IsTimestamp():
		out["logicalType"] = "timestamp-millis"
	}
}

// describe writes what Avro has no word for.
func (w *avroWriter) describe(out map[string]any, s *data.Schema) {
	for _, p := range s.Parameters() {
		if strings.HasPrefix(p.Name, "avro") {
			out[p.Name] = p.Value
		}
	}
	if !w.meta {
		return
	}
	if s.Name() != "" {
		out["connect.name"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		out["connect.version"] = v
	}
	if s.Doc() != "" {
		out["connect.doc"] = s.Doc()
	}
	params := map[string]string{}
	for _, p := range s.Parameters() {
		if w.discard || p.Name != fieldDefaultParameter {
			params[p.Name] = p.Value
		}
	}
	if len(params) > 0 {
		out["connect.parameters"] = params
	}
	if _, fields := s.Parameter(fieldDefaultParameter); !s.Default().IsNull() && (w.discard || !fields) {
		if def, ok := avroJSON(s, s.Default(), false); ok {
			out["connect.default"] = def
		}
	}
}

func (w *avroWriter) mapping(out map[string]any, s *data.Schema) error {
	value, err := w.write(s.Elem(), true)
	if err != nil {
		return err
	}
	if s.Key() != nil && s.Key().Type() == data.TypeString && (w.nullKeys || !s.Key().Optional()) {
		out["type"], out["values"] = "map", value
		return nil
	}
	out["type"] = "array"
	name := mapEntry
	if s.Name() != "" {
		name = s.Name()
	}
	if w.scrub {
		name = scrubFullName(name)
	}
	if known := w.entries[name]; known != nil {
		if !known.Key().Equal(s.Key()) || !known.Elem().Equal(s.Elem()) {
			return fault.Data.New("Two maps of different types have the name " + name + " in Avro; give one of them a name of its own")
		}
		out["items"] = name
		return nil
	}
	w.entries[name] = s
	key, err := w.write(s.Key(), true)
	if err != nil {
		return err
	}
	entry := nameAvro(map[string]any{
		"type": "record", "fields": []any{map[string]any{"name": "key", "type": key}, map[string]any{"name": "value", "type": value}},
	}, name)
	if s.Name() != "" {
		entry["connect.internal.type"] = "MapEntry"
	}
	out["items"] = entry
	return nil
}

func (w *avroWriter) record(s *data.Schema) (any, error) {
	name, itself := s.Name(), s
	if s.Within() != nil {
		itself = s.Within()
		if known := w.names[itself]; known != "" {
			return known, nil
		}
	}
	name = w.nameOr(name)
	if w.scrub {
		name = scrubFullName(name)
	}
	if known := w.defined[name]; known != nil {
		if s.Within() == nil && !data.CopyAll(known).SetOptional(s.Optional()).Rebuild().Equal(s) {
			return nil, fault.Data.New("Two structs of different schemas have the name " + name)
		}
		return name, nil
	}
	w.defined[name], w.names[itself] = s, name
	out := nameAvro(map[string]any{"type": "record"}, name)
	w.document(out, s)
	fields := []any{}
	for _, f := range s.Fields() {
		t, err := w.write(f.Schema, true)
		if err != nil {
			return nil, err
		}
		field := map[string]any{"name": f.Name, "type": t}
		if w.scrub {
			field["name"] = scrubName(f.Name)
		}
		if doc := w.docOf(s, f); doc != "" {
			field["doc"] = doc
		}
		if def, ok := avroDefault(f.Schema); ok {
			field["default"] = def
		}
		fields = append(fields, field)
	}
	out["fields"] = fields
	w.describe(out, s)
	return out, nil
}

// document writes the doc of a record.
func (w *avroWriter) document(out map[string]any, s *data.Schema) {
	param := recordDocParameter
	if w.discard {
		param = "connect.record.doc"
	}
	if doc, ok := s.Parameter(param); ok {
		out["doc"] = doc
	}
}

// docOf is the doc of a record's field.
func (w *avroWriter) docOf(s *data.Schema, f data.Field) string {
	if w.discard {
		return f.Schema.Doc()
	}
	doc, _ := s.Parameter(fieldDocParameter + f.Name)
	return doc
}
