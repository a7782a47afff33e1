package stream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// runThreads starts all threads and what runs beside them, and returns when everything has ended. The first thread
// that fails for good stops the others, which commit and leave as in a clean stop.
func (a *App) runThreads(ctx context.Context, admin *kadm.Client, db *state.DB) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.pool.open(ctx, stop)
	if global := a.global.Load(); global != nil {
		a.pool.start(func(ctx context.Context) error {
			err := global.Run(ctx)
			if err != nil && !a.isDamage(err) {
				a.setState(PendingError)
			}
			return err
		}, func() {})
	}
	for _, t := range a.threadsNow() {
		a.startThread(t)
	}
	var side sync.WaitGroup
	beside, end := context.WithCancel(context.WithoutCancel(ctx))
	side.Go(func() { a.keepHouse(beside, admin, db) })
	failures := a.pool.wait()
	end()
	side.Wait()
	if len(failures) == 0 {
		if cause := context.Cause(ctx); errs.StreamShutdown.Is(cause) {
			return cause
		}
		return nil
	}
	for _, err := range failures[1:] {
		a.log.Warn("another thread failed too", "err", err)
	}
	return failures[0] // whoever runs the application tells it
}

// keepHouse does what is due from time to time until ctx is done.
func (a *App) keepHouse(ctx context.Context, admin *kadm.Client, db *state.DB) {
	s := a.cfg.Streams
	purge, refresh, clean := time.NewTicker(s.RepartitionPurgeInterval), time.NewTicker(partitionRefresh), time.NewTicker(max(s.StateCleanupDelay, time.Second))
	defer purge.Stop()
	defer refresh.Stop()
	defer clean.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-purge.C:
			a.purgeRepartitions(ctx, admin)
		case <-refresh.C:
			a.refreshPartitions(ctx, admin)
		case <-clean.C:
			a.cleanState(db)
		}
	}
}

// notePurge remembers that a repartition topic is processed and committed up to offset. Threads call it.
func (a *App) notePurge(tp topology.TopicPartition, offset int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.purge[tp] = max(offset, a.mu.purge[tp])
}

// purgeRepartitions deletes what was processed from the repartition topics, which keep everything otherwise.
func (a *App) purgeRepartitions(ctx context.Context, admin *kadm.Client) {
	a.mu.Lock()
	due := a.mu.purge
	a.mu.purge = make(map[topology.TopicPartition]int64)
	a.mu.Unlock()
	if len(due) == 0 {
		return
	}
	offsets := make(kadm.Offsets)
	for tp, at := range due {
		offsets.AddOffset(tp.Topic, tp.Partition, at, -1)
	}
	results, err := admin.DeleteRecords(ctx, offsets)
	if err != nil {
		a.log.Warn("processed records of repartition topics were not deleted; the next purge will", "err", err)
		return
	}
	results.Each(func(r kadm.DeleteRecordsResponse) {
		if r.Err != nil {
			a.log.Warn("processed records of a repartition topic were not deleted; the next purge will", "topic", r.Topic, "partition", r.Partition, "err", r.Err)
		}
	})
}

// refreshPartitions looks up how many partitions topics have, for those that records are written to.
func (a *App) refreshPartitions(ctx context.Context, admin *kadm.Client) {
	m := &InternalTopicManager{admin: admin, log: a.log}
	now, err := m.partitions(ctx)
	if err != nil {
		a.log.Debug("looking up partition counts", "err", err)
		return
	}
	a.notePartitions(now)
}

// notePartitions takes up partition counts. Those of topics that are not in now stay.
func (a *App) notePartitions(now map[string]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := maps.Clone(*a.partitions.Load())
	maps.Copy(counts, now)
	a.partitions.Store(&counts)
}

// cleanState deletes the state of tasks that have been elsewhere for state.cleanup.delay.ms.
func (a *App) cleanState(db *state.DB) {
	removed, err := db.RemoveObsolete(a.wall(), a.cfg.Streams.StateCleanupDelay, func(string) bool { return false })
	if err != nil {
		a.log.Warn("state of tasks that moved away was not deleted", "err", err)
	}
	for _, task := range removed {
		a.log.Info("state of a task that moved away deleted", "task", task)
	}
}

// leaveTimeout is how long a stop waits for a cluster that does not answer only to tell it that a member has left, which
// it finds out by itself later.
const leaveTimeout = 5 * time.Second

// leaveStale removes members of this process that no thread stands behind any more: there were more threads before
// the last stop, and it was not a clean one. Their partitions would wait for the session timeout, and an open
// transaction of theirs would hold readers back until its own.
func (a *App) leaveStale(ctx context.Context, client *kgo.Client, processID string, threads int) {
	group := a.cfg.Streams.ApplicationID
	described, err := kadm.NewClient(client).DescribeGroups(ctx, group)
	if err != nil {
		a.log.Debug("describing the group", "err", err)
		return
	}
	prefix := memberIdentity(group, processID, 0)
	prefix = prefix[:len(prefix)-1]
	for _, m := range described[group].Members {
		if m.InstanceID == nil || !strings.HasPrefix(*m.InstanceID, prefix) {
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(*m.InstanceID, prefix))
		if err != nil || n <= threads {
			continue
		}
		a.log.Info("removing a member of an earlier run", "instance", *m.InstanceID)
		err = errors.Join(leaveStatic(ctx, client, group, m.MemberID, *m.InstanceID), a.settle(ctx, *m.InstanceID))
		if err != nil {
			a.log.Warn("a member of an earlier run stays until its session ends", "instance", *m.InstanceID, "err", err)
		}
	}
}

// leaveRest removes what members of this process are left after its end: of a life that was killed, because this one was
// stopped before they had joined again, or of a thread whose last session ended with what might have passed in the next one.
// Nobody will come back for their partitions.
func (a *App) leaveRest(client *kgo.Client, processID string) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	a.leaveStale(ctx, client, processID, 0)
}

// settle ends what a producer of an earlier run left open.
func (a *App) settle(ctx context.Context, transactionalID string) error {
	if !a.cfg.Streams.ExactlyOnce {
		return nil
	}
	opts, err := a.producerOptions(a.clientID() + "-settle")
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(slices.Clone(opts), kgo.TransactionalID(transactionalID))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if _, _, err = cl.ProducerID(ctx); errors.Is(err, kerr.TransactionalIDNotFound) {
		return nil
	}
	return err
}
