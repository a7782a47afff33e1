package connect

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wasmstream/wasmstream/connectors"
)

// NewDistributed makes the herder of a worker of a group, with the three topics, which it makes where they do not exist. When
// it returns, what is in them is known. Join starts the membership.
func NewDistributed(ctx context.Context, cfg *WorkerConfig, plugins *connectors.Plugins, log *slog.Logger) (h *Herder, err error) {
	w, err := NewWorker(cfg, plugins, log)
	if err != nil {
		return nil, err
	}
	h = NewHerder(w)
	w.Log = slog.New(h.loggers.Handler(log.Handler()))
	w.CheckGeneration = h.checkGeneration
	m, err := NewGroupMember(h)
	if err != nil {
		return nil, err
	}
	h.group = m
	h.UseMember(m)
	var opened []interface{ Close() error }
	defer func() {
		for _, o := range opened {
			if err != nil {
				err = errors.Join(err, o.Close())
			}
		}
		if err != nil {
			m.Close()
		}
	}()
	configs, err := openConfigTopic(ctx, cfg, h)
	if err != nil {
		return nil, err
	}
	opened = append(opened, configs)
	n, err := configs.Partitions(ctx)
	if err == nil {
		err = CheckConfigPartitions(cfg.Config.Name, n)
	}
	if err != nil {
		return nil, err
	}
	statuses, err := OpenTopicLog(ctx, cfg, cfg.Status, false, h.ApplyStatus, log)
	if err != nil {
		return nil, err
	}
	opened = append(opened, statuses)
	offsets, err := OpenKafkaOffsets(ctx, cfg, cfg.Offset, log)
	if err != nil {
		return nil, err
	}
	opened = append(opened, offsets)
	w.Offsets = offsets
	h.UseLogs(configs, statuses)
	for _, l := range []Log{configs, statuses, offsets.log} {
		if err = l.ReadToEnd(ctx); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Join brings the worker into its group, until ctx is done. It returns when the group is left.
func (h *Herder) Join(ctx context.Context) error {
	h.Ready()
	h.group.Run(ctx)
	return nil
}

// checkGeneration has producers of former tasks fenced before a task starts, and refuses to start one that is of a former set
// itself (KIP-618).
func (h *Herder) checkGeneration(ctx context.Context, id TaskID, generation int) error {
	leads, url := h.leader()
	var err error
	switch {
	case !h.snapshot().PendingFencing(id.Connector):
	case leads:
		err = h.Fence(ctx, id.Connector)
	case url == "":
		err = errors.New("no leader is known that could fence former tasks")
	default:
		err = h.askFence(ctx, url, id.Connector)
	}
	if err == nil {
		err = h.configs.ReadToEnd(ctx)
	}
	if err == nil && h.snapshot().Generation(id.Connector) > generation {
		err = errors.New("a newer set of tasks of this connector exists")
	}
	return err
}
