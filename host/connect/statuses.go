package connect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// State is the state of a connector or task (AbstractStatus.State).
type State string

// The states. Stopped is one of connectors only; Destroyed is never shown.
const (
	StateUnassigned State = "UNASSIGNED"
	StateRunning    State = "RUNNING"
	StatePaused     State = "PAUSED"
	StateFailed     State = "FAILED"
	StateDestroyed  State = "DESTROYED"
	StateRestarting State = "RESTARTING"
	StateStopped    State = "STOPPED"
)

var states = []State{StateUnassigned, StateRunning, StatePaused, StateFailed, StateDestroyed, StateRestarting, StateStopped}

// Status is what a worker says of a connector or task.
type Status struct {
	State      State
	Trace      string // "" for none
	WorkerID   string
	Generation int32
	Version    string // of the plugin; "" where it never started
}

// TopicStatus says that a connector uses a topic (KIP-558).
type TopicStatus struct {
	Topic      string `json:"name"`
	Connector  string `json:"connector"`
	Task       int    `json:"task"`
	Discovered int64  `json:"discoverTimestamp"` // ms
}

// Prefixes of the keys in the status topic (KafkaStatusBackingStore).
const (
	statusPrefix          = "status-"
	connectorStatusPrefix = "status-connector-"
	taskStatusPrefix      = "status-task-"
	topicStatusPrefix     = "status-topic-"
	topicStatusSeparator  = ":connector-"
)

// ConnectorStatusRecord is the record of a connector's status; nil is a tombstone.
func ConnectorStatusRecord(name string, s *Status) Record {
	return Record{[]byte(connectorStatusPrefix + name), s.json()}
}

// TaskStatusRecord is that of a task.
func TaskStatusRecord(id TaskID, s *Status) Record {
	return Record{[]byte(taskStatusPrefix + id.String()), s.json()}
}

// TopicStatusRecord says that a topic is active; TopicStatusTombstone takes it back.
func TopicStatusRecord(t TopicStatus) Record {
	return Record{topicStatusKey(t.Topic, t.Connector), mustJSON(map[string]TopicStatus{"topic": t})}
}

// TopicStatusTombstone forgets that a connector uses a topic.
func TopicStatusTombstone(topic, connector string) Record {
	return Record{Key: topicStatusKey(topic, connector)}
}

func topicStatusKey(topic, connector string) []byte {
	return []byte(topicStatusPrefix + topic + topicStatusSeparator + connector)
}

func (s *Status) json() []byte {
	if s == nil {
		return nil
	}
	v := map[string]any{"state": s.State, "trace": nil, "worker_id": s.WorkerID, "generation": s.Generation, "version": nil}
	if s.Trace != "" {
		v["trace"] = s.Trace
	}
	if s.Version != "" {
		v["version"] = s.Version
	}
	return mustJSON(v)
}

// Statuses is what the status topic says: the fold of its records. It is for one goroutine.
type Statuses struct {
	connectors map[string]Status
	tasks      map[TaskID]Status
	topics     map[string]map[string]TopicStatus // by connector and topic
}

// NewStatuses is the fold of an empty topic.
func NewStatuses() *Statuses {
	return &Statuses{connectors: make(map[string]Status), tasks: make(map[TaskID]Status), topics: make(map[string]map[string]TopicStatus)}
}

// Connector is the status of a connector, if one was told.
func (s *Statuses) Connector(name string) (Status, bool) {
	status, ok := s.connectors[name]
	return status, ok
}

// Task is the status of a task, if one was told.
func (s *Statuses) Task(id TaskID) (Status, bool) {
	status, ok := s.tasks[id]
	return status, ok
}

// Tasks are the tasks of a connector that have a status, in order.
func (s *Statuses) Tasks(connector string) (ids []TaskID) {
	for id := range s.tasks {
		if id.Connector == connector {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b TaskID) int { return a.Task - b.Task })
	return ids
}

// Topics are those that a connector uses, by name.
func (s *Statuses) Topics(connector string) []TopicStatus {
	used := s.topics[connector]
	list := make([]TopicStatus, 0, len(used))
	for _, name := range slices.Sorted(maps.Keys(used)) {
		list = append(list, used[name])
	}
	return list
}

// Apply adds a record. An error is about one that is not of the topic's form: it is to be logged and has changed nothing.
func (s *Statuses) Apply(key, value []byte) error {
	if err := s.apply(string(key), value); err != nil {
		return fmt.Errorf("reading record %q of the status topic: %w", key, err)
	}
	return nil
}

func (s *Statuses) apply(key string, value []byte) error {
	if name, ok := strings.CutPrefix(key, connectorStatusPrefix); ok && name != "" {
		return applyStatus(s.connectors, name, value)
	}
	if rest, ok := strings.CutPrefix(key, taskStatusPrefix); ok {
		at := strings.LastIndexByte(rest, '-')
		n, err := strconv.ParseUint(rest[at+1:], 10, 31)
		if at <= 0 || err != nil {
			return fmt.Errorf("the key names no task")
		}
		return applyStatus(s.tasks, TaskID{rest[:at], int(n)}, value)
	}
	if rest, ok := strings.CutPrefix(key, topicStatusPrefix); ok {
		topic, connector, ok := strings.Cut(rest, topicStatusSeparator)
		if !ok || topic == "" || connector == "" {
			return fmt.Errorf("the key names no topic of a connector")
		}
		return s.applyTopic(topic, connector, value)
	}
	return fmt.Errorf("the key is of no known kind")
}

func applyStatus[K comparable](all map[K]Status, key K, value []byte) error {
	if value == nil {
		delete(all, key)
		return nil
	}
	var v struct {
		State      *State  `json:"state"`
		Trace      *string `json:"trace"`
		WorkerID   *string `json:"worker_id"`
		Generation *int32  `json:"generation"`
		Version    *string `json:"version"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	if v.State == nil || !slices.Contains(states, *v.State) || v.WorkerID == nil || v.Generation == nil {
		return fmt.Errorf("it has no sound state, worker_id and generation")
	}
	all[key] = Status{State: *v.State, Trace: textOf(v.Trace), WorkerID: *v.WorkerID, Generation: *v.Generation, Version: textOf(v.Version)}
	return nil
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *Statuses) applyTopic(topic, connector string, value []byte) error {
	if value == nil {
		delete(s.topics[connector], topic)
		return nil
	}
	var v struct {
		Topic *TopicStatus `json:"topic"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	if v.Topic == nil {
		return fmt.Errorf("it has no topic")
	}
	if s.topics[connector] == nil {
		s.topics[connector] = make(map[string]TopicStatus)
	}
	s.topics[connector][topic] = *v.Topic
	return nil
}

// MaySafely tells whether a worker may write next over what is known, so that it does not overwrite the news of a worker
// that took over (KafkaStatusBackingStore's putSafe): only over its own, or from a later generation.
func MaySafely(known Status, exists bool, next Status) bool {
	return !exists || known.WorkerID == next.WorkerID || known.Generation <= next.Generation
}
