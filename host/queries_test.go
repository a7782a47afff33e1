package host

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

const countApp = `apiVersion: wasmstream/v1
kind: Application
config: {application.id: APP, bootstrap.servers: "BROKER", default.key.serde: string, default.value.serde: string, commit.interval.ms: 20}
operators:
  - stream: {topics: [IN]}
  - groupByKey: {}
  - count: {materialized: counts}
`

// TestQueryAnywhere embeds two processes of an application: each answers for all keys.
func TestQueryAnywhere(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		one := newApp(t, b)
		one.in = b.CreateTopic(t, b.Name("clicks"), 3)
		document := strings.NewReplacer("APP", b.Name("app"), "BROKER", b.Addr, "IN", one.in).Replace(countApp)
		one.write("app.yaml", []byte(document))
		two := *one
		two.dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(two.dir, "app.yaml"), []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		hosts := []*Host{one.run(nil), two.run(nil)}
		defer two.end()
		defer one.end()
		keys := []string{"a", "b", "c", "d", "e"}
		for _, k := range keys {
			b.Produce(t, &kgo.Record{Topic: one.in, Key: []byte(k), Value: []byte("x")})
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for _, h := range hosts {
			for _, k := range keys {
				for !holds(ctx, h, k) {
					if ctx.Err() != nil {
						t.Fatalf("nobody says what the count of %s is", k)
					}
				}
			}
			var got []string
			if err := h.QueryEach(ctx, StoreQuery{Store: "counts", Type: stream.RangeQuery}, func(r QueryRow) error {
				got = append(got, string(r.Key))
				return nil
			}); err != nil || len(got) != len(keys) {
				t.Errorf("all keys are %v, %v", got, err)
			}
			if _, err := h.Query(ctx, StoreQuery{Store: "counts", Type: stream.RangeQuery, Partition: ByKey}); !errs.QueryInvalid.Is(err) {
				t.Errorf("a query of no partition gave %v", err)
			}
		}
	})
}

// holds tells whether the count of a key is 1, wherever it is.
func holds(ctx context.Context, h *Host, key string) bool {
	answer, err := h.Query(ctx, StoreQuery{Store: "counts", Type: stream.KeyQuery, Key: []byte(key), Partition: ByKey})
	return err == nil && len(answer.Rows) == 1 && cmp.Equal(answer.Rows[0].Value, []byte{0, 0, 0, 0, 0, 0, 0, 1})
}

// TestQueriesAreBounded: what is too much is turned away, with a code.
func TestQueriesAreBounded(t *testing.T) {
	h := &Host{querying: make(chan struct{}, 1), peers: NewStateClient("")}
	defer h.peers.Close()
	mux := http.NewServeMux()
	h.stateRoutes(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	ask := func() error {
		_, err := h.peers.Query(t.Context(), server.URL, StoreQuery{Store: "s", Type: stream.RangeQuery})
		return err
	}
	if err := ask(); !errs.QueryNotReady.Is(err) {
		t.Errorf("before the start: %v", err)
	}
	h.querying <- struct{}{}
	if err := ask(); !errs.QueryBusy.Is(err) {
		t.Errorf("one too many: %v", err)
	}
	<-h.querying
	resp, err := http.Post(server.URL+"/state/query", "application/json", strings.NewReader(`{"store": "`+strings.Repeat("x", maxQueryBytes)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a query of %d bytes gave %s", maxQueryBytes, resp.Status)
	}
	resp, err = http.Post(server.URL+"/state/query", "application/json", strings.NewReader(`{"store": "s"} and more`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a query with something behind it gave %s", resp.Status)
	}
	resp, err = http.Post(server.URL+"/state/query", "text/plain", strings.NewReader("{}")) // as a web page of elsewhere could
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a query that is no JSON gave %s", resp.Status)
	}
}

// deadlines is a connection that tells until when it is read.
type deadlines struct {
	http.ResponseWriter
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = t
	return nil
}

// TestSlowQueriesEnd: who sends a query byte by byte does not keep its place for ever.
func TestSlowQueriesEnd(t *testing.T) {
	h := &Host{querying: make(chan struct{}, 1)}
	d := &deadlines{ResponseWriter: httptest.NewRecorder()}
	h.bounded(h.queryRequest)(d, httptest.NewRequest(http.MethodPost, "/state/query", nil))
	if d.read.IsZero() {
		t.Error("the query may take for ever to come")
	}
}

// TestOthersAnswersAreChecked: what answers at an application.server may be anything.
func TestOthersAnswersAreChecked(t *testing.T) {
	c := NewStateClient("")
	defer c.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"no JSON":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"an error":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a hang-up":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		server := httptest.NewServer(answer)
		if _, err := c.Query(t.Context(), server.URL, StoreQuery{}); !errs.QueryOwner.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}
