package streamtest

import (
	"fmt"
	"sync"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// global is the global stores of a topology: a task of their own writes them, before any other sees the next record.
type global struct {
	task   *stream.Task // nil: there are none
	stores map[string]state.Store
	shared map[string]*stream.SharedStore
	topics map[string]bool
	mu     sync.Mutex // never contended: all is one goroutine
}

// startGlobal opens the global stores and starts their task.
func (d *Driver) startGlobal(t *topology.Topology) error {
	g := &d.global
	g.stores, g.shared, g.topics = make(map[string]state.Store), make(map[string]*stream.SharedStore), make(map[string]bool)
	sub := t.Global(d.config.ApplicationID)
	if sub == nil {
		return nil
	}
	context := &state.RecordContext{Timestamp: state.TimestampUnknown}
	for _, spec := range sub.Stores {
		c, err := stream.StoreConfig(spec)
		if err != nil {
			return err
		}
		c.ID, c.Context = state.StoreID{Task: "global", Store: spec.Name}, context
		store, err := d.db.NewStore(c)
		if err != nil {
			return fmt.Errorf("opening global store %s: %w", spec.Name, err)
		}
		g.stores[spec.Name], d.stores[spec.Name] = store, store
		if g.shared[spec.Name], err = stream.NewSharedStore(store, spec.Kind, &g.mu); err != nil {
			return err
		}
	}
	var inputs []topology.TopicPartition
	for _, topic := range sub.SourceTopics {
		inputs = append(inputs, topology.TopicPartition{Topic: topic})
		g.topics[topic], d.world.sources[topic] = true, true
	}
	c := d.taskConfig(sub, inputs, g.stores)
	c.ID.Subtopology = topology.GlobalID
	var err error
	if g.task, err = stream.NewTask(c); err != nil {
		return err
	}
	return g.task.Init(d.now)
}

// runGlobal has the global stores take in what waits for them.
func (d *Driver) runGlobal() error {
	if d.global.task == nil {
		return nil
	}
	global := func(topic string) bool { return d.global.topics[topic] }
	if err := d.world.deliver(d.global.task, global); err != nil {
		return err
	}
	for {
		n, err := d.global.task.Process(d.now, d.config.FrameSize)
		if err != nil {
			return err
		}
		if n == 0 && !d.global.task.CommitNeeded() {
			return nil
		}
		if err := d.global.task.PrepareCommit(); err != nil {
			return err
		}
		if err := d.stage(d.global.stores); err != nil {
			return err
		}
		d.world.committed(d.global.task.Offsets())
		d.global.task.PostCommit()
	}
}
