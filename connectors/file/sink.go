package file

import (
	"context"
	"io"
	"os"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// SinkConnector is Kafka's FileStreamSinkConnector.
type SinkConnector struct{ props config.Props }

// Version is that of Kafka.
func (*SinkConnector) Version() string { return connectors.Version }

// TaskClass is Kafka's.
func (*SinkConnector) TaskClass() string { return "org.apache.kafka.connect.file.FileStreamSinkTask" }

// ConfigDef defines file.
func (*SinkConnector) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "file", Type: config.String, Nullable: true, Importance: config.High,
		Doc: "The file to append to; the standard output, if it is not set.",
	})
}

// Start checks the settings.
func (c *SinkConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// TaskConfigs are max tasks, which all append to the file.
func (c *SinkConnector) TaskConfigs(max int) ([]config.Props, error) {
	out := make([]config.Props, max)
	for i := range out {
		out[i] = c.props.Clone()
	}
	return out, nil
}

// Stop does nothing.
func (*SinkConnector) Stop() error { return nil }

// NewTask makes a task.
func (*SinkConnector) NewTask() connectors.SinkTask { return NewSinkTask(nil) }

// AlterOffsets takes any: nothing of them is kept outside of Kafka.
func (*SinkConnector) AlterOffsets(config.Props, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

// SinkTask appends values to a file, a line each.
type SinkTask struct {
	out  io.Writer
	file *os.File // nil for the standard output
	name string
	buf  []byte
}

// NewSinkTask makes a task that writes to out, or to what its settings say if out is nil.
func NewSinkTask(out io.Writer) *SinkTask { return &SinkTask{out: out} }

// Start opens the file.
func (t *SinkTask) Start(_ connectors.SinkTaskContext, props config.Props) error {
	v, err := (&SinkConnector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	if t.out != nil {
		return nil
	}
	t.name = v.String("file")
	if t.name == "" {
		t.out = os.Stdout
		return nil
	}
	t.file, err = os.OpenFile(t.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fault.Connect.Errorf("Couldn't find or create file '%s' for FileStreamSinkTask: %w", t.name, err)
	}
	t.out = t.file
	return nil
}

// Put writes all records with one write. If that fails, what came into the file is taken back, and the batch can be put again.
func (t *SinkTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	t.buf = t.buf[:0]
	for i := range records {
		v := records[i].Value.Value
		if v.Type() == data.TypeBytes {
			t.buf = append(t.buf, v.Bytes()...)
		} else {
			t.buf = v.AppendText(t.buf)
		}
		t.buf = append(t.buf, '\n')
	}
	if len(t.buf) == 0 {
		return nil
	}
	n, err := t.out.Write(t.buf)
	if err == nil {
		return nil
	}
	if n > 0 {
		if undo := t.undo(n); undo != nil {
			return fault.Connect.Errorf("writing to %s: %w; %d bytes of an unfinished batch are left: %v", t.name, err, n, undo)
		}
	}
	return fault.Retriable.Errorf("writing to %s: %w", t.name, err)
}

// undo cuts the last n bytes off.
func (t *SinkTask) undo(n int) error {
	if t.file == nil {
		return os.ErrInvalid
	}
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	return t.file.Truncate(info.Size() - int64(n))
}

// Flush makes sure that the file is on disk. What cannot be synchronised, as a pipe, has nothing to be made sure of.
func (t *SinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	if t.file == nil {
		return nil
	}
	if info, err := t.file.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err := t.file.Sync(); err != nil {
		return fault.Connect.Errorf("flushing %s: %w", t.name, err)
	}
	return nil
}

// Stop closes the file.
func (t *SinkTask) Stop() error {
	if t.file != nil {
		return t.file.Close()
	}
	return nil
}

// Plugins are the connectors of this package.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Class: "org.apache.kafka.connect.file.FileStreamSourceConnector", Kind: connectors.KindSource, Version: connectors.Version,
			Doc: "lines of a file, or of the standard input", Source: func() connectors.SourceConnector { return &SourceConnector{} },
		},
		{
			Class: "org.apache.kafka.connect.file.FileStreamSinkConnector", Kind: connectors.KindSink, Version: connectors.Version,
			Doc: "a line for each record, in a file or on the standard output", Sink: func() connectors.SinkConnector { return &SinkConnector{} },
		},
	}
}
