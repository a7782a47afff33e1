package connect

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// topicPatience is how long a cluster whose brokers have not come yet is waited for when a topic is to be made: Kafka's
// default.api.timeout.ms, for which its TopicAdmin asks again. creationPause is the time between two requests.
const (
	topicPatience = 60 * time.Second
	creationPause = 100 * time.Millisecond
)

// ensureTopic creates a topic unless it exists.
func ensureTopic(ctx context.Context, adm *kadm.Client, topic string, partitions int32, replication int16, configs map[string]string) error {
	if have, err := adm.ListTopics(ctx, topic); err == nil && have.Has(topic) && have[topic].Err == nil {
		return nil
	}
	set := map[string]*string{}
	for k, v := range configs {
		set[k] = &v
	}
	patience, cancel := context.WithTimeout(ctx, topicPatience)
	defer cancel()
	for {
		_, err := adm.CreateTopic(ctx, partitions, replication, set, topic)
		switch {
		case err == nil || errors.Is(err, kerr.TopicAlreadyExists):
			return nil
		case !errors.Is(err, kerr.InvalidReplicationFactor) || !brokersToCome(ctx, adm, int(replication)):
			return err
		case !(realClock{}).Sleep(patience, creationPause):
			return err
		}
	}
}

// brokersToCome tells whether a replication factor that was refused can be reached: the controller counts a broker that starts,
// or that it has not heard of for a while, only when it has heard of it, and has none to count at first.
func brokersToCome(ctx context.Context, adm *kadm.Client, replication int) bool {
	brokers, err := adm.ListBrokers(ctx)
	return err == nil && (len(brokers) == 0 || len(brokers) >= replication)
}
