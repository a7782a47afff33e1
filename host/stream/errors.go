package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/topology"
)

// ErrTaskMigrated says that another member owns the tasks of a thread now, or may: its producer was fenced or its
// membership ended. What was not committed is given up and the thread joins the group again.
var ErrTaskMigrated = errors.New("the tasks may belong to another member now")

// TaskCorruptedError says that it is not known, or known to be wrong, what of the tasks' last work is committed: the
// outcome of a transaction is unknown, a record of it could not be written, a changelog was cut off. The tasks are
// closed without writing, the producer starts anew, which settles the transaction, and the tasks start from what is
// committed.
type TaskCorruptedError struct {
	// Tasks are those concerned; empty means all of the thread.
	Tasks []topology.TaskID
	Cause error
}

// Error implements error.
func (e *TaskCorruptedError) Error() string {
	if len(e.Tasks) == 0 {
		return fmt.Sprintf("the outcome of a transaction is open: %v", e.Cause)
	}
	return fmt.Sprintf("the state of %v is not usable: %v", e.Tasks, e.Cause)
}

// Unwrap returns the cause.
func (e *TaskCorruptedError) Unwrap() error { return e.Cause }

// commitError turns an error of any step of a commit into what the thread must do about it.
func commitError(step string, err error) error {
	err = fmt.Errorf("%s: %w", step, err)
	switch {
	case isAny(err, kerr.FencedInstanceID):
		return fencedError(err)
	case isFenced(err):
		return fmt.Errorf("%w: %w", ErrTaskMigrated, err)
	case isFatal(err):
		return kafkaError(step, err)
	}
	return &TaskCorruptedError{Cause: err}
}

// isFenced tells whether the cluster has given our place to another: a newer producer of the same transactional id, or
// a generation of the group that we are not in. A producer is also fenced when the broker ended its transaction
// because it took longer than transaction.timeout.ms.
func isFenced(err error) bool {
	return isAny(err, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping,
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress)
}

// isTransient tells whether err is an answer of a cluster that may answer otherwise soon: a leader or a coordinator is
// moving, a connection broke, a broker had a fault of its own.
func isTransient(err error) bool {
	if isAny(err, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.CorruptMessage) {
		return false
	}
	if answer, ok := errors.AsType[*kerr.Error](err); ok {
		return answer.Retriable || answer == kerr.UnknownServerError
	}
	return kgo.IsRetryableBrokerErr(err)
}

// isFatal tells whether trying again cannot help.
func isFatal(err error) bool {
	return isAny(err, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed, kerr.UnsupportedVersion,
		kerr.InvalidTransactionTimeout, kerr.UnsupportedForMessageFormat, kerr.SecurityDisabled)
}

func isAny(err error, targets ...*kerr.Error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

func fencedError(err error) error {
	return errs.KafkaFenced.New("", "another process with the identity of this one joined the group", "").WithCause(err)
}

// kafkaError gives an error of the cluster its code. doing is what was tried, as a gerund.
func kafkaError(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return kafka.Explain(err, "", doing)
}

// produceError gives the failure to write a record its place and code. Those that depend on the record itself would
// fail again, so they end the thread; others are settled by starting from the last commit.
func produceError(r *kgo.Record, err error) error {
	where := r.Topic + "-" + fmt.Sprint(r.Partition)
	switch {
	case isAny(err, kerr.MessageTooLarge, kerr.RecordListTooLarge):
		return errs.RecordTooLarge.New(where, fmt.Sprintf("a record of %d bytes is larger than max.message.bytes of the topic or max.request.size allows", len(r.Key)+len(r.Value)), "").WithCause(err)
	case isAny(err, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage):
		return errs.RecordProduction.New(where, "the broker refuses a record", "").WithCause(err)
	case isAny(err, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID):
		return errs.TopicMissing.New(r.Topic, "a record cannot be written: the topic does not exist any more", "create the topic again").WithCause(err)
	}
	return commitError("writing to "+where, err)
}
