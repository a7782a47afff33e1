// Package internal_test holds the house together: which room may import which.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/wasmstream/wasmstream/"

// levels is the import table: a room imports rooms of lower levels only; within a level only along allowed.
var levels = map[string]int{
	"abi": 0, "internal/errs": 0, "internal/fakekafka": 0,
	"state": 1, "topology": 1, "topology/dsl": 1, "topology/expr": 1, "topology/spec": 1, "connectors": 1,
	"docs": 0, "examples": 0, "internal/keystore": 0, "internal/tlsconfig": 0, "internal/jaas": 0,
	"host/wasm": 2, "host/tenant": 2, "internal/kafka": 2, "internal/streamsconfig": 2, "internal/metrics": 2, "internal/guestbuild": 2, "internal/diagram": 2,
	"host/stream": 3, "host/connect": 3, "host/registry": 3,
	"host/rest": 4, "internal/bench": 6, "internal/demo": 6, "internal/apptest": 6, "internal/conformance": 6,
	"host": 5,
	"cmd":  6, "examples/embed": 6,
}

// allowed are the edges between rooms of one level.
var allowed = map[string][]string{
	"internal/tlsconfig":     {"internal/errs", "internal/keystore"},
	"topology":               {"state"},
	"topology/expr":          {"topology"},
	"topology/dsl":           {"topology", "topology/expr", "state"},
	"topology/spec":          {"topology", "topology/dsl", "topology/expr", "state"},
	"internal/streamsconfig": {"internal/kafka"},
	"internal/kafka":         {"internal/metrics"},
	"cmd":                    {"internal/bench", "internal/demo", "internal/apptest"},
}

// fences are libraries that only some rooms may know.
var fences = map[string][]string{
	"github.com/tetratelabs/wazero":     {"host/wasm"},
	"github.com/cockroachdb/pebble":     {"state"},
	"github.com/urfave/cli":             {"cmd"},
	"github.com/twmb/franz-go/pkg/kgo":  {"internal/kafka", "internal/brokertest", "host/stream", "host/connect", "host/registry", "host", "internal/bench", "internal/demo", "cmd", "examples/embed"},
	"github.com/twmb/franz-go/pkg/kadm": {"internal/kafka", "internal/brokertest", "host/stream", "host/connect", "host/registry", "host", "internal/bench", "internal/demo", "cmd"},
}

func TestRoomsImportDownwardsOnly(t *testing.T) {
	eachImport(t, func(file, room, path string) {
		if rest, ours := strings.CutPrefix(path, module); ours {
			checkRoom(t, file, room, roomOf(rest))
			return
		}
		for lib, rooms := range fences {
			if strings.HasPrefix(path, lib) && !contains(rooms, room) {
				t.Errorf("%s imports %s, which only %v may", file, path, rooms)
			}
		}
	})
}

func checkRoom(t *testing.T, file, from, to string) {
	if from == to || to == "" || strings.HasPrefix(to, "guest-sdk") {
		return
	}
	lf, okf := levels[from]
	lt, okt := levels[to]
	switch {
	case !okf:
		t.Errorf("%s: the room %s has no level", file, from)
	case !okt:
		t.Errorf("%s imports %s, which has no level", file, to)
	case lt > lf, lt == lf && !contains(allowed[from], to):
		t.Errorf("%s: %s (level %d) may not import %s (level %d)", file, from, lf, to, lt)
	}
}

// roomOf is the longest known room that holds a package path.
func roomOf(path string) string {
	for p := path; p != "."; p = filepath.ToSlash(filepath.Dir(p)) {
		if _, ok := levels[p]; ok {
			return p
		}
	}
	return path
}

// eachImport visits the imports of every file that is built into the product. Tests may import what they like.
func eachImport(t *testing.T, visit func(file, room, path string)) {
	t.Helper()
	root := ".."
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			return descend(root, rel, d)
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			target, _ := strconv.Unquote(imp.Path.Value)
			visit(rel, roomOf(filepath.ToSlash(filepath.Dir(rel))), target)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("only %d files found: the walk is broken", seen)
	}
}

// descend leaves out hidden folders, test helpers, and modules of their own.
func descend(root, rel string, d fs.DirEntry) error {
	if rel == "." {
		return nil
	}
	if strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "internal/brokertest" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(root, rel, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
