package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// discard is a Collector that counts.
type discard struct{ records, bytes int }

func (d *discard) Send(_ string, _ int32, r *topology.Record) error {
	d.records++
	d.bytes += len(r.Value)
	return nil
}

// moduleFiles finds modules by name in files of the examples.
type moduleFiles struct {
	engine *wasm.Engine
	files  map[string]string
}

func (m moduleFiles) Module(name string) (*wasm.Module, error) {
	code, err := os.ReadFile(m.files[name])
	if err != nil {
		return nil, err
	}
	return m.engine.Compile(context.Background(), name, code)
}

func exampleModules(t testing.TB) moduleFiles {
	t.Helper()
	engine, err := wasm.NewEngine(context.Background(), wasm.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return moduleFiles{engine, map[string]string{
		"mapvalues": "../../examples/mapvalues/mapvalues.wasm", "probe": "../../guest-sdk/c/testdata/probe.wasm",
		"wordcount": "../../examples/wordcount/wordcount.wasm",
	}}
}

// upper makes ASCII letters upper case, in Go, as the guest mapvalues/upper does.
func upper(ctx func() *topology.Arena) dsl.NativeFunc {
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			out = append(out, in[i])
			r := &out[len(out)-1]
			r.Index = int32(i)
			value := ctx().Copy(in[i].Value)
			for j, c := range value {
				if c >= 'a' && c <= 'z' {
					value[j] = c - 'a' + 'A'
				}
			}
			r.Value = value
		}
		return out, nil
	}
}

// jobs are the topologies that are measured and held to allocate nothing for a record.
func jobs() []struct {
	name  string
	build func(s *dsl.KStream) *dsl.KStream
} {
	var arena topology.Arena
	native := func(fn dsl.NativeFunc) dsl.Fn { return dsl.Native(fn) }
	everySecond := dsl.NativePredicate(func(r *topology.Record) bool { return r.Offset%2 == 0 })
	return []struct {
		name  string
		build func(s *dsl.KStream) *dsl.KStream
	}{
		{"copy", func(s *dsl.KStream) *dsl.KStream { return s }},
		{"native/filter", func(s *dsl.KStream) *dsl.KStream { return s.Filter(everySecond) }},
		{"native/mapValues", func(s *dsl.KStream) *dsl.KStream {
			return s.MapValues(native(upper(func() *topology.Arena { return &arena })))
		}},
		{"guest/filter", func(s *dsl.KStream) *dsl.KStream { return s.Filter(dsl.Guest("probe", "odd-length")) }},
		{"guest/reference", func(s *dsl.KStream) *dsl.KStream { return s.MapValues(dsl.Guest("mapvalues", "copy")) }},
		{"guest/mapValues", func(s *dsl.KStream) *dsl.KStream { return s.MapValues(dsl.Guest("mapvalues", "upper")) }},
	}
}

// jobTask is in -> job -> out over 100 B records.
func jobTask(t testing.TB, build func(s *dsl.KStream) *dsl.KStream, frame int) (*Task, *discard) {
	t.Helper()
	b := dsl.NewStreamsBuilder()
	build(b.Stream("in")).To("out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	out := &discard{}
	task, err := NewTask(TaskConfig{
		ApplicationID: "bench", Subtopology: topo.Subtopologies("bench")[0], Inputs: []topology.TopicPartition{inputOf},
		Collector: out, Modules: exampleModules(t), FrameRecords: frame,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Init(0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := task.Close(CloseShutdown); err != nil {
			t.Error(err)
		}
	})
	return task, out
}

const benchBatch = 5000

// benchRecords are records with values of 85 bytes and keys of 15.
func benchRecords() []kgo.Record {
	recs := make([]kgo.Record, benchBatch)
	for i := range recs {
		value := bytes.Repeat([]byte("value of record "), 6)[:85]
		recs[i] = kgo.Record{Topic: "in", Key: fmt.Appendf(nil, "key-%011d", i), Value: value, Timestamp: time.UnixMilli(int64(i))}
	}
	return recs
}

// feeder hands the same records to a task again and again, at growing offsets.
type feeder struct {
	records []kgo.Record
	batch   []*kgo.Record
	offset  int64
}

func newFeeder() *feeder {
	f := &feeder{records: benchRecords()}
	f.batch = make([]*kgo.Record, len(f.records))
	return f
}

func (f *feeder) round(task *Task) error {
	for i := range f.records {
		f.records[i].Offset = f.offset
		f.offset++
		f.batch[i] = &f.records[i]
	}
	if err := task.AddRecords(inputOf, f.batch, f.offset); err != nil {
		return err
	}
	for n := 0; n < len(f.batch); {
		k, err := task.Process(0, math.MaxInt)
		if err != nil {
			return err
		}
		if k == 0 {
			return errors.New("the task has stopped")
		}
		n += k
	}
	task.PostCommit()
	return nil
}

func TestNoAllocationPerRecord(t *testing.T) {
	for _, job := range jobs() {
		t.Run(job.name, func(t *testing.T) {
			task, _ := jobTask(t, job.build, 0)
			f := newFeeder()
			if err := f.round(task); err != nil { // grows the buffers
				t.Fatal(err)
			}
			allocs := testing.AllocsPerRun(10, func() {
				if err := f.round(task); err != nil {
					t.Fatal(err)
				}
			})
			// What is left is for each frame or chunk of bytes: a record has none.
			if perRecord := allocs / benchBatch; perRecord > 0.02 {
				t.Errorf("%.3f allocations per record", perRecord)
			}
		})
	}
}

func BenchmarkTask(b *testing.B) {
	for _, frame := range []int{1, 10, 100, 500} {
		for _, job := range jobs() {
			b.Run(fmt.Sprintf("%s/frame=%d", job.name, frame), func(b *testing.B) {
				task, _ := jobTask(b, job.build, frame)
				f := newFeeder()
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					if err := f.round(task); err != nil {
						b.Fatal(err)
					}
					n += benchBatch
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mrec/s")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/rec")
			})
		}
	}
}
