package stream

import "testing"

// TestMetadataOfSeveralProcessors: keys are in the order in which Kafka's HashMap writes them. The text is Kafka 4.3.1's.
func TestMetadataOfSeveralProcessors(t *testing.T) {
	m := TopicPartitionMetadata{PartitionTime: 5, Processor: map[string]int64{}}
	for _, key := range []string{"KSTREAM-AGGREGATE-0000000003", "b", "zebra", "a", "KSTREAM-AGGREGATE-0000000012"} {
		m.Processor[key] = int64(len(key))
	}
	const kafkas = "AgAAAAAAAAAFAAAABQAAAAV6ZWJyYQAAAAAAAAAFAAAAAWEAAAAAAAAAAQAAAAFiAAAAAAAAAAEAAAAcS1NUUkVBTS1BR0dSRUdBVEUtMDAwMDAwMDAxMgAAAAAAAAAcAAAAHEtTVFJFQU0tQUdHUkVHQVRFLTAwMDAwMDAwMDMAAAAAAAAAHA=="
	if got := m.Encode(); got != kafkas {
		t.Errorf("got %s, want %s", got, kafkas)
	}
}
