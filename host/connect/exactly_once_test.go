package connect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// scripted is a source whose tasks give the numbers from 0 to its setting `count`, `batch` of them with each poll, to `topic`.
// step, if set, is called before each poll with the number that is next and may end transactions or fail.
type scripted struct {
	step func(ctx context.Context, t *scriptedTask) error
}

func (*scripted) Version() string                                       { return "1" }
func (*scripted) ConfigDef() *config.Def                                { return config.NewDef() }
func (*scripted) Start(connectors.ConnectorContext, config.Props) error { return nil }
func (*scripted) Stop() error                                           { return nil }
func (*scripted) TaskClass() string                                     { return "ScriptedTask" }

func (s *scripted) NewTask() connectors.SourceTask { return &scriptedTask{scripted: s} }

func (*scripted) ExactlyOnceSupport(config.Props) connectors.Support { return connectors.Supported }

func (*scripted) CanDefineTransactionBoundaries(config.Props) connectors.Support {
	return connectors.Supported
}

func (s *scripted) TaskConfigs(int) ([]config.Props, error) { return []config.Props{{}}, nil }

type scriptedTask struct {
	*scripted
	ctx   *connectors.SourceTaskContext
	next  int64
	count int64
	batch int64
	topic string
}

func (t *scriptedTask) Start(ctx *connectors.SourceTaskContext, _ config.Props) error {
	t.ctx = ctx
	offset, err := ctx.Offsets.Offset(scriptedPartition)
	if err == nil && offset != nil {
		t.next = offset.Get("n").Int()
	}
	return err
}

var scriptedPartition = data.Of("p", data.StringValue("one"))

func (t *scriptedTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.step != nil {
		if err := t.step(ctx, t); err != nil {
			return nil, err
		}
	}
	var out []connectors.SourceRecord
	for range t.batch {
		if t.next == t.count {
			break
		}
		out = append(out, connectors.NewSourceRecord(scriptedPartition, data.Of("n", data.Int64Value(t.next+1)), t.topic,
			data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(fmt.Sprint(t.next))}))
		t.next++
	}
	if out == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return out, nil
}

// withSource are the plugins with a source of the class Scripted.
func withSource(s connectors.SourceConnector) *connectors.Plugins {
	plugins := builtin.Plugins()
	plugins.Add(connectors.Plugin{Class: "Scripted", Kind: connectors.KindSource, Version: "1", Source: func() connectors.SourceConnector { return s }})
	return plugins
}

var exactlyOnce = map[string]string{"exactly.once.source.support": "enabled"}

// lead returns when a worker leads its group and has taken this connector.
func lead(t testing.TB, w *worker, name string, settings map[string]string) {
	t.Helper()
	settings["name"] = name
	var last error
	await(t, "the connector "+name+" to be taken", func() bool {
		_, _, last = w.herder.PutConnector(context.Background(), name, config.PropsOf(settings), "", true)
		var busy *connect.NotLeader
		if last != nil && !errors.As(last, &busy) {
			t.Fatal(last)
		}
		return last == nil
	})
}

func texts(records []*kgo.Record) (out []string) {
	for _, r := range records {
		out = append(out, string(r.Value))
	}
	return out
}

