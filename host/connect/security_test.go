package connect_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// write makes a file of a test.
func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// privateAuthority is a PEM file with a key and a certificate for 127.0.0.1 that no system trusts, which is also its own authority.
func privateAuthority(t testing.TB) (path string, pair tls.Certificate, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "workers"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return write(t, "workers.pem", append(certPEM, keyPEM...)), pair, pool
}

// request sends one request and returns its status and body.
func request(t testing.TB, client *http.Client, method, url, body string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	maps.Copy(req.Header, header)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// awaitSessionKey returns when the group has a leader, which has made a key.
func awaitSessionKey(t testing.TB, b *brokertest.Broker) {
	t.Helper()
	await(t, "a session key", func() bool {
		for _, r := range b.ReadAll(t, b.Name("configs")) {
			if string(r.Key) == "session-key" {
				return true
			}
		}
		return false
	})
}

func urlOf(h *connect.Herder) string { return strings.TrimSuffix(h.Config().AdvertisedURL, "/") }

// TestWhoComesIn holds the REST API to its users and tokens, and the requests of workers to their signature.
func TestWhoComesIn(t *testing.T) {
	b := brokertest.Fake(t)
	w := distributed(t, b, map[string]string{
		"rest.authentication.basic.file": write(t, "users", []byte("ann=s3cret\nbob=other\n")), "rest.authentication.bearer.file": write(t, "tokens", []byte("t0ken\n")),
	})
	url := urlOf(w.herder)
	basic := func(user, password string) http.Header {
		r, _ := http.NewRequest("GET", url, nil)
		r.SetBasicAuth(user, password)
		return r.Header
	}
	for _, tt := range []struct {
		what   string
		header http.Header
		want   int
	}{
		{"nobody", nil, 401},
		{"a user", basic("ann", "s3cret"), 200},
		{"another", basic("bob", "other"), 200},
		{"a wrong password", basic("ann", "other"), 401},
		{"an unknown user", basic("eve", ""), 401},
		{"a token", http.Header{"Authorization": {"Bearer t0ken"}}, 200},
		{"a wrong token", http.Header{"Authorization": {"Bearer t0ke"}}, 401},
	} {
		for _, path := range []string{"/", "/connectors", "/health", "/admin/loggers", "/connector-plugins"} {
			if code, body := request(t, http.DefaultClient, "GET", url+path, "", tt.header); code != tt.want || strings.Contains(body, "s3cret") {
				t.Errorf("%s at %s: %d %s", tt.what, path, code, body)
			}
		}
	}
	awaitSessionKey(t, b)
	tasks := `[{"file":"/etc/passwd"}]`
	forged, err := connect.Sign([]byte(tasks), []byte("guessed"), "HmacSHA256")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		signature, algorithm string
		want                 int
	}{{"", "", 400}, {forged.Header(), "HmacMD2", 400}, {"?", "HmacSHA256", 400}, {forged.Header(), "HmacSHA256", 403}} {
		header := http.Header{}
		if tt.signature != "" {
			header.Set(connect.SignatureHeader, tt.signature)
			header.Set(connect.SignatureAlgorithmHeader, tt.algorithm)
		}
		for method, path := range map[string]string{"POST": "/connectors/c/tasks", "PUT": "/connectors/c/fence"} {
			if code, body := request(t, http.DefaultClient, method, url+path, tasks, header); code != tt.want {
				t.Errorf("%s %s signed %q: %d %s", method, path, tt.signature, code, body)
			}
		}
	}
}

