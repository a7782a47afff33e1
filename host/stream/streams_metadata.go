package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// StreamsMetadata is what is known of the processes behind one application.server (KIP-67's StreamsMetadata). Its names in
// JSON are a contract.
type StreamsMetadata struct {
	Server string   `json:"server"`
	Stores []string `json:"stores"`
	// Partitions are those of the input.
	Partitions        []topology.TopicPartition `json:"partitions"`
	StandbyStores     []string                  `json:"standbyStores,omitempty"`
	StandbyPartitions []topology.TopicPartition `json:"standbyPartitions,omitempty"`
}

// KeyQueryMetadata tells which processes have a key (KIP-535). Active is "" while nobody does, or while the process that
// does has no application.server.
type KeyQueryMetadata struct {
	Active    string
	Standbys  []string
	Partition int32
}

// Server is the application.server of this process, "" if it has none.
func (a *App) Server() string {
	if s := a.cfg.Streams.ApplicationServer; s != "" {
		return s
	}
	return a.cfg.ApplicationServer
}

// AllMetadata lists the processes of the application that can be asked, by their servers (metadataForAllStreamsClients).
// It is as of the last rebalance that a thread of this process took part in.
func (a *App) AllMetadata() []StreamsMetadata {
	info, plan := a.assigned.Load(), a.plan.Load()
	if info == nil || plan == nil {
		return nil
	}
	all := make([]StreamsMetadata, 0, len(info.hosts))
	for _, h := range info.hosts {
		m := StreamsMetadata{Server: h.server}
		m.Stores, m.Partitions = a.inTasks(plan, h.active)
		m.StandbyStores, m.StandbyPartitions = a.inTasks(plan, h.standby)
		for _, g := range a.cfg.Topology.GlobalStores() {
			m.Stores = append(m.Stores, g.Store.Name)
		}
		slices.Sort(m.Stores)
		all = append(all, m)
	}
	return all
}

// StreamsMetadataForStore lists those that have a part of a store, or a standby of one; of a global store all.
func (a *App) StreamsMetadataForStore(store string) ([]StreamsMetadata, error) {
	if _, err := a.queriedStore(store); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(a.AllMetadata(), func(m StreamsMetadata) bool {
		return !slices.Contains(m.Stores, store) && !slices.Contains(m.StandbyStores, store)
	}), nil
}

// inTasks are the stores and the input partitions of tasks.
func (a *App) inTasks(plan *topicPlan, ids []topology.TaskID) (stores []string, partitions []topology.TopicPartition) {
	for _, id := range ids {
		sub := plan.byID(id.Subtopology)
		if sub == nil {
			continue // of a member with another topology
		}
		for _, s := range sub.Stores {
			if !slices.Contains(stores, s.Name) {
				stores = append(stores, s.Name)
			}
		}
		for _, topic := range a.inputsOf(sub) {
			if id.Partition < a.partitionsOf(topic) {
				partitions = append(partitions, topology.TopicPartition{Topic: topic, Partition: id.Partition})
			}
		}
	}
	slices.Sort(stores)
	return stores, partitions
}

// inputsOf are the topics that a sub-topology reads, those that its patterns match included, sorted.
func (a *App) inputsOf(sub *topology.Subtopology) []string {
	topics := slices.Clone(sub.SourceTopics)
	if len(sub.SourcePatterns) > 0 {
		for topic := range *a.partitions.Load() {
			if reader, ok := a.plan.Load().subtopology(topic); ok && reader == sub.ID && !slices.Contains(topics, topic) {
				topics = append(topics, topic)
			}
		}
	}
	slices.Sort(topics)
	return topics
}

// subtopologyOf is the sub-topology of a store that is not global, with the number of its tasks.
func (a *App) subtopologyOf(store string) (*topology.Subtopology, int32, error) {
	plan := a.plan.Load()
	if plan == nil {
		return nil, 0, errs.QueryNotReady.New(store, "the application is starting", "")
	}
	for _, sub := range plan.subtopologies {
		if !slices.ContainsFunc(sub.Stores, func(s *topology.StoreSpec) bool { return s.Name == store }) {
			continue
		}
		var n int32
		for _, topic := range a.inputsOf(sub) {
			n = max(n, a.partitionsOf(topic))
		}
		return sub, n, nil
	}
	return nil, 0, errs.QueryStore.New(store, "no processor uses the store, so that it is in no task", "connect it to a processor")
}

