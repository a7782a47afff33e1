package tck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/host/wasm"
)

func newEngine(tb testing.TB) *wasm.Engine {
	tb.Helper()
	engine, err := wasm.NewEngine(tb.Context(), wasm.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := engine.Close(tb.Context()); err != nil {
			tb.Error(err)
		}
	})
	return engine
}

func readModule(tb testing.TB, path ...string) []byte {
	tb.Helper()
	module, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		tb.Fatal(err)
	}
	return module
}

var examples = filepath.Join("..", "..", "..", "examples")

// TestGuests holds the committed modules to the whole contract.
func TestGuests(t *testing.T) {
	engine := newEngine(t)
	paths, err := filepath.Glob(filepath.Join(examples, "*", "*.wasm"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d modules, %v", len(paths), err)
	}
	for _, path := range append(paths, probePath) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			report, err := Run(t.Context(), engine, name, readModule(t, path))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if _, err := report.WriteTo(&text); err != nil {
				t.Fatal(err)
			}
			if !report.Passed() {
				t.Error(text.String())
			}
		})
	}
}

// TestBadModules runs guests that break one rule each and wants that one found, and no other.
func TestBadModules(t *testing.T) {
	engine := newEngine(t)
	paths, err := filepath.Glob(filepath.Join("testdata", "bad", "*.wasm"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d modules, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		t.Run(name, func(t *testing.T) {
			report, err := Run(t.Context(), engine, name, readModule(t, path))
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if !strings.HasPrefix(name, "base") {
				parts := strings.Split(name, "-")
				want = parts[0] + "-" + parts[1]
			}
			failed := report.Failed()
			if want == "" && len(failed) > 0 || want != "" && (len(failed) != 1 || failed[0].Clause != want) {
				t.Errorf("failed %v, want %q", failed, want)
			}
		})
	}
}

// TestNoModule gives bytes that are no module.
func TestNoModule(t *testing.T) {
	engine := newEngine(t)
	sound := readModule(t, "testdata", "bad", "base.wasm")
	for name, module := range map[string][]byte{"empty": nil, "text": []byte("hello"), "cut": sound[:len(sound)/2]} {
		report, err := Run(t.Context(), engine, name, module)
		if err != nil {
			t.Fatal(err)
		}
		if failed := report.Failed(); len(failed) != 1 || failed[0].Clause != "MOD-1" {
			t.Errorf("%s: %v", name, failed)
		}
	}
}

// TestImportOfAnotherHost wants an import from a module that no host of the contract gives to fail under IMP-1, by name.
func TestImportOfAnotherHost(t *testing.T) {
	module := []byte("\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x02\x0e\x01\x03env\x06system\x00\x00")
	report, err := Run(t.Context(), newEngine(t), "import.wasm", module)
	if err != nil {
		t.Fatal(err)
	}
	failed := report.Failed()
	if len(failed) == 0 || failed[0].Clause != "IMP-1" || !strings.Contains(failed[0].Detail, "env.system") {
		t.Errorf("failed %v, want IMP-1 with env.system first", failed)
	}
}

// TestSpecNames wants every clause that the kit may report to stand in SPEC.md.
func TestSpecNames(t *testing.T) {
	spec := string(readModule(t, "..", "..", "..", "abi", "SPEC.md"))
	engine := newEngine(t)
	report, err := Run(t.Context(), engine, "base", readModule(t, "testdata", "bad", "base.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range report.Results {
		if !strings.Contains(spec, "`"+res.Clause+"`") {
			t.Errorf("clause %s is not in SPEC.md", res.Clause)
		}
	}
}
