package connect

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// TopicGroup are the settings with which topics are created that a source writes to (KIP-158).
type TopicGroup struct {
	Name              string
	include, exclude  []*jtext.Regex
	ReplicationFactor int16 // -1 is the broker's default
	Partitions        int32 // -1 is the broker's default
	Configs           map[string]string
}

const (
	topicCreationPrefix = "topic.creation."
	topicCreationGroups = "topic.creation.groups"
	defaultTopicGroup   = "default"
)

// ParseTopicGroups reads topic.creation.* of a source; none if the settings hold no group. The last one is default.
func ParseTopicGroups(props config.Props) ([]TopicGroup, error) {
	asked := false
	for name := range props {
		asked = asked || strings.HasPrefix(name, topicCreationPrefix)
	}
	if !asked {
		return nil, nil
	}
	list, err := config.ParseType(topicCreationGroups, props.Or(topicCreationGroups, ""), config.List)
	if err != nil {
		return nil, err
	}
	defaults, err := parseTopicGroup(props, defaultTopicGroup, nil)
	if err != nil {
		return nil, err
	}
	var out []TopicGroup
	for _, name := range list.([]string) {
		if name == defaultTopicGroup {
			continue
		}
		g, err := parseTopicGroup(props, name, &defaults)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return append(out, defaults), nil
}

var checkReplication config.Check = func(name string, value any) error {
	if n, _ := value.(int16); n != -1 && n < 1 {
		return config.Invalid(name, value, "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
	}
	return nil
}

var checkPartitions config.Check = func(name string, value any) error {
	if n, _ := value.(int32); n != -1 && n < 1 {
		return config.Invalid(name, value, "Number of partitions must be positive, or -1 to use the broker's default")
	}
	return nil
}

var checkRegexes config.Check = func(name string, value any) error {
	list, _ := value.([]string)
	for _, pattern := range list {
		if _, err := jtext.CompileRegex(pattern); err != nil {
			return config.Invalid(name, value, "Property is not a valid regex: "+err.Error())
		}
	}
	return nil
}

// topicGroupDef defines the settings of a group under its prefix; defaults is nil for the group default, which needs both
// numbers.
func topicGroupDef(name string, defaults *TopicGroup) *config.Def {
	prefix := topicCreationPrefix + name + "."
	replication := config.Key{Name: prefix + "replication.factor", Type: config.Short, Validator: checkReplication, Importance: config.Low, Doc: "How many replicas topics of this group have; -1 is the broker's default."}
	partitions := config.Key{Name: prefix + "partitions", Type: config.Int, Validator: checkPartitions, Importance: config.Low, Doc: "How many partitions topics of this group have; -1 is the broker's default."}
	if defaults == nil {
		return config.NewDef(replication, partitions)
	}
	replication.Default, partitions.Default = defaults.ReplicationFactor, defaults.Partitions
	return config.NewDef(
		config.Key{Name: prefix + "include", Type: config.List, Validator: config.All(config.NonEmptyList, checkRegexes), Importance: config.Low, Doc: "Regular expressions of the topics of this group."},
		config.Key{Name: prefix + "exclude", Type: config.List, Default: []string{}, Validator: checkRegexes, Importance: config.Low, Doc: "Regular expressions of topics that do not belong to this group."},
		replication, partitions,
	)
}

func parseTopicGroup(props config.Props, name string, defaults *TopicGroup) (TopicGroup, error) {
	prefix := topicCreationPrefix + name + "."
	def := topicGroupDef(name, defaults)
	v, err := def.Parse(props)
	if err != nil {
		return TopicGroup{}, err
	}
	g := TopicGroup{
		Name: name, ReplicationFactor: int16(v.Int(prefix + "replication.factor")), Partitions: int32(v.Int(prefix + "partitions")),
		Configs: map[string]string{},
		include: compileAll(v.List(prefix + "include")), exclude: compileAll(v.List(prefix + "exclude")),
	}
	for key, value := range props.WithPrefix(prefix).Map() {
		if def.Key(prefix+key) == nil && key != "include" && key != "exclude" {
			g.Configs[key] = value
		}
	}
	return g, nil
}

// compileAll compiles expressions that were checked before.
func compileAll(patterns []string) (out []*jtext.Regex) {
	for _, p := range patterns {
		if r, err := jtext.CompileRegex(p); err == nil {
			out = append(out, r)
		}
	}
	return out
}

// Matches tells whether a topic belongs to the group; every one belongs to default.
func (g *TopicGroup) Matches(topic string) bool {
	if g.Name == defaultTopicGroup {
		return true
	}
	return matchesAny(g.include, topic) && !matchesAny(g.exclude, topic)
}

func matchesAny(list []*jtext.Regex, s string) bool {
	for _, r := range list {
		if r.Matches(s) {
			return true
		}
	}
	return false
}

// TopicGroupOf is the first group that a topic belongs to.
func TopicGroupOf(groups []TopicGroup, topic string) *TopicGroup {
	for i := range groups {
		if groups[i].Matches(topic) {
			return &groups[i]
		}
	}
	return nil
}
