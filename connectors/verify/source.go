// Package verify holds connectors for load and fault tests: a source of numbered records, a sink that finds what is missing,
// doubled or out of order, and a sink that throws everything away.
package verify

import (
	"context"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// SourceConnector is like Kafka's VerifiableSourceConnector: each task numbers its records from 0.
type SourceConnector struct{ connectors.ManyTasks }

// TaskClass is Kafka's.
func (*SourceConnector) TaskClass() string {
	return "org.apache.kafka.connect.tools.VerifiableSourceTask"
}

// ConfigDef defines topic, throughput, count and batch.size.
func (*SourceConnector) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "topic", Type: config.String, Validator: config.NonEmpty, Importance: config.High, Doc: "The topic to write to."},
		config.Key{Name: "throughput", Type: config.Long, Default: int64(-1), Importance: config.Medium, Doc: "Records a second of each task; as many as possible if it is -1."},
		config.Key{Name: "count", Type: config.Long, Default: int64(-1), Importance: config.Medium, Doc: "How many records each task makes; without end if it is -1."},
		config.Key{Name: "batch.size", Type: config.Int, Default: 500, Validator: config.AtLeast(1), Importance: config.Low, Doc: "The most records of one poll."},
		config.Key{Name: "task.id", Type: config.Int, Default: 0, Importance: config.Low, Doc: "The number of the task; set by the connector.", Internal: true},
	)
}

// Start checks the settings.
func (c *SourceConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.Props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// NewTask makes a task.
func (*SourceConnector) NewTask() connectors.SourceTask { return &sourceTask{} }

// ExactlyOnceSupport is there.
func (*SourceConnector) ExactlyOnceSupport(config.Props) connectors.Support {
	return connectors.Supported
}

// AlterOffsets takes numbers.
func (*SourceConnector) AlterOffsets(_ config.Props, offsets []connectors.SourceOffset) (bool, error) {
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		if seq := o.Offset.Get("seqno"); seq.Type() != data.TypeInt64 || seq.Int() < 0 {
			return false, fault.Connect.New("The value for the 'seqno' key in the offset is expected to be a Long value that is not negative")
		}
	}
	return true, nil
}

// sourceTask numbers records. The offset is the number of the last one.
type sourceTask struct {
	topic      string
	id         int32
	next       int64
	count      int64
	throughput int64
	batch      int
	partition  *data.Map
	slab       data.Slab
	began      time.Time
	made       int64
}

func (t *sourceTask) Start(ctx *connectors.SourceTaskContext, props config.Props) error {
	v, err := (&SourceConnector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.topic, t.id, t.batch = v.String("topic"), int32(v.Int("task.id")), v.Int("batch.size")
	t.count, t.throughput = int64(v.Int("count")), int64(v.Int("throughput"))
	t.partition = data.Of("id", data.Int32Value(t.id))
	offset, err := ctx.Offsets.Offset(t.partition)
	if err != nil {
		return err
	}
	if offset != nil {
		t.next = offset.Get("seqno").Int() + 1
	}
	return nil
}

func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	n := t.allowed(ctx)
	if n <= 0 {
		return nil, nil
	}
	out := make([]connectors.SourceRecord, n)
	for i := range out {
		offset := t.slab.Map([]data.Entry{{Key: data.StringValue("seqno"), Value: data.Int64Value(t.next)}}, 0)
		out[i] = connectors.NewSourceRecord(t.partition, offset, t.topic, data.SchemaAndValue{Schema: data.Int64Schema, Value: data.Int64Value(t.next)})
		out[i].Key = data.SchemaAndValue{Schema: data.Int32Schema, Value: data.Int32Value(t.id)}
		t.next++
	}
	t.made += int64(n)
	return out, nil
}

// allowed is how many records may be made now; it waits if there are none.
func (t *sourceTask) allowed(ctx context.Context) int {
	n := int64(t.batch)
	if t.count >= 0 {
		n = min(n, t.count-t.next)
	}
	if t.began.IsZero() {
		t.began = time.Now()
	}
	wait := time.Duration(0)
	if t.throughput >= 0 {
		due := int64(time.Since(t.began).Seconds()*float64(t.throughput)) + 1
		n = min(n, due-t.made)
	}
	if n <= 0 {
		wait = 20 * time.Millisecond
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return int(n)
}

func (*sourceTask) Stop() error { return nil }
