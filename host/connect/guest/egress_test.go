package guest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectortest"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// request is a block of pairs: keys and values in turn.
func request(pairs ...string) (block []byte) {
	for i := 0; i < len(pairs); i += 2 {
		block = abi.AppendPair(block, pairs[i], pairs[i+1])
	}
	return block
}

func get(url string, more ...string) []byte {
	return request(append([]string{"method", "GET", "url", url}, more...)...)
}

// field is a value of an answer.
func field(answer []byte, name string) string {
	pairs := abi.ReadPairs(answer)
	for k, v, ok := pairs.Next(); ok; k, v, ok = pairs.Next() {
		if string(k) == name {
			return string(v)
		}
	}
	return ""
}

func wayOut(t testing.TB, c EgressConfig, secrets map[string]string) func([]byte) ([]byte, abi.Errno) {
	t.Helper()
	e, err := newEgress(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	send := e.grant(secrets)
	if send == nil {
		t.Fatal("nothing is granted")
	}
	return func(block []byte) ([]byte, abi.Errno) {
		answer, code := send(t.Context(), block)
		return answer, abi.Errno(code)
	}
}

// TestEgressIsDeniedByDefault: a worker that says nothing grants nothing, whatever the connector's settings say.
func TestEgressIsDeniedByDefault(t *testing.T) {
	e, err := newEgress(EgressConfig{})
	if err != nil || e.grant(nil) != nil {
		t.Fatal("granted", err)
	}
	if testing.Short() {
		return // toolchains for Go and Rust guests are not on every machine
	}
	l, _ := newLoader(t, built(t, "connect-go"), EgressConfig{})
	p, _, err := l.Load(connectors.KindSource, "wasm:connect.wasm#poll")
	if err != nil {
		t.Fatal(err)
	}
	props := config.PropsOf(map[string]string{"url": "http://127.0.0.1:1/x", "topic": "t", "wasm.egress.allow": "127.0.0.1:1"})
	task := p.Source().NewTask()
	if err := task.Start(&connectors.SourceTaskContext{Offsets: &connectortest.Offsets{}, Configs: func() config.Props { return props }}, props); err != nil {
		t.Fatal(err)
	}
	defer task.Stop()
	if _, err := task.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Error(err)
	}
}

