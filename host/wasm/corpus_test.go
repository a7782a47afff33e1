//go:build integration

package wasm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// TestCorpus: large honest modules of several languages stay below every limit by a quarter at least, and the compiler
// takes them within its own. They are built from testdata/corpus.
func TestCorpus(t *testing.T) {
	root, err := guestbuild.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".cache", "corpus")
	if out, err := exec.CommandContext(t.Context(), filepath.Join("testdata", "corpus", "build.sh"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	for _, name := range []string{"go", "cpp", "assemblyscript", "rust", "quickjs"} {
		t.Run(name, func(t *testing.T) {
			wasm, err := os.ReadFile(filepath.Join(dir, name+".wasm"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := decode(name, wasm)
			if err != nil {
				t.Fatal(err)
			}
			metered, _ := meter(m, DefaultLimits().StackBytes)
			for _, u := range uses(m, metered) {
				if u.has > u.limit/4*3 {
					t.Errorf("%s: %d of %d", u.name, u.has, u.limit)
				}
			}
			if _, _, _, err := (&Compiler{Command: compileCommand(t)}).compile(t.Context(), metered, 2); err != nil {
				t.Error(err)
			}
		})
	}
}

// use is how much of a limit a module takes.
type use struct {
	name       string
	has, limit int
}

func uses(m *module, metered []byte) []use {
	all, largest, most, values := 0, 0, 0, 0
	for _, t := range m.types {
		values += len(t.params) + len(t.results)
	}
	for i := range m.bodies {
		b := &m.bodies[i]
		all += b.locals
		largest, most = max(largest, b.at.end-b.at.start), max(most, b.locals)
	}
	table := 0
	for _, t := range m.tables {
		table = max(table, int(t.min))
	}
	return []use{
		{"bytes", len(m.bytes), MaxModuleBytes},
		{"metered bytes", len(metered), maxMeteredBytes},
		{"types", len(m.types), maxTypes},
		{"parameters and results of types", values, maxTypeValues},
		{"imports", len(m.imports), maxImports},
		{"functions", len(m.bodies), maxFunctions},
		{"exports", len(m.exports), maxExports},
		{"globals", len(m.globals), maxGlobals},
		{"element segments", m.elements, maxElements},
		{"entries of element segments", m.elementRefs, maxTableEntries},
		{"table", table, maxTableEntries},
		{"data segments", m.data, maxDataSegments},
		{"custom sections", len(m.customs), maxCustoms},
		{"bytes of a function", largest, maxBodyBytes},
		{"locals of a function", most, maxLocals},
		{"all locals", all, maxAllLocals},
		{"branches, loops and calls", len(m.patches), maxPatches},
	}
}
