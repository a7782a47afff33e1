package registry

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/avro"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

const (
	avroNamespace  = "io.confluent.connect.avro"
	connectDefault = avroNamespace + ".ConnectDefault"
	mapEntry       = avroNamespace + ".MapEntry"
	unionName      = avroNamespace + ".Union"
)

// avroType is a type of an Avro schema with the schema that its values have here.
type avroType struct {
	kind     string
	connect  *data.Schema // nil for null
	elem     *avroType
	fields   []*avroType
	names    []string
	branches []*avroType
	symbols  []string
	size     int
	null     int  // of an optional union: the index of null, -1 for other unions
	entries  bool // an array of MapEntry: a map
	scrub    bool // of a record: names stand for those of fields that Avro does not allow
	// last is the struct schema that places was worked out for: the place of each field in it.
	last   *data.Schema
	places []int
}

// readAvro reads a schema as the registry has it. Types of schemas that it refers to are put in where they are named first.
// With scrub it is to write data by, whose fields may have names that Avro does not allow.
func readAvro(r registered, scrub bool) (*avroType, error) {
	var types avro.SchemaCache
	for _, to := range r.references {
		if _, err := types.Parse(to.text); err != nil {
			return nil, fault.Data.Errorf("reading the Avro schema %s: %w", to.name, err)
		}
	}
	s, err := types.Parse(r.text)
	if err != nil {
		return nil, fault.Data.Errorf("reading an Avro schema: %w", err)
	}
	return (&avroReader{scrub: scrub, named: map[string]*avroType{}, open: map[string]*opened[avroType]{}}).read(s.Root(), false)
}

// avroReader resolves names to types that came before, or that are being read.
type avroReader struct {
	named map[string]*avroType
	open  map[string]*opened[avroType]
	depth int
	scrub bool
}

