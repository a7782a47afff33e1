package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// connectorOffsets are the offsets of one connector: in the worker's store and, where the connector names a topic of its own
// (offsets.storage.topic), in that one before it (Kafka's ConnectorOffsetBackingStore).
type connectorOffsets struct {
	OffsetStore
	// topics are those that offsets are written to within a transaction.
	topics []*KafkaOffsets
}

// offsetsOf opens the offsets of a connector, whose settings have their variables resolved. They are to be closed.
func (w *Worker) offsetsOf(ctx context.Context, name string, props config.Props) (connectorOffsets, error) {
	worker, _ := w.Offsets.(*KafkaOffsets)
	out := connectorOffsets{OffsetStore: borrowed{w.Offsets}}
	if worker != nil {
		out.topics = append(out.topics, worker)
	}
	topic := props.Or(offsetsTopicKey, "")
	if topic == "" || topic == w.Config.Offset.Name {
		return out, nil
	}
	settings := w.Config.Offset
	if worker == nil { // a standalone worker has no settings for such topics: the broker's defaults
		settings = InternalTopic{Partitions: -1, Replication: -1, Configs: map[string]string{"cleanup.policy": "compact"}}
	}
	settings.Name, settings.Property, settings.Overrides = topic, offsetsTopicKey, props
	own, err := OpenKafkaOffsets(ctx, w.Config, settings, w.Log)
	if err != nil {
		return out, fmt.Errorf("opening the offset topic of connector %s: %w", name, err)
	}
	out.OffsetStore, out.topics = ownOffsets{own, w.Offsets, w.Log}, append(out.topics, own)
	return out, nil
}

// borrowed is a store that somebody else closes.
type borrowed struct{ OffsetStore }

// Close does nothing.
func (borrowed) Close() error { return nil }

// ownOffsets has a topic of its own before the worker's store, which keeps a copy: a connector may come to be without its topic.
type ownOffsets struct {
	own    *KafkaOffsets
	worker OffsetStore
	log    *slog.Logger
}

// Offset implements OffsetStore.
func (o ownOffsets) Offset(connector string, partition *data.Map) (*data.Map, error) {
	offset, err := o.own.Offset(connector, partition)
	if err != nil || offset != nil {
		return offset, err
	}
	return o.worker.Offset(connector, partition)
}

// All implements OffsetStore.
func (o ownOffsets) All(ctx context.Context, connector string) ([]PartitionOffset, error) {
	out, err := o.own.All(ctx, connector)
	if err != nil {
		return nil, err
	}
	others, err := o.worker.All(ctx, connector)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range out {
		known[mapText(p.Partition)] = true
	}
	for _, p := range others {
		if !known[mapText(p.Partition)] {
			out = append(out, p)
		}
	}
	return out, nil
}

// Set implements OffsetStore. What is forgotten is forgotten in the worker's store first: else an old offset would come to light
// when the connector's own is gone. Of other offsets the worker's store keeps a copy if it can.
func (o ownOffsets) Set(ctx context.Context, connector string, offsets []PartitionOffset) error {
	var forgotten, kept []PartitionOffset
	for _, p := range offsets {
		if p.Offset == nil {
			forgotten = append(forgotten, p)
		} else {
			kept = append(kept, p)
		}
	}
	if len(forgotten) > 0 {
		if err := o.worker.Set(ctx, connector, forgotten); err != nil {
			return err
		}
	}
	if err := o.own.Set(ctx, connector, offsets); err != nil || len(kept) == 0 {
		return err
	}
	if err := o.worker.Set(ctx, connector, kept); err != nil {
		o.log.Warn("the worker's offsets have no copy of a connector's", "connector", connector, "error", err)
	}
	return nil
}

// Close implements OffsetStore.
func (o ownOffsets) Close() error { return o.own.Close() }

// setOffsets writes offsets on behalf of a connector whose tasks do not run. With exactly-once sources that is a transaction of
// its first task's: what a task that was left behind has open cannot come after it.
func (h *Herder) setOffsets(ctx context.Context, store connectorOffsets, name string, offsets []PartitionOffset) error {
	if h.cfg.ExactlyOnce != "enabled" {
		return store.Set(ctx, name, offsets)
	}
	if err := h.fenceLocked(ctx, name); err != nil {
		return err
	}
	opts, err := kafka.Options(kafka.Producer, h.cfg.ClientProperties(kafka.Producer, nil), "worker")
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts, kgo.TransactionalID(transactionalIDOf(h.cfg.Group, TaskID{name, 0})), kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var records []*kgo.Record
	for _, topic := range store.topics {
		list, err := topic.records(name, offsets)
		if err != nil {
			return err
		}
		records = append(records, list...)
	}
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	how := kgo.TryCommit
	if err = cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		how = kgo.TryAbort
	}
	return errors.Join(err, cl.EndTransaction(context.WithoutCancel(ctx), how))
}
