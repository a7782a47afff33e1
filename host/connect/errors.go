package connect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Stage is where in the work on a record something failed (KIP-298).
type Stage string

// The stages.
const (
	StagePoll            Stage = "TASK_POLL"
	StagePut             Stage = "TASK_PUT"
	StageTransformation  Stage = "TRANSFORMATION"
	StageKeyConverter    Stage = "KEY_CONVERTER"
	StageValueConverter  Stage = "VALUE_CONVERTER"
	StageHeaderConverter Stage = "HEADER_CONVERTER"
	StageProduce         Stage = "KAFKA_PRODUCE"
	StageConsume         Stage = "KAFKA_CONSUME"
)

// Tolerance says what becomes of records that fail: errors.tolerance and errors.retry.*.
type Tolerance struct {
	// All goes on without the record (errors.tolerance=all); else the task fails.
	All bool
	// RetryTimeout is how long Retriable errors are tried again; negative is for ever.
	RetryTimeout time.Duration
	// MaxDelay is the longest wait between two tries.
	MaxDelay time.Duration
	// EveryStage has All hold for errors of puts, polls and Kafka too, not for retries alone. Kafka lacks it.
	EveryStage bool
}

// firstRetryWait is the wait after the first failure; it doubles with each.
const firstRetryWait = 300 * time.Millisecond

// Wait is how long to wait after a failed attempt, counted from 1, when left is the time to the deadline. Above MaxDelay
// the wait is a random one below it.
func (t Tolerance) Wait(attempt int, left time.Duration) time.Duration {
	wait := t.MaxDelay + 1
	if attempt <= 30 {
		wait = firstRetryWait << (attempt - 1)
	}
	if wait > t.MaxDelay {
		wait = time.Duration(rand.Int64N(max(int64(t.MaxDelay), 1)))
	}
	return max(min(wait, left), 0)
}

// Clock is time for whoever waits.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns false when ctx is done first.
	Sleep(ctx context.Context, d time.Duration) bool
}

// Tolerates tells whether an error of a stage may cost the record only.
func (t Tolerance) Tolerates(stage Stage, err error) bool {
	return t.All && (t.tolerable(stage) || fault.Retriable.Is(err))
}

// tolerable tells whether any error of the stage may be tolerated; of the others only Retriable ones.
func (t Tolerance) tolerable(stage Stage) bool {
	switch stage {
	case StageTransformation, StageKeyConverter, StageValueConverter, StageHeaderConverter:
		return true
	}
	return t.EveryStage
}

// Failed is an error of a record that is tolerated: the record is to be skipped and reported.
type Failed struct {
	Stage    Stage
	Class    string // of the plugin
	Cause    error
	Attempts int
}

// Error is the cause's text.
func (f *Failed) Error() string { return f.Cause.Error() }

// Unwrap is the cause.
func (f *Failed) Unwrap() error { return f.Cause }

// Run runs op until it succeeds, retrying Retriable errors until the deadline. The error is a *Failed when it is tolerated,
// else a ConnectException that fails the task.
func (t Tolerance) Run(ctx context.Context, clock Clock, stage Stage, class string, op func() error) error {
	err := op()
	if err == nil {
		return nil
	}
	return t.Again(ctx, clock, stage, class, err, op)
}

// Again is Run for who has tried op once already, with the error err.
func (t Tolerance) Again(ctx context.Context, clock Clock, stage Stage, class string, err error, op func() error) error {
	attempt := 1
	for start := clock.Now(); fault.Retriable.Is(err) && ctx.Err() == nil; attempt++ {
		left := t.MaxDelay + time.Hour
		if t.RetryTimeout >= 0 {
			left = t.RetryTimeout - clock.Now().Sub(start)
		}
		if left <= 0 || !clock.Sleep(ctx, t.Wait(attempt, left)) {
			break
		}
		if err = op(); err == nil {
			return nil
		}
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	return t.verdict(&Failed{Stage: stage, Class: class, Cause: err, Attempts: attempt})
}

func (t Tolerance) verdict(f *Failed) error {
	switch {
	case t.Tolerates(f.Stage, f.Cause):
		return f
	case !t.tolerable(f.Stage) && !fault.Retriable.Is(f.Cause):
		return fault.Connect.New("Unhandled exception in error handler").Because(f)
	}
	return fault.Connect.New("Tolerance exceeded in error handler").Because(f)
}

// ErrorLogText is the line of errors.log.enable. Of the record only its place is told: contents do not belong in logs.
func ErrorLogText(task TaskID, f *Failed, at *Place) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Error encountered in task %s. Executing stage '%s' with class '%s'", task, f.Stage, f.Class)
	switch {
	case at == nil:
	case at.SourcePartition != "":
		fmt.Fprintf(&b, ", where source record is {sourcePartition=%s, sourceOffset=%s}", at.SourcePartition, at.SourceOffset)
	default:
		fmt.Fprintf(&b, ", where consumed record is {topic='%s', partition=%d, offset=%d", at.Topic, at.Partition, at.Offset)
		if at.TimestampType != "" {
			fmt.Fprintf(&b, ", timestamp=%d, timestampType=%s", at.Timestamp, at.TimestampType)
		}
		b.WriteString("}")
	}
	b.WriteString(".")
	return b.String()
}

// Place is where a record was read: of a sink in Kafka, of a source what the source itself says, in JSON.
type Place struct {
	Topic         string
	Partition     int32
	Offset        int64
	Timestamp     int64
	TimestampType string // "" for none

	SourcePartition, SourceOffset string // of a sink ""
}

// placeInSource is the place of a record of a source. What is not to be had in JSON is shown as text.
func placeInSource(partition, offset *data.Map) *Place {
	return &Place{SourcePartition: shownMap(partition), SourceOffset: shownMap(offset)}
}

func shownMap(m *data.Map) string {
	b, err := MapJSON(m)
	if err != nil {
		return data.MapValue(m).String()
	}
	return string(b)
}

// Reported is the outcome for a record that a sink itself reports as failed: a *Failed where it may, else the error that
// fails the task.
func (t Tolerance) Reported(stage Stage, class string, cause error) error {
	f := &Failed{Stage: stage, Class: class, Cause: cause, Attempts: 1}
	if !t.All {
		return fault.Connect.New("Tolerance exceeded in error handler").Because(f)
	}
	return f
}
