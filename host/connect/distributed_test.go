package connect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// worker is one of a group, with its API.
type worker struct {
	herder *connect.Herder
	leave  func()
}

// groupSettings are those of a worker of the one group that a broker has in a test.
func groupSettings(b *brokertest.Broker) map[string]string {
	return map[string]string{
		"bootstrap.servers": b.Addr, "key.converter": "StringConverter", "value.converter": "StringConverter", "group.id": b.Name("connect"),
		"config.storage.topic": b.Name("configs"), "offset.storage.topic": b.Name("offsets"), "status.storage.topic": b.Name("statuses"),
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "3", "offset.flush.interval.ms": "50", "listeners": "http://127.0.0.1:0",
		"scheduled.rebalance.max.delay.ms": "0", "heartbeat.interval.ms": "100",
	}
}

func distributed(t testing.TB, b *brokertest.Broker, more map[string]string) *worker {
	t.Helper()
	return distributedWith(t, b, builtin.Plugins(), more)
}

func distributedWith(t testing.TB, b *brokertest.Broker, plugins *connectors.Plugins, more map[string]string) *worker {
	t.Helper()
	props := config.PropsOf(groupSettings(b))
	for k, v := range more {
		props.Set(k, v)
	}
	cfg, err := connect.ParseWorkerConfig(props, true)
	if err != nil {
		t.Fatal(err)
	}
	h, err := connect.NewDistributed(context.Background(), cfg, plugins, quiet())
	if err != nil {
		t.Fatal(err)
	}
	auth, err := rest.NewAuth(cfg.Props)
	if err != nil {
		t.Fatal(err)
	}
	server, _, err := rest.Listen(rest.Config{Herder: h, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, end := context.WithCancel(context.Background())
	left := make(chan error, 2)
	go func() { left <- h.Join(ctx) }()
	go func() { left <- server.Run(served) }()
	gone := false
	w := &worker{herder: h}
	w.leave = func() {
		if gone {
			return
		}
		gone = true
		cancel()
		for range 2 {
			if err := <-left; err != nil {
				t.Error(err)
			}
			end()
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(w.leave)
	return w
}

// TestWorkersShareAndTakeOver has two workers share connectors and one of them leave, in each protocol, and in groups that go from one to
// another.
func TestWorkersShareAndTakeOver(t *testing.T) {
	for _, protocols := range [][2]string{{"sessioned", "sessioned"}, {"compatible", "compatible"}, {"eager", "eager"}, {"eager", "sessioned"}, {"sessioned", "compatible"}} {
		t.Run(strings.Join(protocols[:], "-"), func(t *testing.T) { shareAndTakeOver(t, protocols) })
	}
}

func shareAndTakeOver(t *testing.T, protocols [2]string) {
	b := brokertest.Fake(t)
	dir := t.TempDir()
	topic := b.CreateTopic(t, b.Name("lines"), 4)
	one := distributed(t, b, map[string]string{"connect.protocol": protocols[0]})
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	grow := func(from, to int) {
		f, err := os.OpenFile(in, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := from; i < to; i++ {
			fmt.Fprintf(f, "line %d\n", i)
		}
	}
	grow(0, 500)
	await(t, "a leader", func() bool {
		_, _, err := one.herder.PutConnector(context.Background(), "src", config.PropsOf(map[string]string{"name": "src", "connector.class": "FileStreamSource", "file": in, "topic": topic}), "", true)
		return err == nil
	})
	put(t, one.herder, "snk", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": topic})
	await(t, "the first lines", func() bool { return lines(out) >= 500 })
	two := distributed(t, b, map[string]string{"connect.protocol": protocols[1]})
	await(t, "the second worker to run something", func() bool {
		id := two.herder.Config().WorkerID()
		for _, name := range []string{"src", "snk"} {
			s, err := one.herder.Status(name)
			if err != nil || s.Connector.State != "RUNNING" || len(s.Tasks) != 1 || s.Tasks[0].State != "RUNNING" {
				return false
			}
			if s.Tasks[0].WorkerID == id || s.Connector.WorkerID == id {
				return true
			}
		}
		return false
	})
	// Whichever worker runs a connector has the leader write its tasks.
	for _, name := range []string{"a", "b", "c", "d"} {
		put(t, one.herder, name, map[string]string{"connector.class": "VerifiableSource", "topic": topic + "-more", "count": "0"})
	}
	await(t, "all connectors to have their tasks", func() bool {
		for _, name := range []string{"a", "b", "c", "d"} {
			s, err := one.herder.Status(name)
			if err != nil || s.Connector.State != "RUNNING" || len(s.Tasks) != 1 || s.Tasks[0].State != "RUNNING" {
				return false
			}
		}
		return true
	})
	grow(500, 1000)
	one.leave()
	grow(1000, 1500)
	await(t, "all lines", func() bool {
		text, _ := os.ReadFile(out)
		seen := map[string]bool{}
		for _, l := range strings.Split(string(text), "\n") {
			seen[l] = true
		}
		return len(seen) == 1501 // and what follows the last line
	})
}
