package connect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// The offset topic holds, for each source partition of each connector, the offset that was committed last
// (KafkaOffsetBackingStore): key ["<connector>",{<partition>}], value {<offset>} or null.

// OffsetRecord is the record of one source partition. partition and offset are JSON objects; offset nil is a tombstone.
func OffsetRecord(connector string, partition, offset json.RawMessage) Record {
	return Record{OffsetKey(connector, partition), offset}
}

// OffsetKey is the key of a source partition.
func OffsetKey(connector string, partition json.RawMessage) []byte {
	if partition == nil {
		partition = json.RawMessage("null")
	}
	return mustJSON([]any{connector, partition})
}

// OffsetKeyError is about a key of the offset topic that is to be ignored. Quiet ones are no news.
type OffsetKeyError struct {
	What  string
	Quiet bool
}

// Error is Kafka's text for the log.
func (e *OffsetKeyError) Error() string { return e.What }

// ParseOffsetKey takes a key apart. Every error is an *OffsetKeyError (OffsetUtils.processPartitionKey).
func ParseOffsetKey(key []byte) (connector string, partition json.RawMessage, err error) {
	ignored := func(what string) error {
		return &OffsetKeyError{What: fmt.Sprintf("Ignoring offset partition key with %s: %q", what, clipped(key))}
	}
	var parts []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(key))
	var whole json.RawMessage
	if d.Decode(&whole) != nil || d.Decode(new(json.RawMessage)) != io.EOF {
		return "", nil, ignored("unknown serialization")
	}
	if json.Unmarshal(whole, &parts) != nil || parts == nil {
		return "", nil, ignored("an unexpected format")
	}
	if len(parts) != 2 {
		return "", nil, ignored("an unexpected number of elements")
	}
	var name *string
	if json.Unmarshal(parts[0], &name) != nil || name == nil {
		return "", nil, ignored("an unexpected format for the first element in the partition key list")
	}
	if string(parts[1]) == "null" {
		return "", nil, &OffsetKeyError{What: "the partition is null", Quiet: true}
	}
	if parts[1][0] != '{' {
		return "", nil, ignored("an unexpected format for the second element in the partition key list")
	}
	return *name, parts[1], nil
}

// clipped bounds what of a foreign record goes into the log.
func clipped(b []byte) []byte { return b[:min(len(b), 200)] }
