package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
)

// connectorPages is the folder with a page for each connector.
const connectorPages = "../../docs/connectors"

// settingsTable is a table of settings on a page, with the class whose settings they are.
var settingsTable = regexp.MustCompile(`(?s)<!-- settings (\S+) -->\n(.*?)<!-- end -->\n`)

// TestConnectorPagesShowTheSettings holds the tables to the definitions; WASMSTREAM_WRITE_DOCS=1 writes them.
func TestConnectorPagesShowTheSettings(t *testing.T) {
	for _, p := range builtinConnectors() {
		path, text := connectorPage(t, p)
		m := settingsTable.FindStringSubmatchIndex(text)
		want := table(p.ConfigDef())
		if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
			if err := os.WriteFile(path, []byte(text[:m[4]]+want+text[m[5]:]), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if d := cmp.Diff(want, text[m[4]:m[5]]); d != "" {
			t.Errorf("%s (-definition +page); write it with WASMSTREAM_WRITE_DOCS=1 go test ./cmd/wasmstream -run TestConnectorPages\n%s", path, d)
		}
	}
}

// TestConnectorPagesHaveOneForm wants the same headings, and an entry in the list of connectors.
func TestConnectorPagesHaveOneForm(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(connectorPages, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range builtinConnectors() {
		path, text := connectorPage(t, p)
		var got []string
		for line := range strings.Lines(fenced.ReplaceAllString(text, "")) {
			if strings.HasPrefix(line, "#") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		want := []string{"# " + p.Pruned(), "## Settings", "## Offsets", "## Guarantees", "## Example", "## Errors"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
		if entry := fmt.Sprintf("| `%s` | %s | [%s](%s) |", p.Class, p.Kind, p.Pruned(), filepath.Base(path)); !strings.Contains(string(list), entry) {
			t.Errorf("the list of connectors lacks %s", entry)
		}
	}
}

// TestConnectorExamplesAreValid validates the examples as a worker does, and wants no setting that means nothing.
func TestConnectorExamplesAreValid(t *testing.T) {
	defs := connectorconfig.New(builtin.Plugins())
	for _, p := range builtinConnectors() {
		path, text := connectorPage(t, p)
		examples := blocks(text, "properties")
		if len(examples) == 0 {
			t.Errorf("%s has no example", path)
		}
		for _, example := range examples {
			infos, err := defs.Validate(config.PropsOf(config.ParseProperties(example)), connectorconfig.Options{})
			if err != nil {
				t.Errorf("%s: %v\n%s", path, err, example)
			}
			for _, c := range infos.Configs {
				if len(c.Value.Errors) > 0 || c.Key == nil {
					t.Errorf("%s: %s: %v", path, c.Value.Name, c.Value.Errors)
				}
			}
		}
	}
}

func builtinConnectors() []connectors.Plugin {
	return builtin.Plugins().List(connectors.KindSource, connectors.KindSink)
}

// connectorPage is the page with the settings of a connector.
func connectorPage(t *testing.T, p connectors.Plugin) (path, text string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(connectorPages, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if m := settingsTable.FindStringSubmatch(string(b)); m != nil && m[1] == p.Class {
			return path, string(b)
		}
	}
	t.Fatalf("no page shows the settings of %s", p.Class)
	return "", ""
}

// table shows a definition: required settings first, then in the order of the definition.
func table(def *config.Def) string {
	var rows []string
	for _, required := range []bool{true, false} {
		for _, name := range def.Names() {
			k := def.Key(name)
			if k.Internal || k.Required() != required {
				continue
			}
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", name, strings.ToLower(string(k.Type)), shownDefault(k), strings.ToLower(string(k.Importance)), k.Doc))
		}
	}
	if len(rows) == 0 {
		return "It has none of its own.\n"
	}
	return "| setting | type | default | importance | |\n|---|---|---|---|---|\n" + strings.Join(rows, "")
}

func shownDefault(k *config.Key) string {
	switch v := k.Default.(type) {
	case nil:
		if k.Nullable {
			return "not set"
		}
		return "required"
	case string:
		if v == "" {
			return "empty"
		}
	case []string:
		if len(v) == 0 {
			return "empty"
		}
		return "`" + strings.Join(v, ",") + "`"
	}
	return fmt.Sprintf("`%v`", k.Default)
}
