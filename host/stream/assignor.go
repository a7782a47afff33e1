package stream

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/topology"
)

// assignorProtocol is the name members of an application agree on. It is our own: a Java Streams member speaks
// "stream", and a plain consumer must never be able to join and take partitions without their tasks.
const assignorProtocol = "wasmstream"

// askTimeout bounds how long the leader waits for what it asks the cluster; without an answer it assigns without.
const askTimeout = 5 * time.Second

// AssignorConfig is what an Assignor is made of.
type AssignorConfig struct {
	// Subtopology tells which sub-topology reads a topic, Changelogs which changelogs its tasks write, none if it has no
	// state.
	Subtopology func(topic string) (int, bool)
	Changelogs  func(subtopology int) []string
	// Process is the identity kept in the state directory; Positions are the sums of the changelog offsets of the state in
	// it, by task, -2 for tasks that run.
	Process   [processIDLen]byte
	Positions func() map[topology.TaskID]int64
	// Ends asks for the ends of topics, Racks for the racks of the replicas of each of their partitions; nil if places do
	// not count. Only the leader does.
	Ends  func(ctx context.Context, topics []string) (map[topology.TopicPartition]int64, error)
	Racks func(ctx context.Context, topics []string) (map[topology.TopicPartition][]string, error)
	// Placement is the leader's configuration of where tasks and replicas go, and the place of this process.
	Placement PlacementConfig
}

// Assignor hands out tasks: partition i of every source topic of a sub-topology goes to one member, the number of
// tasks of any two members differs by one at most, the extra ones are spread over processes before threads, and no
// task moves that need not. It is cooperative: a task that moves is first given up by its owner in one round and
// assigned to the next owner in the following one.
//
// A task with state moves only to a process that has caught up with it, and stays until then where it is (KIP-441); how
// far processes are stands in what their members say of themselves, as in Kafka's SubscriptionInfo. Copies go to other
// processes than their tasks.
//
// It implements kgo.GroupBalancer; kgo calls it from the goroutine of the group.
type Assignor struct {
	cfg    AssignorConfig
	placed atomic.Pointer[placement]
	probe  atomic.Bool // the last assignment of this leader is not the last word

	// server is the application.server of this process, told to all members; "" if it cannot be asked.
	server func() string
	// trouble is what this member has to tell the leader.
	trouble func() assignmentError
	// heard is called with what came with each assignment, on the goroutine of the group.
	heard func(assignmentInfo)
}

// placement is what a member was assigned beside partitions.
type placement struct {
	standbys []topology.TaskID
	probe    bool // the member led, and is to have the group balanced again after a while
}

// NewAssignor makes the balancer of a member.
func NewAssignor(c AssignorConfig) *Assignor {
	a := &Assignor{
		cfg: c, server: func() string { return "" }, trouble: func() assignmentError { return assignmentOK }, heard: func(assignmentInfo) {},
	}
	a.placed.Store(&placement{})
	return a
}

// placement is that of the last assignment. It can be called from any goroutine.
func (a *Assignor) placement() placement { return *a.placed.Load() }

// ProtocolName implements kgo.GroupBalancer.
func (*Assignor) ProtocolName() string { return assignorProtocol }

// IsCooperative implements kgo.GroupBalancer.
func (*Assignor) IsCooperative() bool { return true }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (a *Assignor) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
	meta.Generation = generation
	for topic, partitions := range owned {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = topic, partitions
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	slices.SortFunc(meta.OwnedPartitions, func(x, y kmsg.ConsumerMemberMetadataOwnedPartition) int {
		return cmp.Compare(x.Topic, y.Topic)
	})
	if rack := a.cfg.Placement.Rack; rack != "" {
		meta.Rack = &rack
	}
	meta.UserData = appendUserData(nil, &subscriptionInfo{
		process: a.cfg.Process, positions: a.cfg.Positions(), standbys: a.placement().standbys, tags: a.cfg.Placement.Tags,
		err: a.trouble(), server: a.server(),
	})
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (a *Assignor) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	var data kmsg.ConsumerMemberAssignment
	if err := data.ReadFrom(assignment); err == nil {
		info := parseAssignmentInfo(data.UserData)
		a.placed.Store(&placement{standbys: info.standbys, probe: a.probe.Swap(false)})
		a.heard(info)
	}
	return kgo.ParseConsumerSyncAssignment(assignment)
}

// MemberBalancer implements kgo.GroupBalancer.
func (a *Assignor) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	b, err := kgo.NewConsumerBalancer(a, members)
	return b, b.MemberTopics(), err
}

