// Package config is Kafka's ConfigDef: which settings there are, of which type, with which default; parsing; validation
// that reports every fault at once in Kafka's words; and the providers behind ${provider:path:key}.
//
// It knows nothing of connectors. What the settings mean is up to those who define them.
package config

import (
	"maps"
	"slices"
	"strings"
)

// Props are settings as they were written. A nil value is a null, which Kafka's maps and JSON can hold.
type Props map[string]*string

// PropsOf makes Props of plain settings.
func PropsOf(m map[string]string) Props {
	p := make(Props, len(m))
	for k, v := range m {
		p.Set(k, v)
	}
	return p
}

// Set sets a value.
func (p Props) Set(name, value string) { p[name] = &value }

// Get is a value, and whether there is one that is not null.
func (p Props) Get(name string) (string, bool) {
	if v := p[name]; v != nil {
		return *v, true
	}
	return "", false
}

// Or is a value, or def where there is none.
func (p Props) Or(name, def string) string {
	if v, ok := p.Get(name); ok {
		return v
	}
	return def
}

// Clone is a copy that may be changed.
func (p Props) Clone() Props { return maps.Clone(p) }

// Map are the settings that are not null.
func (p Props) Map() map[string]string {
	m := make(map[string]string, len(p))
	for k, v := range p {
		if v != nil {
			m[k] = *v
		}
	}
	return m
}

// WithPrefix are the settings whose names begin with prefix, without it.
func (p Props) WithPrefix(prefix string) Props {
	out := Props{}
	for k, v := range p {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = v
		}
	}
	return out
}

// Names are all names, sorted.
func (p Props) Names() []string { return slices.Sorted(maps.Keys(p)) }
