package registry

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// protoNames are Connect's primitive types in Protobuf, and the wrappers of google.protobuf for them.
var protoNames = map[data.Type][2]string{
	data.TypeInt8: {"int32", "Int32Value"}, data.TypeInt16: {"int32", "Int32Value"}, data.TypeInt32: {"int32", "Int32Value"}, data.TypeInt64: {"int64", "Int64Value"},
	data.TypeFloat32: {"float", "FloatValue"}, data.TypeFloat64: {"double", "DoubleValue"}, data.TypeBoolean: {"bool", "BoolValue"},
	data.TypeString: {"string", "StringValue"}, data.TypeBytes: {"bytes", "BytesValue"},
}

// protoWriter writes a schema as the text of a file.
type protoWriter struct {
	nullable bool // fields that may be null get the label optional
	imports  map[string]bool
	body     strings.Builder
	depth    int
}

// protoScope are the messages that are defined within one.
type protoScope map[string]*data.Schema

// writeProto is the text of a schema: a struct, or a primitive type as a wrapper of google.protobuf.
func writeProto(s *data.Schema, nullable bool) (string, error) {
	w := &protoWriter{nullable: nullable, imports: map[string]bool{}}
	pkg, name := "", connectDefaultProto+"1"
	if s.Type() != data.TypeStruct {
		pkg, name = "google.protobuf", protoNames[s.Type()][1]
		fmt.Fprintf(&w.body, "message %s {\n  %s value = 1%s;\n}\n", name, protoNames[s.Type()][0], w.note(s))
	} else {
		if s.Name() != "" {
			name = s.Name()
		}
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			pkg, name = name[:i], name[i+1:]
		}
		if err := w.message(s, name, ""); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	out.WriteString("syntax = \"proto3\";\n")
	if pkg != "" {
		for part := range strings.SplitSeq(pkg, ".") {
			if err := checkProtoName(part); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&out, "package %s;\n", pkg)
	}
	out.WriteByte('\n')
	for _, path := range slices.Sorted(maps.Keys(w.imports)) {
		fmt.Fprintf(&out, "import %q;\n", path)
	}
	if len(w.imports) > 0 {
		out.WriteByte('\n')
	}
	out.WriteString(w.body.String())
	return out.String(), nil
}

// connectDefaultProto is what messages for structs without a name are called, with a number behind.
const connectDefaultProto = "ConnectDefault"

var protoName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkProtoName(name string) error {
	if protoName.MatchString(name) {
		return nil
	}
	return fault.Data.New("Protobuf has no such name: " + strconv.Quote(name))
}

func (w *protoWriter) message(s *data.Schema, name, indent string) error {
	if err := checkProtoName(name); err != nil {
		return err
	}
	if w.depth++; w.depth > maxPath {
		return fault.Data.New("The schema nests too deep for Protobuf")
	}
	defer func() { w.depth-- }()
	fmt.Fprintf(&w.body, "%smessage %s {\n", indent, name)
	scope := protoScope{}
	numbers := fieldNumbers(s)
	for i, f := range s.Fields() {
		if err := checkProtoName(f.Name); err != nil {
			return err
		}
		typ, err := w.field(f.Schema, scope)
		if err != nil {
			return fault.Data.Errorf("field %s: %w", f.Name, err)
		}
		fmt.Fprintf(&w.body, "%s  %s %s = %d%s;\n", indent, typ, f.Name, numbers[i], w.note(elementOf(f.Schema)))
	}
	for _, nested := range slices.Sorted(maps.Keys(scope)) {
		w.body.WriteByte('\n')
		if err := w.message(scope[nested], nested, indent+"  "); err != nil {
			return err
		}
	}
	fmt.Fprintf(&w.body, "%s}\n", indent)
	return nil
}

