package expr_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// TestArguments: each kind of function sees its arguments under their names.
func TestArguments(t *testing.T) {
	types := expr.Types{Key: topology.String, Value: topology.String, Second: topology.String, MappedKey: topology.String}
	in := topology.Record{
		Key: []byte("k"), Value: []byte("v"),
		Extra: &topology.Extra{Second: []byte("s"), MappedKey: []byte("m")},
	}
	tests := []struct {
		kind         expr.Kind
		source, want string
	}{
		{expr.Joiner, "key + left + right + mappedKey", "kvsm"},
		{expr.Joiner, "right", "s"},
		{expr.Joiner, "left", "v"},
		{expr.Aggregator, "key + value + aggregate", "kvs"},
		{expr.Aggregator, "aggregate", "s"},
		{expr.Reducer, "aggregate + value", "vs"},
		{expr.Reducer, "value", "s"},
		{expr.Merger, "key + left + right", "kvs"},
		{expr.Initializer, `"none"`, "none"},
	}
	for _, test := range tests {
		p, err := expr.Compile(expr.Spec{Kind: test.kind, Value: test.source, In: types})
		if err != nil {
			t.Errorf("%s %s: %v", test.kind, test.source, err)
			continue
		}
		out, err := p.Function().Call([]topology.Record{in}, nil)
		if err != nil || len(out) != 1 || string(out[0].Value) != test.want {
			t.Errorf("%s %s: %v, %v, want %s", test.kind, test.source, out, err, test.want)
		}
	}
	if _, err := expr.Compile(expr.Spec{Kind: expr.Joiner, Value: "value", In: types}); err == nil {
		t.Error("a joiner has no value")
	}
	p, err := expr.Compile(expr.Spec{Kind: expr.Joiner, Value: `left + (right == null ? "null" : right)`, In: types})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Function().Call([]topology.Record{{Value: []byte("v")}}, nil)
	if err != nil || string(out[0].Value) != "vnull" {
		t.Errorf("without a second argument: %v, %v", out, err)
	}
}
