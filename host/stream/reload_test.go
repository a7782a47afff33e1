package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// swaps is how often modules are swapped in the test under load.
const swaps = 100

// testModules is a set of one module.
type testModules map[string]*wasm.Module

// Module implements Modules.
func (m testModules) Module(name string) (*wasm.Module, error) {
	if m[name] == nil {
		return nil, errors.New("no module " + name)
	}
	return m[name], nil
}

// versionOf is the WordCount module with a custom section that changes nothing but its digest.
func versionOf(t *testing.T, engine *wasm.Engine, n int) testModules {
	t.Helper()
	code, err := os.ReadFile(filepath.Join("..", "..", "examples", "wordcount", "wordcount.wasm"))
	check(t, err)
	section := append([]byte{5}, "extra"...)
	section = binary.LittleEndian.AppendUint32(section, uint32(n))
	code = append(bytes.Clone(code), 0, byte(len(section)))
	m, err := engine.Compile(t.Context(), "wordcount", append(code, section...))
	check(t, err)
	return testModules{"wordcount": m}
}

func guestWordCount(t *testing.T, in, out string) *topology.Topology {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream(in).FlatMapValues(dsl.Guest("wordcount", "split-words")).To(out)
	return build(t, b)
}

// TestModulesAreSwappedUnderLoad swaps a module again and again while lines come in. Each word comes out once, in order.
func TestModulesAreSwappedUnderLoad(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
		engine, err := wasm.NewEngine(context.Background(), wasm.DefaultConfig())
		check(t, err)
		t.Cleanup(func() { check(t, engine.Close(context.Background())) })
		app := h.app(guestWordCount(t, in, out), "num.stream.threads=2")
		cfg := app.cfg
		cfg.Modules = versionOf(t, engine, 0)
		app, err = New(cfg)
		check(t, err)
		instance := h.run(app).running()
		var input []*kgo.Record
		for i := range swaps {
			more := numbered(in, len(input), 40, 9, 2)
			b.Produce(t, more...)
			input = append(input, more...)
			if err := app.Upgrade(t.Context(), versionOf(t, engine, i+1)); err != nil {
				t.Fatalf("swap %d: %v", i, err)
			}
		}
		got := h.output(out, len(input))
		if diff := cmp.Diff(lines(input, text), lines(got, text)); diff != "" {
			t.Errorf("the output differs (-want +got):\n%s", diff)
		}
		if done := app.reloads.done.Load(); done != swaps {
			t.Errorf("%d swaps were counted", done)
		}
		instance.stop()
	})
}

// TestAModuleThatDoesNotFitChangesNothing: the mapValues example has no component of that name.
func TestAModuleThatDoesNotFitChangesNothing(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
		engine, err := wasm.NewEngine(context.Background(), wasm.DefaultConfig())
		check(t, err)
		t.Cleanup(func() { check(t, engine.Close(context.Background())) })
		app := h.app(guestWordCount(t, in, out))
		cfg := app.cfg
		cfg.Modules = versionOf(t, engine, 0)
		app, err = New(cfg)
		check(t, err)
		h.run(app).running()
		input := numbered(in, 0, 100, 9, 2)
		b.Produce(t, input[:50]...)
		h.output(out, 50)
		code, err := os.ReadFile(filepath.Join("..", "..", "examples", "mapvalues", "mapvalues.wasm"))
		check(t, err)
		other, err := engine.Compile(t.Context(), "wordcount", code)
		check(t, err)
		if err := app.Upgrade(t.Context(), testModules{"wordcount": other}); !errs.ReloadRefused.Is(err) {
			t.Errorf("a module without the component gives %v", err)
		}
		b.Produce(t, input[50:]...)
		got := h.output(out, len(input))
		if diff := cmp.Diff(lines(input, text), lines(got, text)); diff != "" {
			t.Errorf("the output differs (-want +got):\n%s", diff)
		}
	})
}