// TestEgressOnlyToAllowedPlaces: what is not on the list is not even dialled.
func TestEgressOnlyToAllowedPlaces(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":")+1:]
	send := wayOut(t, EgressConfig{Allow: []string{"api.example.com:" + port, "*.example.org:443", "example.net"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil)
	for _, url := range []string{
		server.URL, "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://2130706433:" + port, "http://0x7f.1:" + port,
		"http://127.1:" + port, "http://0:" + port, "http://api.example.com", "http://api.example.com:80", "http://api.example.com.evil.test:" + port,
		"http://evil.test:" + port + "/api.example.com", "http://evil.test:" + port + "#api.example.com", "http://example.org", "https://example.org",
		"https://badexample.org", "http://x.example.org:80", "http://example.net", "http://example.net:443", "https://example.net:8443", "https://sub.example.net",
		"http://169.254.169.254/latest/meta-data/",
	} {
		if _, code := send(get(url)); code != abi.Denied {
			t.Errorf("%s: %v, want DENIED", url, code)
		}
	}
	for _, url := range []string{
		"", "x", "//api.example.com:" + port, "file:///etc/passwd", "gopher://api.example.com:" + port, "ftp://api.example.com", "http:api.example.com", "unix:///run/x",
		"http://user:pass@api.example.com:" + port, "http://api.example.com@evil.test/", "http://", "http://[::1", "http://api.example.com:" + port + "/\r\nX: y", "http://a b/",
		"http://api.example.com:" + port + "/" + strings.Repeat("x", maxURL),
	} {
		if _, code := send(get(url)); code != abi.InvalidArg {
			t.Errorf("%.60q: %v, want INVALID_ARG", url, code)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests arrived", hits.Load())
	}
	e, err := newEgress(EgressConfig{Allow: []string{"Api.Example.COM.:8080", "*.example.org:443", "example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"http://api.example.com:8080/x", "http://API.example.com.:8080", "https://a.b.example.org/", "https://example.net/y", "https://example.net:443"} {
		req, code := e.request(t.Context(), get(url), nil)
		if code != 0 || req == nil {
			t.Errorf("%s: %v", url, code)
		}
	}
}

// TestEgressAddresses: a name that is allowed may mean anything by the time it is dialled; what counts is the address.
func TestEgressAddresses(t *testing.T) {
	e, err := newEgress(EgressConfig{Allow: []string{"localhost:80"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"127.0.0.1:80", "127.255.0.9:80", "0.0.0.0:80", "0.1.2.3:80", "10.0.0.1:80", "10.2.0.1:80", "172.16.3.4:80", "192.168.1.1:80", "169.254.169.254:80", "100.64.0.1:80",
		"192.0.0.1:80", "192.0.2.1:80", "198.18.0.1:80", "198.51.100.1:80", "203.0.113.9:80", "224.0.0.1:80", "240.0.0.1:80", "255.255.255.255:80",
		"[::]:80", "[::1]:80", "[::7f00:1]:80", "[::ffff:127.0.0.1]:80", "[::ffff:169.254.169.254]:80", "[64:ff9b::7f00:1]:80", "[64:ff9b:1::1]:80", "[2002:7f00:1::]:80", "[2001::1]:80",
		"[2001:db8::1]:80", "[fe80::1%eth0]:80", "[fc00::1]:80", "[fd00:ec2::254]:80", "[ff02::1]:80", "[fec0::1]:80", "[100::1]:80", "nonsense",
	} {
		if e.control("tcp", address, nil) == nil {
			t.Errorf("%s may be dialled", address)
		}
	}
	for _, address := range []string{"93.184.215.14:443", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443", "10.1.2.3:80", "[::ffff:10.1.2.3]:80"} {
		if err := e.control("tcp", address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestEgressRebinding: localhost is on the list, but its address is loopback, and no network was allowed.
func TestEgressRebinding(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":")+1:]
	send := wayOut(t, EgressConfig{Allow: []string{"localhost:" + port, "127.0.0.1:" + port}}, nil)
	for _, url := range []string{"http://localhost:" + port, "http://127.0.0.1:" + port} {
		if _, code := send(get(url)); code != abi.Denied {
			t.Errorf("%s: %v, want DENIED", url, code)
		}
	}
	if hits.Load() != 0 {
		t.Error("it arrived")
	}
}

// TestEgressRedirectsAreAnswers: an allowed place cannot send a guest to another one.
func TestEgressRedirectsAreAnswers(t *testing.T) {
	var hits atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer secret.Close()
	server := httptest.NewServer(http.RedirectHandler(secret.URL+"/metadata", http.StatusTemporaryRedirect))
	defer server.Close()
	send := wayOut(t, loopback(t, server), nil)
	answer, code := send(get(server.URL))
	if code != 0 || field(answer, "status") != "307" || field(answer, "header.location") != secret.URL+"/metadata" {
		t.Errorf("%v %q", code, answer)
	}
	if _, code := send(get(secret.URL)); code != abi.Denied || hits.Load() != 0 {
		t.Errorf("%v, %d hits", code, hits.Load())
	}
}

// TestEgressRequests: what a request may not be.
func TestEgressRequests(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Host", r.Host) }))
	defer server.Close()
	c := loopback(t, server)
	c.RequestBytes = 10_000
	send := wayOut(t, c, nil)
	for _, name := range []string{"host", "Host", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Proxy-Authorization", "TE", "Expect", "Accept-Encoding"} {
		if _, code := send(get(server.URL, "header."+name, "evil.test")); code != abi.Denied {
			t.Errorf("header %s: %v, want DENIED", name, code)
		}
	}
	for _, more := range [][]string{{"header.x y", "v"}, {"header.x", "a\r\nInjected: b"}, {"header.", "v"}, {"nonsense", "v"}} {
		if _, code := send(get(server.URL, more...)); code != abi.InvalidArg {
			t.Errorf("%q: %v, want INVALID_ARG", more, code)
		}
	}
	for _, method := range []string{"", "CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\n\r\nGET"} {
		if _, code := send(request("method", method, "url", server.URL)); code != abi.InvalidArg {
			t.Errorf("method %q: %v, want INVALID_ARG", method, code)
		}
	}
	if _, code := send(get(server.URL, "body", strings.Repeat("x", 10_000))); code != abi.Limit {
		t.Errorf("a large request: %v", code)
	}
	many := []string{"method", "GET", "url", server.URL}
	for range maxHeaders + 5 {
		many = append(many, "header.a", "b")
	}
	if _, code := send(request(many...)); code != abi.Limit {
		t.Errorf("many headers: %v", code)
	}
	if _, code := send([]byte{1, 2, 3}); code != abi.InvalidArg {
		t.Errorf("no block: %v", code)
	}
	answer, code := send(get(server.URL))
	if code != 0 || field(answer, "header.x-host") != strings.TrimPrefix(server.URL, "http://") {
		t.Errorf("%v %q", code, answer)
	}
}

// TestEgressAnswersAreBounded: large, compressed, endless and slow answers.
func TestEgressAnswersAreBounded(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(make([]byte, 5001))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		case "/headers":
			for range 100 {
				w.Header().Add("X", strings.Repeat("y", 1000))
			}
		case "/slow":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	}))
	defer server.Close()
	defer close(release)
	c := loopback(t, server)
	c.AnswerBytes, c.Timeout = 5000, 2*time.Second
	send := wayOut(t, c, nil)
	if _, code := send(get(server.URL + "/large")); code != abi.Limit {
		t.Errorf("large: %v", code)
	}
	if answer, code := send(get(server.URL + "/bomb")); code != 0 || len(answer) > 5000 || field(answer, "header.content-encoding") != "gzip" {
		t.Errorf("bomb: %v, %d bytes", code, len(answer))
	}
	if _, code := send(get(server.URL + "/headers")); code != abi.Retry {
		t.Errorf("headers: %v", code)
	}
	if _, code := send(get(server.URL + "/slow")); code != abi.Retry {
		t.Errorf("slow: %v", code)
	}
}

// TestEgressConcurrency: more requests than are allowed at once wait, and give up in time; a task that is stopped does so
// at once.
func TestEgressConcurrency(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}))
	defer server.Close()
	c := loopback(t, server)
	c.Concurrency = 1
	e, err := newEgress(c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	done := make(chan int32)
	go func() {
		_, code := e.grant(nil)(t.Context(), get(server.URL))
		done <- code
	}()
	<-entered
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, code := e.grant(nil)(ctx, get(server.URL)); code != int32(abi.Limit) {
		t.Errorf("a second request: %v", abi.Errno(code))
	}
	close(release)
	if code := <-done; code != 0 {
		t.Errorf("the first request: %v", abi.Errno(code))
	}
}

// TestEgressSecrets: a guest has words for secrets; the server gets secrets, in headers alone, and the guest never does.
func TestEgressSecrets(t *testing.T) {
	const secret = "hunter2-and-some-more"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		_, _ = w.Write([]byte("auth " + r.Header.Get("Authorization") + " query " + r.URL.RawQuery + " body " + string(body)))
		if strings.Contains(r.URL.RawQuery+string(body), secret) {
			t.Error("a secret was sent outside of headers")
		}
		if r.Header.Get("Authorization") != "Bearer "+secret {
			t.Errorf("the server got %q", r.Header.Get("Authorization"))
		}
	}))
	defer server.Close()
	word := secretWord("token")
	send := wayOut(t, loopback(t, server), map[string]string{word: secret})
	answer, code := send(request("method", "POST", "url", server.URL+"/?q=%7B%7Bsecret:token%7D%7D", "header.authorization", "Bearer "+word, "body", word))
	if code != 0 || bytes.Contains(answer, []byte(secret)) || field(answer, "header.x-echo") != "Bearer "+word {
		t.Errorf("%v %q", code, answer)
	}
	for _, value := range []string{strings.Repeat("x", maxHeader+1), strings.Repeat(word, maxHeader/len(word))} {
		if _, code := send(get(server.URL, "header.x", value)); code != abi.Limit {
			t.Errorf("a header of %d bytes: %v", len(value), code)
		}
	}
	spec := abi.Component{Config: []abi.Setting{{Name: "token", Type: "PASSWORD", Optional: true}, {Name: "url", Type: "STRING"}}}
	settings := guestSettings(&spec, config.PropsOf(map[string]string{"token": secret, "url": "u"}))
	if settings["token"] != word || settings["url"] != "u" {
		t.Errorf("the guest sees %v", settings)
	}
}

