package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// rowsTopology is source -> rows -> sink, with a store of each kind whose rows have times or timestamps.
func rowsTopology(t testing.TB) *topology.Topology {
	t.Helper()
	topo := topology.New()
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("rows", dsl.GuestProcessor("rows", "rows"), "source"),
		topo.AddStateStore(&topology.StoreSpec{Name: "windows", Kind: topology.Window, Retention: 100, WindowSize: 10, SegmentInterval: 30}, "rows"),
		topo.AddStateStore(&topology.StoreSpec{Name: "stamped", Kind: topology.TimestampedWindow, Retention: 100, WindowSize: 10, SegmentInterval: 30}, "rows"),
		topo.AddStateStore(&topology.StoreSpec{Name: "sessions", Kind: topology.Session, Retention: 100, SegmentInterval: 30}, "rows"),
		topo.AddStateStore(&topology.StoreSpec{Name: "versions", Kind: topology.VersionedKeyValue, HistoryRetention: 100, SegmentInterval: 30}, "rows"),
		topo.AddStateStore(&topology.StoreSpec{Name: "latest", Kind: topology.TimestampedKeyValue}, "rows"),
		topo.AddSink("sink", "out", topology.SinkOptions{}, "rows"),
	); err != nil {
		t.Fatal(err)
	}
	return topo
}

func rowsDriver(t testing.TB, engine *wasm.Engine, guest string, frame int) *streamtest.Driver {
	t.Helper()
	d, err := streamtest.New(rowsTopology(t), streamtest.Config{
		Engine: engine, FrameSize: frame, Modules: map[string][]byte{"rows": guestbuild.Load(t, guest)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func rowsEngine(t testing.TB) *wasm.Engine {
	t.Helper()
	engine, err := wasm.NewEngine(context.Background(), wasm.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return engine
}

// obey pipes commands, fetched together, and returns each with its answer.
func obey(t testing.TB, d *streamtest.Driver, commands []string) string {
	t.Helper()
	records := make([]streamtest.Record, len(commands))
	for i, c := range commands {
		records[i] = streamtest.Record{Key: []byte(c), Value: []byte(c), Timestamp: 1000}
	}
	if err := d.PipeAll("in", records...); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range d.ReadOutputs("out") {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%s -> %s", r.Key, strings.TrimSpace(string(r.Value)))) + "\n")
	}
	return b.String()
}

// TestRows runs the script testdata/rows against guests in all languages, in frames of 1 and of 500: their answers are the
// same. A line is a command (internal/guestbuild/testdata/rows); "restart" is a crash after a commit.
func TestRows(t *testing.T) {
	engine := rowsEngine(t)
	var drivers []*streamtest.Driver
	var names []string
	for _, guest := range rowsGuests {
		for _, frame := range []int{1, 500} {
			drivers = append(drivers, rowsDriver(t, engine, guest, frame))
			names = append(names, fmt.Sprintf("%s in frames of %d", guest, frame))
		}
	}
	datadriven.RunTest(t, "testdata/rows", func(t *testing.T, d *datadriven.TestData) string {
		answer := ""
		for i, driver := range drivers {
			if d.Cmd == "restart" {
				if err := driver.Restart(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			got := obey(t, driver, strings.Split(strings.TrimSpace(d.Input), "\n"))
			if i == 0 {
				answer = got
			} else if diff := cmp.Diff(answer, got); diff != "" {
				t.Errorf("%s: %s answers otherwise: %s", d.Pos, names[i], diff)
			}
		}
		return answer
	})
}

// TestRowsInFrames: a guest that writes and reads rows at random gets the same answers in frames of any length.
func TestRowsInFrames(t *testing.T) {
	engine := rowsEngine(t)
	for seed := range uint64(3) {
		commands := randomRows(rand.New(rand.NewPCG(seed, 0)), 2000)
		want := obey(t, rowsDriver(t, engine, "rows-c", 1), commands)
		for _, frame := range []int{7, 500} {
			if d := cmp.Diff(want, obey(t, rowsDriver(t, engine, "rows-c", frame), commands)); d != "" {
				t.Fatalf("seed %d, frames of %d: %s", seed, frame, d)
			}
		}
	}
}

func randomRows(r *rand.Rand, n int) []string {
	now := 0
	key := func() string { return string(rune('a' + r.IntN(3))) }
	at := func() int { return max(0, now-r.IntN(150)+10) }
	value := func() string {
		if r.IntN(5) == 0 {
			return "-"
		}
		return fmt.Sprint(r.IntN(100))
	}
	backward := func() string { return []string{"", "backward "}[r.IntN(2)] }
	commands := make([]string, n)
	for i := range commands {
		now += r.IntN(3)
		end := at()
		commands[i] = []string{
			fmt.Sprintf("window.put %s %d %s", key(), at(), value()),
			fmt.Sprintf("window.fetch %s %d", key(), at()),
			fmt.Sprintf("%swindow.range %s %d %d", backward(), key(), at(), now),
			fmt.Sprintf("%swindow.keys a b %d %d", backward(), at(), now),
			fmt.Sprintf("%swindow.all %d %d", backward(), at(), now),
			fmt.Sprintf("stamped.put %s %d %s %d", key(), at(), value(), at()),
			fmt.Sprintf("%sstamped.all 0 %d", backward(), now),
			fmt.Sprintf("session.put %s %d %d %s", key(), max(0, end-r.IntN(20)), end, value()),
			fmt.Sprintf("%ssession.find %s %d %d", backward(), key(), at(), now),
			fmt.Sprintf("%ssession.keys - b %d %d", backward(), at(), now),
			fmt.Sprintf("version.put %s %s %d", key(), value(), at()),
			fmt.Sprintf("version.delete %s %d", key(), at()),
			fmt.Sprintf("version.asof %s %d", key(), at()),
			fmt.Sprintf("%sversion.range %s %d %d", backward(), key(), at(), now),
			fmt.Sprintf("latest.put %s %s %d", key(), value(), at()),
			fmt.Sprintf("latest.get %s", key()),
		}[r.IntN(16)]
	}
	return commands
}
