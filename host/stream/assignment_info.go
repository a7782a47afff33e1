package stream

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/topology"
)

// assignmentError tells the members of a group what the leader found (Kafka's AssignorError).
type assignmentError byte

// Kafka's codes.
const (
	assignmentOK                assignmentError = 0
	assignmentShutdownRequested assignmentError = 4
)

// hostTasks are the tasks of the processes behind one application.server.
type hostTasks struct {
	server  string
	active  []topology.TaskID
	standby []topology.TaskID
}

// assignmentInfo is what the leader tells every member beside its partitions: the user data of an assignment (Kafka's
// AssignmentInfo).
type assignmentInfo struct {
	err   assignmentError
	hosts []hostTasks // in the order of their servers
	// standbys are those of the member that it is told.
	standbys []topology.TaskID
}

// User data is a version, what belongs to it, and fields: uvarint tag, uvarint length, bytes. A reader skips the tags that
// it does not know, so that members of different releases understand each other.
const (
	assignmentVersion = 1

	fieldError = 1 // one byte

	// Of subscriptions: application.server; the positions of the tasks with state, as varints; the standbys of the member;
	// a tag of the process, length, name, value.
	fieldServer, fieldPositions, fieldKept, fieldTag = 2, 3, 4, 5
	// Of assignments.
	fieldHosts, fieldStandbys = 2, 3
)

func appendField(dst []byte, tag uint64, field []byte) []byte {
	dst = binary.AppendUvarint(dst, tag)
	dst = binary.AppendUvarint(dst, uint64(len(field)))
	return append(dst, field...)
}

// eachField calls f with the fields of b, up to the first that is cut short.
func eachField(b []byte, f func(tag uint64, field []byte)) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return
		}
		b = b[n+m:]
		f(tag, b[:size])
		b = b[size:]
	}
}

func (a *assignmentInfo) append(dst []byte) []byte {
	dst = append(dst, assignmentVersion)
	dst = appendField(dst, fieldError, []byte{byte(a.err)})
	for _, h := range a.hosts {
		field := appendText(nil, h.server)
		field = appendTasks(appendTasks(field, h.active), h.standby)
		dst = appendField(dst, fieldHosts, field)
	}
	if len(a.standbys) > 0 {
		dst = appendField(dst, fieldStandbys, appendTasks(nil, a.standbys))
	}
	return dst
}

// parseAssignmentInfo reads what append wrote. What makes no sense is left out: it only tells where to ask.
func parseAssignmentInfo(b []byte) (info assignmentInfo) {
	if len(b) == 0 || b[0] < assignmentVersion {
		return info
	}
	eachField(b[1:], func(tag uint64, field []byte) {
		switch {
		case tag == fieldError && len(field) == 1:
			info.err = assignmentError(field[0])
		case tag == fieldStandbys:
			info.standbys, _ = parseTasks(field)
		case tag == fieldHosts:
			server, field, ok := parseText(field)
			if !ok {
				return
			}
			h := hostTasks{server: server}
			h.active, field = parseTasks(field)
			h.standby, _ = parseTasks(field)
			info.hosts = append(info.hosts, h)
		}
	})
	return info
}

// appendText encodes a text behind its length.
func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// parseText reads what appendText wrote and returns what follows.
func parseText(b []byte) (text string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	b = b[n:]
	return string(b[:size]), b[size:], true
}

func appendTasks(dst []byte, ids []topology.TaskID) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ids)))
	for _, id := range ids {
		dst = binary.AppendUvarint(dst, uint64(id.Subtopology))
		dst = binary.AppendUvarint(dst, uint64(id.Partition))
	}
	return dst
}

// parseTasks reads what appendTasks wrote, up to what makes no sense, and returns what follows.
func parseTasks(b []byte) (ids []topology.TaskID, rest []byte) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)) { // each task takes two bytes at least
		return nil, nil
	}
	b = b[w:]
	for range n {
		sub, w1 := binary.Uvarint(b)
		if w1 <= 0 {
			return ids, nil
		}
		part, w2 := binary.Uvarint(b[w1:])
		if w2 <= 0 || sub > 1<<31-1 || part > 1<<31-1 {
			return ids, nil
		}
		ids = append(ids, topology.TaskID{Subtopology: int(sub), Partition: int32(part)})
		b = b[w1+w2:]
	}
	return ids, b
}

// informedPlan is a plan that carries user data.
type informedPlan struct {
	plan *kgo.BalancePlan
	info func(memberID string) []byte
}

// IntoSyncAssignment implements kgo.IntoSyncAssignment.
func (p *informedPlan) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	list := p.plan.IntoSyncAssignment()
	for i := range list {
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(list[i].MemberAssignment); err != nil {
			panic("stream: an assignment cannot be read: " + err.Error()) // it was just written
		}
		a.UserData = p.info(list[i].MemberID)
		list[i].MemberAssignment = a.AppendTo(nil)
	}
	return list
}

// hosts gathers the tasks of the members by their servers; members without one cannot be asked and are left out.
func (c *assignCluster) hosts(active, standbys [][]topology.TaskID) []hostTasks {
	var hosts []hostTasks
	for m := range c.members {
		server := c.members[m].server
		if server == "" {
			continue
		}
		i := slices.IndexFunc(hosts, func(h hostTasks) bool { return h.server == server })
		if i < 0 {
			i = len(hosts)
			hosts = append(hosts, hostTasks{server: server})
		}
		hosts[i].active = append(hosts[i].active, active[m]...)
		hosts[i].standby = append(hosts[i].standby, standbys[m]...)
	}
	slices.SortFunc(hosts, func(a, b hostTasks) int { return cmp.Compare(a.server, b.server) })
	for i := range hosts {
		slices.SortFunc(hosts[i].active, compareTasks)
		slices.SortFunc(hosts[i].standby, compareTasks)
	}
	return hosts
}
