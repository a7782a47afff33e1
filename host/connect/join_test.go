package connect_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// heldJoins is a broker whose groups nobody can join before release is closed.
func heldJoins(t *testing.T) (b *brokertest.Broker, release chan struct{}) {
	b, release = brokertest.Fake(t), make(chan struct{})
	b.Fake.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		b.Fake.SleepControl(func() { <-release })
		return nil, nil, false
	})
	return b, release
}

// TestRequestsWaitForTheGroup asks a worker that has not joined its group yet: what only the leader may answer waits, /health says that the
// worker is starting, and a request whose time is over hears what the worker is doing.
func TestRequestsWaitForTheGroup(t *testing.T) {
	t.Parallel()
	b, release := heldJoins(t)
	w := distributed(t, b, nil)
	hasty := rest.NewHandler(rest.Config{Herder: w.herder, Timeout: time.Millisecond, HealthTimeout: time.Millisecond})
	call := func(method, path, body string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		out := httptest.NewRecorder()
		hasty.ServeHTTP(out, r)
		return out.Code, out.Body.String()
	}
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/health", 503, `{"status":"starting","message":"Worker is still starting up. The worker is currently ensuring membership in the cluster, which began at `},
		{"DELETE", "/connectors/c", 500, `"Request timed out. The worker is currently ensuring membership in the cluster, which began at `},
		{"PUT", "/connectors/c/stop", 500, "Request timed out. The worker is currently ensuring membership"},
		{"GET", "/connectors", 200, "[]"},
	} {
		if code, body := call(c.method, c.path, ""); code != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
	}
	url := strings.TrimSuffix(w.herder.Config().AdvertisedURL, "/")
	answered := make(chan int, 1)
	settings := `{"connector.class":"FileStreamSource","file":"` + filepath.Join(t.TempDir(), "in") + `","topic":"lines"}`
	go func() {
		code, body := ask(t, "PUT", url+"/connectors/c/config", settings)
		if code != http.StatusCreated {
			t.Errorf("%d %s", code, body)
		}
		answered <- code
	}()
	close(release)
	<-answered
	if err := w.herder.AwaitStarted(context.Background()); err != nil {
		t.Error(err)
	}
	if code, body := call("GET", "/health", ""); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}

// TestWaitingRequestsEndWithTheWorker has a worker end that never got into its group.
func TestWaitingRequestsEndWithTheWorker(t *testing.T) {
	t.Parallel()
	b, release := heldJoins(t)
	defer close(release)
	w := distributed(t, b, nil)
	api := rest.NewHandler(rest.Config{Herder: w.herder})
	out := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		api.ServeHTTP(out, httptest.NewRequest("DELETE", "/connectors/c", nil))
	}()
	w.leave()
	<-done
	if out.Code != http.StatusInternalServerError || !strings.Contains(out.Body.String(), "Worker is shutting down") {
		t.Errorf("%d %s", out.Code, out.Body)
	}
}

// TestEndsThoughTheBrokerIsSilent has a broker stop to answer, without closing connections, under a worker that has something to commit and
// to tell: it ends all the same.
func TestEndsThoughTheBrokerIsSilent(t *testing.T) {
	t.Parallel()
	b := brokertest.Fake(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	appendLines(t, in, 0, 100)
	w := distributed(t, b, map[string]string{"task.shutdown.graceful.timeout.ms": "200"})
	lead(t, w, "src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": b.CreateTopic(t, "lines", 1)})
	lead(t, w, "snk", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines"})
	await(t, "the lines", func() bool { return lines(out) == 100 && states(w.herder, "snk") == "RUNNING RUNNING" })
	silent := make(chan struct{})
	defer close(silent)
	b.Fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		b.Fake.SleepControl(func() { <-silent })
		return nil, nil, false
	})
	appendLines(t, in, 100, 200)
	w.leave()
}

// TestIdleConnectionsHoldNobodyUp has a client connect without a word, as browsers do, and another one wait for its answer: the server ends
// without an error.
func TestIdleConnectionsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	h := standalone(t, "localhost:1", t.TempDir(), map[string]string{"listeners": "http://127.0.0.1:0"})
	server, _, err := rest.Listen(rest.Config{Herder: h})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	for range 3 {
		c, err := net.Dial("tcp", server.Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if code, body := ask(t, "GET", "http://"+server.Addrs[0]+"/connectors", ""); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
