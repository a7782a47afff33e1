package registry

import (
	"cmp"
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

// integerKinds are the other ways in which integers are written, and the wrappers for them.
var integerKinds = map[string]string{
	"uint32": "UInt32Value", "fixed32": "UInt32Value", "sint32": "Int32Value", "sfixed32": "Int32Value",
	"uint64": "UInt64Value", "fixed64": "UInt64Value", "sint64": "Int64Value", "sfixed64": "Int64Value",
}

// protoWriter writes a schema as the text of a file.
type protoWriter struct {
	nullable bool // fields that may be null get the label optional
	wrappers bool // fields that may be null are wrappers of google.protobuf
	imports  map[string]bool
	body     strings.Builder
	pkg      string
	open     []*protoScope
}

// protoScope is a message that is being written, with the messages and enumerations that are defined within it.
type protoScope struct {
	schema   *data.Schema
	name     string // with those of the messages around it
	messages map[string]*data.Schema
	enums    map[string]*data.Schema
	numbers  []int // of the fields that are not written yet
}

func (c *protoScope) number() int {
	n := c.numbers[0]
	c.numbers = c.numbers[1:]
	return n
}

// writeProto is the text of a schema: a struct, or a primitive type as a wrapper of google.protobuf.
func writeProto(s *data.Schema, nullable, wrappers bool) (string, error) {
	w := &protoWriter{nullable: nullable, wrappers: wrappers, imports: map[string]bool{}}
	name := connectDefaultProto + "1"
	if s.Type() != data.TypeStruct {
		w.pkg, name = "google.protobuf", protoNames[s.Type()][1]
		fmt.Fprintf(&w.body, "message %s {\n  %s value = 1%s;\n}\n", name, protoNames[s.Type()][0], w.note(s))
	} else {
		if s.Name() != "" {
			name = s.Name()
		}
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			w.pkg, name = name[:i], name[i+1:]
		}
		if err := w.message(s, name, ""); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	out.WriteString("syntax = \"proto3\";\n")
	if w.pkg != "" {
		for part := range strings.SplitSeq(w.pkg, ".") {
			if err := checkProtoName(part); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&out, "package %s;\n", w.pkg)
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
	scope := &protoScope{schema: s, name: name, messages: map[string]*data.Schema{}, enums: map[string]*data.Schema{}}
	if len(w.open) > 0 {
		scope.name = w.open[len(w.open)-1].name + "." + name
	}
	if w.open = append(w.open, scope); len(w.open) > maxPath {
		return fault.Data.New("The schema nests too deep for Protobuf")
	}
	defer func() { w.open = w.open[:len(w.open)-1] }()
	fmt.Fprintf(&w.body, "%smessage %s {\n", indent, name)
	scope.numbers = fieldNumbers(s)
	if err := w.fields(s.Fields(), scope, indent+"  "); err != nil {
		return err
	}
	for _, nested := range slices.Sorted(maps.Keys(scope.messages)) {
		w.body.WriteByte('\n')
		if err := w.message(scope.messages[nested], nested, indent+"  "); err != nil {
			return err
		}
	}
	for _, nested := range slices.Sorted(maps.Keys(scope.enums)) {
		if err := w.enum(scope.enums[nested], nested, indent+"  "); err != nil {
			return err
		}
	}
	fmt.Fprintf(&w.body, "%s}\n", indent)
	return nil
}

// fields writes fields; those of a union stand in a oneof.
func (w *protoWriter) fields(fields []data.Field, scope *protoScope, indent string) error {
	for _, f := range fields {
		if union, ok := unionOf(f.Schema); ok {
			if err := checkProtoName(union); err != nil {
				return err
			}
			fmt.Fprintf(&w.body, "%soneof %s {\n", indent, union)
			if err := w.choices(f.Schema.Fields(), scope, indent+"  "); err != nil {
				return err
			}
			fmt.Fprintf(&w.body, "%s}\n", indent)
			continue
		}
		typ, err := w.field(f, scope)
		if err != nil {
			return fault.Data.Errorf("field %s: %w", f.Name, err)
		}
		fmt.Fprintf(&w.body, "%s%s %s = %d%s;\n", indent, typ, f.Name, scope.number(), w.note(elementOf(f.Schema)))
	}
	return nil
}

func (w *protoWriter) choices(fields []data.Field, scope *protoScope, indent string) error {
	for _, f := range fields {
		if err := checkProtoName(f.Name); err != nil {
			return err
		}
		if t := f.Schema.Type(); t == data.TypeArray || t == data.TypeMap {
			return fault.Data.New("Protobuf has no arrays or maps in a oneof, but here is " + f.Name)
		}
		typ, err := w.element(f.Schema, f.Name, scope)
		if err != nil {
			return fault.Data.Errorf("field %s: %w", f.Name, err)
		}
		fmt.Fprintf(&w.body, "%s%s %s = %d%s;\n", indent, typ, f.Name, scope.number(), w.note(f.Schema))
	}
	return nil
}

// unionOf is the name of the oneof that a struct stands for.
func unionOf(s *data.Schema) (string, bool) {
	if name, ok := s.Parameter(sumParameter); ok && s.Type() == data.TypeStruct {
		return lastWord(name), true
	}
	name, ok := strings.CutPrefix(s.Name(), protoUnion)
	return lastWord(name), ok && s.Type() == data.TypeStruct
}

// fieldNumbers are those that the schemas of the fields remember of the Protobuf that they come from, else 1, 2, 3.
func fieldNumbers(s *data.Schema) []int {
	fields := leaves(s, nil)
	out := make([]int, len(fields))
	tagged := true
	for i, f := range fields {
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

// leaves are the fields of a message, those of its unions among them.
func leaves(s *data.Schema, to []data.Field) []data.Field {
	for _, f := range s.Fields() {
		if _, union := unionOf(f.Schema); union {
			to = append(to, f.Schema.Fields()...)
		} else {
			to = append(to, f)
		}
	}
	return to
}

func elementOf(s *data.Schema) *data.Schema {
	if s.Type() == data.TypeArray {
		return s.Elem()
	}
	return s
}

// field is a field's label and type.
func (w *protoWriter) field(f data.Field, scope *protoScope) (string, error) {
	if err := checkProtoName(f.Name); err != nil {
		return "", err
	}
	s := f.Schema
	switch s.Type() {
	case data.TypeArray:
		typ, err := w.element(s.Elem(), f.Name, scope)
		return "repeated " + typ, err
	case data.TypeMap:
		if s.Key() == nil || s.Elem() == nil {
			return "", fault.Data.New("Protobuf needs a schema for all parts of the data")
		}
		key, ok := protoNames[s.Key().Type()]
		switch s.Key().Type() {
		case data.TypeFloat32, data.TypeFloat64, data.TypeBytes:
			ok = false
		}
		if !ok {
			return "", fault.Data.New("Protobuf has no maps with keys of type " + s.Key().Type().String())
		}
		typ, err := w.element(s.Elem(), f.Name, scope)
		return "map<" + kindOf(s.Key(), key[0]) + ", " + typ + ">", err
	}
	if w.wrappers && s.Optional() && s.Type().IsPrimitive() && !s.IsLogical() && !isProtoEnum(s) {
		w.imports["google/protobuf/wrappers.proto"] = true
		name := protoNames[s.Type()][1]
		if kind, ok := s.Parameter(protoIntegerKind); ok && integerKinds[kind] != "" {
			name = integerKinds[kind]
		}
		return "google.protobuf." + name, nil
	}
	typ, err := w.element(s, f.Name, scope)
	if w.nullable && s.Optional() {
		typ = "optional " + typ
	}
	return typ, err
}

// kindOf is the way in which the schema says that integers are written, or the usual one.
func kindOf(s *data.Schema, usual string) string {
	if kind, ok := s.Parameter(protoIntegerKind); ok && integerKinds[kind] != "" && (s.Type() == data.TypeInt32 || s.Type() == data.TypeInt64) {
		return kind
	}
	return usual
}

// enumOf is the parameter that names an enumeration.
func enumOf(s *data.Schema) string {
	if _, ok := s.Parameter(sumEnum); ok {
		return sumEnum
	}
	return protoEnum
}

func isProtoEnum(s *data.Schema) bool {
	_, ok := s.Parameter(enumOf(s))
	return ok && (s.Type() == data.TypeString || s.Type() == data.TypeInt32)
}

// element is the type of a value that is no array and no map.
func (w *protoWriter) element(s *data.Schema, field string, scope *protoScope) (string, error) {
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
		return w.messageOf(s, field, scope), nil
	case isProtoEnum(s):
		name, _ := s.Parameter(enumOf(s))
		if name = lastWord(name); name == "" {
			name = lastWord(s.Name())
		}
		scope.enums[name] = s
		return name, nil
	}
	names, ok := protoNames[s.Type()]
	if !ok {
		return "", fault.Data.New("Protobuf has no arrays or maps within arrays and maps")
	}
	return kindOf(s, names[0]), nil
}

// messageOf is the message of a struct: one that the field is within, or one defined in the same message, called by the last word of the
// struct's name, which may not be that of the field.
func (w *protoWriter) messageOf(s *data.Schema, field string, scope *protoScope) string {
	if s.Within() != nil {
		for _, around := range slices.Backward(w.open) {
			if around.schema == s.Within() || around.schema.Within() == s.Within() || s.Name() != "" && around.schema.Name() == s.Name() {
				if w.pkg != "" {
					return "." + w.pkg + "." + around.name
				}
				return "." + around.name
			}
		}
	}
	base := s.Name()[strings.LastIndexByte(s.Name(), '.')+1:]
	if base == field {
		base += "Message"
	}
	for i := 1; ; i++ {
		name := base
		if base == "" {
			name = connectDefaultProto + strconv.Itoa(i+1)
		} else if i > 1 {
			name += strconv.Itoa(i)
		}
		known := scope.messages[name]
		if known == nil {
			scope.messages[name] = s
			return name
		}
		if sameMessage(known, s) {
			return name
		}
	}
}

// sameMessage tells whether structs have the same name and fields.
func sameMessage(a, b *data.Schema) bool {
	if a == b || a.Within() != nil && a.Within() == b.Within() {
		return true
	}
	return a.Name() == b.Name() && slices.EqualFunc(a.Fields(), b.Fields(), func(a, b data.Field) bool { return a.Name == b.Name && a.Schema.Equal(b.Schema) })
}

// enum writes an enumeration. The first value has to be zero.
func (w *protoWriter) enum(s *data.Schema, name, indent string) error {
	if err := checkProtoName(name); err != nil {
		return err
	}
	type value struct {
		name   string
		number int
	}
	var values []value
	numbers := map[int]bool{}
	aliases := false
	for _, p := range s.Parameters() {
		symbol, ok := strings.CutPrefix(p.Name, enumOf(s)+".")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(p.Value)
		if err != nil {
			return fault.Data.New("The value " + symbol + " of the enumeration " + name + " has no number")
		}
		if err := checkProtoName(symbol); err != nil {
			return err
		}
		aliases = aliases || numbers[n]
		numbers[n] = true
		values = append(values, value{symbol, n})
	}
	slices.SortStableFunc(values, func(a, b value) int {
		if (a.number == 0) != (b.number == 0) {
			return cmp.Compare(max(a.number, -a.number), max(b.number, -b.number))
		}
		return cmp.Compare(a.number, b.number)
	})
	fmt.Fprintf(&w.body, "%senum %s {\n", indent, name)
	if aliases {
		fmt.Fprintf(&w.body, "%s  option allow_alias = true;\n", indent)
	}
	for _, v := range values {
		fmt.Fprintf(&w.body, "%s  %s = %d;\n", indent, v.name, v.number)
	}
	fmt.Fprintf(&w.body, "%s}\n", indent)
	return nil
}

// note is the option with what Protobuf's type does not tell.
func (w *protoWriter) note(s *data.Schema) string {
	var params []string
	add := func(key, value string) { params = append(params, fmt.Sprintf("{key: %q, value: %q}", key, value)) }
	switch {
	case s == nil:
		return ""
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
