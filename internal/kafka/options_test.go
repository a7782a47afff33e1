package kafka

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// clientOf makes a client without connecting it.
func clientOf(t *testing.T, kind Kind, props Properties) *kgo.Client {
	t.Helper()
	if props["bootstrap.servers"] == "" {
		props["bootstrap.servers"] = "127.0.0.1:1"
	}
	opts, err := Options(kind, props, "test")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// TestPropertiesReachTheClient asks franz-go's client what became of each property.
func TestPropertiesReachTheClient(t *testing.T) {
	cases := []struct {
		kind       Kind
		key, value string
		opt        any
		want, def  string
	}{
		{Consumer, "bootstrap.servers", "a:1,b:2", kgo.SeedBrokers, "[a:1 b:2]", "[127.0.0.1:1]"},
		{Consumer, "client.id", "me", kgo.ClientID, "me", "kgo"},
		{Consumer, "connections.max.idle.ms", "60000", kgo.ConnIdleTimeout, "1m0s", "9m0s"},
		{Consumer, "metadata.max.age.ms", "60000", kgo.MetadataMaxAge, "1m0s", "5m0s"},
		{Producer, "retry.backoff.ms", "70", kgo.MetadataMinAge, "70ms", "100ms"},
		{Producer, "retry.backoff.ms", "0", kgo.MetadataMinAge, "10ms", "100ms"},
		{Producer, "metadata.max.age.ms", "20", kgo.MetadataMinAge, "20ms", "100ms"},
		{Consumer, "request.timeout.ms", "7s", kgo.RequestTimeoutOverhead, "7s", "30s"},
		{Consumer, "fetch.max.bytes", "1MiB", kgo.FetchMaxBytes, "1048576", "52428800"},
		{Consumer, "max.partition.fetch.bytes", "2MiB", kgo.FetchMaxPartitionBytes, "2097152", "1048576"},
		{Consumer, "fetch.max.wait.ms", "50", kgo.FetchMaxWait, "50ms", "500ms"},
		{Consumer, "fetch.min.bytes", "9", kgo.FetchMinBytes, "9", "1"},
		{Consumer, "client.rack", "r1", kgo.Rack, "r1", ""},
		{Consumer, "isolation.level", "read_committed", kgo.FetchIsolationLevel, "1", "0"},
		{Consumer, "check.crcs", "false", kgo.DisableFetchCRCValidation, "true", "false"},
		{Consumer, "enable.metrics.push", "false", kgo.DisableClientMetrics, "true", "false"},
		{Consumer, "auto.offset.reset", "earliest", kgo.ConsumeResetOffset, fmt.Sprint(kgo.NewOffset().AtStart()), fmt.Sprint(kgo.NewOffset().AtEnd())},
		{Consumer, "auto.offset.reset", "none", kgo.ConsumeResetOffset, fmt.Sprint(kgo.NoResetOffset()), fmt.Sprint(kgo.NewOffset().AtEnd())},
		{Producer, "linger.ms", "20", kgo.ProducerLinger, "20ms", "5ms"},
		{Producer, "buffer.memory", "1MiB", kgo.MaxBufferedBytes, "1048576", "33554432"},
		{Producer, "delivery.timeout.ms", "9s", kgo.RecordRetries, "9", "120"},
		{Producer, "delivery.timeout.ms", "2147483647", kgo.RecordRetries, "9223372036854775807", "120"},
		{Producer, "retries", "3", kgo.RecordRetries, "3", "120"},
		{Producer, "linger.ms", "0", kgo.RecordDeliveryTimeout, "0s", "0s"},
		{Producer, "acks", "-1", kgo.RequiredAcks, fmt.Sprint(kgo.AllISRAcks()), fmt.Sprint(kgo.AllISRAcks())},
		{Producer, "compression.type", "gzip", kgo.ProducerBatchCompression, fmt.Sprint([]kgo.CompressionCodec{kgo.GzipCompression()}), fmt.Sprint([]kgo.CompressionCodec{kgo.NoCompression()})},
		{Producer, "compression.type", "zstd", kgo.ProducerBatchCompression, fmt.Sprint([]kgo.CompressionCodec{kgo.ZstdCompression().WithLevel(2)}), fmt.Sprint([]kgo.CompressionCodec{kgo.NoCompression()})},
	}
	for _, c := range cases {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			if got := fmt.Sprint(clientOf(t, c.kind, Properties{c.key: c.value}).OptValue(c.opt)); got != c.want {
				t.Errorf("set: got %s, want %s", got, c.want)
			}
			if got := fmt.Sprint(clientOf(t, c.kind, Properties{}).OptValue(c.opt)); got != c.def {
				t.Errorf("unset: got %s, want %s", got, c.def)
			}
		})
	}
}

func TestIdempotenceOff(t *testing.T) {
	client := clientOf(t, Producer, Properties{"enable.idempotence": "false", "acks": "1", "max.in.flight.requests.per.connection": "2"})
	if got := fmt.Sprint(client.OptValue(kgo.RequiredAcks), client.OptValue(kgo.MaxProduceRequestsInflightPerBroker)); got != fmt.Sprint(kgo.LeaderAck(), 2) {
		t.Errorf("acks and requests in flight are %s", got)
	}
}

