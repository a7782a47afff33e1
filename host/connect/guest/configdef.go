package guest

import (
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// configDef is the definition of settings that a manifest gives a component.
func configDef(spec *abi.Component, more ...config.Key) *config.Def {
	def := config.NewDef()
	for i := range spec.Config {
		def.Define(keyOf(&spec.Config[i]))
	}
	for _, k := range more {
		if def.Key(k.Name) == nil {
			def.Define(k)
		}
	}
	return def
}

func keyOf(s *abi.Setting) config.Key {
	k := config.Key{
		Name: s.Name, Type: config.Type(s.Type), Nullable: s.Optional, Importance: config.Importance(s.Importance), Doc: s.Doc,
		Width: config.WidthMedium,
	}
	if s.HasDefault {
		k.Default = s.Default
	}
	if len(s.Values) > 0 {
		k.Validator, k.Recommender = oneOf(s.Values), recommended(s.Values)
	}
	return k
}

// oneOf accepts the values of a setting, and null where the setting may be absent.
func oneOf(values []string) config.Check {
	return func(name string, value any) error {
		text, isText := value.(string)
		if value == nil || isText && slices.Contains(values, text) {
			return nil
		}
		return config.Invalid(name, value, "String must be one of: "+strings.Join(values, ", "))
	}
}

// recommended proposes the values of a setting.
type recommended []string

// ValidValues implements config.Recommender.
func (r recommended) ValidValues(string, config.Values) []string { return r }

// Visible implements config.Recommender.
func (recommended) Visible(string, config.Values) bool { return true }
