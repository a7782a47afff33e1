package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Flatten lifts the fields of nested structs and maps to the top, with names joined by a delimiter.
type Flatten struct {
	closer
	side      side
	delimiter string
	cache     schemaCache[*flatPlan]
}

// flatPlan is the flat schema of one nested schema, and the way to each of its fields.
type flatPlan struct {
	to    *data.Schema
	paths [][]int
}

// ConfigDef defines delimiter.
func (*Flatten) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "delimiter", Type: config.String, Default: ".", Importance: config.Medium,
		Doc: "The text between the names that make up a flat name.",
	})
}

// Configure reads the settings.
func (f *Flatten) Configure(props config.Props) error {
	v, err := f.ConfigDef().Parse(props)
	f.delimiter = v.String("delimiter")
	return err
}

// Apply flattens; a null is left alone.
func (f *Flatten) Apply(r *connectors.Record) (bool, error) {
	sv := f.side.of(r)
	if sv.Value.IsNull() {
		return true, nil
	}
	if sv.Schema == nil {
		m, err := requireMap(sv.Value, "flattening")
		if err != nil {
			return true, err
		}
		out := data.NewMap(m.Len())
		err = f.flatMap(m, "", out)
		sv.Value = data.MapValue(out)
		return true, err
	}
	s, err := requireStruct(sv.Value, "flattening")
	if err != nil {
		return true, err
	}
	p, err := f.cache.get(s.Schema(), func() (*flatPlan, error) { return f.plan(s.Schema()) })
	if err != nil {
		return true, err
	}
	sv.Schema, sv.Value = p.to, data.StructValue(p.apply(s))
	return true, nil
}

func (f *Flatten) name(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + f.delimiter + name
}

func (f *Flatten) flatMap(m *data.Map, prefix string, out *data.Map) error {
	for _, e := range m.Entries() {
		name := f.name(prefix, e.Key.String())
		switch t := e.Value.Type(); {
		case t == data.TypeMap:
			if err := f.flatMap(e.Value.Map(), name, out); err != nil {
				return err
			}
		case t <= data.TypeBytes:
			out.Put(name, e.Value)
		case t > data.TypeStruct:
			return fault.Data.New("Flatten transformation was passed a value of type class " + t.JavaClass() + " which is not supported by Connect's data API")
		case t == data.TypeArray:
			out.Put(name, e.Value)
		default:
			return fault.Data.New("Flatten transformation does not support class " + t.JavaClass() + " for record without schemas (for field " + name + ").")
		}
	}
	return nil
}

func (f *Flatten) plan(s *data.Schema) (*flatPlan, error) {
	p := &flatPlan{}
	b := data.CopyBasics(s, data.TypeStruct)
	if err := f.collect(p, b, s, "", nil, s.Optional(), s.Default().Struct()); err != nil {
		return nil, err
	}
	var err error
	p.to, err = b.Build()
	return p, err
}

// collect adds the fields of s. They are optional if anything above them is, and take their default from above if they
// have none.
func (f *Flatten) collect(p *flatPlan, b *data.SchemaBuilder, s *data.Schema, prefix string, path []int, optional bool, above *data.Struct) error {
	if err := data.RefuseWithin(s, "Flatten"); err != nil {
		return err
	}
	for _, fld := range s.Fields() {
		name := f.name(prefix, fld.Name)
		at := append(append([]int(nil), path...), fld.Index)
		fieldOptional := optional || fld.Schema.Optional()
		def := fld.Schema.Default()
		if def.IsNull() && above != nil {
			def = above.At(fld.Index)
		}
		switch t := fld.Schema.Type(); {
		case t == data.TypeStruct:
			if err := f.collect(p, b, fld.Schema, name, at, fieldOptional, def.Struct()); err != nil {
				return err
			}
		case t == data.TypeMap:
			return fault.Data.New("Flatten transformation does not support MAP for record with schemas (for field " + name + ").")
		default:
			fs, err := flatField(fld.Schema, fieldOptional, def)
			if err != nil {
				return err
			}
			b.Field(name, fs)
			p.paths = append(p.paths, at)
		}
	}
	return nil
}

func flatField(s *data.Schema, optional bool, def data.Value) (*data.Schema, error) {
	b := data.CopyBasics(s, s.Type())
	if s.Type() == data.TypeArray {
		b = data.CopyArray(s)
	}
	return b.SetOptional(optional).Default(def).Build()
}

func (p *flatPlan) apply(s *data.Struct) *data.Struct {
	values := make([]data.Value, len(p.paths))
	for i, path := range p.paths {
		at := s
		for _, step := range path[:len(path)-1] {
			if at = at.At(step).Struct(); at == nil {
				break
			}
		}
		if at != nil {
			values[i] = at.At(path[len(path)-1])
		}
	}
	return data.StructOf(p.to, values)
}
