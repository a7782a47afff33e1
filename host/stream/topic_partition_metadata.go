package stream

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// TopicPartitionMetadata is what Kafka Streams keeps in the metadata of a committed offset.
type TopicPartitionMetadata struct {
	// PartitionTime is the largest timestamp taken from the partition, in ms; -1 is none.
	PartitionTime int64
	// Processor holds what processors keep there, by key.
	Processor map[string]int64
}

// The versions of its bytes: 1 has the time alone.
const (
	metadataVersion1 = 1
	metadataVersion2 = 2
)

var errMetadata = errors.New("metadata of a committed offset is damaged")

// Encode is the text form: base64(0x02 | int64 time [| int32 n | n x (int32 length, key, int64 value)]).
func (m TopicPartitionMetadata) Encode() string {
	be := binary.BigEndian
	b := be.AppendUint64([]byte{metadataVersion2}, uint64(m.PartitionTime))
	if len(m.Processor) > 0 {
		b = be.AppendUint32(b, uint32(len(m.Processor)))
	}
	for _, key := range topology.HashOrder(slices.Sorted(maps.Keys(m.Processor))) {
		b = be.AppendUint32(b, uint32(len(key)))
		b = append(b, key...)
		b = be.AppendUint64(b, uint64(m.Processor[key]))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// DecodeTopicPartitionMetadata reads the text form. "" has no time; text that is not of Kafka Streams is an error, and
// the time then unknown.
func DecodeTopicPartitionMetadata(text string) (TopicPartitionMetadata, error) {
	m := TopicPartitionMetadata{PartitionTime: unknownTime}
	if text == "" {
		return m, nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 9 || b[0] != metadataVersion1 && b[0] != metadataVersion2 {
		return m, errMetadata
	}
	at, rest := int64(binary.BigEndian.Uint64(b[1:])), b[9:]
	if b[0] == metadataVersion2 && len(rest) > 0 {
		if m.Processor, err = decodeProcessorMetadata(rest); err != nil {
			return m, err
		}
	}
	m.PartitionTime = at
	return m, nil
}

func decodeProcessorMetadata(b []byte) (map[string]int64, error) {
	const least = 4 + 8 // an entry with an empty key
	if len(b) < 4 || int64(binary.BigEndian.Uint32(b)) > int64(len(b)/least) {
		return nil, errMetadata
	}
	n, b := binary.BigEndian.Uint32(b), b[4:]
	entries := make(map[string]int64, n)
	for range n {
		if len(b) < least {
			return nil, errMetadata
		}
		size := int64(binary.BigEndian.Uint32(b))
		if size > int64(len(b)-least) {
			return nil, errMetadata
		}
		entries[string(b[4:4+size])] = int64(binary.BigEndian.Uint64(b[4+size:]))
		b = b[least+size:]
	}
	return entries, nil
}
