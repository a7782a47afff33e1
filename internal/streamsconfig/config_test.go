package streamsconfig_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
)

// layer is a file with what an application needs, and values over it.
func layer(values map[string]string) streamsconfig.Layer {
	all := map[string]string{"application.id": "app", "bootstrap.servers": "h:1"}
	for k, v := range values {
		all[k] = v
	}
	return streamsconfig.Layer{Origin: "app.yaml", Values: all}
}

func load(t *testing.T, values map[string]string) *streamsconfig.Config {
	t.Helper()
	c, err := streamsconfig.Load(layer(values))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryKeyOfKafka holds the names, types and defaults against those that the class StreamsConfig of Kafka 4.3.1
// tells of itself.
func TestEveryKeyOfKafka(t *testing.T) {
	table, err := os.ReadFile("testdata/kafka-4.3.1-streamsconfig.tsv")
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]kafka.Key{}
	for _, k := range streamsconfig.Keys() {
		ours[k.Name] = k
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		k, ok := ours[fields[0]]
		delete(ours, fields[0])
		n++
		if !ok {
			t.Errorf("%s has no answer", fields[0])
			continue
		}
		if got := javaDefault(k.Default); string(k.Type) != fields[1] || simple(got) != simple(fields[2]) {
			t.Errorf("%s is %s %s, in Kafka %s %s", k.Name, k.Type, got, fields[1], fields[2])
		}
	}
	if n != 74 {
		t.Errorf("Kafka 4.3.1 has 74 settings, the table %d", n)
	}
	for name, k := range ours {
		if k.Answer != kafka.Refused || !strings.Contains(k.Note, "after 4.3.1") {
			t.Errorf("%s is not in Kafka 4.3.1 and not answered so", name)
		}
	}
	if len(ours) != 5 {
		t.Errorf("%d settings of later releases are answered, want 5", len(ours))
	}
}

func javaDefault(def string) string {
	switch def {
	case kafka.Null:
		return "null"
	case kafka.Required:
		return "(required)"
	}
	return def
}

// simple strips what Java prints around lists and classes.
func simple(s string) string {
	s = strings.TrimPrefix(strings.Trim(s, "[]"), "class ")
	if i := strings.LastIndexByte(s, '.'); i >= 0 && strings.HasPrefix(s, "org.") {
		s = s[i+1:]
	}
	return s
}

func TestDefaults(t *testing.T) {
	c := load(t, nil)
	if c.NumStreamThreads != 1 || c.StateDir != "/tmp/kafka-streams" || c.CommitInterval != 30*time.Second || c.CacheBytes != 10<<20 ||
		c.ExactlyOnce || c.KeySerde.Name() != "bytes" || c.ValueSerde.Name() != "bytes" || c.ReplicationFactor != -1 ||
		c.ContinueOnDeserialization || c.TimestampExtractor != "FailOnInvalidTimestamp" || c.MaxTaskIdle != 0 || len(c.Warnings) != 0 {
		t.Errorf("the defaults are %+v", c)
	}
	eos := load(t, map[string]string{"processing.guarantee": "exactly_once_v2"})
	if !eos.ExactlyOnce || eos.CommitInterval != 100*time.Millisecond {
		t.Errorf("under exactly_once_v2 the commit interval is %v", eos.CommitInterval)
	}
	if set := load(t, map[string]string{"processing.guarantee": "exactly_once_v2", "commit.interval.ms": "5s"}); set.CommitInterval != 5*time.Second {
		t.Errorf("a commit interval that is set becomes %v", set.CommitInterval)
	}
}

