//go:build !wasm

package wasmstream

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

var errOdd = errors.New("odd")

var scratch []byte

func upper(value []byte) []byte {
	scratch = append(scratch[:0], value...)
	for i, c := range scratch {
		if c-'a' < 26 {
			scratch[i] -= 'a' - 'A'
		}
	}
	return scratch
}

func init() {
	Module("all", "1.2.3")
	Filter("odd-length", func(rec *Record) bool { return len(rec.Value)%2 == 1 }, Wants(Value))
	Filter("failing-filter", func(rec *Record) (bool, error) { return true, DeadLetter(errOdd) })
	MapValues("upper", upper, Description(`to "upper" case`))
	MapValues("same-value", func(value []byte) ([]byte, error) { return value, nil })
	MapValues("key-value", func(key, value []byte) ([]byte, error) { return append(append(scratch[:0], key...), value...), nil })
	MapValues("to-null", func([]byte) []byte { return nil })
	MapValues("overwrite", func(value []byte) []byte { value[0] = 'X'; return value })
	FlatMapValues("repeat", func(value []byte, emit func([]byte)) {
		for range value {
			emit(value)
		}
	})
	FlatMapValues("skip-odd", func(value []byte, emit func([]byte)) error {
		if len(value)%2 == 1 {
			return Skip(errOdd)
		}
		emit(value)
		return nil
	})
	Map("swap", func(rec *Record) {
		rec.Key, rec.Value = rec.Value, rec.Key
		rec.Timestamp, rec.Headers = 99, Headers{}
	})
	FlatMap("pairs", func(rec *Record, emit func(key, value []byte)) {
		emit(rec.Value, rec.Key)
		emit(nil, nil)
	})
	SelectKey("value-as-key", func(rec *Record) []byte { return rec.Value })
	SelectKey("same-key", func(rec *Record) []byte { return rec.Key })
	Foreach("see", func(rec *Record) { seen = append(seen, string(rec.Value)) })
	Process("everything", func() Processor { return new(everything) }, Stores("kv"))
	ProcessValues("values", func() Processor { return new(values) })
	Process("holds", func() Processor { return new(holder) })
	Process("refuses", func() Processor { return refuser{} })
	Process("flood", func() Processor { return flooder{} }, Wants())
}

var seen []string

// everything does what its record's value says.
type everything struct {
	Base
	kv      *KeyValueStore
	calls   Metric
	timer   Timer
	headers HeaderBuilder
}

func (p *everything) Init(ctx *Context) (err error) {
	if p.kv, err = ctx.Store("kv"); err != nil {
		return err
	}
	if p.calls, err = ctx.Metric(Counter, "calls"); err != nil {
		return err
	}
	p.timer, err = ctx.Schedule(10*time.Millisecond, StreamTime)
	return err
}

func (p *everything) Process(ctx *Context, rec *Record) error {
	if err := p.calls.Add(1); err != nil {
		return err
	}
	switch string(rec.Value) {
	case "forward":
		ctx.Forward(rec)
	case "to b":
		rec.Timestamp++
		return ctx.ForwardTo("b", rec)
	case "to nobody":
		return ctx.ForwardTo("nobody", rec)
	case "header":
		p.headers.Reset()
		p.headers.AddAll(rec.Headers)
		p.headers.Add("seen", nil)
		rec.Headers = p.headers.Headers()
		ctx.Forward(rec)
	case "cancel":
		return ctx.Cancel(p.timer)
	case "where":
		text := string(ctx.Topic()) + " " + strconv.Itoa(int(rec.Partition())) + " " + strconv.FormatInt(rec.Offset(), 10)
		rec.Value = []byte(text)
		ctx.Forward(rec)
	case "log":
		ctx.Log(Warn, "seen")
		return ctx.Commit()
	}
	return nil
}

func (p *everything) Punctuate(ctx *Context, timer Timer, now int64) error {
	ctx.Forward(&Record{Key: []byte("tick"), Timestamp: now})
	return nil
}

// values forwards another key and another value.
type values struct{ Base }

func (values) Process(ctx *Context, rec *Record) error {
	ctx.Forward(&Record{Key: []byte("other"), Value: []byte("other"), Timestamp: rec.Timestamp, Headers: rec.Headers})
	return nil
}

// holder forwards at flush.
type holder struct {
	Base
	held int
}

