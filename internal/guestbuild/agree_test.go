package guestbuild_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// languages are those that every example is written in. In short mode those are left out whose toolchain is not on
// every machine and whose module is not committed.
func languages() []string {
	if testing.Short() {
		return []string{"c", "go"}
	}
	return []string{"c", "go", "rust"}
}

// quiet is a host for components that need nothing but to fail and to give much.
type quiet struct {
	wasm.Host
	emitted [][]byte
}

func (q *quiet) Emit(frame []byte) int32 {
	q.emitted = append(q.emitted, append([]byte(nil), frame...))
	return 0
}

func (q *quiet) Features() int64                        { return 0 }
func (q *quiet) SetError(int32, int32, []byte) int32    { return 0 }
func (q *quiet) LogEnabled(int32) bool                  { return false }
func (q *quiet) Log(int32, []byte)                      {}
func (q *quiet) LogRate() *wasm.LogRate                 { return nil }
func (q *quiet) Time(int32, int32) int64                { return 1_700_000_000_000 }
func (q *quiet) Random(_ int32, p []byte) int32         { clear(p); return 0 }
func (q *quiet) ConfigGet([]byte) ([]byte, bool)        { return nil, false }
func (q *quiet) StateGet(int32, []byte) ([]byte, int32) { return nil, int32(abi.Denied) }

// guest is an open component.
type guest struct {
	host     *quiet
	instance *wasm.Instance
	handle   int32
}

func openGuest(t testing.TB, engine *wasm.Engine, name, component string) *guest {
	t.Helper()
	module, err := engine.Compile(context.Background(), name, guestbuild.Load(t, name))
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{host: new(quiet)}
	if g.instance, err = module.Instantiate(context.Background(), g.host, wasm.Limits{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.instance.Close() })
	open := abi.AppendOpenHeader(nil)
	open = abi.AppendPair(open, abi.OpenComponent, component)
	open = abi.AppendPair(open, abi.OpenChild, "next")
	abi.FinishOpen(open, 0, 2)
	if g.handle, err = g.instance.Open(open); err != nil {
		t.Fatal(err)
	}
	return g
}

// process runs one frame and returns the answers as lines of text.
func (g *guest) process(t *testing.T, values [][]byte) []string {
	t.Helper()
	frame := abi.AppendFrameHeader(nil, &abi.FrameHeader{})
	for i, v := range values {
		frame = abi.AppendRecord(frame, &abi.Record{Value: v, Index: uint32(i), Timestamp: int64(i)})
	}
	abi.FinishFrame(frame, 0, len(values))
	in, err := g.instance.Reserve(len(frame))
	if err != nil {
		t.Fatal(err)
	}
	copy(in, frame)
	g.host.emitted = nil
	out, err := g.instance.Process(g.handle, len(frame))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range append(g.host.emitted, append([]byte(nil), out...)) {
		if len(f) > 0 {
			lines = append(lines, readAnswers(t, f, values)...)
		}
	}
	return lines
}

func readAnswers(t *testing.T, frame []byte, values [][]byte) (lines []string) {
	t.Helper()
	var r abi.Reader
	if err := r.Reset(frame, abi.Expect{Output: true, Inputs: len(values), Children: 1}); err != nil {
		t.Fatal(err)
	}
	var rec abi.Record
	for r.Next(&rec) {
		if rec.Flags&abi.KeepValue != 0 {
			rec.Value = values[rec.Index]
		}
		kept := rec.Flags &^ abi.KeepValue
		lines = append(lines, fmt.Sprintf("%d kind %d dest %d keep %d null %v: %s", rec.Index, rec.Kind, rec.Dest, kept, rec.Value == nil, rec.Value))
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return lines
}

// agree runs the same values through a component in all languages and wants the same answers.
func agree(t *testing.T, engine *wasm.Engine, guests, component string, frames [][][]byte) {
	t.Helper()
	first := openGuest(t, engine, guests+"-c", component)
	for _, language := range languages()[1:] {
		other := openGuest(t, engine, guests+"-"+language, component)
		for i, values := range frames {
			want, got := first.process(t, values), other.process(t, values)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("frame %d: %s differs from c (-c +%s):\n%s", i, language, language, diff)
			}
		}
	}
}

