package streamtest_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// patched is a module with text of its manifest replaced by text of the same length.
func patched(t *testing.T, module []byte, old, new string) []byte {
	t.Helper()
	if len(old) != len(new) || !bytes.Contains(module, []byte(old)) {
		t.Fatalf("cannot put %q in the place of %q", new, old)
	}
	return bytes.Replace(module, []byte(old), []byte(new), 1)
}

func readModule(t *testing.T, path string) []byte {
	t.Helper()
	module, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestUpgradeRefusesWhatWouldChangeTheMeaning(t *testing.T) {
	tests := []struct{ name, old, new, says string }{
		{"component", `"probe","kind":"process"`, `"prohe","kind":"process"`, "component probe is not in the new module"},
		{"kind", `"kind":"process","stores":["data","other"],"buffers":true`, `"kind":"filter" ,"stores":[              ],"buffers":null`, "kind process -> filter"},
		{"stores", `["data","other"]`, `["data"        ]`, "stores [data other] -> [data]"},
		{"buffers", `"buffers":true`, `"buffers":null`, "buffers true -> false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := streamtest.New(probeTopology(t, topology.KeyValue), streamtest.Config{Modules: map[string][]byte{"probe": probe(t)}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			err = d.Upgrade("probe", patched(t, probe(t), tt.old, tt.new))
			if !errs.ReloadRefused.Is(err) && !errs.ModuleManifest.Is(err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want E-RELOAD-REFUSED with %q", err, tt.says)
			}
			if err := d.Pipe("in", nil, []byte("put a 1"), 0); err != nil {
				t.Errorf("the running version does not go on: %v", err)
			}
		})
	}
}

// passTopology lets records through the component "all" of the conformance kit's guests.
func passTopology(t *testing.T) *topology.Topology {
	t.Helper()
	b := dsl.NewStreamsBuilder()
	b.Stream("in").Filter(dsl.Guest("pass", "all")).To("out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

const badGuests = "../../wasm/tck/testdata/bad/"

func TestUpgradeThatDoesNotStartLeavesTheRunningVersion(t *testing.T) {
	d, err := streamtest.New(passTopology(t), streamtest.Config{Modules: map[string][]byte{"pass": readModule(t, badGuests+"base.wasm")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for _, bad := range []string{"MEM-1-zero", "MEM-1-unaligned", "LIFE-5"} {
		if err := d.Upgrade("pass", readModule(t, badGuests+bad+".wasm")); !errs.ReloadFailed.Is(err) {
			t.Errorf("%s: %v, want E-RELOAD-FAILED", bad, err)
		}
		if err := d.Pipe("in", nil, []byte(bad), 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(d.ReadOutputs("out")); got != 3 {
		t.Errorf("%d records passed, want 3", got)
	}
}

func TestUpgradesDoNotPutOffTimers(t *testing.T) {
	d, err := streamtest.New(probeTopology(t, topology.KeyValue), streamtest.Config{Modules: map[string][]byte{"probe": probe(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	ticks := 0
	for at := int64(0); at <= 3000; at += 100 { // the timer of 1000 ms of stream time, with an upgrade every 100 ms
		if err := d.Pipe("in", nil, []byte("get a"), at); err != nil {
			t.Fatal(err)
		}
		if err := d.Upgrade("probe", probe(t)); err != nil {
			t.Fatal(err)
		}
		for _, r := range d.ReadOutputs("out-1") {
			if string(r.Key) == "tick" {
				ticks++
			}
		}
	}
	if ticks != 4 {
		t.Errorf("%d ticks from 0 to 3000 ms, want 4", ticks)
	}
	if err := d.AdvanceWallClockTime(time.Hour); err != nil {
		t.Error(err)
	}
}

func TestModulesThatDoNotFit(t *testing.T) {
	tests := []struct {
		name    string
		modules map[string][]byte
		fn      dsl.Fn
		code    errs.Code
	}{
		{"component missing", map[string][]byte{"m": probe(t)}, dsl.Guest("m", "upper"), errs.ModuleNoComponent},
		{"kind differs", map[string][]byte{"m": probe(t)}, dsl.Guest("m", "json-get"), errs.ModuleManifest},
		{"does not open", map[string][]byte{"m": readModule(t, badGuests+"MEM-1-zero.wasm")}, dsl.Guest("m", "all"), errs.GuestContract},
		{"not wasm", map[string][]byte{"m": []byte("hello")}, dsl.Guest("m", "all"), errs.ModuleNotWasm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := dsl.NewStreamsBuilder()
			b.Stream("in").Filter(tt.fn).To("out")
			topo, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			if d, err := streamtest.New(topo, streamtest.Config{Modules: tt.modules}); !tt.code.Is(err) {
				t.Errorf("got %v, want %s (%v)", err, tt.code.ID, d)
			}
		})
	}
}

func TestFlushWithoutBuffersBreaksTheContract(t *testing.T) {
	d, err := streamtest.New(passTopology(t), streamtest.Config{Modules: map[string][]byte{"pass": readModule(t, badGuests+"LIFE-6.wasm")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Pipe("in", nil, []byte("x"), 0); !errs.GuestContract.Is(err) {
		t.Errorf("got %v, want E-GUEST-CONTRACT", err)
	}
}
