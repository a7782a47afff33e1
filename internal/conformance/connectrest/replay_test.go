package connectrest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/conformance/connectrest"
)

var modes = []string{"standalone", "distributed"}

// settings are those of a worker of either kind.
func settings(b *brokertest.Broker, mode, dir string) map[string]string {
	all := map[string]string{
		"bootstrap.servers": b.Addr, "key.converter": "org.apache.kafka.connect.storage.StringConverter",
		"value.converter": "org.apache.kafka.connect.storage.StringConverter", "offset.flush.interval.ms": "200",
		"access.control.allow.origin": "https://ui.example", "access.control.allow.methods": "GET,PUT,POST", "response.http.headers.config": "set X-Served-By: connect",
	}
	if mode == "standalone" {
		all["offset.storage.file.filename"] = filepath.Join(dir, "offsets")
		return all
	}
	maps.Copy(all, map[string]string{
		"group.id": "group-" + filepath.Base(dir), "config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"config.storage.topic": filepath.Base(dir) + "-configs", "offset.storage.topic": filepath.Base(dir) + "-offsets", "status.storage.topic": filepath.Base(dir) + "-statuses",
		"offset.storage.partitions": "1", "status.storage.partitions": "1", "scheduled.rebalance.max.delay.ms": "0", "heartbeat.interval.ms": "200",
	})
	return all
}

// run is one run of the script.
type run struct{ dir, topics string }

func newRun(t testing.TB, b *brokertest.Broker) run {
	t.Helper()
	dir := filepath.Join(t.TempDir(), brokertest.At(b.Addr).Name("rest"))
	r := run{dir: dir, topics: filepath.Base(dir) + "-"}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.CreateTopic(t, r.topics+"lines", 1)
	_, _ = kadm.NewClient(b.Client(t)).DeleteGroup(context.Background(), "connect-snk") // of a run before
	return r
}

func (r run) answers(t testing.TB, url, mode string) []connectrest.Answer {
	t.Helper()
	calls, err := connectrest.Script(mode)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := connectrest.Places{URL: url, Mode: mode, Dir: r.dir, Topics: r.topics}.Run(context.Background(), calls)
	if err != nil {
		t.Error(err)
	}
	return answers
}

// ours starts a worker of this program, which ends with the test, and returns its URL.
func ours(t testing.TB, b *brokertest.Broker, mode, dir string) string {
	t.Helper()
	props := config.PropsOf(settings(b, mode, dir))
	props.Set("kafka.compat", "true")
	props.Set("listeners", "http://127.0.0.1:0")
	cfg, err := connect.ParseWorkerConfig(props, mode == "distributed")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var h *connect.Herder
	live := func(ctx context.Context) error { <-ctx.Done(); return nil }
	if mode == "distributed" {
		if h, err = connect.NewDistributed(ctx, cfg, builtin.Plugins(), log); err == nil {
			live = h.Join
		}
	} else {
		h, err = connect.NewStandalone(cfg, builtin.Plugins(), log)
	}
	if err != nil {
		t.Fatal(err)
	}
	server, _, err := rest.Listen(rest.Config{Herder: h, Log: log, Version: connectors.Version})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() { ended <- server.Run(ctx) }()
	go func() { ended <- live(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.Addrs[0]
}

func compare(t *testing.T, mode string, want, got []connectrest.Answer) {
	t.Helper()
	calls, err := connectrest.Script(mode)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, c := range calls {
		if c.Await != nil {
			continue
		}
		if i == len(want) || i == len(got) {
			t.Fatalf("%d answers were expected and %d came: the script has changed, record Kafka's anew with: make conformance-connect", len(want), len(got))
		}
		if d := connectrest.Difference(c, want[i], got[i]); d != "" {
			t.Errorf("line %d: %s\n%s", c.Line, c, d)
		}
		i++
	}
	if i < 150 {
		t.Errorf("only %d calls were made", i)
	}
}

func recorded(mode string) string { return filepath.Join("testdata", "kafka-"+mode+".jsonl") }

func readAnswers(t testing.TB, path string) (out []connectrest.Answer) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var a connectrest.Answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// TestAnswersAreKafkas replays the script against a worker of each mode and compares with what Kafka Connect 4.3.1 answered.
func TestAnswersAreKafkas(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := brokertest.Fake(t)
			r := newRun(t, b)
			compare(t, mode, readAnswers(t, recorded(mode)), r.answers(t, ours(t, b, mode, r.dir), mode))
		})
	}
}
