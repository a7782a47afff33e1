package connectorconfig

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// OfPlugin defines what every connector of a plugin's kind has, with the plugin's version as the default.
func (d *Defs) OfPlugin(p connectors.Plugin) *config.Def {
	def := d.Base(p.Kind)
	versionDefault(def, "connector.plugin.version", p, true)
	return def
}

// versions recommends the version of a plugin. Where the plugin is not known, the setting does not show.
type versions struct {
	list  []string
	known bool
}

// ValidValues are the versions.
func (v versions) ValidValues(string, config.Values) []string { return v.list }

// Visible is whether there is such a plugin.
func (v versions) Visible(string, config.Values) bool { return v.known }

func versionDefault(def *config.Def, name string, p connectors.Plugin, known bool) {
	key := *def.Key(name)
	v := versions{known: known}
	if known {
		v.list = []string{p.Version}
		key.Default = p.Version
	}
	key.Recommender = v
	def.Replace(key)
}

// defaults are those that come from the worker: its converters, and the versions of what the connector then uses.
func (d *Defs) defaults(def *config.Def, props config.Props, worker map[string]string) {
	for _, side := range []string{"key", "value", "header"} {
		name, kind := side+".converter", connectors.KindConverter
		if side == "header" {
			kind = connectors.KindHeaderConverter
		}
		if p, err := d.plugins.Find(worker[name], kind); err == nil {
			key := *def.Key(name)
			key.Default = p.Class
			def.Replace(key)
		}
		used, err := d.plugins.Find(strings.TrimSpace(props.Or(name, worker[name])), kind)
		versionDefault(def, name+".plugin.version", used, err == nil)
	}
}