// TestTransactionBoundaries wants records to be seen when their transaction ends, and not before, and aborted ones never.
func TestTransactionBoundaries(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		for _, tt := range []struct {
			boundary string
			more     map[string]string
			step     func(ctx context.Context, s *scriptedTask) error
			want     string
		}{
			{boundary: "poll", want: "0 1 2 3 4 5 6 7 8 9"},
			{boundary: "interval", more: map[string]string{"transaction.boundary.interval.ms": "100"}, want: "0 1 2 3 4 5 6 7 8 9"},
			{boundary: "connector", want: "0 1 2 3 6 7 8 9", step: func(_ context.Context, s *scriptedTask) error {
				switch s.next { // two records with each poll: 4 and 5 are aborted; 6 to 9 are one transaction
				case 0:
					s.ctx.Transaction.CommitAfter(1)
				case 2, 8:
					s.ctx.Transaction.CommitAfter(connectors.WholeBatch)
				case 4:
					s.ctx.Transaction.AbortAfter(connectors.WholeBatch)
				}
				return nil
			}},
		} {
			topic := b.CreateTopic(t, b.Name("out-"+tt.boundary), 1)
			source := &scripted{}
			var mu sync.Mutex
			var first *connectors.SourceTaskContext
			source.step = func(ctx context.Context, s *scriptedTask) error {
				mu.Lock()
				first = s.ctx
				mu.Unlock()
				s.count, s.batch, s.topic = 10, 2, topic
				if tt.step != nil {
					return tt.step(ctx, s)
				}
				return nil
			}
			w := distributedWith(t, b, withSource(source), map[string]string{"exactly.once.source.support": "enabled", "group.id": b.Name(tt.boundary)})
			settings := map[string]string{"connector.class": "Scripted", "topic": topic, "transaction.boundary": tt.boundary, "exactly.once.support": "required"}
			for k, v := range tt.more {
				settings[k] = v
			}
			lead(t, w, "src-"+tt.boundary, settings)
			var got string
			await(t, "the records of "+tt.boundary, func() bool {
				got = strings.Join(texts(b.ReadAll(t, topic)), " ")
				return got == tt.want
			})
			await(t, "the offset of "+tt.boundary, func() bool {
				list, err := w.herder.Offsets(context.Background(), "src-"+tt.boundary)
				return err == nil && len(list) == 1 && string(list[0].Offset) == `{"n":10}`
			})
			mu.Lock()
			if (first.Transaction != nil) != (tt.boundary == "connector") {
				t.Errorf("%s: the task has a transaction context: %t", tt.boundary, first.Transaction != nil)
			}
			mu.Unlock()
			w.leave()
		}
	})
}

// TestFailedTaskLeavesNothingHalf has a task fail in the middle of a transaction again and again: it is restarted by itself, and each
// number is in the topic once.
func TestFailedTaskLeavesNothingHalf(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		topic, own := b.CreateTopic(t, b.Name("out"), 1), b.Name("own-offsets")
		failed := map[int64]bool{}
		source := &scripted{step: func(_ context.Context, s *scriptedTask) error {
			s.count, s.batch, s.topic = 100, 7, topic
			if s.next%2 == 1 && !failed[s.next] {
				failed[s.next] = true
				return fault.Connect.New("the source is away")
			}
			return nil
		}}
		w := distributedWith(t, b, withSource(source), map[string]string{"exactly.once.source.support": "enabled", "restart.backoff.ms": "1", "restart.backoff.max.ms": "5"})
		lead(t, w, "src", map[string]string{
			"connector.class": "Scripted", "topic": topic, "offsets.storage.topic": own, "transaction.boundary": "interval", "transaction.boundary.interval.ms": "20",
		})
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
		}
		await(t, "all numbers, once", func() bool { return strings.Join(texts(b.ReadAll(t, topic)), " ") == strings.Join(want, " ") })
		if len(failed) == 0 {
			t.Error("the task never failed")
		}
		for _, name := range []string{own, b.Name("offsets")} { // the connector's topic and the worker's, in one transaction
			records := b.ReadAll(t, name)
			if len(records) == 0 || string(records[len(records)-1].Value) != `{"n":100}` || string(records[len(records)-1].Key) != `["src",{"p":"one"}]` {
				t.Errorf("offsets in %s: %v", name, texts(records))
			}
		}
	})
}

