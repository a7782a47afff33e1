package http_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectortest"
	"github.com/wasmstream/wasmstream/connectors/fault"
	whttp "github.com/wasmstream/wasmstream/connectors/http"
)

// service takes what is sent to it, except what it is told to refuse.
type service struct {
	sync.Mutex
	bodies  []string
	refuse  string
	failing int
	headers http.Header
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.Lock()
	defer s.Unlock()
	s.headers = r.Header
	switch {
	case s.failing > 0:
		s.failing--
		w.WriteHeader(http.StatusServiceUnavailable)
	case s.refuse != "" && strings.Contains(string(body), s.refuse):
		http.Error(w, "no", http.StatusBadRequest)
	default:
		s.bodies = append(s.bodies, string(body))
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestSink(t *testing.T) {
	s := &service{}
	connectortest.SinkSuite{
		New: func() connectors.SinkConnector { return &whttp.SinkConnector{} }, Props: map[string]string{"http.url": serve(t, s)}, Missing: []string{"http.url"},
		Delivered: func(*testing.T) []string { return s.bodies },
	}.Run(t)
}

func startSink(t *testing.T, props map[string]string) (connectors.SinkTask, *connectortest.SinkContext) {
	t.Helper()
	task := (&whttp.SinkConnector{}).NewTask()
	ctx := &connectortest.SinkContext{}
	if err := task.Start(ctx, config.PropsOf(props)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { task.Stop() })
	return task, ctx
}

// TestSinkHalfOfABatch: records that the service refuses go to the dead letters, all others arrive once and in order.
func TestSinkHalfOfABatch(t *testing.T) {
	s := &service{refuse: "value-3"}
	task, ctx := startSink(t, map[string]string{
		"http.url": serve(t, s), "batching.enabled": "true", "batch.max.size": "4", "batch.separator": ",", "http.authorization.type": "static",
		"http.headers.authorization": "Bearer x", "http.headers.additional": "X-A: b",
	})
	if err := task.Put(context.Background(), connectortest.Records(0, 6, nil)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"value-0\n", "value-1\n", "value-2\n", "value-4,value-5\n"}; !slices.Equal(s.bodies, want) {
		t.Errorf("%q", s.bodies)
	}
	if len(ctx.Reported) != 1 || ctx.Reported[0].Record.Offset != 3 {
		t.Errorf("%+v", ctx.Reported)
	}
	if s.headers.Get("Authorization") != "Bearer x" || s.headers.Get("X-A") != "b" {
		t.Errorf("%v", s.headers)
	}
}

// TestSinkTriesAgain: a service that is down for a moment is tried again, one that stays down is left to the framework.
func TestSinkTriesAgain(t *testing.T) {
	s := &service{failing: 2}
	task, _ := startSink(t, map[string]string{"http.url": serve(t, s), "max.retries": "1", "retry.backoff.ms": "0"})
	records := connectortest.Records(0, 1, nil)
	if err := task.Put(context.Background(), records); !fault.Retriable.Is(err) {
		t.Fatalf("%v", err)
	}
	if err := task.Put(context.Background(), records); err != nil || len(s.bodies) != 1 {
		t.Errorf("%v %q", err, s.bodies)
	}
}

// TestSecretsAreNotTold: neither errors of settings nor of requests hold the password in the address.
func TestSecretsAreNotTold(t *testing.T) {
	for _, address := range []string{"http://user:hush@127.0.0.1:1/x", "ftp://user:hush@host/", "http://user:hush@ bad/"} {
		task := (&whttp.SinkConnector{}).NewTask()
		err := task.Start(&connectortest.SinkContext{}, config.PropsOf(map[string]string{"http.url": address, "max.retries": "0"}))
		if err == nil {
			err = task.Put(context.Background(), connectortest.Records(0, 1, nil))
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestRedirectElsewhere: what is meant for one host is not sent to another.
func TestRedirectElsewhere(t *testing.T) {
	other := &service{}
	address := serve(t, other)
	task, _ := startSink(t, map[string]string{"http.url": serve(t, http.RedirectHandler(address, http.StatusTemporaryRedirect)), "max.retries": "0"})
	if err := task.Put(context.Background(), connectortest.Records(0, 1, nil)); err == nil || len(other.bodies) > 0 {
		t.Errorf("%v, and %d requests arrived", err, len(other.bodies))
	}
}

// pages answers with numbers behind the cursor, three at a time.
func pages(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	var records []string
	for n := after + 1; n <= min(after+3, 40); n++ {
		records = append(records, fmt.Sprintf(`{"id":%d}`, n))
	}
	fmt.Fprintf(w, "[%s]", strings.Join(records, ","))
}

func TestSource(t *testing.T) {
	connectortest.SourceSuite{
		New:   func() connectors.SourceConnector { return &whttp.SourceConnector{} },
		Props: map[string]string{"http.url": serve(t, http.HandlerFunc(pages)), "kafka.topic": "t", "cursor.field": "id", "key.field": "id", "poll.interval.ms": "1"}, Records: 40,
		Missing: []string{"http.url", "kafka.topic"},
	}.Run(t)
}

// TestSourceFails: what the service answers decides whether it is asked again or the task fails, with a text that says why.
func TestSourceFails(t *testing.T) {
	for name, c := range map[string]struct {
		status       int
		answer, text string
		class        fault.Class
	}{
		"refused":         {403, "not you", "asking the service: the service answered 403 Forbidden: not you", fault.Connect},
		"down":            {503, "", "asking the service: the service answered 503 Service Unavailable", fault.Retriable},
		"too many":        {429, "", "asking the service: the service answered 429 Too Many Requests", fault.Retriable},
		"no JSON":         {200, "<html>", "the answer is no JSON object", fault.Data},
		"no array":        {200, `{"rows":{"id":1}}`, "the records of the answer are no JSON array", fault.Data},
		"half an array":   {200, `{"rows":[{"id":1},`, "the answer is no JSON object", fault.Data},
		"an endless text": {200, `{"rows":["` + strings.Repeat("x", 33<<20) + `"]}`, "the answer is longer than 33554432 bytes", fault.Data},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			task := (&whttp.SourceConnector{}).NewTask()
			props := config.PropsOf(map[string]string{"http.url": address, "kafka.topic": "t", "records.field": "rows", "max.retries": "0"})
			if err := task.Start(&connectors.SourceTaskContext{Offsets: &connectortest.Offsets{}}, props); err != nil {
				t.Fatal(err)
			}
			defer task.Stop()
			_, err := task.Poll(context.Background())
			if !c.class.Is(err) || !strings.Contains(err.Error(), c.text) || c.class != fault.Retriable && fault.Retriable.Is(err) {
				t.Errorf("got %v, want %s: %s", err, c.class, c.text)
			}
		})
	}
}

// TestSinkFailsWithoutDeadLetters: a record that the service refuses fails the task, and says which one it is.
func TestSinkFailsWithoutDeadLetters(t *testing.T) {
	s := &service{refuse: "value-1"}
	task := (&whttp.SinkConnector{}).NewTask()
	if err := task.Start(noDeadLetters{&connectortest.SinkContext{}}, config.PropsOf(map[string]string{"http.url": serve(t, s)})); err != nil {
		t.Fatal(err)
	}
	defer task.Stop()
	err := task.Put(context.Background(), connectortest.Records(0, 3, nil))
	if !fault.Connect.Is(err) || fault.Retriable.Is(err) || !strings.Contains(err.Error(), "@1: the service answered 400 Bad Request: no") {
		t.Errorf("got %v", err)
	}
}

type noDeadLetters struct{ *connectortest.SinkContext }

func (noDeadLetters) Errant() connectors.ErrantReporter { return nil }

// TestHeadersAreChecked: what would end a header in its middle is a fault of the setting, which does not tell the value.
func TestHeadersAreChecked(t *testing.T) {
	for name, values := range map[string][]string{
		"http.headers.authorization": {"Bearer hush\nX-Admin: yes", "hu\rsh", "hu\x00sh", "hush\x7f"},
		"http.headers.content.type":  {"text/plain\r\nhush: 1"},
		"http.headers.additional":    {"hush", ":hush", "a b:hush", "A:b,B:hush\nC: d"},
	} {
		for _, value := range values {
			props := config.PropsOf(map[string]string{"http.url": "http://127.0.0.1:1/", name: value})
			for _, def := range []*config.Def{(&whttp.SinkConnector{}).ConfigDef(), (&whttp.SourceConnector{}).ConfigDef()} {
				errs := def.ValidateAll(props)[name].Errors
				if len(errs) != 1 || strings.Contains(errs[0], "hu") {
					t.Errorf("%s=%q: %q", name, value, errs)
				}
			}
		}
	}
	for _, name := range []string{"http.headers.authorization", "http.headers.content.type"} {
		if errs := (&whttp.SinkConnector{}).ConfigDef().ValidateAll(config.PropsOf(map[string]string{name: "a\tü"}))[name].Errors; len(errs) > 0 {
			t.Errorf("%s: %q", name, errs)
		}
	}
}
