package connect

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Fence makes sure that no task of a former set of a connector writes any more: it initialises the producer id of each, which
// ends what they have open, and notes for how many that was done. Only the leader does it; a single task that is followed by a
// single one fences it by itself.
func (h *Herder) Fence(ctx context.Context, name string) error {
	unlock, err := h.lockLeading(ctx, "fence out source tasks")
	if err != nil {
		return err
	}
	defer unlock()
	return h.fenceLocked(ctx, name)
}

// fenceLocked is Fence for who has locked writes.
func (h *Herder) fenceLocked(ctx context.Context, name string) (err error) {
	c := h.snapshot()
	if !c.Contains(name) {
		return fault.NotFound.New("Connector " + name + " not found")
	}
	if !c.PendingFencing(name) {
		return nil
	}
	fenced := h.Doing("fencing out tasks of connector " + name)
	count, tasks := 0, len(c.Tasks(name))
	if n, ok := c.TaskCountRecord(name); ok {
		count = n
	}
	if count > 1 || count == 1 && tasks != 1 {
		err = h.fenceProducers(ctx, name, count)
	}
	fenced()
	if err != nil {
		return err
	}
	return h.writeLeading(ctx, "writing a task count for connector "+name+" to the config topic", FencingRecord(name, tasks))
}

func (h *Herder) fenceProducers(ctx context.Context, name string, count int) error {
	var wg sync.WaitGroup
	faults := make([]error, count)
	for i := range count {
		wg.Add(1)
		go func() {
			defer wg.Done()
			faults[i] = h.fenceProducer(ctx, transactionalIDOf(h.cfg.Group, TaskID{name, i}))
		}()
	}
	wg.Wait()
	for _, err := range faults {
		if err != nil {
			return fmt.Errorf("fencing out tasks of connector %s: %w", name, err)
		}
	}
	return nil
}

func (h *Herder) fenceProducer(ctx context.Context, id string) error {
	opts, err := kafka.Options(kafka.Producer, h.cfg.ClientProperties(kafka.Producer, nil), "worker")
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts, kgo.TransactionalID(id))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, _, err = cl.ProducerID(ctx)
	return err
}
