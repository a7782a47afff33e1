package stream

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// userDataVersion is the version of the bytes that a member sends about itself. What comes later is a field.
const userDataVersion = 1

// processIDLen is the length of the identity a process sends: the bytes of its UUID.
const processIDLen = 16

// subscriptionInfo is what a member tells the leader about itself and its process (Kafka's SubscriptionInfo).
type subscriptionInfo struct {
	process   processKey
	positions map[topology.TaskID]int64 // sums of changelog offsets of tasks with state; -1: not known
	standbys  []topology.TaskID
	tags      map[string]string
	err       assignmentError
	server    string
	rack      string // of the consumer protocol
}

// appendUserData encodes version, process id, the tasks with local state, and fields.
func appendUserData(dst []byte, s *subscriptionInfo) []byte {
	dst = append(dst, userDataVersion)
	dst = append(dst, s.process[:]...)
	tasks := slices.SortedFunc(maps.Keys(s.positions), compareTasks)
	dst = appendTasks(dst, tasks)
	var positions []byte
	for _, id := range tasks {
		positions = binary.AppendVarint(positions, s.positions[id])
	}
	dst = appendField(dst, fieldPositions, positions)
	if s.err != assignmentOK {
		dst = appendField(dst, fieldError, []byte{byte(s.err)})
	}
	if s.server != "" {
		dst = appendField(dst, fieldServer, []byte(s.server))
	}
	if len(s.standbys) > 0 {
		dst = appendField(dst, fieldKept, appendTasks(nil, s.standbys))
	}
	for _, key := range slices.Sorted(maps.Keys(s.tags)) {
		dst = appendField(dst, fieldTag, append(appendText(nil, key), s.tags[key]...))
	}
	return dst
}

// parseUserData reads what appendUserData wrote. Bytes that make no sense give a member without hints: it is still
// assigned tasks, only without regard to where their state lies.
func parseUserData(b []byte) (s subscriptionInfo) {
	s.positions, s.tags = make(map[topology.TaskID]int64), make(map[string]string)
	if len(b) < 1+processIDLen || b[0] < userDataVersion {
		return s
	}
	copy(s.process[:], b[1:])
	tasks, rest := parseTasks(b[1+processIDLen:])
	for _, id := range tasks {
		s.positions[id] = -1
	}
	eachField(rest, func(tag uint64, field []byte) {
		switch {
		case tag == fieldError && len(field) == 1:
			s.err = assignmentError(field[0])
		case tag == fieldServer:
			s.server = string(field)
		case tag == fieldPositions:
			s.parsePositions(tasks, field)
		case tag == fieldKept:
			s.standbys, _ = parseTasks(field)
		case tag == fieldTag:
			if key, value, ok := parseText(field); ok {
				s.tags[key] = string(value)
			}
		}
	})
	return s
}

// parsePositions reads the positions of tasks, as many as there are.
func (s *subscriptionInfo) parsePositions(tasks []topology.TaskID, field []byte) {
	for _, id := range tasks {
		at, n := binary.Varint(field)
		if n <= 0 {
			return
		}
		s.positions[id] = at
		field = field[n:]
	}
}
