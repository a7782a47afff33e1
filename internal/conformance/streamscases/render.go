package streamscases

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/topology"
)

// rendering says how the outputs of a family become text.
type rendering struct {
	key   func(key []byte) (string, error)
	value topology.Serde
}

func plainKey(key []byte) (string, error) { return string(key), nil }

// timeKey reads key|start, as "[key@start/end]".
func timeKey(size int64) func([]byte) (string, error) {
	return func(key []byte) (string, error) {
		if len(key) < 8 {
			return "", fmt.Errorf("a windowed key of %d bytes", len(key))
		}
		inner, start := key[:len(key)-8], int64(binary.BigEndian.Uint64(key[len(key)-8:]))
		return fmt.Sprintf("[%s@%d/%d]", inner, start, start+size), nil
	}
}

// sessionKey reads key|end|start, as "[key@start/end]".
func sessionKey(key []byte) (string, error) {
	if len(key) < 16 {
		return "", fmt.Errorf("a session key of %d bytes", len(key))
	}
	inner, window := key[:len(key)-16], key[len(key)-16:]
	end, start := int64(binary.BigEndian.Uint64(window)), int64(binary.BigEndian.Uint64(window[8:]))
	return fmt.Sprintf("[%s@%d/%d]", inner, start, end), nil
}

func (r rendering) output(rec streamtest.Record) (output, error) {
	o := output{Topic: outputTopic, Timestamp: rec.Timestamp}
	if rec.Key != nil {
		key, err := r.key(rec.Key)
		if err != nil {
			return o, err
		}
		o.Key = &key
	}
	if rec.Value != nil {
		value, err := topology.AppendText(nil, r.value, rec.Value)
		if err != nil {
			return o, err
		}
		shown := string(value)
		o.Value = &shown
	}
	return o, nil
}
