package spec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// testOptions let a document see one variable and one file.
var testOptions = Options{
	LookupEnv: func(name string) (string, bool) { return "from the environment", name == "SET" },
	ReadFile: func(path string) ([]byte, error) {
		if filepath.ToSlash(path) == "dir/secret" {
			return []byte("from the file\n"), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("no such file")}
	},
}

// TestDocuments runs scripts of documents: `describe` shows the topology, `faults` what the user sees, `config` the
// settings and modules.
func TestDocuments(t *testing.T) {
	datadriven.Walk(t, "testdata/documents", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			app, err := Parse("dir/app.yaml", []byte(d.Input), testOptions)
			if d.Cmd == "faults" {
				if err == nil {
					return "none\n"
				}
				checkCoded(t, err)
				var b bytes.Buffer
				errs.Render(&b, err, false)
				return strings.ReplaceAll(b.String(), "\\", "/")
			}
			if err != nil {
				var b bytes.Buffer
				errs.Render(&b, err, false)
				return b.String()
			}
			if d.Cmd == "config" {
				return settings(app)
			}
			return app.Topology.Describe()
		})
	})
}

// checkCoded holds every fault to its form: a declared code with the exit status of bad input, a place, a remedy.
func checkCoded(t *testing.T, err error) {
	t.Helper()
	for _, e := range errs.Flatten(err) {
		var coded *errs.Error
		if !errors.As(e, &coded) {
			t.Errorf("a fault without a code: %v", e)
			continue
		}
		if c, ok := errs.Lookup(coded.Code); !ok || c.Exit != errs.ExitInput {
			t.Errorf("code %s: declared %v, exit %d", coded.Code, ok, c.Exit)
		}
		if !strings.HasPrefix(coded.Where, "dir/app.yaml") || coded.Fix == "" {
			t.Errorf("a fault without a place or a remedy: %v", coded)
		}
		if topology, yaml := errs.TopologyInvalid.New("", "", ""), errs.YAMLInvalid.New("", "", ""); coded.Fix == topology.Fix || coded.Fix == yaml.Fix {
			t.Errorf("a fault without a remedy of its own: %v", coded)
		}
	}
}

func settings(app *Application) string {
	var lines []string
	for k, v := range app.Config {
		lines = append(lines, fmt.Sprintf("%s = %q (%s)", k, v, app.ConfigWhere[k]))
	}
	for k, m := range app.Modules {
		lines = append(lines, fmt.Sprintf("module %s: %s %s (%s)", k, filepath.ToSlash(m.Path), m.Digest, m.Where))
	}
	slices.Sort(lines)
	return "name " + app.Name + "\n" + strings.Join(lines, "\n") + "\n"
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	schema := compiledSchema(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, []byte("kind: "+Kind)) {
			continue
		}
		if _, err := Load(file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := validate(schema, data); err != nil {
			t.Errorf("%s does not fit the schema: %v", file, err)
		}
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("application.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("application.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, data []byte) error {
	json, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(json))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

// TestSchemaAgreesWithParser: what is described is accepted by both, and the form faults of a script by neither.
func TestSchemaAgreesWithParser(t *testing.T) {
	schema := compiledSchema(t)
	datadriven.Walk(t, "testdata/documents", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			_, err := Parse("dir/app.yaml", []byte(d.Input), testOptions)
			bad := validate(schema, []byte(d.Input))
			switch {
			case err == nil && bad != nil:
				d.Fatalf(t, "the schema refuses what is accepted: %v", bad)
			case errs.YAMLUnknownField.Is(err) && bad == nil:
				d.Fatalf(t, "the schema accepts an unknown field")
			}
			return d.Expected
		})
	})
}

func TestLoadMissingFile(t *testing.T) {
	_, err := Load("testdata/none.yaml")
	if !errs.ConfigFile.Is(err) {
		t.Errorf("Load of a missing file: %v", err)
	}
}

// TestSetWins: a serde of the command line decides how expressions are typed.
func TestSetWins(t *testing.T) {
	doc := []byte("apiVersion: wasmstream/v1\nkind: Application\noperators:\n- stream: {topic: a}\n- filter: {expr: value > 1}\n- to: {topic: b}\n")
	if _, err := Parse("app.yaml", doc, Options{}); !errs.TopologyExpression.Is(err) {
		t.Errorf("with values of bytes: %v", err)
	}
	if _, err := Parse("app.yaml", doc, Options{Set: map[string]string{"default.value.serde": "long"}}); err != nil {
		t.Errorf("with values of long: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("../../examples/*/*.yaml")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("a: &a {b: *a}\n<<: *a\n"))
	f.Add([]byte("{\"apiVersion\": \"wasmstream/v1\",\n\t\"kind\": \"Application\"}"))
	f.Add([]byte("operators: [{split: {branches: [{id: x, expr: \"true\"}]}}]"))
	f.Add([]byte("? a\n: - b\n--- |\n x\n...\n"))
	for _, b := range bombs() {
		f.Add([]byte(b.text[:min(len(b.text), 4096)]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		app, err := Parse("dir/app.yaml", data, testOptions)
		if err == nil && app.Topology == nil {
			t.Error("neither a topology nor an error")
		}
	})
}

// TestReadingASilentPipeEnds: who waits for a document that does not come may give up.
func TestReadingASilentPipeEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // there is no name for an open pipe
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := ReadFileContext(ctx, fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
