package verify

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// SinkConnector checks what SourceConnector wrote: like Kafka's VerifiableSinkConnector, with a report in a file.
type SinkConnector struct{ connectors.ManyTasks }

// TaskClass is Kafka's.
func (*SinkConnector) TaskClass() string { return "org.apache.kafka.connect.tools.VerifiableSinkTask" }

// ConfigDef defines file.
func (*SinkConnector) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "file", Type: config.String, Nullable: true, Importance: config.High, Doc: "The file for the report, with the number of the task behind its name. Without one, nothing is written."},
		config.Key{Name: "task.id", Type: config.Int, Default: 0, Importance: config.Low, Doc: "The number of the task; set by the connector.", Internal: true},
	)
}

// Start checks the settings.
func (c *SinkConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.Props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// NewTask makes a task.
func (*SinkConnector) NewTask() connectors.SinkTask { return &SinkTask{} }

// Report is what a sink's task found, by the id of the source's task.
type Report struct {
	Records int64             `json:"records"`
	Sources map[int64]*Source `json:"sources"`
}

// Source is what arrived of one source's task. Numbers that come again are doubled; missing are those between that never came.
type Source struct {
	First      int64 `json:"first"`
	Last       int64 `json:"last"`
	Records    int64 `json:"records"`
	Missing    int64 `json:"missing"`
	Duplicates int64 `json:"duplicates"`
	Reordered  int64 `json:"reordered"`
	// gaps are numbers that were passed over and may come later.
	gaps map[int64]bool
}

// SinkTask counts.
type SinkTask struct {
	file   string
	report Report
}

// Start reads the settings.
func (t *SinkTask) Start(_ connectors.SinkTaskContext, props config.Props) error {
	v, err := (&SinkConnector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.report.Sources = map[int64]*Source{}
	if name := v.String("file"); name != "" {
		t.file = name + "." + props.Or("task.id", "0")
	}
	return nil
}

// Put counts numbers. A record that is none of the source's is a DataException.
func (t *SinkTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	for i := range records {
		id, seq := records[i].Key.Value, records[i].Value.Value
		if !isInteger(id) || !isInteger(seq) {
			return fault.Data.New("A record of a verifying source has integers as key and value, but here are " + id.Type().String() + " and " + seq.Type().String())
		}
		t.report.Records++
		s := t.report.Sources[id.Int()]
		if s == nil {
			s = &Source{First: seq.Int(), Last: seq.Int() - 1, gaps: map[int64]bool{}}
			t.report.Sources[id.Int()] = s
		}
		s.see(seq.Int())
	}
	return nil
}

func isInteger(v data.Value) bool { return v.Type() >= data.TypeInt8 && v.Type() <= data.TypeInt64 }

// maxGap bounds how many missing numbers are remembered one by one.
const maxGap = 1 << 20

func (s *Source) see(n int64) {
	s.Records++
	switch {
	case n == s.Last+1:
		s.Last = n
	case n > s.Last:
		for g := s.Last + 1; g < n && len(s.gaps) < maxGap; g++ {
			s.gaps[g] = true
		}
		s.Missing += n - s.Last - 1
		s.Last = n
	case s.gaps[n]:
		delete(s.gaps, n)
		s.Missing--
		s.Reordered++
	default:
		s.Duplicates++
	}
}

// Flush writes the report. One that cannot be written is a RetriableException.
func (t *SinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	if t.file == "" {
		return nil
	}
	text, err := json.Marshal(t.report)
	if err == nil {
		err = t.write(text)
	}
	if err != nil {
		return fault.Retriable.Errorf("writing the report: %w", err)
	}
	return nil
}

// write puts a whole report in place of the last one.
func (t *SinkTask) write(text []byte) error {
	if err := os.MkdirAll(filepath.Dir(t.file), 0o755); err != nil {
		return err
	}
	temporary := t.file + ".tmp"
	if err := os.WriteFile(temporary, text, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, t.file)
}

// Report is what was found so far.
func (t *SinkTask) Report() Report { return t.report }

// Stop does nothing.
func (*SinkTask) Stop() error { return nil }