// documents are events as enrich wants them, and others, many of them damaged.
func documents() [][][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	templates := []string{
		`{"user":"u0012345","type":"click","amount":482.17,"ts":1700000000123,"agent":"0123456789abcdef"}`,
		` { "type" : "\u0061\u007A b\n\\u0061 ü" , "agent" : {"a":[1,{}]} , "amount" : -1.5e3 , "total" : null } `,
		`{"type":"x","amount":1e300,"agent":1,"more":[true,false,null,"한국어"]}`,
		`{"amount":0.005,"type":"","type":"second","nested":{"type":"no","amount":1}}`,
		`{"type":7}`, `{}`, `[]`, `[{"type":"a"}]`, `"text"`, `12`, ``,
	}
	var frames [][][]byte
	for range 60 {
		var values [][]byte
		for range 50 {
			value := []byte(templates[rng.IntN(len(templates))])
			for range rng.IntN(4) {
				value = damage(rng, value)
			}
			values = append(values, value)
		}
		frames = append(frames, append(values, nil))
	}
	return append(frames, amounts(rng))
}

// amounts are events with all kinds of numbers.
func amounts(rng *rand.Rand) (values [][]byte) {
	for range 400 {
		digits := rng.IntN(12)
		x := rng.Float64() * []float64{1, 100, 1e5, 1e12, 1e-6}[rng.IntN(5)]
		values = append(values, fmt.Appendf(nil, `{"amount":%.*f,"type":"n"}`, digits, x), fmt.Appendf(nil, `{"amount":%d.%02d,"type":"n"}`, rng.IntN(1000), rng.IntN(100)))
	}
	return values
}

func damage(rng *rand.Rand, value []byte) []byte {
	if len(value) == 0 {
		return value
	}
	const marks = "{}[]\",:\\0 1e.-u\xff"
	i := rng.IntN(len(value))
	switch rng.IntN(3) {
	case 0:
		value[i] = marks[rng.IntN(len(marks))]
	case 1:
		value = append(value[:i], value[i+1:]...)
	default:
		value = append(value[:i:i], append([]byte{marks[rng.IntN(len(marks))]}, value[i:]...)...)
	}
	return value
}

// lines are texts whose words are counted.
func lines() [][][]byte {
	rng := rand.New(rand.NewPCG(3, 4))
	var frames [][][]byte
	for range 20 {
		var values [][]byte
		for range 50 {
			line := make([]byte, rng.IntN(60))
			for i := range line {
				line[i] = "  aAzZ@[`{\t\x00\xed\x95\x9c"[rng.IntN(15)]
			}
			values = append(values, line)
		}
		frames = append(frames, append(values, nil, []byte{}, []byte(" "), []byte("   ")))
	}
	return append(frames, [][]byte{[]byte(strings.Repeat("A ", 524288)), []byte("안녕 카프카 STREAMS")})
}

func TestGuestsAgree(t *testing.T) {
	engine, err := wasm.NewEngine(t.Context(), wasm.Config{CacheDir: t.TempDir(), Limits: wasm.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close(context.Background()) })
	events := documents()
	t.Run("enrich", func(t *testing.T) { agree(t, engine, "mapvalues", "enrich", events) })
	t.Run("upper", func(t *testing.T) { agree(t, engine, "mapvalues", "upper", events) })
	t.Run("copy", func(t *testing.T) { agree(t, engine, "mapvalues", "copy", events[:3]) })
	t.Run("split-words", func(t *testing.T) { agree(t, engine, "wordcount", "split-words", lines()) })
}
