package connectortest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// SinkContext is the runtime of a sink's task in tests: it notes what the task asks for.
type SinkContext struct {
	Props      config.Props
	Partitions []connectors.TopicPartition
	Reset      map[connectors.TopicPartition]int64
	Timeout    time.Duration
	Paused     []connectors.TopicPartition
	Commits    int
	// Reported are the records given to Errant.
	Reported []Report
}

// Report is a record that a sink could not deliver.
type Report struct {
	Record connectors.SinkRecord
	Cause  error
}

// Configs are the settings.
func (c *SinkContext) Configs() config.Props { return c.Props }

// Assignment are the partitions.
func (c *SinkContext) Assignment() []connectors.TopicPartition { return c.Partitions }

// SetOffsets notes offsets.
func (c *SinkContext) SetOffsets(o map[connectors.TopicPartition]int64) { c.Reset = o }

// SetTimeout notes the wait.
func (c *SinkContext) SetTimeout(d time.Duration) { c.Timeout = d }

// Pause notes partitions.
func (c *SinkContext) Pause(p ...connectors.TopicPartition) error {
	c.Paused = append(c.Paused, p...)
	return nil
}

// Resume notes partitions.
func (c *SinkContext) Resume(p ...connectors.TopicPartition) error {
	c.Paused = slices.DeleteFunc(c.Paused, func(tp connectors.TopicPartition) bool { return slices.Contains(p, tp) })
	return nil
}

// RequestCommit counts.
func (c *SinkContext) RequestCommit() { c.Commits++ }

// Errant takes records.
func (c *SinkContext) Errant() connectors.ErrantReporter { return c }

// Report notes a record.
func (c *SinkContext) Report(r *connectors.SinkRecord, cause error) func(context.Context) error {
	c.Reported = append(c.Reported, Report{Record: *r, Cause: cause})
	return func(context.Context) error { return nil }
}

// Log goes nowhere.
func (*SinkContext) Log() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// SinkSuite is what the suite has to know of a sink.
type SinkSuite struct {
	// New makes the connector.
	New func() connectors.SinkConnector
	// Props are settings with which it works.
	Props map[string]string
	// Missing are settings without which it refuses to start.
	Missing []string
	// Value makes the value of record i; texts "value-<i>" without it.
	Value func(i int) data.SchemaAndValue
	// Key makes the key of record i; null without it.
	Key func(i int) data.SchemaAndValue
	// Delivered are the values that arrived, in order; nil where nothing arrives anywhere.
	Delivered func(t *testing.T) []string
}

// Run runs the suite.
func (s SinkSuite) Run(t *testing.T) {
	t.Run("settings", func(t *testing.T) { checkSettings(t, s.New(), s.Props, s.Missing) })
	t.Run("delivers", s.delivers)
	t.Run("stops", s.stops)
}

// Records makes sink records of one partition.
func Records(from, n int, value func(i int) data.SchemaAndValue) []connectors.SinkRecord {
	var out []connectors.SinkRecord
	for i := from; i < from+n; i++ {
		v := data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(fmt.Sprintf("value-%d", i))}
		if value != nil {
			v = value(i)
		}
		out = append(out, connectors.SinkRecord{
			Record:        connectors.Record{Topic: "topic", Value: v, Timestamp: int64(i), Offset: int64(i)},
			TimestampType: connectors.CreateTime, OriginalTopic: "topic", OriginalOffset: int64(i),
		})
	}
	return out
}

// records are those that the sink gets.
func (s SinkSuite) records(from, n int) []connectors.SinkRecord {
	out := Records(from, n, s.Value)
	if s.Key != nil {
		for i := range out {
			out[i].Key = s.Key(from + i)
		}
	}
	return out
}

func (s SinkSuite) delivers(t *testing.T) {
	c := s.New()
	if err := c.Start(connectors.ConnectorContext{}, config.PropsOf(s.Props)); err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	props, err := c.TaskConfigs(1)
	if err != nil || len(props) != 1 {
		t.Fatalf("%d tasks, %v", len(props), err)
	}
	task := c.NewTask()
	tp := connectors.TopicPartition{Topic: "topic"}
	runtime := &SinkContext{Props: props[0], Partitions: []connectors.TopicPartition{tp}}
	if err := task.Start(runtime, props[0]); err != nil {
		t.Fatal(err)
	}
	listener, listens := task.(connectors.PartitionListener)
	if listens {
		if err := listener.Open(runtime.Partitions); err != nil {
			t.Fatal(err)
		}
	}
	const n = 25
	ctx := context.Background()
	for from := 0; from < n; from += 5 {
		if err := task.Put(ctx, s.records(from, 5)); err != nil {
			t.Fatal(err)
		}
		if err := task.Put(ctx, nil); err != nil {
			t.Fatalf("an empty batch: %v", err)
		}
	}
	s.commit(t, task, map[connectors.TopicPartition]int64{tp: n})
	if listens {
		if err := listener.Close(runtime.Partitions); err != nil {
			t.Fatal(err)
		}
	}
	if err := task.Stop(); err != nil {
		t.Fatal(err)
	}
	if s.Delivered != nil {
		s.compare(t, n)
	}
}

// commit flushes; what may be committed then is everything.
func (s SinkSuite) commit(t *testing.T, task connectors.SinkTask, offsets map[connectors.TopicPartition]int64) {
	ctx := context.Background()
	if pre, ok := task.(connectors.PreCommitter); ok {
		got, err := pre.PreCommit(ctx, offsets)
		if err != nil {
			t.Fatal(err)
		}
		for tp, at := range got {
			if at > offsets[tp] {
				t.Errorf("%v may be committed to %d, but only %d were put", tp, at, offsets[tp])
			}
		}
		return
	}
	if err := task.Flush(ctx, offsets); err != nil {
		t.Fatal(err)
	}
}

func (s SinkSuite) compare(t *testing.T, n int) {
	got := s.Delivered(t)
	var want []string
	for _, r := range Records(0, n, s.Value) {
		want = append(want, r.Value.Value.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
}

func (s SinkSuite) stops(t *testing.T) {
	failed := s.New().NewTask()
	_ = failed.Start(&SinkContext{}, config.Props{})
	if err := failed.Stop(); err != nil {
		t.Errorf("stopping a task that did not start: %v", err)
	}
}
