package http

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// SourceConnector polls a service. The answer is a JSON array of records, or an object with such an array and the cursor for
// the next request.
type SourceConnector struct{ connectors.OneTask }

// TaskClass names the task.
func (*SourceConnector) TaskClass() string { return "io.github.wasmstream.connect.http.HttpSourceTask" }

// ConfigDef defines the settings.
func (*SourceConnector) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		config.Key{Name: "kafka.topic", Type: config.String, Validator: config.NonEmpty, Importance: config.High, Doc: "The topic to write to."},
		config.Key{Name: "poll.interval.ms", Type: config.Long, Default: int64(5000), Validator: config.AtLeast(0), Importance: config.Medium, Doc: "The wait between two requests in milliseconds, after an answer without records."},
		config.Key{Name: "records.field", Type: config.String, Default: "", Importance: config.Medium, Doc: "The field of the answer with the array of records; the whole answer, if it is empty."},
		config.Key{Name: "cursor.field", Type: config.String, Default: "", Importance: config.Medium, Doc: "The field with the cursor: of the answer, or, where the answer is the array, of each record. Without one, every request begins from the start."},
		config.Key{Name: "cursor.parameter", Type: config.String, Default: "cursor", Validator: config.NonEmpty, Importance: config.Low, Doc: "The parameter of the request that carries the cursor."},
		config.Key{Name: "key.field", Type: config.String, Default: "", Importance: config.Low, Doc: "The field of a record that becomes its key."},
	)...)
}

// Start checks the settings.
func (c *SourceConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.Props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// NewTask makes a task.
func (*SourceConnector) NewTask() connectors.SourceTask { return &sourceTask{} }

// sourceTask asks on from the cursor of the last record. The offset of every record but the last of an answer with one cursor is
// the cursor before it, so that a restart asks for the answer again.
type sourceTask struct {
	client                                  *client
	topic, recordsField, cursorField, param string
	keyField                                string
	interval                                time.Duration
	partition                               *data.Map
	cursor                                  string
	idle                                    bool
	json                                    converters.JSON
}

func (t *sourceTask) Start(ctx *connectors.SourceTaskContext, props config.Props) error {
	v, err := (&SourceConnector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	if t.client, err = newClient(v); err != nil {
		return err
	}
	t.topic, t.recordsField, t.cursorField = v.String("kafka.topic"), v.String("records.field"), v.String("cursor.field")
	t.param, t.keyField = v.String("cursor.parameter"), v.String("key.field")
	t.interval = time.Duration(v.Int("poll.interval.ms")) * time.Millisecond
	if t.cursorField != "" {
		u, _ := url.Parse(t.client.url)
		u.User = nil
		t.partition = data.Of("url", data.StringValue(u.String()))
		offset, err := ctx.Offsets.Offset(t.partition)
		if err != nil {
			return err
		}
		t.cursor = offset.Get("cursor").Str()
	}
	return t.json.Configure(config.PropsOf(map[string]string{"schemas.enable": "false"}), false)
}

// Poll asks once. A service that cannot be reached is asked again later; an answer that is not understood fails the task.
func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.idle && t.interval > 0 {
		timer := time.NewTimer(t.interval)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, nil
		case <-timer.C:
		}
	}
	t.idle = true
	answer, _, err := t.client.do(ctx, "GET", t.address(), nil)
	if ctx.Err() != nil {
		return nil, nil
	}
	if err != nil {
		if rejected, ok := err.(*errRejected); ok {
			return nil, fault.Connect.Errorf("asking the service: %w", rejected)
		}
		return nil, fault.Retriable.Errorf("asking the service: %w", err)
	}
	out, err := t.records(answer)
	t.idle = len(out) == 0
	return out, err
}

func (t *sourceTask) address() string {
	if t.cursor == "" {
		return t.client.url
	}
	u, err := url.Parse(t.client.url)
	if err != nil {
		return t.client.url
	}
	q := u.Query()
	q.Set(t.param, t.cursor)
	u.RawQuery = q.Encode()
	return u.String()
}

func (t *sourceTask) records(answer []byte) ([]connectors.SourceRecord, error) {
	if len(answer) > maxAnswer {
		return nil, fault.Data.New(fmt.Sprintf("the answer is longer than %d bytes", maxAnswer))
	}
	list, next, err := t.split(answer)
	if err != nil {
		return nil, err
	}
	out := make([]connectors.SourceRecord, 0, len(list))
	for i, text := range list {
		sv, err := t.json.ToConnectData(t.topic, nil, text)
		if err != nil {
			return nil, fault.Data.Errorf("reading record %d of the answer: %w", i, err)
		}
		if t.recordsField == "" && t.cursorField != "" {
			t.cursor = sv.Value.Map().Get(t.cursorField).String()
		} else if i == len(list)-1 && next != "" {
			t.cursor = next
		}
		r := connectors.NewSourceRecord(t.partition, nil, t.topic, sv)
		if t.partition != nil {
			r.SourceOffset = data.Of("cursor", data.StringValue(t.cursor))
		}
		if key := sv.Value.Map().Get(t.keyField); t.keyField != "" {
			r.Key = data.SchemaAndValue{Schema: data.InferSchema(key), Value: key}
		}
		out = append(out, r)
	}
	return out, nil
}

// split takes the answer apart: the records, and the cursor of the answer.
func (t *sourceTask) split(answer []byte) (list []json.RawMessage, next string, err error) {
	records := json.RawMessage(answer)
	if t.recordsField != "" {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(answer, &object); err != nil {
			return nil, "", fault.Data.New("the answer is no JSON object")
		}
		records = object[t.recordsField]
		if raw := object[t.cursorField]; raw != nil && json.Unmarshal(raw, &next) != nil {
			next = string(raw)
		}
		if next == "null" {
			next = ""
		}
	}
	if len(records) == 0 || string(records) == "null" {
		return nil, next, nil
	}
	if err := json.Unmarshal(records, &list); err != nil {
		return nil, "", fault.Data.New("the records of the answer are no JSON array")
	}
	return list, next, nil
}

func (t *sourceTask) Stop() error {
	if t.client != nil {
		t.client.http.CloseIdleConnections()
	}
	return nil
}

// Plugins are the connectors of this package.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{Class: "io.aiven.kafka.connect.http.HttpSinkConnector", Kind: connectors.KindSink, Version: connectors.Version, Doc: "records to an HTTP service", Sink: func() connectors.SinkConnector { return &SinkConnector{} }},
		{Class: "io.github.wasmstream.connect.http.HttpSourceConnector", Kind: connectors.KindSource, Version: connectors.Version, Doc: "records of an HTTP service", Source: func() connectors.SourceConnector { return &SourceConnector{} }},
	}
}
