// Package connectortest holds connectors to the contract of the Connect API. Every connector's own tests run its suite.
package connectortest

import (
	"context"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// patience is how long the suite waits for records before it gives up.
const patience = 10 * time.Second

// Offsets is what a runtime has committed of a source. The zero value has nothing. It belongs to one goroutine.
type Offsets struct{ entries []connectors.SourceOffset }

// Offset is the offset of a partition.
func (o *Offsets) Offset(partition *data.Map) (*data.Map, error) {
	for _, e := range o.entries {
		if e.Partition.Equal(partition) {
			return e.Offset, nil
		}
	}
	return nil, nil
}

// Offsets are those of partitions.
func (o *Offsets) Offsets(partitions []*data.Map) ([]*data.Map, error) {
	out := make([]*data.Map, len(partitions))
	for i, p := range partitions {
		out[i], _ = o.Offset(p)
	}
	return out, nil
}

// Commit notes the offset of a record.
func (o *Offsets) Commit(r *connectors.SourceRecord) {
	for i := range o.entries {
		if o.entries[i].Partition.Equal(r.SourcePartition) {
			o.entries[i].Offset = r.SourceOffset
			return
		}
	}
	o.entries = append(o.entries, connectors.SourceOffset{Partition: r.SourcePartition, Offset: r.SourceOffset})
}

// SourceSuite is what the suite has to know of a source.
type SourceSuite struct {
	// New makes the connector.
	New func() connectors.SourceConnector
	// Props are settings with which it gives at least Records records from one task, before it waits.
	Props   map[string]string
	Records int
	// Missing are settings without which it refuses to start.
	Missing []string
}

// Run runs the suite.
func (s SourceSuite) Run(t *testing.T) {
	t.Run("settings", func(t *testing.T) { checkSettings(t, s.New(), s.Props, s.Missing) })
	t.Run("tasks", s.tasks)
	t.Run("records", s.records)
	t.Run("resumes", s.resumes)
	t.Run("stops", s.stops)
}

func checkSettings(t *testing.T, c connectors.Connector, props map[string]string, missing []string) {
	if err := c.ConfigDef().Err(); err != nil {
		t.Fatalf("its definition: %v", err)
	}
	if c.Version() == "" {
		t.Error("no version")
	}
	for _, v := range c.ConfigDef().Validate(config.PropsOf(props)) {
		if len(v.Errors) > 0 {
			t.Errorf("%s: %v", v.Name, v.Errors)
		}
	}
	for _, name := range missing {
		without := config.PropsOf(props)
		delete(without, name)
		if err := c.Start(connectors.ConnectorContext{}, without); err == nil {
			t.Errorf("it starts without %s", name)
		}
	}
}

// start starts a connector and its first task on offsets.
func (s SourceSuite) start(t *testing.T, offsets *Offsets) connectors.SourceTask {
	t.Helper()
	c := s.New()
	if err := c.Start(connectors.ConnectorContext{Offsets: offsets}, config.PropsOf(s.Props)); err != nil {
		t.Fatal(err)
	}
	props, err := c.TaskConfigs(1)
	if err != nil || len(props) == 0 {
		t.Fatalf("%d tasks, %v", len(props), err)
	}
	task := c.NewTask()
	if err := task.Start(&connectors.SourceTaskContext{Offsets: offsets, Configs: func() config.Props { return props[0] }}, props[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return task
}

func (s SourceSuite) tasks(t *testing.T) {
	c := s.New()
	if err := c.Start(connectors.ConnectorContext{Offsets: &Offsets{}}, config.PropsOf(s.Props)); err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	for _, n := range []int{1, 2, 7} {
		props, err := c.TaskConfigs(n)
		if err != nil || len(props) == 0 || len(props) > n {
			t.Errorf("%d tasks of %d, %v", len(props), n, err)
		}
	}
	if c.TaskClass() == "" {
		t.Error("no task class")
	}
}

// poll polls until n records are there.
func poll(t *testing.T, task connectors.SourceTask, n int) []connectors.SourceRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out []connectors.SourceRecord
	for len(out) < n {
		records, err := task.Poll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records", len(out), n)
		}
		out = append(out, records...)
	}
	return out[:n]
}

func (s SourceSuite) records(t *testing.T) {
	task := s.start(t, &Offsets{})
	defer task.Stop()
	for i, r := range poll(t, task, s.Records) {
		if r.Topic == "" {
			t.Errorf("record %d has no topic", i)
		}
		if r.IsSink() {
			t.Errorf("record %d has an offset in Kafka", i)
		}
		for _, m := range []*data.Map{r.SourcePartition, r.SourceOffset} {
			if err := connectors.ValidateOffset(data.MapValue(m)); err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
		for _, sv := range []data.SchemaAndValue{r.Key, r.Value} {
			if sv.Schema == nil {
				continue
			}
			if err := data.ValidateValue(sv.Schema, sv.Value); err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
		if committer, ok := task.(connectors.RecordCommitter); ok {
			if err := committer.CommitRecord(&r, &connectors.RecordMetadata{Topic: r.Topic}); err != nil {
				t.Error(err)
			}
		}
	}
	if committer, ok := task.(connectors.SourceCommitter); ok {
		if err := committer.Commit(); err != nil {
			t.Error(err)
		}
	}
}

// resumes wants a task that starts behind a committed record to go on with the next one.
func (s SourceSuite) resumes(t *testing.T) {
	first := s.start(t, &Offsets{})
	all := poll(t, first, s.Records)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if all[0].SourcePartition == nil {
		return // nothing is tracked
	}
	half := s.Records / 2
	var offsets Offsets
	for i := range half {
		offsets.Commit(&all[i])
	}
	second := s.start(t, &offsets)
	defer second.Stop()
	for i, r := range poll(t, second, s.Records-half) {
		if want := all[half+i]; !r.Value.Equal(want.Value) || !r.SourceOffset.Equal(want.SourceOffset) {
			t.Fatalf("record %d after the restart is %s, before it was %s", half+i, r.Value.Value, want.Value.Value)
		}
	}
}

// stops wants Poll to return when its context ends, and Stop to work on a task that never started well.
func (s SourceSuite) stops(t *testing.T) {
	task := s.start(t, &Offsets{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = task.Poll(ctx)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("Poll does not return when its context is done")
	}
	if err := task.Stop(); err != nil {
		t.Error(err)
	}
	failed := s.New().NewTask()
	_ = failed.Start(&connectors.SourceTaskContext{Offsets: &Offsets{}}, config.Props{})
	if err := failed.Stop(); err != nil {
		t.Errorf("stopping a task that did not start: %v", err)
	}
}
