package connect

import (
	"encoding/json"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// What the REST API gives and takes; written by encoding/json as it stands.

// ConnectorInfo is the answer about a connector.
type ConnectorInfo struct {
	Name   string             `json:"name"`
	Config map[string]*string `json:"config"`
	Tasks  []TaskID           `json:"tasks"`
	Type   string             `json:"type"`
}

// StateInfo is the status of a connector or, with ID, of a task.
type StateInfo struct {
	ID       *int    `json:"id,omitempty"`
	State    State   `json:"state"`
	WorkerID string  `json:"worker_id"`
	Version  *string `json:"version"`
	Trace    string  `json:"trace,omitempty"`
}

// ConnectorStateInfo is the answer about a connector's status.
type ConnectorStateInfo struct {
	Name      string      `json:"name"`
	Connector StateInfo   `json:"connector"`
	Tasks     []StateInfo `json:"tasks"`
	Type      string      `json:"type"`
}

// TaskInfo is a task with its settings.
type TaskInfo struct {
	ID     TaskID            `json:"id"`
	Config map[string]string `json:"config"`
}

// OffsetInfo is one entry of an offsets answer or request.
type OffsetInfo struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

// PluginInfo is an entry of GET /connector-plugins.
type PluginInfo struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
}

// ServerInfo is the answer of GET /.
type ServerInfo struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	ClusterID string `json:"kafka_cluster_id"`
}

// LoggerInfo is the level of a logger.
type LoggerInfo struct {
	Level        string `json:"level"`
	LastModified *int64 `json:"last_modified"`
}

// propsOf makes settings of those that the config topic holds.
func propsOf(m map[string]string) config.Props { return config.PropsOf(m) }

func pointersTo(m map[string]string) map[string]*string {
	out := make(map[string]*string, len(m))
	for k, v := range m {
		out[k] = &v
	}
	return out
}
