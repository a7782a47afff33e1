package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// Restoration is the process that is measured when a store is restored: a table whose topic is empty and whose changelog
// is not, ended once it is RUNNING and all of it restored.
type Restoration struct {
	Application
	Partitions int
}

// Run restores and measures.
func (a *Restoration) Run(ctx context.Context) (RestoreResult, error) {
	b := dsl.NewStreamsBuilder()
	b.Table(a.In[0], dsl.Materialized{Name: restoredStore, Key: str, Value: bytez})
	topo, err := b.Build()
	if err != nil {
		return RestoreResult{}, err
	}
	restored := &restoreClock{stores: a.Partitions, done: make(chan struct{})}
	running := make(chan time.Duration, 1)
	h, err := host.New(host.Config{
		Topology: topo, Settings: a.settings(), RestoreListener: restored,
		StateListener: func(now, _ string) {
			if now == "RUNNING" {
				select {
				case running <- time.Since(a.Started):
				default:
				}
			}
		},
	})
	if err != nil {
		return RestoreResult{}, err
	}
	stopProfiles, err := a.profiles()
	if err != nil {
		return RestoreResult{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := cpuSeconds()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	var r RestoreResult
	early := func(err error) (RestoreResult, error) {
		return r, errors.Join(errors.New("the application ended before it was restored"), err)
	}
	select {
	case <-restored.done:
	case err := <-ended:
		return early(err)
	}
	select {
	case took := <-running:
		r.StartMS = took.Milliseconds()
	case err := <-ended:
		return early(err)
	}
	r.CPUSeconds = cpuSeconds() - before
	r.Records, r.Seconds = restored.result()
	cancel()
	err = <-ended
	r.PeakRSSBytes = peakRSS()
	return r, errors.Join(err, stopProfiles())
}

// restoreClock notes when the first store begins to be restored and the last one is, and how many records there were.
type restoreClock struct {
	done chan struct{} // closed when all stores are restored

	mu          sync.Mutex
	stores      int // that are not restored yet
	records     int64
	first, last time.Time
}

// OnRestoreStart implements host.StateRestoreListener, as those below.
func (c *restoreClock) OnRestoreStart(topology.TopicPartition, string, int64, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first.IsZero() {
		c.first = time.Now()
	}
}

// OnBatchRestored is nothing to note.
func (c *restoreClock) OnBatchRestored(topology.TopicPartition, string, int64, int64) {}

// OnRestoreEnd notes a store.
func (c *restoreClock) OnRestoreEnd(_ topology.TopicPartition, _ string, records int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records += records
	c.last = time.Now()
	if c.stores--; c.stores == 0 {
		close(c.done)
	}
}

// OnRestoreSuspended is a store that begins once more.
func (c *restoreClock) OnRestoreSuspended(topology.TopicPartition, string, int64) {}

func (c *restoreClock) result() (records int64, seconds float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records, c.last.Sub(c.first).Seconds()
}