func (h *holder) Process(*Context, *Record) error { h.held++; return nil }

func (h *holder) Flush(ctx *Context) error {
	ctx.Forward(&Record{Value: strconv.AppendInt(nil, int64(h.held), 10)})
	return nil
}

// refuser opens a store that it did not declare.
type refuser struct{ Base }

func (refuser) Init(ctx *Context) error {
	_, err := ctx.Store("not mine")
	return err
}

func (refuser) Process(*Context, *Record) error { return nil }

// flooder forwards more than fits into a frame.
type flooder struct{ Base }

const flood = 200_001

func (flooder) Process(ctx *Context, rec *Record) error {
	for range flood {
		ctx.Forward(rec)
	}
	return nil
}

func open(t testing.TB, name string, configs ...TestConfig) (*TestHost, *TestNode) {
	t.Helper()
	h := NewTestHost()
	n, err := h.Open(name, configs...)
	if err != nil {
		t.Fatal(err)
	}
	return h, n
}

func process(t testing.TB, n *TestNode, records ...TestRecord) []TestOutput {
	t.Helper()
	outs, err := n.Process(records...)
	if err != nil {
		t.Fatal(err)
	}
	return outs
}

// input is a record whose parts are all there.
func input(value string) TestRecord {
	return TestRecord{
		Key: []byte("k"), Value: []byte(value), Timestamp: 5, Offset: 12, Partition: 3,
		Headers: []TestHeader{{"h", []byte("1")}, {"n", nil}},
	}
}

// given is input with another key and value, as an output.
func given(key, value []byte) TestOutput {
	r := input("")
	r.Key, r.Value, r.Offset, r.Partition = key, value, -1, -1
	return TestOutput{Record: r}
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		component string
		in        TestRecord
		want      []TestOutput
	}{
		{"odd-length", input("abc"), []TestOutput{given([]byte("k"), []byte("abc"))}},
		{"odd-length", input("ab"), nil},
		{"upper", input("abc"), []TestOutput{given([]byte("k"), []byte("ABC"))}},
		{"upper", input(""), []TestOutput{given([]byte("k"), []byte{})}},
		{"same-value", input("abc"), []TestOutput{given([]byte("k"), []byte("abc"))}},
		{"same-value", TestRecord{}, []TestOutput{{Record: TestRecord{Offset: -1, Partition: -1}}}},
		{"key-value", input("v"), []TestOutput{given([]byte("k"), []byte("kv"))}},
		{"to-null", input("v"), []TestOutput{given([]byte("k"), nil)}},
		{"repeat", input("ab"), []TestOutput{given([]byte("k"), []byte("ab")), given([]byte("k"), []byte("ab"))}},
		{"repeat", input(""), nil},
		{"swap", input("v"), []TestOutput{given([]byte("v"), []byte("k"))}},
		{"pairs", input("v"), []TestOutput{given([]byte("v"), []byte("k")), given(nil, nil)}},
		{"value-as-key", input("v"), []TestOutput{given([]byte("v"), []byte("v"))}},
		{"same-key", input("v"), []TestOutput{given([]byte("k"), []byte("v"))}},
		{"see", input("v"), nil},
		{"values", input("v"), []TestOutput{given([]byte("k"), []byte("other"))}},
	} {
		t.Run(c.component, func(t *testing.T) {
			_, n := open(t, c.component)
			got := process(t, n, c.in)
			for i := range got {
				got[i].Record.Offset, got[i].Record.Partition = -1, -1
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v gives\n%+v, want\n%+v", c.in, got, c.want)
			}
		})
	}
}

func TestErrorsOfRecords(t *testing.T) {
	_, n := open(t, "failing-filter")
	outs := process(t, n, input("v"))
	if len(outs) != 1 || outs[0].Err == nil || outs[0].Err.Class != ClassDeadLetter || outs[0].Err.Error() != "odd" {
		t.Errorf("got %+v, want a dead letter", outs)
	}
	_, n = open(t, "skip-odd")
	outs = process(t, n, input("ab"), input("a"), input("cd"))
	if len(outs) != 3 || outs[1].Err == nil || outs[1].Err.Class != ClassSkip || outs[1].Index != 1 || outs[2].Index != 2 {
		t.Errorf("got %+v, want the second skipped", outs)
	}
}

func TestWritingIntoTheInputIsReported(t *testing.T) {
	_, n := open(t, "overwrite")
	if _, err := n.Process(input("abc")); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
}

