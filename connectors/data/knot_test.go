package data_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// list is the schema of a list whose nodes have the next one as a field, unrolled so many times before it is tied.
func list(t *testing.T, last string, unrolled int) *data.Schema {
	t.Helper()
	k := &data.Knot{}
	s := data.NewStructSchema().Name("Node").Field("v", data.Int32Schema).Field(last, k.Reference(true)).MustBuild()
	k.Tie(s)
	for range unrolled {
		s = data.NewStructSchema().Name("Node").Field("v", data.Int32Schema).Field(last, data.CopyAll(s).Optional().MustBuild()).MustBuild()
	}
	return s
}

func TestSchemaWithinItself(t *testing.T) {
	s := list(t, "next", 0)
	next := s.Field("next").Schema
	if next.Within() != s || s.Within() != nil || !next.Optional() || next.Name() != "Node" || next.Field("v") == nil {
		t.Fatalf("%s", next)
	}
	var v data.Value
	for i := range int32(3) {
		of := next
		if i == 2 {
			of = s
		}
		v = data.StructValue(data.StructOf(of, []data.Value{data.Int32Value(i), v}))
	}
	if err := data.ValidateValue(s, v); err != nil {
		t.Error(err)
	}
	if got := v.String(); got != "Struct{v=2,next=Struct{v=1,next=Struct{v=0}}}" {
		t.Error(got)
	}
	if got, err := data.Project(s, v, list(t, "next", 1)); err != nil || !got.Equal(v) {
		t.Errorf("%s %v", got, err)
	}
	for _, unrolled := range []int{0, 1, 2, 3} {
		if !s.Equal(list(t, "next", unrolled)) || !list(t, "next", unrolled).Equal(s) {
			t.Errorf("unrolled %d times it is another", unrolled)
		}
	}
	if s.Equal(list(t, "last", 0)) || list(t, "next", 2).Equal(list(t, "last", 3)) {
		t.Error("lists whose fields have other names are equal")
	}
	if err := data.RefuseWithin(next, "a list"); !fault.Data.Is(err) || !errs.ConnectRecursion.Is(err) || data.RefuseWithin(s, "a list") != nil {
		t.Error(err)
	}
}
