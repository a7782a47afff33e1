package connect

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestATopicIsMadeOnceBrokersCount: a controller that has not heard of its brokers refuses every replication factor, for a moment.
func TestATopicIsMadeOnceBrokersCount(t *testing.T) {
	t.Parallel()
	b := brokertest.Fake(t)
	adm := kadm.NewClient(b.Client(t))
	refused := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.InvalidReplicationFactor, Count: 3})
	if err := ensureTopic(t.Context(), adm, "statuses", 5, 1, nil); err != nil || refused.Hits() != 3 {
		t.Errorf("after %d refusals: %v", refused.Hits(), err)
	}
	if got, err := kadm.NewClient(b.Client(t)).ListTopics(t.Context(), "statuses"); err != nil || len(got["statuses"].Partitions) != 5 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestAFactorThatBrokersAreMissingForIsRefused at once.
func TestAFactorThatBrokersAreMissingForIsRefused(t *testing.T) {
	t.Parallel()
	b := brokertest.Fake(t)
	refused := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.InvalidReplicationFactor, Count: 3})
	err := ensureTopic(t.Context(), kadm.NewClient(b.Client(t)), "statuses", 5, 30, nil)
	if !errors.Is(err, kerr.InvalidReplicationFactor) || refused.Hits() != 1 {
		t.Errorf("after %d refusals: %v", refused.Hits(), err)
	}
}
