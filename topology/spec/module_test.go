package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/goccy/go-yaml"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestModules runs scripts of what modules hand over, written in YAML: `describe` shows the topology, `faults` what the
// user sees, `config` the settings.
func TestModules(t *testing.T) {
	datadriven.RunTest(t, "testdata/modules", func(t *testing.T, d *datadriven.TestData) string {
		text, err := yaml.YAMLToJSON([]byte(d.Input))
		if err != nil {
			t.Fatal(err)
		}
		app, err := ParseModule(ModuleDocument{Path: "dir/app.wasm", Name: "shop", Text: text}, testOptions)
		if err != nil {
			var b strings.Builder
			errs.Render(&b, err, false)
			return b.String()
		}
		if d.Cmd == "config" {
			return settings(app)
		}
		return app.Topology.Describe()
	})
}

// TestModuleIsTheSameAsItsDocument reads the documents of the repository's tests as what modules hand over: the same
// topology comes out.
func TestModuleIsTheSameAsItsDocument(t *testing.T) {
	data, err := os.ReadFile("../../examples/wordcount/wordcount.yaml")
	if err != nil {
		t.Fatal(err)
	}
	app, err := Parse("app.yaml", data, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]any
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	delete(parts, "modules")
	delete(parts, "config")
	if text, err = json.Marshal(parts); err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), `"guest":"wordcount/`, `"guest":"`))
	module, err := ParseModule(ModuleDocument{Path: "app.wasm", Name: "wordcount", Text: text}, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := module.Topology.Describe(), app.Topology.Describe(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got, want := fmt.Sprint(module.Topology.Guests()), fmt.Sprint(app.Topology.Guests()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHostileModules hands over what no SDK writes.
func TestHostileModules(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "not JSON"},
		{"cut off", `{"apiVersion": "wasmstream/v1", `, "not JSON"},
		{"two values", `{} {}`, "not JSON"},
		{"not an object", `[1]`, "an application is a mapping"},
		{"not UTF-8", "{\"kind\": \"\xff\"}", "not UTF-8"},
		{"deep", strings.Repeat("[", 100_000), "nest more than 64 deep"},
		{"deep in a string only", `{"kind": "` + strings.Repeat("[", 100_000) + `"}`, "is not known"},
		{"an escaped quote", `{"kind": "\"` + strings.Repeat("[", 100) + `"}`, "is not known"},
		{"large", `{"kind": "` + strings.Repeat("x", maxBytes) + `"}`, "larger than"},
		{"many values", `{"x": [` + strings.Repeat("1,", maxValues) + `1]}`, "values"},
		{"keys twice", `{"kind": "Application", "kind": "Application"}`, "occurs twice"},
		{"many faults", `{"operators": [` + strings.Repeat(`{"filtre": {}},`, 5000) + `{}]}`, "more faults are not listed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseModule(ModuleDocument{Path: "app.wasm", Name: "shop", Text: []byte(tt.text)}, testOptions)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.300s, want %q", fmt.Sprint(err), tt.want)
			}
			if n := len(errs.Flatten(err)); n > maxFaults+1 {
				t.Errorf("%d faults are told", n)
			}
		})
	}
}

func FuzzParseModule(f *testing.F) {
	f.Add([]byte(`{"apiVersion": "wasmstream/v1", "kind": "Application", "operators": [{"stream": {"topic": "a"}}, {"to": {"topic": "b"}}]}`))
	f.Add([]byte(`{"config": {"state.dir": "/"}, "modules": {"shop": {"path": "x", "components": {"a": {"onError": "skip"}}}}}`))
	f.Add([]byte(`{"operators": [{"id": "1", "stream": {"topics": ["a"]}}, {"from": "1", "filter": {"guest": "other/f"}}]}`))
	f.Add([]byte(`{"stores": [{"name": "s", "type": "none"}], "operators": null}`))
	f.Add([]byte("{\"kind\": \"\\ud83d\\ude00\\u0000\", \"a\": [1e999, -0, null, true]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		app, err := ParseModule(ModuleDocument{Path: "app.wasm", Name: "shop", Text: data}, testOptions)
		if err == nil && app.Topology == nil {
			t.Error("neither a topology nor an error")
		}
		for _, e := range errs.Flatten(err) {
			if !strings.Contains(e.Error(), "app.wasm") {
				t.Errorf("a fault without a place: %v", e)
			}
		}
	})
}
