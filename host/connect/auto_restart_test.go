package connect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// fragile is a scripted source that fails so often before it works: as a connector when it starts, and as a task when it polls.
type fragile struct {
	scripted
	starts, polls atomic.Int64 // failures that are left
}

func (f *fragile) Start(connectors.ConnectorContext, config.Props) error {
	if f.starts.Add(-1) >= 0 {
		return fault.Connect.New("the catalog is away")
	}
	return nil
}

func newFragile(starts, polls int64, topic string) *fragile {
	f := &fragile{}
	f.starts.Store(starts)
	f.polls.Store(polls)
	f.step = func(_ context.Context, s *scriptedTask) error {
		s.count, s.batch, s.topic = 10, 10, topic
		if f.polls.Add(-1) >= 0 {
			return fault.Connect.New("the source is away")
		}
		return nil
	}
	return f
}

// statesInTopic are the states that were told of a connector or task, one after the other, without repetitions.
func statesInTopic(t testing.TB, b *brokertest.Broker, key string) string {
	t.Helper()
	var out []string
	for _, r := range b.ReadAll(t, b.Name("statuses")) {
		var s struct{ State string }
		if string(r.Key) == key && json.Unmarshal(r.Value, &s) == nil && (len(out) == 0 || out[len(out)-1] != s.State) {
			out = append(out, s.State)
		}
	}
	return strings.Join(out, " ")
}

// TestWhatFailsIsRestarted has a connector and then its task fail twice each: the status goes from FAILED by RESTARTING to RUNNING, with the
// cause in the trace, and nobody has to do anything.
func TestWhatFailsIsRestarted(t *testing.T) {
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("out"), 1)
	w := distributedWith(t, b, withSource(newFragile(2, 2, topic)), map[string]string{"restart.backoff.ms": "1", "status.storage.partitions": "1"})
	lead(t, w, "src", map[string]string{"connector.class": "Scripted"})
	await(t, "the records", func() bool { return len(b.ReadAll(t, topic)) == 10 })
	for key, want := range map[string]string{
		"status-connector-src": "FAILED RESTARTING FAILED RESTARTING RUNNING",
		"status-task-src-0":    "RUNNING FAILED RESTARTING UNASSIGNED RUNNING FAILED RESTARTING UNASSIGNED RUNNING",
	} {
		await(t, key, func() bool { return strings.HasSuffix(statesInTopic(t, b, key), "RUNNING") })
		got := strings.ReplaceAll(statesInTopic(t, b, key), " UNASSIGNED", "")
		if got != strings.ReplaceAll(want, " UNASSIGNED", "") {
			t.Errorf("%s: %s", key, got)
		}
	}
	for _, r := range b.ReadAll(t, b.Name("statuses")) {
		if strings.Contains(string(r.Value), "FAILED") && !strings.Contains(string(r.Value), "is away") {
			t.Errorf("a failure without its cause: %s", r.Value)
		}
	}
}

// TestRestartsEnd wants restarts to end at their limit, not to begin where they are switched off, by the worker, the connector or for
// Kafka's ways, and to begin anew with new settings.
func TestRestartsEnd(t *testing.T) {
	for _, tt := range []struct {
		what              string
		worker, connector map[string]string
		starts            int64 // of the connector that are left of 100
	}{
		{"limit", map[string]string{"restart.limit": "3"}, nil, 96},
		{"off for the worker", map[string]string{"restart.policy": "none"}, nil, 99},
		{"off for the connector", nil, map[string]string{"restart.policy": "none"}, 99},
		{"on for the connector alone", map[string]string{"restart.policy": "none", "restart.limit": "1"}, map[string]string{"restart.policy": "on-failure"}, 98},
		{"limit of the connector", map[string]string{"restart.limit": "3", "restart.backoff.ms": "600000"}, map[string]string{"restart.limit": "2", "restart.backoff.ms": "1"}, 97},
		{"as Kafka", map[string]string{"kafka.compat": "true"}, nil, 99},
	} {
		t.Run(tt.what, func(t *testing.T) {
			b := brokertest.Fake(t)
			settings := map[string]string{"restart.backoff.ms": "1", "restart.backoff.max.ms": "1"}
			for k, v := range tt.worker {
				settings[k] = v
			}
			source := newFragile(100, 0, b.Name("out"))
			h := standaloneWith(t, b.Addr, t.TempDir(), withSource(source), settings)
			create := func(note string) {
				props := config.PropsOf(map[string]string{"name": "src", "connector.class": "Scripted", "note": note})
				for k, v := range tt.connector {
					props.Set(k, v)
				}
				_, _, err := h.PutConnector(context.Background(), "src", props, "", true)
				if err != nil && !strings.Contains(err.Error(), "the catalog is away") { // which Kafka answers
					t.Fatal(err)
				}
			}
			create("first")
			await(t, "the last failure", func() bool { return source.starts.Load() == tt.starts && states(h, "src") == "FAILED" })
			create("second")
			await(t, "as many failures again", func() bool { return source.starts.Load() == 2*tt.starts-100 && states(h, "src") == "FAILED" })
			if err := h.RestartConnector(context.Background(), "src"); err != nil {
				t.Fatal(err)
			}
			await(t, "and again", func() bool { return source.starts.Load() == 3*tt.starts-200 && states(h, "src") == "FAILED" })
		})
	}
}