// fieldNumbers are those that the schema remembers of the Protobuf that it comes from, else 1, 2, 3.
func fieldNumbers(s *data.Schema) []int {
	out := make([]int, len(s.Fields()))
	tagged := true
	for i, f := range s.Fields() {
		tag, _ := f.Schema.Parameter(protoTag)
		n, err := strconv.Atoi(tag)
		out[i], tagged = n, tagged && err == nil
	}
	if !tagged {
		for i := range out {
			out[i] = i + 1
		}
	}
	return out
}

func elementOf(s *data.Schema) *data.Schema {
	if s.Type() == data.TypeArray {
		return s.Elem()
	}
	return s
}

// field is a field's label and type.
func (w *protoWriter) field(s *data.Schema, scope protoScope) (string, error) {
	switch s.Type() {
	case data.TypeArray:
		typ, err := w.element(s.Elem(), scope)
		return "repeated " + typ, err
	case data.TypeMap:
		key, ok := protoNames[s.Key().Type()]
		switch s.Key().Type() {
		case data.TypeFloat32, data.TypeFloat64, data.TypeBytes:
			ok = false
		}
		if !ok {
			return "", fault.Data.New("Protobuf has no maps with keys of type " + s.Key().Type().String())
		}
		typ, err := w.element(s.Elem(), scope)
		return "map<" + key[0] + ", " + typ + ">", err
	}
	typ, err := w.element(s, scope)
	if w.nullable && s.Optional() {
		typ = "optional " + typ
	}
	return typ, err
}

// element is the type of a value that is no array and no map.
func (w *protoWriter) element(s *data.Schema, scope protoScope) (string, error) {
	use := func(path, name string) (string, error) {
		w.imports[path] = true
		return name, nil
	}
	switch {
	case s == nil:
		return "", fault.Data.New("Protobuf needs a schema for all parts of the data")
	case s.IsDecimal():
		return use("confluent/type/decimal.proto", "confluent.type.Decimal")
	case s.IsDate():
		return use("google/type/date.proto", "google.type.Date")
	case s.IsTime():
		return use("google/type/timeofday.proto", "google.type.TimeOfDay")
	case s.IsTimestamp():
		return use("google/protobuf/timestamp.proto", "google.protobuf.Timestamp")
	case s.Type() == data.TypeStruct:
		return scope.name(s), nil
	}
	names, ok := protoNames[s.Type()]
	if !ok {
		return "", fault.Data.New("Protobuf has no arrays or maps within arrays and maps")
	}
	return names[0], nil
}

// name is the message of a struct within its parent: the last word of its name.
func (c protoScope) name(s *data.Schema) string {
	base := s.Name()[strings.LastIndexByte(s.Name(), '.')+1:]
	for i := 1; ; i++ {
		name := base
		if base == "" {
			name = connectDefaultProto + strconv.Itoa(i+1)
		} else if i > 1 {
			name += strconv.Itoa(i)
		}
		known := c[name]
		if known == nil {
			c[name] = s
			return name
		}
		if data.CopyAll(known).SetOptional(s.Optional()).Rebuild().Equal(s) {
			return name
		}
	}
}

// note is the option with what Protobuf's type does not tell.
func (w *protoWriter) note(s *data.Schema) string {
	var params []string
	add := func(key, value string) { params = append(params, fmt.Sprintf("{key: %q, value: %q}", key, value)) }
	switch {
	case s.IsDecimal():
		scale, _ := s.Parameter(data.ScaleParameter)
		precision, ok := s.Parameter("connect.decimal.precision")
		if !ok {
			precision = "64"
		}
		add(protoPrecision, precision)
		add(protoScale, scale)
	case s.Type() == data.TypeInt8, s.Type() == data.TypeInt16:
		add(protoConnectType, strings.ToLower(s.Type().String()))
	default:
		return ""
	}
	w.imports["confluent/meta.proto"] = true
	return " [(confluent.field_meta) = {params: [" + strings.Join(params, ", ") + "]}]"
}
