package transforms

import (
	"github.com/wasmstream/wasmstream/connectors/data"
)

// mapper changes one field: its schema, and its value (schema is nil for data without schemas).
type mapper interface {
	mapSchema(schema *data.Schema) (*data.Schema, error)
	mapValue(schema *data.Schema, v data.Value) (data.Value, error)
}

// edit is a tree of changes to a struct or map: what is done to the fields that are named, and below them.
type edit struct {
	name   string
	kids   []*edit
	leaf   bool
	mapper mapper // of a leaf, nil to leave the value as it is
	drop   bool
	rename string
	// only drops the fields that kids do not name.
	only bool
	adds []addition
}

// addition is a new field at the end, with the value given to apply under its index.
type addition struct {
	name   string
	schema *data.Schema
	index  int
}

// at finds or makes the node of a path.
func (e *edit) at(steps []string) *edit {
	for _, step := range steps {
		kid := e.kid(step)
		if kid == nil {
			kid = &edit{name: step}
			e.kids = append(e.kids, kid)
		}
		e = kid
	}
	return e
}

func (e *edit) kid(name string) *edit {
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// untouched says that a field keeps its value, under whatever name.
func (e *edit) untouched() bool {
	return e.mapper == nil && len(e.kids) == 0 && len(e.adds) == 0 && !e.only
}

// plan is an edit worked out for one schema.
type plan struct {
	to     *data.Schema
	fields []planField
	adds   []int // indexes of added values, after fields
}

type planField struct {
	src    int
	schema *data.Schema
	mapper mapper
	sub    *plan
}

// keep says what of a schema's own properties is carried over beside name, version, doc and parameters.
type keep bool

const (
	keepBasics   keep = false
	keepOptional keep = true // optionality and default too
)

func (e *edit) plan(s *data.Schema, k keep) (*plan, error) {
	p := &plan{}
	same := len(e.adds) == 0 && k == keepOptional
	b := data.CopyBasics(s, data.TypeStruct)
	for _, f := range s.Fields() {
		kid := e.kid(f.Name)
		if kid == nil && e.only || kid != nil && kid.drop {
			same = false
			continue
		}
		pf := planField{src: f.Index, schema: f.Schema}
		name, to := f.Name, f.Schema
		if kid != nil {
			var err error
			if to, err = kid.planField(&pf); err != nil {
				return nil, err
			}
			if kid.rename != "" {
				name = kid.rename
			}
		}
		p.fields = append(p.fields, pf)
		b.Field(name, to)
		same = same && name == f.Name && to == f.Schema
	}
	if same {
		p.to = s
		return p, nil
	}
	for _, a := range e.adds {
		p.adds = append(p.adds, a.index)
		b.Field(a.name, a.schema)
	}
	if k == keepOptional {
		if err := p.keepOptional(b, s); err != nil {
			return nil, err
		}
	}
	var err error
	p.to, err = b.Build()
	return p, err
}

// planField works out what becomes of a field's schema.
func (e *edit) planField(pf *planField) (*data.Schema, error) {
	if e.untouched() {
		return pf.schema, nil
	}
	if e.leaf {
		pf.mapper = e.mapper
		return e.mapper.mapSchema(pf.schema)
	}
	if pf.schema.Type() != data.TypeStruct {
		return pf.schema, nil
	}
	sub, err := e.plan(pf.schema, keepOptional)
	if err != nil {
		return nil, err
	}
	pf.sub = sub
	return sub.to, nil
}

func (p *plan) keepOptional(b *data.SchemaBuilder, s *data.Schema) error {
	b.SetOptional(s.Optional())
	def := s.Default().Struct()
	if def == nil || len(p.adds) > 0 {
		return nil
	}
	to, err := b.Build()
	if err != nil {
		return err
	}
	p.to = to
	changed, err := p.apply(def, true, nil)
	if err != nil {
		return err
	}
	b.Default(data.StructValue(changed))
	return nil
}

// apply makes the changed struct. added are the values of additions by index.
func (p *plan) apply(s *data.Struct, defaults bool, added []data.Value) (*data.Struct, error) {
	values := make([]data.Value, len(p.fields)+len(p.adds))
	for i := range p.fields {
		f := &p.fields[i]
		v := field(s, f.src, defaults)
		var err error
		switch {
		case f.mapper != nil:
			v, err = f.mapper.mapValue(f.schema, v)
		case f.sub != nil && !v.IsNull():
			var sub *data.Struct
			sub, err = f.sub.apply(v.Struct(), defaults, added)
			v = data.StructValue(sub)
		}
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	for i, a := range p.adds {
		values[len(p.fields)+i] = added[a]
	}
	return data.StructOf(p.to, values), nil
}

// applyMap makes the changed map of data without schemas. A leaf that changes a field puts one that was missing, as null.
func (e *edit) applyMap(m *data.Map, added []data.Value) (*data.Map, error) {
	out := data.NewMap(m.Len() + len(e.adds))
	for _, entry := range m.Entries() {
		kid := e.kid(entry.Key.Str())
		if kid == nil && e.only || kid != nil && kid.drop {
			continue
		}
		if kid == nil {
			out.PutKey(entry.Key, entry.Value)
			continue
		}
		v, err := kid.applyField(entry.Value, added)
		if err != nil {
			return nil, err
		}
		if kid.rename != "" {
			out.Put(kid.rename, v)
		} else {
			out.PutKey(entry.Key, v)
		}
	}
	for _, kid := range e.kids {
		if _, there := m.Lookup(kid.name); !there && kid.leaf && kid.mapper != nil {
			out.Put(kid.name, data.Null)
		}
	}
	for _, a := range e.adds {
		if !added[a.index].IsNull() {
			out.Put(a.name, added[a.index])
		}
	}
	return out, nil
}

func (e *edit) applyField(v data.Value, added []data.Value) (data.Value, error) {
	if e.untouched() {
		return v, nil
	}
	if e.leaf {
		return e.mapper.mapValue(nil, v)
	}
	if v.Map() == nil {
		return v, nil
	}
	sub, err := e.applyMap(v.Map(), added)
	return data.MapValue(sub), err
}

// editor applies an edit to one side of records.
type editor struct {
	edit     *edit
	keep     keep
	defaults bool
	purpose  string
	cache    schemaCache[*plan]
}

// change replaces schema and value. The value is not null.
func (ed *editor) change(sv *data.SchemaAndValue, added []data.Value) error {
	if sv.Schema == nil {
		m, err := requireMap(sv.Value, ed.purpose)
		if err != nil {
			return err
		}
		out, err := ed.edit.applyMap(m, added)
		sv.Value = data.MapValue(out)
		return err
	}
	s, err := requireStruct(sv.Value, ed.purpose)
	if err != nil {
		return err
	}
	p, err := ed.planFor(s.Schema())
	if err != nil {
		return err
	}
	out, err := p.apply(s, ed.defaults, added)
	sv.Schema, sv.Value = p.to, data.StructValue(out)
	return err
}

func (ed *editor) planFor(s *data.Schema) (*plan, error) {
	if ed.cache.last == s {
		return ed.cache.lastVal, nil
	}
	return ed.cache.get(s, func() (*plan, error) { return ed.edit.plan(s, ed.keep) })
}
