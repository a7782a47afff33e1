package connectorconfig

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// TopicGroup says how topics of matching names are made (KIP-158).
type TopicGroup struct {
	Name              string
	Partitions        int // -1 is the broker's default
	ReplicationFactor int
	Configs           map[string]string
	include, exclude  []*jtext.Regex
}

// Matches tells whether a topic is made by this group. The group default takes every topic.
func (g *TopicGroup) Matches(topic string) (bool, error) {
	if g.Name == defaultGroup {
		return true, nil
	}
	included, err := matchesAny(g.include, topic)
	if err != nil || !included {
		return false, err
	}
	excluded, err := matchesAny(g.exclude, topic)
	return !excluded, err
}

func matchesAny(list []*jtext.Regex, topic string) (bool, error) {
	for _, r := range list {
		if ok, err := r.Matches(topic); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

const (
	topicCreation = "topic.creation."
	defaultGroup  = "default"
)

func partitionsKey(def any) config.Key {
	return config.Key{
		Name: "partitions", Type: config.Int, Default: def, Importance: config.Low, Width: config.WidthLong, Display: "Partition Count", Doc: "The number of partitions of new topics, or -1 for the broker's default.",
		Validator: config.Check(func(name string, value any) error {
			if n, ok := value.(int32); ok && n != -1 && n <= 0 {
				return config.Invalid(name, value, "Number of partitions must be positive, or -1 to use the broker's default")
			}
			return nil
		}),
	}
}

func replicationKey(def any) config.Key {
	return config.Key{
		Name: "replication.factor", Type: config.Short, Default: def, Importance: config.Low, Width: config.WidthLong, Display: "Replication Factor", Doc: "The replication factor of new topics, or -1 for the broker's default.",
		Validator: config.Check(func(name string, value any) error {
			if n, ok := value.(int16); ok && n != -1 && n <= 0 {
				return config.Invalid(name, value, "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
			}
			return nil
		}),
	}
}

func patternsKey(name, display, doc string) config.Key {
	return config.Key{
		Name: name, Type: config.List, Default: []string{}, Importance: config.Low, Width: config.WidthLong, Display: display, Doc: doc,
		Validator: config.Check(func(name string, value any) error {
			list, _ := value.([]string)
			for _, p := range list {
				if _, err := jtext.CompileRegex(p); err != nil {
					return config.Invalid(name, value, "Syntax error in regular expression")
				}
			}
			return nil
		}),
	}
}

// enrichTopicCreation adds the settings of the group default, and of the groups that props name.
func (d *Defs) enrichTopicCreation(def *config.Def, props config.Props) error {
	if def.Key("topic.creation.groups") == nil {
		return nil
	}
	if err := embedTopicGroup(def, defaultGroup, nil, nil); err != nil {
		return err
	}
	partitions, _ := props.Get(topicCreation + "default.partitions")
	replication, _ := props.Get(topicCreation + "default.replication.factor")
	for _, name := range aliases(props, "topic.creation.groups") {
		if name == defaultGroup {
			continue
		}
		if err := embedTopicGroup(def, name, valid(partitionsKey(nil), partitions), valid(replicationKey(nil), replication)); err != nil {
			return err
		}
	}
	return nil
}

// valid is a value for a default: -1 where the text cannot be read.
func valid(k config.Key, text string) any {
	v, err := config.ParseType(k.Name, text, k.Type)
	if err == nil {
		err = k.Validator.Ensure(k.Name, v)
	}
	if err != nil {
		return -1
	}
	return v
}

func embedTopicGroup(def *config.Def, name string, partitions, replication any) error {
	own := config.NewDef(replicationKey(replication), partitionsKey(partitions))
	if name != defaultGroup {
		own.Define(patternsKey("include", "Inclusion Topic Pattern", "Regular expressions for the topics that the group makes."))
		own.Define(patternsKey("exclude", "Exclusion Topic Pattern", "Regular expressions for topics that it does not make."))
	}
	return def.Embed(topicCreation+name+".", topicCreationGroup, 1, own)
}

// TopicGroups reads the groups of topic.creation.groups in order, with the group default last; none where nothing is said of the
// making of topics.
func (d *Defs) TopicGroups(props config.Props) ([]TopicGroup, error) {
	if !hasPrefix(props, topicCreation) {
		return nil, nil
	}
	v, err := d.Parse(connectors.KindSource, props)
	if err != nil {
		return nil, err
	}
	var out []TopicGroup
	for _, name := range append(aliases(props, "topic.creation.groups"), defaultGroup) {
		if name == defaultGroup && len(out) > 0 && out[len(out)-1].Name == defaultGroup {
			continue
		}
		out = append(out, topicGroup(name, v, props))
	}
	return out, nil
}

func topicGroup(name string, v config.Values, props config.Props) TopicGroup {
	prefix := topicCreation + name + "."
	g := TopicGroup{Name: name, Partitions: v.Int(prefix + "partitions"), ReplicationFactor: v.Int(prefix + "replication.factor"), Configs: map[string]string{}}
	g.include, g.exclude = compileAll(v.List(prefix+"include")), compileAll(v.List(prefix+"exclude"))
	for key, value := range props.WithPrefix(prefix).Map() {
		switch strings.ToLower(key) {
		case "partitions", "replication.factor", "include", "exclude":
		default:
			g.Configs[key] = value
		}
	}
	return g
}

// compileAll compiles patterns that were checked before.
func compileAll(patterns []string) []*jtext.Regex {
	var out []*jtext.Regex
	for _, p := range patterns {
		if r, err := jtext.CompileRegex(p); err == nil {
			out = append(out, r)
		}
	}
	return out
}
