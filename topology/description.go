package topology

import (
	"maps"
	"slices"
)

// Description is a topology as plain data, for programs. Its names in JSON are a contract. Topics have their full names,
// internal ones with the application.id.
type Description struct {
	ApplicationID string                 `json:"application_id"`
	Subtopologies []SubtopologyDescribed `json:"subtopologies"`
	// GlobalSubtopologies read global stores. They have ids among the others', and no tasks.
	GlobalSubtopologies []SubtopologyDescribed `json:"global_subtopologies,omitempty"`

	Stores         []StoreDescribed `json:"stores"`
	InternalTopics []TopicDescribed `json:"internal_topics"`
	// Text is that of Kafka's Topology#describe.
	Text string `json:"description"`
}

// SubtopologyDescribed is what tasks are made of: each task runs all of its nodes for one partition.
type SubtopologyDescribed struct {
	ID           int             `json:"id"`
	SourceTopics []string        `json:"source_topics"`
	SinkTopics   []string        `json:"sink_topics"`
	Stores       []string        `json:"stores"`
	Nodes        []NodeDescribed `json:"nodes"` // parents before children
}

// NodeDescribed is one node: a source with Topics or Pattern, a processor, or a sink with Topics.
type NodeDescribed struct {
	Name         string     `json:"name"`
	Type         string     `json:"type"` // source, processor, sink
	Topics       []string   `json:"topics,omitempty"`
	Pattern      string     `json:"pattern,omitempty"`
	Stores       []string   `json:"stores,omitempty"`
	Guests       []GuestUse `json:"guests,omitempty"`
	Predecessors []string   `json:"predecessors"`
	Successors   []string   `json:"successors"`
}

// StoreDescribed is a state store; Changelog is its topic, "" without one.
type StoreDescribed struct {
	Name      string    `json:"name"`
	Type      StoreKind `json:"type"`
	InMemory  bool      `json:"in_memory"`
	Caching   bool      `json:"caching"`
	Changelog string    `json:"changelog,omitempty"`
}

// TopicDescribed is a topic that the application makes for itself.
type TopicDescribed struct {
	Name string `json:"topic"`
	Type string `json:"type"` // repartition, changelog
	// Partitions as the application asks for them; 0 follows the topics it reads.
	Partitions int               `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

// Description describes t as the application of that id runs it.
func (t *Topology) Description(applicationID string) Description {
	d := Description{ApplicationID: applicationID, Subtopologies: []SubtopologyDescribed{}, Stores: []StoreDescribed{}, InternalTopics: []TopicDescribed{}, Text: t.Describe()}
	for _, s := range t.Subtopologies(applicationID) {
		sub := SubtopologyDescribed{ID: s.ID, SourceTopics: list(s.SourceTopics), SinkTopics: list(s.SinkTopics), Stores: []string{}}
		for _, n := range s.Nodes {
			sub.Nodes = append(sub.Nodes, t.describeNode(n, applicationID))
		}
		for _, store := range s.Stores {
			sub.Stores = append(sub.Stores, store.Name)
		}
		d.Subtopologies = append(d.Subtopologies, sub)
		d.InternalTopics = append(d.InternalTopics, describeTopics("repartition", s.Repartitions)...)
		d.InternalTopics = append(d.InternalTopics, describeTopics("changelog", s.Changelogs)...)
	}
	for id, nodes := range t.groups() {
		if isGlobal(nodes) {
			d.GlobalSubtopologies = append(d.GlobalSubtopologies, t.describeGlobal(id, nodes, applicationID))
		}
	}
	for _, s := range t.stores {
		store := StoreDescribed{Name: s.Name, Type: s.Kind, InMemory: s.InMemory, Caching: s.CachingEnabled}
		if !s.LoggingDisabled {
			store.Changelog = ChangelogTopic(applicationID, s.Name)
		}
		d.Stores = append(d.Stores, store)
	}
	return d
}

// describeGlobal describes the nodes that keep a global store.
func (t *Topology) describeGlobal(id int, nodes []*Node, applicationID string) SubtopologyDescribed {
	sub := SubtopologyDescribed{ID: id, SourceTopics: []string{}, SinkTopics: []string{}, Stores: []string{}}
	for _, n := range nodes {
		d := t.describeNode(n, applicationID)
		sub.Nodes = append(sub.Nodes, d)
		sub.SourceTopics = append(sub.SourceTopics, d.Topics...)
		sub.Stores = append(sub.Stores, d.Stores...)
	}
	return sub
}

func (t *Topology) describeNode(n *Node, applicationID string) NodeDescribed {
	d := NodeDescribed{
		Name: n.Name, Type: [...]string{SourceNode: "source", ProcessorNode: "processor", SinkNode: "sink"}[n.Kind],
		Pattern: n.Pattern, Stores: n.Stores, Guests: n.Guests, Predecessors: names(n.Parents), Successors: names(n.Children),
	}
	if n.Kind != ProcessorNode && n.Pattern == "" {
		d.Topics = t.topicNames(n, applicationID)
	}
	return d
}

func names(nodes []*Node) []string {
	all := []string{}
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return all
}

// list is never null in JSON.
func list(names []string) []string { return append([]string{}, names...) }

func describeTopics(kind string, topics map[string]InternalTopic) []TopicDescribed {
	var all []TopicDescribed
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		all = append(all, TopicDescribed{Name: name, Type: kind, Partitions: topics[name].Partitions, Configs: topics[name].Configs})
	}
	return all
}
