package connectorconfig

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// aliased is a kind of plugins that settings name by aliases.
type aliased struct {
	kind  connectors.Kind
	list  string // the setting with the aliases, and the prefix of theirs
	group string
	title string
}

var aliasedKinds = []aliased{
	{connectors.KindTransformation, "transforms", transformsGroup, "Transformation"},
	{connectors.KindPredicate, "predicates", predicatesGroup, "Predicate"},
}

// aliases reads a list of aliases, each once; nil where it cannot be read.
func aliases(props config.Props, name string) []string {
	text, ok := props.Get(name)
	if !ok {
		return nil
	}
	v, err := config.ParseType(name, text, config.List)
	if err != nil {
		return nil
	}
	var out []string
	for _, alias := range v.([]string) {
		if !slices.Contains(out, alias) {
			out = append(out, alias)
		}
	}
	return out
}

// enrich adds the settings of the transformations and predicates that props name. If strict, a class that is missing or wrong
// is an error; otherwise its own settings are left out, and the check of its type complains.
func (d *Defs) enrich(def *config.Def, props config.Props, strict bool) error {
	for _, a := range aliasedKinds {
		for _, alias := range aliases(props, a.list) {
			if err := d.enrichAlias(def, a, alias, props, strict); err != nil {
				return err
			}
		}
	}
	if !hasPrefix(props, topicCreation) || !strict && duplicates(props, "topic.creation.groups") {
		return nil
	}
	return d.enrichTopicCreation(def, props)
}

// duplicates tells whether a list of aliases names one twice.
func duplicates(props config.Props, name string) bool {
	text, _ := props.Get(name)
	v, err := config.ParseType(name, text, config.List)
	return err == nil && uniqueAliases(name, v) != nil
}

