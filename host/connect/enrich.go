package connect

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// stageKind is one of the two lists of plugins with aliases: transformations or predicates.
type stageKind struct {
	key, group, base, what string
	kind                   connectors.Kind
}

var stageKinds = []stageKind{
	{transformsKey, groupTransforms, "Transformation", "transformation", connectors.KindTransformation},
	{predicatesKey, groupPredicates, "Predicate", "predicate", connectors.KindPredicate},
}

// enrich adds the settings of transformations and predicates that props name (Kafka's ConnectorConfig.enrich). With strict
// the first plugin that cannot be had is an error; else the validation of its type tells.
func enrich(d *config.Def, plugins *connectors.Plugins, props config.Props, strict bool) error {
	for _, k := range stageKinds {
		list, err := config.ParseType(k.key, props.Or(k.key, ""), config.List)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, alias := range list.([]string) {
			if seen[alias] {
				continue
			}
			seen[alias] = true
			if err := k.enrich(d, plugins, props, alias, strict); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k stageKind) enrich(d *config.Def, plugins *connectors.Plugins, props config.Props, alias string, strict bool) error {
	prefix, group := k.key+"."+alias+".", k.group+": "+alias
	typeKey := prefix + "type"
	d.Replace(config.Key{
		Name: typeKey, Type: config.Class, Validator: k.typeCheck(plugins, props, prefix), Importance: config.High, Group: group, Order: 0,
		Width: config.WidthLong, Display: k.base + " type for " + alias, Doc: "Class for the '" + alias + "' " + k.what + ".",
		Recommender: classes{plugins, []connectors.Kind{k.kind}},
	})
	class, ok := props.Get(typeKey)
	if !ok {
		if strict {
			return config.Invalid(typeKey, nil, "Not a "+k.base)
		}
		return nil
	}
	p, err := plugins.Find(class, k.kind)
	if err != nil {
		if strict {
			return unfitClass(plugins, typeKey, class, k.base)
		}
		return nil
	}
	own := config.NewDef()
	if k.kind == connectors.KindTransformation {
		own.Define(config.Key{Name: "predicate", Type: config.String, Nullable: true, Validator: knownPredicate(props), Importance: config.Medium, Doc: "The alias of a predicate that decides whether this transformation is applied."})
		own.Define(config.Key{Name: "negate", Type: config.Boolean, Default: false, Importance: config.Medium, Doc: "Whether the predicate is negated."})
	}
	def := p.ConfigDef()
	for _, name := range def.Names() {
		if own.Key(name) == nil {
			own.Define(*def.Key(name))
		}
	}
	return d.Embed(prefix, group, 1, own)
}

// typeCheck refuses a class that cannot be had, and a negation of nothing.
func (k stageKind) typeCheck(plugins *connectors.Plugins, props config.Props, prefix string) config.Check {
	exists := pluginCheck(plugins, k.base, k.kind)
	return func(name string, value any) error {
		if err := negationError(props, prefix); err != nil && k.kind == connectors.KindTransformation {
			return err
		}
		return exists(name, value)
	}
}

func negationError(props config.Props, prefix string) error {
	_, negate := props[prefix+"negate"]
	if _, predicate := props[prefix+"predicate"]; !negate || predicate {
		return nil
	}
	return config.Exception("Config '" + prefix + "negate' was provided but there is no config '" + prefix + "predicate' defining a predicate to be negated.")
}

// knownPredicate refuses aliases that are not among the predicates. Kafka finds that out when the connector starts.
func knownPredicate(props config.Props) config.Check {
	list, _ := config.ParseType(predicatesKey, props.Or(predicatesKey, ""), config.List)
	return func(name string, value any) error {
		alias, ok := value.(string)
		if !ok || alias == "" {
			return nil
		}
		for _, p := range list.([]string) {
			if p == alias {
				return nil
			}
		}
		return config.Invalid(name, value, "There is no such predicate: add it to "+predicatesKey)
	}
}
