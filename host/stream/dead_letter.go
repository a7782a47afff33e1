package stream

import (
	"errors"
	"strconv"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// Headers of records in the dead-letter topic, as Kafka's handlers write them (KIP-1034). All values are text.
const (
	HeaderErrorException  = "__streams.errors.exception"
	HeaderErrorMessage    = "__streams.errors.message"
	HeaderErrorStacktrace = "__streams.errors.stacktrace"
	HeaderErrorTopic      = "__streams.errors.topic"
	HeaderErrorPartition  = "__streams.errors.partition"
	HeaderErrorOffset     = "__streams.errors.offset"
)

// deadLetter writes the source record behind rec to the dead-letter topic, if there is one: its raw key and value, the
// timestamp and headers that rec has, and the headers of the error. Where the source record is not at hand any more (a
// cache forwarded rec, or a punctuator made it) the key and value of rec stand for it.
func (n *node) deadLetter(rec *topology.Record, cause error) error {
	t := n.task
	if t.config.DeadLetterTopic == "" {
		return nil
	}
	out := topology.Record{Key: rec.Key, Value: rec.Value, Timestamp: max(rec.Timestamp, 0)}
	if raw := t.group.source(rec); raw != nil {
		out.Key, out.Value = raw.Key, raw.Value
	}
	out.Headers = append(append(out.Headers, rec.Headers...), errorHeaders(rec, cause)...)
	if err := t.config.Collector.Send(t.config.DeadLetterTopic, -1, &out); err != nil {
		return errs.DeadLetter.New(t.config.DeadLetterTopic, "a record cannot be written to the dead-letter topic", "").WithCause(err)
	}
	n.metrics.DeadLetters.Add(1)
	return nil
}

// errorHeaders say what went wrong with a record, and where it lies.
func errorHeaders(rec *topology.Record, cause error) []topology.Header {
	code, message, stack := errs.RuntimeError.ID, cause.Error(), ""
	if coded, ok := errors.AsType[*errs.Error](cause); ok {
		code, message, stack = coded.Code, coded.What, coded.Detail
		if coded.Cause != nil {
			message += ": " + coded.Cause.Error()
		}
	}
	topic, partition := "", int32(-1)
	if rec.Origin != nil {
		topic, partition = rec.Origin.Topic, rec.Origin.Partition
	}
	return []topology.Header{
		{Key: HeaderErrorException, Value: []byte(code)},
		{Key: HeaderErrorMessage, Value: []byte(message)},
		{Key: HeaderErrorStacktrace, Value: []byte(stack)},
		{Key: HeaderErrorTopic, Value: []byte(topic)},
		{Key: HeaderErrorPartition, Value: strconv.AppendInt(nil, int64(partition), 10)},
		{Key: HeaderErrorOffset, Value: strconv.AppendInt(nil, rec.Offset, 10)},
	}
}