func hasPrefix(props config.Props, prefix string) bool {
	for name := range props {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (d *Defs) enrichAlias(def *config.Def, a aliased, alias string, props config.Props, strict bool) error {
	prefix := a.list + "." + alias + "."
	group := a.group + ": " + alias
	lower := strings.ToLower(a.title)
	def.Define(config.Key{
		Name: prefix + "type", Type: config.Class, Validator: d.typeCheck(a, prefix, props), Importance: config.High, Group: group, Order: 0,
		Width: config.WidthLong, Display: a.title + " type for " + alias, Recommender: d.recommend(a.kind),
		Doc: "The class of the " + lower + " '" + alias + "'.",
	})
	version := versionKey(prefix[:len(prefix)-1], alias, config.High, config.WidthLong)
	version.Group, version.Order, version.Display = group, 1, a.title+" version for "+alias
	def.Define(version)
	p, err := d.find(prefix+"type", strings.TrimSpace(props.Or(prefix+"type", "")), a.kind)
	versionDefault(def, version.Name, p, err == nil)
	own, err := d.ownSettings(a, prefix, props)
	if err != nil {
		if strict {
			return err
		}
		return def.Err()
	}
	return def.Embed(prefix, group, 2, own)
}

// ownSettings are those of the class that an alias names, and of all transformations.
func (d *Defs) ownSettings(a aliased, prefix string, props config.Props) (*config.Def, error) {
	class, ok := props.Get(prefix + "type")
	if !ok {
		return nil, config.Invalid(prefix+"type", nil, "Not a "+a.title)
	}
	p, err := d.find(prefix+"type", strings.TrimSpace(class), a.kind)
	if err != nil {
		return nil, err
	}
	own := config.NewDef()
	if a.kind == connectors.KindTransformation {
		own.Define(config.Key{Name: "predicate", Type: config.String, Nullable: true, Importance: config.Medium, Doc: "The alias of a predicate that decides to which records this transformation is applied."})
		own.Define(config.Key{Name: "negate", Type: config.Boolean, Default: false, Importance: config.Medium, Doc: "Whether the transformation is applied where the predicate is false."})
	}
	theirs := p.ConfigDef()
	for _, name := range theirs.Names() {
		if own.Key(name) == nil {
			own.Define(*theirs.Key(name))
		}
	}
	return own, nil
}

func (d *Defs) typeCheck(a aliased, prefix string, props config.Props) config.Check {
	return func(name string, value any) error {
		if a.kind == connectors.KindTransformation {
			_, negated := props[prefix+"negate"]
			_, predicated := props[prefix+"predicate"]
			if negated && !predicated {
				return config.Exception("Config '" + prefix + "negate' was provided but there is no config '" + prefix + "predicate' defining a predicate to be negated.")
			}
		}
		class, ok := value.(string)
		if !ok {
			return nil
		}
		_, err := d.find(name, class, a.kind)
		return err
	}
}

// Parse reads the settings that every connector has, and those of its transformations and predicates. The first fault is the
// error, as when Kafka starts a connector.
func (d *Defs) Parse(kind connectors.Kind, props config.Props) (config.Values, error) {
	def := d.Base(kind)
	if _, err := def.Parse(props); err != nil {
		return nil, err
	}
	if err := d.enrich(def, props, true); err != nil {
		return nil, err
	}
	return def.Parse(props)
}

// Stages makes and configures the transformations of a connector with their predicates, in the order of transforms.
func (d *Defs) Stages(props config.Props) ([]connectors.Stage, error) {
	var out []connectors.Stage
	for _, alias := range aliases(props, "transforms") {
		stage, err := d.stage(alias, props)
		if err != nil {
			for i := range out {
				out[i].Close()
			}
			return nil, err
		}
		out = append(out, stage)
	}
	return out, nil
}

func (d *Defs) stage(alias string, props config.Props) (connectors.Stage, error) {
	prefix := "transforms." + alias + "."
	class := strings.TrimSpace(props.Or(prefix+"type", ""))
	p, err := d.find(prefix+"type", class, connectors.KindTransformation)
	if err != nil {
		return connectors.Stage{}, err
	}
	own := props.WithPrefix(prefix)
	if err := CheckVersionOf(p, own, "plugin.version"); err != nil {
		return connectors.Stage{}, err
	}
	stage := connectors.Stage{Name: alias, Class: p.Class, Transformation: p.Transformation()}
	if name, ok := own.Get("predicate"); ok && name != "" {
		if stage.Predicate, err = d.predicate(alias, name, props); err != nil {
			return stage, err
		}
		negate, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(own.Or("negate", "false"))))
		if err != nil {
			return stage, config.Invalid(prefix+"negate", own.Or("negate", ""), "Expected value to be either true or false")
		}
		stage.Negate = negate
	}
	if err := stage.Transformation.Configure(ownOf(props, prefix)); err != nil {
		return stage, fault.Connect.Errorf("configuring the transformation %q: %w", alias, err)
	}
	return stage, nil
}

// ownOf are the settings of a transformation or predicate, without those that are about it.
func ownOf(props config.Props, prefix string) config.Props {
	own := props.WithPrefix(prefix)
	about := []string{"type", "plugin.version"}
	if strings.HasPrefix(prefix, "transforms.") {
		about = append(about, "predicate", "negate")
	}
	for _, name := range about {
		delete(own, name)
	}
	return own
}

func (d *Defs) predicate(transform, name string, props config.Props) (connectors.Predicate, error) {
	prefix := "predicates." + name + "."
	class, ok := props.Get(prefix + "type")
	if !ok || !slices.Contains(aliases(props, "predicates"), name) {
		return nil, missingPredicate(transform, name)
	}
	p, err := d.find(prefix+"type", strings.TrimSpace(class), connectors.KindPredicate)
	if err != nil {
		return nil, err
	}
	if err := CheckVersionOf(p, props.WithPrefix(prefix), "plugin.version"); err != nil {
		return nil, err
	}
	predicate := p.Predicate()
	if err := predicate.Configure(ownOf(props, prefix)); err != nil {
		return nil, fault.Connect.Errorf("configuring the predicate %q: %w", name, err)
	}
	return predicate, nil
}

func missingPredicate(transform, name string) error {
	return config.Invalid("transforms."+transform+".predicate", name, "there is no predicate of this alias in 'predicates'")
}
