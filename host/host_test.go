package host

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestMain holds that nothing stays behind; the broker that tests may share lives as long as they do.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"))
}

const filterApp = `apiVersion: wasmstream/v1
kind: Application
config: {application.id: APP, bootstrap.servers: "BROKER", default.value.serde: string, commit.interval.ms: 50}
modules:
  guest: {path: guest.wasm}
operators:
  - stream: {topics: [IN]}
  - filter: {guest: guest/all}
  - to: {topic: OUT}
`

// app is an application in a folder of its own, with one guest that lets every record pass.
type app struct {
	t       testing.TB
	b       *brokertest.Broker
	dir     string
	in, out string
	admin   string
	reloads chan reloadResult
	stop    context.CancelFunc
	ended   chan error
}

type reloadResult struct {
	Reloaded
	err error
}

func newApp(t testing.TB, b *brokertest.Broker) *app {
	t.Helper()
	a := &app{t: t, b: b, dir: t.TempDir(), reloads: make(chan reloadResult, 64)}
	a.in, a.out = b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	document := strings.NewReplacer("APP", b.Name("app"), "BROKER", b.Addr, "IN", a.in, "OUT", a.out).Replace(filterApp)
	a.write("app.yaml", []byte(document))
	a.write("guest.wasm", version(t, 0))
	return a
}

