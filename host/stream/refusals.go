package stream

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/topology"
)

const (
	// maxGuilty bounds the records that one thread learns to be refused between two commits. Beyond it the application
	// ends: its results may differ from one try to the next, and then no try finds the record again.
	maxGuilty = 1000
	// refusalSplit is into how many groups the records of a refused batch are cut.
	refusalSplit = 16
)

// refusals find the records that the broker refuses for what they are: too large for the topic, without the key that a
// compacted topic wants, of a time that it does not take. The broker refuses whole batches and says so after the records
// were processed, and the transaction they were in is lost. So the thread starts again from what is committed; this time
// those of the batch go in groups, each flushed by itself, until a batch of one is refused. The next try does not send
// that record: the collector answers with the error, where the record is still at hand and the production handler decides.
//
//	round 1   [a b c d]          refused: each is suspect
//	round 2   [a b] [c d]        the first is written, the second refused: c and d are suspect
//	round 3   a b [c] [d]        refused alone: d is guilty
//	round 4   a b c              Send(d) returns the error
//
// They live as long as the thread; the fields without a lock belong to its goroutine.
type refusals struct {
	guilty   map[outputRecord]error
	suspects map[outputRecord]bool
	width    int // of a group of suspects

	mu struct {
		sync.Mutex
		refused map[outputRecord]bool // in this session
		count   int                   // of them; records may be equal
		err     error
	}
}

// outputRecord names a record by its topic and a sum of its bytes: where it lies in the input may differ between tries.
type outputRecord struct {
	topic string
	sum   uint64
}

// isRefusal tells whether the broker refuses a record for what it is.
func isRefusal(err error) bool {
	return isAny(err, kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp)
}

// refuse notes a record of a refused batch. It may run on any goroutine.
func (r *refusals) refuse(rec *kgo.Record, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.refused == nil {
		r.mu.refused = make(map[outputRecord]bool)
	}
	r.mu.refused[outputRecord{rec.Topic, sumOf(rec.Key, rec.Value, rec.Timestamp.UnixMilli())}] = true
	r.mu.count++
	r.mu.err = err
}

// pending tells whether a batch of this session was refused.
func (r *refusals) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.count > 0
}

// conclude prepares the next session. whole says that all records of this one were heard of; without that nothing is
// known. It tells whether a record was found guilty, and fails if there are too many of them.
func (r *refusals) conclude(whole bool) (found bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.mu.count == 0 || !whole:
	case r.mu.count == 1:
		for name := range r.mu.refused {
			r.find(name, r.mu.err)
		}
		found = true
		if len(r.guilty) > maxGuilty {
			err = r.mu.err
		}
	default:
		r.suspects, r.width = r.mu.refused, max(1, r.mu.count/refusalSplit)
	}
	r.mu.refused, r.mu.count, r.mu.err = nil, 0, nil
	return found, err
}

func (r *refusals) find(name outputRecord, err error) {
	if r.guilty == nil {
		r.guilty = make(map[outputRecord]error)
	}
	r.guilty[name] = err
	r.suspects = nil
}

// committed forgets the records before a commit.
func (r *refusals) committed() { r.guilty, r.suspects, r.width = nil, nil, 0 }

// judge returns the error of a record that is guilty, and has suspects written in groups.
func (c *RecordCollector) judge(topic string, rec *topology.Record) error {
	r := c.refusals
	if r == nil || len(r.guilty) == 0 && len(r.suspects) == 0 {
		return nil
	}
	name := outputRecord{topic, sumOf(rec.Key, rec.Value, rec.Timestamp)}
	if err := r.guilty[name]; err != nil {
		return err
	}
	suspect := r.suspects[name]
	begins := suspect && (c.grouped == 0 || c.grouped == r.width)
	ends := !suspect && c.grouped > 0
	if begins || ends {
		c.grouped = 0
		if err := c.flush(c.ctx); err != nil {
			return err
		}
	}
	if suspect {
		c.grouped++
	}
	return nil
}

// changelogError says that the changelog does not take what a store did. No handler may go on without it: the store
// would be ahead of its changelog.
type changelogError struct{ cause error }

func (e *changelogError) Error() string { return e.cause.Error() }
func (e *changelogError) Unwrap() error { return e.cause }

func isChangelogError(err error) bool {
	_, ok := errors.AsType[*changelogError](err)
	return ok
}
