package spec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// bomb is a small document that costs a reader without bounds gigabytes or minutes.
type bomb struct{ name, text, want string }

func bombs() []bomb {
	const head = "apiVersion: wasmstream/v1\nkind: Application\n"
	var wide, unfolding strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&wide, "a%d: 1\n", i)
	}
	unfolding.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 10 {
		fmt.Fprintf(&unfolding, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	long := "a: &a \"" + strings.Repeat("x", 100_000) + "\"\nb: [" + strings.Repeat("*a, ", 10_000) + "*a]\n"
	return []bomb{
		{"open brackets", "a: " + strings.Repeat("[", 200_000), "brackets nest"},
		{"open braces", "a: " + strings.Repeat("{", 200_000), "brackets nest"},
		{"brackets on lines", strings.Repeat("[\n", 200_000), "brackets nest"},
		{"nested and closed", "a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "nests more than 64 deep"},
		{"dashes", strings.Repeat("- ", 500_000), "lists begin on one line"},
		{"indented", indented(700), "nests more than 64 deep"},
		{"documents", strings.Repeat("---\na\n", 170_000), "documents in the file"},
		{"many keys", wide.String(), "more than 10000 keys"},
		{"unknown keys", strings.Join(strings.SplitAfterN(wide.String(), "\n", 5000)[:4999], ""), "more faults are not listed"},
		{"unfolding aliases", head + unfolding.String(), "values"},
		{"an anchor in itself", head + "a: &a [*a, *a]\n", ""},
		{"long text by aliases", head + long, "unfold to more than"},
		{"references", head + "config: {a: \"" + strings.Repeat("${file:dir/long}", 20) + "\"}\n", "unfold to more than"},
		{"too large", strings.Repeat("#\n", 1<<20), "larger than 1024 KiB"},
		{"block texts", strings.Repeat("a: |\n x\n", 120_000), "more than 10000 keys"},
	}
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// TestBombsAreRefused reads hostile documents and bounds what that allocates.
func TestBombsAreRefused(t *testing.T) {
	o := testOptions
	o.ReadFile = func(string) ([]byte, error) { return make([]byte, 100_000), nil }
	for _, b := range bombs() {
		t.Run(b.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse("dir/app.yaml", []byte(b.text), o)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), b.want) {
				text := fmt.Sprint(err)
				t.Errorf("got %.300s, want %q", text, b.want)
			}
			if n := len(errs.Flatten(err)); n > maxFaults+1 {
				t.Errorf("%d faults are told", n)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 512 {
				t.Errorf("it allocated %d MiB", mib)
			}
		})
	}
}

// TestOrdinaryDocumentsAreInBounds: brackets in texts and comments, long texts, lists in lists.
func TestOrdinaryDocumentsAreInBounds(t *testing.T) {
	s := source{name: "app.yaml"}
	for _, text := range []string{
		"a: '" + strings.Repeat("[", maxOpen) + "'\n", "- - - - a\n", "# " + strings.Repeat("-", 500), "---\na: 1\n...\n",
		strings.Repeat("a: [[x], {y: [z]}]\n", 1000), "a: " + strings.Repeat("x", 500_000),
	} {
		if !s.bounded([]byte(text)) {
			t.Errorf("%.60q is refused: %v", text, s.faults)
		}
	}
}

// TestReadFileEnds: a file without an end is read as far as a document may go.
func TestReadFileEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	data, err := ReadFile(path)
	if err != nil || len(data) != maxBytes+1 {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
	if _, err := Load(path); !errs.YAMLLimit.Is(err) {
		t.Errorf("Load: %v", err)
	}
}

// TestEveryFormOfEveryFieldIsAnswered reads every operator with every field in every form: faults are fine, a panic is
// not.
func TestEveryFormOfEveryFieldIsAnswered(t *testing.T) {
	forms := []string{"", "x", "1", "true", "[]", "[x]", "[[x]]", "[{}]", "{}", "{x: y}", "[{expr: 'true'}]", "{name: x}", "{name: [x]}", "[null]", "'${env:NO}'"}
	head := "apiVersion: wasmstream/v1\nkind: Application\nstores: [{name: s}]\noperators:\n- stream: {topics: [a], value: string}\n- "
	for _, name := range append(operatorNames(), entryFields...) {
		bodies := slices.Clone(forms)
		if op := operators[name]; op != nil {
			for _, f := range op.fields {
				for _, form := range forms {
					bodies = append(bodies, "{"+f.name+": "+form+"}", "{guest: m/c, "+f.name+": "+form+"}", "{expr: 'true', "+f.name+": "+form+"}")
				}
			}
		}
		for _, body := range bodies {
			for _, before := range []string{"", "groupByKey:\n- count:\n- "} {
				for _, after := range []string{"\n- to: {topic: b}", "\n  name: [x]"} {
					text := head + before + name + ": " + body + after + "\n"
					if app, err := Parse("app.yaml", []byte(text), testOptions); err == nil && app.Topology == nil {
						t.Errorf("neither a topology nor a fault of:\n%s", text)
					}
				}
			}
		}
	}
}

// TestExcerptsCommandNoTerminal shows a line that would clear the screen.
func TestExcerptsCommandNoTerminal(t *testing.T) {
	for _, text := range []string{
		"apiVersion: wasmstream/v1\nkind: \"Applic\x1b[2Jation\"\noperators: []\n",
		"apiVersion: wasmstream/v1\nkind: Application\noperators:\n- stream: {topic: a}\n- filter: {expr: 'valu \x1b[2J'}\n",
	} {
		_, err := Parse("app.yaml", []byte(text), testOptions)
		if err == nil {
			t.Fatalf("accepted:\n%q", text)
		}
		for _, f := range errs.Flatten(err) {
			if shown, ok := errors.AsType[*errs.Error](f); ok && strings.ContainsRune(shown.Detail, '\x1b') {
				t.Errorf("the excerpt has an escape: %q", shown.Detail)
			}
		}
	}
}
