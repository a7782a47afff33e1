package transforms

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Cast changes the types of fields, or of the whole key or value.
type Cast struct {
	closer
	side  side
	whole *caster
	ed    editor
	cache schemaCache[*data.Schema]
}

const (
	castInputs  = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
	castOutputs = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
)

// ConfigDef defines spec.
func (*Cast) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "spec", Type: config.List, Validator: config.Check(checkCastSpec), Importance: config.High,
		Doc: "Fields with their new types, as field:type,field:type, or one type for the whole key or value: int8, int16, int32, int64, float32, float64, boolean, string. Bytes become strings only.",
	}, replaceNullKey(), pathsKey())
}

func checkCastSpec(_ string, value any) error {
	list, _ := value.([]string)
	if len(list) == 0 {
		return config.Exception("Must specify at least one field to cast.")
	}
	_, _, err := parseCastSpec(list)
	return err
}

// parseCastSpec reads name:type pairs, or one type for the whole value.
func parseCastSpec(list []string) (fields []string, types []data.Type, err error) {
	for _, mapping := range list {
		name, typ, pair := strings.Cut(mapping, ":")
		if strings.Contains(typ, ":") {
			return nil, nil, config.Invalid("renames", list, "Invalid rename mapping: "+mapping)
		}
		if !pair {
			name, typ = "", name
		}
		t, ok := data.TypeOf(strings.ToUpper(strings.TrimSpace(typ)))
		if !ok {
			return nil, nil, config.Exception("Invalid type found in casting spec: " + strings.TrimSpace(typ))
		}
		if t > data.TypeString {
			return nil, nil, config.Exception("Cast transformation does not support casting to " + t.String() + "; supported types are " + castOutputs)
		}
		if !pair && len(list) > 1 {
			return nil, nil, config.Exception("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec")
		}
		if pair {
			fields = append(fields, strings.TrimSpace(name))
		}
		types = append(types, t)
	}
	return fields, types, nil
}

// Configure reads the settings.
func (c *Cast) Configure(props config.Props) error {
	v, err := c.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	fields, types, err := parseCastSpec(v.List("spec"))
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		c.whole = &caster{to: types[0]}
		return nil
	}
	root := &edit{}
	for i, text := range fields {
		p, err := pathAt("spec", text, v)
		if err != nil {
			return err
		}
		node := root.at(p.Steps)
		node.mapper = &caster{to: types[i]}
	}
	c.ed = editor{edit: root, keep: keepOptional, defaults: v.Bool(replaceNull), purpose: "cast types"}
	return nil
}

// Apply casts; a null is left alone.
func (c *Cast) Apply(r *connectors.Record) (bool, error) {
	return c.ApplyDraft(r, &connectors.Draft{})
}

// ApplyDraft implements connectors.DraftTransformation.
func (c *Cast) ApplyDraft(r *connectors.Record, d *connectors.Draft) (bool, error) {
	sv := c.side.of(r)
	if sv.Value.IsNull() {
		return true, nil
	}
	if c.whole == nil {
		return true, c.ed.change(sv, nil, c.side.draft(d))
	}
	v, err := c.whole.mapValue(sv.Schema, sv.Value)
	if err != nil {
		return true, err
	}
	if from := sv.Schema; from != nil {
		if sv.Schema, err = c.cache.get(from, func() (*data.Schema, error) { return c.whole.mapWhole(from) }); err != nil {
			return true, err
		}
	}
	sv.Value = v
	return true, nil
}

// caster casts values to one type.
type caster struct{ to data.Type }

func (c *caster) mapSchema(s *data.Schema) (*data.Schema, error) {
	return c.build(data.NewSchema(c.to), s)
}

// mapWhole keeps name, version, doc and parameters, but not those that would make a logical type of what is none any more.
func (c *caster) mapWhole(s *data.Schema) (*data.Schema, error) {
	if s.IsLogical() {
		return c.mapSchema(s)
	}
	return c.build(data.CopyBasics(s, c.to), s)
}

func (c *caster) build(b *data.SchemaBuilder, s *data.Schema) (*data.Schema, error) {
	def, err := c.mapValue(s, s.Default())
	if err != nil {
		return nil, err
	}
	return b.SetOptional(s.Optional()).Default(def).Build()
}

