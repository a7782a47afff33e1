package connectorconfig

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// versionRange is what a setting plugin.version asks for (KIP-891), in Maven's words: "1.2" alone is that version, "[1.0,2.0)"
// those from 1.0 to below 2.0, "[1,2),[4,)" either.
type versionRange []versionSpan

// versionSpan goes from one version to another; an empty one is no bound.
type versionSpan struct {
	low, high         string
	withLow, withHigh bool
}

// latest asks for no version in particular.
const latest = "latest"

// parseVersionRange reads a range; nil takes every version. The error has the text of Maven's.
func parseVersionRange(text string) (versionRange, error) {
	if text == latest {
		return nil, nil
	}
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "(") {
		text = "[" + text + "]"
	}
	var r versionRange
	rest := text
	for strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "(") {
		end := strings.IndexAny(rest, ")]")
		if end < 0 {
			return nil, fault.Connect.New("Unbounded range: " + text)
		}
		span, err := parseVersionSpan(rest[:end+1])
		if err != nil {
			return nil, err
		}
		if len(r) > 0 && r[len(r)-1].high != "" && (span.low == "" || compareVersions(span.low, r[len(r)-1].high) < 0) {
			return nil, fault.Connect.New("Ranges overlap: " + text)
		}
		r = append(r, span)
		rest = strings.TrimSpace(rest[end+1:])
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	}
	if rest != "" {
		return nil, fault.Connect.New("Only fully-qualified sets allowed in multiple set scenario: " + text)
	}
	return r, nil
}

func parseVersionSpan(text string) (versionSpan, error) {
	s := versionSpan{withLow: text[0] == '[', withHigh: text[len(text)-1] == ']'}
	low, high, two := strings.Cut(strings.TrimSpace(text[1:len(text)-1]), ",")
	s.low, s.high = strings.TrimSpace(low), strings.TrimSpace(high)
	if !two {
		if !s.withLow || !s.withHigh {
			return s, fault.Connect.New("Single version must be surrounded by []: " + text)
		}
		s.high = s.low
		return s, nil
	}
	if s.low != "" && s.high != "" {
		if c := compareVersions(s.high, s.low); c < 0 || c == 0 && (!s.withLow || !s.withHigh) {
			return s, fault.Connect.New("Range defies version ordering: " + text)
		}
	}
	return s, nil
}

// has tells whether a version is in the range. Nothing between brackets is the empty version, as in Kafka.
func (r versionRange) has(version string) bool {
	for _, s := range r {
		if s.has(version) {
			return true
		}
	}
	return r == nil
}

func (s versionSpan) has(version string) bool {
	if s.low != "" {
		if c := compareVersions(version, s.low); c < 0 || c == 0 && !s.withLow {
			return false
		}
	}
	if s.high != "" {
		if c := compareVersions(version, s.high); c > 0 || c == 0 && !s.withHigh {
			return false
		}
	}
	return s.low != "" || s.high != "" || !s.withLow || !s.withHigh
}

// String is the range as Maven prints it.
func (r versionRange) String() string {
	var b strings.Builder
	for i, s := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte("(["[at(s.withLow)])
		b.WriteString(s.low + "," + s.high)
		b.WriteByte(")]"[at(s.withHigh)])
	}
	return b.String()
}

func at(second bool) int {
	if second {
		return 1
	}
	return 0
}

// CheckVersionRange refuses a range that cannot be read.
func CheckVersionRange(text string) error {
	_, err := parseVersionRange(text)
	return err
}

// CheckVersion refuses a plugin whose version a setting does not allow, with Kafka's text. There is one version of each plugin.
func CheckVersion(p connectors.Plugin, wanted string) error {
	r, err := parseVersionRange(wanted)
	if err != nil {
		return err
	}
	if !r.has(p.Version) {
		return fault.Connect.New("Plugin " + p.Class + " not found that matches the version range " + r.String() + ", available versions: [" + p.Version + "]")
	}
	return nil
}

// CheckVersionOf refuses a plugin whose version the setting key of props does not allow.
func CheckVersionOf(p connectors.Plugin, props config.Props, key string) error {
	if wanted, ok := props.Get(key); ok {
		return CheckVersion(p, wanted)
	}
	return nil
}

// checkVersions holds the settings plugin.version against the plugins that they are about. The fault stands with the version and
// with the class, as in Kafka. The error is about a range of the connector's that cannot be read, of which Kafka checks nothing more.
func (d *Defs) checkVersions(connector connectors.Plugin, props config.Props, values map[string]*config.Value) error {
	if wanted, ok := props.Get("connector.plugin.version"); ok {
		if err := CheckVersionRange(wanted); err != nil {
			return err
		}
		refuseVersion(CheckVersion(connector, wanted), values, "connector.plugin.version", "connector.class")
	}
	for side, kind := range map[string]connectors.Kind{"key": connectors.KindConverter, "value": connectors.KindConverter, "header": connectors.KindHeaderConverter} {
		name := side + ".converter"
		wanted, ok := props.Get(name + ".plugin.version")
		if !ok {
			continue
		}
		if err := CheckVersionRange(wanted); err != nil {
			refuseVersion(err, values, name+".plugin.version")
			continue
		}
		if class, own := props.Get(name); own { // the worker's is as it is
			if p, err := d.find(name, strings.TrimSpace(class), kind); err == nil {
				refuseVersion(CheckVersion(p, wanted), values, name+".plugin.version", name)
			}
		}
	}
	for _, a := range aliasedKinds {
		for _, alias := range aliases(props, a.list) {
			name := a.list + "." + alias
			wanted, ok := props.Get(name + ".plugin.version")
			p, err := d.find(name+".type", strings.TrimSpace(props.Or(name+".type", "")), a.kind)
			if ok && err == nil {
				refuseVersion(CheckVersion(p, wanted), values, name+".plugin.version", name+".type")
			}
		}
	}
	return nil
}

func refuseVersion(fault error, values map[string]*config.Value, names ...string) {
	if fault == nil {
		return
	}
	for _, name := range names {
		add(values, name, fault.Error())
	}
}
