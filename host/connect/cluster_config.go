package connect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ClusterConfig is what the config topic says up to an offset: the fold of its records, as Kafka's
// KafkaConfigBackingStore and ClusterConfigState work it out. It is for one goroutine; Clone gives another one its own.
type ClusterConfig struct {
	offset     int64 // next to be read
	connectors map[string]*connectorConfig
	sessionKey *SessionKey
}

// connectorConfig is what is known of one connector. Records may come before and stay after those of the connector
// itself.
type connectorConfig struct {
	props       map[string]string // nil: there is no such connector
	target      TargetState       // "": nothing was said
	tasks       map[int]map[string]string
	deferred    map[int]map[string]string // task records without a commit
	count       int
	counted     bool // a commit was seen
	consistent  bool
	fenced      int // task count of the last fencing
	fencedKnown bool
	pending     bool // tasks were committed after the last fencing
	generation  int
	// nulls are the names of settings that were given as null.
	nulls []string
	// applied are the settings that the tasks were made of.
	applied map[string]string
}

// ConfigEvent is what a record of the config topic changed. At most one of its fields is set.
type ConfigEvent struct {
	ConnectorUpdated, ConnectorRemoved, TargetChanged string
	TasksUpdated                                      []TaskID
	SessionKey                                        *SessionKey
	Restart                                           *RestartRequest
	LoggerNamespace, LoggerLevel                      string
}

// NewClusterConfig is the fold of an empty topic.
func NewClusterConfig() *ClusterConfig {
	return &ClusterConfig{connectors: make(map[string]*connectorConfig)}
}

// Clone is a copy for another goroutine. Settings are shared and must not be changed.
func (c *ClusterConfig) Clone() *ClusterConfig {
	d := &ClusterConfig{offset: c.offset, connectors: make(map[string]*connectorConfig, len(c.connectors)), sessionKey: c.sessionKey}
	for name, k := range c.connectors {
		copied := *k
		copied.tasks, copied.deferred = maps.Clone(k.tasks), maps.Clone(k.deferred)
		d.connectors[name] = &copied
	}
	return d
}

// Offset is that of the next record.
func (c *ClusterConfig) Offset() int64 { return c.offset }

// SkipTo moves on over offsets that hold no records: markers, and what compaction removed.
func (c *ClusterConfig) SkipTo(offset int64) { c.offset = max(c.offset, offset) }

// SessionKey is the newest, or nil.
func (c *ClusterConfig) SessionKey() *SessionKey { return c.sessionKey }

