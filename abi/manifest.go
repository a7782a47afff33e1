package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind says which operator of the DSL a component is a function for, or that it is a processor.
type Kind string

// The kinds of components.
const (
	Filter        Kind = "filter"
	Map           Kind = "map"
	MapValues     Kind = "mapValues"
	FlatMap       Kind = "flatMap"
	FlatMapValues Kind = "flatMapValues"
	SelectKey     Kind = "selectKey"
	Foreach       Kind = "foreach"
	Process       Kind = "process"
	ProcessValues Kind = "processValues"

	// Functions of aggregations and joins. All but Initializer have arguments.
	Initializer Kind = "initializer"
	Aggregator  Kind = "aggregator"
	Reducer     Kind = "reducer"
	Merger      Kind = "merger"
	Joiner      Kind = "joiner"

	// Functions of sources and sinks.
	TimestampExtractor Kind = "timestampExtractor"
	TopicNameExtractor Kind = "topicNameExtractor"
	Partitioner        Kind = "partitioner"
	Serializer         Kind = "serializer"
	Deserializer       Kind = "deserializer"

	// Plugins of Connect. Their records hold data with schemas.
	Transformation  Kind = "transformation"
	Predicate       Kind = "predicate"
	Converter       Kind = "converter"
	HeaderConverter Kind = "headerConverter"
	Source          Kind = "source"
	Sink            Kind = "sink"
)

var kinds = []Kind{
	Filter, Map, MapValues, FlatMap, FlatMapValues, SelectKey, Foreach, Process, ProcessValues,
	Initializer, Aggregator, Reducer, Merger, Joiner,
	TimestampExtractor, TopicNameExtractor, Partitioner, Serializer, Deserializer,
	Transformation, Predicate, Converter, HeaderConverter, Source, Sink,
}

// Kinds returns all kinds; the caller owns the slice.
func Kinds() []Kind { return slices.Clone(kinds) }

// Stateful tells whether components of this kind may use stores and schedules.
func (k Kind) Stateful() bool { return k == Process || k == ProcessValues }

// HasArguments tells whether components of this kind are functions of more than a record: they get frames with
// FrameHasArguments, others never do.
func (k Kind) HasArguments() bool {
	switch k {
	case Aggregator, Reducer, Merger, Joiner:
		return true
	}
	return false
}

// Connect tells whether components of this kind are plugins of Connect.
func (k Kind) Connect() bool {
	switch k {
	case Transformation, Predicate, Converter, HeaderConverter, Source, Sink:
		return true
	}
	return false
}

// Parts is a set of the parts of a record.
type Parts uint8

// The parts that a component may want.
const (
	WantKey     Parts = 1 << 0
	WantValue   Parts = 1 << 1
	WantHeaders Parts = 1 << 2
	WantAll           = WantKey | WantValue | WantHeaders
)

var partNames = []string{"key", "value", "headers"}

// Has tells whether p holds all of q.
func (p Parts) Has(q Parts) bool { return p&q == q }

// Names lists the parts as the manifest spells them.
func (p Parts) Names() []string {
	names := make([]string, 0, len(partNames))
	for i, name := range partNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Manifest is what a module says of itself.
type Manifest struct {
	ABI         int
	Name        string
	Version     string
	Language    string
	SDK         string
	Description string
	Components  []Component
	// Topology is the application that the module brings along, a JSON object as it was written; nil if there is none.
	// Its form is that of an application's document (SPEC.md, 6).
	Topology json.RawMessage `json:",omitempty"`
}

// Component is one function or processor of a module.
type Component struct {
	Name  string
	Kind  Kind
	Wants Parts
	// Stores are the names that the component may open.
	Stores []string
	// Buffers: the component holds records back and gives them at ws_flush.
	Buffers     bool
	Description string
	// Config are the settings of a plugin of Connect.
	Config []Setting
}

// Setting is one setting of a plugin.
type Setting struct {
	Name string
	// Type is one of Kafka's ConfigDef.Type, in upper case.
	Type string
	// Default counts if HasDefault; without one the setting is required, unless Optional says that it may be absent.
	Default              string
	HasDefault, Optional bool
	// Importance is HIGH, MEDIUM or LOW.
	Importance string
	Doc        string
	// Values are those allowed; none is all.
	Values []string
}

// Component returns the component called name, or nil.
func (m *Manifest) Component(name string) *Component {
	for i := range m.Components {
		if m.Components[i].Name == name {
			return &m.Components[i]
		}
	}
	return nil
}

// Bounds of a manifest.
const (
	maxComponents = 1000
	maxStores     = 256
	maxSettings   = 256
	maxNameLen    = 249
	maxTextLen    = 4096
)

// ParseManifest reads a manifest and reports all of its faults at once. Keys that it does not know are ignored, unless
// the manifest says by requires that a host must know them.
func ParseManifest(data []byte) (Manifest, error) {
	if len(data) > MaxManifestBytes {
		return Manifest{}, fmt.Errorf("manifest: %d bytes are more than %d", len(data), MaxManifestBytes)
	}
	if !utf8.Valid(data) {
		return Manifest{}, errors.New("manifest: not UTF-8")
	}
	var p manifestParser
	data = bytes.TrimRight(data, "\x00")
	root, ok := p.object("manifest", data)
	if !ok {
		return Manifest{}, errors.Join(p.faults...)
	}
	if key, at := twice(data); at > 0 {
		p.fault("manifest", "the key %q stands twice in an object (byte %d)", key, at)
	}
	m := p.manifest(root)
	if len(p.faults) > 0 {
		return Manifest{}, errors.Join(p.faults...)
	}
	return m, nil
}

// manifestParser reads JSON by hand-picked keys, exact in case, and gathers faults with their place.
type manifestParser struct {
	faults []error
}

func (p *manifestParser) fault(where, format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("%s: "+format, append([]any{where}, args...)...))
}

