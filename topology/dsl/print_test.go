package dsl_test

import (
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

func TestPrint(t *testing.T) {
	var out strings.Builder
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	in := b.Stream("in")
	in.Print(dsl.Printed{To: &out})
	in.Print(dsl.Printed{To: &out, Label: "here", Name: "printer"})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"KSTREAM-PRINTER-0000000001", "printer"} {
		n := topo.Node(name)
		if n == nil {
			t.Fatalf("no node %s", name)
		}
		if err := start(t, n.Supplier, newContext()).Process(records("a=x@1 null=null@2")); err != nil {
			t.Fatal(err)
		}
	}
	want := "[KSTREAM-SOURCE-0000000000]: a, x\n[KSTREAM-SOURCE-0000000000]: null, null\n[here]: a, x\n[here]: null, null\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
