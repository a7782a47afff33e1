package connect_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// inBothModes runs a test with a worker of each mode, on each broker.
func inBothModes(t *testing.T, plugins func() *connectors.Plugins, test func(t *testing.T, b *brokertest.Broker, h *connect.Herder, create func(name string, settings map[string]string))) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		t.Run("standalone", func(t *testing.T) {
			h := standaloneWith(t, brokertest.At(b.Addr).Addr, t.TempDir(), plugins(), nil)
			test(t, brokertest.At(b.Addr), h, func(name string, settings map[string]string) { put(t, h, name, settings) })
		})
		t.Run("distributed", func(t *testing.T) {
			own := brokertest.At(b.Addr)
			w := distributedWith(t, own, plugins(), nil)
			test(t, own, w.herder, func(name string, settings map[string]string) { lead(t, w, name, settings) })
		})
	})
}

// letters counts dead letters by their stage, and checks that each says where it is from.
func letters(t testing.TB, b *brokertest.Broker, topic string, connector string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, r := range b.ReadAll(t, topic) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[strings.TrimPrefix(h.Key, "__connect.errors.")] = string(h.Value)
		}
		if headers["connector.name"] != connector || headers["task.id"] != "0" || headers["class.name"] == "" || headers["exception.class.name"] == "" || headers["exception.stacktrace"] == "" {
			t.Errorf("a dead letter with headers %v", headers)
		}
		_, ofSink := headers["offset"]
		if inSource := headers["source.partition"] == `{"p":"one"}` && strings.HasPrefix(headers["source.offset"], `{"n":`); ofSink == inSource {
			t.Errorf("a dead letter without its place: %v", headers)
		}
		out[headers["stage"]]++
	}
	return out
}

// balance checks that nothing is unaccounted for.
func balance(t testing.TB, h *connect.Herder, read, filtered, dead int64) {
	t.Helper()
	var n connect.Totals
	await(t, "the counters", func() bool {
		n = h.Total()
		return n.Read == read && n.Written+n.Filtered+n.Skipped == read && n.DeadLettered == n.Skipped
	})
	if n.Filtered != filtered || n.DeadLettered != dead {
		t.Errorf("counters %+v, want %d filtered and %d dead letters", n, filtered, dead)
	}
}

// TestMetricsTellTheCounters scrapes a worker.
func TestMetricsTellTheCounters(t *testing.T) {
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("out"), 1)
	w := distributedWith(t, b, withSource(newFragile(1, 1, topic)), map[string]string{"restart.backoff.ms": "1"})
	lead(t, w, "src", map[string]string{"connector.class": "Scripted", "transforms": "odd", "transforms.odd.type": "CelFilter", "transforms.odd.condition": "int(value) % 2 == 1"})
	want := []string{
		`wasmstream_connect_task_records_read_total{connector="src",task="0"} 10`, `wasmstream_connect_task_records_written_total{connector="src",task="0"} 5`,
		`wasmstream_connect_task_records_filtered_total{connector="src",task="0"} 5`, `wasmstream_connect_restarts_total{connector="src",task="0"} 1`,
		`wasmstream_connect_restarts_total{connector="src",task="-1"} 1`, `wasmstream_connect_task_state{connector="src",state="RUNNING",task="0"} 1`, "wasmstream_connect_leader 1",
	}
	var body string
	await(t, "the counters", func() bool {
		_, body = request(t, http.DefaultClient, "GET", urlOf(w.herder)+"/metrics", "", nil)
		return !slices.ContainsFunc(want, func(line string) bool { return !strings.Contains(body, line) })
	})
}

// poisonSettings tolerate what fails and keep it.
func poisonSettings(dlq string, more map[string]string) map[string]string {
	out := map[string]string{
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": dlq, "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true", "errors.log.enable": "true",
	}
	maps.Copy(out, more)
	return out
}