// TestFailedStaysFailed wants a connector that failed to be left alone, whatever else is asked of the worker, until it is stopped and
// resumed, as Kafka's WorkerConnector.
func TestFailedStaysFailed(t *testing.T) {
	b := brokertest.Fake(t)
	source := newFragile(100, 0, b.Name("out"))
	h := standaloneWith(t, b.Addr, t.TempDir(), withSource(source), map[string]string{"restart.policy": "none"})
	put(t, h, "src", map[string]string{"connector.class": "Scripted"})
	await(t, "the failure", func() bool { return states(h, "src") == "FAILED" })
	to := func(target connect.TargetState) {
		if err := h.SetTarget(context.Background(), "src", target); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		to(connect.Paused)
		to(connect.Started)
	}
	if err := h.StopConnector(context.Background(), "src"); err != nil {
		t.Fatal(err)
	}
	await(t, "the stop", func() bool { return states(h, "src") == "STOPPED" })
	if left := source.starts.Load(); left != 99 {
		t.Errorf("it was started %d times", 100-left)
	}
	to(connect.Started)
	await(t, "another failure", func() bool { return source.starts.Load() == 98 && states(h, "src") == "FAILED" })
}

// TestTopicsOfAConnector tracks what a connector uses, forgets it when told so, and refuses where that is switched off.
func TestTopicsOfAConnector(t *testing.T) {
	b := brokertest.Fake(t)
	one, two := b.CreateTopic(t, b.Name("one"), 1), b.CreateTopic(t, b.Name("two"), 1)
	topic := one
	source := &scripted{step: func(_ context.Context, s *scriptedTask) error {
		s.count, s.batch, s.topic = 2, 1, topic
		topic = two
		return nil
	}}
	h := standaloneWith(t, b.Addr, t.TempDir(), withSource(source), nil)
	put(t, h, "src", map[string]string{"connector.class": "Scripted"})
	await(t, "both topics", func() bool {
		topics, err := h.ActiveTopics("src")
		return err == nil && fmt.Sprint(topics) == fmt.Sprint([]string{one, two})
	})
	if err := h.ResetTopics("src"); err != nil {
		t.Fatal(err)
	}
	if topics, err := h.ActiveTopics("src"); err != nil || len(topics) != 0 {
		t.Errorf("after the reset: %v, %v", topics, err)
	}
	for setting, want := range map[string]string{"topic.tracking.enable": "Topic tracking is disabled.", "topic.tracking.allow.reset": "Topic tracking reset is disabled."} {
		off := standaloneWith(t, b.Addr, t.TempDir(), withSource(source), map[string]string{setting: "false"})
		if err := off.ResetTopics("src"); err == nil || err.Error() != want {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// TestClusterLoggers sets the level of a logger on all workers of a group, and on one.
func TestClusterLoggers(t *testing.T) {
	b := brokertest.Fake(t)
	one, two := distributed(t, b, nil), distributed(t, b, nil)
	level := func(w *worker) string {
		info, _ := w.herder.Loggers().Get("org.apache.kafka.connect")
		return info.Level
	}
	if err := two.herder.SetClusterLogger(context.Background(), "org.apache.kafka.connect", "WARN"); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*worker{one, two} {
		await(t, "the level everywhere", func() bool { return level(w) == "WARN" })
	}
	two.herder.Loggers().Set("org.apache.kafka.connect", "ERROR")
	if level(one) != "WARN" || level(two) != "ERROR" {
		t.Errorf("levels %s and %s", level(one), level(two))
	}
}
