package stream

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/topology"
)

// assignorProtocol is the name members of an application agree on. It is our own: a Java Streams member speaks
// "stream", and a plain consumer must never be able to join and take partitions without their tasks.
const assignorProtocol = "wasmstream"

// userDataVersion is the version of the bytes that a member sends about itself. A reader takes the fields it knows and
// ignores what follows, so a later version may only append.
const userDataVersion = 1

// processIDLen is the length of the identity a process sends: the bytes of its UUID.
const processIDLen = 16

// Assignor hands out tasks: partition i of every source topic of a sub-topology goes to one member, the number of
// tasks of any two members differs by one at most, the extra ones are spread over processes before threads, and no
// task moves that need not. It is cooperative: a task that moves is first given up by its owner in one round and
// assigned to the next owner in the following one.
//
// It implements kgo.GroupBalancer; kgo calls it from the goroutine of the group.
type Assignor struct {
	subtopology func(topic string) (int, bool)
	process     [processIDLen]byte
	local       func() []topology.TaskID
}

// NewAssignor makes the balancer of a member. subtopology tells which sub-topology reads a topic, process is the
// identity kept in the state directory, and local lists the tasks that have state on this machine's disk.
func NewAssignor(subtopology func(topic string) (int, bool), process [processIDLen]byte, local func() []topology.TaskID) *Assignor {
	return &Assignor{subtopology: subtopology, process: process, local: local}
}

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
	meta.UserData = appendUserData(nil, a.process, a.local())
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (*Assignor) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
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
	for m, tasks := range cluster.balance() {
		member, _ := b.MemberAt(m)
		for _, id := range tasks {
			for _, topic := range cluster.topicsOf(id) {
				plan.AddPartition(member, topic, id.Partition)
			}
		}
	}
	return plan
}

// cluster turns what the members of a generation said into the input of the pure part.
func (a *Assignor) cluster(b *kgo.ConsumerBalancer, partitions map[string]int32) *assignCluster {
	c := newAssignCluster(a.subtopology, partitions)
	b.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		m := assignMember{
			topics: make(map[string]bool, len(meta.Topics)), generation: meta.Generation,
			owned: make(map[topology.TaskID]int), local: make(map[topology.TaskID]bool),
		}
		var local []topology.TaskID
		m.process, local = parseUserData(meta.UserData)
		for _, id := range local {
			m.local[id] = true
		}
		for _, t := range meta.Topics {
			m.topics[t] = true
		}
		for _, o := range meta.OwnedPartitions {
			sub, ok := a.subtopology(o.Topic)
			if !ok {
				continue
			}
			for _, p := range o.Partitions {
				m.owned[topology.TaskID{Subtopology: sub, Partition: p}]++
			}
		}
		c.members = append(c.members, m)
	})
	return c
}

// appendUserData encodes version, process id, and the tasks with local state.
func appendUserData(dst []byte, process [processIDLen]byte, local []topology.TaskID) []byte {
	dst = append(dst, userDataVersion)
	dst = append(dst, process[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(local)))
	for _, id := range local {
		dst = binary.AppendUvarint(dst, uint64(id.Subtopology))
		dst = binary.AppendUvarint(dst, uint64(id.Partition))
	}
	return dst
}

// parseUserData reads what appendUserData wrote. Bytes that make no sense give a member without hints: it is still
// assigned tasks, only without regard to where their state lies.
func parseUserData(b []byte) (process [processIDLen]byte, local []topology.TaskID) {
	if len(b) < 1+processIDLen || b[0] < userDataVersion {
		return process, nil
	}
	copy(process[:], b[1:])
	b = b[1+processIDLen:]
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)) { // each task takes two bytes at least
		return process, nil
	}
	b = b[w:]
	for range n {
		sub, w1 := binary.Uvarint(b)
		if w1 <= 0 {
			return process, local
		}
		part, w2 := binary.Uvarint(b[w1:])
		if w2 <= 0 || sub > 1<<31-1 || part > 1<<31-1 {
			return process, local
		}
		local = append(local, topology.TaskID{Subtopology: int(sub), Partition: int32(part)})
		b = b[w1+w2:]
	}
	return process, local
}
