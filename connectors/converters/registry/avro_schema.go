package registry

import (
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
	avroEnum       = avroNamespace + ".Enum"
)

// Parameters of schemas that keep what Connect has no place for.
const (
	recordDocParameter    = avroNamespace + ".record.doc"
	fieldDocParameter     = avroNamespace + ".field.doc."
	fieldDefaultParameter = avroNamespace + ".field.default" // the default is the Avro field's own
	enumDocParameter      = avroNamespace + ".enum.doc."
	enumDefaultParameter  = avroNamespace + ".enum.default."
	fixedParameter        = "connect.fixed.size"
	precisionParameter    = "connect.decimal.precision"
)

// decimalPrecision is that of a decimal which tells none.
const decimalPrecision = 64

// avroOptions are how schemas are read and written.
type avroOptions struct {
	meta       bool // connect.meta.data
	scrub      bool // scrub.invalid.names
	nullKeys   bool // allow.optional.map.keys
	enhanced   bool // enhanced.avro.schema.support
	sums       bool // generalized.sum.type.support
	discard    bool // discard.type.doc.default
	singletons bool // a union of one type is a union: flatten.singleton.unions is false
}

// enumParameter is the parameter that names an enumeration; those of its values begin with it.
func (o avroOptions) enumParameter() string {
	if o.sums {
		return sumEnum
	}
	return avroEnum
}

func (o avroOptions) enumDoc(name string) string {
	if o.discard {
		return "connect.enum.doc"
	}
	return enumDocParameter + name
}

// branchName is the field of a union's struct for a branch, which is the nth that is not null.
func (o avroOptions) branchName(n *avro.SchemaNode, nth int) string {
	switch {
	case o.sums:
		return sumField + strconv.Itoa(nth)
	case n.Name != "" && o.enhanced:
		return fullName(n)
	case n.Name != "":
		return lastWord(n.Name)
	case o.enhanced && !isAvroWord(n.Type):
		return n.Type
	}
	return lastWord(n.Type)
}

// isAvroWord tells the types of Avro's own from names.
func isAvroWord(typ string) bool {
	switch typ {
	case "boolean", "int", "long", "float", "double", "string", "bytes", "array", "map":
		return true
	}
	return false
}

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
	sum      bool // a union that is a struct with a field for each branch
	null     int  // of an optional union: the index of null, -1 for other unions
	entry    bool // a record that is an entry of a map
	entries  bool // an array of such: a map
	scrub    bool // of a record: names stand for those of fields that Avro does not allow
	// last is the struct schema that places was worked out for: the place of each field in it.
	last   *data.Schema
	places []int
}

// readAvro reads a schema as the registry has it.
func readAvro(r registered, options avroOptions) (*avroType, error) {
	s, err := parseAvro(r)
	if err != nil {
		return nil, err
	}
	return (&avroReader{options: options, named: map[string]*avroType{}, open: map[string]*opened[avroType]{}}).read(s.Root(), false)
}

// parseAvro parses a schema. Types of schemas that it refers to are put in where they are named first.
func parseAvro(r registered) (*avro.Schema, error) {
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
	return s, nil
}

