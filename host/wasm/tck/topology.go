package tck

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
)

// topology holds the topology that a module brings along, if it does: TOP-1 and TOP-2. What the operators mean is judged
// by who reads topologies.
func (k *kit) topology(m *abi.Manifest) {
	if m.Topology == nil {
		return
	}
	var document map[string]any
	problem := ""
	if err := json.Unmarshal(m.Topology, &document); err != nil || !arrays(document) {
		problem = "the topology has no array of operators or of topology"
	}
	if !k.report.hold("TOP-1", "", problem) {
		return
	}
	if name := strangeGuest(document, m); name != "" {
		problem = fmt.Sprintf("the topology calls %q, which is no component of the module", name)
	}
	k.report.hold("TOP-2", "", problem)
}

// arrays tells whether operators and topology are arrays, and there is one of them at least.
func arrays(document map[string]any) bool {
	found := false
	for _, key := range []string{"operators", "topology"} {
		v, there := document[key]
		if _, ok := v.([]any); there && !ok {
			return false
		}
		found = found || there
	}
	return found
}

// strangeGuest is a guest below v that the module does not have, or "".
func strangeGuest(v any, m *abi.Manifest) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if name := strangeGuest(item, m); name != "" {
				return name
			}
		}
	case map[string]any:
		if name, ok := v["guest"].(string); ok && m.Component(name) == nil && m.Component(strings.TrimPrefix(name, m.Name+"/")) == nil {
			return name
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == "config" {
				continue
			}
			if name := strangeGuest(v[key], m); name != "" {
				return name
			}
		}
	}
	return ""
}
