package stream

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The texts are what Kafka's TopicPartitionMetadata writes (the first one follows from its layout).
func TestMetadataOfCommittedOffsets(t *testing.T) {
	tests := []struct {
		metadata TopicPartitionMetadata
		text     string
	}{
		{TopicPartitionMetadata{PartitionTime: -1}, "Av//////////"},
		{TopicPartitionMetadata{PartitionTime: 1500000000000}, "AgAAAV0+95gA"},
		{TopicPartitionMetadata{PartitionTime: -1, Processor: map[string]int64{"key1": 10}}, "Av//////////AAAAAQAAAARrZXkxAAAAAAAAAAo="},
		{TopicPartitionMetadata{PartitionTime: 0, Processor: map[string]int64{"key1": 10}}, "AgAAAAAAAAAAAAAAAQAAAARrZXkxAAAAAAAAAAo="},
		{TopicPartitionMetadata{PartitionTime: 1500000000000, Processor: map[string]int64{"key1": 10}}, "AgAAAV0+95gAAAAAAQAAAARrZXkxAAAAAAAAAAo="},
	}
	for _, tt := range tests {
		if got := tt.metadata.Encode(); got != tt.text {
			t.Errorf("encoding %+v: %s, want %s", tt.metadata, got, tt.text)
		}
		got, err := DecodeTopicPartitionMetadata(tt.text)
		if diff := cmp.Diff(tt.metadata, got); err != nil || diff != "" {
			t.Errorf("decoding %s: %v (-want +got):\n%s", tt.text, err, diff)
		}
	}
}

func TestMetadataOfOtherVersionsAndPrograms(t *testing.T) {
	if m, err := DecodeTopicPartitionMetadata("AQAAAV0+95gA"); err != nil || m.PartitionTime != 1500000000000 {
		t.Errorf("version 1: %+v, %v", m, err)
	}
	if m, err := DecodeTopicPartitionMetadata(""); err != nil || m.PartitionTime != unknownTime {
		t.Errorf("no metadata: %+v, %v", m, err)
	}
	for _, text := range []string{"x", "hello world", "AwAAAV0+95gA", "AgAA", "AgAAAV0+95gA/////w==", strings.Repeat("A", 100)} {
		if m, err := DecodeTopicPartitionMetadata(text); err == nil || m.PartitionTime != unknownTime {
			t.Errorf("%q: %+v without an error", text, m)
		}
	}
}

func TestMetadataRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := TopicPartitionMetadata{PartitionTime: rapid.Int64().Draw(t, "time")}
		if entries := rapid.MapOf(rapid.String(), rapid.Int64()).Draw(t, "processor"); len(entries) > 0 {
			m.Processor = entries
		}
		got, err := DecodeTopicPartitionMetadata(m.Encode())
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func FuzzDecodeTopicPartitionMetadata(f *testing.F) {
	f.Add("AgAAAV0+95gAAAAAAQAAAARrZXkxAAAAAAAAAAo=")
	f.Add("AgAAAV0+95gA/////w==")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := DecodeTopicPartitionMetadata(text)
		if err != nil && m.PartitionTime != unknownTime {
			t.Errorf("an error with time %d", m.PartitionTime)
		}
	})
}
