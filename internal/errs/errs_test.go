package errs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
)

func TestErrorIsOneLine(t *testing.T) {
	err := errs.ModuleNotWasm.New("app.yaml:3:5", `"a.txt" is no module (got "hell")`, "build it").WithCause(errors.New("eof"))
	want := `E-MODULE-NOT-WASM app.yaml:3:5: "a.txt" is no module (got "hell"): eof -> build it`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := errs.ModuleNotWasm.New("x", "y", "").Fix; got != "Give the .wasm that the compiler wrote" {
		t.Errorf("the default remedy is %q", got)
	}
}

func TestRender(t *testing.T) {
	cause := errors.New("line one\nline two")
	err := errors.Join(
		errs.YAMLSyntax.New("a.yaml:1:2", "no mapping", "fix it").WithDetail("1 | a: [\n        ^").WithCause(cause),
		fmt.Errorf("starting: %w", errs.TopicMissing.New("t", "gone", "make it")),
		errs.ReloadFailed.New("m", "not loaded", "try").WithCause(fmt.Errorf("reading: %w", errs.ModuleNotWasm.New("m", "text", "build").WithDetail("xx"))),
		fmt.Errorf("plain"),
		fmt.Errorf("waiting: %w", context.DeadlineExceeded),
	)
	var out bytes.Buffer
	errs.Render(&out, err, false)
	want := `✗ E-YAML-SYNTAX a.yaml:1:2: no mapping: line one -> fix it
  1 | a: [
          ^
  line two
✗ E-TOPIC-MISSING t: starting: gone -> make it
✗ E-RELOAD-FAILED m: not loaded: reading: E-MODULE-NOT-WASM m: text -> try
  xx
✗ E-RUNTIME-ERROR plain -> If the message does not help, please report it with the command that led there
✗ E-RUNTIME-TIMEOUT waiting: context deadline exceeded -> Try again, with a longer --timeout where the command has one
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	out.Reset()
	errs.Render(&out, errs.TopicMissing.New("t", "gone", "make it"), true)
	if got, want := out.String(), "\x1b[31m✗\x1b[0m \x1b[1mE-TOPIC-MISSING\x1b[0m t: gone \x1b[36m->\x1b[0m make it\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExitIsThatOfTheOutermostCode(t *testing.T) {
	inner := errs.KafkaUnreachable.New("", "", "")
	cases := []struct {
		err  error
		want int
	}{
		{nil, errs.ExitOK},
		{errors.New("x"), errs.ExitRuntime},
		{inner, errs.ExitEnvironment},
		{errs.ConfigInvalid.New("", "", "").WithCause(inner), errs.ExitInput},
		{errors.Join(errors.New("x"), fmt.Errorf("y: %w", inner)), errs.ExitEnvironment},
	}
	for _, c := range cases {
		if got := errs.Exit(c.err); got != c.want {
			t.Errorf("Exit(%v) = %d, want %d", c.err, got, c.want)
		}
	}
	if !errs.KafkaUnreachable.Is(errors.Join(errors.New("x"), fmt.Errorf("y: %w", inner))) || errs.TopicMissing.Is(inner) {
		t.Error("Is does not find the code, or finds a wrong one")
	}
}

func TestPlace(t *testing.T) {
	for where, want := range map[string]string{
		"a.yaml:4:12": "a.yaml 4 12", `C:\a.yaml:4:1`: `C:\a.yaml 4 1`, "a.yaml": "a.yaml 0 0", "127.0.0.1:9092": "127.0.0.1:9092 0 0",
		"topic-0@5": "topic-0@5 0 0", "": " 0 0", "a:0:1": "a:0:1 0 0", "--set": "--set 0 0",
	} {
		file, line, col := errs.Place(where)
		if got := fmt.Sprint(file, " ", line, " ", col); got != want {
			t.Errorf("%q: %s, want %s", where, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"commit.interval.ms", "state.dir", "topic", "produce"}
	cases := map[string]string{"comit.interval.ms": "commit.interval.ms", "topci": "topic", "Produce": "produce", "xyz": "", "state-dir": "state.dir"}
	for in, want := range cases {
		if got := errs.Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestEveryCodeIsListed compares the codes declared in the source with those that All knows.
func TestEveryCodeIsListed(t *testing.T) {
	listed := map[string]errs.Code{}
	for _, c := range errs.All() {
		if _, twice := listed[c.ID]; twice {
			t.Errorf("%s is listed twice", c.ID)
		}
		listed[c.ID] = c
	}
	files, err := filepath.Glob("codes_*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("files of codes: %v, %v", files, err)
	}
	declared := 0
	for _, file := range files {
		area := strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(file, "codes_"), ".go"))
		for _, id := range declaredIn(t, file) {
			declared++
			if _, ok := listed[id]; !ok {
				t.Errorf("%s is declared in %s and not listed", id, file)
			}
			if !strings.HasPrefix(id, "E-"+area+"-") {
				t.Errorf("%s stands in %s", id, file)
			}
		}
	}
	if declared != len(listed) {
		t.Errorf("%d codes are declared, %d listed", declared, len(listed))
	}
}

func declaredIn(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	ast.Inspect(f, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "ID" {
				ids = append(ids, strings.Trim(kv.Value.(*ast.BasicLit).Value, `"`))
			}
		}
		return true
	})
	return ids
}

func TestEveryCodeHasItsPage(t *testing.T) {
	form := regexp.MustCompile(`^E(-[A-Z]+){2,6}$`)
	for _, c := range errs.All() {
		if !form.MatchString(c.ID) || c.Title == "" || strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: title %q", c.ID, c.Title)
		}
		if c.Exit < errs.ExitRuntime || c.Exit > errs.ExitVerification {
			t.Errorf("%s: exit status %d", c.ID, c.Exit)
		}
		if !strings.HasSuffix(c.Explanation, ".") || !strings.HasSuffix(c.Remedy, ".") {
			t.Errorf("%s: explanation and remedy are sentences", c.ID)
		}
	}
}

// TestDocumentationIsCurrent holds docs/errors.md; WASMSTREAM_WRITE_DOCS=1 writes it.
func TestDocumentationIsCurrent(t *testing.T) {
	const page = "../../docs/errors.md"
	if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
		if err := os.WriteFile(page, []byte(errs.Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(errs.Markdown(), string(got)); d != "" {
		t.Errorf("docs/errors.md is not what the codes say; write it with WASMSTREAM_WRITE_DOCS=1 go test ./internal/errs\n%s", d)
	}
}

// TestEveryCodeIsTested looks for each code in a script or test of the house, by its ID or its variable.
func TestEveryCodeIsTested(t *testing.T) {
	names := variables(t)
	var tests strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") && filepath.Base(path) != "errs_test.go" || strings.Contains(path, "testdata") && !strings.HasSuffix(path, ".wasm") && !d.IsDir() {
			data, err := os.ReadFile(path)
			tests.Write(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range errs.All() {
		if !strings.Contains(tests.String(), c.ID) && !regexp.MustCompile(`errs\.`+names[c.ID]+`\b`).MatchString(tests.String()) {
			t.Errorf("no test or script shows %s", c.ID)
		}
	}
}

// variables are the names of the Go variables by ID.
func variables(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	files, _ := filepath.Glob("codes_*.go")
	declaration := regexp.MustCompile(`(?m)^\t(\w+) = Code\{\s*ID: "([A-Z-]+)"`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declaration.FindAllStringSubmatch(string(data), -1) {
			names[m[2]] = m[1]
		}
	}
	return names
}
