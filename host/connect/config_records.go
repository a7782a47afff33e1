package connect

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// TaskID names a task of a connector.
type TaskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// String is "<connector>-<task>".
func (id TaskID) String() string { return id.Connector + "-" + strconv.Itoa(id.Task) }

// TargetState is what a user wants of a connector.
type TargetState string

// The target states (Kafka's TargetState).
const (
	Started TargetState = "STARTED"
	Paused  TargetState = "PAUSED"
	Stopped TargetState = "STOPPED"
)

// ParseTargetState reads the name of a target state.
func ParseTargetState(s string) (TargetState, error) {
	switch t := TargetState(s); t {
	case Started, Paused, Stopped:
		return t, nil
	}
	return "", fmt.Errorf("there is no target state %q", s)
}

// SessionKey signs requests between workers (KIP-507). It is secret.
type SessionKey struct {
	Key       []byte
	Algorithm string
	Created   int64 // ms
}

// RestartRequest asks for the restart of a connector (KIP-745).
type RestartRequest struct {
	Connector    string
	OnlyFailed   bool
	IncludeTasks bool
}

// Prefixes of the keys in the config topic (KafkaConfigBackingStore).
const (
	connectorPrefix   = "connector-"
	taskPrefix        = "task-"
	commitPrefix      = "commit-"
	targetStatePrefix = "target-state-"
	restartPrefix     = "restart-connector-"
	fencingPrefix     = "tasks-fencing-"
	loggerPrefix      = "logger-cluster-"
	sessionKeyKey     = "session-key"
)

// Record is a record of one of the three topics. A nil Value is a tombstone.
type Record struct{ Key, Value []byte }

// ConnectorRecord says that a connector has these settings; nil deletes it.
func ConnectorRecord(name string, props config.Props) Record {
	if props == nil {
		return Record{Key: []byte(connectorPrefix + name)}
	}
	return Record{[]byte(connectorPrefix + name), mustJSON(map[string]any{"properties": props})}
}

// TaskRecord says that a task is to have these settings once a CommitRecord follows.
func TaskRecord(id TaskID, props map[string]string) Record {
	return Record{[]byte(taskPrefix + id.String()), mustJSON(map[string]any{"properties": props})}
}

// CommitRecord makes the task records before it effective: the connector has so many tasks.
func CommitRecord(name string, tasks int) Record {
	return Record{[]byte(commitPrefix + name), mustJSON(map[string]int{"tasks": tasks})}
}

// TargetStateRecord sets the target state; "" is a tombstone, which is Started again. Workers before 3.5 read `state`
// and know no STOPPED.
func TargetStateRecord(name string, s TargetState) Record {
	key := []byte(targetStatePrefix + name)
	if s == "" {
		return Record{Key: key}
	}
	old := s
	if s == Stopped {
		old = Paused
	}
	return Record{key, mustJSON(map[string]TargetState{"state": old, "state.v2": s})}
}

// RestartRecord asks all workers for a restart.
func RestartRecord(r RestartRequest) Record {
	return Record{[]byte(restartPrefix + r.Connector), mustJSON(map[string]bool{"include-tasks": r.IncludeTasks, "only-failed": r.OnlyFailed})}
}

// FencingRecord says that the producers of so many tasks were fenced (KIP-618).
func FencingRecord(name string, tasks int) Record {
	return Record{[]byte(fencingPrefix + name), mustJSON(map[string]int{"task-count": tasks})}
}

// SessionKeyRecord distributes a session key.
func SessionKeyRecord(k SessionKey) Record {
	return Record{[]byte(sessionKeyKey), mustJSON(map[string]any{
		"key": base64.StdEncoding.EncodeToString(k.Key), "algorithm": k.Algorithm, "creation-timestamp": k.Created,
	})}
}

// LoggerRecord sets the level of a logger on all workers (KIP-976).
func LoggerRecord(namespace, level string) Record {
	return Record{[]byte(loggerPrefix + namespace), mustJSON(map[string]string{"level": level})}
}

// mustJSON encodes what is made of texts, numbers and maps of them only.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encoding a record of our own: " + err.Error())
	}
	return b
}

// parseTaskKey takes apart "task-<connector>-<number>"; the connector may hold dashes.
func parseTaskKey(key string) (TaskID, bool) {
	rest := strings.TrimPrefix(key, taskPrefix)
	at := strings.LastIndexByte(rest, '-')
	if at < 0 {
		return TaskID{}, false
	}
	n, err := strconv.ParseInt(rest[at+1:], 10, 32)
	if err != nil {
		return TaskID{}, false
	}
	return TaskID{rest[:at], int(n)}, true
}

func parseSessionKey(value []byte) (SessionKey, error) {
	var v struct {
		Key       *string `json:"key"`
		Algorithm *string `json:"algorithm"`
		Created   *int64  `json:"creation-timestamp"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return SessionKey{}, err
	}
	if v.Key == nil || v.Algorithm == nil || v.Created == nil {
		return SessionKey{}, fmt.Errorf("a session key has key, algorithm and creation-timestamp")
	}
	key, err := base64.StdEncoding.DecodeString(*v.Key)
	if err != nil {
		return SessionKey{}, fmt.Errorf("the session key is not base64")
	}
	return SessionKey{Key: key, Algorithm: *v.Algorithm, Created: *v.Created}, nil
}
