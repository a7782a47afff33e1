package connectortest

import (
	"slices"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Refusals is what a connector does not take.
type Refusals struct {
	New func() connectors.Connector
	// Settings are wrong. Faulty are the names of all that are.
	Settings map[string]string
	Faulty   []string
	// Props are settings with which it starts. Offsets cannot be set then, each by itself.
	Props   map[string]string
	Offsets []*data.Map
}

// Run wants all faults of the settings at once, and each offset refused.
func (r Refusals) Run(t *testing.T) {
	t.Helper()
	var faulty []string
	for _, v := range r.New().ConfigDef().Validate(config.PropsOf(r.Settings)) {
		if len(v.Errors) > 0 {
			faulty = append(faulty, v.Name)
		}
	}
	slices.Sort(faulty)
	if want := slices.Sorted(slices.Values(r.Faulty)); !slices.Equal(faulty, want) {
		t.Errorf("the faults are in %q, want %q", faulty, want)
	}
	alterer, ok := r.New().(connectors.SourceOffsetAlterer)
	if !ok {
		t.Fatal("it takes every offset")
	}
	for _, o := range r.Offsets {
		ok, err := alterer.AlterOffsets(config.PropsOf(r.Props), []connectors.SourceOffset{{Partition: data.Of("p", data.StringValue("x")), Offset: o}})
		if ok || !fault.Connect.Is(err) {
			t.Errorf("%s: %v, %v", data.MapValue(o).String(), ok, err)
		}
	}
}
