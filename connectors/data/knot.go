package data

import (
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Knot ties a struct's schema that has itself among its fields, as types of Avro, Protobuf and JSON Schema can. Within the schema
// stand references, which become the schema once it is built:
//
//	k := &Knot{}
//	b.Field("next", k.Reference(true))
//	s, err := b.Build()
//	k.Tie(s)
//
// References have fields after Tie only.
type Knot struct{ references []*Schema }

// Reference is the schema that is tied later, with parameters beside its own.
func (k *Knot) Reference(optional bool, params ...Param) *Schema {
	r := &Schema{typ: TypeStruct, optional: optional, params: params}
	k.references = append(k.references, r)
	return r
}

// Tie makes the references what they stand for. It is called once, before anyone else sees the schema.
func (k *Knot) Tie(s *Schema) {
	for _, r := range k.references {
		own := r.params
		optional := r.optional
		*r = *s
		r.optional, r.def, r.within = optional, Value{}, s
		r.params = append(append([]Param(nil), s.params...), own...)
	}
}

// Within is the schema that s stands for and is within, nil unless s is a reference of a Knot. Who walks through schemas, and not
// through values, stops there or does not come to an end.
func (s *Schema) Within() *Schema {
	if s == nil {
		return nil
	}
	return s.within
}

// RefuseWithin is a DataException if s is a reference of a Knot: who cannot hold such schemas.
func RefuseWithin(s *Schema, who string) error {
	if s.Within() == nil {
		return nil
	}
	err := errs.ConnectRecursion.New(s.String(), "the schema is within itself, which "+who+" cannot hold", "")
	return fault.Data.New(err.Error()).Because(err)
}

// equality compares schemas that may be within themselves: two that are being compared already are as good as equal.
type equality map[[2]*Schema]bool

func (e *equality) open(s, o *Schema) bool {
	pair := [2]*Schema{s, o}
	if (*e)[pair] {
		return false
	}
	if *e == nil {
		*e = equality{}
	}
	(*e)[pair] = true
	return true
}
