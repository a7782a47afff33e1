// Package connectors is the API of Connect: records, connectors and their tasks, converters, transformations, predicates,
// and the table of plugins by which a configuration names them.
//
// It knows no broker, no worker and no REST: a runtime calls what is declared here. The data model is package data, settings
// are package config, errors are package fault.
package connectors

import (
	"math"

	"github.com/wasmstream/wasmstream/connectors/data"
)

// What stands for "none" in a Record's numbers.
const (
	NoTimestamp = math.MinInt64
	NoPartition = -1
	NoOffset    = -1
)

// Record is what sources make, transformations change and sinks get: Kafka's ConnectRecord. Transformations change the
// Record in place, but never what its schemas and values refer to.
type Record struct {
	// Topic is "" for none.
	Topic string
	// Partition is NoPartition where a source leaves the choice to the producer.
	Partition int32
	Key       data.SchemaAndValue
	Value     data.SchemaAndValue
	// Timestamp is milliseconds since the epoch, or NoTimestamp.
	Timestamp int64
	Headers   Headers
	// Offset is the offset in Kafka of a sink's record, NoOffset of a source's.
	Offset int64
}

// IsSink tells whether the record was read from Kafka.
func (r *Record) IsSink() bool { return r.Offset != NoOffset }

// SourceRecord is a record on its way to Kafka, with its place in the source.
type SourceRecord struct {
	Record
	// SourcePartition and SourceOffset have string keys and primitive values. Records of one partition should share the
	// map: the runtime recognises it by its address. nil is allowed: such a record leaves no trace of progress.
	SourcePartition, SourceOffset *data.Map
}

// NewSourceRecord makes a record without key, headers, partition and timestamp.
func NewSourceRecord(partition, offset *data.Map, topic string, value data.SchemaAndValue) SourceRecord {
	return SourceRecord{
		Record:          Record{Topic: topic, Partition: NoPartition, Value: value, Timestamp: NoTimestamp, Offset: NoOffset},
		SourcePartition: partition, SourceOffset: offset,
	}
}

// TimestampType says who set a record's timestamp.
type TimestampType int8

// The timestamp types.
const (
	NoTimestampType TimestampType = -1
	CreateTime      TimestampType = 0
	LogAppendTime   TimestampType = 1
)

// String is Kafka's name.
func (t TimestampType) String() string {
	switch t {
	case CreateTime:
		return "CreateTime"
	case LogAppendTime:
		return "LogAppendTime"
	}
	return "NoTimestampType"
}

// SinkRecord is a record on its way out of Kafka. The original coordinates are those before transformations (KIP-793).
type SinkRecord struct {
	Record
	TimestampType     TimestampType
	OriginalTopic     string
	OriginalPartition int32
	OriginalOffset    int64
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value data.SchemaAndValue
}

// Headers are the headers of a record, in order; keys may occur several times. A Headers in a record is not changed in
// place: Add and Remove return what is to be stored.
type Headers []Header

// Add returns the headers with one more at the end, without changing h.
func (h Headers) Add(key string, value data.SchemaAndValue) Headers {
	out := make(Headers, len(h), len(h)+1)
	copy(out, h)
	return append(out, Header{Key: key, Value: value})
}

// Remove returns the headers without those of a key; h itself if there are none.
func (h Headers) Remove(key string) Headers {
	if !h.Has(key) {
		return h
	}
	out := make(Headers, 0, len(h))
	for _, x := range h {
		if x.Key != key {
			out = append(out, x)
		}
	}
	return out
}

// Has tells whether there is a header of this key.
func (h Headers) Has(key string) bool {
	for i := range h {
		if h[i].Key == key {
			return true
		}
	}
	return false
}

// Last is the last header of a key.
func (h Headers) Last(key string) (data.SchemaAndValue, bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Key == key {
			return h[i].Value, true
		}
	}
	return data.SchemaAndValue{}, false
}

// SchemaIDHeader is the header in which converters with a schema registry may tell the schema of a record's key or value. Its bytes
// are theirs: header converters neither read nor write them.
func SchemaIDHeader(isKey bool) string {
	if isKey {
		return keySchemaID
	}
	return valueSchemaID
}

// IsSchemaID tells whether a header is one of those.
func IsSchemaID(name string) bool { return name == keySchemaID || name == valueSchemaID }

const keySchemaID, valueSchemaID = "__key_schema_id", "__value_schema_id"
