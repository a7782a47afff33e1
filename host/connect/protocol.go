package connect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The names of the group protocols, which are the versions of what is said in them.
const (
	ProtocolType    = "connect"
	ProtocolEager   = "default"
	ProtocolCoop    = "compatible"
	ProtocolSession = "sessioned"
)

// Versions of the protocol: ConnectProtocol and IncrementalCooperativeConnectProtocol.
const (
	versionEager   int16 = 0
	versionCoop    int16 = 1
	versionSession int16 = 2
)

// Errors of an assignment.
const (
	assignmentOK             int16 = 0
	assignmentConfigMismatch int16 = 1
)

// connectorTask stands for the connector itself among the tasks of an assignment.
const connectorTask int32 = -1

// WorkerState is what a worker says of itself when it joins.
type WorkerState struct {
	URL string
	// Offset is the next one of the config topic that the worker has not read.
	Offset int64
	// Assignment is what it has; nil for none, and in the eager protocol.
	Assignment *Assignment
}

// Assignment is what a worker is to run, and to give up.
type Assignment struct {
	Version    int16
	Error      int16
	Leader     string
	LeaderURL  string
	Offset     int64
	Connectors []string
	Tasks      []TaskID
	// RevokedConnectors and RevokedTasks are to be stopped before the worker joins again.
	RevokedConnectors []string
	RevokedTasks      []TaskID
	// Delay is how many ms later a rebalance is due, 0 for none.
	Delay int32
}

// Failed tells whether the assignment is none because workers have read different configurations.
func (a *Assignment) Failed() bool { return a.Error != assignmentOK }

var errShort = errors.New("the bytes end too early")

// AppendWorkerState appends the metadata of a JoinGroup request in a version of the protocol.
func AppendWorkerState(dst []byte, version int16, s *WorkerState) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = appendString(dst, s.URL)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Offset))
	if version == versionEager {
		return dst
	}
	if s.Assignment == nil {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32)
	}
	at := len(dst)
	dst = AppendAssignment(append(dst, 0, 0, 0, 0), version, s.Assignment)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// ParseWorkerState reads metadata of any version. Bytes of versions to come are left unread.
func ParseWorkerState(b []byte) (WorkerState, error) {
	r := reader{b: b}
	version := r.int16()
	s := WorkerState{URL: r.string(), Offset: r.int64()}
	if r.err == nil && version >= versionCoop {
		if n := r.int32(); n >= 0 {
			a, err := ParseAssignment(r.take(int(n)))
			if r.err == nil && err != nil {
				return s, fmt.Errorf("reading the assignment of worker %q: %w", s.URL, err)
			}
			s.Assignment = a
		}
	}
	if r.err != nil {
		return s, fmt.Errorf("reading the state of a worker: %w", r.err)
	}
	return s, nil
}

// AppendAssignment appends the assignment of a SyncGroup request.
func AppendAssignment(dst []byte, version int16, a *Assignment) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = binary.BigEndian.AppendUint16(dst, uint16(a.Error))
	dst = appendString(dst, a.Leader)
	dst = appendString(dst, a.LeaderURL)
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.Offset))
	dst = appendShare(dst, a.Connectors, a.Tasks)
	if version == versionEager {
		return dst
	}
	dst = appendShare(dst, a.RevokedConnectors, a.RevokedTasks)
	return binary.BigEndian.AppendUint32(dst, uint32(a.Delay))
}

// ParseAssignment reads an assignment of any version; no bytes are none.
func ParseAssignment(b []byte) (*Assignment, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := reader{b: b}
	a := &Assignment{Version: r.int16(), Error: r.int16(), Leader: r.string(), LeaderURL: r.string(), Offset: r.int64()}
	a.Connectors, a.Tasks = r.share()
	if a.Version >= versionCoop {
		a.RevokedConnectors, a.RevokedTasks = r.share()
		a.Delay = r.int32()
	}
	if r.err != nil {
		return nil, fmt.Errorf("reading an assignment: %w", r.err)
	}
	return a, nil
}

// appendShare appends connectors and tasks by connector, in order.
func appendShare(dst []byte, connectors []string, tasks []TaskID) []byte {
	numbers := make(map[string][]int32)
	var names []string
	add := func(name string, number int32) {
		if numbers[name] == nil {
			names = append(names, name)
		}
		numbers[name] = append(numbers[name], number)
	}
	for _, name := range connectors {
		add(name, connectorTask)
	}
	for _, id := range tasks {
		add(id.Connector, int32(id.Task))
	}
	slices.Sort(names)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(names)))
	for _, name := range names {
		dst = appendString(dst, name)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(numbers[name])))
		for _, n := range numbers[name] {
			dst = binary.BigEndian.AppendUint32(dst, uint32(n))
		}
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// reader takes Kafka's primitive types off bytes that a foreign worker sent. After a fault it gives zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	part := r.b[:n:n]
	r.b = r.b[n:]
	return part
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) string() string { return string(r.take(int(r.int16()))) }

// share reads what appendShare writes; null is none.
func (r *reader) share() (connectors []string, tasks []TaskID) {
	for n := r.int32(); n > 0 && r.err == nil; n-- {
		name := r.string()
		for m := r.int32(); m > 0 && r.err == nil; m-- {
			if number := r.int32(); number == connectorTask {
				connectors = append(connectors, name)
			} else {
				tasks = append(tasks, TaskID{name, int(number)})
			}
		}
	}
	return connectors, tasks
}
