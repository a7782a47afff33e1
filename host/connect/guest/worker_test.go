package guest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/connect/guest"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// collector is a sink that keeps what it gets.
type collector struct {
	mu  sync.Mutex
	got []string
}

func (*collector) Version() string                                       { return "1" }
func (*collector) ConfigDef() *config.Def                                { return config.NewDef() }
func (*collector) Start(connectors.ConnectorContext, config.Props) error { return nil }
func (*collector) TaskConfigs(int) ([]config.Props, error)               { return []config.Props{{}}, nil }
func (*collector) Stop() error                                           { return nil }
func (*collector) TaskClass() string                                     { return "CollectorTask" }
func (c *collector) NewTask() connectors.SinkTask                        { return collectorTask{c} }

type collectorTask struct{ *collector }

func (collectorTask) Start(connectors.SinkTaskContext, config.Props) error { return nil }

func (collectorTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (c collectorTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		c.got = append(c.got, r.Value.Value.Str())
	}
	return nil
}

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s in vain", what)
		case <-tick.C:
		}
	}
}

// worker is a standalone worker with modules in a folder and a sink that keeps what it gets.
type worker struct {
	*connect.Herder
	modules *guest.Loader
	dir     string
	sink    *collector
}

func newWorker(t *testing.T, b *brokertest.Broker, files map[string]string, more ...string) *worker {
	t.Helper()
	w := &worker{dir: t.TempDir(), sink: &collector{}}
	for name, from := range files {
		code, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		w.install(t, name, code)
	}
	props := config.PropsOf(map[string]string{
		"bootstrap.servers": b.Addr, "key.converter": "StringConverter", "value.converter": "StringConverter", "offset.storage.file.filename": "",
		"offset.flush.interval.ms": "50", "plugin.path": w.dir, "wasm.fuel.per.frame": "20000000", "wasm.fuel.max": "20000000", "wasm.cache.dir": "off",
	})
	for i := 0; i < len(more); i += 2 {
		props.Set(more[i], more[i+1])
	}
	cfg, err := connect.ParseWorkerConfig(props, false)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := guest.ReadConfig(cfg.Props)
	if err != nil {
		t.Fatal(err)
	}
	if w.modules, err = guest.NewLoader(settings); err != nil {
		t.Fatal(err)
	}
	plugins := builtin.Plugins()
	plugins.Add(connectors.Plugin{Class: "Collector", Kind: connectors.KindSink, Version: "1", Sink: func() connectors.SinkConnector { return w.sink }})
	plugins.AddLoader(w.modules)
	if w.Herder, err = connect.NewStandalone(cfg, plugins, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Herder.Close(); err != nil {
			t.Error(err)
		}
		if err := w.modules.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *worker) install(t *testing.T, name string, code []byte) {
	t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.WriteFile(file+".new", code, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func (w *worker) create(t *testing.T, name string, settings map[string]string) {
	t.Helper()
	settings["name"] = name
	if _, _, err := w.PutConnector(t.Context(), name, config.PropsOf(settings), "", true); err != nil {
		t.Fatal(err)
	}
}

// TestPoisonBecomesADeadLetter: of a hundred records ten kill the guest; the others pass once each, the ten are dead letters
// of the stage TRANSFORMATION with a coded message, and the counters add up.
func TestPoisonBecomesADeadLetter(t *testing.T) {
	b := brokertest.Fake(t)
	topic, dlq := b.CreateTopic(t, b.Name("in"), 1), b.Name("dlq")
	words := []string{"trap", "loop", "type", "fail", "schema"}
	var records []*kgo.Record
	for i := range 100 {
		value := fmt.Sprint("good", i)
		if i%10 == 3 {
			value = words[i/10%len(words)]
		}
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(value)})
	}
	b.Produce(t, records...)
	w := newWorker(t, b, map[string]string{"hostile.wasm": "testdata/guests/hostile.wasm"})
	w.create(t, "poisoned", map[string]string{
		"connector.class": "Collector", "topics": topic, "transforms": "x", "transforms.x.type": "wasm:hostile.wasm#hostile",
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": dlq, "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true",
	})
	await(t, "all records", func() bool { n := w.Total(); return n.Written+n.DeadLettered == 100 })
	if n := w.Total(); n.Read != 100 || n.Written != 90 || n.DeadLettered != 10 {
		t.Errorf("counters %+v", n)
	}
	codes := map[string]string{"trap": "E-GUEST-TRAP", "loop": "E-GUEST-BUDGET", "type": "E-GUEST-CONTRACT", "fail": "E-GUEST-ERROR", "schema": "E-GUEST-CONTRACT"}
	cl := b.Client(t, kgo.ConsumeTopics(dlq), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for seen := 0; seen < 10 && ctx.Err() == nil; {
		for _, r := range cl.PollFetches(ctx).Records() {
			seen++
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			if message := headers["__connect.errors.exception.message"]; headers["__connect.errors.stage"] != "TRANSFORMATION" ||
				headers["__connect.errors.class.name"] != "wasm:hostile.wasm#hostile" || !strings.HasPrefix(message, codes[string(r.Value)]+" "+topic+"-0@") {
				t.Errorf("dead letter %s: %v", r.Value, headers)
			}
		}
	}
	if ctx.Err() != nil {
		t.Fatal("the dead letters are not all there")
	}
}

// TestAPoisonFailsTheTask: without tolerance the task fails, and its status says why.
func TestAPoisonFailsTheTask(t *testing.T) {
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("in"), 1)
	b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("trap")})
	w := newWorker(t, b, map[string]string{"hostile.wasm": "testdata/guests/hostile.wasm"})
	w.create(t, "poisoned", map[string]string{"connector.class": "Collector", "topics": topic, "transforms": "x", "transforms.x.type": "wasm:hostile.wasm#hostile"})
	await(t, "the failure", func() bool { return w.FirstFailure() != "" })
	if trace := w.FirstFailure(); !strings.Contains(trace, "E-GUEST-TRAP "+topic+"-0@0") || !strings.Contains(trace, "unreachable") {
		t.Error(trace)
	}
}