func (p *manifestParser) object(where string, raw []byte) (map[string]json.RawMessage, bool) {
	var obj map[string]json.RawMessage
	if err := json.Unmarshal(raw, &obj); err != nil || obj == nil {
		p.fault(where, "not a JSON object%s", jsonReason(err))
		return nil, false
	}
	return obj, true
}

// jsonReason says where the syntax breaks; a wrong type needs no more words.
func jsonReason(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(" (byte %d: %v)", e.Offset, e)
	}
	return ""
}

func (p *manifestParser) manifest(root map[string]json.RawMessage) Manifest {
	m := Manifest{
		Name:        p.name(root, "name", "name"),
		Version:     p.text(root, "version", "version"),
		Language:    p.text(root, "language", "language"),
		SDK:         p.text(root, "sdk", "sdk"),
		Description: p.text(root, "description", "description"),
	}
	m.ABI = p.abi(root["abi"])
	m.Topology = p.topology(root["topology"])
	for _, r := range p.strings(root, "requires", "requires", maxStores) {
		p.fault("requires", "%q is not known to this host", r)
	}
	var list []json.RawMessage
	if raw, ok := root["components"]; !ok {
		p.fault("components", "missing")
	} else if json.Unmarshal(raw, &list) != nil || list == nil {
		p.fault("components", "not an array")
	} else if len(list) == 0 || len(list) > maxComponents {
		p.fault("components", "%d components, need 1 to %d", len(list), maxComponents)
	} else {
		m.Components = p.components(list)
	}
	return m
}

func (p *manifestParser) abi(raw json.RawMessage) int {
	var n int
	if raw == nil {
		p.fault("abi", "missing")
	} else if err := json.Unmarshal(raw, &n); err != nil {
		p.fault("abi", "%s is not the number of a version", bytes.TrimSpace(raw))
	} else if n != Version {
		p.fault("abi", "%d %w", n, ErrVersion)
	}
	return n
}

// ErrVersion is among the faults of a manifest that is of another major version.
var ErrVersion = fmt.Errorf("is not the version this host speaks, %d", Version)

// twice finds a key that an object has twice, however deep it lies, and where it ends; 0 is nowhere. data is JSON.
func twice(data []byte) (key string, at int64) {
	d := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the keys of objects around, nil for arrays
	isKey := false
	for {
		token, err := d.Token()
		if err != nil {
			return "", 0
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if isKey {
				keys := open[len(open)-1]
				if keys[token] {
					return token, d.InputOffset()
				}
				keys[token] = true
				isKey = false
				continue
			}
		}
		isKey = len(open) > 0 && open[len(open)-1] != nil
	}
}

// topology checks no more than that it is an object: what it says is read by those who know topologies.
func (p *manifestParser) topology(raw json.RawMessage) json.RawMessage {
	if text := bytes.TrimSpace(raw); raw != nil && (len(text) == 0 || text[0] != '{') {
		p.fault("topology", "not a JSON object")
		return nil
	}
	return raw
}

func (p *manifestParser) components(list []json.RawMessage) []Component {
	out := make([]Component, 0, len(list))
	seen := make(map[string]bool, len(list))
	for i, raw := range list {
		where := fmt.Sprintf("components[%d]", i)
		obj, ok := p.object(where, raw)
		if !ok {
			continue
		}
		c := p.component(where, obj)
		if seen[c.Name] {
			p.fault(where+".name", "%q occurs twice", c.Name)
		}
		seen[c.Name] = true
		out = append(out, c)
	}
	return out
}

func (p *manifestParser) component(where string, obj map[string]json.RawMessage) Component {
	c := Component{
		Name:        p.name(obj, where+".name", "name"),
		Kind:        p.kind(where+".kind", obj["kind"]),
		Wants:       p.wants(where+".wants", obj),
		Stores:      p.strings(obj, where+".stores", "stores", maxStores),
		Description: p.text(obj, where+".description", "description"),
	}
	c.Config = p.settings(where+".config", obj)
	for i, s := range c.Stores {
		if problem := nameProblem(s); problem != "" {
			p.fault(fmt.Sprintf("%s.stores[%d]", where, i), "%q %s", s, problem)
		}
	}
	if raw, ok := obj["buffers"]; ok && json.Unmarshal(raw, &c.Buffers) != nil {
		p.fault(where+".buffers", "not true or false")
	}
	if len(c.Stores) > 0 && c.Kind != "" && !c.Kind.Stateful() {
		p.fault(where+".stores", "a component of kind %s has no stores, only process and processValues have", c.Kind)
	}
	if c.Buffers && c.Kind != "" && !c.Kind.Stateful() {
		p.fault(where+".buffers", "a component of kind %s cannot hold records back", c.Kind)
	}
	return c
}