func TestProcessor(t *testing.T) {
	h, n := open(t, "everything", TestConfig{Node: "n", Children: []string{"a", "b"}})
	h.Topic = "t"
	outs := process(t, n, input("forward"), input("to b"), input("to nobody"), input("header"), input("where"), input("log"))
	if len(outs) != 5 {
		t.Fatalf("%d outputs, want 5: %+v", len(outs), outs)
	}
	if outs[0].Child != 0 || string(outs[0].Record.Value) != "forward" {
		t.Errorf("forward: %+v", outs[0])
	}
	if outs[1].Child != 2 || outs[1].Record.Timestamp != 6 {
		t.Errorf("to b: %+v", outs[1])
	}
	if outs[2].Err == nil || outs[2].Err.Class != ClassFail {
		t.Errorf("to nobody: %+v", outs[2])
	}
	want := []TestHeader{{"h", []byte("1")}, {"n", nil}, {"seen", nil}}
	if !reflect.DeepEqual(outs[3].Record.Headers, want) {
		t.Errorf("header: %+v", outs[3].Record.Headers)
	}
	if string(outs[4].Record.Value) != "t 3 12" {
		t.Errorf("where: %q", outs[4].Record.Value)
	}
	if h.Metric("calls") != 6 || h.Commits != 1 || len(h.Logs) != 1 || h.Logs[0] != (TestLog{Warn, "seen"}) {
		t.Errorf("calls %d, commits %d, logs %v", h.Metric("calls"), h.Commits, h.Logs)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := n.Process(input("forward")); err == nil {
		t.Error("a closed component still answers")
	}
}

func TestPunctuate(t *testing.T) {
	_, n := open(t, "everything")
	ticks := func(now int64) int {
		outs, err := n.AdvanceTime(StreamTime, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outs {
			if o.Index != -1 || o.Record.Timestamp != now || string(o.Record.Key) != "tick" {
				t.Errorf("at %d: %+v", now, o)
			}
		}
		return len(outs)
	}
	for _, c := range []struct {
		now  int64
		want int
	}{{0, 1}, {9, 0}, {10, 1}, {45, 1}, {49, 0}, {50, 1}} {
		if got := ticks(c.now); got != c.want {
			t.Errorf("at %d: %d ticks, want %d", c.now, got, c.want)
		}
	}
	process(t, n, input("cancel"))
	if ticks(1000) != 0 {
		t.Error("a cancelled schedule still ticks")
	}
}

func TestFlush(t *testing.T) {
	h, n := open(t, "holds")
	if outs := process(t, n, input("a"), input("b")); len(outs) != 0 {
		t.Errorf("forwarded before the flush: %+v", outs)
	}
	outs, err := n.Flush()
	if err != nil || len(outs) != 1 || string(outs[0].Record.Value) != "2" || outs[0].Index != -1 {
		t.Errorf("%+v, %v", outs, err)
	}
	if !strings.Contains(h.Manifest(), `"name":"holds","kind":"process","wants":["key","value","headers"],"stores":[],"buffers":true`) {
		t.Error("the manifest does not say that the component buffers")
	}
}

func TestInitFails(t *testing.T) {
	_, err := NewTestHost().Open("refuses")
	if err == nil || !strings.Contains(err.Error(), "not mine") {
		t.Errorf("got %v, want the store's name", err)
	}
	if _, err := NewTestHost().Open("unheard of"); err == nil {
		t.Error("an unknown component opened")
	}
}

func TestFloodGoesOutInSeveralFrames(t *testing.T) {
	h, n := open(t, "flood")
	outs := process(t, n, input("x"), TestRecord{})
	if len(outs) != 2*flood {
		t.Fatalf("%d outputs, want %d", len(outs), 2*flood)
	}
	if len(h.emitted) < 3 {
		t.Errorf("%d frames were emitted", len(h.emitted))
	}
	for _, f := range h.emitted {
		if len(f) > flushBytes || load32(ptr(f), frameCountAt) > maxFrameRecords {
			t.Errorf("a frame of %d bytes and %d records", len(f), load32(ptr(f), frameCountAt))
		}
	}
	if outs[flood-1].Index != 0 || outs[flood].Index != 1 || string(outs[0].Record.Value) != "x" {
		t.Error("the outputs are not in the order of their inputs")
	}
}

func TestManifestIsJSON(t *testing.T) {
	var m struct {
		ABI                          int
		Name, Version, Language, SDK string
		Components                   []struct {
			Name, Kind, Description string
			Wants, Stores           []string
		}
	}
	if err := json.Unmarshal([]byte(NewTestHost().Manifest()), &m); err != nil {
		t.Fatal(err)
	}
	if m.ABI != 1 || m.Name != "all" || m.Version != "1.2.3" || m.Language != "go" || m.SDK != SDK || len(m.Components) != len(module.components) {
		t.Errorf("%+v", m)
	}
	for _, c := range m.Components {
		if c.Name == "upper" && (c.Description != `to "upper" case` || !reflect.DeepEqual(c.Wants, []string{"value"})) {
			t.Errorf("%+v", c)
		}
	}
}

// golden reads a frame of the contract's collection.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "abi", "testdata", "golden", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		data, _, _ := strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(data), ""))
	}
	raw, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	frame := aligned(len(raw))
	copy(frame, raw)
	return frame
}

