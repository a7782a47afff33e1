//go:build mutants

package stream

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// More mutations, whose code is all here.
const (
	// stateFirst commits the local state before the transaction.
	stateFirst mutation = "state-first"
	// offsetFirst commits the changelog offset of the state before the state.
	offsetFirst mutation = "offset-first"
	// inputFirst commits the input offsets outside of the transaction, before it ends.
	inputFirst mutation = "input-first"
	// noRewind goes on behind what was fetched after a transaction that failed.
	noRewind mutation = "no-rewind"
	// closeCommitsState writes what the stores hold when a session fails; closeCommitsInput commits the input offsets.
	closeCommitsState mutation = "close-commits-state"
	closeCommitsInput mutation = "close-commits-input"
	// overlayLeaks keeps what the stores hold when a session fails for the commit after it.
	overlayLeaks mutation = "overlay-leaks"
	// logForgets drops one record in fifty of a changelog.
	logForgets mutation = "log-forgets"
)

// mutationVariable names the mutation that a process has.
const mutationVariable = "WASMSTREAM_MUTANT"

var theMutation = mutation(os.Getenv(mutationVariable))

func mutant(m mutation) bool { return theMutation == m }

// Mutations are the names of all bugs that this build can be given.
func Mutations() (names []string) {
	for _, m := range []mutation{
		stateFirst, offsetFirst, endIgnored, inputFirst, inputLast, polledOffsets, noRewind, closeCommitsState, closeCommitsInput,
		overlayLeaks, uncommittedRestored, uncommittedRead, earlyRun, standbyEarly, logForgets, generationUnchecked, lostRejoin,
	} {
		names = append(names, string(m))
	}
	return names
}

var logged atomic.Int64

func forgetsLog() bool { return mutant(logForgets) && logged.Add(1)%50 == 0 }

// polled are the positions behind what was fetched.
var polled struct {
	sync.Mutex
	at map[topology.TopicPartition]int64
}

func notePolled(fetches kgo.Fetches) {
	if !mutant(noRewind) {
		return
	}
	polled.Lock()
	defer polled.Unlock()
	if polled.at == nil {
		polled.at = make(map[topology.TopicPartition]int64)
	}
	fetches.EachRecord(func(r *kgo.Record) {
		polled.at[topology.TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
	})
}

func resumePolled(offsets map[string]map[int32]kgo.Offset) {
	polled.Lock()
	defer polled.Unlock()
	for topic, parts := range offsets {
		for p := range parts {
			if at, ok := polled.at[topology.TopicPartition{Topic: topic, Partition: p}]; ok && mutant(noRewind) {
				parts[p] = kgo.NewOffset().At(at)
			}
		}
	}
}

// leaked is what overlayLeaks keeps, by thread.
var leaked sync.Map

func (s *session) mutateClose() {
	switch {
	case s.tasks == nil:
	case mutant(closeCommitsInput):
		_ = s.consumer.commit(s.hard, s.tasks.offsets())
	case mutant(closeCommitsState):
		_ = s.commitState(nil)
	case mutant(overlayLeaks):
		for _, t := range s.tasks.tasks {
			if t.task == nil {
				continue
			}
			for _, st := range t.state.stores {
				_ = st.store.Stage(s.batch)
			}
		}
		leaked.Store(s.Thread, s.batch)
		s.batch = s.db.NewBatch()
	}
}

func (s *session) mutateBefore(offsets map[topology.TopicPartition]committedOffset) error {
	switch {
	case mutant(stateFirst):
		return s.commitState(offsets)
	case mutant(inputFirst):
		return s.commitPlainly(offsets)
	}
	return nil
}

func (s *session) mutateAfter(offsets map[topology.TopicPartition]committedOffset) error {
	switch {
	case mutant(inputLast):
		return s.commitPlainly(offsets)
	case mutant(overlayLeaks):
		if b, ok := leaked.LoadAndDelete(s.Thread); ok {
			s.batch.Close()
			s.batch = b.(*state.Batch)
		}
	case mutant(offsetFirst):
		return s.commitStateOffsets()
	}
	return nil
}

// commitStateOffsets commits the changelog offsets of the state without the state.
func (s *session) commitStateOffsets() error {
	early := s.db.NewBatch()
	for _, t := range s.tasks.tasks {
		if t.task == nil {
			continue
		}
		for _, st := range t.state.stores {
			if st.changelog == nil {
				continue
			}
			if offset := s.records.offset(st.changelog.tp); offset >= 0 {
				early.SetOffset(st.id, offset+1)
			}
		}
	}
	if err := early.Commit(); err != nil {
		return err
	}
	failpoint("ended")
	return nil
}
