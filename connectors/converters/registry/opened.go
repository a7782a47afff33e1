package registry

import "github.com/wasmstream/wasmstream/connectors/data"

// opened is a struct's type of a schema language that is being read, with the types within it that are the type itself.
type opened[T any] struct {
	knot   data.Knot
	within []*T
}

// tie makes the types within what they stand for, but for their own Connect schemas, which connect finds.
func (o *opened[T]) tie(t *T, connect func(*T) **data.Schema) {
	o.knot.Tie(*connect(t))
	for _, w := range o.within {
		own := *connect(w)
		*w = *t
		*connect(w) = own
	}
}
