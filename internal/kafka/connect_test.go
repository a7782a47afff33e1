package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func TestUnreachable(t *testing.T) {
	ctx := t.Context()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, addr := range map[string]string{"refused": "127.0.0.1:1", "silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			props := Properties{"bootstrap.servers": addr}
			client := clientOf(t, Admin, props)
			err := ping(ctx, client, props, 100*time.Millisecond)
			if !errs.KafkaUnreachable.Is(err) || !strings.Contains(err.Error(), addr) || errs.Exit(err) != errs.ExitEnvironment {
				t.Errorf("got %v", err)
			}
		})
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Connect(cancelled, Admin, Properties{"bootstrap.servers": silent.Addr().String()}, "test"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled connect gives %v", err)
	}
}

func TestSASL(t *testing.T) {
	fake := brokertest.Fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "hunter2"),
		kfake.Superuser("SCRAM-SHA-256", "alice", "hunter2"), kfake.Superuser("SCRAM-SHA-512", "alice", "hunter2"))
	for mechanism, module := range mechanisms {
		if mechanism == "OAUTHBEARER" {
			continue
		}
		t.Run(mechanism, func(t *testing.T) {
			props := Properties{"bootstrap.servers": fake.Addr, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism}
			props["sasl.jaas.config"] = "org.apache." + module + ` required username="alice" password="hunter2";`
			client, err := Connect(t.Context(), Admin, props, "test")
			if err != nil {
				t.Fatal(err)
			}
			client.Close()
			props["sasl.jaas.config"] = "org.apache." + module + ` required username="alice" password="hunter3";`
			_, err = Connect(t.Context(), Admin, props, "test")
			if !errs.KafkaAuthentication.Is(err) || strings.Contains(err.Error(), "hunter") {
				t.Errorf("a wrong password gives %v", err)
			}
		})
	}
}

