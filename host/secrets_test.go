package host

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// canary stands in every setting that holds a secret.
const canary = "canary-7f3a-sings"

// heard collects what is logged.
type heard struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.String()
}

func untold(t *testing.T, where, said string) {
	t.Helper()
	if i := strings.Index(said, canary); i >= 0 {
		t.Errorf("%s tells the secret: ...%s...", where, said[max(0, i-200):i+len(canary)])
	}
}

// secretive is an application with secrets in its document, from a file and from the environment, with more settings.
func secretive(t *testing.T, a *app, config string) (Config, error) {
	t.Helper()
	a.write("jaas", []byte(`org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="`+canary+`";`+"\n"))
	document := strings.NewReplacer("APP", a.b.Name("app"), "BROKER", a.b.Addr, "IN", a.in, "OUT", a.out,
		"JAAS", filepath.Join(a.dir, "jaas"), "MORE", config).Replace(`apiVersion: wasmstream/v1
kind: Application
config:
  application.id: APP
  bootstrap.servers: "BROKER"
  commit.interval.ms: 50
  default.value.serde: string
  sasl.jaas.config: ${file:JAAS}
  consumer.sasl.jaas.config: ${file:JAAS}
  ssl.truststore.certificates: ${env:CANARY}
  sasl.oauthbearer.client.credentials.client.secret: canary-7f3a-sings
  MORE
modules:
  guest: {path: guest.wasm}
operators:
  - stream: {topics: [IN]}
  - filter: {guest: guest/all}
  - to: {topic: OUT}
`)
	a.write("app.yaml", []byte(document))
	t.Setenv("CANARY", canary)
	return Load(filepath.Join(a.dir, "app.yaml"), LoadOptions{
		Set: []string{"state.dir=" + t.TempDir(), "wasm.cache.dir=off"}, Environ: os.Environ(),
	})
}

// TestSecretsAreNeverTold runs an application with a secret in its settings and listens to all it says: its log at the
// finest level, its metrics, its admin server, the settings that it shows.
func TestSecretsAreNeverTold(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	cfg, err := secretive(t, a, "client.id: mute")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := cfg.Effective()
	if err != nil {
		t.Fatal(err)
	}
	hidden := 0
	for _, s := range settings {
		untold(t, "effective config, "+s.Key, fmt.Sprintf("%+v", s))
		if strings.Contains(s.Value, "[hidden]") {
			hidden++
		}
	}
	if hidden < 4 {
		t.Errorf("%d settings are hidden", hidden)
	}
	var log heard
	h := a.run(func(c *Config) {
		admin, listener, states := c.Admin, c.AdminListener, c.StateListener
		*c = cfg
		c.Admin, c.AdminListener, c.StateListener = admin, listener, states
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.ClientOptions = append(c.ClientOptions, kgo.WithLogger(kgo.BasicLogger(&log, kgo.LogLevelDebug, nil)))
	})
	a.passes(1)
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/nothing", "/debug/pprof/cmdline", "/debug/pprof/"} {
		_, body := a.ask("GET", path, "", nil)
		untold(t, path, body)
	}
	_, body := a.ask("POST", "/reload", wasmType, []byte("text"))
	untold(t, "a refused reload", body)
	a.end()
	untold(t, "the log", log.String())
	untold(t, "the host", h.ApplicationID()+h.State())
	if !strings.Contains(log.String(), "state") {
		t.Error("nothing was logged")
	}
}

// TestErrorsAboutSecretsDoNotTellThem has settings be wrong beside the secret and in it.
func TestErrorsAboutSecretsDoNotTellThem(t *testing.T) {
	a := newApp(t, brokertest.Fake(t))
	for _, more := range []string{
		"security.protocol: SSL\n  ssl.keystore.location: ../internal/keystore/testdata/server.jks\n  ssl.keystore.password: storepass\n  ssl.key.password: " + canary,
		"security.protocol: SSL\n  ssl.truststore.location: ../internal/keystore/testdata/trust.p12\n  ssl.truststore.password: " + canary,
		"sasl.jaas.config.old: " + canary,
		"sasl.jaas.confg: " + canary,
		"security.protocol: SASL_PLAINTEXT\n  sasl.mechanism: PLAIN\n  admin.sasl.jaas.config: 'org.x.PlainLoginModule required password=\"" + canary + "'",
		"security.protocol: SASL_SSL\n  sasl.mechanism: PLAIN\n  ssl.truststore.type: PEM\n  ssl.keystore.type: PEM\n  ssl.keystore.key: " + canary,
	} {
		cfg, err := secretive(t, a, more)
		if err == nil {
			err = cfg.Validate()
		}
		if err == nil {
			t.Errorf("%s\nis no fault", more)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			untold(t, more, fmt.Sprintf("%v %+v", e, e))
		}
	}
}
