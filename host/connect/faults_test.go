//go:build unix

package connect_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// eachBroker is brokertest.Each with a session timeout that the broker allows: the fake one may be asked for a short one.
func eachBroker(t *testing.T, test func(t *testing.T, b *brokertest.Broker, session string)) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		if b.Fake == nil {
			test(t, b, "3000")
			return
		}
		test(t, brokertest.Fake(t, kfake.GroupMinSessionTimeout(0)), "1500")
	})
}

// processSettings are those of a worker that is to be killed. kfake counts the session of a member also while it waits for the
// others to join: when one of them is dead, it may forget both at once and leave the living one without an answer, which asks
// again when the time for a rebalance is over.
func processSettings(b *brokertest.Broker, session string, more map[string]string) map[string]string {
	out := groupSettings(b)
	maps.Copy(out, map[string]string{
		"session.timeout.ms": session, "consumer.session.timeout.ms": session, "consumer.heartbeat.interval.ms": "200", "restart.backoff.ms": "100",
		"restart.backoff.max.ms": "1000", "restart.limit": "0", "rebalance.timeout.ms": "5000", "task.shutdown.graceful.timeout.ms": "2000",
	})
	maps.Copy(out, more)
	return out
}

// longSession is of workers whose doubles are counted: one that had no processor for a second is not dead. Those that are at
// work when they die have the short one of eachBroker.
const longSession = "10000"

// patient are settings with a long session and a long grace.
func patient(settings map[string]string) map[string]string {
	out := maps.Clone(settings)
	maps.Copy(out, map[string]string{"session.timeout.ms": longSession, "consumer.session.timeout.ms": longSession, "task.shutdown.graceful.timeout.ms": "20000"})
	return out
}

// putConfig sends settings until they are taken.
func putConfig(t testing.TB, url, name, settings string) {
	t.Helper()
	if code, body := ask(t, "PUT", url+"/connectors/"+name+"/config", settings); code != http.StatusCreated && code != http.StatusOK {
		t.Fatalf("setting %s: %d %s", name, code, body)
	}
}

// numbersOf are the numbers in a topic by the task that wrote them, with how often each is there.
func numbersOf(t testing.TB, b *brokertest.Broker, topic string) map[uint32]map[uint64]int {
	t.Helper()
	out := map[uint32]map[uint64]int{}
	for _, r := range b.ReadAll(t, topic) {
		id, n := binary.BigEndian.Uint32(r.Key), binary.BigEndian.Uint64(r.Value)
		if out[id] == nil {
			out[id] = map[uint64]int{}
		}
		out[id][n]++
	}
	return out
}

// leastOf is how many numbers the slowest of so many tasks has written.
func leastOf(t testing.TB, b *brokertest.Broker, topic string, tasks int) int {
	t.Helper()
	all := numbersOf(t, b, topic)
	least := 1 << 30
	for id := range tasks {
		least = min(least, len(all[uint32(id)]))
	}
	return least
}

// TestExactlyOnceThroughFaults has three workers run three tasks of a source that numbers its records. One worker is killed and one is
// stopped until its work has moved, wakes as the leader that it was and is told to change the configuration; workers come and go, and settings are
// written while they do. In the end each number of each task is in the topic once.
func TestExactlyOnceThroughFaults(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *brokertest.Broker, session string) {
		topic := b.CreateTopic(t, b.Name("numbers"), 2)
		settings := processSettings(b, session, map[string]string{"exactly.once.source.support": "enabled"})
		source := func(count int, more string) string {
			return fmt.Sprintf(`{"connector.class":"VerifiableSource","tasks.max":"3","topic":%q,"throughput":"300","batch.size":"20","count":"%d","key.converter":"IntegerConverter","value.converter":"LongConverter","note":%q}`, topic, count, more)
		}
		grown := func(what string) {
			t.Helper()
			from := leastOf(t, b, topic, 3)
			awaitLong(t, "each task to go on after "+what, func() bool { return leastOf(t, b, topic, 3) > from+20 })
		}
		one := startProcess(t, settings)
		putConfig(t, one.url, "gen", source(-1, "first"))
		two, three := startProcess(t, settings), startProcess(t, settings)
		awaitLong(t, "three workers to share three tasks", func() bool { return len(owners(t, two.url, "gen", 3)) == 3 })
		grown("the start")

		one.kill() // the leader; settings are written while the others take over
		putConfig(t, two.url, "gen", source(-1, "second"))
		awaitLong(t, "two workers to run all", func() bool {
			o := owners(t, three.url, "gen", 3)
			return len(o) == 2 && o[one.id()] == 0
		})
		grown("a death")

		stopped, awake := two, three // whichever leads now: both are told to change settings
		stopped.signal(t, syscall.SIGSTOP)
		awaitLong(t, "the tasks of the stopped worker to move", func() bool { return owners(t, awake.url, "gen", 3)[awake.id()] == 3 })
		grown("a stop")
		putConfig(t, awake.url, "gen", source(-1, "third"))
		stopped.signal(t, syscall.SIGCONT)
		putConfig(t, stopped.url, "gen", source(-1, "fourth"))
		for _, w := range []*process{stopped, awake} {
			awaitLong(t, "one configuration everywhere", func() bool {
				_, body := ask(t, "GET", w.url+"/connectors/gen/config", "")
				return strings.Contains(body, `"note":"fourth"`)
			})
		}
		grown("waking up")

		for i := range 4 { // a storm
			guest := startProcess(t, settings)
			putConfig(t, guest.url, "gen", source(-1, fmt.Sprint("storm ", i)))
			if i%2 == 0 {
				guest.terminate(t)
			} else {
				guest.kill()
			}
		}
		grown("a storm")
		count := 0
		for _, seen := range numbersOf(t, b, topic) {
			count = max(count, len(seen))
		}
		count += 600
		putConfig(t, awake.url, "gen", source(count, "last"))
		awaitLong(t, "all numbers", func() bool { return leastOf(t, b, topic, 3) == count })
		for id, seen := range numbersOf(t, b, topic) {
			for n, times := range seen {
				if times != 1 || n >= uint64(count) {
					t.Errorf("task %d wrote %d %d times", id, n, times)
				}
			}
		}
	})
}

