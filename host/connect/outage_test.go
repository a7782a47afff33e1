package connect_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// throughOutage has lines go through a topic while the broker is taken away and brought back, with a worker of each mode.
func throughOutage(t *testing.T, b *brokertest.Broker, outage func(during func())) {
	dir := t.TempDir()
	alone := standalone(t, b.Addr, dir, nil)
	group := distributed(t, b, map[string]string{"session.timeout.ms": "6000"})
	modes := []struct {
		h              *connect.Herder
		in, out, topic string
		source, sink   string
		create         func(name string, settings map[string]string)
	}{
		{h: alone, create: func(name string, s map[string]string) { put(t, alone, name, s) }},
		{h: group.herder, create: func(name string, s map[string]string) { lead(t, group, name, s) }},
	}
	for i := range modes {
		m := &modes[i]
		m.in, m.out, m.topic = filepath.Join(dir, fmt.Sprint("in", i)), filepath.Join(dir, fmt.Sprint("out", i)), b.CreateTopic(t, b.Name(fmt.Sprint("lines", i)), 1)
		appendLines(t, m.in, 0, 500)
		m.source, m.sink = fmt.Sprint("src", i), fmt.Sprint("snk", i)
		m.create(m.source, map[string]string{"connector.class": "FileStreamSource", "file": m.in, "topic": m.topic})
		m.create(m.sink, map[string]string{"connector.class": "FileStreamSink", "file": m.out, "topics": m.topic})
	}
	for _, m := range modes {
		await(t, "the first lines", func() bool { return distinct(m.out) == 500 })
	}
	outage(func() {
		for _, m := range modes {
			appendLines(t, m.in, 500, 1000)
		}
	})
	for _, m := range modes {
		awaitLong(t, "all lines", func() bool { return distinct(m.out) == 1000 })
		awaitLong(t, "everything to run", func() bool {
			return states(m.h, m.source) == "RUNNING RUNNING" && states(m.h, m.sink) == "RUNNING RUNNING"
		})
		seen := map[string]bool{}
		for _, text := range texts(b.ReadAll(t, m.topic)) {
			seen[text] = true
		}
		if len(seen) != 1000 { // what was under way may be there twice, if the worker lost its place in the group
			t.Errorf("%d different lines are in the topic", len(seen))
		}
	}
}

// TestBrokerGoesAway has a broker drop every connection that asks it for anything, for a while.
func TestBrokerGoesAway(t *testing.T) {
	t.Parallel()
	b := brokertest.Fake(t)
	var away atomic.Bool
	var refused atomic.Int64
	b.Fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		if away.Load() {
			refused.Add(1)
			return nil, errors.New("away"), true
		}
		return nil, nil, false
	})
	throughOutage(t, b, func(during func()) {
		away.Store(true)
		during()
		await(t, "requests to be refused", func() bool { return refused.Load() > 50 })
		away.Store(false)
	})
}

// moody is a sink that fails, slows and takes records by turns.
type moody struct {
	picky
	calls atomic.Int64
}

func (m *moody) NewTask() connectors.SinkTask { return moodyTask{pickyTask{&m.picky}, m} }

type moodyTask struct {
	pickyTask
	m *moody
}

func (m moodyTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	if len(records) == 0 {
		return nil
	}
	switch m.m.calls.Add(1) {
	case 1, 3:
		return fault.Retriable.New("not now")
	case 4:
		return fault.Connect.New("the connection broke") // fails the task, which is restarted
	case 5: // slow, for longer than a flush
		slow, cancel := context.WithTimeout(ctx, 4*flushInterval)
		<-slow.Done()
		cancel()
	}
	return m.pickyTask.Put(ctx, records)
}

// flushInterval is that of the workers of tests.
const flushInterval = 50 * time.Millisecond

// TestMoodySinkLosesNothing has a sink ask for records again, fail, and take longer than a flush. Nothing is lost, and what it took before it
// failed is not committed before it is safe.
func TestMoodySinkLosesNothing(t *testing.T) {
	t.Parallel()
	sink := &moody{}
	plugins := func() *connectors.Plugins {
		sink.got = map[string]int{}
		sink.calls.Store(0)
		all := builtin.Plugins()
		all.Add(connectors.Plugin{Class: "Moody", Kind: connectors.KindSink, Version: "1", Sink: func() connectors.SinkConnector { return sink }})
		return all
	}
	inBothModes(t, plugins, func(t *testing.T, b *brokertest.Broker, h *connect.Herder, create func(string, map[string]string)) {
		topic := b.CreateTopic(t, b.Name("in"), 1)
		var records []*kgo.Record
		for i := range 100 {
			records = append(records, &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint(i))})
		}
		b.Produce(t, records...)
		create(b.Name("moody"), map[string]string{"connector.class": "Moody", "topics": topic, "consumer.override.max.poll.records": "10"})
		await(t, "everything", func() bool {
			sink.mu.Lock()
			defer sink.mu.Unlock()
			return len(sink.got) == 100
		})
		await(t, "the offset", func() bool {
			list, err := h.Offsets(context.Background(), b.Name("moody"))
			return err == nil && len(list) == 1 && strings.Contains(string(list[0].Offset), "100")
		})
		if s := states(h, b.Name("moody")); s != "RUNNING RUNNING" {
			t.Errorf("it is %s", s)
		}
	})
}

// silent is a source whose first task does not answer, whoever asks.
type silent struct {
	scripted
	tasks atomic.Int64
	free  chan struct{}
}

func (s *silent) NewTask() connectors.SourceTask {
	if s.tasks.Add(1) > 1 {
		return s.scripted.NewTask()
	}
	return silentTask{s}
}

type silentTask struct{ s *silent }

func (silentTask) Start(*connectors.SourceTaskContext, config.Props) error { return nil }
func (silentTask) Stop() error                                             { return nil }

func (t silentTask) Poll(context.Context) ([]connectors.SourceRecord, error) {
	<-t.s.free
	return nil, nil
}

// TestSilentSourceHoldsNobodyUp has a source's task hang in a poll that heeds nothing. Other connectors run, requests are answered, a restart
// abandons the task and starts another one, and the worker can be closed.
func TestSilentSourceHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("out"), 1)
	source := &silent{free: make(chan struct{})}
	defer close(source.free)
	source.step = func(_ context.Context, s *scriptedTask) error {
		s.count, s.batch, s.topic = 10, 10, topic
		return nil
	}
	w := distributedWith(t, b, withSource(source), map[string]string{"task.shutdown.graceful.timeout.ms": "20"})
	lead(t, w, "hangs", map[string]string{"connector.class": "Scripted"})
	await(t, "the task", func() bool { return states(w.herder, "hangs") == "RUNNING RUNNING" })
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lead(t, w, "other", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": b.Name("other")})
	await(t, "the other connector", func() bool { return states(w.herder, "other") == "RUNNING RUNNING" })
	if err := w.herder.RestartTask(context.Background(), connect.TaskID{Connector: "hangs", Task: 0}); err != nil {
		t.Fatal(err)
	}
	await(t, "what the second task reads", func() bool { return len(b.ReadAll(t, topic)) == 10 })
}