// TestGroupOverHTTPS has two workers with https, certificates of a private authority that are asked of clients too, and users. Requests reach
// the leader through the other one, and so do the tasks that the other one's connectors make.
func TestGroupOverHTTPS(t *testing.T) {
	b := brokertest.Fake(t)
	pem, pair, pool := privateAuthority(t)
	settings := map[string]string{
		"listeners": "https://127.0.0.1:0", "listeners.https.ssl.keystore.location": pem, "listeners.https.ssl.truststore.location": pem,
		"listeners.https.ssl.client.auth": "required", "rest.authentication.basic.file": write(t, "users", []byte("ann=s3cret\n")),
	}
	one := distributed(t, b, settings)
	awaitSessionKey(t, b)
	two := distributed(t, b, settings)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	header := http.Header{"Authorization": {"Basic YW5uOnMzY3JldA=="}} // ann:s3cret
	dir := t.TempDir()
	for i := range 4 {
		body := fmt.Sprintf(`{"connector.class":"FileStreamSink","topics":"none","file":%q}`, filepath.Join(dir, fmt.Sprint(i)))
		await(t, "the connector to be taken", func() bool {
			code, text := request(t, client, "PUT", fmt.Sprintf("%s/connectors/c%d/config", urlOf(two.herder), i), body, header)
			if code != 201 && code != 200 && code != 409 {
				t.Fatalf("%d %s", code, text)
			}
			return code != 409
		})
	}
	await(t, "all tasks, on both workers", func() bool {
		var on []string
		for i := range 4 {
			s, err := one.herder.Status(fmt.Sprint("c", i))
			if err != nil || len(s.Tasks) != 1 || s.Tasks[0].State != "RUNNING" {
				return false
			}
			on = append(on, s.Connector.WorkerID)
		}
		slices.Sort(on)
		return len(slices.Compact(on)) == 2
	})
	plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if resp, err := plain.Get(urlOf(one.herder) + "/"); err == nil {
		resp.Body.Close()
		t.Error("a client without a certificate was let in")
	}
}

