// Package file copies lines of a file into a topic and records of topics into a file: Kafka's FileStreamSource and
// FileStreamSink, with their names, settings and offsets.
package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Fields of source partitions and offsets.
const (
	filenameField = "filename"
	positionField = "position"
)

// idleWait is how long a poll waits for a file that has nothing new. Kafka waits a second.
const idleWait = 100 * time.Millisecond

// maxLine bounds a line: what is longer is no text file.
const maxLine = 64 << 20

// SourceConnector is Kafka's FileStreamSourceConnector.
type SourceConnector struct{ props config.Props }

// Version is that of Kafka.
func (*SourceConnector) Version() string { return connectors.Version }

// TaskClass is Kafka's.
func (*SourceConnector) TaskClass() string {
	return "org.apache.kafka.connect.file.FileStreamSourceTask"
}

// ConfigDef defines file, topic and batch.size.
func (*SourceConnector) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "file", Type: config.String, Nullable: true, Importance: config.High, Doc: "The file to read; the standard input, if it is not set."},
		config.Key{Name: "topic", Type: config.String, Validator: config.NonEmpty, Importance: config.High, Doc: "The topic to write to."},
		config.Key{Name: "batch.size", Type: config.Int, Default: 2000, Importance: config.Low, Doc: "The most lines of one poll."},
	)
}

// Start checks the settings.
func (c *SourceConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// TaskConfigs is one task, whatever max is: a file has one reader.
func (c *SourceConnector) TaskConfigs(int) ([]config.Props, error) {
	return []config.Props{c.props.Clone()}, nil
}

// Stop does nothing.
func (*SourceConnector) Stop() error { return nil }

// NewTask makes a task.
func (*SourceConnector) NewTask() connectors.SourceTask { return &SourceTask{idle: idleWait} }

// ExactlyOnceSupport is there for files, not for the standard input.
func (c *SourceConnector) ExactlyOnceSupport(props config.Props) connectors.Support {
	if v, err := c.ConfigDef().Parse(props); err == nil && v.String("file") != "" {
		return connectors.Supported
	}
	return connectors.Unsupported
}

// AlterOffsets takes positions that are a long and not negative. Any partition may be reset.
func (c *SourceConnector) AlterOffsets(props config.Props, offsets []connectors.SourceOffset) (bool, error) {
	v, err := c.ConfigDef().Parse(props)
	if err != nil {
		return false, err
	}
	if v.String("file") == "" {
		return false, fault.Connect.New("Offsets cannot be modified if the 'file' configuration is unspecified. This is because stdin is used for input and offsets are not tracked.")
	}
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		if err := checkOffset(o); err != nil {
			return false, err
		}
	}
	return true, nil
}

func checkOffset(o connectors.SourceOffset) error {
	pos, ok := o.Offset.Lookup(positionField)
	switch {
	case !ok:
		return fault.Connect.New("Offset objects should either be null or contain the key 'position'")
	case pos.Type() != data.TypeInt64:
		return fault.Connect.New("The value for the 'position' key in the offset is expected to be a Long value")
	case pos.Int() < 0:
		return fault.Connect.New("The value for the 'position' key in the offset should be a non-negative value")
	case o.Partition == nil:
		return fault.Connect.New("Partition objects cannot be null")
	}
	if _, ok := o.Partition.Lookup(filenameField); !ok {
		return fault.Connect.New("Partition objects should contain the key 'filename'")
	}
	return nil
}

// SourceTask reads lines. Its position counts bytes, up to the end of the last line that it gave away.
type SourceTask struct {
	ctx       *connectors.SourceTaskContext
	name      string // "" for the standard input
	topic     string
	batch     int
	idle      time.Duration
	partition *data.Map
	reader    io.Reader
	file      *os.File
	lines     lines
	position  int64
	offsets   data.Slab
	last      int // lines of the last poll
	warned    bool
}

// Start reads the settings. The file may come into being later.
func (t *SourceTask) Start(ctx *connectors.SourceTaskContext, props config.Props) error {
	v, err := (&SourceConnector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.ctx, t.name, t.topic, t.batch = ctx, v.String("file"), v.String("topic"), v.Int("batch.size")
	if t.name == "" {
		t.reader = newStdin(os.Stdin)
		return nil
	}
	t.partition = data.Of(filenameField, data.StringValue(t.name))
	return nil
}

// Poll returns the lines that are complete; nothing after a short wait if there are none.
func (t *SourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.reader == nil {
		if err := t.open(); err != nil || t.reader == nil {
			t.wait(ctx)
			return nil, err
		}
	}
	var out []connectors.SourceRecord
	now := time.Now().UnixMilli()
	for {
		var err error
		if out, err = t.take(out, now); err != nil || len(out) >= t.batch {
			t.last = len(out)
			return out, err
		}
		n, err := t.lines.fill(t.reader)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fault.Connect.Errorf("reading %s: %w", t.logName(), err)
		}
		if n == 0 {
			break
		}
	}
	if len(out) == 0 {
		t.wait(ctx)
	}
	t.last = len(out)
	return out, nil
}

// take makes records of complete lines, up to a batch.
func (t *SourceTask) take(out []connectors.SourceRecord, now int64) ([]connectors.SourceRecord, error) {
	for len(out) < t.batch {
		line, used, ok := t.lines.next()
		if !ok {
			if t.lines.pending() > maxLine {
				return nil, fault.Connect.Errorf("reading %s: a line is longer than %d bytes", t.logName(), maxLine)
			}
			return out, nil
		}
		t.position += int64(used)
		if out == nil {
			out = make([]connectors.SourceRecord, 0, min(t.batch, max(t.last, 16)))
		}
		r := connectors.NewSourceRecord(nil, nil, t.topic, data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(line)})
		r.Timestamp = now
		if t.name != "" {
			r.SourcePartition = t.partition
			r.SourceOffset = t.offsets.Map(nil, 1)
			r.SourceOffset.Put(positionField, data.Int64Value(t.position))
		}
		out = append(out, r)
	}
	return out, nil
}

func (t *SourceTask) open() error {
	f, err := os.Open(t.name)
	if errors.Is(err, fs.ErrNotExist) {
		if !t.warned && t.ctx.Log != nil {
			t.ctx.Log.Warn("file not found, waiting for it", "file", t.name)
			t.warned = true
		}
		return nil
	}
	if err != nil {
		return fault.Connect.Errorf("opening %s: %w", t.name, err)
	}
	position, err := t.committed()
	if err == nil {
		_, err = f.Seek(position, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return err
	}
	t.file, t.reader, t.position = f, f, position
	return nil
}

func (t *SourceTask) committed() (int64, error) {
	offset, err := t.ctx.Offsets.Offset(t.partition)
	if err != nil || offset == nil {
		return 0, err
	}
	pos := offset.Get(positionField)
	switch {
	case pos.IsNull():
		return 0, nil
	case pos.Type() != data.TypeInt64:
		return 0, fault.Connect.New("Offset position is the incorrect type")
	}
	return pos.Int(), nil
}

func (t *SourceTask) wait(ctx context.Context) {
	timer := time.NewTimer(t.idle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (t *SourceTask) logName() string {
	if t.name == "" {
		return "stdin"
	}
	return t.name
}

// Stop closes the file.
func (t *SourceTask) Stop() error {
	if t.file != nil {
		return t.file.Close()
	}
	return nil
}
