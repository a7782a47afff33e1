package topology

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
)

// AppendTimeWindowedKey appends the key of a time window as Kafka writes it to topics, key|int64 start. The end is not
// part of it.
func AppendTimeWindowedKey(dst, key []byte, start int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, key...), uint64(start))
}

// SplitTimeWindowedKey takes such a key apart; ok is false for what is too short to be one. key points into windowed.
func SplitTimeWindowedKey(windowed []byte) (key []byte, start int64, ok bool) {
	n := len(windowed) - 8
	if n < 0 {
		return nil, 0, false
	}
	return windowed[:n:n], int64(binary.BigEndian.Uint64(windowed[n:])), true
}

// TimeWindowed is the serde of keys of time windows of sizeMs around keys of inner: timeWindowed(inner,size) by name. A
// nil inner is bytes.
func TimeWindowed(inner Serde, sizeMs int64) Serde {
	return timeWindowedSerde{inner: orBytes(inner), size: sizeMs}
}

// SessionWindowed is the serde of keys of sessions around keys of inner: sessionWindowed(inner) by name.
func SessionWindowed(inner Serde) Serde { return sessionWindowedSerde{inner: orBytes(inner)} }

func orBytes(s Serde) Serde {
	if s == nil {
		return Bytes
	}
	return s
}

// Windowed takes a serde of windowed keys apart: the inner serde, and the bytes of the inner key in a key of it. ok is
// false for other serdes and for keys too short.
func Windowed(s Serde, windowed []byte) (inner Serde, key []byte, ok bool) {
	switch s := s.(type) {
	case timeWindowedSerde:
		key, _, ok = SplitTimeWindowedKey(windowed)
		return s.inner, key, ok
	case sessionWindowedSerde:
		key, _, _, ok = state.SplitSessionKey(windowed)
		return s.inner, key, ok
	}
	return nil, nil, false
}

// IsWindowed tells whether s is a serde of windowed keys.
func IsWindowed(s Serde) bool {
	switch s.(type) {
	case timeWindowedSerde, sessionWindowedSerde:
		return true
	}
	return false
}

// WindowBounds are the start and the end of the window in a key of s: of time windows the end is not part of it, of
// sessions it is. ok is false for other serdes and for keys too short.
func WindowBounds(s Serde, windowed []byte) (start, end int64, ok bool) {
	if _, _, ok = Windowed(s, windowed); !ok {
		return 0, 0, false
	}
	start, end = windowOf(s, windowed)
	return start, end, true
}

type timeWindowedSerde struct {
	inner Serde
	size  int64
}

func (s timeWindowedSerde) Name() string {
	return "timeWindowed(" + s.inner.Name() + "," + strconv.FormatInt(s.size, 10) + ")"
}

func (s timeWindowedSerde) Deserialize(data []byte) ([]byte, error) {
	if data == nil {
		return nil, nil
	}
	key, _, ok := SplitTimeWindowedKey(data)
	if !ok {
		return nil, fmt.Errorf("a key of a time window has 8 bytes or more (got %d)", len(data))
	}
	return rewrap(s.inner, data, key)
}

type sessionWindowedSerde struct{ inner Serde }

func (s sessionWindowedSerde) Name() string { return "sessionWindowed(" + s.inner.Name() + ")" }

func (s sessionWindowedSerde) Deserialize(data []byte) ([]byte, error) {
	if data == nil {
		return nil, nil
	}
	key, _, _, ok := state.SplitSessionKey(data)
	if !ok {
		return nil, fmt.Errorf("a key of a session has 16 bytes or more (got %d)", len(data))
	}
	return rewrap(s.inner, data, key)
}

// rewrap returns data with its inner key in canonical form.
func rewrap(inner Serde, data, key []byte) ([]byte, error) {
	canonical, err := inner.Deserialize(key)
	if err != nil {
		return nil, err
	}
	if len(canonical) == len(key) && (len(key) == 0 || &canonical[0] == &key[0]) {
		return data, nil
	}
	tail := data[len(key):]
	return append(append(make([]byte, 0, len(canonical)+len(tail)), canonical...), tail...), nil
}

