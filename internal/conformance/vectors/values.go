package vectors

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// bytesOf are those of a string, nil for none.
func bytesOf(s *string) []byte {
	if s == nil {
		return nil
	}
	return append([]byte{}, *s...)
}

// timestampedValue has a long, or null.
func timestampedValue(v vector) (any, error) {
	var in struct {
		Value *int64 `json:"value"`
		TS    int64  `json:"ts"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	if in.Value == nil {
		return nil, nil
	}
	return hex.EncodeToString(state.AppendTimestamped(nil, in.TS, binary.BigEndian.AppendUint64(nil, uint64(*in.Value)))), nil
}

func headersValue(v vector) (any, error) {
	var in struct {
		Value   *string           `json:"value"`
		TS      int64             `json:"ts"`
		Headers []json.RawMessage `json:"headers"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	var headers []state.Header
	for _, raw := range in.Headers {
		h, err := header(raw)
		if err != nil {
			return nil, err
		}
		headers = append(headers, h)
	}
	if in.Value == nil {
		return nil, nil
	}
	return hex.EncodeToString(state.AppendTimestampedWithHeaders(nil, headers, in.TS, bytesOf(in.Value))), nil
}

// header is written as [key, value] or {"key": ..., "value": ...}; values are strings or null.
func header(raw json.RawMessage) (h state.Header, err error) {
	var pair []*string
	if strict(raw, &pair) == nil && len(pair) == 2 && pair[0] != nil {
		return state.Header{Key: *pair[0], Value: bytesOf(pair[1])}, nil
	}
	var fields struct {
		Key   string  `json:"key"`
		Value *string `json:"value"`
	}
	if err := strict(raw, &fields); err != nil {
		return h, fmt.Errorf("the header %s is not known", raw)
	}
	return state.Header{Key: fields.Key, Value: bytesOf(fields.Value)}, nil
}

func change(v vector) (any, error) {
	var in struct {
		New *string `json:"new"`
		Old *string `json:"old"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	return hex.EncodeToString(topology.AppendChange(nil, bytesOf(in.New), bytesOf(in.Old))), nil
}

// hashOf is that of a left value, and whether there is one.
func hashOf(value *string) (topology.Murmur3Hash128, bool) {
	if value == nil {
		return topology.Murmur3Hash128{}, false
	}
	return topology.Murmur3([]byte(*value)), true
}

func subscription(v vector) (any, error) {
	var in struct {
		HashOf           *string `json:"hash_of"`
		Instruction      string  `json:"instruction"`
		InstructionByte  byte    `json:"instruction_byte"`
		PK               string  `json:"pk"`
		PrimaryPartition int32   `json:"primary_partition"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	s := topology.Subscription{
		Instruct: topology.SubscriptionInstruction(in.InstructionByte), PrimaryKey: []byte(in.PK), PrimaryPartition: in.PrimaryPartition,
	}
	if s.Instruct.String() != in.Instruction {
		return nil, fmt.Errorf("the instruction %q is %d: here that is %s", in.Instruction, in.InstructionByte, s.Instruct)
	}
	s.Hash, s.HasHash = hashOf(in.HashOf)
	return hex.EncodeToString(s.Append(nil)), nil
}

func subscriptionResponse(v vector) (any, error) {
	var in struct {
		HashOf       *string `json:"hash_of"`
		ForeignValue *string `json:"foreign_value"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	r := topology.SubscriptionResponse{Value: bytesOf(in.ForeignValue)}
	r.Hash, r.HasHash = hashOf(in.HashOf)
	return hex.EncodeToString(r.Append(nil)), nil
}

func combinedKey(v vector) (any, error) {
	var in struct {
		FK string `json:"fk"`
		PK string `json:"pk"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	return pick(v, map[string]any{
		"key_hex":    hex.EncodeToString(topology.AppendCombinedKey(nil, []byte(in.FK), []byte(in.PK))),
		"prefix_hex": hex.EncodeToString(topology.AppendCombinedKey(nil, []byte(in.FK), nil)),
	})
}

func offsetMetadata(v vector) (any, error) {
	var in struct {
		PartitionTime     int64            `json:"partition_time"`
		ProcessorMetadata map[string]int64 `json:"processor_metadata"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	return stream.TopicPartitionMetadata{PartitionTime: in.PartitionTime, Processor: in.ProcessorMetadata}.Encode(), nil
}
