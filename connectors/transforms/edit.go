package transforms

import (
	"slices"

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
	named  map[string]*edit // kids, when there are many
	kept   bool             // with all that is below, where others are not
	mapper mapper           // what changes the value as a whole, nil to leave it as it is but for kids
	drop   bool
	rename string
	// only drops the fields that kids do not name.
	only bool
	adds []addition
	// targets are the new names of kids that are renamed.
	targets []string
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
			e.add(kid)
		}
		e = kid
	}
	return e
}

// setRename has the field at the end of a path take another name.
func (e *edit) setRename(steps []string, to string) {
	last := len(steps) - 1
	parent := e.at(steps[:last])
	parent.at(steps[last:]).rename = to
	parent.targets = append(parent.targets, to)
}

// manyKids is from how many kids on they are found by a map.
const manyKids = 8

func (e *edit) add(kid *edit) {
	e.kids = append(e.kids, kid)
	if len(e.kids) < manyKids {
		return
	}
	if e.named == nil {
		e.named = map[string]*edit{}
		for _, k := range e.kids {
			e.named[k.name] = k
		}
	}
	e.named[kid.name] = kid
}

func (e *edit) kid(name string) *edit {
	if e.named != nil {
		return e.named[name]
	}
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
	// inPlace is that each field of the source stays where it is.
	inPlace bool
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
	p.inPlace = len(p.fields) == len(s.Fields())
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
	if e.mapper != nil {
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
	changed, err := p.apply(def, true, nil, &data.Slab{})
	if err != nil {
		return err
	}
	b.Default(data.StructValue(changed))
	return nil
}

// draftRoom is how many fields the transformations that follow may add to a copy without another one.
const draftRoom = 4

// apply makes the changed struct. added are the values of additions by index.
func (p *plan) apply(s *data.Struct, defaults bool, added []data.Value, slab *data.Slab) (*data.Struct, error) {
	out := slab.RoomyStruct(p.to, draftRoom)
	if err := p.fill(out, s, defaults, added, slab); err != nil {
		return nil, err
	}
	return out, nil
}

// change is apply in place, for a plan that is inPlace.
func (p *plan) change(s *data.Struct, defaults bool, added []data.Value, slab *data.Slab) error {
	s.Recast(p.to)
	return p.fill(s, s, defaults, added, slab)
}

// fill sets the fields of out, whose schema is p.to, from those of s. They may be the same struct.
func (p *plan) fill(out, s *data.Struct, defaults bool, added []data.Value, slab *data.Slab) error {
	for i := range p.fields {
		f := &p.fields[i]
		v := s.RawAt(f.src)
		if defaults && v.IsNull() {
			v = f.schema.Default()
		}
		var err error
		switch {
		case f.mapper != nil:
			v, err = f.mapper.mapValue(f.schema, v)
		case f.sub != nil && !v.IsNull():
			var sub *data.Struct
			sub, err = f.sub.apply(v.Struct(), defaults, added, slab)
			v = data.StructValue(sub)
		}
		if err != nil {
			return err
		}
		out.SetAt(i, v)
	}
	for i, a := range p.adds {
		out.SetAt(len(p.fields)+i, added[a])
	}
	return nil
}

// applyMap makes the changed map of data without schemas. A mapper has a field that is missing put, as null.
func (e *edit) applyMap(m *data.Map, added []data.Value, slab *data.Slab) (*data.Map, error) {
	out := slab.Map(nil, m.Len()+len(e.adds)+draftRoom)
	renamed := false // so that keys may meet
	for _, entry := range m.Entries() {
		var kid *edit
		if entry.Key.Type() == data.TypeString {
			kid = e.kid(entry.Key.Str())
		}
		key, v := entry.Key, entry.Value
		switch {
		case kid == nil && e.only || kid != nil && kid.drop:
			continue
		case kid != nil:
			var err error
			if v, err = kid.applyField(v, added, slab); err != nil {
				return nil, err
			}
			if kid.rename != "" {
				key, renamed = data.StringValue(kid.rename), true
			}
		}
		if renamed && slices.Contains(e.targets, key.Str()) {
			out.PutKey(key, v)
		} else {
			out.Add(key, v)
		}
	}
	e.complete(out, m, added)
	return out, nil
}

// complete puts into out what m lacks.
func (e *edit) complete(out, m *data.Map, added []data.Value) {
	for _, kid := range e.kids {
		if kid.mapper != nil {
			if _, there := m.Lookup(kid.name); !there {
				out.Put(kid.name, data.Null)
			}
		}
	}
	for _, a := range e.adds {
		if !added[a.index].IsNull() {
			out.Put(a.name, added[a.index])
		}
	}
}

// changeMap is applyMap in place. False is that it cannot be done so; m is unchanged then.
func (e *edit) changeMap(m *data.Map, added []data.Value, slab *data.Slab) (bool, error) {
	if e.only || e.meets(m) {
		return false, nil
	}
	for _, kid := range e.kids {
		v, there := m.Lookup(kid.name)
		switch {
		case !there:
		case kid.drop:
			m.Remove(kid.name)
		default:
			v, err := kid.applyField(v, added, slab)
			if err != nil {
				return true, err
			}
			m.Put(kid.name, v)
			if kid.rename != "" {
				m.Rename(kid.name, kid.rename)
			}
		}
	}
	e.complete(m, m, added)
	return true, nil
}

// meets tells whether a renamed field of m might meet another one.
func (e *edit) meets(m *data.Map) bool {
	for i, to := range e.targets {
		if _, there := m.Lookup(to); there || e.kid(to) != nil || slices.Contains(e.targets[:i], to) {
			return true
		}
	}
	return false
}

func (e *edit) applyField(v data.Value, added []data.Value, slab *data.Slab) (data.Value, error) {
	if e.untouched() {
		return v, nil
	}
	if e.mapper != nil {
		return e.mapper.mapValue(nil, v)
	}
	if v.Map() == nil {
		return v, nil
	}
	sub, err := e.applyMap(v.Map(), added, slab)
	return data.MapValue(sub), err
}

// editor applies an edit to one side of records.
type editor struct {
	edit     *edit
	keep     keep
	defaults bool
	purpose  string
	cache    schemaCache[*plan]
	slab     data.Slab
}

// change replaces schema and value. The value is not null. own tells whether it may be changed in place, and is true afterwards.
func (ed *editor) change(sv *data.SchemaAndValue, added []data.Value, own *bool) error {
	if sv.Schema == nil {
		return ed.changeMap(sv, added, own)
	}
	s, err := requireStruct(sv.Value, ed.purpose)
	if err != nil {
		return err
	}
	p, err := ed.planFor(s.Schema())
	if err != nil {
		return err
	}
	sv.Schema = p.to
	if *own && p.inPlace {
		return p.change(s, ed.defaults, added, &ed.slab)
	}
	out, err := p.apply(s, ed.defaults, added, &ed.slab)
	sv.Value, *own = data.StructValue(out), true
	return err
}

func (ed *editor) changeMap(sv *data.SchemaAndValue, added []data.Value, own *bool) error {
	m, err := requireMap(sv.Value, ed.purpose)
	if err != nil {
		return err
	}
	if *own {
		if done, err := ed.edit.changeMap(m, added, &ed.slab); done {
			return err
		}
	}
	out, err := ed.edit.applyMap(m, added, &ed.slab)
	sv.Value, *own = data.MapValue(out), true
	return err
}

func (ed *editor) planFor(s *data.Schema) (*plan, error) {
	if ed.cache.last == s {
		return ed.cache.lastVal, nil
	}
	return ed.cache.get(s, func() (*plan, error) { return ed.edit.plan(s, ed.keep) })
}
