package stream

import (
	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/topology"
)

// arguments are those of a function that has more than a record; nil is null.
func arguments(r *topology.Record) (second, third []byte) {
	if r.Extra == nil {
		return nil, nil
	}
	return r.Extra.Second, r.Extra.MappedKey
}

// argumentBytes is what the arguments of a function add to the size of a record in an input frame.
func argumentBytes(r *topology.Record) int {
	second, third := arguments(r)
	return abi.CallSize(0, 0, 0, len(second), len(third)) - abi.RecordSize(0, 0, 0)
}