// TestReloadWhileRecordsFlow replaces a module under a running task: each record passes once, by the old version or the new
// one, and never again by the old one after the first by the new.
func TestReloadWhileRecordsFlow(t *testing.T) {
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("in"), 1)
	w := newWorker(t, b, map[string]string{"connect.wasm": "../../../examples/connect/connect.wasm"})
	w.create(t, "masked", map[string]string{"connector.class": "Collector", "topics": topic, "transforms": "x", "transforms.x.type": "wasm:connect.wasm#redact"})
	produce := func(from, n int) {
		var records []*kgo.Record
		for i := range n {
			records = append(records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "4111111111111111, %d", from+i)})
		}
		b.Produce(t, records...)
	}
	produce(0, 300)
	await(t, "the first records", func() bool { return w.Total().Written == 300 })
	code, err := os.ReadFile(filepath.Join(w.dir, "connect.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+2 < len(code); i++ { // i32.const '*', i32.store8
		if code[i] == 0x41 && code[i+1] == '*' && code[i+2] == 0x3a {
			code[i+1] = '#'
		}
	}
	w.install(t, "connect.wasm", code)
	produce(300, 300)
	done, err := w.modules.Reload(t.Context(), "")
	if err != nil || len(done) != 1 || done[0].Error != "" || done[0].Running != 1 || done[0].Old == done[0].New {
		t.Fatalf("%+v %v", done, err)
	}
	produce(600, 300)
	await(t, "all records", func() bool { return w.Total().Written == 900 })
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	swapped := false
	for i, got := range w.sink.got {
		mask := "*"
		if swapped = swapped || strings.HasPrefix(got, "#"); swapped {
			mask = "#"
		}
		if want := strings.Repeat(mask, 12) + fmt.Sprintf("1111, %d", i); got != want {
			t.Fatalf("record %d is %s, want %s", i, got, want)
		}
	}
	if last := w.sink.got[len(w.sink.got)-1]; !strings.HasPrefix(last, "#") {
		t.Errorf("the new module did not take over: %s", last)
	}
}

// TestSettingsInConfigInfos: settings of plugins in modules are validated with all others, all faults at once.
func TestSettingsInConfigInfos(t *testing.T) {
	b := brokertest.Fake(t)
	w := newWorker(t, b, map[string]string{"connect.wasm": "../../../examples/connect/connect.wasm"})
	infos, err := w.Validate(config.PropsOf(map[string]string{
		"name": "x", "connector.class": "Collector", "topics": "t", "transforms": "a,b,c", "predicates": "p",
		"transforms.a.type": "wasm:connect.wasm#route", "transforms.b.type": "wasm:connect.wasm#has-field", "transforms.c.type": "wasm:conect.wasm#redact",
		"predicates.p.type": "wasm:connect.wasm#has-field", "predicates.p.field": "f", "value.converter": "wasm:connect.wasm#redact",
	}))
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{}
	shown := map[string]bool{}
	for _, c := range infos.Configs {
		faults[c.Value.Name] = strings.Join(c.Value.Errors, "; ")
		shown[c.Value.Name] = c.Key != nil
	}
	for name, says := range map[string]string{
		"transforms.a.field": `Missing required configuration "transforms.a.field"`, "transforms.b.type": "Transformation", "transforms.c.type": "did you mean \"connect.wasm\"", "predicates.p.field": "", "value.converter": "Converter",
	} {
		if !strings.Contains(faults[name], says) || says == "" && faults[name] != "" {
			t.Errorf("%s: %q, want %q", name, faults[name], says)
		}
	}
	if !shown["transforms.a.prefix"] {
		t.Error("a setting of a module is not shown")
	}
}