func (r *avroReader) read(n *avro.SchemaNode, optional bool) (*avroType, error) {
	if r.depth++; r.depth > 100 {
		return nil, fault.Data.New("The Avro schema nests too deep")
	}
	defer func() { r.depth-- }()
	t := &avroType{kind: n.Type, null: -1, size: n.Size, symbols: n.Symbols}
	var b *data.SchemaBuilder
	var err error
	switch n.Type {
	case "null":
		return t, nil
	case "union":
		return r.union(t, n)
	case "record", "error":
		b, err = r.record(t, n)
	case "array":
		b, err = r.array(t, n)
	case "map":
		if t.elem, err = r.read(n.Values, false); err == nil {
			b = data.NewMapSchema(data.StringSchema, t.elem.connect)
		}
	default:
		if b = r.scalar(n); b == nil {
			return r.reference(n.Type, optional)
		}
	}
	if err != nil {
		return nil, err
	}
	r.describe(b, n)
	if t.connect, err = b.SetOptional(optional).Build(); err != nil {
		return nil, err
	}
	if name := fullName(n); name != "" {
		if o := r.open[name]; o != nil {
			o.tie(t, func(t *avroType) **data.Schema { return &t.connect })
			delete(r.open, name)
		}
		r.named[name] = t
	}
	return t, nil
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || strings.Contains(n.Name, ".") {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

func (r *avroReader) reference(name string, optional bool) (*avroType, error) {
	t := lookUp(r.named, name)
	if o := lookUp(r.open, name); t == nil && o != nil {
		within := &avroType{connect: o.knot.Reference(optional)}
		o.within = append(o.within, within)
		return within, nil
	}
	if t == nil {
		return nil, fault.Data.New("The Avro type " + name + " is not known")
	}
	if t.connect.Optional() == optional {
		return t, nil
	}
	c := *t
	c.last = nil
	c.connect = data.CopyAll(t.connect).SetOptional(optional).Rebuild()
	return &c, nil
}

// lookUp finds a full name, or the one of a name that has no namespace.
func lookUp[T any](types map[string]*T, name string) *T {
	if t := types[name]; t != nil {
		return t
	}
	for full, t := range types {
		if strings.HasSuffix(full, "."+name) {
			return t
		}
	}
	return nil
}

func (r *avroReader) record(t *avroType, n *avro.SchemaNode) (*data.SchemaBuilder, error) {
	b := data.NewStructSchema()
	name := fullName(n)
	if !strings.HasPrefix(name, connectDefault) {
		b.Name(name)
	}
	r.open[name] = &opened[avroType]{}
	t.scrub = r.scrub
	for i := range n.Fields {
		f, err := r.read(&n.Fields[i].Type, false)
		if err != nil {
			return nil, err
		}
		f = r.withDefault(f, &n.Fields[i])
		t.fields, t.names = append(t.fields, f), append(t.names, n.Fields[i].Name)
		b.Field(n.Fields[i].Name, f.connect)
	}
	return b, nil
}

// withDefault gives a field of a primitive type its default.
func (r *avroReader) withDefault(t *avroType, f *avro.SchemaField) *avroType {
	var v data.Value
	switch x := f.Default.(type) {
	case bool:
		v = data.BooleanValue(x)
	case int32:
		v = data.Int32Value(x)
	case int64:
		v = data.Int64Value(x)
	case float32:
		v = data.Float32Value(x)
	case float64:
		v = data.Float64Value(x)
	case string:
		v = data.StringValue(x)
	}
	if v.IsNull() || !t.connect.Type().IsPrimitive() || t.connect.IsLogical() {
		return t
	}
	v, err := data.Convert(t.connect, nil, v)
	if err != nil {
		return t
	}
	c := *t
	c.connect = data.CopyAll(t.connect).Default(v).Rebuild()
	return &c
}

func (r *avroReader) array(t *avroType, n *avro.SchemaNode) (*data.SchemaBuilder, error) {
	var err error
	if t.elem, err = r.read(n.Items, false); err != nil {
		return nil, err
	}
	if n.Items.Type == "record" && fullName(n.Items) == mapEntry && len(t.elem.fields) == 2 {
		t.entries = true
		return data.NewMapSchema(t.elem.fields[0].connect, t.elem.fields[1].connect), nil
	}
	return data.NewArraySchema(t.elem.connect), nil
}

func (r *avroReader) scalar(n *avro.SchemaNode) *data.SchemaBuilder {
	switch n.LogicalType {
	case "date":
		return data.NewDateSchema()
	case "time-millis":
		return data.NewTimeSchema()
	case "timestamp-millis":
		return data.NewTimestampSchema()
	case "decimal":
		return data.NewDecimalSchema(n.Scale)
	}
	switch n.Type {
	case "boolean":
		return data.NewSchema(data.TypeBoolean)
	case "int":
		switch n.Props["connect.type"] {
		case "int8":
			return data.NewSchema(data.TypeInt8)
		case "int16":
			return data.NewSchema(data.TypeInt16)
		}
		return data.NewSchema(data.TypeInt32)
	case "long":
		return data.NewSchema(data.TypeInt64)
	case "float":
		return data.NewSchema(data.TypeFloat32)
	case "double":
		return data.NewSchema(data.TypeFloat64)
	case "string":
		return data.NewSchema(data.TypeString)
	case "bytes":
		return data.NewSchema(data.TypeBytes)
	case "fixed":
		return data.NewSchema(data.TypeBytes).Name(fullName(n)).Parameter("connect.fixed.size", strconv.Itoa(n.Size))
	case "enum":
		b := data.NewSchema(data.TypeString).Name(fullName(n)).Parameter(avroNamespace+".Enum", fullName(n))
		for _, s := range n.Symbols {
			b.Parameter(avroNamespace+".Enum."+s, s)
		}
		return b
	}
	return nil
}

// describe takes over what Connect has written beside the type.
func (r *avroReader) describe(b *data.SchemaBuilder, n *avro.SchemaNode) {
	if name, ok := n.Props["connect.name"].(string); ok {
		b.Name(name)
	}
	if v, ok := n.Props["connect.version"].(int64); ok {
		b.Version(int32(v))
	}
	if doc, ok := n.Props["connect.doc"].(string); ok {
		b.Doc(doc)
	}
	params, _ := n.Props["connect.parameters"].(map[string]any)
	for _, name := range sortedKeys(params) {
		if s, ok := params[name].(string); ok {
			b.Parameter(name, s)
		}
	}
}

func sortedKeys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// union is an optional type, a type alone, or a struct with a field for each branch.
func (r *avroReader) union(t *avroType, n *avro.SchemaNode) (*avroType, error) {
	hasNull := slices.ContainsFunc(n.Branches, func(b avro.SchemaNode) bool { return b.Type == "null" })
	simple := hasNull && len(n.Branches) == 2 || !hasNull && len(n.Branches) == 1
	b := data.NewStructSchema().Name(unionName).SetOptional(hasNull)
	for i := range n.Branches {
		branch, err := r.read(&n.Branches[i], hasNull || !simple)
		if err != nil {
			return nil, err
		}
		t.branches = append(t.branches, branch)
		switch {
		case branch.connect == nil && simple:
			t.null = i
		case branch.connect != nil && simple:
			t.connect = branch.connect
		case branch.connect != nil:
			b.Field(branchName(&n.Branches[i]), branch.connect)
		}
	}
	if simple {
		return t, nil
	}
	var err error
	t.connect, err = b.Build()
	return t, err
}

func branchName(n *avro.SchemaNode) string {
	if n.Name != "" {
		return n.Name[strings.LastIndexByte(n.Name, '.')+1:]
	}
	return n.Type[strings.LastIndexByte(n.Type, '.')+1:]
}

// avroOptions are how schemas are written.
type avroOptions struct {
	meta     bool // connect.meta.data
	scrub    bool // scrub.invalid.names
	nullKeys bool // allow.optional.map.keys
}

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
	w := &avroWriter{avroOptions: options, defined: map[string]*data.Schema{}, names: map[*data.Schema]string{}}
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
	names   map[*data.Schema]string // of structs, which may have none of their own
}

func (w *avroWriter) write(s *data.Schema, union bool) (any, error) {
	if s == nil {
		return nil, fault.Data.New("Avro needs a schema for all parts of the data")
	}
	if s.Type() == data.TypeStruct && s.Name() == unionName {
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
	switch t := s.Type(); t {
	case data.TypeStruct:
		return w.record(s)
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

func (w *avroWriter) logical(out map[string]any, s *data.Schema) {
	switch {
	case s.IsDecimal():
		scale, _ := s.Parameter(data.ScaleParameter)
		n, _ := strconv.Atoi(scale)
		out["logicalType"], out["precision"], out["scale"] = "decimal", 64, n
		if p, ok := s.Parameter("connect.decimal.precision"); ok {
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

func (w *avroWriter) describe(out map[string]any, s *data.Schema) {
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
	if len(s.Parameters()) > 0 {
		params := map[string]string{}
		for _, p := range s.Parameters() {
			params[p.Name] = p.Value
		}
		out["connect.parameters"] = params
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
	key, err := w.write(s.Key(), true)
	if err != nil {
		return err
	}
	out["type"] = "array"
	out["items"] = map[string]any{
		"type": "record", "name": "MapEntry", "namespace": avroNamespace,
		"fields": []any{map[string]any{"name": "key", "type": key}, map[string]any{"name": "value", "type": value}},
	}
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
	if name == "" {
		name = connectDefault
		for i := 2; w.defined[name] != nil; i++ {
			name = connectDefault + strconv.Itoa(i)
		}
	}
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
	out := map[string]any{"type": "record", "name": name}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		out["namespace"], out["name"] = name[:i], name[i+1:]
	}
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
		if def, ok := avroDefault(f.Schema); ok {
			field["default"] = def
		}
		fields = append(fields, field)
	}
	out["fields"] = fields
	w.describe(out, s)
	return out, nil
}

// avroDefault is the default of a field: null of an optional one, a primitive value, or none.
func avroDefault(s *data.Schema) (any, bool) {
	v := s.Default()
	switch v.Type() {
	case data.TypeNull:
		return nil, s.Optional()
	case data.TypeInt8, data.TypeInt16, data.TypeInt32, data.TypeInt64:
		return v.Int(), true
	case data.TypeFloat32, data.TypeFloat64:
		return v.Float(), true
	case data.TypeBoolean:
		return v.Bool(), true
	case data.TypeString:
		return v.Str(), true
	}
	return nil, false
}
