package vectors

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// expectedKeys are the names of what a vector with several results asks for.
func expectedKeys(v vector) ([]string, error) {
	asked := map[string]any{}
	if err := strict(v.Expected, &asked); err != nil {
		return nil, err
	}
	var names []string
	for name := range asked {
		names = append(names, name)
	}
	return names, nil
}

// pick gives those of all that the vector asks for.
func pick(v vector, all map[string]any) (any, error) {
	names, err := expectedKeys(v)
	if err != nil {
		return nil, err
	}
	got := map[string]any{}
	for _, name := range names {
		value, ok := all[name]
		if !ok {
			return nil, fmt.Errorf("the key %q is not known", name)
		}
		got[name] = value
	}
	return got, nil
}

// partition expects the hash and the partitions for the counts that it asks about, as "p<count>".
func partition(v vector) (any, error) {
	key, err := hexInput(v, "key_hex")
	if err != nil {
		return nil, err
	}
	names, err := expectedKeys(v)
	if err != nil {
		return nil, err
	}
	all := map[string]any{"murmur2": topology.Murmur2(key)}
	for _, name := range names {
		n, err := strconv.ParseInt(strings.TrimPrefix(name, "p"), 10, 32)
		if err == nil && strings.HasPrefix(name, "p") && n > 0 {
			all[name] = topology.PartitionForKey(key, int32(n))
		}
	}
	return pick(v, all)
}

func hexInput(v vector, name string) ([]byte, error) {
	in := map[string]string{}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	text, ok := in[name]
	if !ok || len(in) != 1 {
		return nil, fmt.Errorf("the input %s is not known", v.Input)
	}
	return hex.DecodeString(text)
}

func murmur3(v vector) (any, error) {
	data, err := hexInput(v, "bytes_hex")
	if err != nil {
		return nil, err
	}
	return topology.Murmur3(data), nil
}

// windowInput is a window of a key that is a string.
type windowInput struct {
	Key   string `json:"key"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

func windowKey(v vector) (any, error) {
	var in windowInput
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	key := []byte(in.Key)
	return pick(v, map[string]any{
		"topic_key_hex":      hex.EncodeToString(topology.AppendTimeWindowedKey(nil, key, in.Start)),
		"store_key_seq0_hex": hex.EncodeToString(state.AppendWindowKey(nil, key, in.Start, 0)),
		"store_key_seq7_hex": hex.EncodeToString(state.AppendWindowKey(nil, key, in.Start, 7)),
		"time_first_hex":     hex.EncodeToString(state.AppendTimeFirstWindowKey(nil, key, in.Start, 0)),
		"key_first_hex":      hex.EncodeToString(state.AppendKeyFirstWindowKey(nil, key, in.Start, 0)),
	})
}

func sessionKey(v vector) (any, error) {
	var in windowInput
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	key := []byte(in.Key)
	return pick(v, map[string]any{
		"key_hex":        hex.EncodeToString(state.AppendSessionKey(nil, key, in.Start, in.End)),
		"time_first_hex": hex.EncodeToString(state.AppendTimeFirstSessionKey(nil, key, in.Start, in.End)),
		"key_first_hex":  hex.EncodeToString(state.AppendKeyFirstSessionKey(nil, key, in.Start, in.End)),
	})
}

func windowsFor(v vector) (any, error) {
	var in struct {
		Size    int64 `json:"size"`
		Advance int64 `json:"advance"`
		TS      int64 `json:"ts"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	w := dsl.TimeWindowsOfSizeAndGrace(ms(in.Size), 0).AdvanceBy(ms(in.Advance))
	return append([][2]int64{}, w.WindowsFor(in.TS)...), w.Validate()
}

var aTask = regexp.MustCompile(`^\s*sub-topology (\d+) partition (\d+)\s*$`)

// taskIDs expects the texts of tasks that are described in words, in their order there.
func taskIDs(v vector) (any, error) {
	var in string
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	var texts []string
	for words := range strings.SplitSeq(in, ";") {
		m := aTask.FindStringSubmatch(words)
		if m == nil {
			return nil, fmt.Errorf("the input %q is not known", words)
		}
		sub, _ := strconv.Atoi(m[1])
		part, _ := strconv.Atoi(m[2])
		texts = append(texts, topology.TaskID{Subtopology: sub, Partition: int32(part)}.String())
	}
	return texts, nil
}