// TestAtLeastOnceThroughFaults has lines go from a file through a topic into a file. Workers die at rest, which doubles nothing, and in the
// middle of work, which loses nothing; what the sink wrote, folded by key, is the topic folded by key.
func TestAtLeastOnceThroughFaults(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *brokertest.Broker, session string) {
		dir := t.TempDir()
		in, out, topic := filepath.Join(dir, "in"), filepath.Join(dir, "out"), b.CreateTopic(t, b.Name("lines"), 1)
		settings := processSettings(b, session, nil)
		source, sink := b.Name("src"), b.Name("snk") // a sink is a consumer group of its name
		one := startProcess(t, patient(settings))
		putConfig(t, one.url, source, fmt.Sprintf(`{"connector.class":"FileStreamSource","file":%q,"topic":%q,"batch.size":"10"}`, in, topic))
		putConfig(t, one.url, sink, fmt.Sprintf(`{"connector.class":"FileStreamSink","file":%q,"topics":%q}`, out, topic))
		two := startProcess(t, patient(settings))
		size := appendLines(t, in, 0, 500)
		awaitLong(t, "everything to be committed", func() bool {
			_, src := ask(t, "GET", two.url+"/connectors/"+source+"/offsets", "")
			_, snk := ask(t, "GET", two.url+"/connectors/"+sink+"/offsets", "")
			return strings.Contains(src, fmt.Sprintf(`"position":%d}`, size)) && strings.Contains(snk, `"kafka_offset":500}`)
		})
		one.kill() // at rest
		appendLines(t, in, 500, 1000)
		awaitLong(t, "the second half", func() bool { return lines(out) >= 1000 && distinct(out) == 1000 })
		if got := lines(out); got != 1000 {
			t.Errorf("%d lines for 1000 after a death at rest", got)
		}
		for i := range 3 { // in the middle of work
			next := startProcess(t, settings)
			appendLines(t, in, 1000+i*4000, 1000+(i+1)*4000)
			awaitLong(t, "some of the lines", func() bool { return distinct(out) > 1000+i*4000+100 })
			two.kill()
			two = next
		}
		awaitLong(t, "all lines", func() bool { return distinct(out) == 13000 })
		fold := func(list []string) map[string]string {
			last := map[string]string{}
			for _, l := range list {
				if n, ok := strings.CutPrefix(l, "line "); ok {
					last[n[len(n)-1:]] = n // by the last digit
				}
			}
			return last
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		awaitLong(t, "the sink's table to be the topic's", func() bool {
			text, err = os.ReadFile(out)
			return err == nil && maps.Equal(fold(strings.Split(string(text), "\n")), fold(texts(b.ReadAll(t, topic))))
		})
		t.Logf("%d lines in the topic and %d from the sink for 13000 through three deaths", len(b.ReadAll(t, topic)), lines(out))
	})
}

// TestStandaloneDiesAndGoesOn kills a worker alone, at work and while it stands still, and starts it again with the same file of offsets: no
// line is missing, and what was committed is not read again.
func TestStandaloneDiesAndGoesOn(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *brokertest.Broker, session string) {
		dir := t.TempDir()
		in, out, topic := filepath.Join(dir, "in"), filepath.Join(dir, "out"), b.CreateTopic(t, b.Name("lines"), 1)
		settings := map[string]string{
			"bootstrap.servers": b.Addr, "key.converter": "StringConverter", "value.converter": "StringConverter", "listeners": "http://127.0.0.1:0",
			"offset.storage.file.filename": filepath.Join(dir, "offsets"), "offset.flush.interval.ms": "20", "consumer.session.timeout.ms": session, "consumer.heartbeat.interval.ms": "200",
		}
		source, sink := b.Name("src"), b.Name("snk")
		start := func(settings map[string]string) *process {
			p := startProcess(t, settings)
			putConfig(t, p.url, source, fmt.Sprintf(`{"connector.class":"FileStreamSource","file":%q,"topic":%q,"batch.size":"10"}`, in, topic))
			putConfig(t, p.url, sink, fmt.Sprintf(`{"connector.class":"FileStreamSink","file":%q,"topics":%q}`, out, topic))
			return p
		}
		size := appendLines(t, in, 0, 1000)
		w := start(patient(settings))
		awaitLong(t, "everything to be committed", func() bool {
			_, src := ask(t, "GET", w.url+"/connectors/"+source+"/offsets", "")
			_, snk := ask(t, "GET", w.url+"/connectors/"+sink+"/offsets", "")
			return strings.Contains(src, fmt.Sprintf(`"position":%d}`, size)) && strings.Contains(snk, `"kafka_offset":1000}`)
		})
		w.kill()
		appendLines(t, in, 1000, 2000)
		w = start(patient(settings))
		awaitLong(t, "the next thousand", func() bool { return distinct(out) == 2000 })
		if got := lines(out); got != 2000 {
			t.Errorf("%d lines for 2000 after a death at rest", got)
		}
		appendLines(t, in, 2000, 12000)
		awaitLong(t, "some of the rest", func() bool { return distinct(out) > 2100 })
		w.signal(t, syscall.SIGSTOP)
		w.kill()
		start(settings)
		awaitLong(t, "all lines", func() bool { return distinct(out) == 12000 })
	})
}