func TestValues(t *testing.T) {
	c := load(t, map[string]string{
		"default.key.serde": "org.apache.kafka.common.serialization.Serdes$StringSerde", "default.value.serde": "long",
		"default.deserialization.exception.handler": "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler",
		"processing.exception.handler":              "log-and-continue",
		"default.timestamp.extractor":               "org.apache.kafka.streams.processor.WallclockTimestampExtractor",
		"dsl.store.suppliers.class":                 "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$RocksDBDslStoreSuppliers",
		"cache.max.bytes.buffering":                 "1MiB", "max.task.idle.ms": "-1", "num.stream.threads": "3", "topic.retention.ms": "1000",
		"main.consumer.metrics.num.samples": "3", "wasm.memory.max.bytes": "128MiB",
	})
	if c.KeySerde.Name() != "string" || c.ValueSerde.Name() != "long" || !c.ContinueOnDeserialization || !c.ContinueOnProcessing ||
		c.TimestampExtractor != "WallclockTimestampExtractor" || c.CacheBytes != 1<<20 || c.MaxTaskIdle != -time.Millisecond ||
		c.NumStreamThreads != 3 || c.Wasm.MemoryBytes != 128<<20 {
		t.Errorf("got %+v", c)
	}
	if d := cmp.Diff(map[string]string{"retention.ms": "1000"}, c.TopicConfigs()); d != "" {
		t.Error(d)
	}
	want := []string{
		"app.yaml: main.consumer.metrics.num.samples has no effect: metrics are counters and histograms; the reader of /metrics computes rates over the span it likes",
		"app.yaml: cache.max.bytes.buffering is deprecated; use statestore.cache.max.bytes",
		"app.yaml: default.deserialization.exception.handler is deprecated; use deserialization.exception.handler",
	}
	if d := cmp.Diff(want, c.Warnings); d != "" {
		t.Error(d)
	}
	both := load(t, map[string]string{"cache.max.bytes.buffering": "1", "statestore.cache.max.bytes": "2"})
	if both.CacheBytes != 2 || !strings.Contains(both.Warnings[0], "is set too and wins") {
		t.Errorf("with both names the cache is %d; %v", both.CacheBytes, both.Warnings)
	}
}

// TestNoFolderForState: an empty state.dir would be wherever the process was started.
func TestNoFolderForState(t *testing.T) {
	_, err := streamsconfig.Load(layer(map[string]string{"state.dir": ""}))
	if !errs.ConfigInvalid.Is(err) || !strings.Contains(err.Error(), "state.dir: want a folder") {
		t.Errorf("an empty state.dir gave %v", err)
	}
}

// TestAllFaultsAtOnce: each fault of each layer is told, with its place.
func TestAllFaultsAtOnce(t *testing.T) {
	file := streamsconfig.Layer{Origin: "app.yaml", Where: map[string]string{"comit.interval.ms": "app.yaml:5:3"}, Values: map[string]string{
		"comit.interval.ms": "1", "task.assignor.class": "x", "num.stream.threads": "many", "rocksdb.config.setter": "mine",
		"enable.transactional.statestores": "true", "consumer.linger.ms": "1", "topic.retention": "1", "default.key.serde": "Strnig",
		"processing.guarantee": "exactly_once", "dsl.store.suppliers.class": "MyStoreSuppliers", "group.protocol": "streams", "producer.transactional.id": "mine",
	}}
	set := streamsconfig.Layer{Origin: "--set", Values: map[string]string{"state.dir": "${env:WASMSTREAM_TEST_UNSET}"}}
	_, err := streamsconfig.Load(file, set)
	for _, want := range []string{
		`E-CONFIG-UNKNOWN-KEY app.yaml:5:3: "comit.interval.ms" is not a setting -> did you mean "commit.interval.ms"?`,
		`E-CONFIG-UNSUPPORTED app.yaml: task.assignor.class: names a Java class; there is no JVM to load it (got "x") -> remove the key`,
		`E-CONFIG-INVALID app.yaml: num.stream.threads: want a whole number (got "many")`,
		`E-CONFIG-UNSUPPORTED app.yaml: rocksdb.config.setter: names a Java class`,
		`E-CONFIG-UNSUPPORTED app.yaml: enable.transactional.statestores: comes with a release of Kafka after 4.3.1`,
		`E-CONFIG-UNKNOWN-KEY app.yaml: "consumer.linger.ms" is not a setting`,
		`E-CONFIG-UNKNOWN-KEY app.yaml: "topic.retention" is not a setting -> did you mean "topic.retention.ms"?`,
		`E-CONFIG-INVALID app.yaml: processing.guarantee: want one of at_least_once, exactly_once_v2 (got "exactly_once")`,
		`E-CONFIG-INVALID app.yaml: dsl.store.suppliers.class: want one of`,
		`E-CONFIG-UNSUPPORTED app.yaml: group.protocol: our own assignor`,
		`E-CONFIG-UNSUPPORTED app.yaml: producer.transactional.id: derived from application.id`,
		`E-CONFIG-UNSET-VARIABLE --set: the environment variable WASMSTREAM_TEST_UNSET is not set`,
		`E-CONFIG-MISSING application.id is not set`, `E-CONFIG-MISSING bootstrap.servers is not set`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s\nin %v", want, err)
		}
	}
	if n := len(errs.Flatten(err)); n != 14 {
		t.Errorf("%d faults are told, want 14", n)
	}
	_, err = streamsconfig.Load(layer(map[string]string{"default.key.serde": "Strnig", "application.id": "a/b"}))
	for _, want := range []string{`default.key.serde: unknown serde "Strnig" -> did you mean "string"?`, `application.id: want letters`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s\nin %v", want, err)
		}
	}
}

