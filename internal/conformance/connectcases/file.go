package connectcases

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/file"
)

// runFileConnector runs the file source or sink.
func runFileConnector(c *testCase) error {
	switch c.name() {
	case "FileStreamSource":
		return runFileSource(c)
	case "FileStreamSink":
		return runFileSink(c)
	}
	return fmt.Errorf("a connector %q that is not known", c.name())
}

func runFileSource(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	if topic, ok := props["topic"]; !ok {
		props.Set("topic", "test")
	} else if topic == nil {
		delete(props, "topic") // null is how the cases write a setting that is missing
	}
	in, want := object(c.Input), c.expects()
	switch {
	case in == nil:
		return checkSourceConfig(props, want)
	case in["writes"] != nil || in["lines"] != nil:
		return pollFile(props, in, want)
	}
	return alterOffsets(props, in, want)
}

func checkSourceConfig(props config.Props, want expectation) error {
	conn := &file.SourceConnector{}
	if raw, ok := want["exactly_once_support"]; ok {
		support := map[connectors.Support]string{connectors.Supported: "SUPPORTED", connectors.Unsupported: "UNSUPPORTED"}[conn.ExactlyOnceSupport(props)]
		return matchRaw(raw, data.StringValue(support), false)
	}
	if done, result := want.failure(conn.Start(connectors.ConnectorContext{}, props)); done {
		return result
	}
	return want.mustFail()
}

func alterOffsets(props config.Props, in map[string]json.RawMessage, want expectation) error {
	partitions := []json.RawMessage{in["partition"]}
	if raw, ok := in["partitions"]; ok {
		if err := json.Unmarshal(raw, &partitions); err != nil {
			return err
		}
	}
	var offsets []connectors.SourceOffset
	for _, raw := range partitions {
		partition, err := mapOrNil(raw)
		if err != nil {
			return err
		}
		offset, err := mapOrNil(in["offset"])
		if err != nil {
			return err
		}
		offsets = append(offsets, connectors.SourceOffset{Partition: partition, Offset: offset})
	}
	ok, err := (&file.SourceConnector{}).AlterOffsets(props, offsets)
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	return matchRaw(want["ok"], data.BooleanValue(ok), false)
}

// mapOrNil reads an offset; integers are longs, as they come from REST.
func mapOrNil(raw json.RawMessage) (*data.Map, error) {
	v, err := readValue(raw, nil)
	if err != nil || v.IsNull() {
		return nil, err
	}
	m := v.Map()
	if m == nil {
		return nil, fmt.Errorf("an offset that is no map")
	}
	plain := object(raw)
	for _, e := range m.Entries() {
		if t := plain[e.Key.Str()]; e.Value.Type() == data.TypeInt32 && len(t) > 0 && t[0] != '"' {
			m.Put(e.Key.Str(), data.Int64Value(e.Value.Int()))
		}
	}
	return m, nil
}

// noOffsets is a reader of a connector that has committed nothing.
type noOffsets struct{}

func (noOffsets) Offset(*data.Map) (*data.Map, error) { return nil, nil }
func (noOffsets) Offsets(p []*data.Map) ([]*data.Map, error) {
	return make([]*data.Map, len(p)), nil
}

// pollFile polls after each write, or polls a file of many lines until it is read.
func pollFile(props config.Props, in map[string]json.RawMessage, want expectation) error {
	dir, err := os.MkdirTemp("", "filesource")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "input")
	props.Set("file", name)
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	task := (&file.SourceConnector{}).NewTask()
	if err := task.Start(&connectors.SourceTaskContext{Offsets: noOffsets{}}, props); err != nil {
		return err
	}
	defer task.Stop()
	if in["lines"] != nil {
		return pollSizes(task, name, in["lines"], want)
	}
	var writes []string
	if err := json.Unmarshal(in["writes"], &writes); err != nil {
		return err
	}
	polls := []any{}
	for _, w := range writes {
		if err := appendTo(name, w); err != nil {
			return err
		}
		records, err := task.Poll(context.Background())
		if err != nil {
			return err
		}
		polls = append(polls, pollResult(records))
		if err := checkPartition(records, name); err != nil {
			return err
		}
	}
	got, err := json.Marshal(polls)
	if err != nil {
		return err
	}
	if err := want.only("polls", "source_partition", "source_offset_key"); err != nil {
		return err
	}
	return sameJSON(want["polls"], got, false)
}

func appendTo(name, s string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(s); err != nil {
		return err
	}
	return f.Close()
}

// pollResult is null for no records, else pairs of line and position.
func pollResult(records []connectors.SourceRecord) any {
	if len(records) == 0 {
		return nil
	}
	pairs := [][]any{}
	for _, r := range records {
		pairs = append(pairs, []any{r.Value.Value.Str(), r.SourceOffset.Get("position").Int()})
	}
	return pairs
}

func checkPartition(records []connectors.SourceRecord, name string) error {
	for _, r := range records {
		if got := r.SourcePartition.Get("filename").Str(); got != name {
			return fmt.Errorf("the partition %q", got)
		}
	}
	return nil
}

func pollSizes(task connectors.SourceTask, name string, lines json.RawMessage, want expectation) error {
	var n int
	if err := json.Unmarshal(lines, &n); err != nil {
		return err
	}
	if err := appendTo(name, strings.Repeat("Neque porro quisquam est qui dolorem ipsum quia dolor sit amet\n", n)); err != nil {
		return err
	}
	sizes := []int{}
	for sum := 0; sum < n; {
		records, err := task.Poll(context.Background())
		if err != nil || len(records) == 0 {
			return fmt.Errorf("%v, then %w", sizes, err)
		}
		sizes = append(sizes, len(records))
		sum += len(records)
	}
	got, err := json.Marshal(sizes)
	if err != nil {
		return err
	}
	return sameJSON(want["poll_sizes"], got, false)
}

// runFileSink puts values, flushes, and reads what was written.
func runFileSink(c *testCase) error {
	in, want := object(c.Input), c.expects()
	props, err := c.props()
	if err != nil {
		return err
	}
	if in == nil {
		if done, result := want.failure((&file.SinkConnector{}).Start(connectors.ConnectorContext{}, props)); done {
			return result
		}
		return want.mustFail()
	}
	var values []json.RawMessage
	if err := json.Unmarshal(in["values"], &values); err != nil {
		return fmt.Errorf("an input without values")
	}
	var out bytes.Buffer
	task := file.NewSinkTask(&out)
	if err := task.Start(nil, props); err != nil {
		return err
	}
	for _, raw := range values {
		v, err := readValue(raw, data.StringSchema)
		if err != nil {
			return err
		}
		r := connectors.SinkRecord{Record: connectors.Record{Topic: "topic", Value: data.SchemaAndValue{Value: v}}}
		if err := task.Put(context.Background(), []connectors.SinkRecord{r}); err != nil {
			return err
		}
	}
	if err := task.Flush(context.Background(), nil); err != nil {
		return err
	}
	return matchRaw(want["file"], data.StringValue(out.String()), false)
}
