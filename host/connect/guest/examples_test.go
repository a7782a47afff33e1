package guest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectortest"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// built is a file with an example in a language, built from its source.
func built(t testing.TB, name string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".wasm")
	if err := os.WriteFile(file, guestbuild.Load(t, name), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"connect.wasm": file}
}

// inEachLanguage runs a test of plugins that the examples have in every language.
func inEachLanguage(t *testing.T, test func(t *testing.T, name string)) {
	names := []string{"connect-c"}
	if !testing.Short() { // toolchains for Go and Rust guests are not on every machine
		names = append(names, "connect-go", "connect-rust")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

var order = data.NewStructSchema().Name("Order").Field("item", data.StringSchema).Field("price", data.Float64Schema).Field("quantity", data.Int32Schema).MustBuild()

func anOrder(t testing.TB, price float64, quantity int32) data.SchemaAndValue {
	t.Helper()
	return data.SchemaAndValue{Schema: order, Value: data.StructValue(data.StructOf(order, []data.Value{data.StringValue("tea"), data.Float64Value(price), data.Int32Value(quantity)}))}
}

func TestTotalMakesASchemaOnce(t *testing.T) {
	if testing.Short() {
		return // toolchains for Go and Rust guests are not on every machine
	}
	l, _ := newLoader(t, built(t, "connect-rust"), EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#total", nil)
	want := data.NewStructSchema().Name("Order").Field("item", data.StringSchema).Field("price", data.Float64Schema).Field("quantity", data.Int32Schema).
		Field("total", data.Float64Schema).MustBuild()
	var schemas []*data.Schema
	for i := range 3 {
		r := sinkRecord(int64(i), data.SchemaAndValue{}, anOrder(t, 2.5, int32(i)))
		if keep, err := tr.Apply(r); err != nil || !keep {
			t.Fatal(keep, err)
		}
		if total := r.Value.Value.Struct().At(3).Float(); total != 2.5*float64(i) || !r.Value.Schema.Equal(want) || r.Value.Value.Struct().At(0).Str() != "tea" {
			t.Errorf("total %v, %v", total, r.Value)
		}
		schemas = append(schemas, r.Value.Schema)
	}
	if schemas[0] != schemas[2] {
		t.Error("each record has a schema of its own")
	}
	r := sinkRecord(0, data.SchemaAndValue{}, data.SchemaAndValue{Value: data.MapValue(data.Of("price", data.Int64Value(2), "quantity", data.Int64Value(4)))})
	if _, err := tr.Apply(r); err != nil || r.Value.Value.Map().Get("total").Float() != 8 || r.Value.Value.Map().Len() != 3 {
		t.Error(err, r.Value)
	}
	if _, err := tr.Apply(sinkRecord(0, data.SchemaAndValue{}, text("tea"))); err == nil || !strings.Contains(err.Error(), "no price") {
		t.Error(err)
	}
}

func TestUnwrap(t *testing.T) {
	if testing.Short() {
		return // toolchains for Go and Rust guests are not on every machine
	}
	l, _ := newLoader(t, built(t, "connect-rust"), EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#unwrap", nil)
	optional := data.CopyAll(person).Optional().MustBuild()
	envelope := data.NewStructSchema().Field("op", data.StringSchema).Field("after", optional).MustBuild()
	row := data.StructOf(optional, valuesOf(kim(t, card)))
	for _, c := range []struct {
		op    string
		after data.Value
		want  data.SchemaAndValue
	}{
		{"c", data.StructValue(row), data.SchemaAndValue{Schema: optional, Value: data.StructValue(row)}},
		{"d", data.Null, data.SchemaAndValue{}},
	} {
		v := data.StructOf(envelope, []data.Value{data.StringValue(c.op), c.after})
		r := sinkRecord(0, text("key"), data.SchemaAndValue{Schema: envelope, Value: data.StructValue(v)})
		keep, err := tr.Apply(r)
		if err != nil || !keep || !r.Value.Equal(c.want) {
			t.Errorf("%s: %v %v %v", c.op, keep, err, r.Value)
		}
		if op, ok := r.Headers.Last("op"); !ok || op.Value.Str() != c.op {
			t.Errorf("%s: headers %v", c.op, r.Headers)
		}
	}
}

// valuesOf are the values of a struct.
func valuesOf(s *data.Struct) (out []data.Value) {
	for i := range s.Schema().Fields() {
		out = append(out, s.RawAt(i))
	}
	return out
}

func TestTimestampInGo(t *testing.T) {
	if testing.Short() {
		return // toolchains for Go and Rust guests are not on every machine
	}
	l, _ := newLoader(t, built(t, "connect-go"), EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#timestamp", map[string]string{"field": "at"})
	r := sinkRecord(0, data.SchemaAndValue{}, data.SchemaAndValue{Value: data.MapValue(data.Of("at", data.StringValue("2026-11-23T10:15:00Z")))})
	if _, err := tr.Apply(r); err != nil || r.Timestamp != 1795428900000 {
		t.Error(err, r.Timestamp)
	}
	r = sinkRecord(0, data.SchemaAndValue{}, text("no struct"))
	if _, err := tr.Apply(r); err == nil || !strings.Contains(err.Error(), "at is no time") {
		t.Error(err)
	}
}

func TestCSVConverter(t *testing.T) { inEachLanguage(t, testCSVConverter) }

func testCSVConverter(t *testing.T, name string) {
	l, _ := newLoader(t, built(t, name), EgressConfig{})
	p, found, err := l.Load(connectors.KindConverter, "wasm:connect.wasm#csv")
	if err != nil || !found {
		t.Fatal(err)
	}
	c := p.Converter()
	if err := c.Configure(config.PropsOf(map[string]string{"columns": "name,city,zip"}), false); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.ToConnectData("rows", nil, []byte("kim,Seoul"))
	if err != nil || v.Schema.Name() != "row" || v.Value.Struct().At(1).Str() != "Seoul" || !v.Value.Struct().At(2).IsNull() {
		t.Fatal(v, err)
	}
	out, null, err := c.FromConnectData([]byte("> "), "rows", nil, v)
	if err != nil || null || string(out) != "> kim,Seoul," {
		t.Errorf("%q %v %v", out, null, err)
	}
	if v, err := c.ToConnectData("rows", nil, nil); err != nil || !v.Value.IsNull() || v.Schema != nil {
		t.Error(v, err)
	}
	if _, null, err := c.FromConnectData(nil, "rows", nil, data.SchemaAndValue{}); err != nil || !null {
		t.Error(null, err)
	}
	if _, err := c.ToConnectData("rows", nil, []byte("a,b,c,d")); err == nil || !strings.Contains(err.Error(), "the line has more") {
		t.Error(err)
	}
}

func TestHeaderConverter(t *testing.T) { inEachLanguage(t, testHeaderConverter) }

func testHeaderConverter(t *testing.T, name string) {
	l, _ := newLoader(t, built(t, name), EgressConfig{})
	p, found, err := l.Load(connectors.KindHeaderConverter, "wasm:connect.wasm#number")
	if err != nil || !found {
		t.Fatal(err)
	}
	c := p.HeaderConverter()
	if err := c.Configure(config.Props{}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.ToConnectHeader("t", "retries", []byte("-12"))
	if err != nil || v.Schema.Type() != data.TypeInt64 || v.Value.Int() != -12 {
		t.Fatal(v, err)
	}
	if out, null, err := c.FromConnectHeader([]byte("="), "t", "retries", v); err != nil || null || string(out) != "=-12" {
		t.Errorf("%q %v %v", out, null, err)
	}
	if _, err := c.ToConnectHeader("t", "retries", []byte("many")); err == nil || !strings.Contains(err.Error(), "header retries is no number") || !strings.HasPrefix(err.Error(), "E-GUEST-ERROR topic t") {
		t.Error(err)
	}
	if _, _, err := c.FromConnectHeader(nil, "t", "retries", text("x")); err == nil {
		t.Error("a text is a number")
	}
	if _, null, err := c.FromConnectHeader(nil, "t", "retries", data.SchemaAndValue{}); err != nil || !null {
		t.Error(null, err)
	}
}

// loopback lets guests reach a server of the test.
func loopback(t testing.TB, server *httptest.Server) EgressConfig {
	t.Helper()
	return EgressConfig{Allow: []string{strings.TrimPrefix(server.URL, "http://")}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

// TestPollSource holds the examples of a source to the contract of connectors.
func TestPollSource(t *testing.T) { inEachLanguage(t, testPollSource) }

func testPollSource(t *testing.T, name string) {
	const lines = 1200
	var tokens sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens.Store(r.Header.Get("Authorization"), true)
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		for i := after; i < lines; i++ {
			fmt.Fprintf(w, "line %d\n", i)
		}
	}))
	defer server.Close()
	l, _ := newLoader(t, built(t, name), loopback(t, server))
	p, found, err := l.Load(connectors.KindSource, "wasm:connect.wasm#poll")
	if err != nil || !found {
		t.Fatal(err)
	}
	connectortest.SourceSuite{
		New: p.Source, Records: lines, Missing: []string{"url", "topic"},
		Props: map[string]string{"name": "poller", "url": server.URL + "/lines", "topic": "lines", "token": "s3cret", "poll.interval.ms": "1"},
	}.Run(t)
	if _, ok := tokens.Load("Bearer s3cret"); !ok {
		t.Error("the token was not sent")
	}
	if _, ok := tokens.Load("Bearer {{secret:token}}"); ok {
		t.Error("the word for the token was sent")
	}
}

// TestWebhookSink holds the examples of a sink to the contract of connectors, and to what becomes of refusals.
func TestWebhookSink(t *testing.T) { inEachLanguage(t, testWebhookSink) }

func testWebhookSink(t *testing.T, name string) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		switch text := string(body); {
		case strings.HasPrefix(text, "bad"):
			w.WriteHeader(http.StatusBadRequest)
		case strings.HasPrefix(text, "busy"):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			got = append(got, text)
		}
	}))
	defer server.Close()
	l, _ := newLoader(t, built(t, name), loopback(t, server))
	p, found, err := l.Load(connectors.KindSink, "wasm:connect.wasm#webhook")
	if err != nil || !found {
		t.Fatal(err)
	}
	props := map[string]string{"name": "hook", "url": server.URL + "/hook"}
	connectortest.SinkSuite{New: p.Sink, Props: props, Missing: []string{"url"}, Delivered: func(*testing.T) []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}}.Run(t)

	task := p.Sink().NewTask()
	runtime := &connectortest.SinkContext{}
	if err := task.Start(runtime, config.PropsOf(props)); err != nil {
		t.Fatal(err)
	}
	defer task.Stop()
	words := []string{"a", "bad", "b"}
	value := func(i int) data.SchemaAndValue { return text(words[i]) }
	if err := task.Put(t.Context(), connectortest.Records(0, 3, value)); err != nil {
		t.Fatal(err)
	}
	if len(runtime.Reported) != 1 || runtime.Reported[0].Record.Offset != 1 || !strings.Contains(runtime.Reported[0].Cause.Error(), server.URL) || !strings.Contains(runtime.Reported[0].Cause.Error(), "errors.tolerance") {
		t.Errorf("%+v", runtime.Reported)
	}
	words = []string{"c", "busy", "d"}
	if err := task.Put(t.Context(), connectortest.Records(0, 3, value)); !fault.Retriable.Is(err) {
		t.Errorf("%v is not retriable", err)
	}
}

