package stream

import (
	"cmp"
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

	// server is the application.server of this process, told to all members; "" if it cannot be asked.
	server func() string
	// trouble is what this member has to tell the leader.
	trouble func() assignmentError
	// heard is called with what came with each assignment, on the goroutine of the group.
	heard func(assignmentInfo)
}

// NewAssignor makes the balancer of a member. subtopology tells which sub-topology reads a topic, process is the
// identity kept in the state directory, and local lists the tasks that have state on this machine's disk.
func NewAssignor(subtopology func(topic string) (int, bool), process [processIDLen]byte, local func() []topology.TaskID) *Assignor {
	return &Assignor{
		subtopology: subtopology, process: process, local: local,
		server: func() string { return "" }, trouble: func() assignmentError { return assignmentOK }, heard: func(assignmentInfo) {},
	}
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
	meta.UserData = appendUserData(nil, &subscriptionInfo{process: a.process, local: a.local(), err: a.trouble(), server: a.server()})
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (a *Assignor) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	var data kmsg.ConsumerMemberAssignment
	if err := data.ReadFrom(assignment); err == nil {
		a.heard(parseAssignmentInfo(data.UserData))
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
	goal := cluster.goal()
	info.hosts = cluster.hosts(goal)
	userData := info.append(nil)
	for m, tasks := range cluster.withhold(goal) {
		member, _ := b.MemberAt(m)
		for _, id := range tasks {
			for _, topic := range cluster.topicsOf(id) {
				plan.AddPartition(member, topic, id.Partition)
			}
		}
	}
	return &informedPlan{plan: plan, info: func(string) []byte { return userData }}
}

// cluster turns what the members of a generation said into the input of the pure part.
func (a *Assignor) cluster(b *kgo.ConsumerBalancer, partitions map[string]int32) *assignCluster {
	c := newAssignCluster(a.subtopology, partitions)
	b.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		m := assignMember{
			topics: make(map[string]bool, len(meta.Topics)), generation: meta.Generation,
			owned: make(map[topology.TaskID]int), local: make(map[topology.TaskID]bool),
		}
		said := parseUserData(meta.UserData)
		m.process, m.server = said.process, said.server
		c.err = max(c.err, said.err)
		for _, id := range said.local {
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

// subscriptionInfo is what a member tells the leader about itself (Kafka's SubscriptionInfo).
type subscriptionInfo struct {
	process [processIDLen]byte
	local   []topology.TaskID // with state on the disk of the process
	err     assignmentError
	server  string
}

// appendUserData encodes version, process id, the tasks with local state, and fields.
func appendUserData(dst []byte, s *subscriptionInfo) []byte {
	dst = append(dst, userDataVersion)
	dst = append(dst, s.process[:]...)
	dst = appendTasks(dst, s.local)
	if s.err != assignmentOK {
		dst = appendField(dst, fieldError, []byte{byte(s.err)})
	}
	if s.server != "" {
		dst = appendField(dst, fieldServer, []byte(s.server))
	}
	return dst
}

// parseUserData reads what appendUserData wrote. Bytes that make no sense give a member without hints: it is still
// assigned tasks, only without regard to where their state lies.
func parseUserData(b []byte) (s subscriptionInfo) {
	if len(b) < 1+processIDLen || b[0] < userDataVersion {
		return s
	}
	copy(s.process[:], b[1:])
	var rest []byte
	s.local, rest = parseTasks(b[1+processIDLen:])
	eachField(rest, func(tag uint64, field []byte) {
		switch {
		case tag == fieldError && len(field) == 1:
			s.err = assignmentError(field[0])
		case tag == fieldServer:
			s.server = string(field)
		}
	})
	return s
}