func (c *caster) mapValue(s *data.Schema, v data.Value) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	from := v.Type()
	if s != nil {
		from = s.Type()
	}
	switch {
	case from > data.TypeStruct:
		return v, fault.Data.New("Cast transformation was passed a value of type class " + v.Type().JavaClass() + " which is not supported by Connect's data API")
	case from > data.TypeBytes:
		return v, fault.Data.New("Cast transformation does not support casting from " + from.String() + "; supported types are " + castInputs)
	}
	if c.to == data.TypeString {
		return castString(v), nil
	}
	if v.Type() == data.TypeDate {
		stored, err := data.FromLogical(s, v)
		if err != nil {
			return v, err
		}
		v = stored
	}
	switch {
	case v.Type().IsNumber():
		return castNumber(v, c.to), nil
	case v.Type() == data.TypeBoolean:
		return castNumber(data.Int8Value(int8(v.Int())), c.to), nil
	case v.Type() == data.TypeString:
		return castText(v.Str(), c.to)
	}
	return v, fault.Data.New("Unexpected type in Cast transformation: class " + v.Type().JavaClass())
}

func castString(v data.Value) data.Value {
	switch v.Type() {
	case data.TypeString:
		return v
	case data.TypeDate:
		return data.StringValue(string(data.AppendDate(nil, v.Millis())))
	case data.TypeBytes:
		return data.StringValue(base64.StdEncoding.EncodeToString(v.Bytes()))
	}
	return data.StringValue(v.String())
}

// castNumber is Java's Number.xxxValue: integers wrap, fractions are cut off.
func castNumber(v data.Value, to data.Type) data.Value {
	var n int64
	var f float64
	switch v.Type() {
	case data.TypeFloat32, data.TypeFloat64:
		f = v.Float()
		n = data.FloatToLong(f)
		if to < data.TypeInt64 {
			n = int64(data.FloatToInt(f))
		}
	case data.TypeDecimal:
		n, f = v.Decimal().Int64(), v.Decimal().Float64()
	case data.TypeBigInteger:
		d := data.NewDecimal(v.BigInteger(), 0)
		n, f = d.Int64(), d.Float64()
	default:
		n = v.Int()
		f = float64(n)
	}
	return numberOf(n, f, to)
}

func numberOf(n int64, f float64, to data.Type) data.Value {
	switch to {
	case data.TypeInt8:
		return data.Int8Value(int8(n))
	case data.TypeInt16:
		return data.Int16Value(int16(n))
	case data.TypeInt32:
		return data.Int32Value(int32(n))
	case data.TypeInt64:
		return data.Int64Value(n)
	case data.TypeFloat32:
		return data.Float32Value(float32(f))
	case data.TypeFloat64:
		return data.Float64Value(f)
	}
	return data.BooleanValue(n != 0)
}

// castText is Java's Integer.parseInt and its kin.
func castText(s string, to data.Type) (data.Value, error) {
	bits := map[data.Type]int{
		data.TypeInt8: 8, data.TypeInt16: 16, data.TypeInt32: 32, data.TypeInt64: 64, data.TypeFloat32: 32, data.TypeFloat64: 64,
	}[to]
	switch {
	case to == data.TypeBoolean:
		return data.BooleanValue(strings.EqualFold(s, "true")), nil
	case to <= data.TypeInt64:
		n, err := strconv.ParseInt(s, 10, bits)
		if err != nil {
			return data.Null, outOfRange(s, err)
		}
		return numberOf(n, 0, to), nil
	}
	f, err := parseJavaFloat(s, bits)
	if err != nil {
		return data.Null, outOfRange(s, err)
	}
	return numberOf(0, f, to), nil
}

func parseJavaFloat(s string, bits int) (float64, error) {
	t := strings.TrimSpace(s)
	switch strings.TrimLeft(t, "+-") {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		if t[0] == '-' {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	}
	if n := len(t); n > 0 && strings.IndexByte("fFdD", t[n-1]) >= 0 && !strings.HasPrefix(strings.ToLower(t), "0x") {
		t = t[:n-1]
	}
	f, err := strconv.ParseFloat(t, bits)
	if math.IsInf(f, 0) && err != nil && err.(*strconv.NumError).Err == strconv.ErrRange {
		return f, nil
	}
	if strings.ContainsAny(t, "nN_") && err == nil {
		return 0, strconv.ErrSyntax
	}
	return f, err
}

func outOfRange(s string, err error) error {
	return fault.Data.New("Value (" + s + ") was out of range for requested data type").Because(fault.NumberFormat.New(err.Error()))
}