func TestGoldenFrames(t *testing.T) {
	_, n := open(t, "upper")
	got, code := processFrame(n.handle, golden(t, "input-values"))
	if want := golden(t, "output-map-values"); code != 0 || !bytes.Equal(got, want) {
		t.Errorf("code %d, got\n%swant\n%s", code, hex.Dump(got), hex.Dump(want))
	}
	if got, code := processFrame(n.handle, golden(t, "empty")); got != nil || code != 0 {
		t.Errorf("a frame without records is answered with %d bytes, code %d", len(got), code)
	}

	h, n := open(t, "everything", TestConfig{Children: []string{"a"}})
	h.node = n
	var r frameReader
	var rec Record
	if frame := golden(t, "headers"); !r.open(frame) || !r.read(&rec) || rec.Headers.Len() != 4 {
		t.Fatal("headers do not read")
	}
	var all []string
	for k, v := range rec.Headers.All {
		all = append(all, string(k)+"="+string(v)+strconv.FormatBool(v == nil))
	}
	if want := []string{"trace=abcfalse", "trace=false", "=true", "비=twelve bytesfalse"}; !reflect.DeepEqual(all, want) {
		t.Errorf("headers %q, want %q", all, want)
	}
	if v, ok := rec.Headers.Last("trace"); !ok || v == nil || len(v) != 0 {
		t.Errorf("the last trace is %q, %v", v, ok)
	}
	if topic := frameTopic(golden(t, "topic")); string(topic) != "streams-plaintext-input" {
		t.Errorf("topic %q", topic)
	}
}

func TestRefusesWhatIsNoFrame(t *testing.T) {
	_, n := open(t, "upper")
	for _, frame := range [][]byte{nil, make([]byte, 10), aligned(64), golden(t, "empty")[:56]} {
		if _, code := processFrame(n.handle, frame); code != int32(ErrCorrupt) {
			t.Errorf("%d bytes give code %d", len(frame), code)
		}
	}
	if _, code := processFrame(7, golden(t, "empty")); code != int32(ErrInvalidArg) {
		t.Errorf("an unknown handle gives code %d", code)
	}
}

func TestNoAllocationPerRecord(t *testing.T) {
	records := make([]TestRecord, 100)
	for i := range records {
		records[i] = input("forward")
	}
	for _, c := range []string{"odd-length", "upper", "same-value", "repeat", "swap", "pairs", "value-as-key", "everything", "values"} {
		_, n := open(t, c)
		run := n.Prepare(records...)
		run()
		if allocs := testing.AllocsPerRun(20, run); allocs != 0 {
			t.Errorf("%s: %v allocations for %d records, want none", c, allocs, len(records))
		}
	}
}

func TestReserve(t *testing.T) {
	small := reserve(10)
	if len(small) < 10 || uintptr(ptr(small))%8 != 0 {
		t.Errorf("%d bytes at %p", len(small), ptr(small))
	}
	if large := reserve(1 << 20); len(large) < 1<<20 || uintptr(ptr(large))%8 != 0 {
		t.Errorf("%d bytes at %p", len(large), ptr(large))
	}
}

func BenchmarkCopy(b *testing.B) {
	records := make([]TestRecord, 100)
	for i := range records {
		records[i] = input("a value")
	}
	_, n := open(b, "same-value")
	run := n.Prepare(records...)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
