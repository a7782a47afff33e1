package connect_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// picky is a sink that refuses records with "bad" in them, and the whole batch with them.
type picky struct {
	mu  sync.Mutex
	got map[string]int
}

func (*picky) Version() string                                       { return "1" }
func (*picky) ConfigDef() *config.Def                                { return config.NewDef() }
func (*picky) Start(connectors.ConnectorContext, config.Props) error { return nil }
func (*picky) TaskConfigs(int) ([]config.Props, error)               { return []config.Props{{}}, nil }
func (*picky) Stop() error                                           { return nil }
func (*picky) TaskClass() string                                     { return "PickyTask" }
func (p *picky) NewTask() connectors.SinkTask                        { return pickyTask{p} }

type pickyTask struct{ *picky }

func (pickyTask) Start(connectors.SinkTaskContext, config.Props) error             { return nil }
func (pickyTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (p pickyTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		if strings.Contains(r.Value.Value.String(), "bad") {
			return fault.Connect.New("it is bad")
		}
	}
	for _, r := range records {
		p.got[r.Value.Value.String()]++
	}
	return nil
}

// TestRefusedRecordsBecomeDeadLetters has a sink refuse half of each batch: the other half is delivered once, the refused
// ones are in the queue with their stage, and the counters add up.
func TestRefusedRecordsBecomeDeadLetters(t *testing.T) {
	b := brokertest.Fake(t)
	topic, dlq := b.CreateTopic(t, b.Name("in"), 1), b.Name("dlq")
	var records []*kgo.Record
	for i := range 100 {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint([]string{"good", "bad"}[i%2], i))})
	}
	b.Produce(t, records...)
	sink := &picky{got: map[string]int{}}
	plugins := builtin.Plugins()
	plugins.Add(connectors.Plugin{Class: "Picky", Kind: connectors.KindSink, Version: "1", Sink: func() connectors.SinkConnector { return sink }})
	cfg, err := connect.ParseWorkerConfig(config.PropsOf(map[string]string{
		"bootstrap.servers": b.Addr, "key.converter": "StringConverter", "value.converter": "StringConverter", "offset.storage.file.filename": "", "offset.flush.interval.ms": "50",
	}), false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := connect.NewStandalone(cfg, plugins, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	put(t, h, "picky", map[string]string{
		"connector.class": "Picky", "topics": topic, "errors.tolerance": "all", "errors.deadletterqueue.topic.name": dlq,
		"errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true",
	})
	await(t, "all records", func() bool { n := h.Total(); return n.Written+n.DeadLettered == 100 })
	if n := h.Total(); n.Read != 100 || n.Written != 50 || n.Skipped != 50 {
		t.Errorf("counters %+v", n)
	}
	for value, times := range sink.got {
		if times != 1 {
			t.Errorf("%s was delivered %d times", value, times)
		}
	}
	cl := b.Client(t, kgo.ConsumeTopics(dlq), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for seen := 0; seen < 50; {
		for _, r := range cl.PollFetches(ctx).Records() {
			seen++
			stage := ""
			for _, header := range r.Headers {
				if header.Key == "__connect.errors.stage" {
					stage = string(header.Value)
				}
			}
			if !strings.HasPrefix(string(r.Value), "bad") || stage != "TASK_PUT" {
				t.Errorf("dead letter %s of stage %s", r.Value, stage)
			}
		}
		if ctx.Err() != nil {
			t.Fatal("the dead letters are not all there")
		}
	}
	await(t, "the offsets", func() bool {
		list, err := h.Offsets(context.Background(), "picky")
		return err == nil && len(list) == 1 && strings.Contains(string(list[0].Offset), "100")
	})
}