// TestPluginsOverREST: plugins in modules are listed, described, checked and replaced by the worker's API.
func TestPluginsOverREST(t *testing.T) {
	b := brokertest.Fake(t)
	w := newWorker(t, b, map[string]string{"connect.wasm": "../../../examples/connect/connect.wasm"})
	if err := os.MkdirAll(filepath.Join(w.dir, "shop"), 0o700); err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(filepath.Join(w.dir, "connect.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	w.install(t, "shop/again.wasm", code)
	server := httptest.NewServer(rest.NewHandler(rest.Config{Herder: w.Herder, Modules: w.modules, Log: slog.New(slog.DiscardHandler), Admin: true}))
	defer server.Close()
	for _, c := range []struct {
		method, path, body string
		status             int
		says               []string
	}{
		{"GET", "/connector-plugins", "", 200, nil},
		{"GET", "/connector-plugins?connectorsOnly=false", "", 200, []string{
			`{"class":"wasm:connect.wasm#redact","type":"transformation","version":"1.0.0"}`, `{"class":"wasm:shop/again.wasm#has-field","type":"predicate","version":"1.0.0"}`,
		}},
		{"GET", "/connector-plugins/wasm:connect.wasm%23route/config", "", 200, []string{`"name":"field"`, `"required":true`, `"name":"prefix"`}},
		{"GET", "/connector-plugins/wasm%3Ashop%2Fagain.wasm%23route/config", "", 200, []string{`"name":"field"`}},
		{"GET", "/connector-plugins/wasm:connect.wasm%23rout/config", "", 404, nil},
		{"PUT", "/connector-plugins/Collector/config/validate", `{"name":"x","connector.class":"Collector","topics":"t","transforms":"a","transforms.a.type":"wasm:connect.wasm#route"}`, 200, []string{
			`"error_count":1`, `Missing required configuration \"transforms.a.field\"`,
		}},
		{"POST", "/admin/modules/reload", "", 200, []string{`"module":"connect.wasm"`, `"module":"shop/again.wasm"`}},
		{"POST", "/admin/modules/reload?module=none.wasm", "", 404, []string{"E-CONNECT-PLUGIN"}},
		{"GET", "/admin/modules/reload", "", 405, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, resp.StatusCode, err, body)
		}
		for _, text := range c.says {
			if !strings.Contains(string(body), text) {
				t.Errorf("%s %s: no %s in %s", c.method, c.path, text, body)
			}
		}
	}
}

// lineServer gives numbered lines and takes posts.
type lineServer struct {
	*httptest.Server
	mu    sync.Mutex
	lines int
	got   []string
	after []string
	busy  int // posts that are refused as busy
}

func newLineServer(t *testing.T, lines int) *lineServer {
	s := &lineServer{lines: lines}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			if s.busy > 0 {
				s.busy--
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			s.got = append(s.got, string(body))
			return
		}
		s.after = append(s.after, r.URL.Query().Get("after"))
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		for i := after; i < s.lines; i++ {
			fmt.Fprintf(w, "line %d\n", i)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// count is how many different lines were posted.
func (s *lineServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, line := range s.got {
		seen[line] = true
	}
	return len(seen)
}

// TestConnectorsInModules runs the source in Go and the sink in Rust on one worker: all lines arrive, also those of batches
// that came again, and a source that is made anew goes on behind its offset.
func TestConnectorsInModules(t *testing.T) {
	if testing.Short() {
		return // toolchains for Go and Rust guests are not on every machine
	}
	b := brokertest.Fake(t)
	topic := b.CreateTopic(t, b.Name("lines"), 1)
	server := newLineServer(t, 300)
	server.busy = 2
	w := newWorker(t, b, nil, "wasm.egress.allow", strings.TrimPrefix(server.URL, "http://"), "wasm.egress.networks", "127.0.0.0/8", "wasm.fuel.max", "4000000000", "wasm.fuel.per.frame", "50000000")
	w.install(t, "go.wasm", guestbuild.Load(t, "connect-go"))
	w.install(t, "rust.wasm", guestbuild.Load(t, "connect-rust"))
	source := map[string]string{"connector.class": "wasm:go.wasm#poll", "url": server.URL + "/lines", "topic": topic, "poll.interval.ms": "5"}
	w.create(t, "poll", source)
	w.create(t, "hook", map[string]string{
		"connector.class": "wasm:rust.wasm#webhook", "topics": topic, "url": server.URL + "/hook", "errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "10",
	})
	await(t, "the lines", func() bool { return server.count() >= 300 })
	await(t, "the offset", func() bool {
		list, err := w.Offsets(t.Context(), "poll")
		return err == nil && len(list) == 1 && strings.Contains(string(list[0].Offset), `"line":300`)
	})
	server.mu.Lock()
	server.lines, server.after = 500, nil
	server.mu.Unlock()
	source["poll.interval.ms"] = "6" // a change of settings restarts the connector
	w.create(t, "poll", source)
	await(t, "the lines that came later", func() bool { return server.count() >= 500 })
	server.mu.Lock()
	defer server.mu.Unlock()
	for i := range 500 {
		if !slices.Contains(server.got, fmt.Sprintf("line %d", i)) {
			t.Errorf("line %d is missing", i)
		}
	}
	for _, after := range server.after {
		if n, _ := strconv.Atoi(after); n < 300 {
			t.Errorf("the source began anew at %s", after)
		}
	}
}
