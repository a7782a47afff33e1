package stream

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// countTask is in -> wordcount/count-words -> out: a guest that reads and writes its store for each record.
func countTask(t testing.TB, frame int) *Task {
	t.Helper()
	topo := topology.New()
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("count", dsl.GuestProcessor("wordcount", "count-words"), "source"),
		topo.AddStateStore(&topology.StoreSpec{Name: "counts", Kind: topology.KeyValue}, "count"),
		topo.AddSink("sink", "out", topology.SinkOptions{}, "count"),
	); err != nil {
		t.Fatal(err)
	}
	db, err := state.OpenDB("", state.Options{ApplicationID: "bench", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.NewKeyValueStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "counts"}})
	if err != nil {
		t.Fatal(err)
	}
	task, err := NewTask(TaskConfig{
		ApplicationID: "bench", Subtopology: topo.Subtopologies("bench")[0], Inputs: []topology.TopicPartition{inputOf},
		Collector: &discard{}, Modules: exampleModules(t), Stores: map[string]state.Store{"counts": store}, FrameRecords: frame,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Init(0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(task.Close(CloseShutdown), store.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return task
}

// wordFeeder feeds words of 8 bytes, a thousand different ones, all of one time as words of one line are.
func wordFeeder() *feeder {
	f := newFeeder()
	for i := range f.records {
		f.records[i].Key = nil
		f.records[i].Value = fmt.Appendf(nil, "word-%03d", i*7919%1000)
		f.records[i].Timestamp = f.records[0].Timestamp
	}
	return f
}

func BenchmarkTaskCount(b *testing.B) {
	for _, frame := range []int{1, 10, 500} {
		b.Run(fmt.Sprintf("frame=%d", frame), func(b *testing.B) {
			task, f := countTask(b, frame), wordFeeder()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := f.round(task); err != nil {
					b.Fatal(err)
				}
				n += benchBatch
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/rec")
		})
	}
}
