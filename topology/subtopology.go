package topology

import "slices"

// Suffixes of internal topics, as Kafka's.
const (
	RepartitionSuffix = "-repartition"
	ChangelogSuffix   = "-changelog"
)

// DecorateTopic gives an internal topic its full name.
func DecorateTopic(applicationID, topic string) string { return applicationID + "-" + topic }

// ChangelogTopic is the name of a store's changelog.
func ChangelogTopic(applicationID, store string) string {
	return DecorateTopic(applicationID, store+ChangelogSuffix)
}

// repartitionConfigs are Kafka's for repartition topics: nothing expires, because records are deleted once they are
// processed.
func repartitionConfigs() map[string]string {
	return map[string]string{
		"cleanup.policy": "delete", "message.timestamp.type": "CreateTime",
		"retention.ms": "-1", "segment.bytes": "52428800",
	}
}

// Subtopologies splits t into the sets of nodes that are connected by edges or shared stores, numbered as Kafka
// numbers them: in the order in which their first nodes were added. Global stores take numbers too, but are in no
// sub-topology.
func (t *Topology) Subtopologies(applicationID string) []*Subtopology {
	var subs []*Subtopology
	for id, nodes := range t.groups() {
		if !isGlobal(nodes) {
			subs = append(subs, t.subtopology(id, nodes, applicationID))
		}
	}
	return subs
}

// groups returns the connected nodes, each group and the groups themselves in the order of adding.
func (t *Topology) groups() [][]*Node {
	root := map[*Node]*Node{}
	var find func(n *Node) *Node
	find = func(n *Node) *Node {
		if r := root[n]; r != nil && r != n {
			root[n] = find(r)
			return root[n]
		}
		return n
	}
	for _, n := range t.nodes {
		for _, p := range n.Parents {
			root[find(n)] = find(p)
		}
	}
	for _, users := range t.users {
		for _, u := range users[1:] {
			root[find(t.byName[u])] = find(t.byName[users[0]])
		}
	}
	var groups [][]*Node
	ids := map[*Node]int{}
	for _, n := range t.nodes {
		id, ok := ids[find(n)]
		if !ok {
			id = len(groups)
			ids[find(n)] = id
			groups = append(groups, nil)
		}
		groups[id] = append(groups[id], n)
	}
	return groups
}

func (t *Topology) subtopology(id int, nodes []*Node, applicationID string) *Subtopology {
	s := &Subtopology{
		ID: id, ApplicationID: applicationID,
		Repartitions: map[string]InternalTopic{}, Changelogs: map[string]InternalTopic{}, ChangelogStores: map[string]string{},
		SourceChangelogs: map[string]string{},
	}
	for _, n := range nodes {
		if n.Kind == SourceNode {
			s.Nodes = append(s.Nodes, n)
			t.addSourceTopics(s, n, applicationID)
		}
	}
	for _, n := range nodes {
		if n.Kind == SinkNode {
			s.SinkTopics = append(s.SinkTopics, t.topicNames(n, applicationID)...)
		}
		if n.Kind != SourceNode {
			s.Nodes = append(s.Nodes, n)
		}
	}
	s.SourceTopics, s.SinkTopics = sortedSet(s.SourceTopics), sortedSet(s.SinkTopics)
	t.addStores(s, nodes, applicationID)
	t.addCopartitionGroups(s, applicationID)
	return s
}

func (t *Topology) addSourceTopics(s *Subtopology, n *Node, applicationID string) {
	if n.Pattern != "" {
		s.SourcePatterns = append(s.SourcePatterns, n.Pattern)
	}
	names := t.topicNames(n, applicationID)
	s.SourceTopics = append(s.SourceTopics, names...)
	for i, topic := range n.Topics {
		if partitions, internal := t.internal[topic]; internal {
			s.Repartitions[names[i]] = InternalTopic{Name: names[i], Partitions: partitions, Configs: repartitionConfigs()}
		}
	}
}

func (t *Topology) addStores(s *Subtopology, nodes []*Node, applicationID string) {
	for _, spec := range t.stores {
		used := func(n *Node) bool { return slices.Contains(n.Stores, spec.Name) }
		if !slices.ContainsFunc(nodes, used) {
			continue
		}
		s.Stores = append(s.Stores, spec)
		if topic := t.sourceChangelogs[spec.Name]; topic != "" {
			s.SourceChangelogs[topic] = spec.Name
		}
		if spec.LoggingDisabled {
			continue
		}
		topic := ChangelogTopic(applicationID, spec.Name)
		s.Changelogs[topic] = InternalTopic{Name: topic, Configs: changelogConfigs(spec)}
		s.ChangelogStores[topic] = spec.Name
	}
}

func (t *Topology) addCopartitionGroups(s *Subtopology, applicationID string) {
	for _, sources := range t.copartitioned {
		var topics []string
		for _, name := range sources {
			if n := t.byName[name]; n != nil && slices.Contains(s.Nodes, n) {
				topics = append(topics, t.topicNames(n, applicationID)...)
			}
		}
		if len(topics) > 0 {
			s.CopartitionGroups = append(s.CopartitionGroups, sortedSet(topics))
		}
	}
	slices.SortFunc(s.CopartitionGroups, slices.Compare[[]string])
}

// topicNames are the topics of a source or sink with internal names decorated.
func (t *Topology) topicNames(n *Node, applicationID string) []string {
	names := slices.Clone(n.Topics)
	for i, topic := range names {
		if _, internal := t.internal[topic]; internal {
			names[i] = DecorateTopic(applicationID, topic)
		}
	}
	return names
}

func sortedSet(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// Reads tells whether a source of s reads topic, by its full name.
func (s *Subtopology) Reads(topic string) bool {
	return s.Source(topic) != nil
}

// Source returns the source node that reads topic, by its full name (internal topics with the application's prefix),
// or nil. A source that names the topic goes before one whose pattern matches.
func (s *Subtopology) Source(topic string) *Node {
	var byPattern *Node
	for _, n := range s.Nodes {
		switch {
		case n.Kind != SourceNode:
			return byPattern
		case n.Internal && DecorateTopic(s.ApplicationID, n.Topics[0]) == topic:
			return n
		case !n.Internal && slices.Contains(n.Topics, topic):
			return n
		case byPattern == nil && n.MatchesPattern(topic):
			byPattern = n
		}
	}
	return byPattern
}
