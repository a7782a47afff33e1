package abi

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestManifest(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{ABI: 1, Name: "wordcount", Version: "1.0.0", Language: "c", SDK: "c/1.0.0", Components: []Component{
		{Name: "split-words", Kind: FlatMapValues, Wants: WantValue, Description: "a line to its words"},
		{Name: "count-words", Kind: Process, Wants: WantValue, Stores: []string{"counts"}, Buffers: true},
		{Name: "copy", Kind: MapValues},
		{Name: "all", Kind: Filter, Wants: WantAll},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := got.Component("copy"); c == nil || c.Kind != MapValues || got.Component("none") != nil {
		t.Errorf("Component: %v", c)
	}
	if diff := cmp.Diff([]string{"key", "headers"}, (WantKey | WantHeaders).Names()); diff != "" {
		t.Error(diff)
	}
}

// TestManifestWithTopology reads the golden manifest of a module that is an application.
func TestManifestWithTopology(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "manifest-topology.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Components) != 2 || !strings.HasPrefix(string(m.Topology), "{") || !strings.HasSuffix(string(m.Topology), "}") {
		t.Errorf("components %v, topology %.40q", m.Components, m.Topology)
	}
}

// component wraps the JSON of one component into a manifest.
func component(c string) string { return `{"abi":1,"name":"m","components":[` + c + `]}` }

func TestManifestFaults(t *testing.T) {
	for _, tt := range []struct{ json, want string }{
		{``, "manifest: not a JSON object (byte 0: unexpected end of JSON input)"},
		{`[1]`, "manifest: not a JSON object"},
		{`null`, "manifest: not a JSON object"},
		{"{\"name\":\"\xff\"}", "manifest: not UTF-8"},
		{`{"abi":1,"name":"m","components":[{"name":"a","kind":"map"}]} x`, "manifest: not a JSON object (byte 63: invalid character 'x' after top-level value)"},
		{`{"name":"m","components":[{"name":"a","kind":"map"}]}`, "abi: missing"},
		{`{"abi":2,"name":"m","components":[{"name":"a","kind":"map"}]}`, "abi: 2 is not the version this host speaks, 1"},
		{`{"abi":"1","name":"m","components":[{"name":"a","kind":"map"}]}`, `abi: "1" is not the number of a version`},
		{`{"abi":1,"abi":1,"name":"m","components":[{"name":"a","kind":"map"}]}`, `manifest: the key "abi" stands twice in an object (byte 14)`},
		{`{"abi":1,"name":"m","components":[{"name":"a","kind":"map","name":"a"}]}`, `manifest: the key "name" stands twice in an object (byte 65)`},
		{`{"abi":1,"name":"m","components":[{"name":"a","kind":"map"}],"topology":{"a":[{"b":1},{"b":{"c":1,"c":2}}]}}`, `manifest: the key "c" stands twice in an object (byte 101)`},
		{`{"abi":1,"name":"m"}`, "components: missing"},
		{`{"abi":1,"name":"m","components":{}}`, "components: not an array"},
		{`{"abi":1,"name":"m","components":[]}`, "components: 0 components, need 1 to 1000"},
		{`{"abi":1,"Name":"m","components":[{"name":"a","kind":"map"}]}`, "name: missing"},
		{`{"abi":1,"name":"a b","components":[{"name":"a","kind":"map"}]}`, `name: "a b" has other characters than ASCII letters, digits, '.', '_' and '-'`},
		{`{"abi":1,"name":"m","requires":["joins"],"components":[{"name":"a","kind":"map"}]}`, `requires: "joins" is not known to this host`},
		{component(`7`), "components[0]: not a JSON object"},
		{`{"abi":1,"name":"m","components":[{"name":"a","kind":"map"}],"topology":[]}`, "topology: not a JSON object"},
		{`{"abi":1,"name":"m","components":[{"name":"a","kind":"map"}],"topology":null}`, "topology: not a JSON object"},
		{component(`{"kind":"map"}`), "components[0].name: missing"},
		{component(`{"name":"a"}`), "components[0].kind: missing"},
		{component(`{"name":"a","kind":"mapvalues"}`), `components[0].kind: "mapvalues" is not one of ` + joinKinds()},
		{component(`{"name":"a","kind":"map"},{"name":"a","kind":"map"}`), `components[1].name: "a" occurs twice`},
		{component(`{"name":"a","kind":"map","wants":"value"}`), "components[0].wants: not an array of strings"},
		{component(`{"name":"a","kind":"map","wants":null}`), "components[0].wants: not an array of strings"},
		{component(`{"name":"a","kind":"map","wants":["values"]}`), `components[0].wants: "values" is not one of key, value, headers`},
		{component(`{"name":"a","kind":"process","stores":["s","s"]}`), `components[0].stores: "s" occurs twice`},
		{component(`{"name":"a","kind":"process","stores":["a/b"]}`), `components[0].stores[0]: "a/b" has other characters than ASCII letters, digits, '.', '_' and '-'`},
		{component(`{"name":"a","kind":"map","stores":["s"]}`), "components[0].stores: a component of kind map has no stores, only process and processValues have"},
		{component(`{"name":"a","kind":"map","buffers":true}`), "components[0].buffers: a component of kind map cannot hold records back"},
		{component(`{"name":"a","kind":"process","buffers":1}`), "components[0].buffers: not true or false"},
		{component(`{"name":"a","kind":"map","description":null}`), "components[0].description: not a string"},
		{`{"abi":2,"components":[{"name":"","kind":"x"}]}`, "name: missing\nabi: 2 is not the version this host speaks, 1\ncomponents[0].name: \"\" is empty\ncomponents[0].kind: \"x\" is not one of " + joinKinds()},
		{strings.Repeat(" ", MaxManifestBytes) + "{}", "manifest: 262146 bytes are more than 262144"},
	} {
		_, err := ParseManifest([]byte(tt.json))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.80s\n got %v\nwant %s", tt.json, err, tt.want)
		}
	}
}

// TestManifestAsJSON: what a manifest says is written by the names that it is read by, and nothing is null.
func TestManifestAsJSON(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	m.Components[0].Config = []Setting{{Name: "a", Type: "INT", Default: "1", HasDefault: true, Importance: "LOW"}, {Name: "b", Type: "STRING", Importance: "HIGH", Values: []string{"x"}}}
	once := manifestJSON(t, m)
	again, err := ParseManifest(once)
	if err != nil {
		t.Fatalf("%v\n%s", err, once)
	}
	if twice := manifestJSON(t, again); !bytes.Equal(once, twice) {
		t.Errorf("%s\n%s", once, twice)
	}
	if nothing := string(manifestJSON(t, Manifest{})); nothing != `{"abi":0,"name":"","version":"","language":"","sdk":"","description":"","components":[]}` {
		t.Errorf("no manifest: %s", nothing)
	}
}

func manifestJSON(t *testing.T, m Manifest) []byte {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("null")) {
		t.Errorf("null in %s", text)
	}
	return text
}
