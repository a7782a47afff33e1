package host

import (
	"bytes"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

const limitedApp = `apiVersion: wasmstream/v1
kind: Application
config: {application.id: APP, bootstrap.servers: "BROKER", default.key.serde: string, default.value.serde: string, commit.interval.ms: 20, poll.ms: 10SETTINGS}
modules:
  guest:
    path: guest.wasm
MODULE
stores:
  - {name: ledger, type: keyValue, key: string, value: string}
operators:
  - stream: {topics: [IN]}
  - process: {guest: guest/ledger, stores: [ledger]}
  - to: {topic: OUT}
`

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// messages are the logged messages that the pattern matches as a whole.
func (l *logBook) messages(pattern string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range regexp.MustCompile(`(?m) msg=(`+pattern+`) `).FindAllStringSubmatch(l.text.String(), -1) {
		found = append(found, m[1])
	}
	return found
}

// startLimited starts the guest hostile's ledger under the settings of the application and of its module.
func startLimited(t *testing.T, settings, module string) (*app, *logBook) {
	t.Helper()
	b := brokertest.Fake(t)
	a := newApp(t, b)
	a.write("app.yaml", []byte(strings.NewReplacer("APP", b.Name("app"), "BROKER", b.Addr, "IN", a.in, "OUT", a.out,
		"SETTINGS", settings, "MODULE", module).Replace(limitedApp)))
	code, err := os.ReadFile("stream/testdata/guests/hostile.wasm")
	if err != nil {
		t.Fatal(err)
	}
	a.write("guest.wasm", code)
	book := &logBook{}
	a.run(func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(book, nil)) })
	return a, book
}

// told sends values in turn and returns as many answers. They are of one time, so that the ledger's punctuation gives
// one record beside them, whose key is another.
func (a *app) told(values ...string) (answers []string) {
	a.t.Helper()
	for _, v := range values {
		a.b.Produce(a.t, &kgo.Record{Topic: a.in, Key: []byte("k"), Value: []byte(v), Timestamp: time.UnixMilli(1)})
	}
	for _, r := range a.b.Read(a.t, a.out, len(values)+1) {
		if string(r.Key) == "k" {
			answers = append(answers, string(r.Value))
		}
	}
	return answers
}

// TestLimitsHoldWhereTheyAreLowered asks a guest for more iterators and metrics than it may have, with the limit given
// at each place of the document. The ledger has one metric before it is asked.
func TestLimitsHoldWhereTheyAreLowered(t *testing.T) {
	for _, c := range []struct {
		name, settings, module string
		want                   []string
	}{
		{"by default", "", "", []string{"16", "99", "16"}},
		{"by the application", ", wasm.iterators.max: 3, wasm.metrics.max: 5", "", []string{"3", "4", "3"}},
		{"by the module", "", "    limits: {iterators.max: 2, metrics.max: 7}", []string{"2", "6", "2"}},
		{"by the component", ", wasm.iterators.max: 9", "    limits: {metrics.max: 8}\n    components: {ledger: {limits: {iterators.max: 1, metrics.max: 3}}}", []string{"1", "2", "1"}},
		{"by another component", "", "    components: {echo: {limits: {iterators.max: 1, metrics.max: 3}}}", []string{"16", "99", "16"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _ := startLimited(t, c.settings, c.module)
			if diff := cmp.Diff(c.want, a.told("iterators 50", "series 500", "iterators 50")); diff != "" {
				t.Errorf("what a guest got (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLogLimitsHoldWhereTheyAreLowered has a guest write a line that is too long, and lines that are too many.
func TestLogLimitsHoldWhereTheyAreLowered(t *testing.T) {
	for _, c := range []struct {
		name, settings, module string
		lineBytes, perSecond   int
	}{
		{"by default", "", "", 4096, 100},
		{"by the application", ", wasm.log.line.max.bytes: 300, wasm.log.lines.per.second: 7", "", 300, 7},
		{"by the module", "", "    limits: {log.line.max.bytes: 256, log.lines.per.second: 3}", 256, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			a, book := startLimited(t, c.settings, c.module)
			a.told("say 10", "say 4096", "flood 1000")
			lines := book.messages("x+")
			if len(lines) != 2 || len(lines[0]) != 10 || len(lines[1]) != c.lineBytes {
				t.Errorf("%d lines, the last of %d bytes, want 2, the last of %d", len(lines), len(lines[len(lines)-1]), c.lineBytes)
			}
			seconds := int(time.Since(start)/time.Second) + 1 // as many seconds may have begun
			if n := len(book.messages("flood")); n < c.perSecond-2 || n > c.perSecond*seconds {
				t.Errorf("%d lines of 1000, want about %d", n, c.perSecond)
			}
		})
	}
}