// Balance implements kgo.ConsumerBalancerBalance.
func (a *Assignor) Balance(b *kgo.ConsumerBalancer, partitions map[string]int32) kgo.IntoSyncAssignment {
	cluster := a.cluster(b, partitions)
	plan := b.NewPlan()
	info := assignmentInfo{err: cluster.err}
	if info.err != assignmentOK {
		return &informedPlan{plan: plan, info: func(string) []byte { return info.append(nil) }}
	}
	a.askCluster(cluster)
	result := cluster.balance()
	info.hosts = cluster.hosts(result.tasks, result.standbys)
	data := make(map[string][]byte)
	for m := range cluster.members {
		member, _ := b.MemberAt(m)
		for _, id := range result.tasks[m] {
			for _, topic := range cluster.topicsOf(id) {
				plan.AddPartition(member, topic, id.Partition)
			}
		}
		own := info
		own.standbys = result.standbys[m]
		data[member.MemberID] = own.append(nil)
	}
	a.probe.Store(result.probe)
	return &informedPlan{plan: plan, info: func(member string) []byte { return data[member] }}
}

// cluster turns what the members of a generation said into the input of the pure part.
func (a *Assignor) cluster(b *kgo.ConsumerBalancer, partitions map[string]int32) *assignCluster {
	c := newAssignCluster(a.cfg.Subtopology, partitions)
	c.cfg = a.cfg.Placement
	b.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		m := assignMember{
			topics: make(map[string]bool, len(meta.Topics)), generation: meta.Generation,
			owned: make(map[topology.TaskID]int), standbys: make(map[topology.TaskID]bool),
		}
		info := parseUserData(meta.UserData)
		if meta.Rack != nil {
			info.rack = *meta.Rack
		}
		m.process, m.server = info.process, info.server
		c.err = max(c.err, info.err)
		for _, id := range info.standbys {
			m.standbys[id] = true
		}
		for _, t := range meta.Topics {
			m.topics[t] = true
		}
		for _, o := range meta.OwnedPartitions {
			sub, ok := a.cfg.Subtopology(o.Topic)
			if !ok {
				continue
			}
			for _, p := range o.Partitions {
				m.owned[topology.TaskID{Subtopology: sub, Partition: p}]++
			}
		}
		c.add(m, info)
	})
	return c
}

// askCluster finds out where changelogs end and, if places count, where replicas lie. What is not answered is done
// without.
func (a *Assignor) askCluster(c *assignCluster) {
	var changelogs, all []string
	c.stateful = make(map[topology.TaskID]bool)
	logs := make(map[int][]string)
	for _, id := range c.tasks {
		if _, ok := logs[id.Subtopology]; !ok && a.cfg.Changelogs != nil {
			logs[id.Subtopology] = a.cfg.Changelogs(id.Subtopology)
			changelogs = append(changelogs, logs[id.Subtopology]...)
		}
		if len(logs[id.Subtopology]) > 0 {
			c.stateful[id] = true
		}
		all = append(all, c.topics[id]...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	if a.cfg.Ends != nil && len(changelogs) > 0 {
		if ends, err := a.cfg.Ends(ctx, changelogs); err == nil {
			c.ends = sumEnds(c, logs, ends)
		}
	}
	if a.cfg.Racks == nil || c.cfg.RackStrategy == rackNone {
		return
	}
	slices.Sort(all)
	if racks, err := a.cfg.Racks(ctx, append(slices.Compact(all), changelogs...)); err == nil {
		c.racks = racksOf(c, logs, racks)
	}
}

func sumEnds(c *assignCluster, logs map[int][]string, ends map[topology.TopicPartition]int64) map[topology.TaskID]int64 {
	sums := make(map[topology.TaskID]int64, len(c.stateful))
	for id := range c.stateful {
		for _, topic := range logs[id.Subtopology] {
			sums[id] += ends[topology.TopicPartition{Topic: topic, Partition: id.Partition}]
		}
	}
	return sums
}

// racksOf is nil if the place of a replica is not known.
func racksOf(c *assignCluster, logs map[int][]string, racks map[topology.TopicPartition][]string) map[topology.TaskID]taskRacks {
	all := make(map[topology.TaskID]taskRacks, len(c.tasks))
	for _, id := range c.tasks {
		var t taskRacks
		for _, topic := range c.topics[id] {
			t.sources = append(t.sources, racks[topology.TopicPartition{Topic: topic, Partition: id.Partition}])
		}
		for _, topic := range logs[id.Subtopology] {
			t.changelogs = append(t.changelogs, racks[topology.TopicPartition{Topic: topic, Partition: id.Partition}])
		}
		for _, p := range slices.Concat(t.sources, t.changelogs) {
			if len(p) == 0 || slices.Contains(p, "") {
				return nil
			}
		}
		all[id] = t
	}
	return all
}
