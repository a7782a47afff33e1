package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// PartitionPlan is what partition counts give: those of every topic that the application reads or makes, and its
// tasks.
type PartitionPlan struct {
	// Partitions by full topic name: sources, repartition topics and changelogs.
	Partitions map[string]int
	// Tasks in their order, with the partitions each one reads.
	Tasks []TaskID
	// Inputs are the partitions each task reads, sorted by topic.
	Inputs map[TaskID][]TopicPartition
}

// PlanPartitions derives the plan from the partition counts of the topics that exist. known holds at least the source
// topics that are not internal; topics in it that match a pattern become sources too (internal topics of the
// application excepted). A repartition topic without a count of its own gets the largest count among the topics that
// feed it, or that of the topics it is joined with. The errors name every topic that is missing or does not fit.
func PlanPartitions(subs []*Subtopology, known map[string]int) (*PartitionPlan, error) {
	p := &planner{subs: subs, plan: &PartitionPlan{Partitions: map[string]int{}, Inputs: map[TaskID][]TopicPartition{}}}
	steps := []func() error{
		func() error { return p.externalTopics(known) },
		p.repartitionTopics,
		p.copartition,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	p.tasks()
	return p.plan, nil
}

type planner struct {
	subs []*Subtopology
	plan *PartitionPlan
	// sources are the topics of each sub-topology, those matched by patterns included.
	sources [][]string
}

func (p *planner) externalTopics(known map[string]int) error {
	var faults []error
	for _, s := range p.subs {
		sources := slices.Clone(s.SourceTopics)
		for _, topic := range s.SourceTopics {
			if _, internal := s.Repartitions[topic]; internal {
				continue
			}
			if known[topic] <= 0 {
				faults = append(faults, errs.TopicMissing.New(topic, "the source topic does not exist", ""))
			}
			p.plan.Partitions[topic] = known[topic]
		}
		sources = append(sources, p.matchedTopics(s, known)...)
		p.sources = append(p.sources, sortedSet(sources))
	}
	return errors.Join(faults...)
}

func (p *planner) matchedTopics(s *Subtopology, known map[string]int) []string {
	var matched []string
	if len(s.SourcePatterns) == 0 {
		return nil
	}
	for topic, n := range known {
		if n > 0 && !p.internal(topic) && s.Reads(topic) {
			matched = append(matched, topic)
			p.plan.Partitions[topic] = n
		}
	}
	return matched
}

func (p *planner) internal(topic string) bool {
	return slices.ContainsFunc(p.subs, func(s *Subtopology) bool {
		_, repartition := s.Repartitions[topic]
		_, changelog := s.Changelogs[topic]
		return repartition || changelog
	})
}

// repartitionTopics goes round until every count is known: one may depend on another upstream.
func (p *planner) repartitionTopics() error {
	var open []string
	for _, s := range p.subs {
		for name, topic := range s.Repartitions {
			if topic.Partitions > 0 {
				p.plan.Partitions[name] = topic.Partitions
			} else {
				open = append(open, name)
			}
		}
	}
	slices.Sort(open)
	for len(open) > 0 {
		rest := p.settleCounts(open, false)
		if len(rest) == len(open) {
			rest = p.settleCounts(open, true)
		}
		if len(open) == len(rest) {
			return errs.TopicPartitions.New(strings.Join(open, ", "),
				"Failed to compute number of partitions for all repartition topics", "give one of them a number of partitions")
		}
		open = rest
	}
	return nil
}

// settleCounts gives topics the counts of what feeds them and returns those that are still open. In a circle, as that of
// a foreign-key join, none has all its sources settled: then around ends it by the counts that are known.
func (p *planner) settleCounts(open []string, around bool) []string {
	var rest []string
	for _, topic := range open {
		n := p.upstream(topic, around)
		if n == 0 {
			rest = append(rest, topic)
			continue
		}
		p.plan.Partitions[topic] = n
	}
	return rest
}

// upstream is the largest partition count among the sources of the sub-topologies that write topic, 0 if one of them
// is not known yet. around leaves those that are not known out.
func (p *planner) upstream(topic string, around bool) int {
	most := 0
	for i, s := range p.subs {
		if !slices.Contains(s.SinkTopics, topic) {
			continue
		}
		for _, source := range p.sources[i] {
			n := p.plan.Partitions[source]
			if n == 0 && source != topic && !around {
				return 0
			}
			most = max(most, n)
		}
	}
	return most
}

func (p *planner) copartition() error {
	var faults []error
	for _, s := range p.subs {
		for _, group := range s.CopartitionGroups {
			if err := p.copartitionGroup(s, group); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

func (p *planner) copartitionGroup(s *Subtopology, group []string) error {
	var external, fixed, derived []string
	for _, topic := range group {
		r, internal := s.Repartitions[topic]
		switch {
		case !internal:
			external = append(external, topic)
		case r.Partitions > 0:
			fixed = append(fixed, topic)
		default:
			derived = append(derived, topic)
		}
	}
	if !p.equalCounts(external) {
		return errs.TopicPartitions.New(p.describeCounts(external), "Topics not co-partitioned", "")
	}
	n := 0
	switch {
	case len(external) > 0:
		n = p.plan.Partitions[external[0]]
		for _, topic := range fixed {
			if p.plan.Partitions[topic] != n {
				return mismatch(topic, p.plan.Partitions[topic], n)
			}
		}
	case len(fixed) > 0:
		n = p.plan.Partitions[fixed[0]]
		if !p.equalCounts(fixed) {
			return errs.TopicPartitions.New(p.describeCounts(fixed), "Following topics do not have the same number of partitions", "")
		}
	default:
		for _, topic := range derived {
			n = max(n, p.plan.Partitions[topic])
		}
	}
	for _, topic := range derived {
		p.plan.Partitions[topic] = n
	}
	return nil
}

func (p *planner) equalCounts(topics []string) bool {
	for _, topic := range topics {
		if p.plan.Partitions[topic] != p.plan.Partitions[topics[0]] {
			return false
		}
	}
	return true
}

// tasks also gives changelogs their counts: one partition for each task.
func (p *planner) tasks() {
	for i, s := range p.subs {
		most := 0
		for _, topic := range p.sources[i] {
			n := p.plan.Partitions[topic]
			most = max(most, n)
			for part := range n {
				id := TaskID{Subtopology: s.ID, Partition: int32(part)}
				p.plan.Inputs[id] = append(p.plan.Inputs[id], TopicPartition{Topic: topic, Partition: int32(part)})
			}
		}
		for part := range most {
			p.plan.Tasks = append(p.plan.Tasks, TaskID{Subtopology: s.ID, Partition: int32(part)})
		}
		for topic := range s.Changelogs {
			p.plan.Partitions[topic] = most
		}
	}
}

func (p *planner) describeCounts(topics []string) string {
	counts := make([]string, len(topics))
	for i, topic := range topics {
		counts[i] = fmt.Sprintf("%s (%d)", topic, p.plan.Partitions[topic])
	}
	return strings.Join(counts, ", ")
}

func mismatch(topic string, got, want int) error {
	return errs.TopicPartitions.New(topic, fmt.Sprintf(
		"Number of partitions [%d] of repartition topic [%s] doesn't match number of partitions [%d] of the source topic.",
		got, topic, want), "")
}