// ServerOf is the application.server in the user data of a member's subscription, "" if there is none.
func ServerOf(userData []byte) string { return parseUserData(userData).server }

// IsGlobalStore tells whether a store is one that every process has in full.
func (a *App) IsGlobalStore(store string) bool {
	return slices.ContainsFunc(a.cfg.Topology.GlobalStores(), func(g *topology.GlobalStore) bool { return g.Store.Name == store })
}

// StorePartitions is how many partitions a store has; 1 for a global one.
func (a *App) StorePartitions(store string) (int32, error) {
	if _, err := a.queriedStore(store); err != nil {
		return 0, err
	}
	if a.IsGlobalStore(store) {
		return 1, nil
	}
	_, n, err := a.subtopologyOf(store)
	return n, err
}

// taskOf is the task with a partition of a store.
func (a *App) taskOf(store string, partition int32) (topology.TaskID, error) {
	sub, n, err := a.subtopologyOf(store)
	if err != nil {
		return topology.TaskID{}, err
	}
	if partition >= n {
		return topology.TaskID{}, errs.QueryInvalid.New(store, fmt.Sprintf("the store has no partition %d", partition), fmt.Sprintf("give a number from 0 to %d", n-1))
	}
	return topology.TaskID{Subtopology: sub.ID, Partition: partition}, nil
}

// PartitionForKey is the partition of a store in which a serialised key lies if its input is partitioned as Kafka does.
func (a *App) PartitionForKey(store string, key []byte) (int32, error) {
	n, err := a.StorePartitions(store)
	if err != nil || n == 0 {
		return 0, err
	}
	return topology.PartitionForKey(key, n), nil
}

// QueryMetadataForKey tells who has a serialised key of a store, if its input is partitioned as Kafka does.
func (a *App) QueryMetadataForKey(store string, key []byte) (KeyQueryMetadata, error) {
	partition, err := a.PartitionForKey(store, key)
	if err != nil {
		return KeyQueryMetadata{}, err
	}
	return a.QueryMetadataForPartition(store, partition)
}

// QueryMetadataForPartition tells who has a partition of a store that is not global.
func (a *App) QueryMetadataForPartition(store string, partition int32) (KeyQueryMetadata, error) {
	id, err := a.taskOf(store, partition)
	if err != nil {
		return KeyQueryMetadata{}, err
	}
	m := KeyQueryMetadata{Partition: partition}
	if info := a.assigned.Load(); info != nil {
		for _, h := range info.hosts {
			if slices.Contains(h.active, id) {
				m.Active = h.server
			}
			if slices.Contains(h.standby, id) {
				m.Standbys = append(m.Standbys, h.server)
			}
		}
	}
	return m, nil
}

// LagInfo is how far a store is behind its changelog (KIP-535), in offsets.
type LagInfo struct {
	CurrentOffset, EndOffset, Lag int64
}

// LocalStoreLags tells how far the stores of this process that have a changelog are behind it, by store and partition
// (allLocalStorePartitionLags). One whose task runs is not. It asks the broker.
func (a *App) LocalStoreLags(ctx context.Context) (map[string]map[int32]LagInfo, error) {
	client, db, plan := a.client.Load(), a.db.Load(), a.plan.Load()
	if client == nil || db == nil || plan == nil {
		return nil, errs.QueryNotReady.New("", "the application is "+a.State().String(), "")
	}
	lags := make(map[string]map[int32]LagInfo)
	for _, t := range a.queries.list() {
		sub := plan.byID(t.id.Subtopology)
		for topic, store := range sub.ChangelogStores {
			ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
			if err != nil {
				return nil, kafkaError("finding the end of "+topic, err)
			}
			end, ok := ends.Lookup(topic, t.id.Partition)
			if !ok || end.Err != nil {
				continue
			}
			info := LagInfo{CurrentOffset: end.Offset, EndOffset: end.Offset}
			if !t.running {
				at, _ := db.Offset(state.StoreID{Task: t.id.String(), Store: store})
				info.CurrentOffset = max(at, 0)
				info.Lag = max(info.EndOffset-info.CurrentOffset, 0)
			}
			if lags[store] == nil {
				lags[store] = make(map[int32]LagInfo)
			}
			lags[store][t.id.Partition] = info
		}
	}
	return lags, nil
}
