package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoCounts = `
apiVersion: wasmstream/v1
kind: Application
config: {SETTINGS}
operators:
  - stream: {topic: in, key: string, value: string}
  - selectKey: {expr: value, key: string}
    id: keyed
  - groupByKey:
  - count: {materialized: {name: a}}
  - {from: keyed, filter: {expr: "true"}}
  - groupByKey:
  - count: {materialized: {name: b, storeType: ROCKS_DB}}
  - {from: keyed, foreach: {guest: m/show}}
modules: {m: {path: m.wasm}}
`

// TestBuilderSettings: the settings that say how a topology is made, in the document and above it.
func TestBuilderSettings(t *testing.T) {
	parse := func(settings string, set map[string]string) (*Application, error) {
		o := testOptions
		o.Set = set
		return Parse("dir/app.yaml", []byte(strings.Replace(twoCounts, "SETTINGS", settings, 1)), o)
	}
	for _, c := range []struct {
		settings string
		set      map[string]string
		topics   []string
		inMemory map[string]bool
	}{
		{"", nil, []string{"a-repartition", "b-repartition"}, map[string]bool{}},
		{"topology.optimization: all", nil, []string{"a-repartition"}, map[string]bool{}},
		{"topology.optimization: all", map[string]string{"topology.optimization": "none"}, []string{"a-repartition", "b-repartition"}, map[string]bool{}},
		{"default.dsl.store: in_memory", nil, []string{"a-repartition", "b-repartition"}, map[string]bool{"a": true}},
		{"dsl.store.suppliers.class: org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers", nil, []string{"a-repartition", "b-repartition"}, map[string]bool{"a": true}},
		{"ensure.explicit.internal.resource.naming: true", nil, []string{"a-repartition", "b-repartition"}, map[string]bool{}},
	} {
		app, err := parse(c.settings, c.set)
		if err != nil {
			t.Fatalf("%s: %v", c.settings, err)
		}
		inMemory := map[string]bool{}
		for _, s := range app.Topology.Stores() {
			if s.InMemory {
				inMemory[s.Name] = true
			}
		}
		if diff := cmp.Diff(c.topics, app.Topology.InternalTopics()); diff != "" {
			t.Errorf("%s: topics (-want +got)\n%s", c.settings, diff)
		}
		if diff := cmp.Diff(c.inMemory, inMemory); diff != "" {
			t.Errorf("%s: in memory (-want +got)\n%s", c.settings, diff)
		}
	}
}

// TestBuilderSettingsRefused: faults of these settings lie where they were set.
func TestBuilderSettingsRefused(t *testing.T) {
	for _, c := range []struct{ config, body, want string }{
		{
			"topology.optimization: fastest", "  - {from: s, to: {topic: out}}",
			`E-CONFIG-INVALID dir/app.yaml:4:10: Unrecognized config "fastest"`,
		},
		{
			"ensure.explicit.internal.resource.naming: true", "  - {from: s, selectKey: {expr: value}}\n  - groupByKey:\n  - count:\n  - toStream:\n  - to: {topic: out}",
			"E-TOPOLOGY-INVALID dir/app.yaml:4:10: ensure.explicit.internal.resource.naming: Following repartition topic(s) has not been named: KSTREAM-AGGREGATE-STATE-STORE-0000000002-repartition",
		},
	} {
		doc := "apiVersion: wasmstream/v1\nkind: Application\nconfig:\n  " + c.config + "\noperators:\n  - {id: s, stream: {topic: in, key: string, value: string}}\n" + c.body + "\n"
		if _, err := Parse("dir/app.yaml", []byte(doc), testOptions); err == nil || !strings.Contains(err.Error(), strings.Replace(c.want, ":4:10:", ":4:3:", 1)) {
			t.Errorf("want %s\nin   %v", c.want, err)
		}
	}
}
