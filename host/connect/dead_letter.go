package connect

import (
	"strconv"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Names of the headers of dead letters (KIP-298).
const (
	dlqPrefix           = "__connect.errors."
	dlqTopic            = dlqPrefix + "topic"
	dlqPartition        = dlqPrefix + "partition"
	dlqOffset           = dlqPrefix + "offset"
	dlqSourcePartition  = dlqPrefix + "source.partition" // Kafka has no dead letters of sources
	dlqSourceOffset     = dlqPrefix + "source.offset"
	dlqConnector        = dlqPrefix + "connector.name"
	dlqTask             = dlqPrefix + "task.id"
	dlqStage            = dlqPrefix + "stage"
	dlqClass            = dlqPrefix + "class.name"
	dlqException        = dlqPrefix + "exception.class.name"
	dlqExceptionMessage = dlqPrefix + "exception.message"
	dlqExceptionTrace   = dlqPrefix + "exception.stacktrace"
)

// RawHeader is a header as it lies in Kafka. A nil Value is null.
type RawHeader struct {
	Key   string
	Value []byte
}

// DeadLetterHeaders tell why a record is a dead letter. at is nil where no record is to blame, as in a poll.
func DeadLetterHeaders(task TaskID, f *Failed, at *Place) []RawHeader {
	var out []RawHeader
	add := func(key, value string) { out = append(out, RawHeader{key, []byte(value)}) }
	switch {
	case at == nil:
	case at.SourcePartition != "":
		add(dlqSourcePartition, at.SourcePartition)
		add(dlqSourceOffset, at.SourceOffset)
	default:
		add(dlqTopic, at.Topic)
		add(dlqPartition, strconv.Itoa(int(at.Partition)))
		add(dlqOffset, strconv.FormatInt(at.Offset, 10))
	}
	add(dlqConnector, task.Connector)
	add(dlqTask, strconv.Itoa(task.Task))
	add(dlqStage, string(f.Stage))
	add(dlqClass, f.Class)
	add(dlqException, string(fault.ClassOf(f.Cause)))
	if message := f.Cause.Error(); message != "" {
		add(dlqExceptionMessage, message)
	} else {
		out = append(out, RawHeader{Key: dlqExceptionMessage})
	}
	add(dlqExceptionTrace, fault.Trace(f.Cause))
	return out
}