func TestDeadLetterTopicHasToBeATopicsName(t *testing.T) {
	const key = "errors.dead.letter.queue.topic.name"
	for _, name := range []string{"", "dead", "Dead_letters-1.x", strings.Repeat("d", 249)} {
		if _, err := streamsconfig.Load(layer(map[string]string{key: name})); errs.ConfigInvalid.Is(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"dead letters", "dead/letters", "..", ".", "tot\u00e9", strings.Repeat("d", 250)} {
		_, err := streamsconfig.Load(layer(map[string]string{key: name}))
		if !errs.ConfigInvalid.Is(err) || !strings.Contains(err.Error(), "E-CONFIG-INVALID app.yaml: "+key+": ") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestFaultsOfClientsAreToldOnce(t *testing.T) {
	_, err := streamsconfig.Load(layer(map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}))
	if n := len(errs.Flatten(err)); n != 1 || !errs.ConfigMissing.Is(err) {
		t.Errorf("got %d faults: %v", n, err)
	}
	_, err = streamsconfig.Load(layer(map[string]string{"processing.guarantee": "exactly_once_v2", "producer.enable.idempotence": "false"}))
	if !errs.ConfigInvalid.Is(err) || !strings.Contains(err.Error(), "exactly_once_v2 needs the idempotent producer") {
		t.Errorf("got %v", err)
	}
}

func TestPrecedenceAndOrigin(t *testing.T) {
	set, err := streamsconfig.Set([]string{"state.dir=/set", "sasl.jaas.config=x.PlainLoginModule required username=u password=hunter2;"})
	if err != nil {
		t.Fatal(err)
	}
	env := streamsconfig.Env([]string{"WASMSTREAM_STATE_DIR=/env", "WASMSTREAM_POLL_MS=7", "WASMSTREAM_MAIN_CONSUMER_FETCH_MIN_BYTES=9", "WASMSTREAM_TEST_BROKERS=x", "POLL_MS=8"})
	c, err := streamsconfig.Load(layer(map[string]string{"state.dir": "/file", "poll.ms": "6", "num.stream.threads": "2"}), env, set)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range c.Entries() {
		got[e.Key] = e.Value + " from " + e.Origin
	}
	want := map[string]string{
		"state.dir": "/set from --set", "poll.ms": "7 from env WASMSTREAM_POLL_MS", "num.stream.threads": "2 from app.yaml",
		"main.consumer.fetch.min.bytes": "9 from env WASMSTREAM_MAIN_CONSUMER_FETCH_MIN_BYTES", "commit.interval.ms": "30000 from default",
		"sasl.jaas.config": "[hidden] from --set",
	}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s is %s, want %s", k, got[k], w)
		}
	}
	if _, err := streamsconfig.Set([]string{"hunter2"}); !errs.CLIUsage.Is(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a --set without = gives %v", err)
	}
}

func TestVariablesThatMeanNothingAreWarnedOf(t *testing.T) {
	env := streamsconfig.Env([]string{
		"WASMSTREAM_NUM_STREAM_THREAD=hunter2", "WASMSTREAM_QQQQQQQQQQ=1", "WASMSTREAM_POLL_MS=7", "WASMSTREAM_ADMIN=a:1", "WASMSTREAM_TEST_BROKERS=x",
		"WASMSTREAM_BOOTSTRAP_SERVER=x:1", "OTHER=1",
	})
	c, err := streamsconfig.Load(layer(nil), env)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`env WASMSTREAM_NUM_STREAM_THREAD is not a setting: did you mean "WASMSTREAM_NUM_STREAM_THREADS"?`,
		"env WASMSTREAM_QQQQQQQQQQ is not a setting: check the spelling",
	}
	if d := cmp.Diff(want, c.Warnings); d != "" {
		t.Error(d)
	}
}