// TestReloadedSourceGoesOn replaces the module of a source between two polls, with nothing committed: the new version gives
// what comes next, and nothing twice.
func TestReloadedSourceGoesOn(t *testing.T) {
	if testing.Short() {
		return // toolchains for Go and Rust guests are not on every machine
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		for i := range 10 {
			fmt.Fprintf(w, "line %d\n", after+i)
		}
	}))
	defer server.Close()
	l, dir := newLoader(t, built(t, "connect-go"), loopback(t, server))
	p, _, err := l.Load(connectors.KindSource, "wasm:connect.wasm#poll")
	if err != nil {
		t.Fatal(err)
	}
	props := config.PropsOf(map[string]string{"url": server.URL, "topic": "t"})
	task := p.Source().NewTask()
	if err := task.Start(&connectors.SourceTaskContext{Offsets: &connectortest.Offsets{}, Configs: func() config.Props { return props }}, props); err != nil {
		t.Fatal(err)
	}
	defer task.Stop()
	next := 0
	poll := func() {
		t.Helper()
		records, err := task.Poll(t.Context())
		if err != nil || len(records) != 10 {
			t.Fatal(len(records), err)
		}
		for _, r := range records {
			if want := fmt.Sprintf("line %d", next); r.Value.Value.Str() != want {
				t.Fatalf("got %s, want %s", r.Value.Value.Str(), want)
			}
			next++
		}
	}
	poll()
	code := guestbuild.Load(t, "connect-go")
	write(t, filepath.Join(dir, "connect.wasm"), bytes.ReplaceAll(code, []byte("does not answer"), []byte("DOES NOT ANSWER")))
	done, err := l.Reload(t.Context(), "")
	if err != nil || len(done) != 1 || done[0].Error != "" || done[0].Running != 1 || done[0].Old == done[0].New {
		t.Fatalf("%+v %v", done, err)
	}
	poll()
	poll()
}

// TestWhatAGuestAnswersIsKept: a value outlives the calls that come after it, which use the guest's memory again.
func TestWhatAGuestAnswersIsKept(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, name string) {
		l, _ := newLoader(t, built(t, name), EgressConfig{})
		p, found, err := l.Load(connectors.KindConverter, "wasm:connect.wasm#csv")
		if err != nil || !found {
			t.Fatal(found, err)
		}
		c := p.Converter()
		if err := c.Configure(config.PropsOf(map[string]string{"columns": "short,long"}), false); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		lines := make([]string, 0, 26)
		var values []data.SchemaAndValue
		for letter := 'a'; letter <= 'z'; letter++ {
			line := string(letter) + "," + strings.Repeat(string(letter), 100*int(letter-'a'))
			v, err := c.ToConnectData("t", nil, []byte(line))
			if err != nil {
				t.Fatal(err)
			}
			lines, values = append(lines, line), append(values, v)
		}
		for i, v := range values {
			if got := v.Value.Struct().At(0).Str() + "," + v.Value.Struct().At(1).Str(); got != lines[i] {
				t.Errorf("line %d is %.20q of %d bytes, was %.20q of %d", i, got, len(got), lines[i], len(lines[i]))
			}
		}
	})
}
