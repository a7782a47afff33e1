//go:build !mutants

package stream

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/topology"
)

// mutant tells whether the build has a mutation.
func mutant(mutation) bool { return false }

// forgetsLog is for logForgets: whether the next record of a changelog is dropped.
func forgetsLog() bool { return false }

// notePolled and resumePolled are for noRewind.
func notePolled(kgo.Fetches) {}

func resumePolled(map[string]map[int32]kgo.Offset) {}

// The others are for mutations of more than a condition: when a session fails, and before and after the end of the
// transaction in a commit.
func (s *session) mutateClose() {}

func (s *session) mutateBefore(map[topology.TopicPartition]committedOffset) error { return nil }

func (s *session) mutateAfter(map[topology.TopicPartition]committedOffset) error { return nil }
