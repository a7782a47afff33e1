package connectors

import (
	"errors"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Kind is the kind of a plugin, spelled as in REST answers.
type Kind string

// The kinds.
const (
	KindSource          Kind = "source"
	KindSink            Kind = "sink"
	KindConverter       Kind = "converter"
	KindHeaderConverter Kind = "header_converter"
	KindTransformation  Kind = "transformation"
	KindPredicate       Kind = "predicate"
)

// Plugin is something that a configuration can name. Exactly one of the constructors is set, that of its Kind; a class
// that is a converter and a header converter is two plugins.
type Plugin struct {
	// Class is the full name: Kafka's Java name where there is one.
	Class   string
	Kind    Kind
	Version string
	// Doc is one line.
	Doc string

	Source          func() SourceConnector
	Sink            func() SinkConnector
	Converter       func() Converter
	HeaderConverter func() HeaderConverter
	Transformation  func() Transformation
	Predicate       func() Predicate
}

// NewConnector makes the connector of a source or sink plugin.
func (p *Plugin) NewConnector() Connector {
	if p.Kind == KindSource {
		return p.Source()
	}
	return p.Sink()
}

// ConfigDef makes an instance and asks it.
func (p *Plugin) ConfigDef() *config.Def {
	switch p.Kind {
	case KindSource:
		return p.Source().ConfigDef()
	case KindSink:
		return p.Sink().ConfigDef()
	case KindConverter:
		return p.Converter().ConfigDef()
	case KindHeaderConverter:
		return p.HeaderConverter().ConfigDef()
	case KindTransformation:
		return p.Transformation().ConfigDef()
	}
	return p.Predicate().ConfigDef()
}

// SimpleName is the class without its package: Cast$Value of org.apache.kafka.connect.transforms.Cast$Value.
func (p *Plugin) SimpleName() string { return fault.Class(p.Class).SimpleName() }

// Pruned is the simple name without the suffix of its kind: FileStreamSource of FileStreamSourceConnector.
func (p *Plugin) Pruned() string {
	name := p.SimpleName()
	for _, suffix := range suffixes(p.Kind) {
		if rest, ok := strings.CutSuffix(name, suffix); ok && rest != "" {
			return rest
		}
	}
	return name
}

func suffixes(k Kind) []string {
	switch k {
	case KindSource, KindSink:
		return []string{"Connector"}
	case KindConverter:
		return []string{"Converter"}
	case KindHeaderConverter:
		return []string{"HeaderConverter", "Converter"}
	case KindTransformation:
		return []string{"Transformation"}
	}
	return []string{"Predicate"}
}

// Loader finds plugins that are not built in, as modules named wasm:FILE#COMPONENT. False says that the name is not for it.
type Loader interface {
	Load(kind Kind, name string) (p Plugin, found bool, err error)
	// List are the plugins that it knows of, for GET /connector-plugins.
	List() []Plugin
}

// Plugins finds plugins by class, simple name, or simple name without suffix where that is unambiguous. It is filled at the
// start and may then be used by several goroutines.
type Plugins struct {
	list    []Plugin
	loaders []Loader
}

// NewPlugins makes a table.
func NewPlugins(list ...Plugin) *Plugins { return &Plugins{list: slices.Clone(list)} }

// Add adds plugins.
func (ps *Plugins) Add(list ...Plugin) { ps.list = append(ps.list, list...) }

// AddLoader has names looked up in l that the table does not know.
func (ps *Plugins) AddLoader(l Loader) { ps.loaders = append(ps.loaders, l) }

// List are all plugins of some kinds, of all kinds without any.
func (ps *Plugins) List(kinds ...Kind) []Plugin {
	all := slices.Clone(ps.list)
	for _, l := range ps.loaders {
		all = append(all, l.List()...)
	}
	if len(kinds) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(p Plugin) bool { return !slices.Contains(kinds, p.Kind) })
}

// ErrUnknownPlugin is within the error for names that nothing has.
var ErrUnknownPlugin = errors.New("no such plugin")

// Find finds a plugin of one of the kinds.
func (ps *Plugins) Find(name string, kinds ...Kind) (Plugin, error) {
	var short []Plugin
	for _, p := range ps.list {
		if !slices.Contains(kinds, p.Kind) {
			continue
		}
		if p.Class == name {
			return p, nil
		}
		if p.SimpleName() == name || p.Pruned() == name {
			short = append(short, p)
		}
	}
	if len(short) == 1 {
		return short[0], nil
	}
	for _, l := range ps.loaders {
		for _, k := range kinds {
			if p, ok, err := l.Load(k, name); ok || err != nil {
				return p, err
			}
		}
	}
	return Plugin{}, fault.Connect.Errorf("%s: %w", "Class "+name+" could not be found.", ErrUnknownPlugin)
}

// Connector finds a source or sink. The error is Kafka's, with all connectors that there are.
func (ps *Plugins) Connector(name string) (Plugin, error) {
	p, err := ps.Find(name, KindSource, KindSink)
	if !errors.Is(err, ErrUnknownPlugin) {
		return p, err
	}
	var names []string
	for _, p := range ps.List(KindSource, KindSink) {
		names = append(names, "PluginDesc{klass=class "+p.Class+", name='"+p.Class+"', version='"+p.Version+
			"', encodedVersion="+p.Version+", type="+string(p.Kind)+", typeName='"+string(p.Kind)+"', location='classpath'}")
	}
	return Plugin{}, fault.Connect.New("Failed to find any class that implements Connector and which name matches " + name +
		", available connectors are: " + strings.Join(names, ", ")).Because(ErrUnknownPlugin)
}
