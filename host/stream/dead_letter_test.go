package stream

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// hostileModules is the module of testdata/guests/hostile.c as "hostile".
func hostileModules(t testing.TB) Modules {
	t.Helper()
	m := exampleModules(t)
	m.files["hostile"] = "testdata/guests/hostile.wasm"
	code, err := os.ReadFile(m.files["hostile"])
	if err != nil {
		t.Fatal(err)
	}
	module, err := m.engine.Compile(t.Context(), "hostile", code)
	if err != nil {
		t.Fatal(err)
	}
	return oneModule{module}
}

type oneModule struct{ module *wasm.Module }

func (m oneModule) Module(string) (*wasm.Module, error) { return m.module, nil }

// everywhere are the same settings for all components.
type everywhere struct{ GuestSettings }

func (e everywhere) Component(string, string) GuestSettings { return e.GuestSettings }
func (everywhere) Instance(string) wasm.Limits {
	return wasm.Limits{FuelPerFrame: 500_000, FuelPerRecord: 50_000}
}

// hostileApp runs a topology of the hostile guest.
func (h *harness) hostileApp(topo *topology.Topology, policy ErrorPolicy, set ...string) *instance {
	app := h.app(topo, set...)
	app.modules.Store(&moduleSet{Modules: hostileModules(h.t)})
	app.cfg.Guests = everywhere{GuestSettings{OnError: &policy}}
	return h.run(app)
}

// mixed are n records, every tenth of which is a misdeed.
func mixed(topic string, n int, misdeeds ...string) (recs []*kgo.Record, bad int) {
	for i := range n {
		value := fmt.Sprintf("work-%04d", i)
		if i%10 == 7 {
			value = misdeeds[i/10%len(misdeeds)]
			bad++
		}
		recs = append(recs, &kgo.Record{Topic: topic, Key: []byte(strconv.Itoa(i % 5)), Value: []byte(value), Timestamp: time.UnixMilli(1_700_000_000_000)})
	}
	return recs, bad
}

// TestFaultyGuestsExactlyOnce gives two guests, one that keeps a store and one that holds records back until the commit,
// records of which every tenth makes them trap or loop. What is good comes out once, what is bad is set aside once.
func TestFaultyGuestsExactlyOnce(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		held, dead := b.CreateTopic(t, b.Name("held"), 1), b.CreateTopic(t, b.Name("dead"), 1)
		topo := topology.New()
		for _, err := range []error{
			topo.AddSource("source", topology.SourceOptions{}, in),
			topo.AddProcessor("ledger", dsl.GuestProcessor("hostile", "ledger"), "source"),
			topo.AddProcessor("hoard", dsl.GuestProcessor("hostile", "hoard"), "source"),
			topo.AddStateStore(&topology.StoreSpec{Name: "ledger", Kind: topology.KeyValue}, "ledger"),
			topo.AddSink("out", out, topology.SinkOptions{}, "ledger"),
			topo.AddSink("held", held, topology.SinkOptions{}, "hoard"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		input, bad := mixed(in, 100, "trap", "loop")
		b.Produce(t, input...)
		app := h.hostileApp(topo, ErrorPolicy{Action: DeadLetter}, "errors.dead.letter.queue.topic.name="+dead)
		h.drained(in)
		app.stop()
		good := len(input) - bad
		if n := len(b.ReadAll(t, dead)); n != 2*bad {
			t.Errorf("%d dead letters of %d bad records and two guests", n, bad)
		}
		results := b.ReadAll(t, out)
		results = slices.DeleteFunc(results, func(r *kgo.Record) bool { return string(r.Key) == "total" })
		if len(results) != good {
			t.Errorf("%d results of %d good records", len(results), good)
		}
		count := 0
		for _, r := range b.ReadAll(t, held) {
			n, err := strconv.Atoi(string(r.Key))
			if err != nil {
				t.Fatal(err)
			}
			count += n
		}
		if count != good {
			t.Errorf("%d of %d good records were held back and given", count, good)
		}
	})
}

func TestDeadLetterTopicMustExist(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	app := h.app(copyTopology(t, in, out), "errors.dead.letter.queue.topic.name=nowhere")
	if err := app.Run(t.Context()); !errs.DeadLetter.Is(err) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("the error: %v", err)
	}
}

// refusing is a collector that does not take what goes to a topic.
type refusing struct {
	recordingCollector
	topic string
}

func (c *refusing) Send(topic string, partition int32, r *topology.Record) error {
	if topic == c.topic {
		return errs.TopicMissing.New(topic, "gone", "")
	}
	return c.recordingCollector.Send(topic, partition, r)
}

// TestDeadLettersOfHandlers has a source and a processor fail under both handlers of Kafka: the failing ones set records
// aside too.
func TestDeadLettersOfHandlers(t *testing.T) {
	for _, handler := range []ExceptionHandler{LogAndFail, LogAndContinue} {
		for _, value := range []string{"short", "12345678"} {
			collector := &refusing{recordingCollector: recordingCollector{Topics: make(map[string][]string)}}
			broken := &stub{process: func(_ topology.Context, frame []topology.Record) error {
				return fmt.Errorf("no %s today", frame[0].Value)
			}}
			for _, topic := range []string{"", "dead"} {
				collector.topic = topic
				task, _ := startStub(t, broken, func(c *TaskConfig) {
					c.Collector, c.DeadLetterTopic, c.ValueSerde = collector, "dead", topology.Long
					c.Deserialization, c.Processing = handler, handler
				})
				_ = task.AddRecords(inputOf, []*kgo.Record{{Topic: "in", Value: []byte(value), Offset: 3, Timestamp: time.UnixMilli(1)}}, 4)
				_, err := task.Process(0, math.MaxInt)
				switch {
				case topic == "dead" && !errs.DeadLetter.Is(err):
					t.Errorf("%v, %s: the dead-letter topic is gone: %v", handler, value, err)
				case topic == "" && (err == nil) != (handler == LogAndContinue):
					t.Errorf("%v, %s: %v", handler, value, err)
				}
			}
			if n := len(collector.Topics["dead"]); n != 1 {
				t.Errorf("%v, %s: %d dead letters", handler, value, n)
			}
		}
	}
}