// TestPoisonAtEachStageOfASink has a record fail at each stage of a sink, among sound ones and filtered ones.
func TestPoisonAtEachStageOfASink(t *testing.T) {
	t.Parallel()
	sink := &picky{}
	plugins := func() *connectors.Plugins {
		sink.got = map[string]int{}
		all := builtin.Plugins()
		all.Add(connectors.Plugin{Class: "Picky", Kind: connectors.KindSink, Version: "1", Sink: func() connectors.SinkConnector { return sink }})
		return all
	}
	inBothModes(t, plugins, func(t *testing.T, b *brokertest.Broker, h *connect.Herder, create func(string, map[string]string)) {
		topic, dlq := b.CreateTopic(t, b.Name("in"), 1), b.Name("dlq")
		record := func(key, value, header string) *kgo.Record {
			r := &kgo.Record{Topic: topic, Key: []byte(key), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(header)}}}
			if value != "" {
				r.Value = []byte(value)
			}
			return r
		}
		var records []*kgo.Record
		for i := range 20 {
			records = append(
				records, record("1234", fmt.Sprintf(`{"n":"%d"}`, i), "1"), record("1234", "", "1"), // good, filtered
				record("123", `{"n":"1"}`, "1"), record("1234", `{"n":`, "1"), record("1234", `{"n":"1"}`, "{"), // key, value, header
				record("1234", `{"n":"ten"}`, "1"), record("1234", `{"n":"1","kind":"bad"}`, "1"), // transformation, put
			)
		}
		b.Produce(t, records...)
		create("poison", poisonSettings(dlq, map[string]string{
			"connector.class": "Picky", "topics": topic, "key.converter": "IntegerConverter", "value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
			"header.converter": "JsonConverter", "header.converter.schemas.enable": "false",
			"transforms": "drop,number", "transforms.drop.type": "Filter", "transforms.drop.predicate": "gone", "predicates": "gone", "predicates.gone.type": "RecordIsTombstone",
			"transforms.number.type": "Cast$Value", "transforms.number.spec": "n:int32",
		}))
		balance(t, h, 140, 20, 100)
		want := map[string]int{"KEY_CONVERTER": 20, "VALUE_CONVERTER": 20, "HEADER_CONVERTER": 20, "TRANSFORMATION": 20, "TASK_PUT": 20}
		if diff := cmp.Diff(want, letters(t, b, dlq, "poison")); diff != "" {
			t.Error(diff)
		}
		sink.mu.Lock()
		defer sink.mu.Unlock()
		if len(sink.got) != 20 {
			t.Errorf("%d different records were delivered", len(sink.got))
		}
	})
}

// poisoned is a source of one batch, in which a record fails at each stage.
type poisoned struct {
	scripted
	topic string
	given bool
}

func (p *poisoned) NewTask() connectors.SourceTask { return &poisonedTask{p: p} }

type poisonedTask struct {
	p     *poisoned
	polls int
}

func (*poisonedTask) Start(*connectors.SourceTaskContext, config.Props) error { return nil }
func (*poisonedTask) Stop() error                                             { return nil }

func (t *poisonedTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.polls++; t.polls == 1 {
		return nil, fault.Retriable.New("the source is away for a moment")
	}
	if t.p.given {
		<-ctx.Done()
		return nil, nil
	}
	t.p.given = true
	text := func(s string) data.SchemaAndValue {
		return data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(s)}
	}
	var out []connectors.SourceRecord
	add := func(key data.SchemaAndValue, value, header string) {
		r := connectors.NewSourceRecord(scriptedPartition, data.Of("n", data.Int64Value(int64(len(out)))), t.p.topic, text(value))
		r.Key = key
		r.Headers = connectors.Headers{{Key: "h", Value: data.SchemaAndValue{Schema: data.Int32Schema, Value: data.Int32Value(1)}}}
		if header != "" {
			r.Headers[0].Value = text(header)
		}
		out = append(out, r)
	}
	number := data.SchemaAndValue{Schema: data.Int32Schema, Value: data.Int32Value(1)}
	for range 10 {
		add(number, "1", "")
		add(text("no number"), "1", "")            // key
		add(number, "1", "no number")              // header
		add(number, "ten", "")                     // transformation
		add(number, strings.Repeat("0", 3000), "") // too large for the topic
	}
	return out, nil
}

// TestPoisonAtEachStageOfASource is the same for a source; what the broker refuses is a stage as well.
func TestPoisonAtEachStageOfASource(t *testing.T) {
	t.Parallel()
	source := &poisoned{}
	plugins := func() *connectors.Plugins {
		source.given = false
		return withSource(source)
	}
	inBothModes(t, plugins, func(t *testing.T, b *brokertest.Broker, h *connect.Herder, create func(string, map[string]string)) {
		source.topic = b.CreateTopic(t, b.Name("out"), 1, "max.message.bytes=2000")
		dlq := b.Name("dlq")
		create("poison", poisonSettings(dlq, map[string]string{
			"connector.class": "Scripted", "key.converter": "IntegerConverter", "value.converter": "StringConverter", "header.converter": "IntegerConverter",
			"transforms": "valid", "transforms.valid.type": "CelMap$Value", "transforms.valid.expression": `value == "ten" ? string(int(value)) : value`,
		}))
		balance(t, h, 50, 0, 40)
		want := map[string]int{"KEY_CONVERTER": 10, "HEADER_CONVERTER": 10, "TRANSFORMATION": 10, "KAFKA_PRODUCE": 10}
		if diff := cmp.Diff(want, letters(t, b, dlq, "poison")); diff != "" {
			t.Error(diff)
		}
		if got := texts(b.ReadAll(t, source.topic)); !slices.Equal(got, slices.Repeat([]string{"1"}, 10)) {
			t.Errorf("in the topic: %d records", len(got))
		}
		await(t, "the offset behind the last record", func() bool {
			list, err := h.Offsets(context.Background(), "poison")
			return err == nil && len(list) == 1 && string(list[0].Offset) == `{"n":49}`
		})
	})
}