// TestClients holds what each client gets against what Kafka Streams 4.3.1 gives its clients.
func TestClients(t *testing.T) {
	c := load(t, map[string]string{
		"fetch.min.bytes": "2", "consumer.fetch.min.bytes": "3", "restore.consumer.fetch.min.bytes": "4", "linger.ms": "7",
		"producer.linger.ms": "8", "admin.client.id": "boss", "processing.guarantee": "exactly_once_v2", "consumer.isolation.level": "read_uncommitted",
	})
	cases := []struct {
		role streamsconfig.Role
		want map[string]string
	}{
		{streamsconfig.MainConsumer, map[string]string{"fetch.min.bytes": "3", "auto.offset.reset": "earliest", "max.poll.records": "1000", "isolation.level": "read_committed", "linger.ms": "", "bootstrap.servers": "h:1", "request.timeout.ms": ""}},
		{streamsconfig.RestoreConsumer, map[string]string{"fetch.min.bytes": "4", "auto.offset.reset": "none", "isolation.level": "read_committed"}},
		{streamsconfig.Producer, map[string]string{"linger.ms": "8", "transaction.timeout.ms": "10000", "delivery.timeout.ms": "2147483647", "fetch.min.bytes": ""}},
		{streamsconfig.Admin, map[string]string{"client.id": "boss", "linger.ms": "", "request.timeout.ms": ""}},
	}
	for _, test := range cases {
		props := c.Client(test.role)
		for k, want := range test.want {
			if props[k] != want {
				t.Errorf("%v: %s is %q, want %q", test.role, k, props[k], want)
			}
		}
	}
	if props := load(t, nil).Client(streamsconfig.Producer); props["linger.ms"] != "100" || props["delivery.timeout.ms"] != "" {
		t.Errorf("under at_least_once the producer gets %v", props)
	}
	if props := load(t, map[string]string{"request.timeout.ms": "5s"}).Client(streamsconfig.Admin); props["request.timeout.ms"] != "5000" {
		t.Errorf("a request timeout that is set reaches the clients as %q", props["request.timeout.ms"])
	}
}

func TestExpand(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "1", "EMPTY": ""}[name]
		return v, ok
	}
	file := func(path string) ([]byte, error) {
		if path == "secret" {
			return []byte("s\n"), nil
		}
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	for in, want := range map[string]string{
		"plain": "plain", "${env:A}": "1", "x${env:A}y${env:NO:-z}": "x1yz", "${env:EMPTY:-d}": "d", "${env:EMPTY}": "", "${file:secret}": "s",
		"$$": "$", "$${env:A}": "${env:A}", "a$b$": "a$b$", "${env:NO:-}": "",
	} {
		if got, err := streamsconfig.Expand(in, "w", env, file); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", in, got, err, want)
		}
	}
	for in, code := range map[string]errs.Code{"${env:NO}": errs.ConfigUnsetVariable, "${file:no}": errs.ConfigUnsetVariable, "${env:A": errs.ConfigInvalid, "${vault:x}": errs.ConfigInvalid} {
		if _, err := streamsconfig.Expand(in, "w", env, file); !code.Is(err) {
			t.Errorf("%q gives %v, want %s", in, err, code.ID)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("${env:A:-b}$$x")
	f.Fuzz(func(_ *testing.T, value string) {
		_, _ = streamsconfig.Expand(value, "w", func(string) (string, bool) { return "", false }, func(string) ([]byte, error) { return nil, fmt.Errorf("none") })
	})
}

// TestDocumentationIsCurrent holds docs/configuration.md; WASMSTREAM_WRITE_DOCS=1 writes it.
func TestDocumentationIsCurrent(t *testing.T) {
	const page = "../../docs/configuration.md"
	if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
		if err := os.WriteFile(page, []byte(streamsconfig.Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(streamsconfig.Markdown(), string(got)); d != "" {
		t.Errorf("docs/configuration.md is not what the keys say; write it with WASMSTREAM_WRITE_DOCS=1 go test ./internal/streamsconfig\n%s", d)
	}
}
