package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/demo"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// pages are the texts for readers, by their paths from the root of the repository on.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md", "examples/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(strings.TrimPrefix(path, "../../"))] = string(text)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages found", len(all))
	}
	return all
}

var fenced = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

// blocks are the bodies of the fenced blocks of a page in one of the languages.
func blocks(page string, languages ...string) []string {
	var all []string
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		language, _, _ := strings.Cut(m[1], " ")
		if slices.Contains(languages, language) {
			all = append(all, m[2])
		}
	}
	return all
}

// TestDocumentedCommandsExist holds every command line of the pages to the commands and flags that there are.
func TestDocumentedCommandsExist(t *testing.T) {
	seen := 0
	for path, page := range pages(t) {
		for _, b := range blocks(page, "console", "sh") {
			for line := range strings.Lines(b) {
				for _, words := range invocations(line) {
					seen++
					checkInvocation(t, path, words)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d command lines found: the search is broken", seen)
	}
}

var (
	between  = regexp.MustCompile(`\|\||&&|[|;&]`)
	ours     = regexp.MustCompile(`^(?:\w+=\S*\s+)*(?:exec )?(?:wasmstream|go run \./cmd/wasmstream)(?:\s+(.*))?$`)
	quoted   = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	comments = regexp.MustCompile(`\s#.*$`)
)

// invocations are the arguments of each wasmstream in a line of a shell.
func invocations(line string) [][]string {
	line = strings.TrimSpace(strings.TrimPrefix(line, "$ "))
	line = comments.ReplaceAllString(quoted.ReplaceAllString(line, "QUOTED"), "")
	var all [][]string
	for _, part := range between.Split(line, -1) {
		part, _, _ = strings.Cut(part, ">")
		if m := ours.FindStringSubmatch(strings.TrimSpace(part)); m != nil {
			all = append(all, strings.Fields(m[1]))
		}
	}
	return all
}

func checkInvocation(t *testing.T, page string, words []string) {
	t.Helper()
	line := strings.Join(words, " ")
	commands, flags := commands(), []cli.Flag(nil)
	for len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(words[0]) })
		if i < 0 {
			break
		}
		commands, flags = commands[i].Subcommands, commands[i].Flags
		words = words[1:]
	}
	if len(commands) > 0 {
		t.Errorf("%s: there is no command in: wasmstream %s", page, line)
		return
	}
	for _, w := range words {
		name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		isFlag := len(w) > 1 && w[0] == '-' && (w[1] < '0' || w[1] > '9')
		if isFlag && name != "help" && !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			t.Errorf("%s: there is no flag %s in: wasmstream %s", page, w, line)
		}
	}
}

