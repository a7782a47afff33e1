package stream

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// replan looks at the topics again when partitions are assigned that were not there at the start: a topic has grown, or
// one has come that a pattern matches. Tasks of the new partitions run if the internal topics have room for them. If not,
// keys would be looked for where they are not, so the error says what Kafka Streams says: reset the application. Any
// thread may call it.
func (a *App) replan(ctx context.Context, assigned map[string][]int32) error {
	if a.knows(assigned) {
		return nil
	}
	m := &InternalTopicManager{admin: kadm.NewClient(a.client.Load()), log: a.log}
	now, err := m.partitions(ctx)
	if err != nil {
		return err
	}
	plan, err := planTopics(a.cfg.Topology.Subtopologies(a.cfg.Streams.ApplicationID), now)
	if err != nil {
		return err
	}
	for _, t := range plan.internal {
		if n, ok := now[t.Name]; ok {
			if err := checkPartitions(t, n); err != nil {
				return err
			}
		}
	}
	a.log.Info("topics have grown", "assigned", assigned)
	a.notePartitions(now)
	return nil
}

// knows tells whether all partitions are below the counts that are known.
func (a *App) knows(assigned map[string][]int32) bool {
	for topic, partitions := range assigned {
		n := a.partitionsOf(topic)
		for _, p := range partitions {
			if p >= n {
				return false
			}
		}
	}
	return true
}