func TestEgressSettings(t *testing.T) {
	for _, c := range []struct {
		props map[string]string
		says  string
	}{
		{map[string]string{"wasm.egress.allow": "http://a/b"}, "port"},
		{map[string]string{"wasm.egress.allow": "a:0"}, "port"},
		{map[string]string{"wasm.egress.allow": "*"}, "HOST"},
		{map[string]string{"wasm.egress.allow": "a.*.b"}, "HOST"},
		{map[string]string{"wasm.egress.allow": "a:1:2"}, "HOST"},
		{map[string]string{"wasm.egress.networks": "10.0.0.1"}, "range"},
		{map[string]string{"wasm.egress.timeout.ms": "0"}, "at least 1"},
		{map[string]string{"wasm.memory.max.bytes": "3221225472"}, "no more than 2147483648"},
	} {
		if _, err := ReadConfig(config.PropsOf(c.props)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.props, err)
		}
	}
	c, err := ReadConfig(config.PropsOf(map[string]string{"plugin.path": "a, b", "wasm.egress.allow": "a:1,b", "wasm.egress.networks": "10.1.2.3/8", "wasm.call.timeout.ms": "7"}))
	if err != nil || len(c.Paths) != 2 || len(c.Egress.Allow) != 2 || c.Egress.Networks[0].String() != "10.0.0.0/8" || c.Wasm.Limits.Wall != 7*time.Millisecond {
		t.Errorf("%+v %v", c, err)
	}
}

// TestOffsetGetTrustsNothing: a partition comes from the guest.
func TestOffsetGetTrustsNothing(t *testing.T) {
	s := &sourceTask{context: &connectors.SourceTaskContext{Offsets: &connectortest.Offsets{}}}
	enc := newEncoder()
	datum := func(v data.Value) []byte {
		b, err := enc.datum(nil, data.SchemaAndValue{Value: v})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		part []byte
		want abi.Errno
	}{
		{nil, abi.InvalidArg},
		{[]byte("nonsense nonsense nonsense"), abi.InvalidArg},
		{datum(data.Int8Value(1)), abi.InvalidArg},
		{datum(data.MapValue(data.Of("list", data.ArrayValue(nil)))), abi.InvalidArg},
		{datum(data.MapValue(data.Of("file", data.StringValue("a")))), abi.NotFound},
	} {
		if _, code := s.offsetOf(c.part); abi.Errno(code) != c.want {
			t.Errorf("%x: %v, want %v", c.part, abi.Errno(code), c.want)
		}
	}
}
