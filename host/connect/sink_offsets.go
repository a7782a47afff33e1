package connect

import (
	"strconv"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Fields of the offsets of a sink in REST requests (KIP-875).
const (
	sinkTopicField     = "kafka_topic"
	sinkPartitionField = "kafka_partition"
	sinkOffsetField    = "kafka_offset"
)

// ParseSinkOffset reads one entry of a request for the offsets of a sink; a nil offset is a reset. Numbers may be written
// as texts. Errors are answers of status 400.
func ParseSinkOffset(partition, offset *data.Map) (connectors.TopicPartition, *int64, error) {
	var tp connectors.TopicPartition
	if partition == nil {
		return tp, nil, badRequest("The partition for a sink connector offset cannot be null or missing")
	}
	topic, hasTopic := partition.Lookup(sinkTopicField)
	number, hasNumber := partition.Lookup(sinkPartitionField)
	switch {
	case !hasTopic || !hasNumber:
		return tp, nil, badRequest("The partition for a sink connector offset must contain the keys '%s' and '%s'", sinkTopicField, sinkPartitionField)
	case topic.IsNull():
		return tp, nil, badRequest("Kafka topic names must be valid strings and may not be null")
	case number.IsNull():
		return tp, nil, badRequest("Kafka partitions must be valid numbers and may not be null")
	}
	n, err := strconv.ParseInt(number.String(), 10, 32)
	if err != nil {
		return tp, nil, badRequest("Failed to parse the following Kafka partition value in the provided offsets: '%s'. Partition values for sink connectors need to be integers.", number.String())
	}
	tp = connectors.TopicPartition{Topic: topic.String(), Partition: int32(n)}
	if offset == nil {
		return tp, nil, nil
	}
	at, ok := offset.Lookup(sinkOffsetField)
	if !ok {
		return tp, nil, badRequest("The offset for a sink connector should either be null or contain the key '%s'", sinkOffsetField)
	}
	o, err := strconv.ParseInt(at.String(), 10, 64)
	if err != nil {
		return tp, nil, badRequest("Failed to parse the following Kafka offset value in the provided offsets: '%s'. Offset values for sink connectors need to be integers.", at.String())
	}
	return tp, &o, nil
}

// SinkOffsetEntry is an offset of a sink as REST shows it.
func SinkOffsetEntry(tp connectors.TopicPartition, offset int64) PartitionOffset {
	return PartitionOffset{
		Partition: data.Of(sinkTopicField, data.StringValue(tp.Topic), sinkPartitionField, data.Int32Value(tp.Partition)),
		Offset:    data.Of(sinkOffsetField, data.Int64Value(offset)),
	}
}