// TestProductionHandler writes records around the largest that the producer takes, and that the topic takes: the former
// is known at once, the latter after the broker has refused a batch with others in it.
func TestProductionHandler(t *testing.T) {
	for _, bound := range []string{"the producer's", "the topic's"} {
		for _, guarantee := range []string{"at_least_once", "exactly_once_v2"} {
			for _, handler := range []string{"log-and-continue", "DefaultProductionExceptionHandler"} {
				t.Run(bound+" "+guarantee+" "+handler, func(t *testing.T) {
					produceTooLarge(t, bound == "the topic's", guarantee, handler)
				})
			}
		}
	}
}

func produceTooLarge(t *testing.T, ofTopic bool, guarantee, handler string) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out, dead := b.CreateTopic(t, b.Name("in"), 1), b.Name("out"), b.CreateTopic(t, b.Name("dead"), 1)
	set := []string{"production.exception.handler=" + handler, "processing.guarantee=" + guarantee}
	if ofTopic {
		b.CreateTopic(t, out, 1, "max.message.bytes=1000")
		set = append(set, "errors.dead.letter.queue.topic.name="+dead)
	} else {
		b.CreateTopic(t, out, 1)
		set = append(set, "producer.max.request.size=1000")
	}
	var input []*kgo.Record
	for i := range 40 {
		size := 10
		if i%20 == 15 {
			size = 2000
		}
		input = append(input, &kgo.Record{Topic: in, Key: []byte(strconv.Itoa(i)), Value: make([]byte, size), Timestamp: time.UnixMilli(1_700_000_000_000)})
	}
	b.Produce(t, input...)
	app := h.start(copyTopology(t, in, out), set...)
	exactly := guarantee == "exactly_once_v2"
	if handler != "log-and-continue" {
		if err := app.ended(); !errs.RecordTooLarge.Is(err) || !strings.Contains(err.Error(), in) {
			t.Errorf("the default handler: %v", err)
		}
		// What a transaction holds is taken back with it.
		if letters := distinct(b.ReadAll(t, dead)); exactly && len(letters) > 0 || !exactly && ofTopic && !slices.Equal(letters, []string{"15"}) {
			t.Errorf("dead letters under the default handler: %v", letters)
		}
		return
	}
	h.drained(in)
	app.stop()
	results := b.ReadAll(t, out)
	if n := len(distinct(results)); n != len(input)-2 || exactly && len(results) != n {
		t.Errorf("%d records came out, %d of them distinct; want %d", len(results), n, len(input)-2)
	}
	letters := b.ReadAll(t, dead)
	if keys := distinct(letters); ofTopic && (!slices.Equal(keys, []string{"15", "35"}) || exactly && len(letters) != 2) {
		t.Errorf("%d dead letters: %v", len(letters), keys)
	}
}

// distinct are the keys of records, each once.
func distinct(records []*kgo.Record) (keys []string) {
	for _, r := range records {
		if !slices.Contains(keys, string(r.Key)) {
			keys = append(keys, string(r.Key))
		}
	}
	return keys
}

// TestAChangelogIsNeverLeftBehind: no handler goes on without a record of a changelog.
func TestAChangelogIsNeverLeftBehind(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	b.Produce(t, &kgo.Record{Topic: in, Key: make([]byte, 2000), Value: []byte("v"), Timestamp: time.UnixMilli(1_700_000_000_000)})
	app := h.start(countTopology(t, in, out), "production.exception.handler=log-and-continue",
		"processing.exception.handler=LogAndContinueProcessingExceptionHandler", "topic.max.message.bytes=1000", "statestore.cache.max.bytes=0")
	if err := app.ended(); !errs.RecordTooLarge.Is(err) || !strings.Contains(err.Error(), "-changelog") {
		t.Errorf("it ended with %v", err)
	}
}

// TestGuiltIsBounded: results that differ from one try to the next would be looked for without end.
func TestGuiltIsBounded(t *testing.T) {
	var r refusals
	refuse := func(from, n int) {
		for i := range n {
			r.refuse(&kgo.Record{Topic: "t", Key: strconv.AppendInt(nil, int64(from+i), 10)}, errs.RecordTooLarge.New("t", "large", ""))
		}
	}
	refuse(0, 100)
	if found, err := r.conclude(false); found || err != nil || r.suspects != nil {
		t.Errorf("from half of what is known: %v, %v, %d suspects", found, err, len(r.suspects))
	}
	refuse(0, 100)
	if found, err := r.conclude(true); found || err != nil || len(r.suspects) != 100 || r.width != 6 {
		t.Errorf("from a batch: %v, %v, %d suspects, %d wide", found, err, len(r.suspects), r.width)
	}
	for i := range maxGuilty + 1 {
		refuse(i, 1)
		if found, err := r.conclude(true); !found || (err != nil) != (i == maxGuilty) {
			t.Fatalf("after %d: %v, %v", i, found, err)
		}
	}
}
