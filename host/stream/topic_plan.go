package stream

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// topicPlan is what an application's topology means on a given cluster: which sub-topology reads which topics, how
// many partitions there are, and which internal topics must exist. Made once at start, read by all threads.
type topicPlan struct {
	subtopologies []*topology.Subtopology
	*topology.PartitionPlan
	readers map[string]int // of the topics named by sources; patterns are matched on demand
	// internal are the repartition topics and changelogs with their partition counts, sorted by name.
	internal   []topology.InternalTopic
	changelogs map[string]bool // the changelogs among internal, by name
}

// planTopics derives the plan from the partition counts of the topics that exist. Missing source and sink topics are
// all reported, each with the command that makes it.
func planTopics(subs []*topology.Subtopology, existing map[string]int32) (*topicPlan, error) {
	p := &topicPlan{subtopologies: subs, readers: make(map[string]int), changelogs: make(map[string]bool)}
	if err := p.findMissing(existing); err != nil {
		return nil, err
	}
	known := make(map[string]int, len(existing))
	for topic, n := range existing {
		known[topic] = int(n)
	}
	var err error
	if p.PartitionPlan, err = topology.PlanPartitions(subs, known); err != nil {
		return nil, err
	}
	for _, sub := range subs {
		for _, t := range sub.SourceTopics {
			p.readers[t] = sub.ID
		}
		p.addInternal(sub.Repartitions)
		p.addInternal(sub.Changelogs)
		for name := range sub.Changelogs {
			p.changelogs[name] = true
		}
	}
	slices.SortFunc(p.internal, func(a, b topology.InternalTopic) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

func (p *topicPlan) addInternal(topics map[string]topology.InternalTopic) {
	for name, t := range topics {
		t.Name, t.Partitions = name, p.Partitions[name]
		p.internal = append(p.internal, t)
	}
}

// byID is the sub-topology with an id, nil if there is none. Those of global stores take ids too and are not among them: an
// id is no index.
func (p *topicPlan) byID(id int) *topology.Subtopology {
	for _, sub := range p.subtopologies {
		if sub.ID == id {
			return sub
		}
	}
	return nil
}

// subtopology tells which sub-topology reads a topic. It is safe for concurrent use.
func (p *topicPlan) subtopology(topic string) (int, bool) {
	if sub, ok := p.readers[topic]; ok {
		return sub, true
	}
	if p.changelogs[topic] {
		return 0, false
	}
	for _, sub := range p.subtopologies {
		if len(sub.SourcePatterns) > 0 && sub.Reads(topic) {
			return sub.ID, true
		}
	}
	return 0, false
}

// readsByName tells whether a source names a topic, so that it has to be there.
func (p *topicPlan) readsByName(topic string) bool {
	_, ok := p.readers[topic]
	return ok
}

// changelogsOf are the changelogs of a sub-topology, sorted.
func (p *topicPlan) changelogsOf(subtopology int) []string {
	sub := p.byID(subtopology)
	if sub == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(sub.ChangelogStores))
}

// source is the node of the sub-topology that reads a topic, or nil.
func (p *topicPlan) source(topic string) *topology.Node {
	for _, sub := range p.subtopologies {
		if n := sub.Source(topic); n != nil {
			return n
		}
	}
	return nil
}

// isRepartition tells whether a topic is one of the application's own between two of its sub-topologies.
func (p *topicPlan) isRepartition(topic string) bool {
	return slices.ContainsFunc(p.subtopologies, func(s *topology.Subtopology) bool {
		_, ok := s.Repartitions[topic]
		return ok
	})
}

// subscription lists the topics read by name and the patterns of those that are read by one, both sorted.
func (p *topicPlan) subscription() (topics, patterns []string) {
	for _, sub := range p.subtopologies {
		patterns = append(patterns, sub.SourcePatterns...)
	}
	slices.Sort(patterns)
	return slices.Sorted(maps.Keys(p.readers)), slices.Compact(patterns)
}

// findMissing reports topics that the application uses and does not make itself.
func (p *topicPlan) findMissing(existing map[string]int32) error {
	use := make(map[string]string)
	for _, sub := range p.subtopologies {
		for _, t := range sub.SinkTopics {
			use[t] = "writes to"
		}
	}
	for _, sub := range p.subtopologies {
		for _, t := range sub.SourceTopics {
			use[t] = "reads"
		}
	}
	maps.DeleteFunc(use, func(t, _ string) bool { return p.isRepartition(t) || existing[t] > 0 })
	var all []error
	for _, t := range slices.Sorted(maps.Keys(use)) {
		all = append(all, errs.TopicMissing.New(t, fmt.Sprintf("the application %s this topic, and it does not exist", use[t]),
			"create it: wasmstream topic create "+t+" --partitions 1 --replication-factor 1"))
	}
	return errors.Join(all...)
}

// regexSubscription writes topics and patterns as the anchored regular expressions that kgo takes.
func regexSubscription(topics, patterns []string) []string {
	all := make([]string, 0, len(topics)+len(patterns))
	for _, t := range topics {
		all = append(all, "^"+regexp.QuoteMeta(t)+"$")
	}
	for _, p := range patterns {
		all = append(all, "^(?:"+p+")$")
	}
	return all
}

// persistent tells whether any store of the topology outlives the process.
func (p *topicPlan) persistent() bool {
	return slices.ContainsFunc(p.subtopologies, func(sub *topology.Subtopology) bool {
		return slices.ContainsFunc(sub.Stores, func(s *topology.StoreSpec) bool { return !s.InMemory })
	})
}