func TestInvocations(t *testing.T) {
	cases := map[string]string{
		"$ wasmstream topic list":                      "topic list",
		"$ printf '%s | x' a | wasmstream produce t":   "produce t",
		"make build && go run ./cmd/wasmstream demo":   "demo",
		"wasmstream consume t -f '%k %v' | tail -n 3":  "consume t -f QUOTED",
		"A=b wasmstream run -f x.yaml    # a terminal": "run -f x.yaml",
		"cat wasmstream.yaml":                          "",
	}
	for line, want := range cases {
		var got []string
		for _, words := range invocations(line) {
			got = append(got, strings.Join(words, " "))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// TestDocumentedApplicationsParse reads every YAML block of the pages, those that begin with operators or stores as
// part of an application.
func TestDocumentedApplicationsParse(t *testing.T) {
	const head = "apiVersion: wasmstream/v1\nkind: Application\nconfig: {application.id: x, default.key.serde: string, default.value.serde: json}\nmodules: {shop: {path: shop.wasm}}\n"
	seen := 0
	for path, page := range pages(t) {
		for _, b := range blocks(page, "yaml") {
			switch {
			case strings.HasPrefix(b, "operators:"), strings.HasPrefix(b, "stores:"):
				b = head + b
			case regexp.MustCompile(`(?m)^tests:`).MatchString(b):
				seen++
				if _, err := spec.ParseTests(path, []byte(b), spec.Options{}); err != nil {
					t.Errorf("%s: %v\n%s", path, err, b)
				}
				continue
			case !strings.Contains(b, "kind: Application"):
				continue
			}
			seen++
			if _, err := spec.Parse(path, []byte(b), spec.Options{}); err != nil {
				t.Errorf("%s: %v\n%s", path, err, b)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d applications found", seen)
	}
}

// TestDocumentedGuestsAreTheExamples wants every piece of a guest on the pages to stand in the source of an example, which
// is compiled and run.
func TestDocumentedGuestsAreTheExamples(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir("../../examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".rs", ".c"}, filepath.Ext(path)) {
			return err
		}
		text, err := os.ReadFile(path)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for path, page := range pages(t) {
		for _, b := range blocks(page, "go", "rust", "c") {
			seen++
			if !strings.Contains(sources.String(), strings.TrimSpace(b)) {
				t.Errorf("%s shows code that no example has:\n%s", path, b)
			}
		}
	}
	if seen < 4 {
		t.Errorf("only %d pieces found", seen)
	}
}

// TestEveryOperatorIsDocumented wants each operator of the catalogue in an example of its page.
func TestEveryOperatorIsDocumented(t *testing.T) {
	examples := strings.Join(blocks(pages(t)["docs/application.md"], "yaml"), "\n")
	var schema struct {
		Defs struct {
			Operator struct {
				OneOf []struct{ Required []string }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(spec.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Defs.Operator.OneOf) < 10 {
		t.Fatal("the schema names no operators where they were")
	}
	for _, one := range schema.Defs.Operator.OneOf {
		name := one.Required[0]
		if !regexp.MustCompile(`(?m)(^ +|- |, )` + name + `:`).MatchString(examples) {
			t.Errorf("docs/application.md has no example of %s", name)
		}
	}
}

// TestEveryMetricIsDocumented holds the table of metrics to the names that package metrics makes.
func TestEveryMetricIsDocumented(t *testing.T) {
	source, err := os.ReadFile("../../internal/metrics/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:counter\(|gauge\(|Name: )"([a-z_]+)"`).FindAllSubmatch(source, -1) {
		made["wasmstream_"+string(m[1])] = true
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`(wasmstream_[a-z_]+)`").FindAllStringSubmatch(pages(t)["docs/operations.md"], -1) {
		documented[m[1]] = true
	}
	if d := cmp.Diff(made, documented); d != "" {
		t.Errorf("docs/operations.md has other metrics (-made +documented):\n%s", d)
	}
}

// demoOutput is what the demo prints, whatever it counted.
var demoOutput = regexp.MustCompile(`^embedded broker, in memory: .+\n( +\d+ ".*"\n){10}\d+ lines, \d+ words, \d+ different ones in [\d.]+ s: \d+ words a second, .+\n$`)

// TestReadmeShowsWhatTheDemoPrints compares the form; words and numbers change with the documentation and the machine.
func TestReadmeShowsWhatTheDemoPrints(t *testing.T) {
	shown := slices.ContainsFunc(blocks(pages(t)["README.md"], "text"), demoOutput.MatchString)
	if !shown {
		t.Error("README.md does not show the output of the demo in the form that it has")
	}
	var out bytes.Buffer
	app := newApp(strings.NewReader(""), &out, &out)
	counts := map[string]int64{}
	for i := range int64(12) {
		counts[strings.Repeat("x", int(i))] = i
	}
	c := cli.NewContext(app, flag.NewFlagSet("", flag.ContinueOnError), nil)
	tellDemo(&out)
	if err := printDemo(c, demo.Result{Counts: counts, Lines: 1, Words: 66, Seconds: 1}, 10); err != nil {
		t.Fatal(err)
	}
	if !demoOutput.MatchString(out.String()) {
		t.Errorf("the demo prints\n%s", out.String())
	}
}

// shownDemo is the block of README.md with the demo's output: before and after the time that a run took.
var shownDemo = regexp.MustCompile(`(?s)(embedded broker, in memory: [^\n]+\n)(.*? different ones) in (\d[^\n]*)\n`)

// TestReadmeShowsTheDemosCounts holds the words, lines and counts in README.md to a count of the demo's text by plain Go;
// WASMSTREAM_WRITE_DOCS=1 writes them. The time is that of a run on the author's machine.
func TestReadmeShowsTheDemosCounts(t *testing.T) {
	const page = "../../README.md"
	var out bytes.Buffer
	c := cli.NewContext(newApp(strings.NewReader(""), &out, &out), flag.NewFlagSet("", flag.ContinueOnError), nil)
	if err := printDemo(c, countedText(t), 10); err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(out.String(), " in 1.0 s")
	readme, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	m := shownDemo.FindStringSubmatch(string(readme))
	if m == nil {
		t.Fatal("README.md does not show the output of the demo")
	}
	if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
		written := strings.Replace(string(readme), m[2], want, 1)
		if err := os.WriteFile(page, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, m[2]); d != "" {
		t.Errorf("README.md does not show the counts of today's documentation; write them with WASMSTREAM_WRITE_DOCS=1 go test ./cmd/wasmstream -run TestReadme\n%s", d)
	}
}

// countedText is what the demo must find in its text: words are split at blanks, and those at a line's end that are empty
// do not count, but in an empty line.
func countedText(t *testing.T) demo.Result {
	t.Helper()
	lines, err := demo.Text()
	if err != nil {
		t.Fatal(err)
	}
	r := demo.Result{Counts: map[string]int64{}, Lines: int64(len(lines)), Seconds: 1}
	for _, line := range lines {
		words := strings.Split(strings.TrimRight(asciiLower(string(line)), " "), " ")
		for _, w := range words {
			r.Counts[w]++
			r.Words++
		}
	}
	return r
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// TestSchemaIsCurrent holds the schemas in docs; WASMSTREAM_WRITE_DOCS=1 writes them.
func TestSchemaIsCurrent(t *testing.T) {
	for path, want := range map[string][]byte{
		"../../docs/application.schema.json": spec.Schema(), "../../docs/tests.schema.json": spec.TestSchema(),
	} {
		if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the reader of documents knows (%v); write it with WASMSTREAM_WRITE_DOCS=1 go test ./cmd/wasmstream", path, err)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLeadSomewhere follows every relative link of the pages, also to a heading.
func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for path, page := range all {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := path
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := fs.Stat(os.DirFS("../.."), to); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
				continue
			}
			if heading != "" && !slices.Contains(headings(all[to]), heading) {
				t.Errorf("%s: %s has no heading #%s", path, to, heading)
			}
		}
	}
}

// headings are the anchors of a page, as forges make them.
func headings(page string) []string {
	var all []string
	for line := range strings.Lines(fenced.ReplaceAllString(page, "")) {
		if text, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			text = regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
			all = append(all, strings.ReplaceAll(text, " ", "-"))
		}
	}
	return all
}