func TestGroupOptions(t *testing.T) {
	opts, err := GroupOptions(Properties{"bootstrap.servers": "a:1", "session.timeout.ms": "6s", "heartbeat.interval.ms": "1s", "max.poll.interval.ms": "9s"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := fmt.Sprint(client.OptValue(kgo.SessionTimeout), client.OptValue(kgo.HeartbeatInterval), client.OptValue(kgo.RebalanceTimeout)); got != "6s 1s 9s" {
		t.Errorf("session, heartbeat and rebalance timeouts are %s", got)
	}
}

// TestFaults shows the message of each kind of fault, all of them at once.
func TestFaults(t *testing.T) {
	cases := []struct {
		kind  Kind
		props Properties
		want  []string
	}{
		{Consumer, Properties{"fetch.min.byte": "1", "group.id": "x", "fetch.min.bytes": "x"}, []string{
			`E-CONFIG-INVALID here: fetch.min.bytes: want bytes or a size such as 64MiB (got "x")`,
			`E-CONFIG-UNKNOWN-KEY here: "fetch.min.byte" is not a property of this client -> did you mean "fetch.min.bytes"?`,
			`E-CONFIG-UNSUPPORTED here: group.id: the group is application.id (got "x") -> remove the key`,
		}},
		{Consumer, Properties{"linger.ms": "1"}, []string{`"linger.ms" is not a property of this client`}},
		{Consumer, Properties{"heartbeat.interval.ms": "50s"}, []string{"heartbeat.interval.ms 50000 is not below session.timeout.ms 45000"}},
		{Consumer, Properties{"auto.offset.reset": "by_duration:soon"}, []string{"want a duration such as PT1H30M"}},
		{Producer, Properties{"acks": "0"}, []string{"acks 0 with the idempotent producer -> set acks to all, or enable.idempotence to false"}},
		{Producer, Properties{"client.dns.lookup": "resolve_canonical_bootstrap_servers_only"}, []string{"-> remove the key or set it to use_all_dns_ips"}},
		{Admin, Properties{"security.protocol": "SASL_PLAINTEXT"}, []string{"sasl.mechanism: GSSAPI is not spoken"}},
		{Admin, Properties{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}, []string{"E-CONFIG-MISSING", "sasl.jaas.config is not set -> write org.apache.kafka.common.security.plain.PlainLoginModule required"}},
		{Admin, Properties{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": `x.ScramLoginModule required username="u" password="hunter2";`}, []string{"does not fit sasl.mechanism PLAIN (got ScramLoginModule)"}},
		{Admin, Properties{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": `x.PlainLoginModule required password="hunter2";`}, []string{"PLAIN needs username and password"}},
		{Admin, Properties{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER"}, []string{"sasl.oauthbearer.token.endpoint.url: want an https, http or file URL"}},
		{Admin, Properties{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url": "https://x"}, []string{"OAUTHBEARER needs a client and its secret"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.truststore.location": "x.jks"}, []string{"E-CONFIG-FILE", "ssl.truststore.location cannot be read"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.truststore.location": "x.pem", "ssl.truststore.type": "PEM"}, []string{"E-CONFIG-FILE", "ssl.truststore.location cannot be read"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.truststore.certificates": "hunter2", "ssl.truststore.type": "PEM"}, []string{"ssl.truststore.certificates: no PEM certificate in it"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.keystore.key": "hunter2", "ssl.keystore.type": "PEM"}, []string{"ssl.keystore.key: no key with its certificate chain in it"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.keystore.key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----"}, []string{"E-TLS-PASSWORD", "the key is encrypted"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.enabled.protocols": "TLSv1.1"}, []string{"want TLSv1.2, TLSv1.3"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.enabled.protocols": "TLSv1.3", "ssl.protocol": "TLSv1.2"}, []string{"ssl.protocol TLSv1.2 is not in ssl.enabled.protocols"}},
		{Admin, Properties{"security.protocol": "SSL", "ssl.cipher.suites": "TLS_RSA_WITH_RC4_128_SHA"}, []string{"unknown or unsafe suite"}},
		{Admin, Properties{"bootstrap.servers": ","}, []string{"E-CONFIG-MISSING here: bootstrap.servers is not set"}},
	}
	for _, c := range cases {
		if _, set := c.props["bootstrap.servers"]; !set {
			c.props["bootstrap.servers"] = "a:1"
		}
		_, err := Options(c.kind, c.props, "here")
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v:\ngot  %v\nwant %s", c.props.Redacted(), err, want)
			}
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVud")) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

// TestSecretsAreNeverShown sets every password to a word that must not come out again.
func TestSecretsAreNeverShown(t *testing.T) {
	p := Properties{}
	for _, k := range AllClientKeys() {
		if k.Secret() {
			p[k.Name] = "hunter2"
		}
	}
	p["security.protocol"], p["sasl.mechanism"], p["bootstrap.servers"] = "SASL_SSL", "PLAIN", "a:1"
	_, err := Options(Admin, p, "here")
	if text := fmt.Sprint(err, p.Redacted()); strings.Contains(text, "hunter2") || !strings.Contains(text, "[hidden]") {
		t.Errorf("a secret is shown, or nothing is: %s", text)
	}
}

func TestBackoffGrowsWithinBounds(t *testing.T) {
	wait := backoff(100*time.Millisecond, time.Second)
	for failures, want := range map[int]time.Duration{0: 100 * time.Millisecond, 1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 1 << 30: time.Second} {
		for range 20 {
			if got := wait(failures); got < want*8/10 || got > want*12/10 {
				t.Errorf("after %d failures: %v, want about %v", failures, got, want)
			}
		}
	}
}

func TestExplainKeepsCodes(t *testing.T) {
	coded := errs.TopicMissing.New("t", "gone", "")
	if got := Explain(fmt.Errorf("x: %w", coded), "w", "d"); !errs.TopicMissing.Is(got) || errs.KafkaRequest.Is(got) {
		t.Errorf("got %v", got)
	}
	if Explain(nil, "w", "d") != nil {
		t.Error("nil became an error")
	}
}