// TestZombieTasksAreFenced has a producer of a task's transactional id, with a transaction open, stand for a task that was left
// behind: a new set of tasks ends what it wrote, and it cannot write any more. The same for a leader that was.
func TestZombieTasksAreFenced(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		topic := b.CreateTopic(t, b.Name("numbers"), 1)
		w := distributed(t, b, exactlyOnce)
		settings := func(tasks string) map[string]string {
			return map[string]string{"connector.class": "VerifiableSource", "tasks.max": tasks, "topic": topic, "count": "50", "key.converter": "LongConverter", "value.converter": "LongConverter"}
		}
		settings3 := settings("3")
		settings3["key.converter"] = "IntegerConverter"
		lead(t, w, "gen", settings3)
		await(t, "the first set", func() bool { return len(b.ReadAll(t, topic)) == 150 })

		task := b.Client(t, kgo.TransactionalID(b.Name("connect")+"-gen-2"))
		if err := task.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if err := task.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("of a zombie")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		settings2 := settings("2")
		settings2["key.converter"] = "IntegerConverter"
		lead(t, w, "gen", settings2)
		await(t, "two tasks, and the fencing of three", func() bool {
			fenced := 0
			for _, r := range b.ReadAll(t, b.Name("configs")) {
				if string(r.Key) == "tasks-fencing-gen" {
					fenced++
				}
			}
			return fenced == 2 && states(w.herder, "gen") == "RUNNING RUNNING RUNNING"
		})
		err := task.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("of a zombie")}).FirstErr()
		if err = errors.Join(err, task.EndTransaction(ctx, kgo.TryCommit)); err == nil {
			t.Error("a task of a former set could still write")
		}
		if got := len(b.ReadAll(t, topic)); got != 150 {
			t.Errorf("%d records are in the topic", got)
		}

		// Another leader claims: the one that was is fenced, says so, joins anew and claims again.
		leader := b.Client(t, kgo.TransactionalID("connect-cluster-"+b.Name("connect")))
		if _, _, err := leader.ProducerID(ctx); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.herder.PutConnector(ctx, "gen", config.PropsOf(settings3), "", true)
		if err == nil || !strings.Contains(err.Error(), "Failed to write to config topic") {
			t.Errorf("a leader that was fenced wrote: %v", err)
		}
		await(t, "the leader to claim its right again", func() bool {
			_, _, err := w.herder.PutConnector(ctx, "gen", config.PropsOf(settings3), "", true)
			return err == nil
		})
		await(t, "three tasks again", func() bool { return states(w.herder, "gen") == "RUNNING RUNNING RUNNING RUNNING" })
	})
}

// TestOffsetsAreAlteredInATransaction changes and resets the offsets of a stopped exactly-once source.
func TestOffsetsAreAlteredInATransaction(t *testing.T) {
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("out"), 1)
	source := &scripted{step: func(_ context.Context, s *scriptedTask) error {
		s.count, s.batch, s.topic = 10, 10, topic
		return nil
	}}
	w := distributedWith(t, b, withSource(source), exactlyOnce)
	lead(t, w, "src", map[string]string{"connector.class": "Scripted", "offsets.storage.topic": b.Name("own")})
	await(t, "the first ten", func() bool { return len(b.ReadAll(t, topic)) == 10 })
	ctx := context.Background()
	if err := w.herder.StopConnector(ctx, "src"); err != nil {
		t.Fatal(err)
	}
	await(t, "the connector to stop", func() bool { return states(w.herder, "src") == "STOPPED" })
	alter := func(offset *data.Map, reset bool) {
		t.Helper()
		var list []connect.PartitionOffset
		if !reset {
			list = []connect.PartitionOffset{{Partition: scriptedPartition, Offset: offset}}
		}
		if _, err := w.herder.AlterOffsets(ctx, "src", list, reset); err != nil {
			t.Fatal(err)
		}
	}
	alter(data.Of("n", data.Int64Value(8)), false)
	if list, err := w.herder.Offsets(ctx, "src"); err != nil || len(list) != 1 || string(list[0].Offset) != `{"n":8}` {
		t.Errorf("altered: %v, %v", list, err)
	}
	alter(nil, true)
	if list, err := w.herder.Offsets(ctx, "src"); err != nil || len(list) != 0 {
		t.Errorf("reset: %v, %v", list, err)
	}
	alter(data.Of("n", data.Int64Value(9)), false)
	if err := w.herder.SetTarget(ctx, "src", connect.Started); err != nil {
		t.Fatal(err)
	}
	await(t, "the last one again", func() bool { return len(b.ReadAll(t, topic)) == 11 })
}
