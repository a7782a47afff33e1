package connect

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fold applies records in order, from offset 0.
func fold(t *testing.T, records ...Record) *ClusterConfig {
	t.Helper()
	c := NewClusterConfig()
	for i, r := range records {
		if _, err := c.Apply(int64(i), r.Key, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func props(v string) map[string]string { return map[string]string{"k": v} }

// TestDeferredTasks wants task settings to hold only from their commit on, and only complete sets.
func TestDeferredTasks(t *testing.T) {
	records := []Record{
		ConnectorRecord("c-1", propsOf(props("one"))),
		TaskRecord(TaskID{"c-1", 0}, props("t0")), TaskRecord(TaskID{"c-1", 1}, props("t1")), CommitRecord("c-1", 2),
		ConnectorRecord("c-1", propsOf(props("two"))), TaskRecord(TaskID{"c-1", 0}, props("new")),
	}
	c := fold(t, records...)
	if diff := cmp.Diff([]TaskID{{"c-1", 0}, {"c-1", 1}}, c.Tasks("c-1")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(props("t0"), c.Task(TaskID{"c-1", 0})); diff != "" {
		t.Error(diff)
	}
	if got := c.AppliedConnector("c-1")["k"]; got != "one" {
		t.Errorf("the tasks were made of %q", got)
	}
	c = fold(t, append(records, CommitRecord("c-1", 2))...)
	if diff := cmp.Diff([]string{"c-1"}, c.Inconsistent()); diff != "" || c.Tasks("c-1") != nil {
		t.Errorf("half a set: tasks %v, inconsistent %s", c.Tasks("c-1"), diff)
	}
	c = fold(t, append(records, CommitRecord("c-1", 1))...)
	if diff := cmp.Diff(props("new"), c.Task(TaskID{"c-1", 0})); diff != "" || c.Inconsistent() != nil || len(c.Tasks("c-1")) != 1 {
		t.Errorf("fewer tasks: %v %s", c.Tasks("c-1"), diff)
	}
}

// TestTargetStates wants tombstones to mean Started, and old records to be read.
func TestTargetStates(t *testing.T) {
	c := fold(t, TargetStateRecord("c", Stopped), ConnectorRecord("c", propsOf(props("one"))))
	if got := c.TargetState("c"); got != Stopped {
		t.Errorf("created with %s", got)
	}
	for _, tt := range []struct {
		value string
		want  TargetState
	}{{`{"state":"PAUSED"}`, Paused}, {`{"state":"PAUSED","state.v2":"STOPPED"}`, Stopped}, {"", Started}} {
		var value []byte
		if tt.value != "" {
			value = []byte(tt.value)
		}
		if event, err := c.Apply(9, []byte("target-state-c"), value); err != nil || event.TargetChanged != "c" || c.TargetState("c") != tt.want {
			t.Errorf("%s: %s, %+v, %v", tt.value, c.TargetState("c"), event, err)
		}
	}
	var old map[string]string
	if err := json.Unmarshal(TargetStateRecord("c", Stopped).Value, &old); err != nil || old["state"] != "PAUSED" {
		t.Errorf("an old worker reads %v", old)
	}
}

// TestUnsoundConfigRecords wants each to be named and to change nothing but the offset.
func TestUnsoundConfigRecords(t *testing.T) {
	for key, value := range map[string]string{
		"connector-c": `[]`, "connector-d": `{}`, "task-c": `{"properties":{}}`, "task-c-x": `{"properties":{}}`, "commit-c": `{"tasks":-1}`,
		"target-state-c": `{"state":"ASLEEP"}`, "tasks-fencing-c": `{}`, "session-key": `{"key":"?","algorithm":"x","creation-timestamp":1}`,
		"restart-connector-c": `1`, "logger-cluster-x": `{}`, "what": `{}`,
	} {
		c := NewClusterConfig()
		if _, err := c.Apply(4, []byte(key), []byte(value)); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: %v", key, value, err)
		}
		if c.Offset() != 5 || len(c.Connectors()) != 0 || c.SessionKey() != nil {
			t.Errorf("%s changed something", key)
		}
	}
}

// TestProtocolRoundTrip wants every version to be read as it was written, and the eager reader to read all of them.
func TestProtocolRoundTrip(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "connector-1", "ü"})
	task := rapid.Custom(func(t *rapid.T) TaskID {
		return TaskID{name.Draw(t, "connector"), rapid.IntRange(0, 9).Draw(t, "task")}
	})
	names, tasks := rapid.SliceOfNDistinct(name, 0, 4, rapid.ID), rapid.SliceOfNDistinct(task, 0, 9, rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		a := &Assignment{
			Version: rapid.SampledFrom([]int16{0, 1, 2}).Draw(t, "version"), Error: rapid.Int16Range(0, 1).Draw(t, "error"),
			Leader: "leader", LeaderURL: "http://host:8083/", Offset: rapid.Int64().Draw(t, "offset"),
			Connectors: names.Draw(t, "connectors"), Tasks: tasks.Draw(t, "tasks"),
		}
		if a.Version > 0 {
			a.RevokedConnectors, a.RevokedTasks, a.Delay = names.Draw(t, "revoked"), tasks.Draw(t, "revoked tasks"), rapid.Int32Range(0, 1e6).Draw(t, "delay")
		}
		s := &WorkerState{URL: "http://w:1/", Offset: 7}
		if a.Version > 0 {
			s.Assignment = a
		}
		got, err := ParseWorkerState(AppendWorkerState(nil, a.Version, s))
		if err != nil || got.URL != s.URL || got.Offset != s.Offset {
			t.Fatalf("%+v, %v", got, err)
		}
		again, err := ParseAssignment(AppendAssignment(nil, a.Version, a))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sorted(a), sorted(again)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// sorted is an assignment as the bytes of its canonical form.
func sorted(a *Assignment) string { return string(AppendAssignment(nil, a.Version, a)) }

func FuzzProtocol(f *testing.F) {
	a := &Assignment{Version: 2, Leader: "l", Connectors: []string{"c"}, Tasks: []TaskID{{"c", 0}}}
	f.Add(AppendAssignment(nil, 2, a))
	f.Add(AppendWorkerState(nil, 1, &WorkerState{URL: "u", Assignment: a}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseWorkerState(b); err == nil && s.Assignment != nil {
			if _, err := ParseWorkerState(AppendWorkerState(nil, 2, &s)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = ParseAssignment(b)
	})
}

// TestRequestSignature holds the signature to Kafka's test vector.
func TestRequestSignature(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("bXSRMaIZmSydijW7V4QFMFmX/jqkV0Mxg7HZgs3Lqzk=")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`[{"config":"value"},{"config":"other_value"}]`)
	s, err := Sign(body, key, "HmacSHA256")
	if err != nil || s.Header() != "Kv1/OSsxzdVIwvZ4e30avyRIVrngDfhzVUm/kAZEKc4=" {
		t.Fatalf("%q, %v", s.Header(), err)
	}
	again, err := ParseSignature(s.Header(), s.Algorithm)
	if err != nil || !again.Valid(body, key) || again.Valid(body[1:], key) || again.Valid(body, key[1:]) {
		t.Errorf("%+v, %v", again, err)
	}
	for _, bad := range [][2]string{{"", "HmacSHA256"}, {s.Header(), ""}, {s.Header(), "rot13"}, {"?", "HmacSHA256"}} {
		if _, err := ParseSignature(bad[0], bad[1]); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestStatuses folds the status topic; keys of no known form are named and ignored.
func TestStatuses(t *testing.T) {
	s := NewStatuses()
	failed := Status{State: StateFailed, Trace: "boom", WorkerID: "w:1", Generation: 3, Version: "1.0"}
	for _, r := range []Record{
		ConnectorStatusRecord("c-1", &failed), TaskStatusRecord(TaskID{"c-1", 10}, &failed), TaskStatusRecord(TaskID{"c-1", 2}, &failed),
		TopicStatusRecord(TopicStatus{Topic: "t:1", Connector: "c-1"}), TaskStatusRecord(TaskID{"c-1", 3}, &failed), TaskStatusRecord(TaskID{"c-1", 3}, nil),
	} {
		if err := s.Apply(r.Key, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := s.Connector("c-1"); !ok || got != failed {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([]TaskID{{"c-1", 2}, {"c-1", 10}}, s.Tasks("c-1")); diff != "" {
		t.Error(diff)
	}
	if got := s.Topics("c-1"); len(got) != 1 || got[0].Topic != "t:1" {
		t.Errorf("%+v", got)
	}
	for _, key := range []string{
		"status-unknown", "status-connector-", "status-task-", "status-task-foo-source-#", "status-topic-", "status-topic-:connector-",
		"status-topic-foo-topic:", "status-topic-foo-topic:connector-",
	} {
		if err := s.Apply([]byte(key), nil); err == nil {
			t.Errorf("%s is accepted", key)
		}
	}
}

// TestOffsetKeys takes keys of the offset topic apart.
func TestOffsetKeys(t *testing.T) {
	name, partition, err := ParseOffsetKey(OffsetKey("c", json.RawMessage(`{"filename":"f"}`)))
	if err != nil || name != "c" || string(partition) != `{"filename":"f"}` {
		t.Errorf("%q %s %v", name, partition, err)
	}
	for key, want := range map[string]string{
		"i-am-not-json": "unknown serialization", `[""]`: "unexpected number of elements", `[1,{}]`: "first element", `["c",[]]`: "second element",
		`{}`: "unexpected format", `["c",{}] x`: "unknown serialization",
	} {
		if _, _, err := ParseOffsetKey([]byte(key)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