func TestOAuthTokens(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "me" || password != "hunter2" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"tok","expires_in":3600}`))
	}))
	defer endpoint.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("filetok\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	jaas := `x.OAuthBearerLoginModule required clientId="me" clientSecret="hunter2" scope="kafka" extension_traceId="7";`
	cases := []struct {
		props       Properties
		want, fault string
	}{
		{Properties{"sasl.oauthbearer.token.endpoint.url": endpoint.URL, "sasl.jaas.config": jaas}, "n,,\x01auth=Bearer tok\x01traceId=7\x01\x01", ""},
		{Properties{"sasl.oauthbearer.token.endpoint.url": endpoint.URL, "sasl.oauthbearer.client.credentials.client.id": "you", "sasl.oauthbearer.client.credentials.client.secret": "hunter2"}, "", "401"},
		{Properties{"sasl.oauthbearer.token.endpoint.url": "file://" + file}, "n,,\x01auth=Bearer filetok\x01\x01", ""},
	}
	for _, c := range cases {
		c.props["security.protocol"], c.props["sasl.mechanism"], c.props["bootstrap.servers"] = "SASL_PLAINTEXT", "OAUTHBEARER", "a:1"
		checked, err := c.props.Check(Admin, "test")
		if err != nil {
			t.Fatal(err)
		}
		mechanism, err := saslMechanism(checked, "test")
		if err != nil {
			t.Fatal(err)
		}
		_, first, err := mechanism.Authenticate(t.Context(), "host")
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %s", err, c.fault)
			}
			continue
		}
		if err != nil || string(first) != c.want {
			t.Errorf("got %q, %v; want %q", first, err, c.want)
		}
	}
}

// certificate makes a key and a certificate that signs itself, in PEM.
func certificate(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestTLS(t *testing.T) {
	good, goodKey := certificate(t, "127.0.0.1")
	other, otherKey := certificate(t, "elsewhere.example")
	clientCert, clientKey := certificate(t, "client")
	serve := func(cert, key []byte, clients bool) string {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		if clients {
			config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			config.ClientCAs.AppendCertsFromPEM(clientCert)
		}
		return brokertest.Fake(t, kfake.TLS(config)).Addr
	}
	oneLine := strings.ReplaceAll(string(good), "\n", `\n`)
	store := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(store, append(clientKey, clientCert...), 0o600); err != nil {
		t.Fatal(err)
	}
	plainServer, mutual, wrongName := serve(good, goodKey, false), serve(good, goodKey, true), serve(other, otherKey, false)
	cases := []struct {
		name  string
		props Properties
		fault string
	}{
		{"trusted", Properties{"bootstrap.servers": plainServer, "ssl.truststore.certificates": string(good)}, ""},
		{"on one line", Properties{"bootstrap.servers": plainServer, "ssl.truststore.certificates": oneLine}, ""},
		{"TLS 1.2", Properties{"bootstrap.servers": plainServer, "ssl.truststore.certificates": oneLine, "ssl.enabled.protocols": "TLSv1.2"}, ""},
		{"not trusted", Properties{"bootstrap.servers": plainServer}, "certificate"},
		{"wrong name", Properties{"bootstrap.servers": wrongName, "ssl.truststore.certificates": string(other)}, "certificate"},
		{"name not checked", Properties{"bootstrap.servers": wrongName, "ssl.truststore.certificates": string(other), "ssl.endpoint.identification.algorithm": ""}, ""},
		{"name not checked, chain is", Properties{"bootstrap.servers": wrongName, "ssl.truststore.certificates": string(good), "ssl.endpoint.identification.algorithm": ""}, "certificate"},
		{"client certificate from a file", Properties{"bootstrap.servers": mutual, "ssl.truststore.certificates": string(good), "ssl.keystore.location": store, "ssl.keystore.type": "PEM"}, ""},
		{"client certificate inline", Properties{"bootstrap.servers": mutual, "ssl.truststore.certificates": string(good), "ssl.keystore.key": string(clientKey), "ssl.keystore.certificate.chain": string(clientCert), "ssl.keystore.type": "PEM"}, ""},
		{"no client certificate", Properties{"bootstrap.servers": mutual, "ssl.truststore.certificates": string(good)}, "certificate"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.props["security.protocol"], c.props["ssl.truststore.type"] = "SSL", "PEM"
			client, err := Connect(t.Context(), Admin, c.props, "test")
			if err == nil {
				client.Close()
			}
			if (err == nil) != (c.fault == "") || (err != nil && (!strings.Contains(err.Error(), c.fault) || !errs.KafkaUnreachable.Is(err))) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
	_, err := Connect(t.Context(), Admin, Properties{"bootstrap.servers": plainServer}, "test")
	if !errs.KafkaUnreachable.Is(err) {
		t.Errorf("plain text to a TLS listener gives %v", err)
	}
}

func TestTopics(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		ctx := t.Context()
		adm, err := ConnectAdmin(ctx, Properties{"bootstrap.servers": b.Addr}, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer adm.Close()
		name := b.Name("orders")
		made, err := CreateTopic(ctx, adm, TopicSpec{Name: name, Partitions: 2, Replication: 1, Configs: map[string]string{"cleanup.policy": "compact"}})
		if err != nil || made.Partitions != 2 || made.Replication != 1 {
			t.Fatalf("created %+v, %v", made, err)
		}
		for code, spec := range map[string]TopicSpec{
			errs.TopicExists.ID:      {Name: name, Partitions: 1, Replication: 1},
			errs.TopicInvalid.ID:     {Name: b.Name("more"), Partitions: 1, Replication: 9},
			errs.ConfigUnknownKey.ID: {Name: b.Name("more"), Partitions: 1, Replication: 1, Configs: map[string]string{"retentoin.ms": "1"}},
			errs.ConfigInvalid.ID:    {Name: b.Name("more"), Partitions: 1, Replication: 1, Configs: map[string]string{"cleanup.policy": "compact,remove"}},
		} {
			var coded *errs.Error
			if _, err := CreateTopic(ctx, adm, spec); !errors.As(err, &coded) || coded.Code != code {
				t.Errorf("creating %+v: got %v, want %s", spec, err, code)
			}
		}
		if _, err := CreateTopic(ctx, adm, TopicSpec{Name: b.Name("dry"), Partitions: 1, Replication: 1, DryRun: true}); err != nil {
			t.Errorf("dry run: %v", err)
		}
		eventually(t, adm, name)
		topics, err := DescribeTopics(ctx, adm, name)
		if err != nil || len(topics) != 1 {
			t.Fatalf("described %+v, %v", topics, err)
		}
		if d := cmp.Diff(map[string]string{"cleanup.policy": "compact"}, topics[0].Configs); d != "" || len(topics[0].Partitions) != 2 || topics[0].Replication != 1 {
			t.Errorf("described %+v\n%s", topics[0], d)
		}
		if _, err := DescribeTopics(ctx, adm, b.Name("oders")); !errs.TopicMissing.Is(err) || !strings.Contains(err.Error(), `did you mean "`+name+`"?`) {
			t.Errorf("a missing topic gives %v", err)
		}
		if err := DeleteTopics(ctx, adm, name, b.Name("never")); !errs.TopicMissing.Is(err) {
			t.Errorf("deleting a missing topic gives %v", err)
		}
		if names, err := ListTopics(ctx, adm, false); err != nil || strings.Contains(strings.Join(names, " "), b.Name("dry")) {
			t.Errorf("listed %v, %v", names, err)
		}
	})
}

// TestTopicConfigs wants what Kafka's LogConfig takes and refuses, in the units that people write.
func TestTopicConfigs(t *testing.T) {
	for given, want := range map[string]string{
		"cleanup.policy=compact, delete": "compact,delete", "retention.ms=1h": "3600000", "retention.ms=-1": "-1", "segment.bytes=64MiB": "67108864",
		"min.cleanable.dirty.ratio=0.5": "0.5", "preallocate=TRUE": "true", "compression.type=zstd": "zstd", "cleanup.policy=": "",
		"retention.ms=-2": "want at least -1", "max.message.bytes=much": "want bytes", "cleanup.policy=typo": "want one of delete, compact",
		"min.insync.replicas=0": "want at least 1", "min.cleanable.dirty.ratio=2": "want 0 to 1", "flush.ms=x": "want milliseconds", "preallocate=1": "want true or false",
	} {
		name, value, _ := strings.Cut(given, "=")
		got, err := ParseTopicConfigs("t", map[string]string{name: value})
		if strings.HasPrefix(want, "want") {
			if !errs.ConfigInvalid.Is(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s gives %v", given, err)
			}
		} else if err != nil || got[name] != want {
			t.Errorf("%s gives %q, %v", given, got[name], err)
		}
	}
	_, err := ParseTopicConfigs("t", map[string]string{"a": "1", "b": "1", "flush.ms": "x"})
	for _, what := range []string{`"a"`, `"b"`, "flush.ms"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%v does not tell of %s", err, what)
		}
	}
}

// eventually waits until the topic is in the metadata that all of a real broker's parts see.
func eventually(t *testing.T, adm *kadm.Client, topic string) {
	t.Helper()
	for t.Context().Err() == nil {
		if details, err := adm.ListTopics(t.Context(), topic); err == nil && details[topic].Err == nil {
			return
		}
	}
}

// TestBrokerErrorsHaveCodes has the broker answer with each error that has a code of its own.
func TestBrokerErrorsHaveCodes(t *testing.T) {
	cases := map[*kerr.Error]errs.Code{
		kerr.TopicAuthorizationFailed: errs.KafkaAuthorization, kerr.SaslAuthenticationFailed: errs.KafkaAuthentication,
		kerr.UnsupportedVersion: errs.KafkaUnsupported, kerr.UnknownTopicOrPartition: errs.TopicMissing,
		kerr.TopicAlreadyExists: errs.TopicExists, kerr.InvalidReplicationFactor: errs.TopicInvalid,
		kerr.NonEmptyGroup: errs.KafkaGroupActive, kerr.MessageTooLarge: errs.RecordTooLarge,
		kerr.ProducerFenced: errs.KafkaFenced, kerr.UnknownServerError: errs.KafkaRequest,
	}
	fake := brokertest.Fake(t)
	adm := kadm.NewClient(fake.Client(t, kgo.RequestRetries(0)))
	for broker, code := range cases {
		fake.Fake.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
			resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
			topic := kmsg.NewCreateTopicsResponseTopic()
			topic.Topic, topic.ErrorCode = "t", broker.Code
			resp.Topics = append(resp.Topics, topic)
			return resp, nil, true
		})
		_, err := CreateTopic(t.Context(), adm, TopicSpec{Name: "t", Partitions: 1, Replication: 1})
		if !code.Is(err) {
			t.Errorf("%s gives %v, want %s", broker.Message, err, code.ID)
		}
	}
}

func TestEmbeddedBroker(t *testing.T) {
	b, err := StartEmbedded(EmbeddedConfig{Retention: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	client, err := Connect(t.Context(), Admin, Properties{"bootstrap.servers": b.Addr}, "test")
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	port := b.cluster.ListenAddrs()[0]
	_, number, _ := net.SplitHostPort(port)
	taken, err := StartEmbedded(EmbeddedConfig{Port: atoi(t, number)})
	if !errs.CLIPortInUse.Is(err) {
		t.Errorf("a port in use gives %v, %v", taken, err)
	}
	if _, err := StartEmbedded(EmbeddedConfig{Host: "0.0.0.0"}); !errs.CLINotLoopback.Is(err) {
		t.Errorf("an open address gives %v", err)
	}
	b.Close()
}

// TestEmbeddedBrokerKeepsForEver: without a retention records of times long ago stay, with one they go.
func TestEmbeddedBrokerKeepsForEver(t *testing.T) {
	for retention, want := range map[time.Duration]int64{0: 0, time.Hour: 1} {
		b, err := StartEmbedded(EmbeddedConfig{Retention: retention})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		admin := kadm.NewClient(client)
		if _, err := admin.CreateTopic(ctx, 1, 1, nil, "old"); err != nil {
			t.Fatal(err)
		}
		record := &kgo.Record{Topic: "old", Value: []byte("v"), Timestamp: time.UnixMilli(1)}
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			t.Fatal(err)
		}
		b.cluster.ApplyRetention()
		starts, err := admin.ListStartOffsets(ctx, "old")
		if err != nil {
			t.Fatal(err)
		}
		if at, _ := starts.Lookup("old", 0); at.Offset != want {
			t.Errorf("with a retention of %s the topic begins at %d, want %d", retention, at.Offset, want)
		}
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := net.LookupPort("tcp", s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