func (a *app) write(name string, data []byte) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), data, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// version is the guest with a custom section that changes its digest and nothing else.
func version(t testing.TB, n byte) []byte {
	t.Helper()
	data, err := os.ReadFile("wasm/tck/testdata/bad/base.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(data), 0, 3, 1, 'v', n)
}

func (a *app) config() Config {
	a.t.Helper()
	cfg, err := Load(filepath.Join(a.dir, "app.yaml"), LoadOptions{Set: []string{"state.dir=" + a.t.TempDir(), "wasm.cache.dir=off"}})
	if err != nil {
		a.t.Fatal(err)
	}
	cfg.ReloadListener = func(r Reloaded, err error) { a.reloads <- reloadResult{r, err} }
	return cfg
}

// run starts the application and waits until it runs.
func (a *app) run(change func(*Config)) *Host {
	a.t.Helper()
	cfg := a.config()
	running, admin := make(chan struct{}, 1), make(chan string, 1)
	cfg.Admin = "127.0.0.1:0"
	cfg.AdminListener = func(addr string) { admin <- addr }
	cfg.StateListener = func(now, _ string) {
		if now == "RUNNING" {
			select {
			case running <- struct{}{}:
			default:
			}
		}
	}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	var ctx context.Context
	ctx, a.stop = context.WithCancel(context.Background())
	a.ended = make(chan error, 1)
	go func() { a.ended <- h.Run(ctx) }()
	a.t.Cleanup(a.end)
	select {
	case <-running:
	case err := <-a.ended:
		a.ended <- err
		a.t.Fatalf("it ended: %v", err)
	}
	a.admin = <-admin
	return h
}

func (a *app) end() {
	a.stop()
	err := <-a.ended
	a.ended <- err
	if err != nil && !a.t.Failed() {
		a.t.Errorf("it ended with %v", err)
	}
}

// passes has n records through the application.
func (a *app) passes(n int) {
	a.t.Helper()
	a.b.Produce(a.t, &kgo.Record{Topic: a.in, Value: []byte("x")})
	if got := len(a.b.Read(a.t, a.out, n)); got != n {
		a.t.Errorf("%d records came out, want %d", got, n)
	}
}

func (a *app) ask(method, path, contentType string, body []byte) (int, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.admin+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestAdminServer(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	a.run(nil)
	a.passes(1)
	for _, c := range []struct {
		method, path, contentType string
		body                      []byte
		status                    int
		want                      string
	}{
		{"GET", "/livez", "", nil, 200, "ok"},
		{"GET", "/readyz", "", nil, 200, "RUNNING"},
		{"GET", "/metrics", "", nil, 200, "wasmstream_client_state"},
		{"GET", "/metrics", "", nil, 200, "go_goroutines"},
		{"GET", "/debug/pprof/", "", nil, 200, "heap"},
		{"GET", "/nothing", "", nil, 404, ""},
		{"GET", "/reload", "", nil, 405, ""},
		{"POST", "/reload", "text/plain", version(t, 1), 415, "application/wasm"},
		{"POST", "/reload", wasmType, []byte("text"), 422, errs.ReloadFailed.ID},
		{"POST", "/reload", wasmType, make([]byte, wasm.MaxModuleBytes+1), 413, errs.ModuleTooLarge.ID},
		{"POST", "/reload?module=gust", wasmType, version(t, 1), 422, errs.ReloadRefused.ID},
		{"POST", "/reload", wasmType, version(t, 1), 200, wasm.Digest(version(t, 1))},
		{"POST", "/reload?module=guest", wasmType, version(t, 2), 200, wasm.Digest(version(t, 1))},
		{"GET", "/metrics", "", nil, 200, `,result="done"} 2`},
		{"GET", "/metrics", "", nil, 200, `,result="failed"} 1`},
		{"GET", "/metrics", "", nil, 200, `,result="refused"} 1`},
	} {
		status, body := a.ask(c.method, c.path, c.contentType, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %.300s; want %d %s", c.method, c.path, status, body, c.status, c.want)
		}
	}
	a.passes(2)
}

// TestAdminServerIsForThisMachine: a page of another origin that has its name point to loopback gets nothing.
func TestAdminServerIsForThisMachine(t *testing.T) {
	served := false
	handler := localOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
	for host, want := range map[string]bool{"127.0.0.1:9": true, "localhost:9": true, "[::1]:9": true, "evil.example:9": false, "10.0.0.1": false, "": false} {
		served = false
		req, err := http.NewRequest(http.MethodGet, "/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		handler.ServeHTTP(discard{}, req)
		if served != want {
			t.Errorf("asked as %q it is served: %v", host, served)
		}
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestWatchReplacesAModule(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	a.run(func(cfg *Config) { cfg.Watch = true })
	a.passes(1)
	a.write("guest.wasm", version(t, 1))
	if r := <-a.reloads; r.err != nil || r.New != wasm.Digest(version(t, 1)) || r.Old != wasm.Digest(version(t, 0)) {
		t.Fatalf("writing over the file: %+v", r)
	}
	a.write("next", version(t, 2))
	if err := os.Rename(filepath.Join(a.dir, "next"), filepath.Join(a.dir, "guest.wasm")); err != nil {
		t.Fatal(err)
	}
	if r := <-a.reloads; r.err != nil || r.New != wasm.Digest(version(t, 2)) {
		t.Fatalf("renaming over the file: %+v", r)
	}
	a.passes(2)
}

// TestHalfWrittenFilesAreWaitedOut: a file that is no whole module is left alone for a while, then told.
func TestHalfWrittenFilesAreWaitedOut(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	h := a.run(nil)
	whole := version(t, 1)
	a.write("guest.wasm", whole[:len(whole)/2])
	changed := map[string]time.Time{"guest": time.Now()}
	h.reloadChanged(t.Context(), changed)
	if len(changed) != 1 || len(a.reloads) != 0 {
		t.Fatalf("half a module is taken: %v", changed)
	}
	a.write("guest.wasm", whole)
	h.reloadChanged(t.Context(), changed)
	if r := <-a.reloads; len(changed) != 0 || r.err != nil || r.New != wasm.Digest(whole) {
		t.Fatalf("the whole module is not taken: %+v", r)
	}
	a.write("guest.wasm", whole[:9])
	h.reloadChanged(t.Context(), map[string]time.Time{"guest": time.Now().Add(-2 * patience)})
	if r := <-a.reloads; !errs.ReloadFailed.Is(r.err) {
		t.Fatalf("a broken module is told as %+v", r)
	}
	a.passes(1)
}

// TestRefusedRecordEndsTheApplication: the broker refuses a record for what it is; trying again would not help.
func TestRefusedRecordEndsTheApplication(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	a.b.Produce(t, &kgo.Record{Topic: a.in, Value: []byte("x")})
	a.b.Fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		a.b.Fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			answer := kmsg.NewProduceResponseTopic()
			answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, kerr.InvalidRecord.Code
				answer.Partitions = append(answer.Partitions, partition)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
	h, err := New(a.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Run(t.Context()); !errs.RecordProduction.Is(err) || errs.Exit(err) != errs.ExitRuntime {
		t.Errorf("it ended with %v", err)
	}
	if h.State() != "ERROR" {
		t.Errorf("its state is %s", h.State())
	}
	if err := h.Run(t.Context()); err == nil {
		t.Error("it ran a second time")
	}
}

func TestConfigFaults(t *testing.T) {
	if _, err := New(Config{}); !errs.TopologyNoSource.Is(err) || !errs.ConfigMissing.Is(err) {
		t.Errorf("an empty configuration gives %v", err)
	}
	a := newApp(t, brokertest.Fake(t))
	for addr, code := range map[string]errs.Code{"0.0.0.0:1": errs.CLINotLoopback, "9090": errs.CLIUsage} {
		cfg := a.config()
		cfg.Admin = addr
		if _, err := New(cfg); !code.Is(err) {
			t.Errorf("--admin %s gives %v", addr, err)
		}
	}
	if _, err := Load(filepath.Join(a.dir, "app.yaml"), LoadOptions{Set: []string{"broken"}}); !errs.CLIUsage.Is(err) {
		t.Errorf("a broken setting gives %v", err)
	}
}

// TestReloadKeepsThePin: a module that is pinned by its digest is replaced by no other, and nothing before the start.
func TestReloadKeepsThePin(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	pinned := wasm.Digest(version(t, 0))
	h := a.run(func(cfg *Config) {
		m := cfg.Modules["guest"]
		m.Digest = pinned
		cfg.Modules["guest"] = m
	})
	if r, err := h.Reload(t.Context(), "", version(t, 0)); err != nil || !r.Unchanged() {
		t.Errorf("the pinned module itself: %v, %v", r, err)
	}
	if _, err := h.Reload(t.Context(), "", version(t, 1)); !errs.ModuleDigest.Is(err) || !strings.Contains(err.Error(), pinned) {
		t.Errorf("another module: %v", err)
	}
	a.passes(1)
	idle, err := New(a.config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Reload(t.Context(), "", version(t, 1)); !errs.ReloadNotReady.Is(err) {
		t.Errorf("before the start: %v", err)
	}
}

// TestCheckFindsEveryFault joins those of settings, topology and modules.
func TestCheckFindsEveryFault(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	a.write("guest.wasm", []byte("text"))
	cfg, err := Load(filepath.Join(a.dir, "app.yaml"), LoadOptions{Set: []string{"poll.ms=x"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Check(t.Context()); !errs.ConfigInvalid.Is(err) || !errs.ModuleNotWasm.Is(err) {
		t.Errorf("got %v", err)
	}
	a.write("guest.wasm", version(t, 0))
	if err := a.config().Check(t.Context()); err != nil {
		t.Errorf("a good application: %v", err)
	}
}

func TestAdminErrorsTravel(t *testing.T) {
	sent := errs.ReloadRefused.New("w", "what", "fix").WithDetail("a\nb").WithCause(io.ErrUnexpectedEOF)
	body, err := json.Marshal(describeError(sent))
	if err != nil {
		t.Fatal(err)
	}
	if got := (adminRequest{code: errs.ReloadUnreachable}).refusal("addr", "422", body); got.Error() != sent.Error() || !errs.ReloadRefused.Is(got) {
		t.Errorf("got %v, want %v", got, sent)
	}
	if got := describeError(io.ErrUnexpectedEOF); got.Code != errs.RuntimeError.ID {
		t.Errorf("got %v", got)
	}
	if got := (adminRequest{code: errs.ReloadUnreachable}).refusal("addr", "404 Not Found", []byte("<html>")); !errs.ReloadUnreachable.Is(got) {
		t.Errorf("got %v", got)
	}
}