// appendWindowedText appends "[key@start/end]", as Java prints a Windowed.
func appendWindowedText(dst []byte, s Serde, data []byte) ([]byte, error) {
	inner, key, _ := Windowed(s, data)
	dst, err := AppendText(append(dst, '['), inner, key)
	if err != nil {
		return dst, err
	}
	start, end := windowOf(s, data)
	dst = strconv.AppendInt(append(dst, '@'), start, 10)
	return append(strconv.AppendInt(append(dst, '/'), end, 10), ']'), nil
}

func windowOf(s Serde, data []byte) (start, end int64) {
	if w, ok := s.(timeWindowedSerde); ok {
		_, start, _ = SplitTimeWindowedKey(data)
		return start, windowEnd(start, w.size)
	}
	_, start, end, _ = state.SplitSessionKey(data)
	return start, end
}

// windowEnd keeps to the largest time where start and size go beyond it, as Kafka does.
func windowEnd(start, size int64) int64 {
	if end := start + size; end >= start {
		return end
	}
	return 1<<63 - 1
}

// parseWindowedText reads "[key@start/end]".
func parseWindowedText(s Serde, text string) ([]byte, error) {
	body, closed := strings.CutSuffix(text, "]")
	body, opened := strings.CutPrefix(body, "[")
	at := strings.LastIndexByte(body, '@')
	if !opened || !closed || at < 0 {
		return nil, fmt.Errorf("a windowed key is written as [key@start/end]")
	}
	startText, endText, _ := strings.Cut(body[at+1:], "/")
	start, err := strconv.ParseInt(startText, 10, 64)
	if err != nil {
		return nil, err
	}
	end, err := strconv.ParseInt(endText, 10, 64)
	if err != nil {
		return nil, err
	}
	inner := innerOf(s)
	key, err := ParseText(inner, body[:at])
	if err != nil {
		return nil, err
	}
	if _, ok := s.(timeWindowedSerde); ok {
		return AppendTimeWindowedKey(nil, key, start), nil
	}
	return state.AppendSessionKey(nil, key, start, end), nil
}

// innerOf is the serde inside one of windowed keys or lists, nil for others.
func innerOf(s Serde) Serde {
	switch s := s.(type) {
	case timeWindowedSerde:
		return s.inner
	case sessionWindowedSerde:
		return s.inner
	case listSerde:
		return s.inner
	}
	return nil
}

// compositeSerde reads the names of serdes that are made of others: timeWindowed(inner,size), sessionWindowed(inner),
// list(inner). ok is false for what is not of that form.
func compositeSerde(name string) (s Serde, ok bool, err error) {
	head, rest, opened := strings.Cut(strings.TrimSpace(name), "(")
	args, closed := strings.CutSuffix(rest, ")")
	if !opened || !closed || args == "" {
		return nil, false, nil
	}
	switch strings.ToLower(shortSerdeName(head)) {
	case "timewindowed":
		return timeWindowedByArgs(name, args)
	case "sessionwindowed":
		inner, err := SerdeByName(args)
		return SessionWindowed(inner), true, err
	case "list":
		inner, err := SerdeByName(args)
		return List(inner), true, err
	}
	return nil, false, nil
}

func timeWindowedByArgs(name, args string) (Serde, bool, error) {
	at := strings.LastIndexByte(args, ',')
	if at < 0 {
		return nil, true, errs.ConfigInvalid.New("", fmt.Sprintf("the serde %q has no window size", name), "write timeWindowed(SERDE,MILLISECONDS)")
	}
	size, err := strconv.ParseInt(strings.TrimSpace(args[at+1:]), 10, 64)
	if err != nil || size <= 0 {
		return nil, true, errs.ConfigInvalid.New("", fmt.Sprintf("the window size of the serde %q is no number of milliseconds from 1 on", name), "write timeWindowed(SERDE,MILLISECONDS)")
	}
	inner, err := SerdeByName(strings.TrimSpace(args[:at]))
	return TimeWindowed(inner, size), true, err
}
