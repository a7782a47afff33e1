package wasm

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/abi"
)

// testEngine makes an engine that is closed with the test.
func testEngine(t testing.TB, config Config) *Engine {
	t.Helper()
	e, err := NewEngine(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compileModule(t testing.TB, e *Engine, name string, wasm []byte) *Module {
	t.Helper()
	m, err := e.Compile(t.Context(), name, wasm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func newInstance(t testing.TB, m *Module, host Host, limits Limits) *Instance {
	t.Helper()
	in, err := m.Instantiate(t.Context(), host, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	return in
}

// openFrame opens a component without settings.
func openFrame(component string, stores ...string) []byte {
	b := abi.AppendOpenHeader(nil)
	b = abi.AppendPair(b, "component", component)
	b = abi.AppendPair(b, "mode", "normal")
	n := 2
	for _, s := range stores {
		b = abi.AppendPair(b, "store", s)
		n++
	}
	abi.FinishOpen(b, 0, n)
	return b
}

// inputFrame appends a frame with one record for each value; the key of record i is its value's length in decimal.
func inputFrame(dst []byte, values ...string) []byte {
	start := len(dst)
	dst = abi.AppendFrameHeader(dst, &abi.FrameHeader{Partition: 0, StreamTime: 1})
	for i, v := range values {
		dst = abi.AppendRecord(dst, &abi.Record{Key: []byte("key"), Value: []byte(v), Timestamp: int64(i), Offset: int64(i), Index: uint32(i)})
	}
	abi.FinishFrame(dst, start, len(values))
	return dst
}

// process sends a frame through a handle and returns the values that come back, followed by those that were emitted.
func process(t testing.TB, in *Instance, handle int32, frame []byte) ([]byte, error) {
	t.Helper()
	view, err := in.Reserve(len(frame))
	if err != nil {
		return nil, err
	}
	copy(view, frame)
	return in.Process(handle, len(frame))
}

func valuesOf(t testing.TB, frame []byte, inputs int) []string {
	t.Helper()
	if frame == nil {
		return nil
	}
	var r abi.Reader
	if err := r.Reset(frame, abi.Expect{Inputs: inputs, Output: true}); err != nil {
		t.Fatal(err)
	}
	var values []string
	var rec abi.Record
	for r.Next(&rec) {
		values = append(values, string(rec.Value))
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return values
}

const wordcountWasm = "../../examples/wordcount/wordcount.wasm"

func TestWordCountInC(t *testing.T) {
	e := testEngine(t, DefaultConfig())
	m := compileModule(t, e, "wordcount", readFile(t, wordcountWasm))
	in := newInstance(t, m, newHost(), Limits{})
	h, err := in.Open(openFrame("split-words"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := process(t, in, h, inputFrame(nil, "all streams lead to kafka", "hello kafka streams"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(valuesOf(t, out, 2), ","), "all,streams,lead,to,kafka,hello,kafka,streams"; got != want {
		t.Errorf("words: got %s, want %s", got, want)
	}
	if in.Fuel() == 0 {
		t.Error("the call used no fuel")
	}
	t.Log(in.Fuel(), in.Stats())
	start := time.Now()
	for range 1000 {
		if _, err := process(t, in, h, inputFrame(nil, "all streams lead to kafka", "hello kafka streams")); err != nil {
			t.Fatal(err)
		}
	}
	t.Log(time.Since(start) / 1000)
}
