package guestbuild_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// TestTopologyInC: the builder in C writes the golden topology, which the SDKs for Go and Rust write in their own tests.
func TestTopologyInC(t *testing.T) {
	root, err := guestbuild.Root()
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile(filepath.Join(root, "abi/testdata/topology.json"))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := wasm.NewEngine(context.Background(), wasm.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close(context.Background()) })
	module, err := engine.Compile(context.Background(), "everything-c", guestbuild.Load(t, "everything-c"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, module.Info().Manifest.Topology, "", " "); err != nil {
		t.Fatalf("%v in %s", err, module.Info().Manifest.Topology)
	}
	got.WriteByte('\n')
	if diff := cmp.Diff(string(golden), got.String()); diff != "" {
		t.Errorf("-golden +got:\n%s", diff)
	}
}
