package tck

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// TestTopology gives the sound module topologies, by another manifest.
func TestTopology(t *testing.T) {
	engine := newEngine(t)
	sound := readModule(t, "testdata", "bad", "base.wasm")
	report, err := Run(t.Context(), engine, "base", sound)
	if err != nil {
		t.Fatal(err)
	}
	name, kind := "", ""
	m, err := engine.Compile(t.Context(), "base", sound)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	first := m.Manifest().Components[0]
	name, kind = first.Name, string(first.Kind)
	if len(report.Failed()) > 0 {
		t.Fatalf("the sound module fails: %v", report.Failed())
	}
	for _, tt := range []struct{ topology, want string }{
		{`{"operators": [{"filter": {"guest": "` + name + `"}}]}`, ""},
		{`{"operators": [{"filter": {"guest": "base/` + name + `", "config": {"guest": "x"}}}]}`, ""},
		{`{"operators": {}}`, "TOP-1"},
		{`{}`, "TOP-1"},
		{`{"topology": [{"addProcessor": {"guest": "` + name + `"}}]}`, ""},
		{`{"operators": [], "topology": {}}`, "TOP-1"},
		{`{"topology": [{"addProcessor": {"guest": "other"}}]}`, "TOP-2"},
		{`{"operators": [{"split": {"branches": [{"guest": "other"}]}}]}`, "TOP-2"},
		{`{"operators": [{"filter": {"guest": "other/` + name + `"}}]}`, "TOP-2"},
	} {
		stores := ""
		if first.Kind.Stateful() {
			stores = fmt.Sprintf(`,"stores":["%s"]`, "data")
		}
		manifest := fmt.Sprintf(`{"abi":1,"name":"base","components":[{"name":%q,"kind":%q%s}],"topology":%s}`, name, kind, stores, tt.topology)
		report, err := Run(t.Context(), engine, "base", withManifest(sound, manifest))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range report.Failed() {
			if r.Clause[:3] == "TOP" || r.Clause[:3] == "MAN" {
				got += r.Clause
			}
		}
		if got != tt.want {
			t.Errorf("%s: failed %v, want %q", tt.topology, report.Failed(), tt.want)
		}
	}
}

// withManifest is the module with another manifest in place of its own.
func withManifest(module []byte, manifest string) []byte {
	out := append([]byte{}, module[:8]...)
	for at := 8; at < len(module); {
		size, n := binary.Uvarint(module[at+1:])
		end := at + 1 + n + int(size)
		if body := module[at+1+n : end]; module[at] != 0 || string(body[1:1+body[0]]) != "ws.manifest" {
			out = append(out, module[at:end]...)
		}
		at = end
	}
	body := append([]byte{11}, "ws.manifest"+manifest...)
	out = binary.AppendUvarint(append(out, 0), uint64(len(body)))
	return append(out, body...)
}