// TestListenerOfAKeyStore has a worker listen with a JKS store whose key has a password of its own, and clients that trust by a PKCS12
// store: one with a key of its own, which the listener asks for, and one without.
func TestListenerOfAKeyStore(t *testing.T) {
	b := brokertest.Fake(t)
	stored := func(name string) string { return filepath.Join("..", "..", "internal", "keystore", "testdata", name) }
	settings := map[string]string{
		"listeners": "https://127.0.0.1:0", "listeners.https.ssl.client.auth": "required",
		"listeners.https.ssl.keystore.location": stored("server.jks"), "listeners.https.ssl.keystore.password": "storepass", "listeners.https.ssl.key.password": "keypass1",
		"listeners.https.ssl.truststore.location": stored("trust.jks"), "listeners.https.ssl.truststore.password": "storepass",
	}
	server, _, err := rest.Listen(rest.Config{Herder: standalone(t, b.Addr, t.TempDir(), settings), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	trust := kafka.Properties{"ssl.truststore.location": stored("trust.p12"), "ssl.truststore.password": "storepass", "ssl.truststore.type": "PKCS12"}
	mutual := maps.Clone(trust)
	maps.Copy(mutual, kafka.Properties{"ssl.keystore.location": stored("legacy.p12"), "ssl.keystore.password": "storepass"})
	for _, c := range []struct {
		props kafka.Properties
		ok    bool
	}{{mutual, true}, {trust, false}} {
		settings, err := kafka.TLS(c.props, "client")
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{TLSClientConfig: settings}
		resp, err := (&http.Client{Transport: transport}).Get(server.URLs[0] + "/")
		if (err == nil) != c.ok {
			t.Errorf("%v: %v", c.props.Redacted(), err)
		}
		if err == nil {
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for fault, change := range map[string]map[string]string{
		"E-TLS-PASSWORD":   {"listeners.https.ssl.key.password": "hunter2"},
		"E-TLS-EXPIRED":    {"listeners.https.ssl.keystore.location": stored("expired.jks"), "listeners.https.ssl.key.password": "storepass"},
		"E-TLS-STORE":      {"listeners.https.ssl.keystore.location": stored("trust.jks")},
		"E-CONFIG-MISSING": {"listeners.https.ssl.keystore.location": "", "listeners.https.ssl.truststore.location": stored("trust.jks")},
	} {
		changed := maps.Clone(settings)
		maps.Copy(changed, change)
		changed["bootstrap.servers"], changed["key.converter"], changed["value.converter"] = b.Addr, "StringConverter", "StringConverter"
		changed["offset.storage.file.filename"] = filepath.Join(t.TempDir(), "offsets")
		cfg, err := connect.ParseWorkerConfig(config.PropsOf(changed), false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cfg.ListenerTLS()
		if err == nil || !strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %s, got %v", fault, err)
		}
	}
}

// TestListenersAreNamed wants listeners named as one asks them, and strangers who speak no TLS to leave nothing in the log of operators.
func TestListenersAreNamed(t *testing.T) {
	b := brokertest.Fake(t)
	pem, _, _ := privateAuthority(t)
	h := standalone(t, b.Addr, t.TempDir(), map[string]string{
		"listeners": "http://127.0.0.1:0, https://127.0.0.1:0", "listeners.https.ssl.keystore.location": pem,
	})
	var said bytes.Buffer
	server, _, err := rest.Listen(rest.Config{Herder: h, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"http://" + server.Addrs[0], "https://" + server.Addrs[1]}; !slices.Equal(server.URLs, want) {
		t.Errorf("%q", server.URLs)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	if resp, err := http.Get("http://" + server.Addrs[1] + "/"); err == nil {
		resp.Body.Close()
	}
	end()
	if err := <-ended; err != nil || said.Len() > 0 {
		t.Errorf("%v %s", err, &said)
	}
}

// TestSecretsAreMasked wants a literal password to be hidden wherever settings are shown, to stay when the mask comes back, and to be shown
// as Kafka does when that is asked for.
func TestSecretsAreMasked(t *testing.T) {
	b := brokertest.Fake(t)
	h := standalone(t, b.Addr, t.TempDir(), nil)
	secret := map[string]string{
		"connector.class": "HttpSink", "topics": "none", "http.url": "http://who:s3cret@127.0.0.1:1/", "http.authorization.type": "static", "http.headers.authorization": "Bearer s3cret",
		"value.converter": "AvroConverter", "value.converter.schema.registry.url": "http://who:s3cret@127.0.0.1:1,http://other:s3cret@127.0.0.1:2",
		"consumer.override.sasl.jaas.config": "s3cret", "restart.policy": "none",
	}
	put(t, h, "sink", secret)
	shown := func(h *connect.Herder) string {
		t.Helper()
		info, err := h.Info("sink")
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := h.Tasks("sink")
		if err != nil {
			t.Fatal(err)
		}
		status, err := h.Status("sink")
		if err != nil {
			t.Fatal(err)
		}
		settings, err := h.ConnectorConfig("sink")
		if err != nil {
			t.Fatal(err)
		}
		infos, err := h.Validate(config.PropsOf(settings))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{info, tasks, status, settings, infos})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	await(t, "a status", func() bool { _, err := h.Status("sink"); return err == nil })
	if text := shown(h); strings.Contains(text, "s3cret") || !strings.Contains(text, connect.Mask) {
		t.Errorf("a secret is shown: %s", text)
	}
	settings, err := h.ConnectorConfig("sink")
	if err != nil {
		t.Fatal(err)
	}
	settings["tasks.max"] = "2"
	put(t, h, "sink", settings)
	settings, err = h.ConnectorConfig("sink")
	if err != nil || settings["tasks.max"] != "2" || settings["http.headers.authorization"] != connect.Mask {
		t.Errorf("after the mask came back: %v, %v", settings, err)
	}
	patch := config.PropsOf(map[string]string{"tasks.max": "1"})
	if _, err := h.PatchConnector(context.Background(), "sink", patch); err != nil {
		t.Fatal(err)
	}
	open := standalone(t, b.Addr, t.TempDir(), map[string]string{"kafka.compat": "true"})
	put(t, open, "sink", secret)
	if settings, err := open.ConnectorConfig("sink"); err != nil || settings["http.headers.authorization"] != "Bearer s3cret" {
		t.Errorf("with kafka.compat: %v, %v", settings, err)
	}
}

// TestUnusedConnectionEndsNoWorkerBadly has a client that connects and says nothing: a worker that ends cuts it off, which is no fault.
func TestUnusedConnectionEndsNoWorkerBadly(t *testing.T) {
	t.Parallel()
	w := distributed(t, brokertest.Fake(t), nil)
	u, err := url.Parse(urlOf(w.herder))
	if err != nil {
		t.Fatal(err)
	}
	idle, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	w.leave()
	if n, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is still open: %d bytes, %v", n, err)
	}
}

// TestSettingsOfNoConnectorAreNotTold: nobody knows which of them are secret, so that only Kafka's way tells them.
func TestSettingsOfNoConnectorAreNotTold(t *testing.T) {
	b := brokertest.Fake(t)
	for compat, want := range map[string]string{
		"false": "Connector config {name=c, password=[hidden]} contains no connector type", "true": "Connector config {name=c, password=s3cret} contains no connector type",
	} {
		call := askerOf(standalone(t, b.Addr, t.TempDir(), map[string]string{"kafka.compat": compat}))
		for _, c := range [][3]string{
			{"POST", "/connectors", `{"name":"c","config":{"password":"s3cret"}}`},
			{"PUT", "/connector-plugins/FileStreamSource/config/validate", `{"name":"c","password":"s3cret"}`},
		} {
			if _, body := call(c[0], c[1], c[2]); !strings.Contains(body, want) {
				t.Errorf("compat %s: %s %s: %s", compat, c[0], c[1], body)
			}
		}
	}
}

// TestForeignNames wants a worker on loopback to refuse requests to a name that is not its own, which a page may have led to it, and to
// take them where a password or the operator says that they may come.
func TestForeignNames(t *testing.T) {
	b := brokertest.Fake(t)
	passwords := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(passwords, []byte("eve=pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		props        map[string]string
		taken, other []string
	}{
		{nil, []string{"", "localhost", "LOCALHOST.:8083", "127.0.0.1:80", "[::1]:8083", "10.0.0.1", "a.localhost"}, []string{"evil.test", "evil.test:8083", "localhost.evil.test", "127.0.0.1.evil.test"}},
		{map[string]string{"rest.advertised.host.name": "Worker.test"}, []string{"worker.test:8083", "localhost"}, []string{"evil.test"}},
		{map[string]string{"rest.authentication.basic.file": passwords}, []string{"evil.test"}, nil},
		{map[string]string{"kafka.compat": "true"}, []string{"evil.test"}, nil},
	} {
		props := map[string]string{"listeners": "http://127.0.0.1:0"}
		maps.Copy(props, c.props)
		h := standalone(t, b.Addr, t.TempDir(), props)
		auth, err := rest.NewAuth(h.Config().Props)
		if err != nil {
			t.Fatal(err)
		}
		server, _, err := rest.Listen(rest.Config{Herder: h, Auth: auth})
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- server.Run(ctx) }()
		for name, want := range map[string][]string{"taken": c.taken, "refused": c.other} {
			for _, host := range want {
				if status := askAs(t, server.URLs[0], host); (status == http.StatusForbidden) != (name == "refused") {
					t.Errorf("%v: a request to %q is answered %d, not %s", c.props, host, status, name)
				}
			}
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// askAs asks for / under a name and returns the status.
func askAs(t *testing.T, url, host string) int {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequest(http.MethodGet, url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.SetBasicAuth("eve", "pw")
	resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestVariablesAreNotTold wants what a config provider answers to stand in no answer about settings that do not fit, in no trace and in no
// log, but in Kafka's.
func TestVariablesAreNotTold(t *testing.T) {
	b := brokertest.Fake(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secrets"), []byte("pw=s3cret\nlist=s3cret,other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pw, list := "${file:"+filepath.Join(dir, "secrets")+":pw}", "${file:"+filepath.Join(dir, "secrets")+":list}"
	providers := map[string]string{"config.providers": "file", "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider"}
	h := standalone(t, b.Addr, dir, providers)
	source := func(pairs ...string) map[string]string {
		props := map[string]string{"name": "c", "connector.class": "FileStreamSource", "topic": "t", "restart.policy": "none"}
		for i := 0; i < len(pairs); i += 2 {
			props[pairs[i]] = pairs[i+1]
		}
		return props
	}
	for _, props := range []map[string]string{
		source("tasks.max", pw), source("connector.class", pw), source("tasks.max", "a"+pw+"b"), source("errors.tolerance", list),
		source("transforms", "r", "transforms.r.type", "RegexRouter", "transforms.r.replacement", "x", "transforms.r.regex", "("+pw),
		source("transforms", "r", "transforms.r.type", "Cast$Value", "transforms.r.spec", "x:"+pw),
	} {
		_, _, err := h.PutConnector(context.Background(), "c", config.PropsOf(props), "", true)
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "${file:") {
			t.Errorf("%v: %v", props, err)
		}
	}
	put(t, h, "fails", source("name", "fails", "connector.class", "FileStreamSink", "topics", "t", "file", filepath.Join(dir, "none", pw)))
	awaitLong(t, "the task to fail", func() bool { return states(h, "fails") == "RUNNING FAILED" })
	status, err := h.Status("fails")
	if err != nil {
		t.Fatal(err)
	}
	if trace := status.Tasks[0].Trace; strings.Contains(trace, "s3cret") || !strings.Contains(trace, pw) {
		t.Errorf("trace %q", trace)
	}
}
