// Package datagen makes records out of nothing: users, orders or page views, the same ones for the same seed.
package datagen

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Connector is named as Confluent's DatagenConnector, and takes its settings kafka.topic, max.interval, iterations, quickstart
// and random.seed.
type Connector struct{ connectors.ManyTasks }

// TaskClass names the task.
func (*Connector) TaskClass() string { return "io.confluent.kafka.connect.datagen.DatagenTask" }

// ConfigDef defines the settings.
func (*Connector) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "kafka.topic", Type: config.String, Validator: config.NonEmpty, Importance: config.High, Doc: "The topic to write to."},
		config.Key{Name: "quickstart", Type: config.String, Default: "users", Validator: config.OneOfFold("users", "orders", "pageviews"), Importance: config.High, Doc: "What to make: users, orders, pageviews."},
		config.Key{Name: "max.interval", Type: config.Long, Default: int64(500), Validator: config.AtLeast(0), Importance: config.High, Doc: "The longest pause between two records in milliseconds; 0 is none."},
		config.Key{Name: "iterations", Type: config.Long, Default: int64(-1), Importance: config.High, Doc: "How many records each task makes; without end if it is -1."},
		config.Key{Name: "random.seed", Type: config.Long, Default: int64(0), Importance: config.Low, Doc: "Records are the same for the same seed, task and number."},
		config.Key{Name: "batch.size", Type: config.Int, Default: 500, Validator: config.AtLeast(1), Importance: config.Low, Doc: "The most records of one poll where there is no pause."},
		config.Key{Name: "task.id", Type: config.Int, Default: 0, Importance: config.Low, Doc: "The number of the task; set by the connector.", Internal: true},
	)
}

// Start checks the settings.
func (c *Connector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.Props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// NewTask makes a task.
func (*Connector) NewTask() connectors.SourceTask { return &task{} }

// ExactlyOnceSupport is there: a record is a function of its number.
func (*Connector) ExactlyOnceSupport(config.Props) connectors.Support { return connectors.Supported }

// AlterOffsets takes numbers that are not negative.
func (*Connector) AlterOffsets(_ config.Props, offsets []connectors.SourceOffset) (bool, error) {
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		if n := o.Offset.Get(offsetField); n.Type() != data.TypeInt64 || n.Int() < 0 {
			return false, fault.Connect.New("The value for the '" + offsetField + "' key in the offset is expected to be a Long value that is not negative")
		}
	}
	return true, nil
}

const (
	partitionField = "task.id"
	offsetField    = "current.iteration"
)

type task struct {
	topic      string
	make       func(r *rand.Rand, n int64, slab *data.Slab) (key, value data.SchemaAndValue)
	id, seed   int64
	next       int64
	iterations int64
	interval   int64
	batch      int
	partition  *data.Map
	slab       data.Slab
}

func (t *task) Start(ctx *connectors.SourceTaskContext, props config.Props) error {
	v, err := (&Connector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.topic, t.make = v.String("kafka.topic"), generators[lower(v.String("quickstart"))]
	t.id, t.seed, t.batch = int64(v.Int("task.id")), int64(v.Int("random.seed")), v.Int("batch.size")
	t.iterations, t.interval = int64(v.Int("iterations")), int64(v.Int("max.interval"))
	t.partition = data.Of(partitionField, data.Int64Value(t.id))
	offset, err := ctx.Offsets.Offset(t.partition)
	if err != nil {
		return err
	}
	if offset != nil {
		t.next = offset.Get(offsetField).Int()
	}
	return nil
}

// Poll makes one record after a pause, or a batch where there is no pause.
func (t *task) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	n := 1
	pause := time.Duration(0)
	if t.interval == 0 {
		n = t.batch
	} else {
		pause = time.Duration(t.random(t.next).Int64N(t.interval+1)) * time.Millisecond
	}
	if t.iterations >= 0 {
		n = int(min(int64(n), t.iterations-t.next))
	}
	if n <= 0 {
		pause = 100 * time.Millisecond
	}
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, nil
		case <-timer.C:
		}
	}
	if n <= 0 {
		return nil, nil
	}
	now := time.Now().UnixMilli()
	out := make([]connectors.SourceRecord, n)
	for i := range out {
		out[i] = t.record(now)
	}
	return out, nil
}

func (t *task) random(n int64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(t.seed)*0x9e3779b97f4a7c15+uint64(t.id), uint64(n)))
}

func (t *task) record(now int64) connectors.SourceRecord {
	n := t.next
	t.next++
	key, value := t.make(t.random(n), n, &t.slab)
	offset := t.slab.Map([]data.Entry{{Key: data.StringValue(offsetField), Value: data.Int64Value(t.next)}}, 0)
	r := connectors.NewSourceRecord(t.partition, offset, t.topic, value)
	r.Key, r.Timestamp = key, now
	r.Headers = connectors.Headers{
		{Key: "task.id", Value: data.SchemaAndValue{Schema: data.Int64Schema, Value: data.Int64Value(t.id)}},
		{Key: "current.iteration", Value: data.SchemaAndValue{Schema: data.Int64Schema, Value: data.Int64Value(n)}},
	}
	return r
}

func (*task) Stop() error { return nil }

// Plugins are the connectors of this package.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{{
		Class: "io.confluent.kafka.connect.datagen.DatagenConnector", Kind: connectors.KindSource, Version: connectors.Version,
		Doc: "made-up records, the same for the same seed", Source: func() connectors.SourceConnector { return &Connector{} },
	}}
}