func (p *manifestParser) settings(where string, obj map[string]json.RawMessage) []Setting {
	raw, ok := obj["config"]
	if !ok {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		p.fault(where, "not an array")
		return nil
	}
	if len(list) > maxSettings {
		p.fault(where, "%d settings are more than %d", len(list), maxSettings)
		return nil
	}
	out := make([]Setting, 0, len(list))
	for i, raw := range list {
		at := fmt.Sprintf("%s[%d]", where, i)
		entry, ok := p.object(at, raw)
		if !ok {
			continue
		}
		s := p.setting(at, entry)
		if slices.ContainsFunc(out, func(o Setting) bool { return o.Name == s.Name }) {
			p.fault(at+".name", "%q occurs twice", s.Name)
		}
		out = append(out, s)
	}
	return out
}

// settingTypes are Kafka's ConfigDef.Type.
var settingTypes = []string{"BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}

func (p *manifestParser) setting(where string, obj map[string]json.RawMessage) Setting {
	s := Setting{
		Name: p.name(obj, where+".name", "name"), Type: "STRING", Importance: "MEDIUM",
		Doc: p.text(obj, where+".doc", "doc"), Values: p.strings(obj, where+".values", "values", maxSettings),
	}
	if _, ok := obj["type"]; ok {
		s.Type = p.oneOf(where+".type", p.text(obj, where+".type", "type"), settingTypes)
	}
	if _, ok := obj["importance"]; ok {
		s.Importance = p.oneOf(where+".importance", p.text(obj, where+".importance", "importance"), []string{"HIGH", "MEDIUM", "LOW"})
	}
	if _, ok := obj["default"]; ok {
		s.Default, s.HasDefault = p.text(obj, where+".default", "default"), true
	}
	if raw, ok := obj["optional"]; ok && json.Unmarshal(raw, &s.Optional) != nil {
		p.fault(where+".optional", "not true or false")
	}
	return s
}

func (p *manifestParser) oneOf(where, s string, allowed []string) string {
	if !slices.Contains(allowed, s) {
		p.fault(where, "%q is not one of %s", s, strings.Join(allowed, ", "))
	}
	return s
}

func (p *manifestParser) kind(where string, raw json.RawMessage) Kind {
	var k Kind
	if raw == nil {
		p.fault(where, "missing")
		return ""
	}
	if json.Unmarshal(raw, &k) != nil || !slices.Contains(kinds, k) {
		p.fault(where, "%s is not one of %s", raw, joinKinds())
		return ""
	}
	return k
}

func joinKinds() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

func (p *manifestParser) wants(where string, obj map[string]json.RawMessage) Parts {
	if _, ok := obj["wants"]; !ok {
		return WantAll
	}
	var parts Parts
	for _, name := range p.strings(obj, where, "wants", len(partNames)) {
		i := slices.Index(partNames, name)
		if i < 0 {
			p.fault(where, "%q is not one of key, value, headers", name)
			continue
		}
		parts |= 1 << i
	}
	return parts
}

func (p *manifestParser) strings(obj map[string]json.RawMessage, where, key string, limit int) []string {
	raw, ok := obj[key]
	if !ok {
		return nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || list == nil {
		p.fault(where, "not an array of strings")
		return nil
	}
	if len(list) > limit {
		p.fault(where, "%d entries are more than %d", len(list), limit)
		return nil
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			p.fault(where, "not an array of strings")
			return nil
		}
		if slices.Contains(out, *s) {
			p.fault(where, "%q occurs twice", *s)
		}
		out = append(out, *s)
	}
	return out
}

func (p *manifestParser) text(obj map[string]json.RawMessage, where, key string) string {
	raw, ok := obj[key]
	if !ok {
		return ""
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		p.fault(where, "not a string")
		return ""
	}
	if len(*s) > maxTextLen {
		p.fault(where, "longer than %d bytes", maxTextLen)
	}
	return *s
}

func (p *manifestParser) name(obj map[string]json.RawMessage, where, key string) string {
	if _, ok := obj[key]; !ok {
		p.fault(where, "missing")
		return ""
	}
	s := p.text(obj, where, key)
	if problem := nameProblem(s); problem != "" {
		p.fault(where, "%q %s", s, problem)
	}
	return s
}

// nameProblem is what is wrong with s as a name, or "". The rule is Kafka's for the names of stores and processors.
func nameProblem(s string) string {
	switch {
	case s == "":
		return "is empty"
	case s == "." || s == "..":
		return "is no name"
	case len(s) > maxNameLen:
		return fmt.Sprintf("is longer than %d characters", maxNameLen)
	}
	for _, c := range []byte(s) {
		if !isNameByte(c) {
			return "has other characters than ASCII letters, digits, '.', '_' and '-'"
		}
	}
	return ""
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
