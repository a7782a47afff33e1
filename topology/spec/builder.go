package spec

import (
	"errors"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// newBuilder is a builder with the settings that say how a topology is made. What they may be, package streamsconfig
// checks, but for topology.optimization.
func (d *document) newBuilder() *dsl.StreamsBuilder {
	suppliers := d.setting("dsl.store.suppliers.class")
	inMemory := strings.HasSuffix(suppliers, "InMemoryDslStoreSuppliers") || suppliers == "" && d.setting("default.dsl.store") == "in_memory"
	b := dsl.NewStreamsBuilder(dsl.Defaults{
		Key: d.defaultSerde("default.key.serde"), Value: d.defaultSerde("default.value.serde"), InMemory: inMemory,
	})
	if setting := d.setting(dsl.TopologyOptimization); setting != "" {
		b.Optimize(setting)
		for _, err := range b.Faults() {
			d.faults = append(d.faults, d.atSetting(dsl.TopologyOptimization, err))
		}
	}
	if d.setting(dsl.EnsureExplicitNaming) == "true" {
		b.EnsureExplicitNames()
	}
	return b
}

// setting is the value of a setting, "" for none.
func (d *document) setting(key string) string {
	if v, ok := d.options.Set[key]; ok {
		return v
	}
	return d.app.Config[key]
}

// atSetting gives an error the place of the setting that it is about, if it is in the document.
func (d *document) atSetting(key string, err error) error {
	var coded *errs.Error
	where, ok := d.app.ConfigWhere[key]
	if _, set := d.options.Set[key]; set || !ok || !errors.As(err, &coded) {
		return err
	}
	located := *coded
	located.Where, located.Detail = where, d.excerptAt(where)
	return &located
}

func (d *document) defaultSerde(key string) topology.Serde {
	name := d.setting(key)
	if name == "" {
		return topology.Bytes
	}
	s, err := topology.SerdeByName(name)
	if err != nil {
		if _, set := d.options.Set[key]; !set {
			d.faults = append(d.faults, d.atSetting(key, err))
		}
		return topology.Bytes
	}
	return s
}
