//go:build integration

package main_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// clusterBacklog is crashBacklog for a cluster of three nodes on one machine, which is an order of magnitude slower.
const clusterBacklog = 2_000

// TestCountsSurviveSIGKILL is the crash test against a real Apache Kafka.
func TestCountsSurviveSIGKILL(t *testing.T) {
	b := brokertest.Real(t)
	newCrash(t, b, b.Addr, countApp).run(20)
}

// TestInterruptsAtAnyMoment is the same on a real Apache Kafka.
func TestInterruptsAtAnyMoment(t *testing.T) {
	b := brokertest.Real(t)
	newCrash(t, b, b.Addr, countApp).interrupt(16)
}

// TestWordCountSurvivesLostLeaders kills one node after the other of a cluster of three: each time the one that leads a
// partition of the output. Words go through a repartition topic. Their counts must go up by one from 1 to the end.
func TestWordCountSurvivesLostLeaders(t *testing.T) {
	cluster := brokertest.OwnCluster(t, 3)
	c := newCrash(t, cluster.Broker, cluster.Servers(), wordsApp)
	c.backlog = clusterBacklog
	c.start("0", "replication.factor=3")
	c.feedUntil(c.outputs(500))
	began := time.Now()
	for range 2 {
		cluster.Kill(t, c.leader())
		c.feedUntil(c.outputs(clusterBacklog * 3 / 2)) // more than what was on its way
		cluster.Restart(t)
		c.feedUntil(c.outputs(500))
	}
	c.t.Logf("%d words counted while two leaders were lost and came back, in %.1f s", c.checked, time.Since(began).Seconds())
	c.drain()
	c.stopAll()
	c.checkGroup()
	c.t.Logf("the clean stop took %.1f s", c.slowest.Seconds())
}

// leader is the node that leads a partition of the output.
func (c *crash) leader() int32 {
	c.t.Helper()
	topics, err := kadm.NewClient(c.consumer).ListTopics(c.t.Context(), c.out)
	if err != nil {
		c.t.Fatalf("looking for a leader: %v", err)
	}
	return topics[c.out].Partitions[int32(c.rng.IntN(crashPartitions))].Leader
}
