package examples_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/apptest"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// cases are the files of tests of every example.
func cases(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*/*_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 8 {
		t.Fatalf("only %d files of cases found", len(files))
	}
	return files
}

// TestExamples runs the cases of every example on the modules that are committed, and describes and checks each.
func TestExamples(t *testing.T) {
	for _, file := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), "_test.yaml"), func(t *testing.T) {
			t.Parallel()
			describe(t, runCases(t, file))
		})
	}
}

// runCases returns the application that it ran.
func runCases(t *testing.T, file string) string {
	t.Helper()
	result, err := apptest.RunFile(context.Background(), file, apptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Cases) == 0 {
		t.Fatalf("%s has no cases", file)
	}
	for _, c := range result.Cases {
		if !c.Passed {
			t.Errorf("%s: %s: %+v %s", c.Where, c.Name, c.Differences, c.Error)
		}
	}
	return result.Application
}

func describe(t *testing.T, application string) {
	t.Helper()
	cfg, err := host.Load(application, host.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.WithoutCluster().Check(context.Background()); err != nil {
		t.Error(err)
	}
	if text := cfg.Topology.Describe(); !strings.Contains(text, "Source: ") || !strings.Contains(text, "Sink: ") {
		t.Errorf("%s describes as %s", application, text)
	}
}

// TestLanguagesAgree runs the cases of examples on their guests in other languages. In short mode those are left out
// whose toolchain is not on every machine.
func TestLanguagesAgree(t *testing.T) {
	for _, g := range guestbuild.Guests() {
		example, inside := strings.CutPrefix(g.Dir, "examples/")
		example, _, _ = strings.Cut(example, "/")
		if !inside || g.Committed != "" || testing.Short() && g.Language == guestbuild.Rust {
			continue
		}
		files, err := filepath.Glob(example + "/*_test.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			continue
		}
		t.Run(g.Name, func(t *testing.T) {
			dir := t.TempDir()
			copyDocuments(t, example, dir)
			if err := os.WriteFile(filepath.Join(dir, example+".wasm"), guestbuild.Load(t, g.Name), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				runCases(t, filepath.Join(dir, filepath.Base(file)))
			}
		})
	}
}

func copyDocuments(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(from + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(f)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
