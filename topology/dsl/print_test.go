package dsl_test

import (
	"os"
	"path/filepath"
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
	path := filepath.Join(t.TempDir(), "printed")
	if err := os.WriteFile(path, []byte("of a run before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in.Print(dsl.Printed{File: path, Label: "file", Name: "filer", Mapper: dsl.Expr("value == null ? 'none' : key + ' is ' + value")})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"KSTREAM-PRINTER-0000000001", "printer", "filer"} {
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
	file, err := os.ReadFile(path)
	if want := "[file]: a is x\n[file]: none\n"; err != nil || string(file) != want {
		t.Errorf("the file has\n%swant\n%s(%v)", file, want, err)
	}
}

// TestAnd: an operator is the child of several streams, without a node between.
func TestAnd(t *testing.T) {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	one, two := b.Stream("one"), b.Stream("two")
	one.And(two).To("out", dsl.Produced{Name: "sink"})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topo.Node("sink").Parents); n != 2 {
		t.Errorf("the sink has %d parents", n)
	}
}

// TestReadOnlyStateStore: the topic is what the store is restored from, read as the parameters say.
func TestReadOnlyStateStore(t *testing.T) {
	b := dsl.NewStreamsBuilder()
	inOrder := dsl.NativeTimestamps(func(_ *topology.Record, partitionTime int64) int64 { return partitionTime + 1 })
	b.AddReadOnlyStateStore(topology.StoreSpec{Name: "rows", Kind: topology.KeyValue}, "in", dsl.Consumed{Name: "rows", Timestamps: inOrder}, dsl.PassThrough{})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if source := topo.Node("rows-source"); source == nil || source.Timestamps == nil {
		t.Errorf("the source %+v does not ask for times", source)
	}
	sub := topo.Subtopologies("app")[0]
	if sub.SourceChangelogs["in"] != "rows" || len(sub.Changelogs) != 0 {
		t.Errorf("the store is restored from %v, its changelogs are %v", sub.SourceChangelogs, sub.Changelogs)
	}
}