// avroReader resolves names to types that came before, or that are being read.
type avroReader struct {
	named map[string]*avroType
	open  map[string]*opened[avroType]
	depth int

	options avroOptions
	unions  int // that were named
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
	if x, told := n.Props["connect.default"]; told {
		if v, ok := avroValue(t, x); ok {
			if with, err := data.CopyAll(t.connect).Default(v).Build(); err == nil {
				t.connect = with
			}
		}
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
	t.scrub, t.entry = r.options.scrub, isMapEntry(n)
	if r.keepsDocs() && n.Doc != "" {
		b.Parameter(recordDocParameter, n.Doc)
	}
	for i := range n.Fields {
		if f := &n.Fields[i]; r.keepsDocs() && f.Doc != "" {
			b.Parameter(fieldDocParameter+f.Name, f.Doc)
		}
		f, err := r.read(&n.Fields[i].Type, false)
		if err != nil {
			return nil, err
		}
		f = r.ofField(f, &n.Fields[i])
		t.fields, t.names = append(t.fields, f), append(t.names, n.Fields[i].Name)
		b.Field(n.Fields[i].Name, f.connect)
	}
	return b, nil
}

// keepsDocs tells whether parameters tell docs and defaults of Avro's own.
func (r *avroReader) keepsDocs() bool { return r.options.meta && !r.options.discard }

// ofField gives a field's type what the field says: its doc, and the default where the type is neither null nor another. Of those that
// may be null, and of structs, only connect.default counts.
func (r *avroReader) ofField(t *avroType, f *avro.SchemaField) *avroType {
	b := data.CopyAll(t.connect)
	changed := false
	if r.options.discard && f.Doc != "" {
		b.Doc(f.Doc)
		changed = true
	}
	_, told := f.Type.Props["connect.default"]
	if f.HasDefault && !told && (t.kind != "union" || t.sum) {
		if r.keepsDocs() {
			b.Parameter(fieldDefaultParameter, "true")
			changed = true
		}
		if v, ok := avroValue(t, f.Default); ok && !v.IsNull() {
			if _, err := data.CopyAll(t.connect).Default(v).Build(); err == nil {
				b.Default(v)
				changed = true
			}
		}
	}
	if !changed || t.connect.Within() != nil {
		return t
	}
	c := *t
	c.connect = b.Rebuild()
	return &c
}

func (r *avroReader) array(t *avroType, n *avro.SchemaNode) (*data.SchemaBuilder, error) {
	var err error
	if t.elem, err = r.read(n.Items, false); err != nil {
		return nil, err
	}
	if t.elem.entry && len(t.elem.fields) == 2 {
		t.entries = true
		return data.NewMapSchema(t.elem.fields[0].connect, t.elem.fields[1].connect), nil
	}
	return data.NewArraySchema(t.elem.connect), nil
}

// isMapEntry tells records that are the entries of a map.
func isMapEntry(n *avro.SchemaNode) bool {
	return n.Type == "record" && (fullName(n) == mapEntry || n.Props["connect.internal.type"] == "MapEntry")
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
		b := data.NewDecimalSchema(n.Scale)
		if n.Precision != 0 && n.Precision != decimalPrecision {
			b.Parameter(precisionParameter, strconv.Itoa(n.Precision))
		}
		if n.Type == "fixed" {
			b.Parameter(fixedParameter, strconv.Itoa(n.Size))
		}
		return b
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
		return data.NewSchema(data.TypeBytes).Name(fullName(n)).Parameter(fixedParameter, strconv.Itoa(n.Size))
	case "enum":
		return r.enum(n)
	}
	return nil
}

// enum is a text; parameters tell the values, in their order.
func (r *avroReader) enum(n *avro.SchemaNode) *data.SchemaBuilder {
	b := data.NewSchema(data.TypeString).Name(fullName(n))
	if r.options.meta && n.Doc != "" {
		b.Parameter(r.options.enumDoc(lastWord(n.Name)), n.Doc)
	}
	if r.keepsDocs() && n.HasEnumDefault {
		b.Parameter(enumDefaultParameter+lastWord(n.Name), n.EnumDefault)
	}
	param := r.options.enumParameter()
	b.Parameter(param, fullName(n))
	for i, s := range n.Symbols {
		value := s
		if r.options.sums {
			value = strconv.Itoa(i)
		}
		b.Parameter(param+"."+s, value)
	}
	return b
}

func lastWord(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// describe takes over what Connect has written beside the type.
func (r *avroReader) describe(b *data.SchemaBuilder, n *avro.SchemaNode) {
	if name, ok := n.Props["connect.name"].(string); ok {
		b.Name(name)
	}
	if v, ok := n.Props["connect.version"].(int64); ok {
		b.Version(int32(v))
	}
	doc, _ := n.Props["connect.doc"].(string)
	if r.options.discard && n.Doc != "" {
		doc = n.Doc
	}
	if r.options.meta || r.options.discard {
		b.Doc(doc)
	}
	if r.options.meta && r.options.discard && n.Doc != "" {
		b.Parameter("connect.record.doc", n.Doc)
	}
	if params, _ := n.Props["connect.parameters"].(map[string]any); r.options.meta {
		for _, name := range sortedKeys(params) {
			if s, ok := params[name].(string); ok {
				b.Parameter(name, s)
			}
		}
	}
	for _, name := range sortedKeys(n.Props) {
		if s, ok := n.Props[name].(string); ok && strings.HasPrefix(name, "avro") {
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
	simple := hasNull && len(n.Branches) == 2 || !hasNull && len(n.Branches) == 1 && !r.options.singletons
	b := data.NewStructSchema().Name(unionName).SetOptional(hasNull)
	if r.options.sums && !simple {
		name := sumPrefix + strconv.Itoa(r.unions)
		r.unions++
		b.Name(name).Parameter(sumParameter, name)
	}
	fields := 0
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
			b.Field(r.options.branchName(&n.Branches[i], fields), branch.connect)
			fields++
		}
	}
	if simple {
		return t, nil
	}
	var err error
	t.sum = true
	t.connect, err = b.Build()
	return t, err
}
