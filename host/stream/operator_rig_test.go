//go:build !race && !invariants

package stream

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// compiledModules compiles each module once.
type compiledModules struct {
	files    moduleFiles
	compiled map[string]*wasm.Module
}

func (m compiledModules) Module(name string) (*wasm.Module, error) {
	if c := m.compiled[name]; c != nil {
		return c, nil
	}
	c, err := m.files.Module(name)
	m.compiled[name] = c
	return c, err
}

// operatorRig runs one operator: a task for each sub-topology, with their stores on a disk in memory, fed by rounds. What one
// task writes into a topic that another reads is given to that one.
type operatorRig struct {
	tasks  []*Task
	db     *state.DB
	stores []state.TransactionalStore
	topics []*operatorTopic // that come from outside
	inner  []*operatorTopic
	time   int64 // of the records, and of the clock
	out    int   // records that no task reads
}

// operatorTopic is a topic that a task reads.
type operatorTopic struct {
	topology.TopicPartition
	task    *Task
	records []kgo.Record // of an inner topic those that wait
	batch   []*kgo.Record
	offset  int64
}

const (
	operatorKeys  = 250
	operatorRound = 1000 // records of each topic
)

func newOperatorRig(t testing.TB, modules Modules, o operator, f functions) *operatorRig {
	t.Helper()
	b := dsl.NewStreamsBuilder()
	o.build(b, f)
	topo, err := b.Build()
	if err != nil {
		t.Fatalf("%s: %v", o.name, err)
	}
	w := &operatorRig{}
	if w.db, err = state.OpenDB("db", state.Options{FS: vfs.NewMem()}); err != nil {
		t.Fatal(err)
	}
	globals, err := w.globals(topo)
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range topo.Subtopologies("bench") {
		c := TaskConfig{
			ID: topology.TaskID{Subtopology: sub.ID}, ApplicationID: "bench", Subtopology: sub, Collector: w, Modules: modules,
			Stores: map[string]state.Store{}, GlobalStores: globals,
		}
		if err := w.add(c); err != nil {
			t.Fatalf("%s: %v", o.name, err)
		}
	}
	t.Cleanup(func() {
		faults := []error{}
		for _, task := range w.tasks {
			faults = append(faults, task.Close(CloseShutdown))
		}
		if err := errors.Join(append(faults, w.db.Close())...); err != nil {
			t.Error(err)
		}
	})
	w.fill(o.valueKeys)
	w.begin()
	return w
}

// add makes a task with its stores.
func (w *operatorRig) add(c TaskConfig) error {
	for _, spec := range c.Subtopology.Stores {
		s, err := w.open(c.ID.String(), spec)
		if err != nil {
			return err
		}
		w.stores, c.Stores[spec.Name] = append(w.stores, s), s
	}
	for _, topic := range c.Subtopology.SourceTopics {
		c.Inputs = append(c.Inputs, topology.TopicPartition{Topic: topic})
	}
	task, err := NewTask(c)
	if err != nil {
		return err
	}
	w.tasks = append(w.tasks, task)
	for _, input := range c.Inputs {
		topic := &operatorTopic{TopicPartition: input, task: task}
		if input.Topic == "in" || input.Topic == "other" {
			w.topics = append(w.topics, topic)
		} else {
			w.inner = append(w.inner, topic)
		}
	}
	return task.Init(0)
}

// begin tells tasks that read each other's topics that these are empty so far: they do not wait for them.
func (w *operatorRig) begin() {
	if len(w.inner) > 0 {
		for _, t := range slices.Concat(w.topics, w.inner) {
			t.task.SetPosition(t.TopicPartition, 0, 0)
		}
	}
}

func (w *operatorRig) open(task string, spec *topology.StoreSpec) (state.TransactionalStore, error) {
	config, err := StoreConfig(spec)
	if err != nil {
		return nil, err
	}
	config.ID = state.StoreID{Task: task, Store: spec.Name}
	return w.db.NewStore(config)
}

// globals are the global stores of a topology, with a row for every second value.
func (w *operatorRig) globals(topo *topology.Topology) (map[string]*SharedStore, error) {
	shared := map[string]*SharedStore{}
	for _, g := range topo.GlobalStores() {
		s, err := w.open("global", g.Store)
		if err != nil {
			return nil, err
		}
		kv := s.(state.KeyValueStore)
		for i := 0; i < operatorRound; i += 2 {
			if err := kv.Put(operatorValue(i), state.AppendTimestamped(nil, 0, operatorValue(i))); err != nil {
				return nil, err
			}
		}
		if shared[g.Store.Name], err = NewSharedStore(s, g.Store.Kind, &sync.Mutex{}); err != nil {
			return nil, err
		}
	}
	return shared, nil
}

// Send implements Collector: what no task reads is counted and gone.
func (w *operatorRig) Send(topic string, _ int32, r *topology.Record) error {
	for _, t := range w.inner {
		if t.Topic == topic {
			t.records = append(t.records, kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp), Offset: t.offset})
			t.offset++
			return nil
		}
	}
	w.out++
	return nil
}

// round has the tasks take a second's records of each topic, and commits.
func (w *operatorRig) round() error {
	for _, t := range w.topics {
		for i := range t.records {
			r := &t.records[i]
			r.Offset, r.Timestamp = t.offset, time.UnixMilli(w.time+int64(i))
			t.offset++
		}
		if err := w.process(t); err != nil {
			return err
		}
		if err := w.drain(); err != nil {
			return err
		}
	}
	w.time += operatorRound
	return w.commit()
}

// drain has the tasks take what waits in the inner topics, until there is nothing.
func (w *operatorRig) drain() error {
	for slices.ContainsFunc(w.inner, func(t *operatorTopic) bool { return len(t.records) > 0 }) {
		for _, t := range w.inner {
			if len(t.records) == 0 {
				continue
			}
			if err := w.process(t); err != nil {
				return err
			}
			t.records = t.records[:0]
		}
	}
	return nil
}

// process gives the records of a topic to its task. None of its subscribers writes into the same topic.
func (w *operatorRig) process(t *operatorTopic) error {
	t.batch = t.batch[:0]
	for i := range t.records {
		t.batch = append(t.batch, &t.records[i])
	}
	if err := t.task.AddRecords(t.TopicPartition, t.batch, t.offset); err != nil {
		return err
	}
	for {
		if n, err := t.task.Process(w.time, math.MaxInt); n == 0 || err != nil {
			return err
		}
	}
}

func (w *operatorRig) commit() error {
	b := w.db.NewBatch()
	for _, s := range w.stores {
		if err := errors.Join(s.Flush(), s.Stage(b)); err != nil {
			return err
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	for _, task := range w.tasks {
		task.PostCommit()
	}
	return nil
}

// fill makes the records of a round.
func (w *operatorRig) fill(valueKeys bool) {
	for _, t := range w.topics {
		t.records = make([]kgo.Record, operatorRound)
		for i := range t.records {
			t.records[i] = kgo.Record{Topic: t.Topic, Key: fmt.Appendf(nil, "key-%04d", i%operatorKeys), Value: operatorValue(i)}
			if valueKeys && t.Topic == "other" {
				t.records[i].Key = operatorValue(i)
			}
		}
	}
}

func operatorValue(i int) []byte { return fmt.Appendf(nil, "value %060d", i*1234567)[:60+i%2] }
