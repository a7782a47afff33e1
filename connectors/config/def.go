package config

import (
	"slices"
	"sort"
	"strings"
)

// Type is the type of a setting.
type Type string

// The types, as Kafka names them in REST answers.
const (
	Boolean  Type = "BOOLEAN"
	String   Type = "STRING"
	Int      Type = "INT"
	Short    Type = "SHORT"
	Long     Type = "LONG"
	Double   Type = "DOUBLE"
	List     Type = "LIST"
	Class    Type = "CLASS"
	Password Type = "PASSWORD"
)

// Importance says how many users will want to set a key.
type Importance string

// The importances.
const (
	High   Importance = "HIGH"
	Medium Importance = "MEDIUM"
	Low    Importance = "LOW"
)

// Width is a hint for forms.
type Width string

// The widths.
const (
	WidthNone   Width = "NONE"
	WidthShort  Width = "SHORT"
	WidthMedium Width = "MEDIUM"
	WidthLong   Width = "LONG"
)

// Validator checks a parsed value: nil for null, else bool, string, int32, int16, int64, float64, []string, Secret.
type Validator interface {
	Ensure(name string, value any) error
}

// Recommender proposes values and says whether a key matters, given the other settings.
type Recommender interface {
	ValidValues(name string, parsed Values) []string
	Visible(name string, parsed Values) bool
}

// Key defines one setting. The zero Default means none: the setting is required, unless Nullable says that its default
// is null.
type Key struct {
	Name        string
	Type        Type
	Default     any // of the type that Parse returns; a string is parsed
	Nullable    bool
	Validator   Validator
	Importance  Importance
	Doc         string
	Group       string
	Order       int // within Group; -1 without one
	Width       Width
	Display     string // Name where empty
	Dependents  []string
	Recommender Recommender
	// Given keys are set by the framework: they are shown as required, and may be missing.
	Given bool
	// Internal keys work but are not shown.
	Internal bool
}

// Required tells whether the key has no default.
func (k *Key) Required() bool { return k.Default == nil && !k.Nullable }

// Def is a set of keys. It is filled at the start and may then be read by several goroutines.
type Def struct {
	keys   map[string]*Key
	order  []string
	groups []string
	err    error
}

// NewDef makes a definition of keys.
func NewDef(keys ...Key) *Def {
	d := &Def{keys: map[string]*Key{}}
	for _, k := range keys {
		d.Define(k)
	}
	return d
}

// Define adds a key. A name that is defined already is a ConfigException, kept for Err.
func (d *Def) Define(k Key) *Def {
	if _, ok := d.keys[k.Name]; ok {
		if d.err == nil {
			d.err = Exception("Configuration " + k.Name + " is defined twice.")
		}
		return d
	}
	d.put(k)
	return d
}

func (d *Def) put(k Key) {
	if k.Group != "" && !slices.Contains(d.groups, k.Group) {
		d.groups = append(d.groups, k.Group)
	}
	if k.Display == "" {
		k.Display = k.Name
	}
	if k.Width == "" {
		k.Width = WidthNone
	}
	if k.Group == "" {
		k.Order = -1
	}
	if k.Default != nil {
		v, err := ParseType(k.Name, k.Default, k.Type)
		if err == nil && k.Validator != nil {
			err = k.Validator.Ensure(k.Name, v)
		}
		if err != nil && d.err == nil {
			d.err = err
		}
		k.Default = v
	}
	if _, ok := d.keys[k.Name]; !ok {
		d.order = append(d.order, k.Name)
	}
	d.keys[k.Name] = &k
}

// Replace adds a key or takes the place of one that is defined already.
func (d *Def) Replace(k Key) { d.put(k) }

// Err is the first mistake in the definition itself.
func (d *Def) Err() error { return d.err }

// Key finds a key, nil if there is none.
func (d *Def) Key(name string) *Key { return d.keys[name] }

// Names are the names in the order of definition.
func (d *Def) Names() []string { return d.order }

// Groups are the groups in the order in which they first came up.
func (d *Def) Groups() []string { return d.groups }

// Clone is a copy that may be extended.
func (d *Def) Clone() *Def {
	out := NewDef()
	for _, name := range d.order {
		out.put(*d.keys[name])
	}
	out.groups = slices.Clone(d.groups)
	return out
}

// Embed adds the keys of another definition under a prefix; keys without a group get group, orders follow order.
func (d *Def) Embed(prefix, group string, order int, child *Def) error {
	names := slices.Clone(child.order)
	sort.SliceStable(names, func(i, j int) bool { return lessKey(child.keys[names[i]], child.keys[names[j]]) })
	for _, name := range names {
		k := *child.keys[name]
		k.Name = prefix + k.Name
		if k.Group == "" {
			k.Group = group
		} else {
			k.Group = group + ": " + k.Group
		}
		k.Order = order
		order++
		deps := make([]string, len(k.Dependents))
		for i, dep := range k.Dependents {
			deps[i] = prefix + dep
		}
		k.Dependents = deps
		if k.Recommender != nil {
			k.Recommender = prefixed{k.Recommender, prefix}
		}
		if inner := k.Validator; inner != nil {
			k.Validator = Check(func(name string, value any) error { return inner.Ensure(strings.TrimPrefix(name, prefix), value) })
		}
		d.Define(k)
	}
	return d.err
}

// lessKey orders as Kafka's sortedConfigs: required keys first, then by importance, then by name.
func lessKey(a, b *Key) bool {
	if a.Required() != b.Required() {
		return a.Required()
	}
	if ra, rb := rank(a.Importance), rank(b.Importance); ra != rb {
		return ra < rb
	}
	return a.Name < b.Name
}

func rank(i Importance) int {
	switch i {
	case High:
		return 0
	case Medium:
		return 1
	}
	return 2
}

type prefixed struct {
	inner  Recommender
	prefix string
}

func (p prefixed) ValidValues(name string, parsed Values) []string {
	return p.inner.ValidValues(name[len(p.prefix):], parsed.withPrefix(p.prefix))
}

func (p prefixed) Visible(name string, parsed Values) bool {
	return p.inner.Visible(name[len(p.prefix):], parsed.withPrefix(p.prefix))
}
