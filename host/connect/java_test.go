//go:build integration

package connect_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestJavaAndOursAreOneGroup has workers of Apache Kafka Connect and of this program take connectors over from each other, in
// one group of the sessioned protocol:
//
//	Java leads alone -> ours joins -> Java dies -> Java joins again, ours leads -> ours leaves
//
// The file source goes on from its offset each time: every line is in the topic once, since nothing was under way when a worker
// went. The sink's six tasks, of both, are one consumer group and miss none. Requests reach whoever leads from either side.
func TestJavaAndOursAreOneGroup(t *testing.T) {
	t.Parallel()
	b := brokertest.Real(t)
	dir := t.TempDir()
	in, out, lines := filepath.Join(dir, "in"), filepath.Join(dir, "out"), b.CreateTopic(t, b.Name("lines"), 4)
	snk := b.Name("snk") // a sink is a consumer group of its name
	source := func(topic string) string {
		return fmt.Sprintf(`{"connector.class":"org.apache.kafka.connect.file.FileStreamSourceConnector","file":%q,"topic":%q}`, in, topic)
	}
	sink := func(tasks int) string {
		return fmt.Sprintf(`{"connector.class":"org.apache.kafka.connect.file.FileStreamSinkConnector","tasks.max":"%d","file":%q,"topics":%q}`, tasks, out, lines)
	}
	group := map[string]string{
		"bootstrap.servers": b.Addr, "group.id": b.Name("connect"), "session.timeout.ms": longSession, "heartbeat.interval.ms": "500",
		"consumer.session.timeout.ms": longSession, "consumer.heartbeat.interval.ms": "500",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"config.storage.topic": b.Name("configs"), "offset.storage.topic": b.Name("offsets"), "status.storage.topic": b.Name("statuses"),
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "3", "offset.flush.interval.ms": "100", "scheduled.rebalance.max.delay.ms": "0",
	}
	create := func(url, name, config string) {
		if code, body := ask(t, "PUT", url+"/connectors/"+name+"/config", config); code != http.StatusCreated {
			t.Fatalf("creating %s: %d %s", name, code, body)
		}
	}
	written := 0
	grow := func(url string) {
		t.Helper()
		size := appendLines(t, in, written, written+100)
		written += 100
		awaitLong(t, fmt.Sprint(written, " lines to be committed"), func() bool {
			_, body := ask(t, "GET", url+"/connectors/src/offsets", "")
			return strings.Contains(body, fmt.Sprintf(`"position":%d}`, size))
		})
		if got := len(b.ReadAll(t, lines)); got != written {
			t.Fatalf("%d lines are in the topic, not %d", got, written)
		}
		awaitLong(t, fmt.Sprint(written, " lines from the sink"), func() bool { return distinct(out) == written })
	}

	java := brokertest.KafkaConnect(t, "distributed", group)
	create(java.URL, "src", source(lines))
	create(java.URL, snk, sink(4))
	create(java.URL, "asleep", source(lines+"-asleep"))
	ask(t, "PUT", java.URL+"/connectors/asleep/stop", "")
	grow(java.URL)

	ours := distributed(t, b, group)
	url := strings.TrimSuffix(ours.herder.Config().AdvertisedURL, "/")
	awaitLong(t, "both to run tasks of the sink", func() bool { return len(owners(t, url, snk, 4)) == 2 })
	grow(url)
	create(url, "through-ours", source(lines+"-second"))
	awaitLong(t, "the connector that ours forwarded to Java", func() bool { return owners(t, url, "through-ours", 1) != nil })
	if code, body := ask(t, "PUT", url+"/connectors/"+snk+"/config", sink(6)); code != http.StatusOK {
		t.Fatalf("changing the sink: %d %s", code, body)
	}
	awaitLong(t, "six tasks on both", func() bool { return len(owners(t, java.URL, snk, 6)) == 2 })

	java.Kill()
	awaitLong(t, "ours to take everything over", func() bool {
		o := owners(t, url, snk, 6)
		return len(o) == 1 && o[ours.herder.Config().WorkerID()] == 6 && owners(t, url, "src", 1) != nil
	})
	grow(url)
	if s := states(ours.herder, "asleep"); s != "STOPPED" {
		t.Errorf("the stopped connector is %s", s)
	}

	java = brokertest.KafkaConnect(t, "distributed", group)
	awaitLong(t, "both to run tasks again", func() bool { return len(owners(t, java.URL, snk, 6)) == 2 })
	grow(java.URL)
	create(java.URL, "through-java", source(lines+"-third"))
	awaitLong(t, "the connector that Java forwarded to ours", func() bool { return owners(t, java.URL, "through-java", 1) != nil })

	ours.leave()
	awaitLong(t, "Java to take everything over", func() bool {
		return len(owners(t, java.URL, snk, 6)) == 1 && owners(t, java.URL, "src", 1) != nil && owners(t, java.URL, "through-ours", 1) != nil
	})
	grow(java.URL)
}
