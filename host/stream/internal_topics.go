package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// internalTopicsTimeout bounds how long topics may take to appear on all brokers after they were made.
const internalTopicsTimeout = 30 * time.Second

// cleanupPolicy is the topic setting that makes a changelog keep the last value of every key.
const cleanupPolicy = "cleanup.policy"

// InternalTopicManager makes the topics that an application keeps for itself, and checks those that are there.
// Several instances may do so at the same time: the first one wins and the others check its work.
type InternalTopicManager struct {
	admin       *kadm.Client
	replication int16
	log         *slog.Logger
}

// partitions returns the partition count of every topic of the cluster that is not Kafka's own.
func (m *InternalTopicManager) partitions(ctx context.Context) (map[string]int32, error) {
	topics, err := m.admin.ListTopics(ctx)
	if err != nil {
		return nil, kafkaError("listing topics", err)
	}
	counts := make(map[string]int32, len(topics))
	for name, t := range topics {
		if t.Err == nil {
			counts[name] = int32(len(t.Partitions))
		}
	}
	return counts, nil
}

// ensure makes the internal topics of plan that are missing and returns when every broker asked knows them with the
// right number of partitions.
func (m *InternalTopicManager) ensure(ctx context.Context, plan *topicPlan, existing map[string]int32) error {
	var old []topology.InternalTopic
	for _, t := range plan.internal {
		if n, ok := existing[t.Name]; ok {
			if err := checkPartitions(t, n); err != nil {
				return err
			}
			old = append(old, t)
			continue
		}
		if err := m.create(ctx, t); err != nil {
			return err
		}
	}
	if err := m.checkConfigs(ctx, plan, old); err != nil {
		return err
	}
	return m.await(ctx, plan)
}

func (m *InternalTopicManager) create(ctx context.Context, t topology.InternalTopic) error {
	configs := make(map[string]*string, len(t.Configs))
	for k, v := range t.Configs {
		configs[k] = &v
	}
	_, err := m.admin.CreateTopic(ctx, int32(t.Partitions), m.replication, configs, t.Name)
	switch {
	case err == nil:
		m.log.Info("internal topic created", "topic", t.Name, "partitions", t.Partitions)
		return nil
	case errors.Is(err, kerr.TopicAlreadyExists): // another instance was faster; await checks its partitions
		return nil
	case errors.Is(err, kerr.InvalidReplicationFactor), errors.Is(err, kerr.InvalidConfig), errors.Is(err, kerr.PolicyViolation):
		return errs.TopicInvalid.New(t.Name, fmt.Sprintf("the broker refuses this internal topic with %d partitions and replication.factor %d",
			t.Partitions, m.replication), "set replication.factor to what the cluster can hold").WithCause(err)
	}
	return kafkaError("creating the internal topic "+t.Name, err)
}

func checkPartitions(t topology.InternalTopic, got int32) error {
	if int(got) == t.Partitions {
		return nil
	}
	return errs.TopicPartitions.New(t.Name, fmt.Sprintf("the internal topic has %d partitions, the topology needs %d", got, t.Partitions),
		"reset the application (wasmstream reset APPLICATION-ID), which lets it be made anew")
}

// checkConfigs refuses changelogs that forget keys.
func (m *InternalTopicManager) checkConfigs(ctx context.Context, plan *topicPlan, old []topology.InternalTopic) error {
	var names []string
	for _, t := range old {
		if plan.changelogs[t.Name] && strings.Contains(t.Configs[cleanupPolicy], "compact") {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	all, err := m.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return kafkaError("describing the configuration of changelogs", err)
	}
	for _, rc := range all {
		for _, c := range rc.Configs {
			if c.Key == cleanupPolicy && c.Value != nil && !strings.Contains(*c.Value, "compact") {
				return errs.TopicConfig.New(rc.Name, fmt.Sprintf("the changelog has %s %s, so it forgets keys (needed: compact)", cleanupPolicy, *c.Value), "")
			}
		}
	}
	return nil
}

// await polls the metadata until all internal topics are there with a leader for each partition.
func (m *InternalTopicManager) await(ctx context.Context, plan *topicPlan) error {
	if len(plan.internal) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, internalTopicsTimeout)
	defer cancel()
	names := make([]string, len(plan.internal))
	for i, t := range plan.internal {
		names[i] = t.Name
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		topics, err := m.admin.ListTopics(ctx, names...)
		if err != nil {
			return kafkaError("looking for the internal topics", err)
		}
		waiting, err := notReady(plan, topics)
		if err != nil || waiting == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return errs.RuntimeTimeout.New(waiting, fmt.Sprintf("the internal topic was not available %s after it was made", internalTopicsTimeout), "check the cluster's controller and start again")
		case <-time.After(wait):
		}
	}
}

// notReady names a topic that is not fully there yet, or "".
func notReady(plan *topicPlan, topics kadm.TopicDetails) (string, error) {
	for _, t := range plan.internal {
		d, ok := topics[t.Name]
		if !ok || d.Err != nil {
			return t.Name, nil
		}
		if err := checkPartitions(t, int32(len(d.Partitions))); err != nil {
			return "", err
		}
		for _, p := range d.Partitions {
			if p.Leader < 0 {
				return t.Name, nil
			}
		}
	}
	return "", nil
}