// Connectors are the names of all connectors, sorted.
func (c *ClusterConfig) Connectors() (names []string) {
	for name, k := range c.connectors {
		if k.props != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Contains tells whether there is such a connector.
func (c *ClusterConfig) Contains(name string) bool { return c.Connector(name) != nil }

// Connector are the settings as they were given; nil if there is no such connector. Read only.
func (c *ClusterConfig) Connector(name string) map[string]string {
	if k := c.connectors[name]; k != nil {
		return k.props
	}
	return nil
}

// Nulls are the names of settings that were given as null, sorted. Connector leaves them out.
func (c *ClusterConfig) Nulls(name string) []string {
	if k := c.connectors[name]; k != nil {
		return k.nulls
	}
	return nil
}

// AppliedConnector are the settings that the connector's tasks were made of, nil if it has none.
func (c *ClusterConfig) AppliedConnector(name string) map[string]string {
	if k := c.connectors[name]; k != nil {
		return k.applied
	}
	return nil
}

// TargetState of a connector; Started if nothing else was said.
func (c *ClusterConfig) TargetState(name string) TargetState {
	if k := c.connectors[name]; k != nil && k.target != "" {
		return k.target
	}
	return Started
}

// Tasks of a connector, in order; none while their settings are incomplete.
func (c *ClusterConfig) Tasks(name string) []TaskID {
	k := c.connectors[name]
	if k == nil || k.props == nil || !k.consistent {
		return nil
	}
	ids := make([]TaskID, k.count)
	for i := range ids {
		ids[i] = TaskID{name, i}
	}
	return ids
}

// Task are the settings of a task, nil if there is none. Read only.
func (c *ClusterConfig) Task(id TaskID) map[string]string {
	if k := c.connectors[id.Connector]; k != nil && id.Task < k.count {
		return k.tasks[id.Task]
	}
	return nil
}

// Inconsistent are the connectors whose task settings are incomplete, sorted: compaction or a leader that died left
// them so, and a new set must be written.
func (c *ClusterConfig) Inconsistent() (names []string) {
	for name, k := range c.connectors {
		if k.props != nil && k.counted && !k.consistent {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Complete tells whether the number of a connector's tasks is known, and all their settings.
func (c *ClusterConfig) Complete(name string) bool {
	k := c.connectors[name]
	return k != nil && k.counted && k.consistent
}

// TaskCountRecord is how many producers the last fencing was for, and whether there was one.
func (c *ClusterConfig) TaskCountRecord(name string) (int, bool) {
	if k := c.connectors[name]; k != nil {
		return k.fenced, k.fencedKnown
	}
	return 0, false
}

// PendingFencing tells whether tasks were committed since the last fencing.
func (c *ClusterConfig) PendingFencing(name string) bool {
	k := c.connectors[name]
	return k != nil && k.pending
}

// Generation counts the sets of tasks that this reader has seen committed, from 0.
func (c *ClusterConfig) Generation(name string) int {
	if k := c.connectors[name]; k != nil {
		return k.generation
	}
	return -1
}

func (c *ClusterConfig) at(name string) *connectorConfig {
	k := c.connectors[name]
	if k == nil {
		k = &connectorConfig{generation: -1}
		c.connectors[name] = k
	}
	return k
}

// Apply adds the record at offset. An error is about a record that is not of the topic's form: it is to be logged, and
// has changed nothing.
func (c *ClusterConfig) Apply(offset int64, key, value []byte) (ConfigEvent, error) {
	c.offset = offset + 1
	event, err := c.apply(string(key), value)
	if err != nil {
		return ConfigEvent{}, fmt.Errorf("reading record %q of the config topic: %w", key, err)
	}
	return event, nil
}

func (c *ClusterConfig) apply(key string, value []byte) (ConfigEvent, error) {
	if name, ok := strings.CutPrefix(key, connectorPrefix); ok {
		return c.applyConnector(name, value)
	}
	if name, ok := strings.CutPrefix(key, targetStatePrefix); ok {
		return c.applyTargetState(name, value)
	}
	if value == nil { // what follows is never deleted
		return ConfigEvent{}, nil
	}
	if strings.HasPrefix(key, taskPrefix) {
		return ConfigEvent{}, c.applyTask(key, value)
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		return c.applyCommit(name, value)
	}
	if name, ok := strings.CutPrefix(key, restartPrefix); ok {
		return restartEvent(name, value)
	}
	if name, ok := strings.CutPrefix(key, fencingPrefix); ok {
		return ConfigEvent{}, c.applyFencing(name, value)
	}
	if namespace, ok := strings.CutPrefix(key, loggerPrefix); ok {
		return loggerEvent(namespace, value)
	}
	if key == sessionKeyKey {
		return c.applySessionKey(value)
	}
	return ConfigEvent{}, fmt.Errorf("the key is of no known kind")
}

func (c *ClusterConfig) applyConnector(name string, value []byte) (ConfigEvent, error) {
	if value == nil {
		existed := c.Contains(name)
		c.remove(name)
		if !existed {
			return ConfigEvent{}, nil
		}
		return ConfigEvent{ConnectorRemoved: name}, nil
	}
	props, nulls, err := parseProperties(value)
	if err != nil {
		return ConfigEvent{}, err
	}
	k := c.at(name)
	k.props, k.nulls = props, nulls
	if k.target == "" {
		k.target = Started
	}
	return ConfigEvent{ConnectorUpdated: name}, nil
}

// remove forgets a connector and its tasks. What was said of its target state and of fencing stays.
func (c *ClusterConfig) remove(name string) {
	k := c.at(name)
	k.props, k.tasks, k.deferred, k.applied = nil, nil, nil, nil
	k.count, k.counted, k.consistent = 0, false, false
}

func parseProperties(value []byte) (props map[string]string, nulls []string, err error) {
	var v struct {
		Properties map[string]*string `json:"properties"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, nil, err
	}
	if v.Properties == nil {
		return nil, nil, fmt.Errorf("it has no properties")
	}
	props = make(map[string]string, len(v.Properties))
	for key, p := range v.Properties {
		if p == nil {
			nulls = append(nulls, key)
			continue
		}
		props[key] = *p
	}
	slices.Sort(nulls)
	return props, nulls, nil
}

func (c *ClusterConfig) applyTask(key string, value []byte) error {
	id, ok := parseTaskKey(key)
	if !ok {
		return fmt.Errorf("the key names no task")
	}
	props, _, err := parseProperties(value)
	if err != nil {
		return err
	}
	k := c.at(id.Connector)
	if k.deferred == nil {
		k.deferred = make(map[int]map[string]string)
	}
	k.deferred[id.Task] = props
	return nil
}

// applyCommit makes the deferred task records effective if they are complete. They need not be exactly the tasks:
// after compaction those of a larger set may be there too.
func (c *ClusterConfig) applyCommit(name string, value []byte) (ConfigEvent, error) {
	var v struct {
		Tasks *int `json:"tasks"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return ConfigEvent{}, err
	}
	if v.Tasks == nil || *v.Tasks < 0 {
		return ConfigEvent{}, fmt.Errorf("it has no number of tasks")
	}
	k := c.at(name)
	if k.props == nil { // deleted before, and the tombstone may be compacted away
		c.remove(name)
		return ConfigEvent{}, nil
	}
	return k.commit(name, *v.Tasks), nil
}

func (k *connectorConfig) commit(name string, count int) (event ConfigEvent) {
	complete := true
	for i := range count {
		complete = complete && k.deferred[i] != nil
	}
	if complete {
		if k.tasks == nil {
			k.tasks = make(map[int]map[string]string)
		}
		for i, props := range k.deferred {
			k.tasks[i] = props
			event.TasksUpdated = append(event.TasksUpdated, TaskID{name, i})
		}
		slices.SortFunc(event.TasksUpdated, func(a, b TaskID) int { return a.Task - b.Task })
		k.generation++
		k.applied = k.props
	}
	k.consistent, k.counted, k.count = complete, true, count
	clear(k.deferred)
	k.pending = true
	return event
}

func (c *ClusterConfig) applyTargetState(name string, value []byte) (ConfigEvent, error) {
	k := c.at(name)
	if value == nil && k.props == nil { // the connector goes too
		k.target = ""
		return ConfigEvent{}, nil
	}
	target := Started
	if value != nil {
		var err error
		if target, err = parseTarget(value); err != nil {
			return ConfigEvent{}, err
		}
	}
	if k.target == target {
		return ConfigEvent{}, nil
	}
	k.target = target
	return ConfigEvent{TargetChanged: name}, nil
}

// parseTarget prefers state.v2, which old workers do not write.
func parseTarget(value []byte) (TargetState, error) {
	var v struct {
		State   *string `json:"state"`
		StateV2 *string `json:"state.v2"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return "", err
	}
	if v.StateV2 == nil {
		v.StateV2 = v.State
	}
	if v.StateV2 == nil {
		return "", fmt.Errorf("it has no state")
	}
	return ParseTargetState(*v.StateV2)
}

func restartEvent(name string, value []byte) (ConfigEvent, error) {
	var v struct {
		IncludeTasks bool `json:"include-tasks"`
		OnlyFailed   bool `json:"only-failed"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return ConfigEvent{}, err
	}
	return ConfigEvent{Restart: &RestartRequest{Connector: name, OnlyFailed: v.OnlyFailed, IncludeTasks: v.IncludeTasks}}, nil
}

func (c *ClusterConfig) applyFencing(name string, value []byte) error {
	var v struct {
		Count *int `json:"task-count"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	if v.Count == nil {
		return fmt.Errorf("it has no task-count")
	}
	k := c.at(name)
	k.fenced, k.fencedKnown, k.pending = *v.Count, true, false
	return nil
}

func (c *ClusterConfig) applySessionKey(value []byte) (ConfigEvent, error) {
	key, err := parseSessionKey(value)
	if err != nil {
		return ConfigEvent{}, err
	}
	c.sessionKey = &key
	return ConfigEvent{SessionKey: &key}, nil
}

func loggerEvent(namespace string, value []byte) (ConfigEvent, error) {
	var v struct {
		Level *string `json:"level"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return ConfigEvent{}, err
	}
	if v.Level == nil {
		return ConfigEvent{}, fmt.Errorf("it has no level")
	}
	return ConfigEvent{LoggerNamespace: namespace, LoggerLevel: *v.Level}, nil
}
