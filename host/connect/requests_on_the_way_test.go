package connect_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// followed is the place of a worker in a group that another one leads, as the test says.
type followed struct {
	mu      sync.Mutex
	leader  string
	changed chan struct{}
}

func (f *followed) Leader() (bool, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return false, f.leader
}

func (f *followed) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *followed) lead(url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader = url
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *followed) AwaitLeader(context.Context) error { return nil }
func (f *followed) Owner(connect.TaskID) string       { return "" }
func (f *followed) Rejoin()                           {}
func (f *followed) Confirm(context.Context) error     { return nil }

// TestAFrozenLeaderIsNotWaitedFor sends requests on to a leader that takes them and never answers: they end when the group has another
// leader, with what clients ask again for, and otherwise when a request may last no longer, with what was waited for.
func TestAFrozenLeaderIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 10)
	frozen := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server sees the connection end
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer frozen.Close()
	h := standalone(t, brokertest.Fake(t).Addr, t.TempDir(), nil)
	member := &followed{leader: frozen.URL + "/", changed: make(chan struct{})}
	h.UseMember(member)

	type answer struct {
		code int
		body string
	}
	send := func(c rest.Config) chan answer {
		c.Herder = h
		api, got := rest.NewHandler(c), make(chan answer, 1)
		go func() {
			out := httptest.NewRecorder()
			r := httptest.NewRequest("PUT", "/connectors/c/config", strings.NewReader("{"+quietSource+"}"))
			r.Header.Set("Content-Type", "application/json")
			api.ServeHTTP(out, r)
			got <- answer{out.Code, out.Body.String()}
		}()
		return got
	}
	got := send(rest.Config{})
	<-arrived
	member.lead("")                 // a rebalance
	member.lead(frozen.URL + "/")   // which changed nothing
	member.lead("http://127.0.0.1") // another leader
	select {
	case a := <-got:
		if a.code != http.StatusConflict || !strings.Contains(a.body, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)") {
			t.Errorf("%d %s", a.code, a.body)
		}
	case <-time.After(requestPatience):
		t.Fatal("no answer")
	}
	member.lead(frozen.URL + "/")
	a := <-send(rest.Config{Timeout: 200 * time.Millisecond})
	if a.code != http.StatusInternalServerError || !strings.Contains(a.body, "Request timed out. The worker is currently waiting for the answer of the worker "+frozen.URL) {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// TestBodiesThatDoNotCome opens requests whose bodies are slow or cut off: neither holds a connection.
func TestBodiesThatDoNotCome(t *testing.T) {
	t.Parallel()
	h := standalone(t, brokertest.Fake(t).Addr, t.TempDir(), nil)
	for what, want := range map[string]string{"slow": "408", "cut": "400"} {
		cfg := rest.Config{Herder: h}
		if what == "slow" {
			cfg.BodyTimeout = 100 * time.Millisecond
		}
		server := httptest.NewServer(rest.NewHandler(cfg))
		defer server.Close()
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(requestPatience))
		fmt.Fprint(conn, "POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		if what == "cut" {
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%s: %q %v", what, answer, err)
		}
	}
}

// TestPagesOfOtherSites sends what browsers send for a page of another site without asking beforehand.
func TestPagesOfOtherSites(t *testing.T) {
	b := brokertest.Fake(t)
	for _, c := range []struct {
		settings map[string]string
		headers  map[string]string
		want     int
	}{
		{nil, map[string]string{"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}, http.StatusForbidden},
		{nil, map[string]string{"Origin": "http://evil.test"}, http.StatusUnsupportedMediaType}, // a browser that does not say so
		{nil, map[string]string{"Origin": "http://evil.test", "Content-Type": "text/plain"}, http.StatusUnsupportedMediaType},
		{nil, map[string]string{"Origin": "http://ui.test", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}, http.StatusCreated}, // a UI in front
		{nil, map[string]string{}, http.StatusCreated}, // no browser
		{map[string]string{"access.control.allow.origin": "http://ui.test"}, map[string]string{"Origin": "http://ui.test", "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}, http.StatusCreated},
	} {
		h := standalone(t, b.Addr, t.TempDir(), c.settings)
		r := httptest.NewRequest("POST", "/connectors", strings.NewReader(`{"name":"c","config":{`+quietSource+`}}`))
		for name, value := range c.headers {
			r.Header.Set(name, value)
		}
		out := httptest.NewRecorder()
		rest.NewHandler(rest.Config{Herder: h}).ServeHTTP(out, r)
		if out.Code != c.want {
			t.Errorf("%v: %d %s", c.headers, out.Code, out.Body.String())
		}
	}
}
