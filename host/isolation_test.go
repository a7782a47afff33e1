package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// misdeeds are what the guest hostile (stream/testdata/guests) does when a record tells it to.
var misdeeds = []struct{ name, value string }{
	{"traps", "trap"},
	{"loops", "loop"},
	{"recurses", "deep"},
	{"grows its memory", "grow"},
	{"asks for more memory than there is", "wide"},
	{"floods the log", "flood 100000000"},
	{"storms the host", "storm 100000000"},
	{"answers more than it was asked", "give 3000"},
	{"aborts", "abort 3"},
}

const neighbourApp = `apiVersion: wasmstream/v1
kind: Application
config: {application.id: APP, bootstrap.servers: "BROKER", default.value.serde: string, commit.interval.ms: 20, poll.ms: 10, CONFIG}
modules:
  guest: {path: guest.wasm}
operators:
  - stream: {topics: [IN]}
  - OPERATOR
  - to: {topic: OUT}
`

// neighbour is one of two applications in a process. It gives what it is given, and the test knows in what form.
type neighbour struct {
	*app
	in, out *kgo.Client
}

func startNeighbour(t testing.TB, b *brokertest.Broker, module, operator, config string) *neighbour {
	t.Helper()
	a := newApp(t, b)
	a.write("app.yaml", []byte(strings.NewReplacer("APP", b.Name("app"), "BROKER", b.Addr, "IN", a.in, "OUT", a.out,
		"OPERATOR", operator, "CONFIG", config).Replace(neighbourApp)))
	code, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	a.write("guest.wasm", code)
	a.run(func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	return &neighbour{app: a, in: b.Client(t, kgo.DefaultProduceTopic(a.in)), out: b.Client(t, kgo.ConsumeTopics(a.out),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))}
}

// startNeighbours starts the honest and the hostile application under one guarantee. more are settings of the latter.
func startNeighbours(t testing.TB, guarantee, more string) (honest, hostile *neighbour) {
	t.Helper()
	b := brokertest.Fake(t)
	honest = startNeighbour(t, b, "../examples/mapvalues/mapvalues.wasm", "mapValues: {guest: guest/upper}", "processing.guarantee: "+guarantee)
	hostile = startNeighbour(t, brokertest.At(b.Addr), "stream/testdata/guests/hostile.wasm", "flatMapValues: {guest: guest/many}",
		"wasm.error.policy: skip, processing.guarantee: "+guarantee+more)
	return honest, hostile
}

func (n *neighbour) send(ctx context.Context, values ...string) error {
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, kgo.StringRecord(v))
	}
	return n.in.ProduceSync(ctx, records...).FirstErr()
}

// until reads results up to the value last.
func (n *neighbour) until(ctx context.Context, last string) (values []string, err error) {
	for {
		fetches := n.out.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return values, err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			values = append(values, string(it.Next().Value))
		}
		if slices.Contains(values, last) {
			return values, nil
		}
	}
}

// misbehave has the guest do wrong ten times, and something right at last.
func (n *neighbour) misbehave(ctx context.Context, misdeed, last string) ([]string, error) {
	if err := n.send(ctx, append(slices.Repeat([]string{misdeed}, 10), last)...); err != nil {
		return nil, err
	}
	return n.until(ctx, last)
}

// TestNeighboursOfHostileGuestsAreExact runs two applications in one process. While the guest of one misbehaves in every
// way it knows, the other gives every result once and in order; and what the first does right comes out too.
func TestNeighboursOfHostileGuestsAreExact(t *testing.T) {
	honest, hostile := startNeighbours(t, "exactly_once_v2", ", wasm.fuel.per.frame: 5000000, wasm.fuel.per.record: 100000")
	for _, m := range misdeeds {
		t.Run(m.name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				got, err := hostile.misbehave(t.Context(), m.value, "last "+m.value)
				if err == nil && strings.HasPrefix(m.value, "give") && len(got) < 10*3000 {
					err = fmt.Errorf("%d results of a guest that may give many", len(got))
				}
				done <- err
			}()
			var sent, want, got []string
			for round, running := 0, true; running || round < 3; round++ {
				sent = sent[:0]
				for i := range 20 {
					sent = append(sent, fmt.Sprintf("%s %d.%d", m.name, round, i))
					want = append(want, strings.ToUpper(sent[i]))
				}
				if err := honest.send(t.Context(), sent...); err != nil {
					t.Fatal(err)
				}
				values, err := honest.until(t.Context(), want[len(want)-1])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, values...)
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
					running = false
				default:
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("results of the honest application (-want +got):\n%s", diff)
			}
		})
	}
}

// BenchmarkNeighbour measures how long the honest application takes for one record, from being written to being read,
// alone and while the guest of the other misbehaves without a pause. Under at_least_once, because a commit would hide
// what the neighbour costs.
func BenchmarkNeighbour(b *testing.B) {
	honest, hostile := startNeighbours(b, "at_least_once", "")
	count := 0
	measure := func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			count++
			value := "RECORD " + strconv.Itoa(count)
			start := time.Now()
			if err := honest.send(b.Context(), value); err != nil {
				b.Fatal(err)
			}
			if _, err := honest.until(b.Context(), value); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
	}
	b.Run("alone", measure)
	for _, m := range misdeeds {
		b.Run(m.name, func(b *testing.B) {
			ctx, stop := context.WithCancel(b.Context())
			var beside sync.WaitGroup
			beside.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					last := fmt.Sprintf("last %s %p %d", m.value, b, n)
					if _, err := hostile.misbehave(context.WithoutCancel(ctx), m.value, last); err != nil {
						b.Error(err)
						return
					}
				}
			})
			measure(b)
			stop()
			beside.Wait()
		})
	}
}
