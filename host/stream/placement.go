package stream

import (
	"context"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// runningTasks are the tasks that run in a process.
type runningTasks struct {
	mu struct {
		sync.Mutex
		tasks map[topology.TaskID]bool
	}
}

// noteRunning notes that a task runs on a thread, or has ended.
func (a *App) noteRunning(id topology.TaskID, is bool) {
	a.tasks.mu.Lock()
	defer a.tasks.mu.Unlock()
	if a.tasks.mu.tasks == nil {
		a.tasks.mu.tasks = make(map[topology.TaskID]bool)
	}
	if delete(a.tasks.mu.tasks, id); is {
		a.tasks.mu.tasks[id] = true
	}
}

func (a *App) runningTasks() map[topology.TaskID]bool {
	a.tasks.mu.Lock()
	defer a.tasks.mu.Unlock()
	return maps.Clone(a.tasks.mu.tasks)
}

// positionsIn tells, for the assignor, how far the tasks are that have state here; those that run are at the end.
func (a *App) positionsIn(db *state.DB) func() map[topology.TaskID]int64 {
	return func() map[topology.TaskID]int64 {
		positions := make(map[topology.TaskID]int64)
		for name, at := range db.Positions() {
			if id, err := topology.ParseTaskID(name); err == nil {
				positions[id] = at
			}
		}
		for id := range a.runningTasks() {
			positions[id] = latestPosition
		}
		return positions
	}
}

// placementOf are the settings of an application that say where tasks go.
func placementOf(s *streamsconfig.Config) PlacementConfig {
	return PlacementConfig{
		NumStandbyReplicas: s.NumStandbyReplicas, AcceptableRecoveryLag: s.AcceptableRecoveryLag, MaxWarmupReplicas: s.MaxWarmupReplicas,
		ProbingRebalanceInterval: s.ProbingRebalanceInterval,
		RackStrategy:             s.RackStrategy, TrafficCost: s.RackTrafficCost, NonOverlapCost: s.RackNonOverlapCost, RackTags: s.RackTags,
		Rack: s.Client(streamsconfig.MainConsumer)["client.rack"], Tags: s.ClientTags,
	}
}

// assignors makes the balancers of the threads, which ask the cluster through client when they lead.
func (a *App) assignors(c *threadConfig, client *kgo.Client) func() *Assignor {
	admin := kadm.NewClient(client)
	return func() *Assignor {
		assignor := NewAssignor(AssignorConfig{
			Subtopology: c.plan.subtopology, Changelogs: c.plan.changelogsOf, Process: processBytes(c.processID),
			Positions: c.positions, Placement: c.placement,
			Ends: func(ctx context.Context, topics []string) (map[topology.TopicPartition]int64, error) {
				return endsOf(ctx, admin, topics)
			},
			Racks: func(ctx context.Context, topics []string) (map[topology.TopicPartition][]string, error) {
				return replicaRacks(ctx, admin, topics)
			},
		})
		assignor.server, assignor.heard, assignor.trouble = a.Server, a.heard, a.trouble
		return assignor
	}
}

// endsOf asks where topics end.
func endsOf(ctx context.Context, admin *kadm.Client, topics []string) (map[topology.TopicPartition]int64, error) {
	listed, err := admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	ends := make(map[topology.TopicPartition]int64)
	listed.Each(func(o kadm.ListedOffset) {
		ends[topology.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return ends, nil
}

// replicaRacks asks for the racks of the replicas of each partition of topics; "" for a broker that has none.
func replicaRacks(ctx context.Context, admin *kadm.Client, topics []string) (map[topology.TopicPartition][]string, error) {
	meta, err := admin.Metadata(ctx, topics...)
	if err != nil {
		return nil, err
	}
	byBroker := make(map[int32]string)
	for _, b := range meta.Brokers {
		if b.Rack != nil {
			byBroker[b.NodeID] = *b.Rack
		}
	}
	racks := make(map[topology.TopicPartition][]string)
	for topic, d := range meta.Topics {
		for p, detail := range d.Partitions {
			tp := topology.TopicPartition{Topic: topic, Partition: p}
			for _, replica := range detail.Replicas {
				racks[tp] = append(racks[tp], byBroker[replica])
			}
		}
	}
	return racks, nil
}
